"""The network as routing sees it: reference records folded into one immutable value, version by version.

In: the records of `network`, in offset order. Out: `Network`, whose `version` is the offset of the last record
folded in. A later record with the same id replaces the earlier one; one that cannot be used changes nothing, and what
it would have replaced stays in force. Several versions may be alive at once: a task goes on with the version its log
told it. The maps are never changed after a version was made.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from processors.rules import DEFAULT_RULES, Rules
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


class Activation(msgspec.Struct, frozen=True):
    """How far a merchant is with a catalogue: the release its node has imported (0: none), and the one it waits for."""

    imported: int = 0
    pending: int = 0


class RuleSet(msgspec.Struct, frozen=True):
    """A merchant's rules, ready for use."""

    rule_set_id: str
    version: int
    rules: Rules


NO_RULE_SET: Final = RuleSet("", 0, DEFAULT_RULES)

LEVELS: Final = (
    "view_only",
    "price_visible",
    "stock_visible",
    "import_allowed",
    "listing_allowed",
    "order_allowed",
    "dropship",
    "label_allowed",
    "returns_allowed",
)
"""What a supplier may grant, ascending: each includes those before it."""

RANK: Final = {level: rank for rank, level in enumerate(LEVELS)}
SCOPES: Final = ("product", "category", "merchant")

GrantKey = tuple[str, str, str, str]
"""(supplier_id, merchant_id, scope, scope_id)."""

REFERENCE_DATA: Final = (
    MerchantDefined,
    PartnerDefined,
    LocationDefined,
    FeedDefined,
    VariantDefined,
    CarrierAccountDefined,
    RuleSetPublished,
    SupplierDefined,
    EntitlementGranted,
    CatalogueReleased,
    CatalogueActivated,
)

MAPS: Final = (
    "merchants",
    "partners",
    "locations",
    "feeds",
    "variants",
    "accounts",
    "rule_sets",
    "shadows",
    "suppliers",
    "grants",
    "catalogues",
    "activations",
)


class Network:
    """All reference data in force at one version. Read-only."""

    __slots__ = (*sorted(MAPS), "cache", "variants_cache", "version")

    def __init__(self, version: int = -1) -> None:
        self.version = version
        self.merchants: dict[str, MerchantDefined] = {}
        self.partners: dict[str, PartnerDefined] = {}
        self.locations: dict[str, LocationDefined] = {}
        self.feeds: dict[str, FeedDefined] = {}
        self.variants: dict[str, VariantDefined] = {}
        self.accounts: dict[str, CarrierAccountDefined] = {}
        self.rule_sets: dict[str, RuleSet] = {}
        """The active version of each."""
        self.shadows: dict[str, RuleSet] = {}
        """The version evaluated beside it, where there is one."""
        self.suppliers: dict[str, SupplierDefined] = {}
        self.grants: dict[GrantKey, int] = {}
        """Ranks in `LEVELS` of the grants in force; a revoked one is gone."""
        self.catalogues: dict[str, CatalogueReleased] = {}
        """The last release of each."""
        self.activations: dict[tuple[str, str], Activation] = {}
        """By merchant_id and catalogue_id."""
        self.cache: dict[Any, Any] = {}
        """Values derived from this version alone (never from an order), kept by those who derive them."""
        self.variants_cache: dict[Any, Any] = {}
        """Values derived from the variants alone: kept for as many versions as these do not change."""

    def rules_of(self, merchant_id: str) -> RuleSet:
        """The rule set a merchant's orders are routed under; the defaults when none is published."""
        merchant = self.merchants.get(merchant_id)
        return NO_RULE_SET if merchant is None else self.rule_sets.get(merchant.rule_set_id, NO_RULE_SET)

    def shadow_of(self, merchant_id: str) -> RuleSet | None:
        """The rule set that is evaluated beside the merchant's own and decides nothing."""
        merchant = self.merchants.get(merchant_id)
        return None if merchant is None else self.shadows.get(merchant.rule_set_id)

    def freshness_limit_ms(self, feed_id: str) -> int | None:
        """How old a feed's stock may be; None for an unknown feed."""
        feed = self.feeds.get(feed_id)
        if feed is None:
            return None
        if feed.freshness_limit_ms is not None:
            return feed.freshness_limit_ms
        partner = self.partners.get(feed.partner_id)
        return None if partner is None else partner.freshness_limit_ms


def fold(network: Network, records: Iterable[tuple[int, Record]]) -> Network:
    """A new version with these (offset, usable record) pairs applied in order; the old version stays as it is."""
    folded = Network(network.version)
    for name in MAPS:
        setattr(folded, name, dict(getattr(network, name)))
    folded.variants_cache = network.variants_cache
    for offset, record in records:
        _apply(folded, record)
        folded.version = offset
    return folded


def changed(network: Network, **maps: Any) -> Network:
    """The same version with other maps: by itself, so that nothing derived from the true one is taken for true of it."""
    other = Network(network.version)
    for name in MAPS:
        setattr(other, name, maps.get(name, getattr(network, name)))
    if "variants" not in maps:
        other.variants_cache = network.variants_cache
    return other


def _apply_rule_set(network: Network, record: RuleSetPublished) -> None:
    """A draft has no effect; whatever becomes of a shadow, it is a shadow no more."""
    rule_set_id, version = record.rule_set_id, record.version
    shadow = network.shadows.get(rule_set_id)
    if shadow is not None and (shadow.version == version or (record.status == "active" and shadow.version < version)):
        del network.shadows[rule_set_id]
    if record.status not in ("active", "shadow"):
        return
    rules = msgspec.msgpack.decode(record.compiled, type=Rules)
    in_force = network.rule_sets if record.status == "active" else network.shadows
    in_force[rule_set_id] = RuleSet(rule_set_id, version, rules)


def _apply_supply(
    network: Network, record: SupplierDefined | EntitlementGranted | CatalogueReleased | CatalogueActivated
) -> None:
    """What suppliers say of their catalogues, and merchants of what they take from them."""
    match record:
        case SupplierDefined():
            network.suppliers[record.supplier_id] = record
        case EntitlementGranted(retired=True):
            network.grants.pop(grant_key(record), None)
        case EntitlementGranted():
            network.grants[grant_key(record)] = RANK[record.level]
        case CatalogueReleased():
            network.catalogues[record.catalogue_id] = record
        case _:
            _apply_activation(network, record)


def _apply_activation(network: Network, record: CatalogueActivated) -> None:
    """A merchant goes on selling from the release it has while it waits for the next one."""
    key = record.merchant_id, record.catalogue_id
    known = network.activations.get(key, Activation())
    match record.state:
        case "pending":
            network.activations[key] = Activation(known.imported, record.version)
        case "imported":
            network.activations[key] = Activation(record.version)
        case _:
            network.activations.pop(key, None)


def grant_key(grant: EntitlementGranted) -> GrantKey:
    """What a later grant replaces."""
    return grant.supplier_id, grant.merchant_id, grant.scope, grant.scope_id


def promises_nothing(location: LocationDefined) -> bool:
    """Whether its stock is a marketplace's to ship: shown, and promised to no order of ours."""
    return bool(location.marketplace) and not location.multi_channel


def _apply(network: Network, record: Any) -> None:
    match record:
        case MerchantDefined():
            network.merchants[record.merchant_id] = record
        case PartnerDefined():
            network.partners[record.partner_id] = record
        case LocationDefined():
            network.locations[record.location_id] = record
        case FeedDefined():
            network.feeds[record.feed_id] = record
        case VariantDefined():
            network.variants[record.variant_id] = record
            network.variants_cache = {}
        case CarrierAccountDefined():
            network.accounts[record.account_id] = record
        case RuleSetPublished():
            _apply_rule_set(network, record)
        case SupplierDefined() | EntitlementGranted() | CatalogueReleased() | CatalogueActivated():
            _apply_supply(network, record)
        case _:
            raise TypeError(f"{type(record).__name__} is not reference data")
