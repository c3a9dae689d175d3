"""What a merchant's systems say of an order.

Key everywhere: order_id = tenant | source | the source's number. No personal data: the destination is a country, a
postcode area and coordinates rounded to about a kilometre; `recipient_ref` is opaque.
"""

from schemas.records.base import Int32, Part, Record


class OrderLine(Part):
    """One line of an order.

    line_no: the line's number within the order
    variant_id: the canonical variant, when the sender knows it
    namespace: whose SKU `sku` is (merchant:ID, gtin …), when the variant is not known
    sku: the sender's own number for the goods
    quantity: units ordered, at least 1
    unit_price_minor: price of one unit in the order's currency
    """

    line_no: Int32
    variant_id: str | None
    namespace: str | None
    sku: str | None
    quantity: Int32
    unit_price_minor: int


class OrderPlaced(Record):
    """A customer's order, ready to be routed.

    order_id: tenant | source | number
    merchant_id: who sells
    channel: where it was sold (shop, amazon, otto …)
    lines: what was ordered
    currency: ISO 4217 code of all amounts
    total_minor: what the customer pays
    country: destination, ISO 3166-1 alpha-2
    postcode_area: leading characters of the destination's postal code, the more the finer the zones it can be told from
    latitude_e6: destination latitude in millionths of a degree, rounded to about a kilometre
    longitude_e6: destination longitude, likewise
    service: standard or express
    service_type: ship_from_warehouse, ship_from_store or click_and_collect
    business: true for a business customer
    promised_at: latest delivery the customer was promised
    partial_consent: the customer agreed to be sent what is available
    cost_ceiling_minor: the most that fulfilment may cost, when limited
    fixed_location_id: the only location allowed, when fixed
    marketplace_reference: the channel's own order number, which settlements will name
    recipient_ref: opaque reference to the recipient in the merchant's vault
    occurred_at: when the sender says it was placed
    carrier_preference: carrier the customer asked for (dhl_parcel_de, ups, gls); empty: none
    """

    order_id: str
    merchant_id: str
    channel: str
    lines: tuple[OrderLine, ...]
    currency: str
    total_minor: int
    country: str
    postcode_area: str
    latitude_e6: int
    longitude_e6: int
    service: str
    service_type: str
    business: bool
    promised_at: int | None
    partial_consent: bool
    cost_ceiling_minor: int | None
    fixed_location_id: str | None
    marketplace_reference: str | None
    recipient_ref: str
    occurred_at: int
    carrier_preference: str = ""


class OrderCancelled(Record):
    """The customer or merchant wants the order no more.

    order_id: tenant | source | number
    reason: why, in the sender's words
    occurred_at: when the sender says so
    """

    order_id: str
    reason: str
    occurred_at: int


class OrderClosed(Record):
    """The merchant regards the order as finished, or its return window has passed: time to reconcile it.

    order_id: tenant | source | number
    occurred_at: when the sender says so
    """

    order_id: str
    occurred_at: int
