"""Usable: which records of `network` may be applied, and what is wrong with the others.

In: one record. Out: nothing, or a reason and a sentence that names the entity, the field and the mend. What would have been
replaced stays in force. Only what can never be right is refused here: a name of another record that is not there (yet)
is no error, for the order of records is free, and routing has a verdict for it.
"""

from collections.abc import Iterable, Iterator
from datetime import date

import msgspec

from processors.holidays import is_known
from processors.network import LEVELS, RANK, REFERENCE_DATA, SCOPES, grant_key
from processors.postcodes import around, problem_of
from processors.reasons import Reason
from processors.rules import RuleError, Rules, check
from processors.versions import ACTIVATION_STATES, STATUSES
from processors.zones import known_countries, known_zones
from schemas.records.base import Record
from schemas.records.catalogues import CatalogueActivated, CatalogueReleased
from schemas.records.network import (
    CarrierAccountDefined,
    EntitlementGranted,
    FeedDefined,
    LocationDefined,
    MerchantDefined,
    PartnerDefined,
    RuleSetPublished,
    VariantDefined,
)

MEASURES = ("weight_g", "length_mm", "width_mm", "height_mm")
LIMITS = ("volumetric_divisor", "max_weight_g", "max_length_mm", "oversize_length_mm", "oversize_minor")
SEQUENCES = ("contiguous", "monotonic", "none")
SHIPMENT_DELTAS = ("referenced", "unreferenced", "none")


def why_unusable(record: Record) -> tuple[Reason, str] | None:
    """Why this record cannot be applied; None where it can. Whoever reads reference data asks before `fold`."""
    if not isinstance(record, REFERENCE_DATA):
        return Reason.UNDECLARED_RECORD, f"{type(record).__name__} is not reference data: see topology.yaml"
    for problem in _problems(record):
        return Reason.INVALID_VALUE, f"{problem}; what was in force before stays so"
    return None


def _problems(record: Record) -> Iterator[str]:
    match record:
        case MerchantDefined():
            yield from _named(f"merchant {record.merchant_id}", _country(record.country), _currency(record.currency))
        case PartnerDefined():
            limit = _least("freshness_limit_ms", record.freshness_limit_ms, 1)
            yield from _named(f"partner {record.partner_id}", _country(record.country), limit)
        case LocationDefined():
            yield from _named(f"location {record.location_id}", _location(record))
        case FeedDefined():
            yield from _named(f"feed {record.feed_id}", _feed(record))
        case VariantDefined():
            cost = _least("supplier_cost_minor", record.supplier_cost_minor, 0)
            measured = [_least(name, getattr(record, name), 0) for name in MEASURES]
            yield from _named(f"variant {record.variant_id}", _currency(record.currency), cost, *measured)
        case CarrierAccountDefined():
            yield from _named(f"account {record.account_id}", _account(record))
        case RuleSetPublished():
            yield from _named(f"rule set {record.rule_set_id} version {record.version}", _rule_set(record))
        case EntitlementGranted():
            yield from _named(f"entitlement {'/'.join(grant_key(record))}", _grant(record))
        case CatalogueReleased():
            counts = _least("version", record.version, 1), _least("variants", record.variants, 0)
            tenants = _one_tenant("catalogue and supplier", record.catalogue_id, record.supplier_id)
            yield from _named(f"catalogue {record.catalogue_id}", *counts, tenants)
        case CatalogueActivated():
            name = f"activation of {record.catalogue_id} by {record.merchant_id}"
            tenants = _one_tenant("catalogue and merchant", record.catalogue_id, record.merchant_id)
            yield from _named(name, _least("version", record.version, 1), _activation(record), tenants)


def _named(name: str, *problems: Iterable[str]) -> Iterator[str]:
    return (f"{name}: {problem}" for found in problems for problem in found)


def _location(record: LocationDefined) -> Iterator[str]:
    latitude, longitude = record.latitude_e6, record.longitude_e6
    if (latitude, longitude) == (0, 0) or abs(latitude) > 90_000_000 or abs(longitude) > 180_000_000:
        yield f"({latitude}, {longitude}) is no place to ship from: send its coordinates in millionths of a degree"
    yield from _country(record.country)
    for country in record.ships_to:
        yield from _country(country)
    yield from _currency(record.currency)
    yield from _zones(record)
    yield from _calendar(record)
    yield from _least("tier", record.tier, 1)
    for name in ("daily_slots", "handling_ms", "handling_cost_minor", "unit_cost_minor", "safety_stock"):
        yield from _least(name, getattr(record, name), 0)
    yield from _least("accept_within_ms", record.accept_within_ms, 1)


def _zones(record: LocationDefined) -> Iterator[str]:
    for name in ("served_zones", "refused_zones"):
        for zone in getattr(record, name):
            if problem := problem_of(zone):
                yield f"{name}: {problem}"
    for zone in record.served_zones:
        outer = around(zone, record.refused_zones)
        if outer is not None:
            yield f"served_zones names {zone}, which lies in {outer} of refused_zones: keep one"


def _calendar(record: LocationDefined) -> Iterator[str]:
    if record.timezone not in known_zones():
        yield f"time zone {record.timezone!r} is not in the IANA list, such as Europe/Berlin"
    if record.holiday_region and not is_known(record.holiday_region):
        yield f"holiday_region {record.holiday_region!r} is neither a country nor a region of one, such as DE-BE"
    for name in ("closed_dates", "open_dates"):
        for day in getattr(record, name):
            if not _is_date(day):
                yield f"{name} holds {day!r}: write days as 2026-12-24"
    both = sorted(set(record.closed_dates) & set(record.open_dates))
    if both:
        yield f"{both[0]} is in closed_dates and in open_dates: keep one"
    if not record.working_days and not record.open_dates:
        yield "working_days and open_dates are empty, so that it never ships: name a day, or retire it"
    if not set(record.working_days) <= set(range(1, 8)):
        yield f"working_days are {list(record.working_days)}: ISO weekdays are 1 (Monday) to 7"
    yield from _week(record)


def _week(record: LocationDefined) -> Iterator[str]:
    for name, minute in (
        ("cutoff_minute", record.cutoff_minute),
        *(("weekday_cutoffs", minute) for minute in record.weekday_cutoffs),
    ):
        if not 0 <= minute < 24 * 60:
            yield f"{name} is {minute}: minutes of a day are 0 to 1439"
    for name in ("weekday_cutoffs", "weekday_handling_ms"):
        values = getattr(record, name)
        if len(values) not in (0, 7):
            yield f"{name} has {len(values)} values: send one for each weekday from Monday on, or none"
    for handling_ms in record.weekday_handling_ms:
        yield from _least("weekday_handling_ms", handling_ms, 0)


def _feed(record: FeedDefined) -> Iterator[str]:
    for name, known in (("sequences", SEQUENCES), ("shipment_deltas", SHIPMENT_DELTAS)):
        if getattr(record, name) not in known:
            yield f"{name} is {getattr(record, name)!r}: it is one of {', '.join(known)}"
    if record.freshness_limit_ms is not None:
        yield from _least("freshness_limit_ms", record.freshness_limit_ms, 1)


def _account(record: CarrierAccountDefined) -> Iterator[str]:
    yield from _currency(record.currency)
    countries = record.countries
    for country in countries:
        yield from _country(country)
    if len(set(countries)) < len(countries):
        twice = next(country for country in countries if countries.count(country) > 1)
        yield f"countries names {twice} twice: its zones overlap"
    for name in ("transit_days", "base_cost_minor"):
        values: tuple[int, ...] = getattr(record, name)
        if len(values) != len(countries):
            yield f"{name} has {len(values)} values for {len(countries)} countries: send one for each"
        for value in values:
            yield from _least(name, value, 0)
    for name in ("cost_per_kg_minor", "daily_slots", *LIMITS):
        yield from _least(name, getattr(record, name), 0)
    if 0 < record.max_length_mm <= record.oversize_length_mm:
        longest, oversize = record.max_length_mm, record.oversize_length_mm
        yield f"oversize_length_mm is {oversize}, and nothing longer than {longest} (max_length_mm) is carried: lower it"
    yield from _rates(record)


def _rates(record: CarrierAccountDefined) -> Iterator[str]:
    seen = set(record.countries)
    for rate in record.zone_rates:
        if problem := problem_of(rate.zone):
            yield f"zone_rates: {problem}"
        if rate.zone in seen:
            yield f"zone_rates names {rate.zone}, which has a rate already: its zones overlap; keep one"
        seen.add(rate.zone)
        for name in ("transit_days", "base_cost_minor"):
            yield from _least(f"{name} of {rate.zone}", getattr(rate, name), 0)
        lightest_g = 0
        for band in rate.bands:
            if band.up_to_g <= lightest_g:
                yield f"bands of {rate.zone} go from {lightest_g} to {band.up_to_g} g: name each weight once, lightest first"
            yield from _least(f"cost_minor up to {band.up_to_g} g of {rate.zone}", band.cost_minor, 0)
            lightest_g = band.up_to_g


def _rule_set(record: RuleSetPublished) -> Iterator[str]:
    if record.status not in STATUSES:
        yield f"status is {record.status!r}: it is one of {', '.join(STATUSES)}"
    yield from _least("version", record.version, 1)
    try:
        check(msgspec.msgpack.decode(record.compiled, type=Rules))
    except RuleError as error:
        yield str(error)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield f"cannot be read ({error})"


def _grant(grant: EntitlementGranted) -> Iterator[str]:
    if grant.level not in RANK:
        yield f"level {grant.level!r} is unknown: use one of {', '.join(LEVELS)}"
    if grant.scope not in SCOPES:
        yield f"scope {grant.scope!r} is unknown: use one of {', '.join(SCOPES)}"
    if grant.scope == "merchant" and grant.scope_id != grant.merchant_id:
        yield "a grant of scope merchant names the merchant itself as scope_id"
    yield from _one_tenant("supplier, merchant and scope_id", grant.supplier_id, grant.merchant_id, grant.scope_id)


def _activation(record: CatalogueActivated) -> Iterator[str]:
    if record.state not in ACTIVATION_STATES:
        yield f"state is {record.state!r}: it is one of {', '.join(ACTIVATION_STATES)}"


def _one_tenant(what: str, *ids: str) -> Iterator[str]:
    tenants = {one.partition("|")[0] for one in ids}
    if len(tenants) > 1:
        yield f"{what} belong to several tenants ({', '.join(sorted(tenants))})"


def _country(code: str) -> Iterator[str]:
    if code not in known_countries():
        yield f"country {code!r} is none of ISO 3166-1, such as DE"


def _currency(code: str) -> Iterator[str]:
    if len(code) != 3 or not (code.isascii() and code.isalpha() and code.isupper()):
        yield f"currency {code!r} is not three capital letters of ISO 4217, such as EUR"


def _least(name: str, value: int, least: int) -> Iterator[str]:
    if value < least:
        yield f"{name} is {value}: at least {least} is needed"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
