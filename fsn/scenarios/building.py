"""Building: what a scenario says is given, as the records of a small network with sensible defaults.

In: the `given` of a scenario (location, variant and account by short name, each with what differs from the defaults).
Out: records of `network`, with ids as `acme|loc_berlin`. Refused, as GivenError with the key's path: an unknown key, a
value of the wrong kind, a rule that `processors.rules` refuses.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import yaml

from processors.routing.geo import turn_e6
from processors.rules import RuleError, rules_from
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
    SupplierDefined,
    VariantDefined,
)
from schemas.topology import unknown_key
from schemas.topology_checks import Place

TENANT: Final = "acme"
MERCHANT: Final = f"{TENANT}|merchant_shop"
NOW_AT: Final = int(datetime(2026, 6, 1, 8, tzinfo=UTC).timestamp()) * 1_000
"""A Monday, ten o'clock in Berlin."""
HOME: Final = {"latitude_e6": 52_520_000, "longitude_e6": 13_400_000}
"""Where the customer lives."""
HOUR_MS: Final = 3_600_000

KINDS: Final = {
    "locations": "loc",
    "variants": "var",
    "accounts": "acc",
    "merchants": "merchant",
    "suppliers": "supplier",
    "catalogues": "cat",
}
LOCATION: Final[dict[str, Any]] = {
    "country": "DE",
    "postcode": "10115",
    "timezone": "Europe/Berlin",
    "tier": 1,
    "ships_to": ["DE"],
    "postcode_prefixes": [],
    "services": ["ship_from_warehouse"],
    "capabilities": [],
    "daily_slots": 100,
    "cutoff_minute": 960,
    "working_days": [1, 2, 3, 4, 5],
    "handling_ms": HOUR_MS,
    "handling_cost_minor": 100,
    "unit_cost_minor": 10,
    "currency": "EUR",
    "accept_within_ms": 4 * HOUR_MS,
    "safety_stock": 0,
}
VARIANT: Final[dict[str, Any]] = {
    "gtin": None,
    "supplier_id": None,
    "supplier_cost_minor": 0,
    "currency": "EUR",
    "weight_g": 500,
    "needs": [],
}
ACCOUNT: Final[dict[str, Any]] = {
    "carrier": "dhl_parcel_de",
    "owner_id": MERCHANT,
    "role": "primary",
    "services": ["standard", "express"],
    "countries": ["DE"],
    "transit_days": [1],
    "base_cost_minor": [500],
    "cost_per_kg_minor": 0,
    "currency": "EUR",
    "b2b_only": False,
    "daily_slots": 1_000,
}
GRANT: Final[dict[str, Any]] = {
    "supplier_id": f"{TENANT}|supplier_tools",
    "merchant_id": MERCHANT,
    "scope": "merchant",
    "scope_id": MERCHANT,
    "level": "order_allowed",
}
ACTIVATION: Final[dict[str, Any]] = {
    "merchant_id": MERCHANT,
    "catalogue_id": f"{TENANT}|cat_spring",
    "version": 1,
    "state": "pending",
}
LOCATION_ALSO: Final = ("accounts", "freshness_limit_ms", "km", "partials_allowed")
DEFAULTS: Final[dict[str, Any]] = {
    "locations": {},
    "variants": {"hat": {}, "mug": {}, "shirt": {}, "shoes": {}},
    "accounts": {"dhl": {}},
    "rules": {},
    "shadow": None,
    "merchants": {"shop": {}},
    "suppliers": {},
    "catalogues": {},
    "activations": {},
    "grants": {},
}


class GivenError(ValueError):
    """Something given that is no part of a network: where it stands, and the mend."""

    def __init__(self, path: Place, detail: str) -> None:
        super().__init__(detail)
        self.path = path


def id_of(kind: str, name: str) -> str:
    """The id of a short name: `berlin` of `locations` is `acme|loc_berlin`."""
    return f"{TENANT}|{KINDS[kind]}_{name}"


def name_of(entity_id: str) -> str:
    """The short name of an id."""
    return entity_id.rpartition("|")[2].partition("_")[2] or entity_id


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings laid over each other; null takes out what lies below."""
    result = dict(below)
    for key, value in above.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = merged({}, value) if isinstance(value, Mapping) else value
    return result


def network_of(given: Mapping[str, Any], *, version: int = 1) -> Iterator[Record]:
    """Every record of the network, in an order in which each knows those it names."""
    rules, shadow = given.get("rules", {}), given.get("shadow")
    yield _rule_set(rules, 2 * version - 1)
    if shadow is not None:
        yield _rule_set(merged(rules, shadow), 2 * version, status="shadow")
    merchant: dict[str, Any] = {"currency": "EUR", "country": "DE", "rule_set_id": f"{TENANT}|rules"}
    for name, own in given.get("merchants", {}).items():
        key = {"merchant_id": id_of("merchants", name)}
        yield _record(MerchantDefined, key, {**merchant, "name": name}, own, ("merchants", name))
    for name, own in given.get("accounts", {}).items():
        key = {"account_id": id_of("accounts", name)}
        yield _record(CarrierAccountDefined, key, ACCOUNT, own, ("accounts", name))
    for name, own in given.get("variants", {}).items():
        key = {"variant_id": id_of("variants", name)}
        yield _record(VariantDefined, key, {**VARIANT, "title": name}, own, ("variants", name))
    for name, own in given.get("suppliers", {}).items():
        key = {"supplier_id": id_of("suppliers", name)}
        yield _record(SupplierDefined, key, {"name": name}, own, ("suppliers", name))
    for name, own in given.get("catalogues", {}).items():
        release = {"supplier_id": f"{TENANT}|supplier_tools", "version": 1, "variants": 1}
        yield _record(
            CatalogueReleased, {"catalogue_id": id_of("catalogues", name)}, release, own, ("catalogues", name)
        )
    for name, own in given.get("activations", {}).items():
        yield _record(CatalogueActivated, {}, ACTIVATION, own, ("activations", name))
    for name, own in given.get("grants", {}).items():
        yield _record(EntitlementGranted, {}, GRANT, own, ("grants", name))
    for name, own in given.get("locations", {}).items():
        yield from _location(name, own, ("locations", name))


def _location(name: str, own: Any, path: Place) -> Iterator[Record]:
    location_id, partner_id = id_of("locations", name), f"{TENANT}|partner_{name}"
    if not isinstance(own, Mapping):
        raise GivenError(path, "says nothing; write {} for the defaults")
    rest = {key: value for key, value in own.items() if key not in LOCATION_ALSO}
    km = own.get("km", 1)
    if isinstance(km, bool) or not isinstance(km, int | float) or not 0 <= km <= 4_000:
        raise GivenError((*path, "km"), f"{km!r} is no distance from the customer; write 0 to 4000 kilometres")
    accounts = own.get("accounts", ["dhl"])
    if not isinstance(accounts, list):
        raise GivenError((*path, "accounts"), "is no list; write [dhl]")
    place = {"latitude_e6": HOME["latitude_e6"] - turn_e6(round(km * 1_000)), "longitude_e6": HOME["longitude_e6"]}
    owned = {"carrier_account_ids": [id_of("accounts", str(account)) for account in accounts]}
    defaults = {**LOCATION, **place, **owned, "name": name, "partner_id": partner_id}
    partner: dict[str, Any] = {"name": name, "country": "DE", "freshness_limit_ms": HOUR_MS}
    theirs = {key: own[key] for key in ("freshness_limit_ms", "partials_allowed") if key in own}
    yield _record(PartnerDefined, {"partner_id": partner_id}, partner, theirs, path)
    yield _record(LocationDefined, {"location_id": location_id}, defaults, rest, path, also=LOCATION_ALSO)
    runs_it = str(own.get("partner_id", partner_id))
    yield FeedDefined(f"{location_id}|feed", runs_it, location_id, "contiguous", "none")


def _record(
    kind: type[Record],
    key: dict[str, Any],
    defaults: dict[str, Any],
    own: Any,
    path: Place,
    *,
    also: tuple[str, ...] = (),
) -> Record:
    """A record of the defaults and what differs."""
    if not isinstance(own, Mapping):
        raise GivenError(path, "is no mapping; write {} for the defaults")
    allowed = tuple(sorted((*kind.__struct_fields__, *also)))
    for name in own:
        if name not in allowed:
            raise GivenError((*path, name), unknown_key(name, allowed))
    try:
        return msgspec.convert({**defaults, **own, **key}, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        name = where.strip("`").partition("[")[0]
        raise GivenError((*path, name), f"{what}; mend the value") from None


def _rule_set(own: Any, version: int, *, status: str = "active") -> RuleSetPublished:
    try:
        rules = rules_from(own)
    except RuleError as error:
        where = "rules" if status == "active" else "shadow"
        path = where, *error.path.replace("[", ".").split(".")
        raise GivenError(path, f"{error.detail}; mend the rule") from None
    document = yaml.safe_dump(dict(own), sort_keys=True)
    return RuleSetPublished(f"{TENANT}|rules", version, document, msgspec.msgpack.encode(rules), status)
