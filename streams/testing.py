"""The whole topology in one process, in memory: no broker, no clock, no threads.

`TopologyDriver` runs the same machine, unit of work and merge order as a worker, one partition after the other until
nothing is left to do. The interleaving is fixed, so two runs over the same inputs give byte-identical logs.

    with TopologyDriver(load("topology.yaml"), STAGES, start_at=0) as driver:
        driver.send("orders", order.order_id, order)
        assert driver.read("routing-decisions") == [...]
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from processors.step import Stage
from schemas.codec import Codec
from schemas.records.base import Record
from schemas.records.engine import Tick
from schemas.records.network import NetworkChanged
from schemas.topology import Topology
from streams.batch import compute
from streams.broadcast import NetworkCopy
from streams.deadletters import DeadLetterSealer
from streams.inbox import Inbox
from streams.machine import CLOCK, ENGINE, ENGINE_STAGE, NETWORK_CHANGES, Instant, Machine, Raw
from streams.partitioner import Partitioner
from streams.signatures import KeyRing
from streams.store import TIMER_PREFIX
from streams.unit import Output, UnitOfWork


class MemoryStore:
    """A local store in a dict; its timers lie in order beside it, as a scan of all rows per tick would take most time."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self._timers: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        """The value under a key."""
        return self.rows.get(key)

    def due_timers(self, from_at: int, to_at: int) -> Iterator[bytes]:
        """Stored timers due in a closed interval, in firing order."""
        low, high = f"~{from_at:016d}".encode(), f"~{to_at + 1:016d}".encode()
        return iter(self._timers[bisect_left(self._timers, low) : bisect_left(self._timers, high)])

    def write(self, rows: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Apply rows; None deletes."""
        for key, value in rows:
            if key.startswith(TIMER_PREFIX) and (value is None) is (key in self.rows):
                place = bisect_left(self._timers, key)
                self._timers[place : place + (value is None)] = () if value is None else (key,)
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value


class _MemoryTask:
    """One partition of the driver."""

    def __init__(self, driver: "TopologyDriver", partition: int) -> None:
        self.partition = partition
        self.store = MemoryStore()
        self.unit = UnitOfWork(driver.topology, (ENGINE_STAGE, *driver.stages), driver.codec, self.store)
        bulk = frozenset(name for name, spec in driver.topology.topics.items() if spec.bulk)
        self.inbox = Inbox(driver.topology.source_topics, bulk)
        self.round = 0
        self.machine = Machine(
            driver.topology,
            driver.stages,
            driver.codec,
            partition=partition,
            keys=driver.keys,
            sealer=DeadLetterSealer(None),
            networks=driver.network,
        )


class TopologyDriver:
    """A topology without Kafka; a context manager only so that tests read like those of a real one."""

    def __init__(
        self, topology: Topology, stages: Sequence[Stage], *, start_at: int = 0, keys: KeyRing | None = None
    ) -> None:
        self.topology = topology
        self.stages = tuple(stages)
        self.codec = Codec()
        self.keys = keys
        self.now_at = start_at
        self.network = NetworkCopy()
        self.logs: dict[tuple[str, int], list[Raw]] = {
            (name, partition): [] for name, spec in topology.topics.items() for partition in range(spec.partitions)
        }
        self._read: dict[str, list[int]] = {name: [0] * spec.partitions for name, spec in topology.topics.items()}
        self._partition_of = Partitioner(topology.partitions)
        self._tasks = [_MemoryTask(self, partition) for partition in range(topology.partitions)]

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def publish(self, *records: Record) -> None:
        """Put reference data into force."""
        self.publish_raw(*(self.codec.encode(record) for record in records))

    def publish_raw(self, *values: bytes) -> None:
        """Put bytes on `network`; what can be used of them is in force."""
        log = self.logs["network", 0]
        for value in values:
            log.append(Raw("network", 0, len(log), self.now_at, b"", value))
            self.network.read(log[-1:], self.codec.decode)
        for partition in range(self.topology.partitions):
            change = self.codec.encode(NetworkChanged(network_offset=self.network.available))
            self._append(NETWORK_CHANGES, partition, str(partition).encode(), change, self.now_at)
        self.run()

    def send(self, topic: str, key: str, record: Record, *, at: int | None = None) -> None:
        """Send one record and let everything that follows from it happen."""
        self.send_raw(topic, key.encode(), self.codec.encode(record), at=at)

    def send_raw(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        *,
        at: int | None = None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        run: bool = True,
    ) -> None:
        """Send bytes, to a partition of choice if need be; without `run` they wait until it is called."""
        where = self._partition_of(key) if partition is None else partition
        self._append(topic, where, key, value, self.now_at if at is None else at, tuple(headers))
        if run:
            self.run()

    def tick(self, at: int, *, run: bool = True) -> None:
        """Time passes everywhere."""
        self.now_at = max(self.now_at, at)
        for partition in range(self.topology.partitions):
            self._append(CLOCK, partition, str(partition).encode(), self.codec.encode(Tick(at=at)), at)
        if run:
            self.run()

    def read(self, topic: str) -> list[Any]:
        """Records of a topic not read before, partition by partition."""
        records: list[Any] = []
        for partition, start in enumerate(self._read[topic]):
            log = self.logs[topic, partition]
            records.extend(self.codec.decode(raw.value or b"") for raw in log[start:])
            self._read[topic][partition] = len(log)
        return records

    def rows(self, table: Any) -> dict[str, Any]:
        """All rows of a table."""
        decode = msgspec.msgpack.Decoder(table.row).decode
        prefix = f"{table.name}|".encode()
        return {
            key[len(prefix) :].decode(): decode(value)
            for task in self._tasks
            for key, value in sorted(task.store.rows.items())
            if key.startswith(prefix)
        }

    def stored(self) -> Iterator[tuple[bytes, bytes]]:
        """Every row of every table, timers among them, as the changelog keeps it."""
        for task in self._tasks:
            yield from task.store.rows.items()

    def run(self) -> None:
        """Process until no partition has work."""
        while sum(self._step(task) for task in self._tasks):
            pass

    def _step(self, task: _MemoryTask) -> bool:
        task.round += 1
        inbox = task.inbox
        for topic in self.topology.source_topics:
            log = self.logs[topic, task.partition]
            start = inbox.next_offset(topic)
            if start < len(log):
                inbox.add(topic, log[start:], task.round)
            inbox.ended(topic, task.round)
        known = isinstance(task.unit.get(ENGINE, "network"), Instant)
        batch = inbox.choose(only=None if known else NETWORK_CHANGES)
        if not batch:
            return False
        computed = compute(
            batch, task.machine, task.unit, app=self.topology.app, partition=task.partition, codec=self.codec
        )
        inbox.take(computed.processed)
        task.store.write(computed.rows)
        task.unit.committed()
        for output in computed.outputs:
            self._deliver(output)
        return True

    def _deliver(self, output: Output) -> None:
        partition = self._partition_of(output.key) if output.partition is None else output.partition
        self._append(output.topic, partition, output.key, output.value, output.timestamp, output.headers)

    def _append(
        self,
        topic: str,
        partition: int,
        key: bytes,
        value: bytes,
        timestamp: int,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        log = self.logs[topic, partition]
        log.append(Raw(topic, partition, len(log), timestamp, key, value, headers))
