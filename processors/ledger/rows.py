"""The ledger's row: all that is known of one order's money, and the sums every module reads it by.

One row per order, written by the order's task alone. It keeps each financial record and shipment fact once (some 120
bytes each), the head of the order's chain of entries, the alerts that are open and what the last reconciliation
booked; entries themselves live on `ledger-entries` only. So memory is bounded by the records of orders that are open,
or that were reconciled in the last 400 days: a late entry is compared with everything that came before it.

Nothing here depends on the order of arrival: records are compared in the order of their places in the source topics.
"""

from collections.abc import Iterable

import msgspec

from schemas.records.finance import SourceRecord


class Proof(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Where a record was read, to the offset: what an alert or an entry rests on."""

    topic: str
    partition: int
    offset: int

    def source(self) -> SourceRecord:
        """The same, as records carry it."""
        return SourceRecord(self.topic, self.partition, self.offset)


class Placed(msgspec.Struct, frozen=True, array_like=True):
    """What the order says of money."""

    merchant_id: str
    channel: str
    currency: str
    total_minor: int
    proof: Proof


class Shipment(msgspec.Struct, frozen=True, array_like=True):
    """What a shipped part should cost."""

    shipment_id: str
    account_id: str
    currency: str
    shipping_minor: int
    supplier_cost_minor: int
    proof: Proof


class Recorded(msgspec.Struct, frozen=True, array_like=True):
    """One financial record."""

    kind: str
    reference: str
    record_id: str
    amount_minor: int
    currency: str
    account_id: str | None
    shipment_id: str | None
    proof: Proof
    margin_before: int | None = None
    """The reconciled margin that this record changed by coming late; None when it came in time."""

    @property
    def subject(self) -> str:
        """What alerts call it: senders number their records independently, so the reference is part of the name."""
        return f"{self.reference}#{self.record_id}"


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """The order was closed or cancelled."""

    occurred_at: int
    proof: Proof


class Early(msgspec.Struct, frozen=True, array_like=True):
    """An end that came before its order: who may speak for the order is known only with its merchant."""

    how: str
    """`closed` or `cancelled`."""
    signer: str | None
    ended: Ended


class Alert(msgspec.Struct, frozen=True, array_like=True):
    """One difference, found or already raised."""

    kind: str
    subject: str
    expected_minor: int
    actual_minor: int
    currency: str
    proofs: tuple[Proof, ...]
    raised_at: int = 0


class Chain(msgspec.Struct, frozen=True, array_like=True):
    """The order's last entry: its number and hash."""

    entry_no: int = 0
    head: str = ""


class Totals(msgspec.Struct, frozen=True, array_like=True):
    """Sums per kind, in the order's currency."""

    settlement: int = 0
    shipping: int = 0
    fee: int = 0
    supplier_cost: int = 0
    refund: int = 0
    chargeback: int = 0

    @property
    def margin(self) -> int:
        """What is left: payments are not in it, they are the same money on its way to the settlement."""
        return self.settlement - self.shipping - self.fee - self.supplier_cost - self.refund - self.chargeback


class Ledger(msgspec.Struct, frozen=True, array_like=True):
    """One order's money. Provisional until `placed` is known."""

    placed: Placed | None = None
    shipments: tuple[Shipment, ...] = ()
    records: tuple[Recorded, ...] = ()
    closed: Ended | None = None
    cancelled: Ended | None = None
    early: tuple[Early, ...] = ()
    """Ends that came before the order; as many as the orders stage keeps."""
    overdue: bool = False
    """The rule-set time passed and the order is still unknown."""
    chain: Chain = Chain()
    booked: Totals = Totals()
    """What the last reconciliation moved to the margin account."""
    alerts: tuple[Alert, ...] = ()
    round: int = 0
    reconciled_at: int | None = None
    """When it was first reconciled since it ended; None while it is open."""

    @property
    def is_cancelled(self) -> bool:
        """Cancelled before any part was shipped; a cancel that came later was refused, and changes no expectation."""
        return self.cancelled is not None and not self.shipments

    @property
    def ended(self) -> Ended | None:
        """Why the order is due for reconciliation, or None while it is open."""
        return self.closed or (self.cancelled if self.is_cancelled else None)


def totals(records: Iterable[Recorded], currency: str) -> Totals:
    """Sums of what was recorded in this currency, duplicates included: the books show what happened."""
    sums = dict.fromkeys(Totals.__struct_fields__, 0)
    for record in records:
        if record.currency == currency and record.kind in sums:
            sums[record.kind] += record.amount_minor
    return Totals(**sums)
