"""Who goes first on a worker's core."""

import pytest

from streams.inbox import BULK_RECORDS_BESIDE_OTHERS, BULK_RECORDS_MAX, Inbox
from streams.machine import CLOCK, Raw
from streams.pace import BUDGET_S, BULK_EVERY_S, BUSY_FROM, URGENT_FOR_S, BulkPace, Urgency


def urgency_of(records_per_s, until):
    """Batches every 20 ms for five seconds."""
    urgency = Urgency()
    for batch in range(250):
        urgency.note(round(records_per_s / 50), until - (249 - batch) / 50)
    return urgency


def inbox_of(deltas, ticks=0):
    inbox = Inbox(("deltas", CLOCK), frozenset({"deltas"}))
    for topic, count in (("deltas", deltas), (CLOCK, ticks)):
        records = [Raw(topic, 0, offset, offset, b"k", b"v") for offset in range(count)]
        if records:
            inbox.add(topic, records, 1)
    return inbox


PLENTY = inbox_of(1_000)


def pieces(pace, start, seconds):
    """How often bulk gets its piece, asked every millisecond."""
    return sum(pace.allowed(PLENTY, start + number / 1000)[0] > 0 for number in range(round(seconds * 1000)))


def test_bulk_has_the_worker_to_itself_while_nobody_waits():
    urgency = Urgency()
    pace = BulkPace(urgency)
    assert [pace.allowed(PLENTY, now) for now in (0.0, 0.001)] == [(BULK_RECORDS_MAX, None)] * 2
    assert urgency.budget_s(0.0) is None


@pytest.mark.parametrize("records_per_s", [50, 1_000, 3_000])
def test_the_rate_is_what_it_was_of_late(records_per_s):
    urgency = urgency_of(records_per_s, until=10.0)
    assert urgency.rate(10.0) == pytest.approx(records_per_s, rel=0.05)
    assert urgency.rate(11.0) == pytest.approx(records_per_s / 2.72, rel=0.05)


def test_beside_many_orders_bulk_gets_a_piece_now_and_then():
    pace = BulkPace(urgency_of(2 * BUSY_FROM, until=10.0))
    assert pace.allowed(PLENTY, 10.0) == (BULK_RECORDS_BESIDE_OTHERS, None)
    records, due_in = pace.allowed(PLENTY, 10.1)
    assert records == 0
    assert due_in == pytest.approx(BULK_EVERY_S - 0.1)
    assert pace.allowed(PLENTY, 10.0 + BULK_EVERY_S) == (BULK_RECORDS_BESIDE_OTHERS, None)


def test_beside_few_orders_bulk_hardly_notices():
    assert pieces(BulkPace(urgency_of(50, until=10.0)), 10.0, 0.5) > 40
    assert pieces(BulkPace(urgency_of(2 * BUSY_FROM, until=10.0)), 10.0, 0.5) == 2


def test_a_piece_that_holds_up_time_goes_at_once_and_a_backlog_does_not():
    pace = BulkPace(urgency_of(2 * BUSY_FROM, until=10.0))
    pace.allowed(PLENTY, 10.0)
    assert pace.allowed(inbox_of(BULK_RECORDS_BESIDE_OTHERS, ticks=1), 10.1) == (BULK_RECORDS_BESIDE_OTHERS, None)
    assert pace.allowed(inbox_of(BULK_RECORDS_BESIDE_OTHERS + 1, ticks=1), 10.1)[0] == 0
    assert pace.allowed(inbox_of(BULK_RECORDS_BESIDE_OTHERS), 10.1)[0] == 0


def test_where_no_bulk_waits_nobody_waits_for_its_turn():
    pace = BulkPace(urgency_of(2 * BUSY_FROM, until=10.0))
    pace.allowed(PLENTY, 10.0)
    assert pace.allowed(inbox_of(0), 10.1) == (BULK_RECORDS_BESIDE_OTHERS, None)


def test_an_order_on_one_task_slows_bulk_on_all():
    urgency = urgency_of(2 * BUSY_FROM, until=5.0)
    first, second = BulkPace(urgency), BulkPace(urgency)
    assert first.allowed(PLENTY, 5.0)[0] == second.allowed(PLENTY, 5.0)[0] == BULK_RECORDS_BESIDE_OTHERS
    assert first.allowed(PLENTY, 5.1)[0] == second.allowed(PLENTY, 5.1)[0] == 0


def test_urgency_ends_by_itself():
    urgency = urgency_of(2 * BUSY_FROM, until=10.0)
    assert urgency.budget_s(10.5) == BUDGET_S
    assert urgency.budget_s(10.0 + URGENT_FOR_S) is None
    assert BulkPace(urgency).allowed(PLENTY, 10.0 + URGENT_FOR_S)[0] == BULK_RECORDS_MAX


def test_a_batch_of_bulk_alone_is_not_urgent():
    urgency = Urgency()
    urgency.note(0, 1.0)
    assert not urgency.lasts(1.0)
    assert urgency.rate(1.0) == 0.0
