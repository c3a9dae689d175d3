"""A tiny network, builders of records, and a routing simple enough to be right by sight: for the tests of orders."""

import struct
from collections.abc import Mapping
from typing import Any

import msgspec

from processors.network import Network, fold
from processors.orders.rows import OrderRow
from processors.orders.stage import STAGE
from processors.routing.facts import Offer, OrderFacts, Outcome, Shortlist
from processors.rules import Rules
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentRejected,
    ItemQuantity,
    Shipped,
    Track,
)
from schemas.records.network import (
    CarrierAccountDefined,
    LocationDefined,
    MerchantDefined,
    PartnerDefined,
    RuleSetPublished,
    VariantDefined,
)
from schemas.records.orders import OrderLine, OrderPlaced
from schemas.records.reservations import (
    AskStock,
    ItemState,
    ReservationDenied,
    ReservationGranted,
    ReserveStock,
    RouteStock,
    StockOffered,
    StockRouted,
)
from schemas.records.routing import PlanLine, PlanPart, RoutingPlan
from tests.processors.harness import Bench

T0 = 1_700_000_000_000
ORDER = "acme|shop|1001"
MERCHANT = "acme|merchant"
SHOE, SOCK, LACE = "acme|shoe", "acme|sock", "acme|lace"
OLD_SHOE = "acme|old_shoe"
BERLIN, PARIS, WIEN, LAGER = "acme|berlin", "acme|paris", "acme|wien", "acme|lager"
"""Lager is the second tier."""
DHL = "acme|dhl"
RULES = Rules(max_reroutes=2, exchange_rates_e6={"PLN": 250_000})
ACCEPT_MS = 3_600_000


def location(location_id: str, tier: int = 1) -> LocationDefined:
    return LocationDefined(
        location_id=location_id,
        partner_id="acme|partner",
        name=location_id,
        country="DE",
        postcode="10115",
        latitude_e6=52_500_000,
        longitude_e6=13_400_000,
        timezone="Europe/Berlin",
        tier=tier,
        ships_to=("DE",),
        postcode_prefixes=(),
        services=("ship_from_warehouse",),
        capabilities=(),
        daily_slots=100,
        cutoff_minute=900,
        working_days=(1, 2, 3, 4, 5),
        handling_ms=0,
        handling_cost_minor=0,
        unit_cost_minor=0,
        currency="EUR",
        accept_within_ms=ACCEPT_MS,
        safety_stock=1 if location_id == WIEN else 0,
        carrier_account_ids=(DHL,),
    )


def variant(variant_id: str, currency: str = "EUR", *, retired: bool = False) -> VariantDefined:
    return VariantDefined(variant_id, variant_id, None, None, 500, currency, 700, (), retired)


def network(rules: Rules = RULES, *, partials: bool = False, **account_fields: Any) -> Network:
    account = CarrierAccountDefined(
        account_id=DHL,
        carrier="dhl_parcel_de",
        owner_id=MERCHANT,
        role="primary",
        services=("standard",),
        countries=("AT", "DE"),
        transit_days=(2, 1),
        base_cost_minor=(900, 400),
        cost_per_kg_minor=50,
        currency="EUR",
        b2b_only=False,
        daily_slots=1_000,
        **account_fields,
    )
    records: list[Any] = [
        MerchantDefined(MERCHANT, "Merchant", "EUR", "DE", "acme|rules"),
        MerchantDefined("acme|gone", "Gone", "EUR", "DE", "acme|rules", retired=True),
        MerchantDefined("other|merchant", "Other", "EUR", "DE", "other|rules"),
        PartnerDefined("acme|partner", "Partner", "DE", 900_000, partials),
        *(location(name) for name in (BERLIN, PARIS, WIEN)),
        location(LAGER, 2),
        location("other|depot"),
        variant(SHOE),
        variant(SOCK),
        variant(LACE, "PLN"),
        variant(OLD_SHOE, retired=True),
        variant("other|shoe"),
        account,
        RuleSetPublished("acme|rules", 7, "", msgspec.msgpack.encode(rules)),
    ]
    return fold(Network(), enumerate(records))


def line(line_no: int, variant_id: str | None = SHOE, quantity: int = 1, **changes: Any) -> OrderLine:
    return msgspec.structs.replace(OrderLine(line_no, variant_id, None, None, quantity, 1_000), **changes)


def order(*lines: OrderLine, **changes: Any) -> OrderPlaced:
    record = OrderPlaced(
        order_id=ORDER,
        merchant_id=MERCHANT,
        channel="shop",
        lines=lines or (line(1),),
        currency="EUR",
        total_minor=1_000,
        country="DE",
        postcode_area="10",
        latitude_e6=52_500_000,
        longitude_e6=13_400_000,
        service="standard",
        service_type="ship_from_warehouse",
        business=False,
        promised_at=None,
        partial_consent=False,
        cost_ceiling_minor=None,
        fixed_location_id=None,
        marketplace_reference="303-118",
        recipient_ref="r1",
        occurred_at=T0,
    )
    return msgspec.structs.replace(record, **changes)


def simple_shortlist(facts: OrderFacts, in_force: Network, known: Any, now_at: int) -> Shortlist:
    """All locations of the tenant that are not excluded, by name, tier by tier."""
    assert known.feed_status("nobody") is None
    assert known.load("nobody") is None
    ours = {name: place.tier for name, place in in_force.locations.items() if name.startswith("acme|")}
    named = sorted(name for name, tier in ours.items() if tier <= facts.tier and name not in facts.excluded)
    if facts.fixed_location_id:
        named = [name for name in named if name == facts.fixed_location_id]
    left_out = tuple((name, "tier") for name in sorted(ours) if name not in named)
    return Shortlist(tuple(named), left_out, any(tier > facts.tier for tier in ours.values()))


def simple_route(facts: OrderFacts, chosen: Shortlist, offers: Mapping[str, Mapping[str, Offer]], *_: Any) -> Outcome:
    """Greedy: each line from the first locations that have it."""
    left = {variant_id: {name: offer.available for name, offer in at.items()} for variant_id, at in offers.items()}
    taken: dict[str, list[PlanLine]] = {}
    for demand in facts.lines:
        missing = demand.quantity
        for name in chosen.location_ids:
            units = min(missing, left[demand.variant_id].get(name, 0))
            if units > 0:
                left[demand.variant_id][name] -= units
                missing -= units
                taken.setdefault(name, []).append(PlanLine(demand.line_no, demand.variant_id, units))
        if missing:
            return Outcome(None, "stock_short" if chosen.location_ids else "no_location", b"why not", "", 0)
    parts = tuple(
        PlanPart(name, DHL, "dhl_parcel_de", facts.service, tuple(taken[name]), 900_000, 450, 10, 0, 0, facts.attempt)
        for name in sorted(taken)
    )
    return Outcome(RoutingPlan(parts, 900_000, 450 * len(parts)), "routed", b"why", "digest", len(chosen.location_ids))


def bench(**changes: Any) -> Bench:
    return Bench(STAGE, network=network(**changes), now_at=T0)


def row(desk: Bench, order_id: str = ORDER) -> OrderRow:
    found = desk.rows["orders"][order_id]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=OrderRow) == found
    return found


def offered(ask: AskStock, **available: int) -> StockOffered:
    """An answer to an ask; by last part of the location's name, nothing where it is not named."""
    units = [available.get(name.partition("|")[2], 0) for name in ask.location_ids]
    count = len(units)
    return StockOffered(
        ask.order_id,
        ask.attempt,
        ask.variant_id,
        ask.location_ids,
        struct.pack(f"<{count}i", *units),
        struct.pack(f"<{count}q", *([T0] * count)),
        bytes(1 if unit else 0 for unit in units),
    )


def routed(request: RouteStock, **available: int) -> StockRouted:
    """What the variant's task answers when it has so many units."""
    facts = msgspec.msgpack.decode(request.order, type=OrderFacts)
    chosen = msgspec.msgpack.decode(request.shortlist, type=Shortlist)
    at = {name: Offer(available.get(name.partition("|")[2], 0), T0, True, False) for name in chosen.location_ids}
    outcome = simple_route(facts, chosen, {request.variant_id: at})
    assert outcome.plan is not None
    return StockRouted(request.order_id, request.attempt, request.variant_id, outcome.plan, (), b"one hop")


def granted(request: ReserveStock) -> ReservationGranted:
    return ReservationGranted(request.order_id, request.attempt, request.variant_id, (), request.lines)


def denied(request: ReserveStock, reason: str = "stock_short", **on_hand: int) -> ReservationDenied:
    items = tuple(ItemState(f"acme|{name}", 1, units, 0, 0) for name, units in on_hand.items())
    return ReservationDenied(request.order_id, request.attempt, request.variant_id, reason, items)


def asked(desk: Bench, kind: type) -> list[Any]:
    """The requests of one kind among those sent to stock since the last look; the others stay."""
    hits = [record for topic, _, record in desk.emitted if isinstance(record, kind)]
    desk.emitted = [entry for entry in desk.emitted if not isinstance(entry[2], kind)]
    return hits


def place_in_one_hop(desk: Bench, record: OrderPlaced | None = None, **available: int) -> None:
    """An order of one variant, as far as its first decision."""
    record = record or order()
    assert desk.send("orders", record.order_id, record) is None
    [request] = asked(desk, RouteStock)
    desk.send("stock-offers", record.order_id, routed(request, **(available or {"berlin": 99})))


def place_split(desk: Bench, **shape: Any) -> None:
    """Shoes from Berlin, socks from Paris, as far as the first decision."""
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3), **shape))
    for ask in asked(desk, AskStock):
        available = {"berlin": 2} if ask.variant_id == SHOE else {"paris": 3}
        desk.send("stock-offers", ORDER, offered(ask, **available))
    for request in asked(desk, ReserveStock):
        desk.send("stock-offers", ORDER, granted(request))


def part_at(desk: Bench, name: str, order_id: str = ORDER) -> Any:
    return next(part for part in row(desk, order_id).parts if part.location_id == name)


def accepts(desk: Bench, name: str, **items: int) -> AssignmentAccepted:
    """A location accepts: all its items, or those named as `item_<line number>`."""
    part = part_at(desk, name)
    quantities = tuple(ItemQuantity(int(key[5:]), units) for key, units in items.items())
    whole = tuple(ItemQuantity(x.line_no, x.quantity) for x in part.lines)
    return AssignmentAccepted(part.assignment_id, ORDER, name, quantities or whole, T0)


def rejects(desk: Bench, name: str, at: int = T0, **items: int) -> AssignmentRejected:
    part = part_at(desk, name)
    quantities = tuple(ItemQuantity(int(key[5:]), units) for key, units in items.items())
    return AssignmentRejected(part.assignment_id, ORDER, name, quantities, "no", at)


def ships(desk: Bench, name: str, shipment_id: str = "S1", tracks: int = 1, **items: int) -> Shipped:
    part = part_at(desk, name)
    quantities = tuple(ItemQuantity(int(key[5:]), units) for key, units in items.items())
    whole = tuple(ItemQuantity(x.line_no, x.quantity - x.shipped) for x in part.lines)
    parcels = tuple(Track("dhl_parcel_de", "DHL", f"{shipment_id}-{number}") for number in range(tracks))
    return Shipped(shipment_id, part.assignment_id, ORDER, name, quantities or whole, parcels, None, None, T0)
