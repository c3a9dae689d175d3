"""Waiting: who gets units that come free, first come, first served.

In: WaitForStock, StopWaiting, units coming free, and timers. Out: StockAwaited where units are on their way; StockWoken,
with the units held for that order for five seconds (rule). An order is woken only when all the units it wants can be held for it, so no more orders wake
than freed units can serve. Its hold ends when it reserves, stops waiting, or lets it lapse. Woken in vain, it goes to
the end of the list and is left alone for a while that doubles each time. Refused: another key than the variant,
a quantity below 1, no location.

The list is a ring of rows that starts and ends at the row of the bare variant_id: a thousand waiting orders cost a
newcomer no more than one does. A WaitForStock is tried at once, so that units freed just before it are not missed.
"""

from typing import Final

import msgspec

from processors.reasons import Reason
from processors.step import ABSENT, Context, Refused
from processors.stock.admission import require_key, require_units
from processors.stock.items import keep
from processors.stock.rows import INBOUND, STOCK_ITEMS, UNITS_MAX, WAITING, Waiter, item_key, promisable
from processors.tenants import shortest_kept_ms, tenant_of
from schemas.records.reservations import StockWoken, StopWaiting, WaitForStock
from schemas.records.stock import StockAwaited

WALK_MAX: Final = 128
"""Waiting orders looked at for one change; the others wait for the next one."""

WAKES_MAX: Final = 8
"""Woken in vain so often, an order leaves the list: its own retries go on."""

HOLD_TIMER: Final = "stock.hold"
RETRY_TIMER: Final = "stock.retry"


def wait(record: WaitForStock, ctx: Context) -> None:
    """Join the list, unless units can be held at once. Repeats keep their place."""
    require_key(record.variant_id, ctx)
    require_units(record.quantity, "quantity")
    if not record.location_ids:
        raise Refused(Reason.INVALID_VALUE, f"order {record.order_id} waits for no location: name those that would do")
    key = _waiter_key(record.variant_id, record.order_id)
    known = ctx.get(WAITING, key)
    if known is ABSENT:
        _enqueue(ctx, record.variant_id, _asking(record))
        _offer(ctx, record.variant_id, key)
        _tell_expected(ctx, record, key)
    elif record.attempt > known.attempt:
        asking = _asking(record)
        changed = msgspec.structs.replace(
            known, attempt=asking.attempt, quantity=asking.quantity, location_ids=asking.location_ids
        )
        if known.holds:
            return _send_back(ctx, record.variant_id, changed)
        ctx.put(WAITING, key, changed)
        retry(key, ctx)
        _tell_expected(ctx, record, key)
    return None


def stop_waiting(record: StopWaiting, ctx: Context) -> None:
    """Leave the list; what was held is free for the next."""
    require_key(record.variant_id, ctx)
    for location_id, _ in leave_list(ctx, record.variant_id, record.order_id):
        serve(ctx, record.variant_id, location_id)


def serve(ctx: Context, variant_id: str, location_id: str) -> None:
    """Units came free at a location: wake who can be served, first come, first served."""
    ring = ctx.get(WAITING, variant_id)
    if ring is ABSENT:
        return
    key = ring.after
    for _ in range(WALK_MAX):
        if key == variant_id or _free(ctx, variant_id, location_id) < 1:
            return
        waiter = _row(ctx, key)
        if location_id in waiter.location_ids and waiter.not_before <= ctx.now_at:
            _offer(ctx, variant_id, key, first=location_id)
        key = waiter.after


def holds_of(ctx: Context, variant_id: str, order_id: str) -> tuple[tuple[str, int], ...]:
    """What is held for an order: (location_id, units)."""
    waiter = ctx.get(WAITING, _waiter_key(variant_id, order_id))
    return () if waiter is ABSENT else waiter.holds


def leave_list(ctx: Context, variant_id: str, order_id: str) -> tuple[tuple[str, int], ...]:
    """Take an order off the list and end its holds; what was held, now free."""
    key = _waiter_key(variant_id, order_id)
    waiter = ctx.get(WAITING, key)
    if waiter is ABSENT:
        return ()
    if waiter.holds:
        _end_holds(ctx, variant_id, waiter)
    else:
        _unlink(ctx, variant_id, waiter)
    ctx.delete(WAITING, key)
    return waiter.holds


def hold_over(key: str, ctx: Context) -> None:
    """Timer: the order did not come for what was held."""
    waiter = ctx.get(WAITING, key)
    if waiter is not ABSENT and waiter.holds and waiter.held_until <= ctx.now_at:
        _send_back(ctx, _variant_of(key, waiter), waiter)


def retry(key: str, ctx: Context) -> None:
    """Timer: an order woken in vain may be woken again."""
    waiter = ctx.get(WAITING, key)
    if waiter is not ABSENT and not waiter.holds and waiter.not_before <= ctx.now_at:
        _offer(ctx, _variant_of(key, waiter), key)


def _offer(ctx: Context, variant_id: str, key: str, *, first: str = "") -> None:
    """Wake an order of the list if all it wants can be held: at `first`, then at its locations as it named them."""
    waiter = _row(ctx, key)
    wanted = waiter.quantity
    holds = []
    for location_id in sorted(waiter.location_ids, key=lambda name: name != first):
        units = min(wanted, _free(ctx, variant_id, location_id))
        if units > 0:
            holds.append((location_id, units))
            wanted -= units
    if wanted:
        return
    _unlink(ctx, variant_id, waiter)
    held_until = ctx.now_at + _hold_ms(ctx, variant_id)
    woken = msgspec.structs.replace(
        waiter, before="", after="", wakes=waiter.wakes + 1, holds=tuple(holds), held_until=held_until
    )
    ctx.put(WAITING, key, woken)
    ctx.wake(held_until, HOLD_TIMER, key)
    for location_id, units in holds:
        _hold(ctx, variant_id, location_id, units)
        ctx.emit("stock-offers", waiter.order_id, StockWoken(waiter.order_id, variant_id, location_id, units))


def _tell_expected(ctx: Context, record: WaitForStock, key: str) -> None:
    """Say when what an order still waits for should arrive, if anything is on its way to where it would take it from."""
    if _row(ctx, key).holds:
        return
    units, dates = 0, []
    for location_id in dict.fromkeys(record.location_ids):
        where = item_key(record.variant_id, location_id)
        item = ctx.get(STOCK_ITEMS, where)
        if item is not ABSENT and item.in_transit + item.expected:
            inbound = ctx.get(INBOUND, where)
            next_at = None if inbound is ABSENT else inbound.next_at
            if next_at is not None:
                units += item.in_transit + item.expected
                dates.append(next_at)
    if dates:
        shown = min(units, UNITS_MAX)
        awaited = StockAwaited(record.order_id, record.attempt, record.variant_id, shown, min(dates))
        ctx.emit("stock-offers", record.order_id, awaited)


def _send_back(ctx: Context, variant_id: str, waiter: Waiter) -> None:
    """Woken in vain: to the end of the list, and left alone for a while; what was held is for the next."""
    key = _waiter_key(variant_id, waiter.order_id)
    _end_holds(ctx, variant_id, waiter)
    ctx.delete(WAITING, key)
    if waiter.wakes < WAKES_MAX:
        not_before = ctx.now_at + (_hold_ms(ctx, variant_id) << (waiter.wakes - 1))
        _enqueue(ctx, variant_id, msgspec.structs.replace(waiter, holds=(), not_before=not_before))
        ctx.wake(not_before, RETRY_TIMER, key)
    for location_id, _ in waiter.holds:
        serve(ctx, variant_id, location_id)


def _hold_ms(ctx: Context, variant_id: str) -> int:
    return shortest_kept_ms(ctx.network, tenant_of(variant_id), "hold_ms")


def _end_holds(ctx: Context, variant_id: str, waiter: Waiter) -> None:
    for location_id, units in waiter.holds:
        _hold(ctx, variant_id, location_id, -units)


def _hold(ctx: Context, variant_id: str, location_id: str, units: int) -> None:
    """Move an item's held units by as much as its waiter's row was moved."""
    key = item_key(variant_id, location_id)
    item = ctx.get(STOCK_ITEMS, key)
    if item is ABSENT:
        raise LookupError(f"units are held at {key}, and it is not there")
    held = msgspec.structs.replace(item, held=item.held + units)
    keep(ctx, key, held, on_hand_before=item.on_hand)


def _free(ctx: Context, variant_id: str, location_id: str) -> int:
    item = ctx.get(STOCK_ITEMS, item_key(variant_id, location_id))
    return 0 if item is ABSENT or item.gapped else promisable(item, ctx)


def _enqueue(ctx: Context, variant_id: str, waiter: Waiter) -> None:
    """Put an order at the end of the ring."""
    key = _waiter_key(variant_id, waiter.order_id)
    ring = ctx.get(WAITING, variant_id)
    if ring is ABSENT:
        ring = Waiter("", 0, 0, (), variant_id, variant_id)
    last = ring.before
    ctx.put(WAITING, variant_id, msgspec.structs.replace(ring, before=key))
    ctx.put(WAITING, last, msgspec.structs.replace(_row(ctx, last), after=key))
    ctx.put(WAITING, key, msgspec.structs.replace(waiter, before=last, after=variant_id))


def _unlink(ctx: Context, variant_id: str, waiter: Waiter) -> None:
    """Take an order out of the ring; an empty ring is not kept."""
    if waiter.before == waiter.after:
        ctx.delete(WAITING, variant_id)
        return
    ctx.put(WAITING, waiter.before, msgspec.structs.replace(_row(ctx, waiter.before), after=waiter.after))
    ctx.put(WAITING, waiter.after, msgspec.structs.replace(_row(ctx, waiter.after), before=waiter.before))


def _row(ctx: Context, key: str) -> Waiter:
    row = ctx.get(WAITING, key)
    if row is ABSENT:
        raise LookupError(f"{key} is named by the waiting list, and is not there")
    return row


def _asking(record: WaitForStock) -> Waiter:
    # Each location once: what is free there is not held twice.
    location_ids = tuple(dict.fromkeys(record.location_ids))
    return Waiter(record.order_id, record.attempt, record.quantity, location_ids, "", "")


def _waiter_key(variant_id: str, order_id: str) -> str:
    return f"{variant_id}|{order_id}"


def _variant_of(key: str, waiter: Waiter) -> str:
    return key.removesuffix(f"|{waiter.order_id}")
