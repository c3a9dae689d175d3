"""Planning: an order's open units and what its variants offered, put to `route()`.

In: an order's row and the offers gathered in it. Out: the facts, the shortlist and the outcome. After a denial the
offers are corrected by the items as the stock task then had them, so that the one other plan asks for something else.
"""

import struct
from typing import Final

import msgspec

from processors.heard import known
from processors.orders.rows import SHADOWS, Effort, Offered, OrderRow, ShadowRow, open_demand
from processors.routing.facts import Offer, Offers, OrderFacts, Outcome, Shortlist
from processors.routing.pipeline import route
from processors.routing.shadow import compare
from processors.routing.shortlist import shortlist
from processors.rules import Rules
from processors.step import ABSENT, Context
from schemas.records.reservations import ReservationDenied
from schemas.records.routing import ShadowDecided

STOCKED: Final = 1
GAPPED: Final = 2

_read_shortlist: Final = msgspec.msgpack.Decoder(Shortlist).decode


def rules_for(row: OrderRow, ctx: Context) -> Rules:
    """The rules the order's merchant published."""
    return ctx.network.rules_of(row.placed.merchant_id).rules


def facts_of(row: OrderRow) -> OrderFacts:
    """What routing needs to know, for the units no part covers."""
    placed = row.placed
    return OrderFacts(
        order_id=placed.order_id,
        attempt=row.attempt,
        merchant_id=placed.merchant_id,
        channel=placed.channel,
        lines=open_demand(row),
        currency=placed.currency,
        country=placed.country,
        postcode_area=placed.postcode_area,
        latitude_e6=placed.latitude_e6,
        longitude_e6=placed.longitude_e6,
        service=placed.service,
        service_type=placed.service_type,
        business=placed.business,
        promised_at=placed.promised_at,
        cost_ceiling_minor=placed.cost_ceiling_minor,
        fixed_location_id=placed.fixed_location_id,
        excluded=row.excluded,
        tier=row.tier,
        shipments_used=len(row.parts),
        carrier_preference=placed.carrier_preference,
    )


def wanted(facts: OrderFacts) -> dict[str, int]:
    """Open units by variant, summed over lines: demand is summed before it is checked."""
    units: dict[str, int] = {}
    for demand in facts.lines:
        units[demand.variant_id] = units.get(demand.variant_id, 0) + demand.quantity
    return units


def shortlist_for(facts: OrderFacts, ctx: Context) -> Shortlist:
    """Who is worth asking."""
    return shortlist(facts, ctx.network, known(ctx), ctx.now_at)


def asked_shortlist(effort: Effort) -> Shortlist:
    """Who was asked."""
    return _read_shortlist(effort.shortlist)


def evaluate(facts: OrderFacts, chosen: Shortlist, offers: Offers, ctx: Context) -> Outcome:
    """The eleven steps, and beside them those of the merchant's shadow rules."""
    heard = known(ctx)
    outcome = route(facts, chosen, offers, ctx.network, heard, ctx.now_at)
    if ctx.network.shadows:
        tell_shadow(compare(facts, chosen, offers, ctx.network, heard, ctx.now_at, found=outcome), ctx)
    return outcome


def tell_shadow(shadow: ShadowDecided | None, ctx: Context) -> None:
    """Publish what shadow rules would have decided, and count it."""
    if shadow is None:
        return
    ctx.emit("shadow-decisions", shadow.order_id, shadow)
    row = ctx.get(SHADOWS, shadow.rule_set_id)
    if row is ABSENT or row.version != shadow.shadow_version:
        row = ShadowRow(shadow.shadow_version)
    counted = getattr(row, shadow.outcome) + 1
    ctx.put(SHADOWS, shadow.rule_set_id, msgspec.structs.replace(row, **{shadow.outcome: counted}))


def unpacked(offered: Offered, location_ids: tuple[str, ...]) -> dict[str, Offer]:
    """An answer by location."""
    count = len(location_ids)
    available = struct.unpack(f"<{count}i", offered.available)
    updated_at = struct.unpack(f"<{count}q", offered.updated_at)
    return {
        location_id: Offer(available[at], updated_at[at], bool(flags & STOCKED), bool(flags & GAPPED))
        for at, (location_id, flags) in enumerate(zip(location_ids, offered.flags, strict=True))
    }


def offers_of(effort: Effort, chosen: Shortlist) -> dict[str, dict[str, Offer]]:
    """All answers, by variant and location."""
    return {offered.variant_id: unpacked(offered, chosen.location_ids) for offered in effort.offers}


def short_variants(facts: OrderFacts, offers: Offers) -> dict[str, int]:
    """Variants of which all asked locations together have too little: the ones worth waiting for."""
    return {
        variant_id: quantity
        for variant_id, quantity in wanted(facts).items()
        if sum(offer.available for offer in offers[variant_id].values() if not offer.gapped) < quantity
    }


def corrected(effort: Effort, record: ReservationDenied, ctx: Context) -> tuple[Offered, ...]:
    """The offers, with the denied variant's as the denial shows its items.

    A location of the plan that the denial does not show, or that is gapped, is taken to have nothing.
    """
    location_ids = asked_shortlist(effort).location_ids
    shown = {} if record.reason == "gapped" else {item.location_id: item for item in record.items}
    planned = [part.location_id for part in effort.plan if any(x.variant_id == record.variant_id for x in part.lines)]
    now_available: dict[str, int] = {}
    for location_id in planned:
        item = shown.get(location_id)
        if item is None:
            now_available[location_id] = 0
            continue
        location = ctx.network.locations.get(location_id)
        safety_stock = 0 if location is None else location.safety_stock
        now_available[location_id] = max(0, item.on_hand - item.reserved - item.held - safety_stock)

    def correct(offered: Offered) -> Offered:
        if offered.variant_id != record.variant_id:
            return offered
        available = bytearray(offered.available)
        for at, location_id in enumerate(location_ids):
            if location_id in now_available:
                struct.pack_into("<i", available, 4 * at, now_available[location_id])
        return msgspec.structs.replace(offered, available=bytes(available))

    return tuple(map(correct, effort.offers))
