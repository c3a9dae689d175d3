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
    reference: what it belongs to, when the feed knows it: order_id, assignment_id, purchase order, delivery note, transfer
    occurred_at: when the sender says it happened
    counterpart_location_id: of a transfer: where it goes to, or comes from
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
    counterpart_location_id: str | None = None


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


class StockExpected(Record):
    """Units on their way to a location, announced under a reference; the newest word on it replaces what was said before.

    feed_id: the location's feed that announces them
    location_id: where they are expected
    variant_id: the canonical variant
    sku: the feed's own SKU
    reference: purchase order, despatch advice or transfer that later deltas (receipt, transfer_in) name
    quantity: units announced under it in all, those included that have arrived; 0 takes it back
    expected_at: when they should arrive; null when nobody knows
    occurred_at: when the sender says so
    """

    feed_id: str
    location_id: str
    variant_id: str
    sku: str
    reference: str
    quantity: Int32
    expected_at: int | None
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
    reference: what it belongs to, as a StockDelta has it
    occurred_at: when the sender says so
    counterpart_location_id: of a transfer: where it goes to, or comes from
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
    counterpart_location_id: str | None = None


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
    in_transit: units that left another location for this one and have not arrived: not promisable
    expected: units announced to arrive from elsewhere: not promisable
    expected_at: when the next of them should arrive; null when nobody knows
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
    in_transit: Int32 = 0
    expected: Int32 = 0
    expected_at: int | None = None


class StockAwaited(Record):
    """stock → order: what you wait for is on its way to where you would take it from; nothing of it is held for you.

    order_id: who waits
    attempt: the attempt that found too little
    variant_id: for what
    quantity: units on their way to the locations that would do
    expected_at: when the first of them should arrive
    """

    order_id: str
    attempt: Int32
    variant_id: str
    quantity: Int32
    expected_at: int
