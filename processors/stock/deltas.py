"""Deltas: signed changes of on-hand stock, the bulk of all records.

In: StockDelta. Out: the item with its units moved, gaps opened (ReviewItem COUNT_WANTED), waiting orders woken by what
came in, what was on its way settled by what arrived (`inbound.py`). Duplicates and older deltas change no item. A
shipment that a confirmation has deducted already is not deducted again. Refused: see `admission.py`.

The plain case — the next delta of the feed that was first to report the item, and nothing runs short — takes one row
read and one row kept (a second read when units came in, to see who waits). Everything else takes the careful path.
"""

import msgspec

from processors.step import ABSENT, Absent, Context
from processors.stock.admission import DELTA_REASONS, admit
from processors.stock.inbound import MOVES_INBOUND, move
from processors.stock.items import keep
from processors.stock.rows import STOCK_ITEMS, Item, Sequence, item_key, posted, reported
from processors.stock.sequences import (
    after_delta,
    fresh_item,
    ignore,
    is_first_of,
    is_new_key,
    keep_sequence,
    known_sequence,
    sequence_key,
    want_count,
    with_sequence,
)
from processors.stock.waiting import serve
from processors.tenants import WORKER
from schemas.records.network import FeedDefined
from schemas.records.stock import StockDelta


def apply_delta(record: StockDelta, ctx: Context) -> None:
    """Move an item's on-hand stock, once."""
    variant_id, sequence = record.variant_id, record.sequence
    if variant_id is None or variant_id != ctx.key or sequence is None:
        return _apply_carefully(record, ctx)
    key = variant_id + "|" + record.location_id
    item = ctx.get(STOCK_ITEMS, key)
    # Who may report this item was admitted with the first record of the feed; the signature is everyone's own.
    if (
        item is ABSENT
        or item.feed_id != record.feed_id
        or item.sku != record.sku
        or item.sequence is None
        or item.sequence + 1 != sequence
        or item.gapped
        or item.short_since is not None
        or not _signed_by_feed(record.feed_id, ctx)
    ):
        return _apply_carefully(record, ctx)
    quantity = record.quantity
    on_hand = item.on_hand + quantity
    reason = record.reason
    if on_hand < item.reserved or item.on_hand < 0 or reason == "shipment" or reason not in DELTA_REASONS:
        return _apply_carefully(record, ctx)
    if record.reference is not None and reason in MOVES_INBOUND:
        return _apply_carefully(record, ctx)
    moved = Item(
        item.location_id,
        item.feed_id,
        item.sku,
        sequence,
        on_hand,
        item.reserved,
        item.held,
        item.revision + 1,
        ctx.now_at,
        (),
        item.ahead,
        item.newest,
        item.asked,
        None,
        item.shortfall,
        item.drifted,
        item.received + quantity if quantity > 0 else item.received,
        item.left if quantity > 0 else item.left - quantity,
        item.in_transit,
        item.expected,
    )
    ctx.put(STOCK_ITEMS, key, moved)
    if quantity > 0:
        serve(ctx, variant_id, item.location_id)
    return None


def _signed_by_feed(feed_id: str, ctx: Context) -> bool:
    """Whether the feed takes numbered records, and this one needs no signature or has the usual one."""
    feed = ctx.network.feeds.get(feed_id)
    if feed is None or feed.sequences == "none":
        return False
    signer = ctx.signer
    return signer is None or signer in (feed.partner_id, WORKER)


def _apply_carefully(record: StockDelta, ctx: Context) -> None:
    """Any delta: admit it, see whether it is new, apply it."""
    admitted = admit(record, ctx)
    if admitted is None:
        return
    feed, variant_id = admitted
    item = ctx.get(STOCK_ITEMS, item_key(variant_id, record.location_id))
    if feed.sequences != "none" and record.sequence is not None:
        _apply_numbered(ctx, item, record, feed=feed, number=record.sequence)
    elif is_new_key(ctx, record):
        _move(ctx, fresh_item(record) if item is ABSENT else item, record, feed=feed)


def _apply_numbered(ctx: Context, item: Item | Absent, record: StockDelta, *, feed: FeedDefined, number: int) -> None:
    """A delta of a feed with sequences: its number says whether it is new, and whether one is missing before it."""
    in_item, numbered = is_first_of(item, record), sequence_key(record)
    known = known_sequence(ctx, item, record)
    if known is ABSENT:
        following = Sequence(number)
    else:
        after = after_delta(known, number, record.quantity, contiguous=feed.sequences == "contiguous")
        if after is None:
            return ignore(ctx, numbered, known, in_item=in_item)
        following = after
    keep_sequence(ctx, numbered, following, in_item=in_item)
    before = with_sequence(fresh_item(record) if item is ABSENT else item, record, following)
    _move(ctx, before, record, feed=feed)
    if following.missing is not None and (known is ABSENT or known.missing is None):
        want_count(ctx, numbered, following.missing)
    return None


def _move(ctx: Context, item: Item, record: StockDelta, *, feed: FeedDefined) -> None:
    """Apply an accepted delta to its item, and see who waits for what came in."""
    on_hand, ahead, units = item.on_hand + record.quantity, item.ahead, record.quantity
    if _is_ours(record, feed):
        on_hand, ahead = reported(item, -record.quantity)
        units = on_hand - item.on_hand  # what the confirmation had deducted has left already
    moved = msgspec.structs.replace(item, on_hand=on_hand, ahead=ahead, updated_at=ctx.now_at, **posted(item, units))
    key = item_key(ctx.key, record.location_id)
    keep(ctx, key, move(ctx, key, moved, record), on_hand_before=item.on_hand)
    if record.quantity > 0:
        serve(ctx, ctx.key, record.location_id)


def _is_ours(record: StockDelta, feed: FeedDefined) -> bool:
    """Whether a delta reports units that a ship confirmation reports too."""
    if record.reason != "shipment" or record.quantity >= 0 or feed.shipment_deltas == "none":
        return False
    return feed.shipment_deltas == "unreferenced" or record.reference is not None
