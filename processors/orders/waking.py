"""Waking: time and freed stock move orders that wait.

In: StockWoken, StockAwaited; the timers `orders.retry`, `orders.look` and `orders.unanswered`. Out: the next attempt of
a parked order, or its end when it has waited too long; unanswered requests sent again, for the same attempt, with
doubling patience, so that a dead-lettered request does not strand its order (design §5 f). Requests sent again are the
same requests: whoever has answered them already answers the same, and what is answered twice is ignored the second
time.
"""

import msgspec

from processors.orders.attempts import ask, begin, route_in_one_hop, send_reserves
from processors.orders.cancelling import request_withdrawal
from processors.orders.keeping import keep, part_due, patience_ms
from processors.orders.locking import request_assignment
from processors.orders.mapping import ask_mapping, tell_missing
from processors.orders.parking import awaited, expire, expires_from, look_from, look_later, may_be_helped, wake_from
from processors.orders.planning import asked_shortlist, facts_of, rules_for, shortlist_for
from processors.orders.rows import Effort, OrderRow, Part, Phase, row_of
from processors.rules import Rules
from processors.step import ABSENT, Context
from schemas.records.reservations import StockWoken
from schemas.records.stock import StockAwaited


def woken(record: StockWoken, ctx: Context) -> None:
    """Units are held for this order: try again, now or as soon as its back-off allows."""
    row = row_of(record.order_id, ctx)
    if row is ABSENT or row.phase is not Phase.WAITING or row.parking is None:
        return
    if record.variant_id not in row.parking.waiting_for:
        return
    from_at = wake_from(row.parking)
    parking = msgspec.structs.replace(row.parking, wakes=row.parking.wakes + 1)
    if ctx.now_at >= from_at:
        keep(begin(msgspec.structs.replace(row, parking=parking), ctx), ctx)
    else:
        keep(msgspec.structs.replace(row, parking=msgspec.structs.replace(parking, retry_at=from_at)), ctx)


def expected(record: StockAwaited, ctx: Context) -> None:
    """What this order waits for is on its way."""
    row = row_of(record.order_id, ctx)
    if row is ABSENT or row.phase is not Phase.WAITING or row.parking is None or record.attempt != row.attempt:
        return
    if record.variant_id in row.parking.waiting_for and record.expected_at > row.parking.expected_at:
        keep(awaited(row, row.parking, record.expected_at, ctx), ctx)


def retry(order_id: str, ctx: Context) -> None:
    """Timer: try again, or give the order to a person once it has waited for as long as the rules allow."""
    row = row_of(order_id, ctx)
    if row is ABSENT or row.phase is not Phase.WAITING or row.parking is None or row.parking.retry_at > ctx.now_at:
        return
    expires_at = expires_from(row.parking, rules_for(row, ctx))
    row = msgspec.structs.replace(row, retry_at=0)
    if ctx.now_at >= expires_at:
        keep(expire(row, ctx, "no plan"), ctx)
    else:
        keep(begin(row, ctx), ctx)


def look(order_id: str, ctx: Context) -> None:
    """Timer: try again when rules, other reference data or a heartbeat may help; it is set anew while the order waits.

    Only the end of waiting is written to the row: looking must cost a parked order no more than a timer.
    """
    row = row_of(order_id, ctx)
    if row is ABSENT or not row.looking:
        return
    if row.parking is None:
        keep(msgspec.structs.replace(row, looking=False), ctx)
        return
    look_later(row, ctx)
    waits = row.phase is Phase.WAITING and ctx.now_at >= look_from(row.parking)
    if waits and may_be_helped(row.parking, ctx):
        keep(begin(row, ctx), ctx)


def unanswered(order_id: str, ctx: Context) -> None:
    """Timer: send again what was not answered in time."""
    row = row_of(order_id, ctx)
    if row is ABSENT:
        return
    rules = rules_for(row, ctx)
    effort = row.effort
    if effort is not None and effort.asked_at + patience_ms(effort.repeats, rules) <= ctx.now_at:
        _ask_again(row, effort, ctx)
        effort = msgspec.structs.replace(effort, asked_at=ctx.now_at, repeats=effort.repeats + 1)
    if row.phase is Phase.UNMAPPED and row.mapping_asked_at + patience_ms(row.mapping_repeats, rules) <= ctx.now_at:
        if not row.mapping_repeats:
            tell_missing(row, ctx)
        ask_mapping(row, ctx)
        row = msgspec.structs.replace(row, mapping_asked_at=ctx.now_at, mapping_repeats=row.mapping_repeats + 1)
    parts = tuple(_remind(row, part, rules, ctx) for part in row.parts)
    keep(msgspec.structs.replace(row, effort=effort, parts=parts, again_at=0), ctx)


def _ask_again(row: OrderRow, effort: Effort, ctx: Context) -> None:
    facts = facts_of(row)
    if row.phase is Phase.ROUTING:
        route_in_one_hop(facts, shortlist_for(facts, ctx), ctx)
    elif row.phase is Phase.ASKING:
        ask(facts, asked_shortlist(effort), effort.awaiting, ctx)
    else:
        send_reserves(row, effort.plan, effort.grants, ctx, only=effort.awaiting)


def _remind(row: OrderRow, part: Part, rules: Rules, ctx: Context) -> Part:
    due_at = part_due(part, rules)
    if not 0 < due_at <= ctx.now_at:
        return part
    if part.withdrawing:
        request_withdrawal(row, part, part.withdrawing, ctx)
    else:
        request_assignment(row, part, row.decision_id, ctx)
    return msgspec.structs.replace(part, asked_at=ctx.now_at, repeats=part.repeats + 1)
