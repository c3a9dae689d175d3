"""Candidate: what routing must know of a location and of an order before the steps can ask their questions.

A `Lane` is all that is constant for one location and one kind of order (merchant, channel, country, service) under
one version of the reference data; it is derived once and kept with that version. `Wanted` is an order summed up per
variant. A `Candidate` is a location that passed every fence, with its score. Odd reference data is never an error
here: it becomes the verdict of the step that stumbles over it.
"""

from typing import Any, Final

import msgspec

from processors.network import Network, promises_nothing
from processors.postcodes import areas_of, narrowest
from processors.routing import geo
from processors.routing.calendars import DAY_MS, QUARTER_MS, Cutoff, arrival, cutoffs, local_weekday
from processors.routing.entitlements import order_verdict
from processors.routing.facts import Offer, Offers, OrderFacts
from processors.routing.rates import Parcel, size_of
from processors.routing.score import weights_of
from processors.routing.steps import capability, carrier, cost, region
from processors.routing.steps.carrier import COLLECTED, Arrivals, Tariff
from processors.routing.tariffs import currency_of, tariffs_of
from processors.routing.words import OK, Verdict
from processors.rules import Rules
from processors.tenants import tenant_of
from processors.zones import zone
from schemas.records.network import LocationDefined

LANE_SETS_MAX: Final = 500
"""Kinds of orders kept per version of the reference data: a bound, not a tuning."""

EVERY_DAY: Final = (1, 2, 3, 4, 5, 6, 7)
NO_OFFERS: Final[dict[str, Offer]] = {}

LONGEST_HANDLING_MS: Final = 366 * DAY_MS

Schedule = tuple[int, int, int, Arrivals]
"""A cut-off, the earliest and the latest arrival by it (itself, without any tariff), and what each tariff can do."""


class Lane:
    """A location as a kind of order meets it. Constant, but for the schedules it remembers."""

    __slots__ = (
        "account_verdict",
        "calendar",
        "capabilities",
        "capability_verdict",
        "cost_verdict",
        "days",
        "delivery",
        "delivery_region",
        "handling",
        "handling_ms",
        "handling_week",
        "limit_ms",
        "limited",
        "location",
        "location_id",
        "point",
        "postcodes",
        "preference",
        "region_verdict",
        "schedules",
        "tariffs",
        "tier",
    )

    def __init__(self, location: LocationDefined, facts: OrderFacts, *, network: Network, rules: Rules) -> None:
        into = currency_of(network, facts)
        rate_e6 = cost.exchange_rate_e6(location.currency, into, rates_e6=rules.exchange_rates_e6)
        known_e6 = 0 if rate_e6 is None else rate_e6
        self.location = location
        self.tier = location.tier
        self.location_id = location.location_id
        self.point = geo.point(location.latitude_e6, location.longitude_e6)
        self.preference = region.rating(location.location_id, rules.channel_preferences.get(facts.channel, ()))
        self.region_verdict = region.fence(location.country, location.ships_to, country=facts.country, rules=rules)
        if promises_nothing(location):
            self.region_verdict = Verdict.MARKETPLACE_STOCK
        if location.retired:
            self.region_verdict = Verdict.RETIRED
        self.tariffs, self.account_verdict = tariffs_of(location, facts, network=network, rules=rules)
        self.limited = any(tariff.terms is not None and tariff.terms.limited for tariff in self.tariffs)
        self.postcodes = region.postcodes(location, country=facts.country, rules=rules)
        self.capability_verdict = capability.fence_service(facts.service_type, location.services)
        self.capabilities = frozenset(location.capabilities)
        self.handling = (
            cost.converted(location.handling_cost_minor, known_e6),
            cost.converted(location.unit_cost_minor, known_e6),
        )
        self.handling_ms = _bounded(location.handling_ms)
        week = location.weekday_handling_ms
        self.handling_week = tuple(map(_bounded, week)) if len(week) == len(EVERY_DAY) else None
        self.cost_verdict = Verdict.CURRENCY_UNKNOWN if rate_e6 is None else OK
        self.limit_ms = _limit_ms(network, location)
        by_weekday = len(location.weekday_cutoffs) == len(EVERY_DAY)
        cutoff = location.weekday_cutoffs if by_weekday else location.cutoff_minute
        self.calendar = (location.timezone, cutoff, location.working_days)
        self.days = (location.holiday_region, location.closed_dates, location.open_dates)
        self.delivery = (rules.delivery_weekdays or EVERY_DAY, rules.delivery_by_minute)
        self.delivery_region = "" if rules.delivery_on_holidays else facts.country
        self.schedules: dict[int, tuple[Schedule, ...]] = {}

    def ready_at(self, now_at: int) -> int:
        """When goods that are assigned now are ready."""
        week = self.handling_week
        if week is None:
            return now_at + self.handling_ms
        return now_at + week[local_weekday(self.location.timezone, now_at // QUARTER_MS) - 1]

    def schedule(self, ready_at: int) -> Schedule | Verdict:
        """The first cut-off that goods ready at this instant reach, with its arrivals; else why there is none."""
        day = ready_at // DAY_MS
        schedules = self.schedules.get(day)
        if schedules is None:
            schedules = self._schedules(day)
        for schedule in schedules:
            if schedule[0] >= ready_at:
                return schedule
        return Verdict.UNKNOWN_TIMEZONE if zone(self.location.timezone) is None else Verdict.NEVER_SHIPS

    def _schedules(self, day: int) -> tuple[Schedule, ...]:
        if len(self.schedules) >= 8:
            self.schedules.clear()
        zone_name, minute, working_days = self.calendar
        made: list[Schedule] = []
        for cutoff in cutoffs(zone_name, minute, working_days, day, self.days):
            arrivals = tuple([(self._arrival(cutoff, tariff), tariff) for tariff in self.tariffs])
            instants = [arrival[0] for arrival in arrivals] or [cutoff[0]]
            made.append((cutoff[0], min(instants), max(instants), arrivals))
        self.schedules[day] = tuple(made)
        return self.schedules[day]

    def _arrival(self, cutoff: Cutoff, tariff: Tariff) -> int:
        if tariff is COLLECTED:
            return cutoff[0]
        zone_name = self.location.timezone
        return max(cutoff[0], arrival(zone_name, cutoff[1], tariff.transit_days, self.delivery, self.delivery_region))


class Wanted(msgspec.Struct, frozen=True):
    """An order, summed up for the steps."""

    facts: OrderFacts
    rules: Rules
    now_at: int
    promised_at: int | None
    due_at: int
    """What slack is measured against: the promised date, or the one the rules assume."""
    fixed: bool
    postcode_area: str
    variants: tuple[str, ...]
    quantities: tuple[int, ...]
    """Units by variant; zero or negative demand is no demand."""
    units: int
    offers: tuple[Any, ...]
    """By variant: offers by location_id."""
    bill: cost.Bill
    parcel: Parcel
    """The whole order in one shipment."""
    supplier_minor: int
    needs: tuple[str, ...] | Verdict
    cost_verdict: Verdict
    ceiling_minor: int | None
    destination: geo.Point
    weights: tuple[int, ...]
    weight: int
    """The sum of the weights."""


class Candidate(msgspec.Struct, frozen=True):
    """A location that passed every fence."""

    lane: Lane
    location_id: str
    index: int
    """Its place among the candidates, nearest first."""
    takes: tuple[int, ...]
    """Units it could be assigned, by variant."""
    score: int
    cost_minor: int
    """Landed cost of the whole order sent from here."""
    distance_m: int
    departs_at: int
    in_time: Arrivals
    """The accounts that keep the promise."""


def _bounded(handling_ms: int) -> int:
    return min(max(handling_ms, 0), LONGEST_HANDLING_MS)


def lanes_of(network: Network, facts: OrderFacts) -> dict[str, Lane]:
    """The lanes of this kind of order, by location_id, for every location of the merchant's tenant."""
    rules = network.rules_of(facts.merchant_id).rules
    channel = facts.channel if facts.channel in rules.channel_preferences else ""
    area = _area(network, facts)
    asked = carrier.asked_carrier(facts, rules)
    key = (facts.merchant_id, channel, facts.country, area, facts.service, facts.service_type, facts.business, asked)
    kept = network.cache.setdefault("lanes", {})
    lanes: dict[str, Lane] | None = kept.get(key)
    if lanes is None:
        if len(kept) >= LANE_SETS_MAX:
            kept.clear()
        tenant = tenant_of(facts.merchant_id)
        lanes = {
            location_id: Lane(location, facts, network=network, rules=rules)
            for location_id, location in sorted(network.locations.items())
            if tenant_of(location_id) == tenant
        }
        kept[key] = lanes
    return lanes


def _area(network: Network, facts: OrderFacts) -> str:
    """What rates by postcode zone make of the destination: areas in the same narrowest zone of all meet the same rates."""
    zones: dict[str, tuple[str, ...]] | None = network.cache.get("rate_zones")
    if zones is None:
        named = {rate.zone for account in network.accounts.values() for rate in account.zone_rates}
        zones = {zone[:2]: areas_of(named, zone[:2]) for zone in named}
        network.cache["rate_zones"] = zones
    return narrowest(facts.postcode_area, zones.get(facts.country, ())) or "" if zones else ""


def wanted_of(facts: OrderFacts, offers: Offers, *, network: Network, now_at: int) -> Wanted:
    """The order summed up per variant."""
    summed: dict[str, int] = {}
    for demand in facts.lines:
        if demand.quantity > 0:
            summed[demand.variant_id] = summed.get(demand.variant_id, 0) + demand.quantity
    variants = tuple(sorted(summed))
    quantities = tuple([summed[variant_id] for variant_id in variants])
    rules = network.rules_of(facts.merchant_id).rules
    weights = weights_of(rules, prefers=bool(rules.channel_preferences.get(facts.channel)))
    bill, verdict = _bill(variants, network=network, into=currency_of(network, facts), rules=rules)
    ceiling_minor, ceiling_verdict = _ceiling(facts, network=network, rules=rules)
    return Wanted(
        facts=facts,
        rules=rules,
        now_at=now_at,
        promised_at=facts.promised_at,
        due_at=now_at + rules.assumed_promise_ms if facts.promised_at is None else facts.promised_at,
        fixed=facts.fixed_location_id is not None,
        postcode_area=facts.postcode_area,
        variants=variants,
        quantities=quantities,
        units=sum(quantities),
        offers=tuple([offers.get(variant_id, NO_OFFERS) for variant_id in variants]),
        bill=bill,
        parcel=cost.parcel(bill, quantities),
        supplier_minor=cost.total(bill.supplier_minor, quantities),
        needs=needs_of(variants, facts, network=network, rules=rules),
        cost_verdict=verdict or ceiling_verdict,
        ceiling_minor=ceiling_minor,
        destination=geo.point(facts.latitude_e6, facts.longitude_e6),
        weights=weights,
        weight=sum(weights),
    )


def needs_of(
    variants: tuple[str, ...], facts: OrderFacts, *, network: Network, rules: Rules
) -> tuple[str, ...] | Verdict:
    """Capabilities a location must have; a verdict when a variant is unknown or not the merchant's to order."""
    needs = list(rules.business_needs) if facts.business else []
    # Each variant once: an order of 60,000 lines of one variant may come, and must not take seconds.
    for variant_id in dict.fromkeys(variants):
        variant = network.variants.get(variant_id)
        if variant is None:
            return Verdict.UNKNOWN_VARIANT
        if network.suppliers and (verdict := order_verdict(network, facts.merchant_id, variant)):
            return verdict
        needs += variant.needs
    return tuple(needs)


def _bill(variants: tuple[str, ...], *, network: Network, into: str, rules: Rules) -> tuple[cost.Bill, Verdict]:
    weights: list[int] = []
    supplier: list[int] = []
    sizes: dict[int, tuple[int, int]] = {}
    verdict = OK
    for variant_id in variants:
        variant = network.variants.get(variant_id)
        if variant is None:
            weights.append(0)
            supplier.append(0)
            continue
        rate_e6 = cost.exchange_rate_e6(variant.currency, into, rates_e6=rules.exchange_rates_e6)
        if rate_e6 is None:
            verdict = Verdict.CURRENCY_UNKNOWN
        if variant.length_mm or variant.width_mm or variant.height_mm:
            sizes[len(weights)] = size_of(variant)
        weights.append(variant.weight_g)
        supplier.append(cost.converted(variant.supplier_cost_minor, rate_e6 or 0))
    measured = tuple([sizes.get(index, (0, 0)) for index in range(len(weights))]) if sizes else ()
    return cost.Bill(tuple(weights), tuple(supplier), measured), verdict


def _ceiling(facts: OrderFacts, *, network: Network, rules: Rules) -> tuple[int | None, Verdict]:
    """The order's cost ceiling in the merchant's currency."""
    if facts.cost_ceiling_minor is None:
        return None, OK
    into = currency_of(network, facts)
    rate_e6 = cost.exchange_rate_e6(facts.currency, into, rates_e6=rules.exchange_rates_e6)
    if rate_e6 is None:
        return None, Verdict.CURRENCY_UNKNOWN
    return cost.converted(facts.cost_ceiling_minor, rate_e6), OK


def _limit_ms(network: Network, location: LocationDefined) -> int | None:
    """How old the location's stock may be: the strictest of its feeds, else its partner's limit."""
    by_location: dict[str, list[str]] | None = network.cache.get("feeds_by_location")
    if by_location is None:
        by_location = {}
        for feed in network.feeds.values():
            by_location.setdefault(feed.location_id, []).append(feed.feed_id)
        network.cache["feeds_by_location"] = by_location
    limits = [network.freshness_limit_ms(feed_id) for feed_id in by_location.get(location.location_id, ())]
    known = [limit for limit in limits if limit is not None]
    partner = network.partners.get(location.partner_id)
    return min(known) if known else None if partner is None else partner.freshness_limit_ms
