"""Truth: what the world did on purpose, kept apart from everything FSN says about it, and written as JSON.

In: the world's deeds, as it does them. Out: the file that the report compares with the topics; what its fields mean is
all that the two share. Nothing here was read from what a worker decided, except which orders came to which end: money
follows goods.
"""

from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

RECONCILIATION_KINDS: Final = (
    "MISSING_SETTLEMENT",
    "AMOUNT_MISMATCH",
    "DUPLICATE",
    "UNEXPECTED_ENTRY",
    "MISSING_REFUND",
    "REFUND_EXCEEDS_ORDER",
    "SHIPPING_OVERCHARGE",
    "SUPPLIER_COST_MISMATCH",
    "FEE_MISMATCH",
    "CURRENCY_MISMATCH",
    "LATE_ENTRY",
)
"""Every kind that can be seeded."""


class Discrepancy(msgspec.Struct, frozen=True):
    """One seeded difference: exactly one ReconciliationAlert of this kind must be open for this order at the end."""

    order_id: str
    kind: str
    what: str


class Planted(msgspec.Struct, frozen=True):
    """One record that must end in dead-letters: why, where it was sent, and what was wrong with it in words."""

    reason: str
    topic: str
    key: str
    what: str


class Forwarded(msgspec.Struct, frozen=True):
    """One good record, sent to the wrong partition as a wrong partitioner does: it must be processed once."""

    topic: str
    key: str


class Silence(msgspec.Struct, frozen=True):
    """A location whose only feed said nothing for a while.

    from_at: its last word before; stale_from_at: when that is too old; until_at: shortly before its first word after
    """

    feed_id: str
    location_id: str
    from_at: int
    stale_from_at: int
    until_at: int


class Drift(msgspec.Struct, frozen=True):
    """A count that must raise STOCK_DRIFT by this difference (counted − computed)."""

    variant_id: str
    location_id: str
    difference: int
    counted_at: int


class Truth(msgspec.Struct):
    """All of it.

    started_at, day_ends_at, finished_at: simulated instants
    orders_placed: distinct orders in good order; orders_repeated: how many of them were sent again, unchanged
    orders_cancelled: by customers (some too late); orders_given_up: cancelled in the end, for lack of a plan
    orders_shipped: at least in part, and closed; orders_unshipped: cancelled with nothing shipped
    cancels_of_unknown_orders: order_ids never placed: review items ORDER_UNKNOWN must name them
    unlinked_references: of no order: review items UNLINKED_REFERENCE must name them
    parcels: tracking_number → its last status in canonical words
    silent_parcels: tracking_numbers that must raise SHIPMENT_SILENT
    units_ordered, units_shipped: sums over orders_placed, as partners shipped them
    deltas: records on stock-deltas, faulty ones included
    messages: by topic, how many records were sent, noise included
    """

    seed: int
    started_at: int
    day_ends_at: int
    finished_at: int = 0
    orders_placed: list[str] = []
    orders_repeated: int = 0
    orders_cancelled: list[str] = []
    orders_given_up: list[str] = []
    orders_shipped: list[str] = []
    orders_unshipped: list[str] = []
    cancels_of_unknown_orders: list[str] = []
    unlinked_references: list[str] = []
    discrepancies: list[Discrepancy] = []
    dead_letters: list[Planted] = []
    forwarded: list[Forwarded] = []
    silences: list[Silence] = []
    stock_drifts: list[Drift] = []
    parcels: dict[str, str] = {}
    silent_parcels: list[str] = []
    units_ordered: int = 0
    units_shipped: int = 0
    deltas: int = 0
    messages: dict[str, int] = {}

    def plant(self, reason: str, topic: str, key: str, what: str) -> None:
        """Note a record that must end in dead-letters."""
        self.dead_letters.append(Planted(reason, topic, key, what))

    def letters(self) -> Counter[tuple[str, str]]:
        """How many must be found, by (topic, reason)."""
        return Counter((each.topic, each.reason) for each in self.dead_letters)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
