"""Reservations: granted whole or not at all, ended once, each shipped unit deducted once."""

import msgspec
import pytest

from processors.network import fold
from processors.reasons import Reason
from processors.rules import Rules
from processors.stock import chain, ending, granting, waiting
from processors.stock.rows import Status
from schemas.records.network import RuleSetPublished
from schemas.records.reservations import ItemState, ReserveLine
from tests.processors.harness import Bench
from tests.processors.stock.world import (
    HOUR,
    MEMORY,
    SAFE,
    SECOND,
    T0,
    VARIANT,
    A,
    B,
    alerts,
    ask,
    confirm,
    consume,
    delta,
    item,
    names,
    numbers,
    order,
    recount,
    release,
    report,
    reservation,
    reserve,
    stocked,
    wait,
)

GRANTED = "granted"

RESERVE = [
    # on hand             before            wanted                    answer
    ([(A, 5)], [], [(A, 5)], GRANTED),
    ([(A, 5)], [], [(A, 6)], "stock_short"),
    ([(A, 0)], [], [(A, 1)], "stock_short"),  # nothing on hand is not an unknown item
    ([], [], [(A, 1)], "unknown_item"),
    ([(A, 5)], [], [(A, 1), (B, 1)], "unknown_item"),  # all lines or none
    ([(A, 5), (B, 1)], [], [(A, 5), (B, 1)], GRANTED),
    ([(A, 5), (B, 0)], [], [(A, 5), (B, 1)], "stock_short"),
    ([(A, 5)], [], [(A, 3), (A, 2)], GRANTED),
    ([(A, 5)], [], [(A, 3), (A, 3)], "stock_short"),  # demand is summed first
    ([(A, 5)], [reserve(2, (A, 3))], [(A, 2)], GRANTED),
    ([(A, 5)], [reserve(2, (A, 3))], [(A, 3)], "stock_short"),
    ([(SAFE, 5)], [], [(SAFE, 3)], GRANTED),
    ([(SAFE, 5)], [], [(SAFE, 4)], "stock_short"),  # two are never promised
    ([(A, 5)], [wait(2, 4)], [(A, 1)], GRANTED),
    ([(A, 5)], [wait(2, 4)], [(A, 2)], "stock_short"),  # four are held for another
    ([(A, 5)], [wait(1, 4)], [(A, 5)], GRANTED),  # … and here for this very order
    ([(A, 5)], [release(1)], [(A, 1)], "released_before"),
    ([(A, 5)], [reserve(1, (A, 1)), release(1)], [(A, 1)], "released_before"),
    ([(A, 5)], [reserve(1, (A, 1)), release(1, (A, 1))], [(A, 1)], "released_before"),
    ([], [release(1)], [(A, 1)], "released_before"),  # precedes unknown_item
    ([(A, 5)], [reserve(1, (A, 1)), consume(1, 1)], [(A, 1)], GRANTED),  # a late repeat of what was granted
    ([(A, 0)], [reserve(1, (A, 1))], [(A, 1)], "stock_short"),
]


@pytest.mark.parametrize(("places", "before", "wanted", "outcome"), RESERVE)
def test_reserve(places, before, wanted, outcome):
    stage = stocked(*places)
    ask(stage, *before)
    (answer,) = ask(stage, reserve(1, *wanted))
    assert getattr(answer, "reason", GRANTED) == outcome
    recount(stage)
    rows = {name: dict(rows) for name, rows in stage.rows.items()}
    assert ask(stage, reserve(1, *wanted)) == [answer]  # a repeat: the same answer, nothing changes
    assert stage.rows == rows


def test_answers_carry_the_items_after_them():
    stage = stocked((A, 5), (B, 5))
    (granted,) = ask(stage, reserve(1, (B, 2), (A, 1), (A, 2)))
    assert granted.items == (ItemState(B, 2, 5, 2, 0), ItemState(A, 2, 5, 3, 0))
    assert granted.lines == (ReserveLine(B, 2), ReserveLine(A, 3))
    (denied,) = ask(stage, reserve(2, (B, 4)))
    assert denied.items == (ItemState(B, 2, 5, 2, 0),)
    (released,) = ask(stage, release(1, (A, 1)))
    assert (released.lines, released.items) == ((ReserveLine(A, 1),), (ItemState(A, 3, 5, 2, 0),))
    (consumed,) = ask(stage, consume(1, 2, at=B))
    assert (consumed.quantity, consumed.items) == (2, (ItemState(B, 3, 3, 0, 0),))
    (released,) = ask(stage, release(1))
    assert (released.lines, released.items) == ((ReserveLine(A, 2),), (ItemState(A, 4, 5, 0, 0),))


END = [
    # requests after reserve(1, (A, 3), (B, 1))        A                 B          status           units answered
    ([], (9, 3, 0), (9, 1, 0), Status.LIVE, None),
    ([release(1)], (9, 0, 0), (9, 0, 0), Status.RELEASED, 4),
    ([release(1), release(1)], (9, 0, 0), (9, 0, 0), Status.RELEASED, 4),
    ([release(1, (A, 2))], (9, 1, 0), (9, 1, 0), Status.LIVE, 2),
    ([release(1, (A, 9))], (9, 0, 0), (9, 1, 0), Status.LIVE, 3),  # never more than is left
    ([release(1, (A, 3), (B, 1))], (9, 0, 0), (9, 0, 0), Status.RELEASED, 4),
    ([release(1, (A, 3), (B, 1)), release(1)], (9, 0, 0), (9, 0, 0), Status.RELEASED, 0),
    ([release(1, ("acme|nowhere", 1))], (9, 3, 0), (9, 1, 0), Status.LIVE, 0),
    ([consume(1, 2)], (7, 1, 0), (9, 1, 0), Status.LIVE, 2),
    ([consume(1, 2), consume(1, 2)], (7, 1, 0), (9, 1, 0), Status.LIVE, 2),  # the same shipment
    ([consume(1, 1), consume(1, 1, shipment="s2")], (7, 1, 0), (9, 1, 0), Status.LIVE, 1),
    ([consume(1, 3), consume(1, 1, at=B)], (6, 0, 0), (8, 0, 0), Status.CONSUMED, 1),  # two partners' shipments s1
    ([consume(1, 3), release(1)], (6, 0, 0), (9, 0, 0), Status.RELEASED, 1),
    ([consume(1, 3), consume(1, 1, at=B), release(1)], (6, 0, 0), (8, 0, 0), Status.CONSUMED, 0),
    ([consume(1, 5)], (4, 0, 0), (9, 1, 0), Status.LIVE, 3),  # more left than was reserved: they left all the same
    ([release(1), consume(1, 3)], (6, 0, 0), (9, 0, 0), Status.RELEASED, 0),  # released, and shipped nevertheless
    ([consume(1, 1, at=SAFE)], (9, 3, 0), (9, 1, 0), Status.LIVE, 0),  # no such item
]


@pytest.mark.parametrize(("requests", "at_a", "at_b", "status", "units"), END)
def test_a_reservation_ends_once(requests, at_a, at_b, status, units):
    stage = stocked((A, 9), (B, 9))
    answers = ask(stage, reserve(1, (A, 3), (B, 1)), *requests)
    assert (numbers(stage, A), numbers(stage, B)) == (at_a, at_b)
    assert reservation(stage, 1).status is status
    if units is not None:
        answer = answers[0]
        assert units == (
            answer.quantity
            if requests[-1].__class__.__name__ == "ConsumeStock"
            else sum(line.quantity for line in answer.lines)
        )
    recount(stage)


def test_repeats_of_an_end_get_the_same_answer():
    stage = stocked((A, 9))
    first = ask(stage, reserve(1, (A, 3)), consume(1, 2))
    later = ask(stage, reserve(2, (A, 1)), consume(1, 2))
    assert first == later
    first = ask(stage, release(1))
    later = ask(stage, reserve(3, (A, 1)), release(1))
    assert first == later


def test_a_release_or_shipment_of_what_was_denied_or_never_came_leaves_a_tombstone():
    for request in (release(1), release(1, (A, 1)), consume(1, 1)):
        for before in ([], [reserve(1, (A, 99))]):
            stage = stocked((A, 9))
            ask(stage, *before)
            (answer,) = ask(stage, request)
            assert answer.order_id == order(1)
            assert reservation(stage, 1).status is Status.RELEASED
            assert ask(stage, reserve(1, (A, 1)))[0].reason == "released_before"
            recount(stage)


SHIPPING = [
    # feed             what happens, in order (d: delta, c: confirmation, of 2 units)     on hand of 10
    ("main", "c", 8),  # this feed never reports shipments: the confirmation deducts
    ("main", "cd", 6),  # so its shipment deltas are of other goods
    ("referenced", "c", 8),
    ("referenced", "d", 8),
    ("referenced", "cd", 8),
    ("referenced", "dc", 8),
    ("referenced", "ccdd", 6),
    ("referenced", "cdcd", 6),
    ("referenced", "ddcc", 6),
    ("referenced", "dccd", 6),
    ("referenced", "x", 8),  # a shipment without reference is of other goods
    ("referenced", "xc", 6),
    ("unreferenced", "xc", 8),
    ("unreferenced", "cx", 8),
    ("unreferenced", "xccx", 6),
    ("unreferenced", "xx", 6),
    ("unreferenced", "xxxc", 4),  # four are reserved: two of the six cannot be ours
    ("unreferenced", "xxxccx", 2),
]


@pytest.mark.parametrize(("name", "events", "on_hand"), SHIPPING)
def test_each_shipped_unit_is_deducted_once_whichever_report_comes_first(name, events, on_hand):
    stage = stocked((A, 10), name=name)
    ask(stage, reserve(1, (A, 4)))
    for number, event in enumerate(events, 101):
        reference = order(1) if event == "d" else None
        if event == "c":
            ask(stage, consume(1, 2, shipment=f"s{number}"))
        else:
            numbered = 101 + sum(other != "c" for other in events[: number - 101])
            report(stage, delta(-2, numbered, name=name, reason="shipment", reference=reference))
    assert item(stage).on_hand == on_hand
    assert item(stage).reserved == 4 - 2 * events.count("c")
    recount(stage)


def test_a_shipment_delta_that_gives_units_back_is_a_plain_one():
    stage = stocked((A, 10), name="unreferenced")
    report(stage, delta(2, 101, name="unreferenced", reason="shipment"))
    assert (item(stage).on_hand, item(stage).ahead) == (12, 0)


def test_a_count_still_has_what_was_confirmed_and_not_yet_reported():
    from tests.processors.stock.world import count

    for counted, on_hand, ahead in ((10, 8, 2), (9, 8, 1), (8, 8, 0), (7, 7, 0), (12, 10, 2)):
        stage = stocked((A, 10), name="referenced")
        ask(stage, reserve(1, (A, 4)), consume(1, 2))
        report(stage, count(counted, 100, name="referenced", occurred_at=T0 + 1))
        assert (item(stage).on_hand, item(stage).ahead) == (on_hand, ahead)


def test_a_shipped_unit_of_a_released_reservation_is_no_credit_for_others():
    stage = stocked((A, 10), name="referenced")
    ask(stage, reserve(1, (A, 2)), reserve(2, (A, 2)))
    report(stage, delta(-2, 101, name="referenced", reason="shipment", reference=order(1)))
    ask(stage, release(1))
    assert item(stage).ahead == -2
    ask(stage, release(2))
    assert (item(stage).ahead, numbers(stage)) == (0, (8, 0, 0))


def test_a_confirmation_where_the_feed_is_unknown_deducts():
    stage = stocked((A, 10), name="referenced")
    ask(stage, reserve(1, (A, 2)))
    stage.network = type(stage.network)()
    ask(stage, consume(1, 2))
    assert (item(stage).ahead, numbers(stage)) == (0, (8, 0, 0))


def test_an_orphan_is_alerted_after_an_hour_until_it_ends_or_is_known():
    for ending_request in (confirm(1), release(1), consume(1, 2)):
        stage = stocked((A, 5))
        ask(stage, reserve(1, (A, 2)))
        stage.tick(T0 + HOUR - 1)
        assert alerts(stage) == []
        stage.tick(T0 + HOUR)
        assert alerts(stage) == [("RESERVATION_ORPHANED", "open")]
        ask(stage, ending_request)
        assert alerts(stage) == [("RESERVATION_ORPHANED", "resolved")]


def test_the_most_impatient_rule_set_of_the_tenant_says_when_a_reservation_is_an_orphan():
    rule_sets = {"acme|slow": 2 * HOUR, "acme|fast": HOUR // 4, "other|faster": SECOND}
    stage = stocked((A, 5))
    published = [
        RuleSetPublished(name, 1, "", msgspec.msgpack.encode(Rules(orphan_alert_ms=at)))
        for name, at in rule_sets.items()
    ]
    stage.network = fold(stage.network, enumerate(published))
    ask(stage, reserve(1, (A, 2)))
    stage.tick(T0 + HOUR // 4 - 1)
    assert alerts(stage) == []
    stage.tick(T0 + HOUR // 4)
    assert alerts(stage) == [("RESERVATION_ORPHANED", "open")]


@pytest.mark.parametrize(
    "requests",
    [[confirm(1)], [confirm(1), confirm(1)], [release(1)], [release(1, (A, 1))], [consume(1, 1)], [consume(1, 2)]],
)
def test_no_orphan(requests):
    stage = stocked((A, 5))
    ask(stage, reserve(1, (A, 2)), *requests)
    stage.tick(T0 + HOUR)
    assert alerts(stage) == []


def test_a_confirmation_of_nothing_changes_nothing():
    stage = stocked((A, 5))
    rows = {name: dict(rows) for name, rows in stage.rows.items()}
    assert ask(stage, confirm(1)) == []
    assert stage.rows == rows


def test_ended_reservations_are_remembered_for_a_while():
    stage = stocked((A, 5))
    ask(stage, reserve(1, (A, 2)), reserve(2, (A, 9)), reserve(3, (A, 1)), release(1))
    stage.tick(T0 + HOUR)
    assert set(stage.rows["reservations"]) == {f"{order(n)}|1|{VARIANT}" for n in (1, 3)}  # denials go first
    stage.tick(T0 + MEMORY)
    assert set(stage.rows["reservations"]) == {f"{order(3)}|1|{VARIANT}"}  # what is alive is never forgotten


def test_a_denial_that_becomes_a_tombstone_is_remembered_as_one():
    stage = stocked((A, 5))
    ask(stage, reserve(1, (A, 9)), release(1))
    stage.tick(T0 + HOUR)
    assert reservation(stage, 1).status is Status.RELEASED
    stage.tick(T0 + MEMORY)
    assert stage.rows["reservations"] == {}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (msgspec.structs.replace(reserve(1, (A, 1)), variant_id="acme|var_2"), Reason.KEY_MISMATCH),
        (msgspec.structs.replace(release(1), variant_id="acme|var_2"), Reason.KEY_MISMATCH),
        (msgspec.structs.replace(consume(1, 1), variant_id="acme|var_2"), Reason.KEY_MISMATCH),
        (msgspec.structs.replace(confirm(1), variant_id="acme|var_2"), Reason.KEY_MISMATCH),
        (reserve(1), Reason.INVALID_VALUE),
        (reserve(1, (A, 0)), Reason.INVALID_VALUE),
        (reserve(1, (A, -1)), Reason.NEGATIVE_QUANTITY),
        (release(1, (A, 0)), Reason.INVALID_VALUE),
        (release(1, (A, -1)), Reason.NEGATIVE_QUANTITY),
        (consume(1, 0), Reason.INVALID_VALUE),
        (consume(1, -1), Reason.NEGATIVE_QUANTITY),
    ],
)
def test_refusals(record, reason):
    stage = stocked((A, 5))
    rows = {name: dict(rows) for name, rows in stage.rows.items()}
    assert stage.send("stock-requests", VARIANT, record) is reason
    assert stage.rows == rows


def test_a_row_that_another_row_names_must_be_there():
    """Broken state is a bug, told by name, never papered over."""
    empty = Bench()
    for look in (
        lambda: chain.existing(empty, "r"),
        lambda: ending._item(empty, "i"),
        lambda: granting._grant_line(empty, "r", VARIANT, A, 1),
        lambda: waiting._row(empty, "w"),
        lambda: waiting._hold(empty, VARIANT, A, 1),
    ):
        with pytest.raises(LookupError, match=r"is not now|is not there"):
            look()


def test_the_names_of_answers():
    stage = stocked((A, 5))
    assert names(ask(stage, reserve(1, (A, 1)))) == ["ReservationGranted"]
