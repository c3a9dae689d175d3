"""Sequences: is this delta or count new, and is anything missing before it?

A sequence belongs to (feed, source SKU); the first one seen is the baseline. In a contiguous feed a jump opens a gap:
what is applied since is kept, so that a later count can be completed with what it does not include yet. A missing
delta that arrives late is ignored like any other older one: only a count closes a gap. A feed without sequences names
each record by an idempotency key, which is remembered for a while (rule).

The sequence of the feed that was first to report an item lives in the item's own row (one row less per delta); its
row here holds the rest, and exists only while there is a rest. Of older records the count is kept, nothing else.
"""

from typing import Final

import msgspec

from processors.rules import DEFAULT_RULES
from processors.step import ABSENT, Absent, Context
from processors.stock.notices import review
from processors.stock.rows import SEQUENCES, STOCK_KEYS, Item, Seen, Sequence
from schemas.records.stock import StockCount, StockDelta, StockExpected

KEPT_MAX: Final = 512
"""Beyond it the oldest kept delta is forgotten, and a count must include it: a gap must not outgrow its row."""

FORGET_TIMER: Final = "stock.forget"

NOTHING_ELSE: Final = Sequence(None)


def sequence_key(record: StockDelta | StockCount) -> str:
    """Where a record's sequence is kept."""
    return f"{record.variant_id}|{record.feed_id}|{record.sku}"


def is_first_of(item: Item | Absent, record: StockDelta | StockCount) -> bool:
    """Whether the item's own row keeps this record's sequence."""
    return item is ABSENT or (item.feed_id == record.feed_id and item.sku == record.sku)


def known_sequence(ctx: Context, item: Item | Absent, record: StockDelta | StockCount) -> Sequence | Absent:
    """What is known of a record's sequence; ABSENT before its baseline."""
    row = ctx.get(SEQUENCES, sequence_key(record))
    if item is ABSENT or not is_first_of(item, record):
        return row
    return msgspec.structs.replace(NOTHING_ELSE if row is ABSENT else row, last=item.sequence)


def keep_sequence(ctx: Context, key: str, sequence: Sequence, *, in_item: bool) -> None:
    """Keep what is known of a sequence; `in_item` when its last number is kept in the item's row."""
    if not in_item:
        ctx.put(SEQUENCES, key, sequence)
        return
    rest = msgspec.structs.replace(sequence, last=None)
    known = ctx.get(SEQUENCES, key)
    if rest != (NOTHING_ELSE if known is ABSENT else known):
        ctx.put(SEQUENCES, key, rest)


def fresh_item(record: StockDelta | StockCount | StockExpected) -> Item:
    """An item that was never reported before: nothing is there."""
    return Item(record.location_id, record.feed_id, record.sku, None, 0, 0, 0, 0, 0)


def with_sequence(item: Item, record: StockDelta | StockCount, sequence: Sequence) -> Item:
    """The item with its own part of a sequence: the last number, and whether a gap is open."""
    key = sequence_key(record)
    gapped = tuple(other for other in item.gapped if other != key)
    return msgspec.structs.replace(
        item,
        sequence=sequence.last if is_first_of(item, record) else item.sequence,
        gapped=gapped if sequence.missing is None else (*gapped, key),
    )


def after_delta(known: Sequence, number: int, quantity: int, *, contiguous: bool) -> Sequence | None:
    """The sequence after a delta; None when it is a duplicate or older."""
    if known.last is None:
        return msgspec.structs.replace(known, last=number)
    if number <= known.last:
        return None
    missing, kept = known.missing, known.kept
    if contiguous and missing is None and number > known.last + 1:
        missing = known.last + 1
    if missing is not None:
        kept = (*kept, (number, quantity))
        if len(kept) > KEPT_MAX:
            missing, kept = kept[0][0], kept[1:]
    return msgspec.structs.replace(known, last=number, missing=missing, kept=kept)


def after_count(known: Sequence, number: int, counted_at: int) -> Sequence | None:
    """The sequence after a count; None when it is a duplicate, or older than what it would have to include."""
    if known.last is None:
        return msgspec.structs.replace(known, last=number, counted=number, counted_at=counted_at)
    if number < (known.last if known.missing is None else known.missing):
        return None
    # Two counts may stand at one sequence, when nothing moved between them: then they differ in when they were made.
    if known.counted is not None and (number, counted_at) <= (known.counted, known.counted_at):
        return None
    kept = tuple(entry for entry in known.kept if entry[0] > number)
    missing = _first_missing(number, kept)
    return msgspec.structs.replace(
        known,
        last=max(known.last, number),
        missing=missing,
        kept=() if missing is None else kept,
        counted=number,
        counted_at=counted_at,
    )


def kept_after(known: Sequence, number: int) -> int:
    """Units of the kept deltas that a count with this sequence does not include yet."""
    return sum(quantity for kept, quantity in known.kept if kept > number)


def ignore(ctx: Context, key: str, known: Sequence, *, in_item: bool) -> None:
    """Count an older record."""
    keep_sequence(ctx, key, msgspec.structs.replace(known, ignored=known.ignored + 1), in_item=in_item)


def want_count(ctx: Context, key: str, missing: int) -> None:
    """Ask for a count that closes a gap."""
    detail = f"sequence {missing} never came: send a count that includes it"
    review(ctx, "COUNT_WANTED", key, detail=detail, status="open")


def is_new_key(ctx: Context, record: StockDelta | StockCount) -> bool:
    """Whether a feed without sequences says this for the first time; then its key is remembered."""
    key = f"{sequence_key(record)}|{record.idempotency_key}"
    seen = ctx.get(STOCK_KEYS, key)
    if seen is not ABSENT:
        ctx.put(STOCK_KEYS, key, Seen(seen.seen_at, seen.ignored + 1))
        return False
    ctx.put(STOCK_KEYS, key, Seen(ctx.now_at, 0))
    ctx.wake(ctx.now_at + DEFAULT_RULES.stock_memory_ms, FORGET_TIMER, key)
    return True


def forget_key(key: str, ctx: Context) -> None:
    """Timer: nobody repeats a record this late."""
    ctx.delete(STOCK_KEYS, key)


def _first_missing(number: int, kept: tuple[tuple[int, int], ...]) -> int | None:
    """The first sequence after `number` that is not kept; None when the kept ones follow without a hole."""
    for expected, (found, _) in enumerate(kept, number + 1):
        if expected != found:
            return expected
    return None
