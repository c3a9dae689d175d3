"""Rules: every value a merchant may differ on, with its default, as one flat immutable value.

In: the parsed mapping of a rule document (its keys are the field names below). Out: `Rules`, which travels inside
RuleSetPublished as MessagePack and is what every stage reads. A document states only what differs from the defaults.
Refused, as RuleError with the path of the key: unknown keys, wrong types, values out of range, and rules that
contradict each other. Durations are `_ms`, money `_minor` in the merchant's currency, scores millionths.
"""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from processors.postcodes import around, problem_of
from processors.zones import known_countries

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
MILLION: Final = 1_000_000

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Minute = Annotated[int, msgspec.Meta(ge=0, le=1439)]
Weekday = Annotated[int, msgspec.Meta(ge=1, le=7)]
Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
CountryPair = tuple[Country, Country]
"""(from, to): a location's country and a destination."""
ZoneName = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$")]
ZonePair = tuple[Country, str]
"""(from, to): a location's country, and a postcode zone (DE:18) or the name of some."""


class RuleError(ValueError):
    """A rule document that cannot be used: where it is wrong, and what would do."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path
        self.detail = detail


class Rules(msgspec.Struct, frozen=True):
    """A merchant's whole rule set."""

    # Weights of the ratings, in points; a rating of weight 0 is shown and not counted.
    weight_stock: Count = 10
    weight_sla: Count = 4
    weight_workload: Count = 2
    weight_cost: Count = 6
    weight_distance: Count = 2
    weight_freshness: Count = 1
    weight_preference: Count = 10
    """Counts only for orders of a channel that `channel_preferences` names."""

    # Normalisation: linear between the best and the worst value. (Age runs from 0 to the feed's own limit.)
    distance_best_m: Count = 0
    distance_worst_m: Count = 1_000_000
    slack_worst_ms: Count = 0
    slack_best_ms: Count = 48 * HOUR_MS
    cost_best_minor: Count = 0
    cost_worst_minor: Count = 2_000

    # Plans.
    splitting_allowed: bool = True
    max_shipments: Positive = 3
    max_shipments_fallback: Positive | None = None
    """Split wider, up to so many, when no plan stands and no further location is left to ask; None: never wider."""
    split_penalty: Annotated[int, msgspec.Meta(ge=0, le=MILLION)] = 100_000
    backorder_allowed: bool = True
    """Wait for stock when nothing else stands; otherwise park at once."""
    partials_allowed: bool = False
    """Partners may accept and ship part of any assignment, whatever the customer said at checkout."""

    # Labels.
    label_on_acceptance: bool = False
    """Ask for a label once a location has decided on all of its assignment."""
    label_retry_ms: Positive = HOUR_MS
    """When a label that no account could carry is asked for again: caps end with the day, outages by themselves."""
    label_preferences: dict[str, tuple[str, ...]] = {}
    """By `SERVICE/COUNTRY`, by service, or for `any`: preferred carrier accounts, the most preferred first."""

    # Which locations are asked.
    shortlist_max: Annotated[int, msgspec.Meta(ge=1, le=200)] = 24
    max_tier: Positive = 9
    max_distance_m: Positive | None = None
    allowed_countries: tuple[CountryPair, ...] = ()
    """Pairs served although the location's `ships_to` does not say so."""
    forbidden_countries: tuple[CountryPair, ...] = ()
    """Pairs never served although `ships_to` says so."""
    zones: dict[ZoneName, tuple[str, ...]] = {}
    """By name: postcode zones that the rules below may speak of together."""
    allowed_zones: tuple[ZonePair, ...] = ()
    """Pairs served although `ships_to` does not name the country."""
    forbidden_zones: tuple[ZonePair, ...] = ()
    """Pairs never served although the country is; an order that does not tell its area finely enough is taken to be there."""
    channel_preferences: dict[str, tuple[str, ...]] = {}
    """By channel: preferred location_ids, the most preferred first."""
    carrier_preference_required: bool = False
    """Whether only the carrier that the customer asked for will do; an order that asks for none may take any."""
    carrier_preference_minor: Count = 300
    """Where it is not required: by how much dearer that carrier may be, in the choice of account and in the cost rating."""
    business_needs: tuple[str, ...] = ("b2b_papers",)
    """Capabilities a location must have for a business order."""

    # Promises, calendars, money.
    assumed_promise_ms: Positive = 5 * DAY_MS
    """What slack is rated against when the customer was promised no date (nothing is fenced then)."""
    delivery_weekdays: tuple[Weekday, ...] = (1, 2, 3, 4, 5, 6)
    """ISO weekdays that count as transit days, and on which parcels arrive."""
    delivery_on_holidays: bool = True
    """Whether the destination country's public holidays are days like others for its carriers."""
    delivery_by_minute: Minute = 20 * 60
    """Local minute of the day by which a parcel due that day has arrived."""
    exchange_rates_e6: dict[Currency, Positive] = {}
    """By foreign currency: millionths of a minor unit of the merchant's currency for one minor unit of it."""

    # Fallback: asking again, waiting, giving up.
    max_reroutes: Count = 5
    ask_again_ms: Positive = 10_000
    """An unanswered request is sent again, for the same attempt."""
    park_retry_ms: Positive = 5 * MINUTE_MS
    """First retry of a parked order; every further one doubles it, up to park_retry_max_ms."""
    park_retry_max_ms: Positive = HOUR_MS
    park_look_ms: Positive = 10_000
    """How often a parked order looks whether rules or heartbeats have changed that could help it."""
    park_expiry_ms: Positive = 8 * HOUR_MS
    backorder_wait_ms: Count = 30 * DAY_MS
    """How long an order waits at most for stock that is announced: until park_expiry_ms after it should have come."""

    # Mapping.
    auto_accept_confidence_e6: Annotated[int, msgspec.Meta(ge=0, le=MILLION)] | None = None
    """A suggestion this likely is taken without a person; None: never."""
    mapping_look_ms: Positive = 15 * MINUTE_MS
    """How often an unmapped SKU looks whether other reference data knows it."""

    # Reservations and events.
    hold_ms: Positive = 5_000
    """How long freed units are held for a woken order."""
    acceptance_expiry_ms: Positive = DAY_MS
    """How long a partner has to accept, unless the location says less."""
    orphan_alert_ms: Positive = HOUR_MS
    shortfall_alert_ms: Positive = MINUTE_MS
    """How long on-hand may stay below reserved, while orders are asked to give units back."""
    inbound_overdue_ms: Positive = 7 * DAY_MS
    """How long units may stay on their way after they left, or should have come, before a person is asked."""
    stock_memory_ms: Positive = 31 * DAY_MS
    """How long ended reservations, and idempotency keys of feeds without sequences, are remembered: longer than
    `dead-letters` keeps a request (30 days) that could be replayed after its reservation was released."""
    pending_event_keep_ms: Positive = DAY_MS
    """How long an event for an order never seen is kept."""
    order_keep_ms: Positive = 400 * DAY_MS
    """How long a finished order is kept, so that it is recognised when it is sent again."""

    # Tracking, closing and reconciliation.
    silent_shipment_ms: Positive = 48 * HOUR_MS
    silent_shipment_carrier_ms: dict[str, Positive] = {}
    """By carrier, where it differs."""
    return_window_ms: Positive = 30 * DAY_MS
    """After delivery, until the order closes itself."""
    unlinked_reference_ms: Positive = DAY_MS
    """How long a financial record may wait for its order before it is alerted."""
    late_window_ms: Positive = 30 * DAY_MS
    """After closing: a record later than this is alerted as LATE_ENTRY even when it explains a difference."""
    reconciliation_tolerance_minor: Count = 0
    reconcile_grace_ms: Count = MINUTE_MS
    """After an order's end, until it is reconciled: for records still on their way through intake."""
    channel_fee_bp: dict[str, Annotated[int, msgspec.Meta(ge=0, le=10_000)]] = {}
    """By channel: the fee it takes of an order's total, in hundredths of a percent; unchecked where none is stated."""


DEFAULT_RULES: Final = Rules()

_WEIGHTS: Final = tuple(name for name in Rules.__struct_fields__ if name.startswith("weight_"))


def rules_from(document: Mapping[str, Any]) -> Rules:
    """The rules a document states, defaults filled in."""
    if not isinstance(document, Mapping):
        raise RuleError("$", f"a rule document is a mapping of rule to value, not {type(document).__name__}")
    for key in document:
        if key not in Rules.__struct_fields__:
            raise RuleError(str(key), f"no such rule{_similar(str(key))}")
    try:
        rules = msgspec.convert(dict(document), Rules)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        raise RuleError(_path(where, document), what) from None
    check(rules)
    return rules


def _similar(key: str) -> str:
    """The rule that was probably meant, as a hint."""
    near = difflib.get_close_matches(key, Rules.__struct_fields__, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _path(where: str, document: Mapping[str, Any]) -> str:
    """Msgspec's place as the path an author knows: it hides the key of a mapping's entry, so that is looked up."""
    path = where.strip("`").removeprefix("$.").removeprefix("key` in `$.")
    name, _, rest = path.partition("[...]")
    entries = document[name.partition("[")[0]]
    if isinstance(entries, Mapping) and len(entries) > 0:
        wrong = next(key for key in entries if not _converts(name, {key: entries[key]}))
        return f"{name}.{wrong}{rest}"
    return path


def _converts(name: str, entry: Mapping[Any, Any]) -> bool:
    try:
        msgspec.convert({name: entry}, Rules)
    except msgspec.ValidationError:
        return False
    return True


def check(rules: Rules) -> None:
    """What no single value shows: rules that contradict each other. Whoever reads a compiled rule set asks too."""
    if not any(getattr(rules, name) for name in _WEIGHTS if name != "weight_preference"):
        raise RuleError("weight_stock", "at least one weight besides weight_preference must be above 0")
    for low, high in (
        ("distance_best_m", "distance_worst_m"),
        ("slack_worst_ms", "slack_best_ms"),
        ("cost_best_minor", "cost_worst_minor"),
    ):
        if getattr(rules, low) >= getattr(rules, high):
            raise RuleError(low, f"must be below {high} ({getattr(rules, high)})")
    for low, high in (("max_shipments", "max_shipments_fallback"), ("park_retry_ms", "park_retry_max_ms")):
        most = getattr(rules, high)
        if most is not None and most < getattr(rules, low):
            raise RuleError(high, f"must be at least {low} ({getattr(rules, low)})")
    _check_destinations(rules)
    if not rules.delivery_weekdays:
        raise RuleError("delivery_weekdays", "at least one weekday must be named")
    for name, what in (("channel_preferences", "a location"), ("label_preferences", "an account")):
        for key, preferred in getattr(rules, name).items():
            if len(set(preferred)) < len(preferred):
                raise RuleError(f"{name}.{key}", f"{what} is named twice")


def _check_destinations(rules: Rules) -> None:
    for name in ("allowed_countries", "forbidden_countries"):
        for index, pair in enumerate(getattr(rules, name)):
            for place, code in enumerate(pair):
                if code not in known_countries():
                    raise RuleError(f"{name}[{index}][{place}]", f"country {code!r} is none of ISO 3166-1, such as DE")
    both = sorted(set(rules.allowed_countries) & set(rules.forbidden_countries))
    if both:
        raise RuleError("allowed_countries", f"{both[0][0]} to {both[0][1]} is in forbidden_countries too; keep one")
    _check_zones(rules)


def _check_zones(rules: Rules) -> None:
    for zone_name, zones in rules.zones.items():
        for index, zone in enumerate(zones):
            if problem := problem_of(zone):
                raise RuleError(f"zones.{zone_name}[{index}]", problem)
    for name in ("allowed_zones", "forbidden_zones"):
        for index, (country, zone) in enumerate(getattr(rules, name)):
            if country not in known_countries():
                raise RuleError(f"{name}[{index}][0]", f"country {country!r} is none of ISO 3166-1, such as DE")
            if zone not in rules.zones and (problem := problem_of(zone)):
                raise RuleError(f"{name}[{index}][1]", f"{problem}, nor the name of one in `zones`")
    _check_allowed(rules)


def _check_allowed(rules: Rules) -> None:
    """Nothing is allowed that is forbidden. The other way round is an exception, and means what it says."""
    forbidden: dict[str, set[str]] = {}
    for country, to in rules.forbidden_countries:
        forbidden.setdefault(country, set()).add(to)
    for country, zone in rules.forbidden_zones:
        forbidden.setdefault(country, set()).update(zones_of(rules, zone))
    for index, (country, name) in enumerate(rules.allowed_zones):
        for zone in zones_of(rules, name):
            outer = around(zone, forbidden.get(country, ()))
            if outer is not None:
                detail = f"{country} to {zone} lies in {outer}, which is forbidden from there: keep one"
                raise RuleError(f"allowed_zones[{index}]", detail)


def zones_of(rules: Rules, zone: str) -> tuple[str, ...]:
    """The postcode zones of a name, or the zone itself."""
    return rules.zones.get(zone, (zone,))
