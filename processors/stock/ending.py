"""Ending: reserved units that are given back, or that left.

In: ReleaseStock, ConsumeStock. Out: ReservationReleased, ReservationConsumed, with the items after it; waiting orders
woken by what came free. A reservation ends once, when it holds nothing any more. Releasing one that never was leaves
a tombstone, which refuses a later reserve. Refused: another key than the variant, quantities below 1.

A consumption (named by shipment and location) and the release of all that is left are answered the same again and
change nothing. The release of single units has no name of its own: each one read is done, and the order sends each
once. Units that leave beyond what is reserved there left all the same: on-hand falls by all of them, or has fallen
already by the feed's own delta.
"""

from collections.abc import Mapping

import msgspec

from processors.step import ABSENT, Context
from processors.stock.admission import require_key, require_units
from processors.stock.chain import change_line, existing, leave, line_at
from processors.stock.granting import summed
from processors.stock.items import keep
from processors.stock.lifetime import end
from processors.stock.rows import (
    RESERVATIONS,
    STOCK_ITEMS,
    Consumed,
    Item,
    Released,
    Reservation,
    State,
    Status,
    confirmed,
    item_key,
    posted,
    reservation_key,
    shown,
    state_of,
)
from processors.stock.waiting import serve
from schemas.records.reservations import (
    ConsumeStock,
    ReleaseStock,
    ReservationConsumed,
    ReservationReleased,
    ReserveLine,
)


def release(record: ReleaseStock, ctx: Context) -> None:
    """Give back what a reservation still holds: all of it, or these units."""
    require_key(record.variant_id, ctx)
    wanted = summed(record.lines)
    key = reservation_key(record.order_id, record.attempt, record.variant_id)
    known = _known_or_tombstone(ctx, key, record)
    done = None if wanted else known.released
    repeated = done is not None
    if done is None:
        done = _give_back(ctx, key, known, wanted)
    lines = tuple(ReserveLine(location_id, units) for location_id, units in done.lines)
    released = ReservationReleased(record.order_id, record.attempt, record.variant_id, lines, shown(done.states))
    ctx.emit("stock-offers", record.order_id, released)
    for location_id, _ in () if repeated else done.lines:
        serve(ctx, record.variant_id, location_id)


def consume(record: ConsumeStock, ctx: Context) -> None:
    """Reserved units left with a shipment."""
    require_key(record.variant_id, ctx)
    require_units(record.quantity, "quantity")
    key = reservation_key(record.order_id, record.attempt, record.variant_id)
    known = _known_or_tombstone(ctx, key, record)
    shipment = (record.shipment_id, record.location_id)
    done = next((entry for entry in known.consumed if (entry.shipment_id, entry.location_id) == shipment), None)
    repeated = done is not None
    if done is None:
        units = sum(line.remaining for line in known.lines if line.location_id == record.location_id)
        done = _leave(ctx, key, record, units=min(units, record.quantity))
    consumed = ReservationConsumed(
        record.order_id, record.attempt, record.variant_id, record.shipment_id, done.quantity, shown(done.states)
    )
    ctx.emit("stock-offers", record.order_id, consumed)
    if not repeated:
        serve(ctx, record.variant_id, record.location_id)


def _known_or_tombstone(ctx: Context, key: str, record: ReleaseStock | ConsumeStock) -> Reservation:
    """The reservation; where none was granted, a tombstone that refuses a reserve still to come."""
    known = ctx.get(RESERVATIONS, key)
    if known is not ABSENT and known.status is not Status.DENIED:
        return known
    tombstone = Reservation(record.order_id, record.attempt, record.variant_id, Status.RELEASED)
    return end(ctx, key, tombstone, Status.RELEASED)


def _give_back(ctx: Context, key: str, known: Reservation, wanted: Mapping[str, int]) -> Released:
    """Release these units per location, or all; never more than is left."""
    given: list[tuple[str, int]] = []
    states: list[State] = []
    for line in known.lines:
        units = min(line.remaining, wanted.get(line.location_id, 0)) if wanted else line.remaining
        if units:
            where = item_key(known.variant_id, line.location_id)
            item = _item(ctx, where)
            kept = keep(ctx, where, _unreserved(ctx, key, item, units), on_hand_before=item.on_hand)
            given.append((line.location_id, units))
            states.append(state_of(kept))
    done = Released(tuple(given), tuple(states))
    if given:
        left = existing(ctx, key)
        _keep_or_end(ctx, key, left if wanted else msgspec.structs.replace(left, released=done), Status.RELEASED)
    return done


def _leave(ctx: Context, key: str, record: ConsumeStock, *, units: int) -> Consumed:
    """Take shipped units out of the item, and `units` of them out of the reservation; remember the answer."""
    where = item_key(record.variant_id, record.location_id)
    item = ctx.get(STOCK_ITEMS, where)
    states: tuple[State, ...] = ()
    if item is not ABSENT:
        on_hand, ahead = _without(ctx, item, record.quantity)
        left = msgspec.structs.replace(item, on_hand=on_hand, ahead=ahead, **posted(item, on_hand - item.on_hand))
        left = _unreserved(ctx, key, left, units) if units else left
        states = (state_of(keep(ctx, where, left, on_hand_before=item.on_hand)),)
    known = existing(ctx, key)
    done = Consumed(record.shipment_id, record.location_id, units, states)
    remembered = msgspec.structs.replace(known, consumed=(*known.consumed, done))
    _keep_or_end(ctx, key, remembered, Status.CONSUMED)
    return done


def _without(ctx: Context, item: Item, quantity: int) -> tuple[int, int]:
    """(on_hand, ahead) after a confirmation: a feed that never reports shipments has no delta to wait for."""
    feed = ctx.network.feeds.get(item.feed_id)
    if feed is None or feed.shipment_deltas == "none":
        return item.on_hand - quantity, item.ahead
    return confirmed(item, quantity)


def _unreserved(ctx: Context, key: str, item: Item, units: int) -> Item:
    """Lower a line and its item by the same units.

    The reservation is kept before the item is: keeping the item may ask this very reservation for more.
    """
    line = line_at(existing(ctx, key), item.location_id)
    remaining = line.remaining - units
    asked = min(line.asked, remaining)
    item = msgspec.structs.replace(item, reserved=item.reserved - units, asked=item.asked - (line.asked - asked))
    if remaining:
        change_line(ctx, key, item.location_id, remaining=remaining, asked=asked)
        return item
    item = leave(ctx, item, line)
    change_line(ctx, key, item.location_id, remaining=0, asked=0, older="", newer="")
    return item


def _keep_or_end(ctx: Context, key: str, known: Reservation, status: Status) -> None:
    """Keep a reservation; it ends when it held something and now holds nothing."""
    if known.status is Status.LIVE and not any(line.remaining for line in known.lines):
        end(ctx, key, known, status)
    else:
        ctx.put(RESERVATIONS, key, known)


def _item(ctx: Context, where: str) -> Item:
    item = ctx.get(STOCK_ITEMS, where)
    if item is ABSENT:
        raise LookupError(f"units are reserved at {where}, and it is not there")
    return item
