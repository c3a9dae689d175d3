"""Changes: one thing about one location, or about the order's promise, that could be otherwise.

In: a `Change` and the `Inputs` of an evaluation. Out: the inputs as they would have been, for `route()` to judge; the
given ones stay as they are. Amounts are whole numbers in the change's unit (units of stock, ms, metres, minor units of
a currency, slots; 1 where a thing is or is not). Nothing is refused: a change that means nothing changes nothing.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from processors.money import show as money
from processors.network import Network, RuleSet
from processors.network import changed as changed_network
from processors.postcodes import areas_of, touches
from processors.routing.calendars import QUARTER_MS, local_date
from processors.routing.facts import Known, Offer, Offers, OrderFacts, Shortlist
from processors.routing.geo import distance_m, point, turn_e6
from processors.routing.steps import capacity
from processors.rules import Rules, zones_of
from schemas.records.network import LocationDefined
from schemas.records.operations import FeedStatusChanged, LocationLoadChanged


class Inputs(msgspec.Struct, frozen=True):
    """All that `route()` is given."""

    facts: OrderFacts
    shortlist: Shortlist
    offers: Offers
    network: Network
    known: Known
    now_at: int


class Kind(StrEnum):
    """What could be otherwise; a kind's name is what `fsn explain --json` says."""

    STOCK = "stock"
    COUNT = "count"
    HEARTBEAT = "heartbeat"
    SLOTS = "slots"
    COST = "cost"
    DISTANCE = "distance"
    HANDLING = "handling"
    PROMISE = "promise"
    CEILING = "ceiling"
    COUNTRY = "country"
    POSTCODE = "postcode"
    ACCOUNT = "account"
    PARCELS = "parcels"
    SERVICE_TYPE = "service_type"
    CAPABILITY = "capability"


class Change(msgspec.Struct, frozen=True):
    """One change: how much of what, where, and in words.

    detail: which variant, country, postcode area, account, service type or capability; empty where none is meant
    unit: units, ms, m, slots, a currency (its minor units), or once
    """

    kind: Kind
    location_id: str
    amount: int
    unit: str
    detail: str = ""

    @property
    def words(self) -> str:
        """For people; durations and distances are rounded up."""
        return _WORDS[self.kind](self)


def apply(change: Change, inputs: Inputs) -> Inputs:
    """The inputs, with this one thing otherwise."""
    return _APPLY[change.kind](change, inputs)


def oldest_ms(inputs: Inputs, location_id: str) -> int:
    """The age of the oldest stock the location offers to this order; 0 where it offers nothing."""
    status = inputs.known.feed_status(location_id)
    complete_to_at = 0 if status is None else status.complete_to_at
    updated = [
        max(offer.updated_at, complete_to_at)
        for offer in _offered(inputs, location_id).values()
        if offer.stocked and offer.available > 0
    ]
    return max(inputs.now_at - min(updated, default=inputs.now_at), 0)


def load_of(inputs: Inputs, location: LocationDefined) -> tuple[int, int]:
    """(used, cap) of the location's today."""
    today = local_date(location.timezone, inputs.now_at // QUARTER_MS)
    return capacity.today(inputs.known.load(location.location_id), today, daily_slots=location.daily_slots)


def distance_of(inputs: Inputs, location: LocationDefined) -> int:
    """From the location to the order's destination."""
    here = point(inputs.facts.latitude_e6, inputs.facts.longitude_e6)
    return distance_m(here, point(location.latitude_e6, location.longitude_e6))


def narrowed(inputs: Inputs) -> Inputs:
    """The same evaluation over a network of the shortlisted locations alone, which is all that `route()` reads of it."""
    asked = frozenset(inputs.shortlist.location_ids)
    network = inputs.network
    locations = {name: location for name, location in network.locations.items() if name in asked}
    feeds = {name: feed for name, feed in network.feeds.items() if feed.location_id in asked}
    return _replace(inputs, network=changed_network(network, locations=locations, feeds=feeds))


def _stock(change: Change, inputs: Inputs) -> Inputs:
    offers = inputs.offers.get(change.detail, {})
    offer = offers.get(change.location_id)
    if offer is None or not offer.stocked:
        offer = Offer(0, inputs.now_at, stocked=True, gapped=False)
    grown = msgspec.structs.replace(offer, available=max(offer.available, 0) + change.amount)
    return _replace(inputs, offers={**inputs.offers, change.detail: {**offers, change.location_id: grown}})


def _count(change: Change, inputs: Inputs) -> Inputs:
    offers: dict[str, Mapping[str, Offer]] = dict(inputs.offers)
    for variant_id, offer in _offered(inputs, change.location_id).items():
        counted = msgspec.structs.replace(offer, gapped=False)
        offers[variant_id] = {**offers[variant_id], change.location_id: counted}
    return _replace(inputs, offers=offers)


def _heartbeat(change: Change, inputs: Inputs) -> Inputs:
    """Measured from the oldest item on: a heartbeat older than that would say nothing new."""
    location_id, now_at = change.location_id, inputs.now_at
    complete_to_at = now_at - oldest_ms(inputs, location_id) + change.amount
    status = FeedStatusChanged("", location_id, complete_to_at, stale=False, as_of=now_at)
    heard = inputs.known.feed_status
    return _replace(
        inputs, known=_known(inputs, feed_status=lambda asked: status if asked == location_id else heard(asked))
    )


def _slots(change: Change, inputs: Inputs) -> Inputs:
    location = inputs.network.locations[change.location_id]
    used, cap = load_of(inputs, location)
    today = local_date(location.timezone, inputs.now_at // QUARTER_MS) or ""
    load = LocationLoadChanged(location.location_id, today, used, cap + change.amount, inputs.now_at)
    heard = inputs.known.load
    return _replace(
        inputs, known=_known(inputs, load=lambda asked: load if asked == load.location_id else heard(asked))
    )


def _cost(change: Change, inputs: Inputs) -> Inputs:
    location = inputs.network.locations[change.location_id]
    return _moved(inputs, location, handling_cost_minor=location.handling_cost_minor - change.amount)


def _distance(change: Change, inputs: Inputs) -> Inputs:
    """Moved to the meridian of the destination, where a millionth of a degree is a tenth of a metre."""
    location = inputs.network.locations[change.location_id]
    away_m = distance_of(inputs, location) - change.amount
    facts = inputs.facts
    return _moved(inputs, location, latitude_e6=facts.latitude_e6 - turn_e6(away_m), longitude_e6=facts.longitude_e6)


def _handling(change: Change, inputs: Inputs) -> Inputs:
    location = inputs.network.locations[change.location_id]
    week = tuple([each - change.amount for each in location.weekday_handling_ms])
    return _moved(inputs, location, handling_ms=location.handling_ms - change.amount, weekday_handling_ms=week)


def _promise(change: Change, inputs: Inputs) -> Inputs:
    promised_at = inputs.facts.promised_at
    later = None if promised_at is None else promised_at + change.amount
    return _replace(inputs, facts=msgspec.structs.replace(inputs.facts, promised_at=later))


def _ceiling(change: Change, inputs: Inputs) -> Inputs:
    ceiling_minor = inputs.facts.cost_ceiling_minor
    raised = None if ceiling_minor is None else ceiling_minor + change.amount
    return _replace(inputs, facts=msgspec.structs.replace(inputs.facts, cost_ceiling_minor=raised))


def _country(change: Change, inputs: Inputs) -> Inputs:
    """`ships_to` says so; and of this merchant's rules none forbids the pair any more."""
    location = inputs.network.locations[change.location_id]
    inputs = _moved(inputs, location, ships_to=(*location.ships_to, change.detail))
    rule_set = inputs.network.rules_of(inputs.facts.merchant_id)
    pair = location.country, change.detail
    if pair not in rule_set.rules.forbidden_countries:
        return inputs
    forbidden = tuple([known for known in rule_set.rules.forbidden_countries if known != pair])
    return _ruled(inputs, msgspec.structs.replace(rule_set.rules, forbidden_countries=forbidden))


def _postcode(change: Change, inputs: Inputs) -> Inputs:
    """The location serves the area, and of this merchant's rules none forbids it any more."""
    location, area = inputs.network.locations[change.location_id], change.detail
    zone = f"{inputs.facts.country}:{area}"
    served = (*location.served_zones, zone) if areas_of(location.served_zones, zone[:2]) else location.served_zones
    prefixes = (*location.postcode_prefixes, area) if location.postcode_prefixes else ()
    refused = _elsewhere(location.refused_zones, zone)
    ships_to = tuple(dict.fromkeys((*location.ships_to, zone[:2])))
    inputs = _moved(
        inputs, location, served_zones=served, postcode_prefixes=prefixes, refused_zones=refused, ships_to=ships_to
    )
    rules = inputs.network.rules_of(inputs.facts.merchant_id).rules
    forbidden = [
        (country, left)
        for country, name in rules.forbidden_zones
        for left in _elsewhere(zones_of(rules, name), zone if country == location.country else "")
    ]
    return _ruled(inputs, msgspec.structs.replace(rules, forbidden_zones=tuple(forbidden)))


def _account(change: Change, inputs: Inputs) -> Inputs:
    location = inputs.network.locations[change.location_id]
    return _moved(inputs, location, carrier_account_ids=(*location.carrier_account_ids, change.detail))


def _parcels(change: Change, inputs: Inputs) -> Inputs:
    return _replace(inputs, known=_known(inputs, full=inputs.known.full - {change.detail}))


def _service_type(change: Change, inputs: Inputs) -> Inputs:
    location = inputs.network.locations[change.location_id]
    return _moved(inputs, location, services=(*location.services, change.detail))


def _capability(change: Change, inputs: Inputs) -> Inputs:
    location = inputs.network.locations[change.location_id]
    return _moved(inputs, location, capabilities=(*location.capabilities, change.detail))


_APPLY: Final[Mapping[Kind, Callable[[Change, Inputs], Inputs]]] = {
    Kind.STOCK: _stock,
    Kind.COUNT: _count,
    Kind.HEARTBEAT: _heartbeat,
    Kind.SLOTS: _slots,
    Kind.COST: _cost,
    Kind.DISTANCE: _distance,
    Kind.HANDLING: _handling,
    Kind.PROMISE: _promise,
    Kind.CEILING: _ceiling,
    Kind.COUNTRY: _country,
    Kind.POSTCODE: _postcode,
    Kind.ACCOUNT: _account,
    Kind.PARCELS: _parcels,
    Kind.SERVICE_TYPE: _service_type,
    Kind.CAPABILITY: _capability,
}

_WORDS: Final[Mapping[Kind, Callable[[Change], str]]] = {
    Kind.STOCK: lambda it: f"{it.amount:,} more unit{'s' * (it.amount > 1)} of {it.detail}",
    Kind.COUNT: lambda _: "a count that closes the gap in its stock reports",
    Kind.HEARTBEAT: lambda it: f"heartbeat {_duration(it.amount)} fresher",
    Kind.SLOTS: lambda it: f"{it.amount:,} more slot{'s' * (it.amount > 1)} today",
    Kind.COST: lambda it: f"{money(it.amount, it.unit)} cheaper to send from there",
    Kind.DISTANCE: lambda it: f"{_length(it.amount)} nearer",
    Kind.HANDLING: lambda it: f"{_duration(it.amount)} less handling time",
    Kind.PROMISE: lambda it: f"promised {_duration(it.amount)} later",
    Kind.CEILING: lambda it: f"the order may cost {money(it.amount, it.unit)} more",
    Kind.COUNTRY: lambda it: f"may ship to {it.detail}",
    Kind.POSTCODE: lambda it: f"may ship to postcode area {it.detail}",
    Kind.ACCOUNT: lambda it: f"may use the carrier account {it.detail}",
    Kind.PARCELS: lambda it: f"a parcel left today on the carrier account {it.detail}",
    Kind.SERVICE_TYPE: lambda it: f"offers {it.detail}",
    Kind.CAPABILITY: lambda it: f"has {it.detail}",
}


def _offered(inputs: Inputs, location_id: str) -> dict[str, Offer]:
    """What the location offers of the order's variants."""
    found: dict[str, Offer] = {}
    for variant_id, by_location in inputs.offers.items():
        offer = by_location.get(location_id)
        if offer is not None:
            found[variant_id] = offer
    return found


def _known(inputs: Inputs, **fields: Any) -> Known:
    return msgspec.structs.replace(inputs.known, **fields)


def _moved(inputs: Inputs, location: LocationDefined, **fields: Any) -> Inputs:
    changed = {**inputs.network.locations, location.location_id: msgspec.structs.replace(location, **fields)}
    return _replace(inputs, network=changed_network(inputs.network, locations=changed))


def _ruled(inputs: Inputs, rules: Rules) -> Inputs:
    """Under other rules of the merchant."""
    rule_set = inputs.network.rules_of(inputs.facts.merchant_id)
    changed = {**inputs.network.rule_sets, rule_set.rule_set_id: RuleSet(rule_set.rule_set_id, rule_set.version, rules)}
    return _replace(inputs, network=changed_network(inputs.network, rule_sets=changed))


def _elsewhere(zones: tuple[str, ...], zone: str) -> tuple[str, ...]:
    """Those of the zones that this one does not touch."""
    return tuple([one for one in zones if one[:2] != zone[:2] or not touches(zone[3:], (one[3:],))])


def _replace(inputs: Inputs, **fields: Any) -> Inputs:
    return msgspec.structs.replace(inputs, **fields)


def _duration(ms: int) -> str:
    if ms < 1_000:
        return f"{ms} ms"
    seconds = -(-ms // 1_000)
    parts = ((seconds // 86_400, "d"), (seconds // 3_600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return " ".join([f"{number} {unit}" for number, unit in parts if number])


def _length(metres: int) -> str:
    if metres < 1_000:
        return f"{metres} m"
    tenths = -(-metres // 100)
    return f"{tenths // 10:,}.{tenths % 10} km"
