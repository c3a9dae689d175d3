"""Snapshots: what channels may promise, once per changed item and batch.

In: an item as a batch left it, and what is on its way to it. Out: StockSnapshot on the compacted topic `stock-snapshots`, keyed by variant and location.
"""

from processors.step import ABSENT, Context
from processors.stock.rows import INBOUND, Item, promisable
from schemas.records.stock import StockSnapshot


def project(key: str, item: Item, ctx: Context) -> None:
    """Show a changed item."""
    variant_id = key.removesuffix(f"|{item.location_id}")
    inbound = ctx.get(INBOUND, key) if item.in_transit or item.expected else ABSENT
    snapshot = StockSnapshot(
        variant_id,
        item.location_id,
        item.revision,
        item.on_hand,
        item.reserved,
        item.held,
        max(0, promisable(item, ctx)),
        bool(item.gapped),
        item.updated_at,
        item.in_transit,
        item.expected,
        None if inbound is ABSENT else inbound.next_at,
    )
    # The topic is compacted: its key must name the item, or one location would drop the others.
    ctx.emit("stock-snapshots", key, snapshot)
