"""What every measurement stands on: how much is measured, records to send, the worker as a process, medians over rounds.

A contender is a function that takes a round's `Scale` and returns one number (or a mapping of numbers). Contenders are
interleaved, A B C A B C, so that a machine that grows slower slows all of them; ratios are taken inside a round, then
their median. What they run on is bench/brokers.py's.
"""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from bench.memory import Strangers, cpu_percent, peak_rss_mb
from fsn.processes import WorkerProcess
from schemas.topology import Topology, load

ROOT: Final = Path(__file__).resolve().parents[1]
TOPOLOGY: Final = ROOT / "topology.yaml"
REST_TIMEOUT_S: Final = 60.0
DONE_TIMEOUT_S: Final = 600.0
COORDINATOR_MOVES: Final = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)
"""What a real Kafka answers while the topic of offsets is being made, at the first question of a fresh cluster."""
QUIET_CORES: Final = 0.15
"""Above it others used so much processor time during a run that its figure says little, and is marked."""


class Scale(NamedTuple):
    """How much is measured, and on which broker. `quick` is for finding out whether a benchmark works, never for a figure.

    warm_up: deltas that each contender takes before its clock starts (plain Faust a fifth of its own, it is slow)
    jvm_warm_up: how many more Kafka Streams takes, which is compiled while it runs
    warm_up_orders: orders routed before any is timed
    orders_per_s: what one worker is to route; latency is taken at half of it
    """

    name: str
    broker: Literal["embedded", "kafka"]
    rounds: int
    warm_up: int
    jvm_warm_up: int
    deltas: int
    quix_deltas: int
    faust_deltas: int
    warm_up_orders: int
    orders: int
    orders_per_s: float
    steady_s: float
    idle_s: float


FULL: Final = Scale(
    name="full",
    broker="embedded",
    rounds=3,
    warm_up=0,
    jvm_warm_up=0,
    deltas=300_000,
    quix_deltas=320_000,
    faust_deltas=15_000,
    warm_up_orders=0,
    orders=8_000,
    orders_per_s=600.0,
    steady_s=20.0,
    idle_s=10.0,
)
QUICK: Final = FULL._replace(
    name="quick",
    rounds=1,
    deltas=60_000,
    quix_deltas=80_000,
    faust_deltas=3_000,
    orders=1_500,
    steady_s=6.0,
    idle_s=4.0,
)
# The JVM compiles hard for some 20 s of processor time, 200,000 records, and goes on for long behind that.
KAFKA: Final = FULL._replace(
    broker="kafka",
    warm_up=100_000,
    jvm_warm_up=300_000,
    deltas=240_000,
    quix_deltas=80_000,
    warm_up_orders=10_000,
    orders_per_s=1_500.0,
)
KAFKA_QUICK: Final = KAFKA._replace(
    name="quick",
    rounds=1,
    warm_up=40_000,
    jvm_warm_up=20_000,
    deltas=60_000,
    quix_deltas=30_000,
    faust_deltas=3_000,
    warm_up_orders=300,
    orders=1_500,
    steady_s=6.0,
)


class Message(NamedTuple):
    """A record ready to be sent."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]] | None = None


class BenchError(RuntimeError):
    """A measurement that did not come about; never a number that means something else."""


def topology() -> Topology:
    """The shipped declaration: what is measured is what runs."""
    return load(TOPOLOGY)


def send(bootstrap: str, messages: Sequence[Message]) -> None:
    """Send records by Kafka's own partitioner and wait until all are acknowledged."""
    failed: list[str] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "message.max.bytes": 64 << 20,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 2 << 20,
            "on_delivery": lambda error, _: failed.append(str(error)) if error is not None else None,
        }
    )
    for number, message in enumerate(messages):
        producer.produce(message.topic, message.value, message.key, headers=message.headers)
        if number % 5_000 == 0:
            producer.poll(0)
    if producer.flush(120) or failed:
        raise BenchError(f"the broker did not take all records: {failed[:1] or 'time ran out'}")


class Running(Protocol):
    """A process that takes records: FSN's worker, or a contender that is timed from outside like it."""

    @property
    def pid(self) -> int | None:
        """Its process id."""

    def check(self) -> None:
        """Raise if it has ended by itself."""


class Reached(NamedTuple):
    """How much was committed at a moment (perf_counter)."""

    total: int
    at: float


class Positions:
    """How far a group has committed a topic; asks the broker only, and joins nothing."""

    def __init__(self, bootstrap: str, group: str, topic: str, partitions: int) -> None:
        self._wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})

    def total(self) -> int:
        """Committed offsets, summed."""
        deadline = time.monotonic() + REST_TIMEOUT_S
        while True:
            try:
                return sum(max(0, found.offset) for found in self._consumer.committed(self._wanted, timeout=30))
            except KafkaException as error:
                if error.args[0].code() not in COORDINATOR_MOVES or time.monotonic() > deadline:
                    raise BenchError(f"the broker does not tell committed offsets: {error.args[0].str()}") from error
                time.sleep(0.05)

    def wait_for(self, total: int, process: Running, *, poll_s: float = 0.02) -> Reached:
        """Return once the group has committed this many: how many, and when."""
        deadline = time.monotonic() + DONE_TIMEOUT_S
        while time.monotonic() < deadline:
            if (found := self.total()) >= total:
                return Reached(found, time.perf_counter())
            process.check()
            time.sleep(poll_s)
        raise BenchError(f"{self.total()} of {total} records after {DONE_TIMEOUT_S:.0f} s")

    def close(self) -> None:
        """Leave."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Worker(WorkerProcess):
    """FSN's real worker as a process of its own: signatures checked, metrics served, everything on."""

    def __init__(self, bootstrap: str, folder: Path, keys: Path) -> None:
        super().__init__(
            topology=TOPOLOGY,
            log_path=folder / "worker.log",
            brokers=bootstrap,
            state_dir=folder / "state",
            keys=keys,
            membership="static",
        )
        self.peak_rss_mb = 0.0

    def stop(self) -> int | None:
        """Drain and stop it, noting the most memory it ever held."""
        if self.pid is not None and self.is_alive:
            self.peak_rss_mb = max(self.peak_rss_mb, peak_rss_mb(self.pid))
        return super().stop()


def interleaved(
    contenders: Mapping[str, Callable[[], Any]], rounds: int, say: Callable[[str], None]
) -> tuple[dict[str, list[Any]], dict[str, list[float]]]:
    """Run every contender in every round, in order: what each returned, and how many cores strangers used meanwhile.

    A contender must have waited for all its processes when it returns, or they would count as strangers.
    """
    results: dict[str, list[Any]] = {name: [] for name in contenders}
    foreign: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(1, rounds + 1):
        for name, run in contenders.items():
            started = time.perf_counter()
            with Strangers() as strangers:
                results[name].append(run())
            foreign[name].append(strangers.cores)
            took = time.perf_counter() - started
            say(
                f"round {number}: {name} = {_shown(results[name][-1])} ({took:.0f} s, strangers {strangers.cores:.2f} cores)"
            )
    return results, foreign


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median and spread."""
    return {"median": round(statistics.median(values), 2), "min": round(min(values), 2), "max": round(max(values), 2)}


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios inside each round."""
    return round(statistics.median([mine / other for mine, other in zip(ours, theirs, strict=True)]), 3)


def wait_calm(worker: WorkerProcess, *, percent: float = 25.0) -> None:
    """Return once the worker has nothing left to do but its ticks."""
    deadline = time.monotonic() + REST_TIMEOUT_S
    while time.monotonic() < deadline:
        worker.check()
        assert worker.pid is not None
        if cpu_percent({"worker": worker.pid}, 1.0)["worker"] < percent:
            return
    raise BenchError(f"the worker was still busy after {REST_TIMEOUT_S:.0f} s: {worker.said()}")


def run_peer(module: str, *arguments: str) -> str:
    """Run a contender in a process of its own; the last line it prints is its result."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DONE_TIMEOUT_S,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise BenchError(f"{module} failed ({done.returncode}): {(done.stderr or done.stdout)[-1_500:]}")
    return lines[-1]


def machine() -> dict[str, Any]:
    """What it was measured on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    memory_kb = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_mb": memory_kb // 1024,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_1m": round(os.getloadavg()[0], 2),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()
    except OSError:
        return []


def _shown(result: Any) -> str:
    if isinstance(result, dict):
        return ", ".join(f"{name} {value:,.1f}" for name, value in result.items() if isinstance(value, int | float))
    return f"{result:,.0f}" if isinstance(result, int | float) else str(result)
