"""Finance intake: every financial record finds its order, whichever number its sender knows it by.

In: FinancialRecorded on `settlements`, keyed by a foreign reference (a marketplace's order, a charge, an invoice, a
tracking number), and ReferenceLinked, which says whose order a reference is. Out: the same record on `order-events`
under its order, with the place it was read from. A record that names its order goes on at once and says nothing of
its reference (an invoice names many orders); one whose reference is known goes on at once too, with the shipment
when the reference is a parcel's; any other waits for the link, visibly: after `unlinked_reference_ms` the reference
stands in `review-queue` as UNLINKED_REFERENCE until the link comes, or until each of its records was sent again with
the order it belongs to.

A record is locked when it is first read. (reference, record_id) repeated with the same content changes nothing; with
other content it is refused as RECORD_DIFFERS: a correction is a record with an id of its own. Two records of two ids
for one fact are both passed on, and reconciliation finds the DUPLICATE. A reference linked to a second order keeps
its first, and REFERENCE_CONFLICT asks a person. Refused too: FORGED, KEY_MISMATCH, MISSING_FIELD, INVALID_VALUE,
CURRENCY_INVALID. Rows are kept for 400 days, waiting ones until they are linked.
"""

import hashlib
from typing import Final

import msgspec

from processors.money import currency_problem
from processors.reasons import Reason
from processors.senders import require_sender
from processors.step import ABSENT, Context, Refused, Stage, Table, prefixes, stable_id
from processors.tenants import shortest_ms, tenant_of
from schemas.records.finance import FinancialRecorded, ReferenceLinked, SourceRecord
from schemas.records.operations import ReviewItem

KINDS: Final = ("settlement", "refund", "chargeback", "shipping", "supplier_cost", "fee", "payment")
KEEP_MS: Final = 400 * 86_400_000
"""How long a closed order's state is kept (design §6): as long as the topics it came from."""


class Reference(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one foreign reference."""

    order_id: str | None = None
    shipment_id: str | None = None
    """The shipment that bears the reference, when it is a tracking number."""
    waiting: tuple[str, ...] = ()
    """Keys of `received` rows that wait for the order, first come first."""
    due_at: int = 0
    """When the wait is alerted."""
    alerted: bool = False
    conflicts: tuple[str, ...] = ()
    """Other orders that claimed the reference."""


class Received(msgspec.Struct, frozen=True, array_like=True):
    """One record that was read: enough to recognise it again, and all of it while it waits."""

    digest: bytes
    order_id: str | None
    waiting: FinancialRecorded | None


REFERENCES: Final = Table("references", Reference)
"""By reference."""

RECEIVED: Final = Table("received", Received, owners=prefixes("#", parts=1))
"""By reference#record_id: a row each, so that an invoice of ten thousand lines costs as much per line as one of one."""


def receive(record: FinancialRecorded, ctx: Context) -> None:
    """Forward a record to its order, or keep it until the order is known; once."""
    check(record, ctx)
    key = f"{record.reference}#{record.record_id}"
    known = ctx.get(RECEIVED, key)
    if known is not ABSENT:
        receive_again(key, known, record, ctx)
        return
    reference = _reference(record.reference, ctx)
    order_id = record.order_id or reference.order_id
    source = SourceRecord(ctx.source.topic, ctx.source.partition, ctx.source.offset)
    located = msgspec.structs.replace(record, source=source)
    ctx.wake(ctx.now_at + KEEP_MS, "finance.forget_record", key)
    if order_id is None:
        ctx.put(RECEIVED, key, Received(_digest(record), None, located))
        _wait(key, record.reference, reference, ctx)
    else:
        ctx.put(RECEIVED, key, Received(_digest(record), order_id, None))
        _forward(located, order_id, reference.shipment_id if order_id == reference.order_id else None, ctx)


def receive_again(key: str, known: Received, record: FinancialRecorded, ctx: Context) -> None:
    """A repeat changes nothing, unless it names the order that the waiting record lacked."""
    same_order = record.order_id is None or record.order_id == known.order_id
    if known.digest != _digest(record) or not (same_order or known.waiting is not None):
        raise Refused(
            Reason.RECORD_DIFFERS,
            f"record_id {record.record_id!r} of {record.reference!r} was received before with other content: a record"
            " is locked once received; send the correction under a record_id of its own",
        )
    if known.waiting is None or record.order_id is None:
        return
    ctx.put(RECEIVED, key, Received(known.digest, record.order_id, None))
    _forward(known.waiting, record.order_id, None, ctx)
    reference = _reference(record.reference, ctx)
    still = tuple(other for other in reference.waiting if other != key)
    if still:
        ctx.put(REFERENCES, record.reference, msgspec.structs.replace(reference, waiting=still))
    else:
        _end_wait(record.reference, reference, ctx)
        ctx.delete(REFERENCES, record.reference)


def link(record: ReferenceLinked, ctx: Context) -> None:
    """Learn whose order a reference is, and forward what waited for it."""
    reference = _reference(record.reference, ctx)
    if reference.order_id is not None:
        _claim(record, reference, ctx)
        return
    found = [(key, row) for key in reference.waiting if (row := ctx.get(RECEIVED, key)) is not ABSENT]
    for key, waiting, digest in [(key, row.waiting, row.digest) for key, row in found if row.waiting is not None]:
        ctx.put(RECEIVED, key, Received(digest, record.order_id, None))
        _forward(waiting, record.order_id, record.shipment_id, ctx)
    _end_wait(record.reference, reference, ctx)
    ctx.put(REFERENCES, record.reference, Reference(record.order_id, record.shipment_id))
    ctx.wake(ctx.now_at + KEEP_MS, "finance.forget_reference", record.reference)


def alert_unlinked(key: str, ctx: Context) -> None:
    """A reference has had records waiting for too long: a person should look."""
    reference = _reference(key, ctx)
    if not reference.waiting or reference.alerted:
        return
    ctx.put(REFERENCES, key, msgspec.structs.replace(reference, alerted=True))
    _review("UNLINKED_REFERENCE", key, _unlinked(len(reference.waiting)), "open", ctx)


def forget_record(key: str, ctx: Context) -> None:
    """Drop a record's row; money that still waits is never dropped."""
    received = ctx.get(RECEIVED, key)
    if received is not ABSENT and received.waiting is not None:
        ctx.wake(ctx.now_at + KEEP_MS, "finance.forget_record", key)
    else:
        ctx.delete(RECEIVED, key)


def forget_reference(key: str, ctx: Context) -> None:
    """Drop a linked reference's row."""
    ctx.delete(REFERENCES, key)


def check(record: FinancialRecorded, ctx: Context) -> None:
    """Refuse what cannot be booked: the first reason that applies, in order of precedence."""
    tenant, _, rest = record.reference.partition("|")
    kind, _, number = rest.partition("|")
    require_sender(ctx, record.reference, None)
    if record.order_id is not None and tenant_of(record.order_id) != tenant:
        raise Refused(
            Reason.FORGED,
            f"reference {record.reference!r} and order_id {record.order_id!r} belong to different tenants",
        )
    if ctx.key != record.reference:
        raise Refused(
            Reason.KEY_MISMATCH, f"key {ctx.key!r} is not the reference {record.reference!r}: key by reference"
        )
    if not record.record_id:
        raise Refused(Reason.MISSING_FIELD, "record_id is empty: send the sender's own id of this record")
    if not (tenant and kind and number):
        raise Refused(
            Reason.INVALID_VALUE, f"reference {record.reference!r} is not tenant | kind | the sender's reference"
        )
    if record.kind not in KINDS:
        raise Refused(Reason.INVALID_VALUE, f"kind {record.kind!r} is unknown: send one of {', '.join(KINDS)}")
    if record.amount_minor <= 0:
        raise Refused(
            Reason.INVALID_VALUE,
            f"amount_minor is {record.amount_minor}: send a positive amount; the kind tells direction",
        )
    problem = currency_problem(record.currency)
    if problem is not None:
        raise Refused(Reason.CURRENCY_INVALID, problem)


def _reference(key: str, ctx: Context) -> Reference:
    row = ctx.get(REFERENCES, key)
    return Reference() if row is ABSENT else row


def _digest(record: FinancialRecorded) -> bytes:
    """Content, by which a repeat is recognised; where it was read and whom it was linked to are not content."""
    content = msgspec.structs.replace(record, order_id=None, source=None)
    return hashlib.sha256(msgspec.msgpack.encode(content)).digest()[:16]


def _forward(record: FinancialRecorded, order_id: str, shipment_id: str | None, ctx: Context) -> None:
    """Send a record to its order, with the shipment its reference stands for unless its sender named one."""
    found = msgspec.structs.replace(record, order_id=order_id, shipment_id=record.shipment_id or shipment_id)
    ctx.emit("order-events", order_id, found)


def _wait(key: str, name: str, reference: Reference, ctx: Context) -> None:
    """Add a record to those that wait; the first one starts the clock."""
    waiting = (*reference.waiting, key)
    if reference.waiting:
        ctx.put(REFERENCES, name, msgspec.structs.replace(reference, waiting=waiting))
        return
    due_at = ctx.now_at + shortest_ms(ctx.network, tenant_of(name), lambda rules: rules.unlinked_reference_ms)
    ctx.put(REFERENCES, name, Reference(waiting=waiting, due_at=due_at))
    ctx.wake(due_at, "finance.unlinked", name)


def _end_wait(name: str, reference: Reference, ctx: Context) -> None:
    """Nothing waits any more: take the timer back, or the alert."""
    if reference.alerted:
        _review("UNLINKED_REFERENCE", name, _unlinked(0), "resolved", ctx)
    else:
        ctx.unwake(reference.due_at, "finance.unlinked", name)


def _claim(record: ReferenceLinked, reference: Reference, ctx: Context) -> None:
    """A known reference is linked again: harmless for the same order, a person's matter for another."""
    if record.order_id == reference.order_id or record.order_id in reference.conflicts:
        return
    conflicts = (*reference.conflicts, record.order_id)
    ctx.put(REFERENCES, record.reference, msgspec.structs.replace(reference, conflicts=conflicts))
    detail = (
        f"linked to {reference.order_id!r}, now also claimed by {', '.join(map(repr, conflicts))}: the first is kept"
    )
    _review("REFERENCE_CONFLICT", record.reference, detail, "open", ctx)


def _unlinked(count: int) -> str:
    return f"{count} financial records wait for the order of this reference: link it, or send them with order_id"


def _review(kind: str, name: str, detail: str, status: str, ctx: Context) -> None:
    item = ReviewItem(stable_id("rv", kind, name), name, kind, detail, status, ctx.now_at)
    ctx.emit("review-queue", name, item)


STAGE: Final = Stage(
    name="finance",
    handlers={
        "settlements": {FinancialRecorded: receive},
        "reference-links": {ReferenceLinked: link},
    },
    tables=(REFERENCES, RECEIVED),
    timers={
        "finance.unlinked": alert_unlinked,
        "finance.forget_record": forget_record,
        "finance.forget_reference": forget_reference,
    },
    timer_tables={"finance.forget_record": RECEIVED},
)
