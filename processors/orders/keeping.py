"""Keeping: one place where an order's row is written and its timers are set.

In: a row as a handler leaves it. Out: the row kept, and exactly the timers it needs: `orders.unanswered` for the next
request to be sent again, `orders.retry` while it waits, `orders.close` once it is delivered and nobody has closed it,
`orders.forget` once it is finished. What is due follows from the row alone, so that no handler can forget a timer.
"""

import msgspec

from processors.orders.planning import rules_for
from processors.orders.rows import ORDERS, OrderRow, Part, Phase, all_delivered, all_shipped, row_of
from processors.rules import Rules
from processors.step import ABSENT, Context

REPEATS_DOUBLED_MAX = 8

_FINISHED = frozenset((Phase.FULFILLED, Phase.CANCELLED))


def keep(row: OrderRow, ctx: Context) -> None:
    """Write the row and set its timers."""
    rules = rules_for(row, ctx)
    order_id = row.placed.order_id
    retry_at = row.parking.retry_at if row.parking is not None and row.phase is Phase.WAITING else 0
    again_at = again_due(row, rules)
    finished = row.phase in _FINISHED or row.closed_at is not None
    forget_at = row.forget_at or (ctx.now_at + rules.order_keep_ms if finished else 0)
    unclosed = row.closed_at is None and all_delivered(row)
    close_at = (row.close_at or ctx.now_at + rules.return_window_ms) if unclosed else 0
    again_at = _set("orders.unanswered", order_id, row.again_at, again_at, ctx)
    retry_at = _set("orders.retry", order_id, row.retry_at, retry_at, ctx)
    forget_at = _set("orders.forget", order_id, row.forget_at, forget_at, ctx)
    close_at = _set("orders.close", order_id, row.close_at, close_at, ctx)
    if (again_at, retry_at, forget_at, close_at) != (row.again_at, row.retry_at, row.forget_at, row.close_at):
        row = msgspec.structs.replace(row, again_at=again_at, retry_at=retry_at, forget_at=forget_at, close_at=close_at)
    ctx.put(ORDERS, order_id, row)


def _set(kind: str, order_id: str, was_at: int, due_at: int, ctx: Context) -> int:
    if due_at == was_at:
        return was_at
    if was_at:
        ctx.unwake(was_at, kind, order_id)
    if due_at:
        # The engine moves a timer of the past to the next tick; the row must name the timer that is really set.
        due_at = max(due_at, ctx.now_at + 1)
        ctx.wake(due_at, kind, order_id)
    return due_at


def again_due(row: OrderRow, rules: Rules) -> int:
    """When the next unanswered request is to be sent again; 0 when nothing is unanswered."""
    due = [part_due(part, rules) for part in row.parts]
    if row.effort is not None:
        due.append(row.effort.asked_at + patience_ms(row.effort.repeats, rules))
    if row.phase is Phase.UNMAPPED and row.mapping_asked_at:
        due.append(row.mapping_asked_at + patience_ms(row.mapping_repeats, rules))
    return min((at for at in due if at), default=0)


def part_due(part: Part, rules: Rules) -> int:
    """When the location must be asked again: for a withdrawal, or for an offer it should have let expire by now."""
    if part.withdrawing:
        return part.asked_at + patience_ms(part.repeats, rules)
    if all(line.accepted for line in part.lines):
        return 0
    return (part.asked_at if part.repeats else part.accept_by) + patience_ms(part.repeats, rules)


def patience_ms(repeats: int, rules: Rules) -> int:
    """Doubles with every repeat: a request that is dead-lettered each time must not become a flood."""
    return rules.ask_again_ms << min(repeats, REPEATS_DOUBLED_MAX)


def forget(order_id: str, ctx: Context) -> None:
    """Timer: a finished order is forgotten; one that still has work to do is kept for as long again."""
    row = row_of(order_id, ctx)
    if row is ABSENT:
        return
    if row.phase in _FINISHED or (row.phase is not Phase.WAITING and row.effort is None and all_shipped(row)):
        _set("orders.unanswered", order_id, row.again_at, 0, ctx)
        ctx.delete(ORDERS, order_id)
    else:
        keep(msgspec.structs.replace(row, forget_at=0), ctx)
