"""Intake: an order enters the network, once.

In: OrderPlaced. Out: the order's row, ReferenceLinked for its own and its marketplace's number (at once, for money
may move before a decision stands), and its first attempt; for a line without variant OrderParked `unmapped` and a
question what its SKU means: until that is answered the order never routes. The same order again changes nothing. Refused: what `checks`
refuses, and ORDER_DIFFERS, an order placed before with other content. A cancel that came first is applied first.
"""

import hashlib

import msgspec

from processors.orders.cancelling import cancel
from processors.orders.checks import check_order, require_order
from processors.orders.keeping import keep
from processors.orders.late import take_events, tell_unknown
from processors.orders.mapping import line_of, start
from processors.orders.rows import Kept, OrderRow, Phase, Placed, row_of
from processors.orders.shipping import close
from processors.reasons import Reason
from processors.step import ABSENT, Context, Refused
from processors.tenants import WORKER, tenant_of
from schemas.records.finance import ReferenceLinked
from schemas.records.orders import OrderClosed, OrderPlaced

DIGEST_BYTES = 12


def placed(record: OrderPlaced, ctx: Context) -> None:
    """Take an order in and start looking for its locations."""
    require_order(ctx, record.order_id, record.merchant_id)
    digest = digest_of(record)
    known = row_of(record.order_id, ctx)
    if known is not ABSENT and known.placed.digest == digest:
        return
    check_order(record, ctx)
    if known is not ABSENT:
        detail = f"order {record.order_id} was placed before with other content: send a change under a new order_id"
        raise Refused(Reason.ORDER_DIFFERS, detail)
    row = OrderRow(_placed(record, digest), Phase.UNMAPPED)
    _link_references(record, ctx)
    row = _apply_kept(row, ctx)
    if not row.cancelled:
        row = start(row, ctx)
    keep(row, ctx)


def digest_of(record: OrderPlaced) -> bytes:
    """What tells a repeat from a contradiction. A field that came later is left out where it says nothing."""
    fields = msgspec.structs.asdict(record)
    if not record.carrier_preference:
        del fields["carrier_preference"]
    return hashlib.sha1(msgspec.msgpack.encode(fields), usedforsecurity=False).digest()[:DIGEST_BYTES]


def _placed(record: OrderPlaced, digest: bytes) -> Placed:
    return Placed(
        order_id=record.order_id,
        digest=digest,
        merchant_id=record.merchant_id,
        channel=record.channel,
        lines=tuple(line_of(line, record.order_id) for line in record.lines),
        currency=record.currency,
        country=record.country,
        postcode_area=record.postcode_area,
        latitude_e6=record.latitude_e6,
        longitude_e6=record.longitude_e6,
        service=record.service,
        service_type=record.service_type,
        business=record.business,
        promised_at=record.promised_at,
        partial_consent=record.partial_consent,
        cost_ceiling_minor=record.cost_ceiling_minor,
        fixed_location_id=record.fixed_location_id,
        carrier_preference=record.carrier_preference,
    )


def _link_references(record: OrderPlaced, ctx: Context) -> None:
    tenant = tenant_of(record.order_id)
    references = [f"{tenant}|order|{record.order_id}"]
    if record.marketplace_reference is not None:
        references.append(f"{tenant}|marketplace|{record.marketplace_reference}")
    for reference in references:
        ctx.emit("reference-links", reference, ReferenceLinked(reference, record.order_id))


def _apply_kept(row: OrderRow, ctx: Context) -> OrderRow:
    """Apply what came before the order; what cannot belong to it is shown to a person."""
    strange: list[Kept] = []
    for kept in take_events(row.placed.order_id, ctx):
        if kept.kind == "OrderCancelled" and _may_speak(kept, row):
            row = row if row.cancelled else cancel(row, ctx)
        elif kept.kind == "OrderClosed" and _may_speak(kept, row):
            row = close(row, msgspec.msgpack.decode(kept.packed, type=OrderClosed))
        else:
            strange.append(kept)
    if strange:
        why = "came before the order, and fits no assignment of it or was signed by somebody else"
        tell_unknown(row.placed.order_id, tuple(strange), why, ctx)
    return row


def _may_speak(kept: Kept, row: OrderRow) -> bool:
    placed = row.placed
    return kept.signer in (None, WORKER, tenant_of(placed.order_id), placed.merchant_id)
