"""Asking: what locations can promise, and the one-hop path that routes and reserves at once.

In: AskStock. Out: StockOffered, packed, with what is held for the asking order counted as available to it.
In: RouteStock, the facts and shortlist of an order with one variant. Out: StockRouted, the plan reserved in the same
step; or StockUnroutable, nothing reserved; or ReservationDenied when the attempt was released before it came.
Refused: another key than the variant, a quantity below 1, facts that do not decode or speak of another order.

A repeated RouteStock (the same order, attempt and variant) gets the same answer and changes nothing.
"""

import struct
from typing import Final

import msgspec

from processors.heard import known
from processors.reasons import Reason
from processors.routing.facts import Offer, OrderFacts, Shortlist
from processors.routing.pipeline import route
from processors.routing.shadow import compare
from processors.step import ABSENT, Context, Refused
from processors.stock.admission import require_key, require_units
from processors.stock.granting import answer, answered_states, grant
from processors.stock.lifetime import end
from processors.stock.rows import (
    RESERVATIONS,
    STOCK_ANSWERS,
    STOCK_ITEMS,
    Answer,
    Reservation,
    Status,
    item_key,
    promisable,
    reservation_key,
    shown,
)
from processors.stock.waiting import holds_of
from schemas.records.reservations import AskStock, RouteStock, StockOffered, StockRouted, StockUnroutable
from schemas.records.routing import RoutingPlan

NOTHING: Final = Offer(0, 0, stocked=False, gapped=False)

STOCKED, GAPPED = 1, 2
"""Flags of a StockOffered."""

FACTS: Final = msgspec.msgpack.Decoder(OrderFacts)
SHORTLIST: Final = msgspec.msgpack.Decoder(Shortlist)


def ask(record: AskStock, ctx: Context) -> None:
    """Offer what the asked locations can promise."""
    require_key(record.variant_id, ctx)
    require_units(record.quantity, "quantity")
    offers = _offers(ctx, record.variant_id, record.order_id, record.location_ids)
    asked = [offers[location_id] for location_id in record.location_ids]
    offered = StockOffered(
        record.order_id,
        record.attempt,
        record.variant_id,
        record.location_ids,
        struct.pack(f"<{len(asked)}i", *(offer.available for offer in asked)),
        struct.pack(f"<{len(asked)}q", *(offer.updated_at for offer in asked)),
        bytes(STOCKED * offer.stocked + GAPPED * offer.gapped for offer in asked),
    )
    ctx.emit("stock-offers", record.order_id, offered)


def route_and_reserve(record: RouteStock, ctx: Context) -> None:
    """Route an order with one variant over its own items, and reserve the winner."""
    require_key(record.variant_id, ctx)
    key = reservation_key(record.order_id, record.attempt, record.variant_id)
    known = ctx.get(RESERVATIONS, key)
    answered = ctx.get(STOCK_ANSWERS, key)
    if known is ABSENT:
        known, answered = _route(record, key, ctx)
    if answered is ABSENT or known.status is Status.RELEASED:
        return answer(ctx, known, {line.location_id: line.quantity for line in known.lines})
    return _say(known, answered, ctx)


def _route(record: RouteStock, key: str, ctx: Context) -> tuple[Reservation, Answer]:
    """Find the plan and reserve it; remember both."""
    facts, shortlist = _unpacked(record)
    offers = {record.variant_id: _offers(ctx, record.variant_id, record.order_id, shortlist.location_ids)}
    heard = known(ctx)
    outcome = route(facts, shortlist, offers, ctx.network, heard, ctx.now_at)
    shadow = compare(facts, shortlist, offers, ctx.network, heard, ctx.now_at, found=outcome)
    plan, reason = outcome.plan, outcome.reason
    if plan is None:
        denied = Reservation(record.order_id, record.attempt, record.variant_id, Status.DENIED, reason=reason)
        reservation = end(ctx, key, denied, Status.DENIED)
    else:
        reservation = grant(record, _units(plan), ctx)
        if reservation.status is Status.DENIED:
            plan, reason = None, reservation.reason
    rule_set = ctx.network.rules_of(facts.merchant_id)
    answered = Answer(
        plan,
        reason,
        outcome.audit,
        outcome.candidates,
        outcome.inputs_digest,
        ctx.network.version,
        rule_set.rule_set_id,
        rule_set.version,
        b"" if shadow is None else msgspec.msgpack.encode(shadow),
    )
    ctx.put(STOCK_ANSWERS, key, answered)
    return reservation, answered


def _say(known: Reservation, answered: Answer, ctx: Context) -> None:
    order_id, attempt, variant_id = known.order_id, known.attempt, known.variant_id
    if answered.plan is None:
        unroutable = StockUnroutable(order_id, attempt, variant_id, answered.audit, answered.reason, answered.shadow)
        return ctx.emit("stock-offers", order_id, unroutable)
    routed = StockRouted(
        order_id,
        attempt,
        variant_id,
        answered.plan,
        shown(answered_states(known)),
        answered.audit,
        answered.candidates,
        answered.inputs_digest,
        answered.network_offset,
        answered.rule_set_id,
        answered.rule_version,
        answered.shadow,
    )
    return ctx.emit("stock-offers", order_id, routed)


def _unpacked(record: RouteStock) -> tuple[OrderFacts, Shortlist]:
    """What the order's task packed; it must speak of this very order and variant."""
    try:
        facts, shortlist = FACTS.decode(record.order), SHORTLIST.decode(record.shortlist)
    except msgspec.MsgspecError as error:
        detail = f"order {record.order_id}: packed facts or shortlist do not decode ({error}); ask again"
        raise Refused(Reason.INVALID_PAYLOAD, detail) from None
    if (facts.order_id, facts.attempt) != (record.order_id, record.attempt):
        said = f"{facts.order_id} attempt {facts.attempt}, not {record.order_id} attempt {record.attempt}"
        raise Refused(Reason.INVALID_VALUE, f"the packed facts speak of {said}")
    if any(line.variant_id != record.variant_id for line in facts.lines):
        detail = f"order {record.order_id} has lines of other variants than {record.variant_id}: ask each of them"
        raise Refused(Reason.INVALID_VALUE, detail)
    return facts, shortlist


def _offers(ctx: Context, variant_id: str, order_id: str, location_ids: tuple[str, ...]) -> dict[str, Offer]:
    """What each location can promise to this order: what is held for it counts as available."""
    own = dict(holds_of(ctx, variant_id, order_id))
    offers: dict[str, Offer] = {}
    for location_id in location_ids:
        item = ctx.get(STOCK_ITEMS, item_key(variant_id, location_id))
        if item is ABSENT:
            offers[location_id] = NOTHING
        else:
            available = max(0, promisable(item, ctx) + own.get(location_id, 0))
            offers[location_id] = Offer(available, item.updated_at, stocked=True, gapped=bool(item.gapped))
    return offers


def _units(plan: RoutingPlan) -> dict[str, int]:
    """Units of the one variant per location."""
    return {part.location_id: sum(line.quantity for line in part.lines) for part in plan.parts}
