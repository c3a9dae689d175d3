"""Parking: an order without a plan waits, and ends before a person when waiting did not help.

In: an order that holds nothing for its open units, and what is announced of what it lacks. Out: OrderParked on
`order-status`, WaitForStock for variants that are short, ReviewItem when it was expired, rerouted too often or could
not be mapped. Back-off doubles with every wait in vain, and the time before a wake is followed with every wake in vain;
both start anew once a decision stands. Beside the lists and the back-off, the timer `orders.look` watches what else
could help: other reference data, and feeds that were silent.
"""

import msgspec

from processors.heard import known
from processors.orders.planning import rules_for
from processors.orders.rows import OrderRow, Parking, Phase
from processors.rules import Rules
from processors.step import Context, stable_id
from schemas.records.operations import ReviewItem
from schemas.records.reservations import StopWaiting, WaitForStock
from schemas.records.routing import OrderParked

WAKE_GAP_MS = 1_000
DOUBLED_MAX = 24


def park(row: OrderRow, ctx: Context, *, reason: str, short: dict[str, int], location_ids: tuple[str, ...]) -> OrderRow:
    """Wait: for stock of what is short, and for the retry timer; or expire, when it has waited long enough."""
    rules = rules_for(row, ctx)
    before = row.parking or Parking(ctx.now_at, ctx.now_at, 0, 0)
    expires_at = expires_from(before, rules)
    if ctx.now_at >= expires_at:
        return expire(row, ctx, reason)
    waiting_for = tuple(short) if rules.backorder_allowed and location_ids else ()
    for variant_id in before.waiting_for:
        if variant_id not in waiting_for:
            ctx.emit("stock-requests", variant_id, StopWaiting(row.placed.order_id, variant_id))
    for variant_id in waiting_for:
        request = WaitForStock(row.placed.order_id, row.attempt, variant_id, short[variant_id], location_ids)
        ctx.emit("stock-requests", variant_id, request)
    waits = before.waits + 1
    retry_at = min(ctx.now_at + back_off_ms(waits, rules), expires_at)
    report(row, "waiting", reason, ctx, retry_at=retry_at)
    silent = _silent(location_ids, ctx)
    parking = Parking(
        since=before.since,
        parked_at=ctx.now_at,
        waits=waits,
        retry_at=retry_at,
        waiting_for=waiting_for,
        network_version=ctx.network.version,
        silent=silent,
        wakes=before.wakes,
    )
    if not row.looking:
        look_later(row, ctx)
    return msgspec.structs.replace(row, phase=Phase.WAITING, effort=None, parking=parking, looking=True)


def _silent(location_ids: tuple[str, ...], ctx: Context) -> tuple[str, ...]:
    """Those of which nothing was heard, or too long ago."""
    feed_status = known(ctx).feed_status
    return tuple(name for name in location_ids if (status := feed_status(name)) is None or status.stale)


def look_later(row: OrderRow, ctx: Context) -> None:
    """Set the timer that looks at what could help; one per order, however often it parks."""
    ctx.wake(ctx.now_at + rules_for(row, ctx).park_look_ms, "orders.look", row.placed.order_id)


def may_be_helped(parking: Parking, ctx: Context) -> bool:
    """Whether the rules or other reference data changed since it parked, or a feed it was without speaks again."""
    return parking.network_version != ctx.network.version or _silent(parking.silent, ctx) != parking.silent


def expires_from(parking: Parking, rules: Rules) -> int:
    """When waiting ends: later where what it waits for is announced."""
    usual = parking.since + rules.park_expiry_ms
    if not parking.expected_at:
        return usual
    announced = parking.expected_at + rules.park_expiry_ms
    return max(usual, min(announced, parking.since + rules.backorder_wait_ms))


def awaited(row: OrderRow, parking: Parking, expected_at: int, ctx: Context) -> OrderRow:
    """What it waits for is announced: it waits for that, and says until when."""
    parking = msgspec.structs.replace(parking, expected_at=expected_at)
    report(row, "waiting", "stock_expected", ctx, retry_at=parking.retry_at, expected_at=expected_at)
    return msgspec.structs.replace(row, parking=parking)


def back_off_ms(waits: int, rules: Rules) -> int:
    """How long the n-th wait lasts at most."""
    return min(rules.park_retry_ms << min(waits - 1, DOUBLED_MAX), rules.park_retry_max_ms)


def wake_from(parking: Parking) -> int:
    """When a wake is followed: at once the first time, however long it has waited; later and later when wakes did not help."""
    return _after(parking, vain=parking.wakes)


def look_from(parking: Parking) -> int:
    """When other reference data or a heartbeat is followed: at once the first time, later and later when waiting went on."""
    return _after(parking, vain=parking.waits - 1)


def _after(parking: Parking, *, vain: int) -> int:
    gap = WAKE_GAP_MS << min(vain - 1, DOUBLED_MAX) if vain > 0 else 0
    return min(parking.parked_at + gap, parking.retry_at)


def stop_waiting(row: OrderRow, ctx: Context) -> OrderRow:
    """Leave all waiting lists."""
    if row.parking is None:
        return row
    for variant_id in row.parking.waiting_for:
        ctx.emit("stock-requests", variant_id, StopWaiting(row.placed.order_id, variant_id))
    return msgspec.structs.replace(row, parking=None)


def expire(row: OrderRow, ctx: Context, reason: str) -> OrderRow:
    """Waited long enough: a person decides."""
    row = stop_waiting(row, ctx)
    detail = f"{row.placed.order_id} found no plan in time ({reason}): add stock or mend the rules, then place it again"
    row = review(row, "UNROUTABLE", detail, ctx)
    report(row, "expired", reason, ctx)
    return msgspec.structs.replace(row, phase=Phase.REVIEW, effort=None)


def exhaust(row: OrderRow, ctx: Context) -> OrderRow:
    """Rerouted too often: a person decides. Parts that stand go on."""
    row = stop_waiting(row, ctx)
    refused_by = ", ".join(row.excluded)
    detail = f"{row.placed.order_id} was rerouted {row.reroutes} times and refused again; tried: {refused_by}"
    row = review(row, "REROUTES_EXHAUSTED", detail, ctx)
    report(row, "review", "reroutes_exhausted", ctx)
    return msgspec.structs.replace(row, phase=Phase.REVIEW, effort=None)


def review(row: OrderRow, kind: str, detail: str, ctx: Context) -> OrderRow:
    """Ask a person."""
    _review(row, kind, detail, "open", ctx)
    return msgspec.structs.replace(row, review=kind)


def resolve(row: OrderRow, ctx: Context) -> OrderRow:
    """The question is settled."""
    if not row.review:
        return row
    _review(row, row.review, f"{row.placed.order_id} was cancelled", "resolved", ctx)
    return msgspec.structs.replace(row, review="")


def _review(row: OrderRow, kind: str, detail: str, status: str, ctx: Context) -> None:
    order_id = row.placed.order_id
    item = ReviewItem(stable_id("rv", kind, order_id), order_id, kind, detail, status, ctx.now_at)
    ctx.emit("review-queue", order_id, item)


def report(
    row: OrderRow,
    status: str,
    reason: str,
    ctx: Context,
    *,
    retry_at: int | None = None,
    expected_at: int | None = None,
) -> None:
    """Say on `order-status` where the order stands."""
    order_id = row.placed.order_id
    ctx.emit("order-status", order_id, OrderParked(order_id, row.attempt, status, reason, retry_at, expected_at))
