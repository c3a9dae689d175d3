"""Whether a record costs the same when a task holds ten million rows as when it holds ten thousand.

In: one task's machine, unit of work and local store, as a worker has them, over the shipped topology: a store of few rows
and one of many, filled in random order. Out: microseconds per record of reading, deciding, showing and writing the store,
without Kafka, whose share does not depend on the rows and would hide a difference. Deltas name items at random, so that
in the large store nearly every row is read from its files; batches of both take turns.
"""

import itertools
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from bench.harness import BenchError, topology
from bench.memory import peak_rss_mb
from bench.world import KEYS, World
from processors.network import Network, fold
from schemas.codec import Codec
from schemas.records.network import FeedDefined
from schemas.records.stock import StockDelta
from streams.app import load_stages
from streams.batch import compute
from streams.broadcast import NetworkCopy
from streams.changelog import now_ms
from streams.deadletters import DeadLetterSealer
from streams.machine import ENGINE_STAGE, Machine, Raw
from streams.partitioner import Partitioner
from streams.signatures import KeyRing
from streams.store import LAYOUT_VERSION, LocalStore, StoreMeta
from streams.unit import UnitOfWork

LOCATIONS: Final = 20
FEW: Final = 10_000
SKU: Final = "SKU-0000001"
BATCH: Final = 1_000
WARM_UP: Final = 20
ROWS_PER_WRITE: Final = 20_000
STRIDE: Final = 7_368_787
"""A prime: rows are written in an order that has nothing to do with their keys'."""
BUSY: Final = ("num-running-compactions", "num-running-flushes", "compaction-pending", "mem-table-flush-pending")
SETTLE_TIMEOUT_S: Final = 180.0
META: Final = StoreMeta("changelog", 1, LAYOUT_VERSION, 0, now_ms())
TARGETS: Final = {"ratio": 1.3}


class _Task:
    """What a worker holds of partition 0: so many items, all of them known."""

    def __init__(self, path: Path, variant_ids: list[str]) -> None:
        self._topology, self._codec, self._chance = topology(), Codec(), random.Random(len(variant_ids))
        self._ring, sent = KeyRing(KEYS), World(locations=LOCATIONS, variants=1).reference()
        network = fold(Network(), [(number, self._codec.decode(one.value)) for number, one in enumerate(sent)])
        self._feeds: list[FeedDefined] = [network.feeds[name] for name in sorted(network.feeds)]
        self._variant_ids = variant_ids
        self._sequences: dict[tuple[str, int], int] = {}
        self._offsets = itertools.count()
        self._store = LocalStore(path)
        stages = load_stages(self._topology)
        self.unit = UnitOfWork(self._topology, (ENGINE_STAGE, *stages), self._codec, self._store)
        self.unit.network = network
        self._machine = Machine(
            self._topology,
            stages,
            self._codec,
            partition=0,
            keys=self._ring,
            sealer=DeadLetterSealer(None),
            networks=NetworkCopy(),
        )
        self._fill()

    def microseconds(self) -> float:
        """Per record, of one batch of deltas for items drawn at random."""
        picked = [(self._chance.choice(self._variant_ids), self._chance.randrange(LOCATIONS)) for _ in range(BATCH)]
        batch = [self._delta(variant_id, place) for variant_id, place in picked]
        started = time.perf_counter()
        self._store.write(self._compute(batch), META)
        self.unit.committed()
        return (time.perf_counter() - started) / BATCH * 1e6

    def settle(self) -> None:
        """Wait until the store has put its files in order, as it has long done when a worker is not new."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while any(self._store._db.property_int_value(f"rocksdb.{name}") for name in BUSY):
            if time.monotonic() > deadline:
                raise BenchError(f"the store was still busy after {SETTLE_TIMEOUT_S:.0f} s")
            time.sleep(0.2)

    def close(self) -> None:
        """Release the files."""
        self._store.close()

    def _compute(self, batch: list[Raw]) -> list[tuple[bytes, bytes | None]]:
        computed = compute(batch, self._machine, self.unit, app=self._topology.app, partition=0, codec=self._codec)
        if computed.counts.dead or len(computed.processed) != len(batch):
            raise BenchError(
                f"of {len(batch)} deltas {len(computed.processed)} were taken, refused: {computed.counts.dead}"
            )
        return computed.rows

    def _delta(self, variant_id: str, place: int) -> Raw:
        number = self._sequences[variant_id, place] = self._sequences.get((variant_id, place), 1) + 1
        return self._raw(variant_id, place, number)

    def _raw(self, variant_id: str, place: int, number: int) -> Raw:
        feed = self._feeds[place]
        delta = StockDelta(
            feed.feed_id, feed.location_id, variant_id, None, SKU, number, None, 3, "receipt", None, META.touched_at
        )
        key, value = variant_id.encode(), self._codec.encode(delta)
        headers = self._ring.sign("partner-1", "stock-deltas", key, value)
        return Raw("stock-deltas", 0, next(self._offsets), META.touched_at, key, value, headers)

    def _fill(self) -> None:
        """A row per item, as its first delta made it."""
        first = self._variant_ids[0]
        made = dict(self._compute([self._raw(first, place, 1) for place in range(LOCATIONS)]))
        self.unit.clear()
        rows = []
        for feed in self._feeds:
            key = f"stock_items|{first}|{feed.location_id}".encode()
            head, tail = key.split(first.encode())
            rows.append((head, tail, made[key]))
        for some in _in_parts(self._spread(rows)):
            self._store.write(some, META, logged=False)
        self._store.flush()

    def _spread(self, rows: list[tuple[bytes, bytes, bytes | None]]) -> Iterator[tuple[bytes, bytes | None]]:
        total = len(self._variant_ids) * LOCATIONS
        for step in range(total):
            number, place = divmod(step * STRIDE % total, LOCATIONS)
            head, tail, value = rows[place]
            yield head + self._variant_ids[number].encode() + tail, value


def measure(rows: int, batches: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Microseconds per record with few rows and with so many, their ratio, and the memory it took."""
    variant_ids = _variants_of_partition_0(rows // LOCATIONS)
    with tempfile.TemporaryDirectory(prefix="fsn-bench-") as name:
        few = _Task(Path(name) / "few", variant_ids[: FEW // LOCATIONS])
        started = time.perf_counter()
        many = _Task(Path(name) / "many", variant_ids)
        many.settle()
        say(f"{rows:,} rows written in {time.perf_counter() - started:.0f} s")
        for _ in range(WARM_UP):
            few.microseconds()
            many.microseconds()
        pairs = [(few.microseconds(), many.microseconds()) for _ in range(batches)]
        few.close()
        many.close()
    found = {
        "rows_few": FEW,
        "rows_many": rows,
        "us_few": round(statistics.median(pair[0] for pair in pairs), 2),
        "us_many": round(statistics.median(pair[1] for pair in pairs), 2),
        "ratio": round(statistics.median(many_us / few_us for few_us, many_us in pairs), 3),
        "peak_rss_mb": round(peak_rss_mb(os.getpid())),
    }
    say(f"{found['us_few']} µs a record with {FEW:,} rows, {found['us_many']} with {rows:,}: × {found['ratio']}")
    return found


def _variants_of_partition_0(count: int) -> list[str]:
    partition_of, found = Partitioner(topology().partitions), []
    for number in itertools.count():
        variant_id = f"acme|v{number:08}"
        if partition_of(variant_id.encode()) == 0:
            found.append(variant_id)
            if len(found) == count:
                break
    return found


def _in_parts(rows: Iterator[tuple[bytes, bytes | None]]) -> Iterator[list[tuple[bytes, bytes | None]]]:
    while part := list(itertools.islice(rows, ROWS_PER_WRITE)):
        yield part
