"""Stock: what feeds report, and what channels may promise.

`stock-deltas`, `mapped-stock` and `stock-snapshots` are keyed by variant_id, `stock-reports` by report_id = feed_id | sku.
A feed's sequences belong to (feed, source SKU).
"""

from schemas.records.base import Int32, Record


class StockDelta(Record):
    """A signed change of on-hand stock.

    feed_id: the feed that reports it
    location_id: where the stock lies
    variant_id: the canonical variant, when the feed knows it
    namespace: whose SKU `sku` is, when the variant is not known
    sku: the feed's own SKU; sequences belong to (feed, sku)
    sequence: position within (feed, sku); null when the feed has no sequences
    idempotency_key: names the change when the feed has no sequences
    quantity: signed units
    reason: receipt, sale, shipment, return_restock, adjustment, transfer_out, transfer_in or damage
    reference: the order_id or assignment_id it belongs to, when the feed knows it
    occurred_at: when the sender says it happened
    """

    feed_id: str
    location_id: str
    variant_id: str | None
    namespace: str | None
    sku: str
    sequence: int | None
    idempotency_key: str | None
    quantity: Int32
    reason: str
    reference: str | None
    occurred_at: int


class StockCount(Record):
    """An absolute count of on-hand stock.

    feed_id: the feed that reports it
    location_id: where the stock lies
    variant_id: the canonical variant, when the feed knows it
    namespace: whose SKU `sku` is, when the variant is not known
    sku: the feed's own SKU
    sequence: the last delta the count includes; null when the feed has no sequences
    idempotency_key: names the count when the feed has no sequences
    quantity: units counted, at least 0
    occurred_at: when the sender says it was counted
    """

    feed_id: str
    location_id: str
    variant_id: str | None
    namespace: str | None
    sku: str
    sequence: int | None
    idempotency_key: str | None
    quantity: Int32
    occurred_at: int


class StockReported(Record):
    """What a feed says of its own SKU, whose variant it does not know.

    feed_id: the feed that reports it
    location_id: where the stock lies
    sku: the partner's own SKU
    counted: true when quantity is an absolute count, false when it is a signed change
    sequence: position within (feed, sku), or the last change a count includes; null when the feed has no sequences
    idempotency_key: names the report when the feed has no sequences
    quantity: packs, signed; at least 0 when counted
    reason: of a change, as a StockDelta has it; empty when counted
    reference: the order_id or assignment_id it belongs to, when the feed knows it
    occurred_at: when the sender says so
    """

    feed_id: str
    location_id: str
    sku: str
    counted: bool
    sequence: int | None
    idempotency_key: str | None
    quantity: Int32
    reason: str
    reference: str | None
    occurred_at: int


class StockSnapshot(Record):
    """What one location has of one variant; the last one per batch and item.

    variant_id: of what
    location_id: where
    revision: counts every change of the item
    on_hand: units on hand
    reserved: units reserved for orders
    held: units kept for woken waiting orders
    available_to_promise: on_hand − reserved − held − safety stock, never below 0
    gapped: true while a sequence gap is open: not routable
    updated_at: last change by its feed, epoch ms
    """

    variant_id: str
    location_id: str
    revision: int
    on_hand: Int32
    reserved: Int32
    held: Int32
    available_to_promise: Int32
    gapped: bool
    updated_at: int
