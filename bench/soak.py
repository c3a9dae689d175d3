"""`python -m bench.soak` (`make soak`): one worker under a constant mixed load for 20 minutes, watched for what grows.

In: a JDK and the jars of `make kafka`; SOAK_MINUTES. Out: bench/results/soak.json, docs/soak.svg and the table between
this module's markers in docs/benchmarks.md; a run of fewer than 20 minutes writes files of its own below .fsn and publishes
nothing. Exit code 1 when something grew or a compacted topic was not cleaned. The broker is a real one whose segments are
small and whose cleaner looks often, so that a day's work of it fits into the run; the clock is the leader's.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from rich.console import Console

from bench import soak_page, soak_verdict
from bench.brokers import BenchBroker, fresh_broker
from bench.harness import DONE_TIMEOUT_S, ROOT, BenchError, Worker, topology, wait_calm
from bench.members import metric
from bench.orders import percentile
from bench.report import about as started_about
from bench.report import write_as
from bench.soak_verdict import Compacted, Finding, Sample, Taken
from bench.world import World
from streams.store import LocalStore

MINUTES: Final = 20.0
SAMPLE_S: Final = 10.0
ORDERS_PER_S: Final = 60.0
DELTAS_PER_S: Final = 1_000.0
"""A load that the worker bears with room to spare even where others use the machine: growth must not come from too much."""
UNOBSERVED_S: Final = 5.0
"""Orders of the last seconds may be decided after the observer's end."""
CLEANER: Final = {"log.cleaner.backoff.ms": 1_000, "log.segment.delete.delay.ms": 1_000}
SMALL_SEGMENTS: Final = {
    "segment.bytes": str(1 << 20),
    "segment.ms": "10000",
    "min.compaction.lag.ms": "0",
    "min.cleanable.dirty.ratio": "0.2",
}
COMPACTED: Final = ("changelog", "stock-snapshots")
Say = Callable[[str], None]


def main() -> int:
    """Run, judge, show, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__.partition("\n")[0])
    minutes_set = float(os.environ.get("SOAK_MINUTES", MINUTES))
    parser.add_argument("--minutes", type=float, default=minutes_set, help="how long; 20 and more are published")
    parser.add_argument("--orders", type=float, default=ORDERS_PER_S, help="orders a second; others are not published")
    parser.add_argument("--deltas", type=float, default=DELTAS_PER_S, help="stock deltas a second; likewise")
    chosen = parser.parse_args()
    minutes, rates = chosen.minutes, (chosen.orders, chosen.deltas)
    console = Console(stderr=True, highlight=False)
    about = {**started_about(), "minutes": minutes, "orders_per_s": rates[0], "deltas_per_s": rates[1]}
    try:
        samples, findings = soak(
            minutes * 60,
            lambda line: console.print(f"  {line}", markup=False),
            orders_per_s=rates[0],
            deltas_per_s=rates[1],
        )
    except (BenchError, ValueError) as error:
        console.print(str(error), markup=False)
        return 2
    document = {
        "findings": [finding._asdict() for finding in findings],
        "samples": [sample._asdict() for sample in samples],
        "about": about,
    }
    if minutes >= MINUTES and rates == (ORDERS_PER_S, DELTAS_PER_S):
        soak_page.publish(document)
        path = write_as("soak", document)
    else:
        path = soak_page.set_aside(document)
    console.print(soak_page.table(document), markup=False)
    console.print(f"{path.relative_to(ROOT)} written")
    return int(any(finding.fine is False for finding in findings))


def soak(seconds: float, say: Say, *, orders_per_s: float, deltas_per_s: float) -> tuple[list[Sample], list[Finding]]:
    """Samples of a run of so many seconds, and what is to be said of them."""
    with ExitStack() as stack:
        broker = stack.enter_context(fresh_broker("kafka", settings=CLEANER))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fsn-soak-")))
        shrink_segments(broker.bootstrap)
        load = _load(broker.bootstrap, (seconds, orders_per_s, deltas_per_s), folder)
        stack.callback(_end, load)
        keys = World(locations=1, variants=1).write_keys(folder)
        worker = stack.enter_context(Worker(broker.bootstrap, folder, keys))
        worker.wait_until_ready()
        wait_calm(worker)
        observer = _observer(broker.bootstrap, folder)
        stack.callback(_end, observer)
        samples, started = _watch(broker, worker, load, folder, seconds=seconds, say=say)
        if load.wait(DONE_TIMEOUT_S) or observer.wait(DONE_TIMEOUT_S):
            raise BenchError(f"the load or its observer failed; the worker said: {worker.said()}")
        worker.check()
        taken = _taken(worker)
        compacted = {topic: _compacted(broker, topic) for topic in COMPACTED}
        worker.stop()
        rows_mb = _rows_mb(folder / "state")
        samples = with_latencies(samples, _latencies(folder, started, until_s=seconds - UNOBSERVED_S))
        findings = soak_verdict.judge(
            samples,
            taken=taken,
            rows_mb=rows_mb,
            tasks=topology().partitions,
            compacted=compacted,
        )
        return samples, findings


def shrink_segments(bootstrap: str) -> None:
    """Let the compacted topics roll and be cleaned within seconds instead of hours."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in SMALL_SEGMENTS.items()
    ]
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries) for topic in COMPACTED]
    for future in admin.incremental_alter_configs(resources).values():
        future.result(30)


def _watch(
    broker: BenchBroker,
    worker: Worker,
    load: "subprocess.Popen[bytes]",
    folder: Path,
    *,
    seconds: float,
    say: Say,
) -> tuple[list[Sample], float]:
    """Let the load begin, and look at the worker until it ends; samples, and when it began (epoch seconds)."""
    assert load.stdin is not None
    load.stdin.close()
    started, samples = time.time(), list[Sample]()
    while (next_at := (len(samples) + 1) * SAMPLE_S) <= seconds:
        time.sleep(max(0.0, started + next_at - time.time()))
        worker.check()
        samples.append(_sample(broker, worker, folder / "state", at_s=time.time() - started))
        say(soak_page.line(samples[-1]))
    return samples, started


def _sample(broker: BenchBroker, worker: Worker, tables: Path, *, at_s: float) -> Sample:
    assert worker.pid is not None
    process = Path(f"/proc/{worker.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text("utf-8").splitlines())
    of_tables, others = _handles(process / "fd", tables)
    logs = [path for topic in COMPACTED for path in broker.folder.glob(f"broker-1/data/{topic}-*/*.log")]
    return Sample(
        at_s=round(at_s, 1),
        rss_mb=round(int(status["VmRSS"].split()[0]) / 1024, 1),
        handles=others,
        threads=int(status["Threads"]),
        table_mb=round(_bytes(path for path in tables.rglob("*") if path.is_file()) / 1e6, 1),
        table_files=of_tables,
        lag=metric(worker, "fsn_lag_records"),
        log_mb=round(_bytes(logs) / 1e6, 1),
    )


def _handles(folder: Path, tables: Path) -> tuple[int, int]:
    """Open files of the local tables, which come and go with their compaction, and all other handles."""
    inside = outside = 0
    for link in folder.iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith(str(tables)):
            inside += 1
        else:
            outside += 1
    return inside, outside


def _bytes(paths: Any) -> int:
    """Their size; what the store or the cleaner removes meanwhile counts no more."""
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _latencies(folder: Path, started: float, *, until_s: float) -> list[tuple[float, float]]:
    """Of every order due before then: seconds from the start when it was due, and seconds until it was decided."""
    due = msgspec.msgpack.decode((folder / "orders.due").read_bytes(), type=list[tuple[bytes, float]])
    seen = msgspec.msgpack.decode((folder / "decided").read_bytes(), type=list[tuple[bytes, float]])
    decided = dict(reversed(seen))
    missing = [key for key, at in due if key not in decided and at - started < until_s]
    if missing:
        raise BenchError(f"{len(missing)} of {len(due)} orders were not decided, the first {missing[0].decode()}")
    return [(at - started, decided[key] - at) for key, at in due if key in decided]


def with_latencies(samples: Sequence[Sample], orders: Sequence[tuple[float, float]]) -> list[Sample]:
    """The samples, each with the p99 of the orders due since the one before."""
    found, before = [], 0.0
    for sample in samples:
        waits = [seconds for at_s, seconds in orders if before <= at_s < sample.at_s]
        found.append(sample._replace(p99_ms=round(percentile(waits, 99), 1) if waits else None))
        before = sample.at_s
    return found


def _taken(worker: Worker) -> Taken:
    return Taken(
        records=round(metric(worker, "fsn_records_in_total")),
        decisions=round(metric(worker, "fsn_records_out_total", label='"routing-decisions"')),
        scans=round(metric(worker, "fsn_records_out_total", label='"tracking-events"')),
        refused=round(metric(worker, "fsn_dead_letters_total")),
    )


def _compacted(broker: BenchBroker, topic: str) -> Compacted:
    """Count what can still be read, and see how far the cleaner came in each partition."""
    cleaned = _cleaned(broker.folder / "broker-1" / "data" / "cleaner-offset-checkpoint")
    places = [TopicPartition(topic, number, 0) for number in range(topology().topics[topic].partitions)]
    reader = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "soak-counter",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    written = sum(reader.get_watermark_offsets(place, timeout=30)[1] for place in places)
    reader.assign(places)
    kept, at_end, deadline = 0, set[int](), time.monotonic() + 300
    while len(at_end) < len(places):
        for message in reader.consume(5_000, 1.0):
            if message.error() is None:
                kept += 1
            else:
                at_end.add(message.partition())
        if time.monotonic() > deadline:
            raise BenchError(f"{topic} could not be read to its end in 300 s")
    reader.close()
    return Compacted(written, kept, sum(not cleaned.get((topic, place.partition)) for place in places))


def _cleaned(path: Path) -> Mapping[tuple[str, int], int]:
    """Where the cleaner stands, as the broker notes it: a version, a count, then topic, partition and offset a line."""
    lines = path.read_text("utf-8").splitlines()[2:] if path.exists() else []
    return {(topic, int(partition)): int(offset) for topic, partition, offset in map(str.split, lines)}


def _rows_mb(tables: Path) -> float:
    total = 0
    for path in tables.glob("*/*"):
        if path.name.isdigit():
            store = LocalStore(path)
            total += sum(len(key) + len(value) for key, value in store.rows())
            store.close()
    return total / 1e6


def _load(bootstrap: str, pace: tuple[float, float, float], folder: Path) -> "subprocess.Popen[bytes]":
    """Seconds, orders and deltas a second of it."""
    command = [sys.executable, "-m", "bench.steady", bootstrap, *map(str, pace), str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise BenchError("the load did not start")
    return process


def _observer(bootstrap: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Notes decisions until none came for a while."""
    command = [
        sys.executable,
        "-m",
        "bench.observer",
        bootstrap,
        "routing-decisions",
        str(10**9),
        str(folder / "decided"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise BenchError("the observer did not start")
    return process


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
