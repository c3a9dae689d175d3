"""Nothing is oversold: what the checker sees in an item's answers, and that it names each broken promise."""

import pytest

from fsn.report.oversold import check_stock
from tests.report.making import (
    BERLIN,
    ORDER,
    PARIS,
    SHOE,
    broken,
    consumed,
    denied,
    granted,
    item,
    reads,
    released,
    routed,
    snapshot,
)

OTHER = "acme|shop|2"


def check(*answers, shown=()):
    return check_stock(reads(*answers), reads(*shown))


def test_a_whole_life_is_clean():
    found = check(
        granted(item(2, 10, 4), berlin=4),
        routed(item(3, 10, 10), order_id=OTHER, berlin=6),
        denied(item(3, 10, 10), order_id="acme|shop|3"),
        consumed(item(4, 7, 7), 3),
        released(item(5, 7, 6), berlin=1),
        shown=[snapshot(1, 10, 0), snapshot(5, 7, 6)],
    )
    assert found.checked.faults == ()
    assert (found.oversold, found.grants, found.consumed) == (0, 2, 3)
    assert found.live == {(f"{ORDER}|1|{SHOE}", BERLIN): 0, (f"{OTHER}|1|{SHOE}", BERLIN): 6}
    assert found.granted == {(f"{ORDER}|1|{SHOE}", BERLIN): 4, (f"{OTHER}|1|{SHOE}", BERLIN): 6}
    assert found.last == {(SHOE, BERLIN): (5, (7, 6, 0))}


def test_an_answer_repeated_word_for_word_is_one_answer():
    grant, release = granted(item(2, 10, 4), berlin=4), released(item(3, 10, 0), berlin=4)
    assert check(grant, grant, release, release).checked.faults == ()


def test_several_locations_of_one_answer_are_several_items():
    found = check(granted(item(2, 5, 2), item(9, 5, 3, location_id=PARIS), berlin=2, paris=3))
    assert found.checked.faults == () and found.grants == 2


FAULTS = [
    # what was answered                                                       promise broken                lost dup over
    ([granted(item(2, 3, 4), berlin=4)], "nothing is oversold", (0, 0, 1)),
    ([granted(item(2, 4, 4, held=2), berlin=4)], "nothing is oversold", (0, 0, 2)),
    ([granted(item(2, 0, 1), berlin=1)], "nothing is oversold", (0, 0, 1)),
    ([granted(item(2, -5, 1), berlin=1)], "nothing is oversold", (0, 0, 1)),
    ([granted(item(2, 9, 4), berlin=4), granted(item(2, 9, 4), order_id=OTHER, berlin=4)],
     "one revision, one change", (0, 1, 0)),
    ([granted(item(2, 9, 4), berlin=4), denied(item(2, 8, 4), order_id=OTHER)], "one revision, one state", (0, 1, 0)),
    ([granted(item(2, 9, 5), berlin=4)], "reserved = live reservations", (0, 0, 0)),
    ([granted(item(2, 9, 4), berlin=4), granted(item(3, 9, 8), berlin=4)], "one grant per reservation", (0, 1, 0)),
    ([granted(item(2, 9, 4), berlin=4), released(item(3, 9, 0), berlin=4), released(item(4, 9, -4), berlin=4)],
     "each reservation ends once", (0, 1, 0)),
    ([granted(item(2, 9, 4), berlin=4), consumed(item(3, 4, -1), 5)], "each reservation ends once", (0, 1, 0)),
    ([denied(item(1, 9, 0)), granted(item(2, 8, 1), berlin=1)], "a grant moves no stock", (0, 0, 0)),
    ([granted(berlin=4)], "every answer shows its items", (1, 0, 0)),
    ([denied(item(1, 9, 0, held=-1))], "never below zero", (0, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "promise", "numbers"), FAULTS)
def test_a_broken_promise_is_named(answers, promise, numbers):
    faults = [fault for fault in check(*answers).checked.faults if fault.check == promise]
    assert len(faults) == 1
    assert (faults[0].lost, faults[0].duplicated, faults[0].oversold) == numbers
    assert SHOE in faults[0].subject and BERLIN in faults[0].subject


def test_a_snapshot_gives_a_lost_answer_away_once():
    found = check(granted(item(2, 9, 4), berlin=4), shown=[snapshot(3, 9, 0), snapshot(4, 12, 0), snapshot(5, 12, 0)])
    assert broken(found.checked) == ["reserved = live reservations"]
    assert "4" in found.checked.faults[0].detail


def test_units_are_oversold_by_what_the_grant_adds_not_by_what_was_missing_before():
    found = check(granted(item(2, 5, 5), berlin=5), granted(item(4, 2, 6), order_id=OTHER, berlin=1))
    assert found.oversold == 1
