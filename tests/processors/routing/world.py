"""A small network and orders for routing tests: every value stated once, every test names what differs."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from processors.network import Network, RuleSet
from processors.routing.facts import Demand, Known, Offer, OrderFacts, Outcome, Shortlist
from processors.routing.pipeline import route
from processors.routing.shortlist import shortlist
from processors.rules import Rules
from schemas.records.network import (
    CarrierAccountDefined,
    FeedDefined,
    LocationDefined,
    MerchantDefined,
    PartnerDefined,
    VariantDefined,
)
from schemas.records.operations import FeedStatusChanged, LocationLoadChanged

NOW = 1_788_429_600_000
"""Thursday 2026-09-03 10:00:00 UTC, noon in Berlin."""
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

LOCATION = LocationDefined(
    location_id="acme|loc_berlin",
    partner_id="acme|partner",
    name="Berlin",
    country="DE",
    postcode="10115",
    latitude_e6=52_520_000,
    longitude_e6=13_400_000,
    timezone="Europe/Berlin",
    tier=1,
    ships_to=("DE", "AT"),
    postcode_prefixes=(),
    services=("ship_from_warehouse",),
    capabilities=(),
    daily_slots=100,
    cutoff_minute=16 * 60,
    working_days=(1, 2, 3, 4, 5),
    handling_ms=2 * HOUR,
    handling_cost_minor=100,
    unit_cost_minor=10,
    currency="EUR",
    accept_within_ms=DAY,
    safety_stock=0,
    carrier_account_ids=("acme|dhl",),
)
ACCOUNT = CarrierAccountDefined(
    account_id="acme|dhl",
    carrier="dhl_parcel_de",
    owner_id="acme|merchant",
    role="primary",
    services=("standard", "express"),
    countries=("DE", "AT"),
    transit_days=(1, 2),
    base_cost_minor=(400, 900),
    cost_per_kg_minor=50,
    currency="EUR",
    b2b_only=False,
    daily_slots=1000,
)
VARIANT = VariantDefined(
    variant_id="acme|var_a",
    title="A drill",
    gtin=None,
    supplier_id=None,
    supplier_cost_minor=5_000,
    currency="EUR",
    weight_g=800,
    needs=(),
)
FACTS = OrderFacts(
    order_id="acme|shop|48372",
    attempt=1,
    merchant_id="acme|merchant",
    channel="shop",
    lines=(Demand(1, "acme|var_a", 2),),
    currency="EUR",
    country="DE",
    postcode_area="10",
    latitude_e6=52_530_000,
    longitude_e6=13_410_000,
    service="standard",
    service_type="ship_from_warehouse",
    business=False,
    promised_at=NOW + 3 * DAY,
    cost_ceiling_minor=None,
    fixed_location_id=None,
)


def change(value: Any, **changes: Any) -> Any:
    """The same value with some fields changed."""
    return msgspec.structs.replace(value, **changes)


def location(name: str, **changes: Any) -> LocationDefined:
    """A location like Berlin, with its own feed."""
    return change(LOCATION, location_id=f"acme|loc_{name}", name=name, **changes)


def lines(*wanted: tuple[str, int]) -> tuple[Demand, ...]:
    """Lines numbered from 1."""
    return tuple(Demand(number, f"acme|var_{name}", units) for number, (name, units) in enumerate(wanted, 1))


def network(
    *locations: LocationDefined,
    rules: Rules | None = None,
    accounts: tuple[CarrierAccountDefined, ...] = (ACCOUNT,),
    variants: tuple[VariantDefined, ...] = (VARIANT,),
    partner: PartnerDefined | None = PartnerDefined("acme|partner", "FP", "DE", 15 * MINUTE),
) -> Network:
    """Version 7 of the reference data, with these locations (Berlin alone by default)."""
    made = Network(7)
    made.merchants["acme|merchant"] = MerchantDefined("acme|merchant", "Nordwind", "EUR", "DE", "acme|rules")
    made.merchants["acme|other"] = MerchantDefined("acme|other", "Other", "EUR", "DE", "acme|rules")
    if partner is not None:
        made.partners[partner.partner_id] = partner
    for one in locations or (LOCATION,):
        made.locations[one.location_id] = one
        feed_id = f"{one.location_id}|feed"
        if partner is not None:
            made.feeds[feed_id] = FeedDefined(feed_id, one.partner_id, one.location_id, "contiguous", "none")
    made.accounts = {account.account_id: account for account in accounts}
    made.variants = {variant.variant_id: variant for variant in variants}
    if rules is not None:
        made.rule_sets["acme|rules"] = RuleSet("acme|rules", 3, rules)
    return made


def offer(available: int, *, age_ms: int = 0, stocked: bool = True, gapped: bool = False) -> Offer:
    """What a location offers, last changed so long ago."""
    return Offer(available, NOW - age_ms, stocked, gapped)


def stock(**by_variant: Mapping[str, int | Offer]) -> dict[str, dict[str, Offer]]:
    """Offers as `stock(a={"berlin": 5})`."""
    return {
        f"acme|var_{variant}": {
            f"acme|loc_{place}": offer(units) if isinstance(units, int) else units for place, units in places.items()
        }
        for variant, places in by_variant.items()
    }


def known(
    heartbeats: Mapping[str, int] | None = None,
    loads: Mapping[str, tuple[str, int, int]] | None = None,
    full: Iterable[str] = (),
) -> Known:
    """What was heard: heartbeats by place, (local date, used, cap) by place, accounts without a parcel left."""
    statuses = {
        f"acme|loc_{place}": FeedStatusChanged(f"acme|loc_{place}|feed", f"acme|loc_{place}", at, False, at)
        for place, at in (heartbeats or {}).items()
    }
    told = {
        f"acme|loc_{place}": LocationLoadChanged(f"acme|loc_{place}", day, used, cap, NOW)
        for place, (day, used, cap) in (loads or {}).items()
    }
    return Known(statuses.get, told.get, frozenset(full))


def decide(
    made: Network,
    offers: dict[str, dict[str, Offer]],
    facts: OrderFacts = FACTS,
    *,
    heard: Known | None = None,
    listed: Shortlist | None = None,
    now_at: int = NOW,
) -> Outcome:
    """Shortlist and route."""
    heard = heard or known()
    return route(facts, listed or shortlist(facts, made, heard, now_at), offers, made, heard, now_at)


def shipped(outcome: Outcome) -> dict[str, dict[int, int]]:
    """Units by place and line: what a test wants to compare."""
    if outcome.plan is None:
        return {}
    return {
        part.location_id.removeprefix("acme|loc_"): {line.line_no: line.quantity for line in part.lines}
        for part in outcome.plan.parts
    }
