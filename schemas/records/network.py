"""Reference data: who takes part in the network, and under which rules.

All of these travel on `network` (one partition, read whole by every worker), keyed by the entity's id. A later
record with the same id replaces the earlier one; `retired` marks an entity that takes no new work. Ids are
qualified by their tenant (`acme|loc_berlin`), so that every key on every topic starts with its tenant.
"""

from schemas.records.base import Int32, Part, Record


class MerchantDefined(Record):
    """A merchant: whose orders are routed, in which currency, under which rule set.

    merchant_id: tenant-qualified id, e.g. `acme|merchant_nordwind`
    name: what people call the merchant
    currency: ISO 4217 code of the merchant's books
    country: ISO 3166-1 alpha-2 country of the merchant
    rule_set_id: the rule set its orders are routed under
    retired: true once no new order is taken
    """

    merchant_id: str
    name: str
    currency: str
    country: str
    rule_set_id: str
    retired: bool = False


class PartnerDefined(Record):
    """A fulfilment partner: the owner of locations, feeds and keys.

    partner_id: tenant-qualified id, e.g. `acme|partner_fp_berlin`
    name: what people call the partner
    country: ISO 3166-1 alpha-2 country of the partner
    freshness_limit_ms: age beyond which its stock is stale
    partials_allowed: whether it may accept part of an assignment without the customer's consent
    retired: true once the partner takes no new work
    """

    partner_id: str
    name: str
    country: str
    freshness_limit_ms: int
    partials_allowed: bool = False
    retired: bool = False


class LocationDefined(Record):
    """A place that holds and ships stock.

    location_id: tenant-qualified id, e.g. `acme|loc_berlin`
    partner_id: the partner that runs it
    name: what people call the location
    country: ISO 3166-1 alpha-2
    postcode: postal code of the location
    latitude_e6: latitude in millionths of a degree
    longitude_e6: longitude in millionths of a degree
    timezone: IANA time zone of cut-off and calendar
    tier: 1 is tried first; higher tiers only as fallback
    ships_to: destination countries it may serve
    postcode_prefixes: when not empty, only destinations whose postcode area starts with one of these
    services: service types it offers (ship_from_warehouse, ship_from_store, click_and_collect)
    capabilities: hazmat, cold_chain, oversize, battery, b2b_papers
    daily_slots: assignments it takes per local day (hard cap)
    cutoff_minute: minute of the local day until which an order leaves the same day
    working_days: ISO weekdays (1 = Monday) on which it ships
    handling_ms: time from assignment to handover
    handling_cost_minor: handling cost of one shipment, in `currency`
    unit_cost_minor: handling cost of each unit, in `currency`
    currency: ISO 4217 code of its costs
    accept_within_ms: time the partner has to accept an assignment
    safety_stock: units of each variant never promised
    carrier_account_ids: accounts it may ship with
    retired: true once the location takes no new work
    holiday_region: ISO 3166 country or region (DE, DE-BE) on whose public holidays it does not ship; empty: it does
    closed_dates: further local days on which it does not ship, ISO 8601
    open_dates: local days on which it ships whatever its calendar says, ISO 8601
    erp_allocation: whether its ERP confirms what was accepted before it is shipped
    erp_invoicing: whether its ERP invoices what was shipped before it is completed
    weekday_cutoffs: when not empty, the cut-off of each ISO weekday from Monday on, instead of `cutoff_minute`
    weekday_handling_ms: when not empty, the handling time of what is assigned on each ISO weekday from Monday on
    served_zones: of a country that one of these names, only these postcode zones are served (DE:10)
    refused_zones: postcode zones that are not served
    marketplace: whose own warehouse it is (amazon); its stock is then shown, and promised to no order; empty: nobody's
    multi_channel: true when that warehouse ships the network's orders too, and so is a location like any other
    """

    location_id: str
    partner_id: str
    name: str
    country: str
    postcode: str
    latitude_e6: int
    longitude_e6: int
    timezone: str
    tier: Int32
    ships_to: tuple[str, ...]
    postcode_prefixes: tuple[str, ...]
    services: tuple[str, ...]
    capabilities: tuple[str, ...]
    daily_slots: Int32
    cutoff_minute: Int32
    working_days: tuple[Int32, ...]
    handling_ms: int
    handling_cost_minor: int
    unit_cost_minor: int
    currency: str
    accept_within_ms: int
    safety_stock: Int32
    carrier_account_ids: tuple[str, ...]
    retired: bool = False
    holiday_region: str = ""
    closed_dates: tuple[str, ...] = ()
    open_dates: tuple[str, ...] = ()
    erp_allocation: bool = False
    erp_invoicing: bool = False
    weekday_cutoffs: tuple[Int32, ...] = ()
    weekday_handling_ms: tuple[int, ...] = ()
    served_zones: tuple[str, ...] = ()
    refused_zones: tuple[str, ...] = ()
    marketplace: str = ""
    multi_channel: bool = False


class FeedDefined(Record):
    """One system's stock stream for one location.

    feed_id: tenant | partner | location | name
    partner_id: the partner that signs its records
    location_id: the location whose stock it reports
    sequences: contiguous, monotonic or none (then each delta carries an idempotency key)
    shipment_deltas: referenced, unreferenced or none: how shipped units leave its stock
    counts_exclude_picked: whether its counts leave out picked units
    freshness_limit_ms: overrides the partner's limit when set
    """

    feed_id: str
    partner_id: str
    location_id: str
    sequences: str
    shipment_deltas: str
    counts_exclude_picked: bool = False
    freshness_limit_ms: int | None = None


class VariantDefined(Record):
    """The unit of trade: stock, orders, shipments and listings refer to it.

    variant_id: tenant-qualified id, e.g. `acme|var_8472_0091`
    title: what people call it
    gtin: GS1 trade item number, when it has one
    supplier_id: who supplies it
    supplier_cost_minor: cost of one unit, in `currency`
    currency: ISO 4217 code of the cost
    weight_g: weight of one unit in grams
    needs: capabilities a location must have (hazmat, cold_chain, oversize, battery)
    retired: true once it is no longer sold
    names: what else it is called: the manufacturer's number, article numbers; an unknown SKU is compared with them
    category_id: tenant-qualified category that grants may name; empty when it has none
    length_mm: longest side of one packed unit; 0 when nobody measured it
    width_mm: its second side
    height_mm: its third side
    catalogue_id: the supplier's catalogue it is sold from; empty when it is in none
    released_in: the first version of that catalogue that has it
    """

    variant_id: str
    title: str
    gtin: str | None
    supplier_id: str | None
    supplier_cost_minor: int
    currency: str
    weight_g: Int32
    needs: tuple[str, ...]
    retired: bool = False
    names: tuple[str, ...] = ()
    category_id: str = ""
    length_mm: Int32 = 0
    width_mm: Int32 = 0
    height_mm: Int32 = 0
    catalogue_id: str = ""
    released_in: Int32 = 0


class SupplierDefined(Record):
    """A supplier: who owns a catalogue that merchants sell from.

    supplier_id: tenant-qualified id, as in `VariantDefined.supplier_id`
    name: what people call the supplier
    entitlements_required: true when a merchant may order only what it was granted; false leaves the catalogue open
    activation_required: true when a merchant may order only from releases that its node has imported
    """

    supplier_id: str
    name: str
    entitlements_required: bool = False
    activation_required: bool = False


class EntitlementGranted(Record):
    """What a supplier lets a merchant do with a product, a category or everything.

    supplier_id: who grants
    merchant_id: to whom
    scope: product, category or merchant; the most specific grant wins
    scope_id: the variant_id, the category_id, or the merchant_id again
    level: view_only, price_visible, stock_visible, import_allowed, listing_allowed, order_allowed, dropship,
        label_allowed or returns_allowed; each includes those before it
    retired: true once the grant is revoked
    """

    supplier_id: str
    merchant_id: str
    scope: str
    scope_id: str
    level: str
    retired: bool = False


class WeightBand(Part):
    """One line of a carrier's price list.

    up_to_g: the heaviest parcel of the band
    cost_minor: what such a parcel costs
    """

    up_to_g: Int32
    cost_minor: int


class ZoneRate(Part):
    """What an account asks for parcels into one zone.

    zone: a country (DE) or a postcode zone of it (DE:18); of several that hold a destination the narrowest counts
    transit_days: days from handover to delivery
    base_cost_minor: cost of a parcel, where there are no bands
    bands: prices by weight, lightest first, instead of base and kilograms; nothing heavier than the last is carried
    """

    zone: str
    transit_days: Int32
    base_cost_minor: int = 0
    bands: tuple[WeightBand, ...] = ()


class CarrierAccountDefined(Record):
    """A contract under which parcels travel.

    account_id: tenant-qualified id, e.g. `acme|dhl_nordwind_de`
    carrier: carrier code (dhl_parcel_de, ups, gls)
    owner_id: merchant, partner or supplier that owns the account
    role: primary, fallback, b2b or region
    services: service levels it carries (standard, express)
    countries: destination countries
    transit_days: days from handover to delivery, one per country in `countries`
    base_cost_minor: cost of a parcel, one per country in `countries`
    cost_per_kg_minor: cost of each started kilogram
    currency: ISO 4217 code of the costs
    b2b_only: true when it carries only business parcels
    daily_slots: parcels it takes per day
    retired: true once nothing ships on it
    outage: true while its carrier cannot be reached: labels go to the next account
    zone_rates: rates by zone, which count before those of `countries`
    volumetric_divisor: cubic millimetres that are billed as a gram (5000), where that is more than it weighs; 0: none
    max_weight_g: heaviest parcel; a heavier shipment goes as several, a heavier unit not at all; 0: no limit
    max_length_mm: longest side of a unit that it carries; 0: no limit
    oversize_length_mm: longest side of a unit from which on each parcel costs `oversize_minor` more; 0: none
    oversize_minor: the surcharge
    """

    account_id: str
    carrier: str
    owner_id: str
    role: str
    services: tuple[str, ...]
    countries: tuple[str, ...]
    transit_days: tuple[Int32, ...]
    base_cost_minor: tuple[int, ...]
    cost_per_kg_minor: int
    currency: str
    b2b_only: bool
    daily_slots: Int32
    retired: bool = False
    outage: bool = False
    zone_rates: tuple[ZoneRate, ...] = ()
    volumetric_divisor: Int32 = 0
    max_weight_g: Int32 = 0
    max_length_mm: Int32 = 0
    oversize_length_mm: Int32 = 0
    oversize_minor: int = 0


class RuleSetPublished(Record):
    """A merchant's routing and reconciliation rules, one YAML document, and how far this version has come.

    rule_set_id: tenant-qualified id
    version: counts from 1; each decision names it; a version says one thing for good
    document: the YAML text as its author wrote it
    compiled: the checked rules as MessagePack, in the layout of `processors.rules.Rules`
    status: draft (kept, without effect), shadow (evaluated beside the active one, decides nothing), active, or retired
        (a draft or shadow that came to nothing)
    author: who published it
    comment: why, in the author's words
    """

    rule_set_id: str
    version: Int32
    document: str
    compiled: bytes
    status: str = "active"
    author: str = ""
    comment: str = ""


class NetworkChanged(Record):
    """The leader's word that reference data up to an offset is in force.

    network_offset: `network` is in force up to and including this offset
    """

    network_offset: int
