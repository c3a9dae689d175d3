"""Money: what financial systems report, what the ledger keeps, what reconciliation finds.

`settlements` and `reference-links` are keyed by the foreign reference (tenant | kind | reference), for financial
records seldom know the order; `order-events`, `ledger-entries` and `reconciliation-alerts` by order_id. Amounts are
positive integers in minor units unless a field says otherwise.
"""

from schemas.records.base import Int32, Part, Record


class SourceRecord(Part):
    """The record an entry rests on, to the offset.

    topic: topic it was read from
    partition: partition
    offset: offset
    """

    topic: str
    partition: Int32
    offset: int


class FinancialRecorded(Record):
    """upstream → finance intake, and then intake → ledger: one amount that changed hands or was billed.

    reference: tenant | kind | the sender's reference (kinds: marketplace, charge, invoice, tracking, order)
    record_id: the sender's id of this record; repeats with the same content change nothing
    kind: settlement, refund, chargeback, shipping, supplier_cost, fee or payment
    amount_minor: positive amount
    currency: ISO 4217 code
    order_id: the order, once known
    account_id: the carrier account billed, for shipping
    shipment_id: the shipment, when the sender knows it
    source: where intake read it; null on `settlements`
    occurred_at: when the sender says so
    """

    reference: str
    record_id: str
    kind: str
    amount_minor: int
    currency: str
    order_id: str | None
    account_id: str | None
    shipment_id: str | None
    source: SourceRecord | None
    occurred_at: int


class ReferenceLinked(Record):
    """order or location → finance intake: this reference belongs to that order.

    reference: tenant | kind | reference
    order_id: the order
    shipment_id: the shipment, when the reference names one (a tracking number)
    """

    reference: str
    order_id: str
    shipment_id: str | None = None


class Posting(Part):
    """One side of a ledger entry.

    account: account code (receivable.channel, settlement, shipping, fees, supplier_cost, refund, margin …)
    debit_minor: amount debited, 0 when credited
    credit_minor: amount credited, 0 when debited
    """

    account: str
    debit_minor: int
    credit_minor: int


class LedgerEntry(Record):
    """A balanced double entry, chained per order by hash; never changed, only followed by corrections.

    entry_id: derived from the causing record
    order_id: the order
    entry_no: counts the order's entries from 1
    kind: what happened (settlement, refund, chargeback, shipping, supplier_cost, fee, payment, margin)
    currency: ISO 4217 code
    postings: sum of debits = sum of credits
    source: the record it rests on
    previous_hash: sha256 of the order's previous entry, hex; empty for the first
    entry_hash: sha256 over all other fields, hex (`processors.ledger.posting` says how)
    posted_at: the task's time
    """

    entry_id: str
    order_id: str
    entry_no: Int32
    kind: str
    currency: str
    postings: tuple[Posting, ...]
    source: SourceRecord
    previous_hash: str
    entry_hash: str
    posted_at: int


class OrderReconciled(Record):
    """The order was closed and compared: expected against actual.

    order_id: the order
    currency: ISO 4217 code
    settlement_minor: what the channel paid
    shipping_minor: shipping billed
    fees_minor: fees billed
    supplier_cost_minor: supplier cost billed
    refunds_minor: refunds given and chargebacks taken
    margin_minor: settlement − shipping − fees − supplier cost − refunds (may be negative)
    balanced: true when no alert is open
    round: counts reconciliations of this order from 1
    reconciled_at: the task's time
    """

    order_id: str
    currency: str
    settlement_minor: int
    shipping_minor: int
    fees_minor: int
    supplier_cost_minor: int
    refunds_minor: int
    margin_minor: int
    balanced: bool
    round: Int32
    reconciled_at: int


class ReconciliationAlert(Record):
    """Expected and actual differ, with proof.

    alert_id: derived from (order_id, kind, subject)
    order_id: the order
    kind: MISSING_SETTLEMENT, AMOUNT_MISMATCH, DUPLICATE, UNEXPECTED_ENTRY, MISSING_REFUND, REFUND_EXCEEDS_ORDER,
        SHIPPING_OVERCHARGE, SUPPLIER_COST_MISMATCH, FEE_MISMATCH, CURRENCY_MISMATCH or LATE_ENTRY
    subject: what it is about (reference#record_id, a shipment, order_id#kind, or the order)
    expected_minor: what the order, rate cards and refunds say
    actual_minor: what was recorded
    difference_minor: actual − expected
    currency: ISO 4217 code
    sources: the exact records
    status: open or resolved
    raised_at: the task's time
    """

    alert_id: str
    order_id: str
    kind: str
    subject: str
    expected_minor: int
    actual_minor: int
    difference_minor: int
    currency: str
    sources: tuple[SourceRecord, ...]
    status: str
    raised_at: int


class OrderFulfilled(Record):
    """order → ledger, inside one partition: what a shipped part should cost.

    order_id: the order
    shipment_id: the shipment
    location_id: who shipped
    account_id: the carrier account planned
    currency: ISO 4217 code of the merchant's books
    shipping_minor: shipping expected from the rate card
    supplier_cost_minor: supplier cost expected
    """

    order_id: str
    shipment_id: str
    location_id: str
    account_id: str
    currency: str
    shipping_minor: int
    supplier_cost_minor: int
