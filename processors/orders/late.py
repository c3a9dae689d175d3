"""Late orders: an event for an order never seen waits for it, for a rule-set time, visibly.

In: any event whose order has no row. Out: when the order comes, its events; when the time is over, one ReviewItem
ORDER_UNKNOWN that lists them. No merchant is known yet, so the most impatient rule set of the tenant decides how
long. The same event again changes nothing. Refused as ORDER_UNKNOWN: more events than one order can have.
"""

from typing import Final

import msgspec

from processors.orders.rows import PENDING, Kept, Pending
from processors.reasons import Reason
from processors.step import ABSENT, Context, Refused, stable_id
from processors.tenants import shortest_ms, tenant_of
from schemas.records.base import Record
from schemas.records.operations import ReviewItem

EVENTS_MAX: Final = 64


def keep_event(order_id: str, record: Record, ctx: Context) -> None:
    """Keep an event until its order comes."""
    source = ctx.source
    where = f"{source.topic}[{source.partition}]@{source.offset}"
    kept = Kept(type(record).__name__, ctx.signer, where, msgspec.msgpack.encode(record))
    pending = ctx.get(PENDING, order_id)
    if pending is ABSENT:
        keep_ms = shortest_ms(ctx.network, tenant_of(order_id), lambda rules: rules.pending_event_keep_ms)
        pending = Pending(ctx.now_at + keep_ms, ())
        ctx.wake(pending.until, "orders.pending", order_id)
    if any(known.kind == kept.kind and known.packed == kept.packed for known in pending.events):
        return
    if len(pending.events) == EVENTS_MAX:
        detail = f"order {order_id} was never seen and {EVENTS_MAX} of its events wait already: place the order first"
        raise Refused(Reason.ORDER_UNKNOWN, detail)
    ctx.put(PENDING, order_id, Pending(pending.until, (*pending.events, kept)))


def take_events(order_id: str, ctx: Context) -> tuple[Kept, ...]:
    """The order has come: its events, which wait no more."""
    pending = ctx.get(PENDING, order_id)
    if pending is ABSENT:
        return ()
    ctx.unwake(pending.until, "orders.pending", order_id)
    ctx.delete(PENDING, order_id)
    return pending.events


def overdue(order_id: str, ctx: Context) -> None:
    """Timer: the order never came; people are told what waited for it."""
    pending = ctx.get(PENDING, order_id)
    if pending is ABSENT:
        return
    ctx.delete(PENDING, order_id)
    tell_unknown(order_id, pending.events, "the order was never placed", ctx)


def tell_unknown(order_id: str, events: tuple[Kept, ...], why: str, ctx: Context) -> None:
    """Ask a person about events that cannot be applied."""
    listed = ", ".join(f"{kept.kind} ({kept.source})" for kept in events)
    item = ReviewItem(
        stable_id("rv", "ORDER_UNKNOWN", order_id), order_id, "ORDER_UNKNOWN", f"{listed}: {why}", "open", ctx.now_at
    )
    ctx.emit("review-queue", order_id, item)
