"""Dead letters against the faulty records sent, by topic and reason."""

import pytest

from fsn.report.deadletters import check_letters, positions_of
from fsn.report.reader import Counted, Position
from fsn.report.truth import SentLetter
from tests.report.making import broken, reads

COUNTED = {"orders": Counted({0: [0, 1, 3], 1: [0]}, 0)}
SENT = (SentLetter("FORGED", "orders"), SentLetter("FORGED", "orders"), SentLetter("UNDECODABLE", "orders"))


def letter(reason, partition, offset, topic="orders"):
    fields = {"topic": topic, "partition": partition, "offset": offset, "reason": reason, "detail": "why"}
    return "DeadLetter", fields


CLEAN = [letter("FORGED", 0, 0), letter("FORGED", 1, 0), letter("UNDECODABLE", 0, 3)]


def check(letters, sent=SENT):
    return check_letters(reads(*letters), COUNTED, sent)


def test_what_was_sent_was_found():
    found = check(CLEAN)
    assert found.checked.faults == ()
    assert [(row.reason, row.sent, row.found) for row in found.rows] == [("FORGED", 2, 2), ("UNDECODABLE", 1, 1)]
    assert positions_of(reads(*CLEAN)) == {Position("orders", 0, 0), Position("orders", 1, 0), Position("orders", 0, 3)}
    assert check(CLEAN[:1], sent=None).checked.faults == ()


@pytest.mark.parametrize(
    ("letters", "promise", "lost", "again"),
    [
        (CLEAN[:2], "dead letters = planted", 1, 0),
        ([*CLEAN, letter("FORGED", 0, 1)], "dead letters = planted", 0, 1),
        ([*CLEAN, letter("INVALID_VALUE", 0, 1)], "dead letters = planted", 0, 1),
        ([*CLEAN[:2], letter("UNDECODABLE", 0, 0)], "a record dies once", 0, 1),
        ([*CLEAN[:2], letter("UNDECODABLE", 0, 2)], "a dead record was there", 0, 0),
        ([*CLEAN[:2], letter("UNDECODABLE", 7, 2)], "a dead record was there", 0, 0),
    ],
)
def test_a_broken_promise_is_named(letters, promise, lost, again):
    (fault,) = check(letters).checked.faults
    assert (fault.check, fault.lost, fault.duplicated) == (promise, lost, again)


def test_a_failing_processor_is_never_planned():
    sent = (SentLetter("PROCESSOR_ERROR", "orders"),)
    assert broken(check([letter("PROCESSOR_ERROR", 0, 0)], sent).checked) == ["no processor fails"]
    unknown = check([letter("FORGED", 0, 0, topic="nowhere")], None)
    assert broken(unknown.checked) == ["a dead record was there"]
