"""Granting: units promised to an order, all it asks for or none.

In: ReserveStock. Out: ReservationGranted or ReservationDenied, with the items after the answer. A grant never goes
beyond on-hand less what is reserved, held for others and kept as safety stock, nor touches a gapped item; demand is
summed per location before it is checked. Denials, in order of precedence: released_before, unknown_item, gapped,
stock_short. Refused: another key than the variant, quantities below 1, no lines.

A repeated request (the same order, attempt and variant, whatever its lines) gets the same answer and changes nothing.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from processors.reasons import Reason
from processors.step import ABSENT, Context, Refused
from processors.stock.admission import require_key, require_units
from processors.stock.chain import join
from processors.stock.items import keep
from processors.stock.lifetime import begin, end
from processors.stock.rows import (
    RESERVATIONS,
    STOCK_ITEMS,
    Item,
    Line,
    Reservation,
    State,
    Status,
    item_key,
    promisable,
    reservation_key,
    shown,
    state_of,
)
from processors.stock.waiting import holds_of, leave_list, serve
from schemas.records.reservations import ReservationDenied, ReservationGranted, ReserveLine, ReserveStock, RouteStock

UNKNOWN_ITEM: Final = "unknown_item"
GAPPED: Final = "gapped"
STOCK_SHORT: Final = "stock_short"
RELEASED_BEFORE: Final = "released_before"


def reserve(record: ReserveStock, ctx: Context) -> None:
    """Answer a request to reserve."""
    require_key(record.variant_id, ctx)
    if not record.lines:
        raise Refused(Reason.INVALID_VALUE, f"order {record.order_id} reserves nothing: name locations and quantities")
    wanted = summed(record.lines)
    known = ctx.get(RESERVATIONS, reservation_key(record.order_id, record.attempt, record.variant_id))
    if known is ABSENT:
        known = grant(record, wanted, ctx)
    answer(ctx, known, wanted)


def grant(record: ReserveStock | RouteStock, wanted: Mapping[str, int], ctx: Context) -> Reservation:
    """Reserve all of these units per location, or none; the reservation, LIVE or DENIED."""
    order_id, attempt, variant_id = record.order_id, record.attempt, record.variant_id
    key = reservation_key(order_id, attempt, variant_id)
    items = {location_id: ctx.get(STOCK_ITEMS, item_key(variant_id, location_id)) for location_id in wanted}
    known = {location_id: item for location_id, item in items.items() if item is not ABSENT}
    reason = _why_not(ctx, known, wanted, own=dict(holds_of(ctx, variant_id, order_id)))
    if reason:
        lines = tuple(_denied_line(name, units, known.get(name)) for name, units in wanted.items())
        return end(ctx, key, Reservation(order_id, attempt, variant_id, Status.DENIED, lines, reason), Status.DENIED)
    freed = leave_list(ctx, variant_id, order_id)
    lines = tuple(_grant_line(ctx, key, variant_id, name, units) for name, units in wanted.items())
    reservation = Reservation(order_id, attempt, variant_id, Status.LIVE, lines)
    begin(ctx, key, reservation)
    for location_id, _ in freed:
        serve(ctx, variant_id, location_id)
    return reservation


def answer(ctx: Context, known: Reservation, wanted: Mapping[str, int]) -> None:
    """Say what became of a request to reserve, the same each time."""
    order_id, attempt, variant_id = known.order_id, known.attempt, known.variant_id
    if known.status is Status.RELEASED:
        items = (ctx.get(STOCK_ITEMS, item_key(variant_id, location_id)) for location_id in wanted)
        states = tuple(state_of(item) for item in items if item is not ABSENT)
        denied = ReservationDenied(order_id, attempt, variant_id, RELEASED_BEFORE, shown(states))
        return ctx.emit("stock-offers", order_id, denied)
    states = answered_states(known)
    if known.status is Status.DENIED:
        denied = ReservationDenied(order_id, attempt, variant_id, known.reason, shown(states))
        return ctx.emit("stock-offers", order_id, denied)
    lines = tuple(ReserveLine(line.location_id, line.quantity) for line in known.lines)
    granted = ReservationGranted(order_id, attempt, variant_id, shown(states), lines)
    return ctx.emit("stock-offers", order_id, granted)


def answered_states(known: Reservation) -> tuple[State, ...]:
    """The items as they stood after the answer, in the order of the lines."""
    return tuple(line.state for line in known.lines if line.state is not None)


def summed(lines: tuple[ReserveLine, ...]) -> dict[str, int]:
    """Units per location, in the order the locations are first named."""
    units: dict[str, int] = {}
    for line in lines:
        require_units(line.quantity, f"quantity at {line.location_id}")
        units[line.location_id] = units.get(line.location_id, 0) + line.quantity
    return units


def _why_not(ctx: Context, known: Mapping[str, Item], wanted: Mapping[str, int], *, own: Mapping[str, int]) -> str:
    """The first reason that forbids the grant; empty when nothing does. `own`: units held for this very order."""
    if len(known) < len(wanted):
        return UNKNOWN_ITEM
    if any(item.gapped for item in known.values()):
        return GAPPED
    for location_id, units in wanted.items():
        if promisable(known[location_id], ctx) + own.get(location_id, 0) < units:
            return STOCK_SHORT
    return ""


def _grant_line(ctx: Context, key: str, variant_id: str, location_id: str, units: int) -> Line:
    """Reserve units at one item."""
    where = item_key(variant_id, location_id)
    item = ctx.get(STOCK_ITEMS, where)
    if item is ABSENT:
        raise LookupError(f"{where} was there when its units were checked, and is not now")
    older = join(ctx, item, key)
    reserved = msgspec.structs.replace(item, reserved=item.reserved + units, newest=key)
    kept = keep(ctx, where, reserved, on_hand_before=item.on_hand)
    return Line(location_id, units, units, state_of(kept), older)


def _denied_line(location_id: str, units: int, item: Item | None) -> Line:
    return Line(location_id, units, 0, None if item is None else state_of(item))
