"""The broker under a measurement: always an empty one, always at rest before anything is timed.

In: which one, the embedded broker or one real Apache Kafka of ops/kafka. Out: its address and process, with FSN's topics
made. Nothing is measured before it has come to rest: one saves its log after a change, the other compiles itself while
it is fed, and either would burden whoever comes next.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from bench.harness import REST_TIMEOUT_S, BenchError, topology
from bench.memory import cpu_seconds
from fsn.broker import EmbeddedBroker
from ops.kafka.cluster import Cluster
from ops.kafka.jars import KafkaError
from schemas.topology import Topology
from streams.admin import apply

WINDOW_S: Final = 1.2
REST_CPU_S: Final = {"embedded": 0.06, "kafka": 0.12}
"""Processor time in a window below which a broker is at rest; a JVM has its own housekeeping."""


class BenchBroker(NamedTuple):
    """A broker that runs."""

    kind: Literal["embedded", "kafka"]
    bootstrap: str
    pid: int
    folder: Path

    def log_bytes(self) -> int:
        """What its log holds now, all partitions and the broker's own topics included; of a real Kafka."""
        return sum(path.stat().st_size for path in self.folder.glob("broker-*/data/*/*.log"))


@contextlib.contextmanager
def fresh_broker(
    kind: Literal["embedded", "kafka"],
    *,
    declared: Topology | None = None,
    settings: Mapping[str, object] | None = None,
) -> Iterator[BenchBroker]:
    """An empty broker with the topics of a topology, the shipped one by default; its data is thrown away.

    settings: further lines of a real Kafka's `server.properties`
    """
    with tempfile.TemporaryDirectory(prefix="fsn-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "broker"
        with _kafka(folder, settings) if kind == "kafka" else _embedded(folder) as (bootstrap, pid):
            assert pid is not None
            apply(declared or topology(), bootstrap)
            yield BenchBroker(kind, bootstrap, pid, folder)


@contextlib.contextmanager
def _embedded(folder: Path) -> Iterator[tuple[str, int | None]]:
    broker = EmbeddedBroker(folder)
    try:
        yield broker.start(), broker.pid
    finally:
        broker.kill()


@contextlib.contextmanager
def _kafka(folder: Path, settings: Mapping[str, object] | None) -> Iterator[tuple[str, int | None]]:
    try:
        cluster = Cluster(folder, settings=settings)
    except KafkaError as error:
        raise BenchError(str(error)) from error
    try:
        yield cluster.start(), cluster.brokers[0].pid
    finally:
        cluster.kill()


def come_to_rest(broker: BenchBroker) -> None:
    """Wait until the broker has worked off what it was sent."""
    deadline = time.monotonic() + REST_TIMEOUT_S
    while time.monotonic() < deadline:
        before = cpu_seconds(broker.pid)
        time.sleep(WINDOW_S)
        if cpu_seconds(broker.pid) - before < REST_CPU_S[broker.kind]:
            return
    raise BenchError(f"the broker was still busy after {REST_TIMEOUT_S:.0f} s")
