"""Admission: which records of `stock-deltas` and `stock-requests` are taken at all.

In: a record and its context. Out: the feed that speaks, or nothing when a person has to map the record's SKU first
(ReviewItem UNMAPPED). Refused, first that applies: FORGED (signed by somebody who may not speak for the feed, or for
another tenant's variant), KEY_MISMATCH, MISSING_FIELD, INVALID_VALUE, NEGATIVE_QUANTITY, UNKNOWN_LOCATION,
UNKNOWN_FEED.
"""

from typing import Final

from processors.reasons import Reason
from processors.senders import require_sender
from processors.step import Context, Refused
from processors.stock.notices import review
from processors.tenants import tenant_of
from schemas.records.network import FeedDefined
from schemas.records.stock import StockCount, StockDelta, StockExpected

REFERENCE_MAX: Final = 200
LATEST_AT: Final = 4_102_444_800_000
"""2100-01-01."""

DELTA_REASONS: Final = frozenset(
    ("receipt", "sale", "shipment", "return_restock", "adjustment", "transfer_out", "transfer_in", "damage")
)


def admit(record: StockDelta | StockCount, ctx: Context) -> tuple[FeedDefined, str] | None:
    """The feed that reports this, and of which variant; None when its SKU is not mapped to a variant yet."""
    feed = ctx.network.feeds.get(record.feed_id)
    _vouched(record, feed, ctx)
    if record.variant_id is not None:
        require_key(record.variant_id, ctx)
    _whole(record)
    feed = _known_feed(record, feed, ctx)
    _numbered(record, feed)
    if record.variant_id is not None:
        return feed, record.variant_id
    entity_id = f"{record.feed_id}|{record.sku}"
    detail = f"stock of SKU {record.sku!r} ({record.namespace or feed.partner_id}): name its variant"
    review(ctx, "UNMAPPED", entity_id, detail=detail, status="open")
    return None


def admit_expected(record: StockExpected, ctx: Context) -> None:
    """Whether a feed may announce this, and has said all that is needed."""
    feed = ctx.network.feeds.get(record.feed_id)
    _vouched(record, feed, ctx)
    require_key(record.variant_id, ctx)
    _whole(record)
    if record.reference == "":
        raise Refused(Reason.MISSING_FIELD, "reference is empty: name the purchase order, despatch advice or transfer")
    if len(record.reference) > REFERENCE_MAX:
        raise Refused(
            Reason.INVALID_VALUE, f"reference has {len(record.reference)} characters, {REFERENCE_MAX} are allowed"
        )
    if record.expected_at is not None and not 0 < record.expected_at < LATEST_AT:
        raise Refused(Reason.INVALID_VALUE, f"expected_at {record.expected_at} is no epoch ms of this century")
    if _known_feed(record, feed, ctx).location_id != record.location_id:
        raise Refused(Reason.INVALID_VALUE, f"feed {record.feed_id!r} does not report {record.location_id!r}")


def require_key(variant_id: str, ctx: Context) -> None:
    """A variant has one writer: the task of its own key."""
    if variant_id != ctx.key:
        raise Refused(Reason.KEY_MISMATCH, f"key {ctx.key!r} is not the record's variant_id {variant_id!r}: key by it")


def require_units(quantity: int, what: str) -> None:
    """At least one unit."""
    if quantity < 0:
        raise Refused(Reason.NEGATIVE_QUANTITY, f"{what} {quantity}: at least 1 is meant")
    if quantity == 0:
        raise Refused(Reason.INVALID_VALUE, f"{what} 0: at least 1 is meant")


def _known_feed(record: StockDelta | StockCount | StockExpected, feed: FeedDefined | None, ctx: Context) -> FeedDefined:
    _known_location(record.location_id, ctx)
    if isinstance(record, StockDelta) and record.counterpart_location_id is not None:
        _known_location(record.counterpart_location_id, ctx)
        if tenant_of(record.counterpart_location_id) != tenant_of(record.location_id):
            detail = f"a transfer to or from another tenant's {record.counterpart_location_id!r}"
            raise Refused(Reason.INVALID_VALUE, detail)
    if feed is None:
        raise Refused(Reason.UNKNOWN_FEED, f"feed {record.feed_id!r} is not on `network`: define it, then replay")
    return feed


def _known_location(location_id: str, ctx: Context) -> None:
    if location_id not in ctx.network.locations:
        raise Refused(Reason.UNKNOWN_LOCATION, f"location {location_id!r} is not on `network`: define it, then replay")


def _vouched(record: StockDelta | StockCount | StockExpected, feed: FeedDefined | None, ctx: Context) -> None:
    require_sender(ctx, record.feed_id, None if feed is None else feed.partner_id)
    if ctx.signer is None or not record.variant_id:
        return
    if tenant_of(record.variant_id) != tenant_of(record.feed_id):
        raise Refused(Reason.FORGED, f"feed {record.feed_id!r} speaks of another tenant's {record.variant_id!r}")


def _whole(record: StockDelta | StockCount | StockExpected) -> None:
    for name, value in (("sku", record.sku), ("variant_id", record.variant_id), ("location_id", record.location_id)):
        if value == "":
            raise Refused(Reason.MISSING_FIELD, f"{name} is empty: name it")
    if isinstance(record, StockDelta):
        if record.reason not in DELTA_REASONS:
            known = ", ".join(sorted(DELTA_REASONS))
            raise Refused(Reason.INVALID_VALUE, f"reason {record.reason!r} is none of {known}")
    elif record.quantity < 0:
        raise Refused(Reason.NEGATIVE_QUANTITY, f"{record.quantity} units: nothing is counted or expected below 0")


def _numbered(record: StockDelta | StockCount, feed: FeedDefined) -> None:
    if feed.location_id != record.location_id:
        raise Refused(
            Reason.INVALID_VALUE, f"feed {record.feed_id!r} reports {feed.location_id!r}, not {record.location_id!r}"
        )
    if feed.sequences == "none":
        if not record.idempotency_key:
            raise Refused(Reason.MISSING_FIELD, f"idempotency_key: feed {record.feed_id!r} has no sequences")
    elif record.sequence is None:
        raise Refused(Reason.MISSING_FIELD, f"sequence: feed {record.feed_id!r} declares {feed.sequences} sequences")
