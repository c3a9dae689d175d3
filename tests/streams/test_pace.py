"""Who goes first on a worker's core."""

from streams.inbox import BULK_RECORDS_BESIDE_OTHERS, BULK_RECORDS_MAX
from streams.pace import BUDGET_S, BULK_EVERY_S, URGENT_FOR_S, BulkPace, Urgency


def hurried(at):
    urgency = Urgency()
    urgency.last_at = at
    return urgency


def test_bulk_has_the_worker_to_itself_while_nobody_waits():
    urgency = Urgency()
    pace = BulkPace(urgency)
    assert [pace.allowed(now) for now in (0.0, 0.001)] == [(BULK_RECORDS_MAX, 0.0)] * 2
    assert urgency.budget_s(0.0) is None


def test_while_somebody_waits_bulk_gets_a_piece_now_and_then():
    pace = BulkPace(hurried(at=10.0))
    assert pace.allowed(10.0) == (BULK_RECORDS_BESIDE_OTHERS, 0.0)
    records, due_in = pace.allowed(10.1)
    assert records == 0
    assert abs(due_in - (BULK_EVERY_S - 0.1)) < 1e-9
    assert pace.allowed(10.0 + BULK_EVERY_S) == (BULK_RECORDS_BESIDE_OTHERS, 0.0)


def test_an_order_on_one_task_slows_bulk_on_all():
    urgency = Urgency()
    first, second = BulkPace(urgency), BulkPace(urgency)
    urgency.last_at = 5.0
    assert first.allowed(5.0)[0] == second.allowed(5.0)[0] == BULK_RECORDS_BESIDE_OTHERS
    assert first.allowed(5.1)[0] == second.allowed(5.1)[0] == 0


def test_urgency_ends_by_itself():
    urgency = hurried(at=10.0)
    assert urgency.budget_s(10.5) == BUDGET_S
    assert urgency.budget_s(10.0 + URGENT_FOR_S) is None
    assert BulkPace(urgency).allowed(10.0 + URGENT_FOR_S)[0] == BULK_RECORDS_MAX
