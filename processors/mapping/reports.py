"""Reports: stock that a feed reports under its partner's own SKU, passed on under the variant.

In: StockReported (`stock-reports`, keyed by report_id = feed_id | sku), ReportMapped (`report-mappings`). Out: StockDelta and
StockCount on `mapped-stock`, in units; MappingAsked for a SKU not heard of before, and again while nobody answers; ReviewItem
COUNT_WANTED once a SKU means something, or something else, until the feed counts it: what it reported before is not in that
variant's stock. Reports of an unmapped SKU are counted on their row, and take effect only through that count.

Refused: FORGED, KEY_MISMATCH, MISSING_FIELD, UNKNOWN_FEED, INVALID_VALUE (more units than a record can name). Everything
else about a report is the stock stage's to judge.
"""

from typing import Final

import msgspec

from processors.aliases import alias_id_of
from processors.mapping.rows import REPORTS, Report
from processors.reasons import Reason
from processors.senders import require_sender
from processors.step import ABSENT, Context, Refused, stable_id
from processors.tenants import shortest_kept_ms, tenant_of
from schemas.records.mapping import MappingAsked, ReportMapped
from schemas.records.operations import ReviewItem
from schemas.records.stock import StockCount, StockDelta, StockReported

UNITS_MAX: Final = 2**31 - 1


def reported(record: StockReported, ctx: Context) -> None:
    """Pass a report on, or ask what its SKU means."""
    report_id = f"{record.feed_id}|{record.sku}"
    feed = ctx.network.feeds.get(record.feed_id)
    require_sender(ctx, record.feed_id, None if feed is None else feed.partner_id)
    if ctx.key != report_id:
        raise Refused(Reason.KEY_MISMATCH, f"key {ctx.key!r} is not feed_id | sku ({report_id!r}): key by it")
    if not record.sku:
        raise Refused(Reason.MISSING_FIELD, "sku is empty: name it")
    if feed is None:
        raise Refused(Reason.UNKNOWN_FEED, f"feed {record.feed_id!r} is not on `network`: define it, then replay")
    row = ctx.get(REPORTS, report_id)
    if row is ABSENT:
        namespace = f"partner:{feed.partner_id.partition('|')[2]}"
        row = Report(alias_id_of(tenant_of(record.feed_id), namespace, record.sku))
    if row.variant_id is None:
        _wait(report_id, row, ctx)
        return
    units = record.quantity * row.units_per_pack
    if abs(units) > UNITS_MAX:
        raise Refused(
            Reason.INVALID_VALUE, f"{record.quantity} packs of {row.units_per_pack} are more than {UNITS_MAX}"
        )
    _pass_on(record, row.variant_id, units, ctx)
    if record.counted and row.count_wanted:
        ctx.put(REPORTS, report_id, msgspec.structs.replace(row, count_wanted=False))
        _review(report_id, "counted", "resolved", ctx)


def told(record: ReportMapped, ctx: Context) -> None:
    """The SKU means this from now on."""
    row = ctx.get(REPORTS, record.report_id)
    if row is ABSENT or record.version <= row.version:
        return
    changed = record.variant_id is not None and record.variant_id != row.variant_id
    if changed and not row.count_wanted:
        detail = f"{row.alias_id} means {record.variant_id} now: send a count, {row.unmapped} reports came before"
        _review(record.report_id, detail, "open", ctx)
    row = msgspec.structs.replace(
        row,
        variant_id=record.variant_id,
        units_per_pack=record.units_per_pack,
        version=record.version,
        count_wanted=row.count_wanted or changed,
    )
    ctx.put(REPORTS, record.report_id, row)


def _wait(report_id: str, row: Report, ctx: Context) -> None:
    again_ms = shortest_kept_ms(ctx.network, tenant_of(report_id), "mapping_look_ms")
    asked_at = row.asked_at
    if not asked_at or asked_at + again_ms <= ctx.now_at:
        asked_at = ctx.now_at
        ctx.emit("mapping-requests", row.alias_id, MappingAsked(row.alias_id, "report", report_id, None))
    ctx.put(REPORTS, report_id, msgspec.structs.replace(row, asked_at=asked_at, unmapped=row.unmapped + 1))


def _pass_on(record: StockReported, variant_id: str, units: int, ctx: Context) -> None:
    if record.counted:
        count = StockCount(
            feed_id=record.feed_id,
            location_id=record.location_id,
            variant_id=variant_id,
            namespace=None,
            sku=record.sku,
            sequence=record.sequence,
            idempotency_key=record.idempotency_key,
            quantity=units,
            occurred_at=record.occurred_at,
        )
        ctx.emit("mapped-stock", variant_id, count)
        return
    delta = StockDelta(
        feed_id=record.feed_id,
        location_id=record.location_id,
        variant_id=variant_id,
        namespace=None,
        sku=record.sku,
        sequence=record.sequence,
        idempotency_key=record.idempotency_key,
        quantity=units,
        reason=record.reason,
        reference=record.reference,
        occurred_at=record.occurred_at,
        counterpart_location_id=record.counterpart_location_id,
    )
    ctx.emit("mapped-stock", variant_id, delta)


def _review(report_id: str, detail: str, status: str, ctx: Context) -> None:
    review_id = stable_id("rv", "COUNT_WANTED", report_id)
    ctx.emit("review-queue", report_id, ReviewItem(review_id, report_id, "COUNT_WANTED", detail, status, ctx.now_at))
