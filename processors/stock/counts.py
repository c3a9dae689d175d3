"""Counts: absolute numbers, which correct what deltas have missed.

In: StockCount. Out: the item set to what was counted plus the kept deltas that the count does not include; gaps closed
(ReviewItem COUNT_WANTED resolved) or another count asked for; an alert STOCK_DRIFT when nothing was missing and the
count still differs from what was computed, resolved by the next count that agrees. Older counts change no item.
Refused: see `admission.py`.

Units confirmed as shipped whose delta is on its way are still in the count: they are deducted again, unless the count
lacks them already. A feed whose counts leave out picked units may count less than there is by up to what is reserved.
"""

import msgspec

from processors.step import ABSENT, Absent, Context
from processors.stock.admission import admit
from processors.stock.items import keep
from processors.stock.notices import alert, review
from processors.stock.rows import STOCK_ITEMS, Item, Sequence, item_key, posted
from processors.stock.sequences import (
    after_count,
    fresh_item,
    ignore,
    is_first_of,
    is_new_key,
    keep_sequence,
    kept_after,
    known_sequence,
    sequence_key,
    want_count,
    with_sequence,
)
from processors.stock.waiting import serve
from schemas.records.network import FeedDefined
from schemas.records.stock import StockCount


def apply_count(record: StockCount, ctx: Context) -> None:
    """Set an item's on-hand stock to what was counted, once."""
    admitted = admit(record, ctx)
    if admitted is None:
        return
    feed, variant_id = admitted
    item = ctx.get(STOCK_ITEMS, item_key(variant_id, record.location_id))
    if feed.sequences != "none" and record.sequence is not None:
        _apply_numbered(ctx, item, record, feed=feed, number=record.sequence)
    elif is_new_key(ctx, record):
        _set(ctx, item, record, feed=feed, counted=record.quantity, comparable=_was_reported(item))


def _apply_numbered(ctx: Context, item: Item | Absent, record: StockCount, *, feed: FeedDefined, number: int) -> None:
    """A count of a feed with sequences: what it includes follows from its number."""
    in_item, numbered = is_first_of(item, record), sequence_key(record)
    known = known_sequence(ctx, item, record)
    if known is ABSENT:
        sequence = Sequence(number, counted=number, counted_at=record.occurred_at)
        keep_sequence(ctx, numbered, sequence, in_item=in_item)
        before = with_sequence(fresh_item(record) if item is ABSENT else item, record, sequence)
        return _set(ctx, before, record, feed=feed, counted=record.quantity, comparable=False)
    following = after_count(known, number, record.occurred_at)
    if following is None:
        ignore(ctx, numbered, known, in_item=in_item)
        if known.missing is not None:
            want_count(ctx, numbered, known.missing)
        return None
    keep_sequence(ctx, numbered, following, in_item=in_item)
    counted = record.quantity + kept_after(known, number)
    complete = known.missing is None and (number == known.last or feed.sequences == "monotonic")
    complete = complete and _was_reported(item)
    before = fresh_item(record) if item is ABSENT else item
    _set(ctx, with_sequence(before, record, following), record, feed=feed, counted=counted, comparable=complete)
    if following.missing is not None:
        want_count(ctx, numbered, following.missing)
    elif known.missing is not None:
        review(ctx, "COUNT_WANTED", numbered, detail="counted", status="resolved")
    return None


def _set(
    ctx: Context, item: Item | Absent, record: StockCount, *, feed: FeedDefined, counted: int, comparable: bool
) -> None:
    """Set on-hand, compare, and see who waits for what was found."""
    before = fresh_item(record) if item is ABSENT else item
    computed = before.on_hand + max(0, before.ahead)
    if feed.counts_exclude_picked:
        counted += _between(0, computed - counted, max(0, before.reserved + min(0, before.ahead)))
    ahead = before.ahead - _between(0, computed - counted, max(0, before.ahead))
    key = item_key(ctx.key, record.location_id)
    drifted = comparable and counted != computed
    if drifted:
        detail = f"counted {counted}, computed {computed}: difference {counted - computed}"
        alert(ctx, "STOCK_DRIFT", key, expected=computed, actual=counted, detail=detail, status="open")
    elif before.drifted:
        alert(ctx, "STOCK_DRIFT", key, expected=computed, actual=counted, detail="counted again", status="resolved")
    on_hand = counted - max(0, ahead)
    corrected = posted(before, on_hand - before.on_hand)
    after = msgspec.structs.replace(
        before, on_hand=on_hand, ahead=ahead, drifted=drifted, updated_at=ctx.now_at, **corrected
    )
    keep(ctx, key, after, on_hand_before=before.on_hand)
    serve(ctx, ctx.key, record.location_id)


def _was_reported(item: Item | Absent) -> bool:
    """Whether there is anything to compare a count with: an item may be there only because stock is announced."""
    return item is not ABSENT and item.updated_at > 0


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
