"""Snapshots: what channels may promise, once per changed item and batch.

In: an item as a batch left it. Out: StockSnapshot on the compacted topic `stock-snapshots`, keyed by variant and location.
"""

from processors.step import Context
from processors.stock.rows import Item, promisable
from schemas.records.stock import StockSnapshot


def project(key: str, item: Item, ctx: Context) -> None:
    """Show a changed item."""
    variant_id = key.removesuffix(f"|{item.location_id}")
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
    )
    # The topic is compacted: its key must name the item, or one location would drop the others.
    ctx.emit("stock-snapshots", key, snapshot)
