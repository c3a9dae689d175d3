"""What an order leaves in the tables once everything about it has ended.

In: a small world, played to its end through the topology in memory: parcels delivered, bills settled, orders closed. Out:
rows and bytes per order after `Rules.stock_memory_ms` more has passed, when the stock stage has forgotten its
reservations; from then on only `Rules.order_keep_ms` takes rows away. No broker, no clock.
"""

import tempfile
from pathlib import Path
from typing import Final

from bench.harness import topology
from fsn.world.feeding import feed_driver
from fsn.world.world import World
from processors.location.freshness import FEEDS
from processors.location.slots import SLOTS
from processors.pipeline import STAGES
from processors.reference import FEED_STATUS, LOCATION_LOAD
from processors.rules import Rules
from processors.stock.rows import SEQUENCES, STOCK_ITEMS, STOCK_KEYS
from processors.tracking.parcel import UNKNOWN_CODES
from streams.machine import ENGINE
from streams.signatures import KeyRing
from streams.testing import TopologyDriver

ORDERS: Final = 400
HOUR_MS: Final = 3_600_000
STANDING: Final = (
    *(f"{table.name}|".encode() for table in (STOCK_ITEMS, SEQUENCES, STOCK_KEYS, FEEDS, FEED_STATUS, SLOTS)),
    *(f"{table.name}|".encode() for table in (LOCATION_LOAD, UNKNOWN_CODES, ENGINE)),
)
"""Rows that are there for items, feeds and places, however many orders there are."""


def measure(orders: int = ORDERS) -> dict[str, float]:
    """Rows and bytes an ended order leaves, of all its tables, its timers among them."""
    world = World(5, orders=orders, deltas=orders * 10, hours=6)
    with tempfile.TemporaryDirectory(prefix="fsn-kept-") as name:
        world.keys.write(Path(name) / "keys.json")
        keys = KeyRing.load(Path(name) / "keys.json")
    driver = TopologyDriver(topology(), STAGES, start_at=world.start_at, keys=keys)
    feed_driver(world, driver)
    until = driver.now_at + Rules().stock_memory_ms + 24 * HOUR_MS
    while driver.now_at < until:
        driver.tick(min(until, driver.now_at + HOUR_MS))
    rows = [(key, value) for key, value in driver.stored() if not key.startswith(STANDING)]
    size = sum(len(key) + len(value) for key, value in rows)
    return {"kept_rows_each": round(len(rows) / orders, 2), "kept_bytes_each": round(size / orders, 2)}
