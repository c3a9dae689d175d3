"""Stock deltas per second: FSN's worker beside its peers and the limit, over the same bytes on the same kind of broker.

Every run starts an empty broker and feeds it the same topic: 20,000 items (1,000 variants × 20 locations) on four
partitions, signed, contiguous sequences. FSN first takes a receipt for every item and 2,000 reservations, stops, and
starts again over the rest; like Kafka Streams it is timed by its group's committed offsets. The Python peers time
themselves, from the first record after the warm-up to the last one committed. For each, records per second of the
clock and per second of processor time that the contender used, all its threads included; the broker's is not. Only
the JVM's compiler threads are left out: a program that runs for days has paid for them.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from bench.brokers import come_to_rest, fresh_broker
from bench.harness import (
    Message,
    Positions,
    Running,
    Scale,
    Worker,
    interleaved,
    paired_ratio,
    run_peer,
    send,
    summary,
    topology,
)
from bench.memory import cpu_seconds, thread_seconds
from bench.peers import kafka_streams
from bench.world import World

LOCATIONS: Final = 20
VARIANTS: Final = 1_000
RESERVATIONS: Final = 2_000

Broker = Literal["embedded", "kafka"]
Rates = dict[str, float]


def measure(scale: Scale, say: Callable[[str], None]) -> dict[str, Any]:
    """Records per second by contender, with spreads, ratios and the worker's peak memory."""
    if scale.broker == "kafka":
        kafka_streams.build()  # Maven must not run inside a round
    world = World(locations=LOCATIONS, variants=VARIANTS)
    receipts = world.deltas(LOCATIONS * VARIANTS, quantity=100)
    deltas = world.deltas(scale.deltas + max(0, scale.warm_up - len(receipts)))
    more = world.deltas(scale.jvm_warm_up) if scale.broker == "kafka" else []
    peaks: list[float] = []

    def fsn() -> Rates:
        rates, peak = run_fsn(scale, world, receipts, deltas)
        peaks.append(peak)
        return rates

    contenders = {"fsn": fsn, **_others(scale, receipts + deltas)}
    if scale.broker == "kafka":
        contenders["kafka_streams_exactly_once"] = lambda: run_kafka_streams(
            [*receipts, *deltas, *more], scale.warm_up + scale.jvm_warm_up
        )
    found, foreign = interleaved(contenders, scale.rounds, say)
    rates = {name: [one["per_s"] for one in runs] for name, runs in found.items()}
    per_cpu = {name: [one["per_cpu_s"] for one in runs] for name, runs in found.items()}
    ratios = {f"over_{name}": paired_ratio(rates["fsn"], theirs) for name, theirs in rates.items() if name != "fsn"}
    ratios["of_limit"] = ratios.pop("over_limit")
    ratios |= {
        f"over_{name}_per_cpu": paired_ratio(per_cpu["fsn"], theirs)
        for name, theirs in per_cpu.items()
        if name != "fsn"
    }
    return {
        "medians": {name: round(summary(values)["median"]) for name, values in rates.items()},
        "runs": {name: [round(value) for value in values] for name, values in rates.items()},
        "per_cpu_s": {name: round(summary(values)["median"]) for name, values in per_cpu.items()},
        "ratios": ratios,
        "foreign_cores": foreign,
        "peak_rss_mb": max(peaks),
    }


def _others(scale: Scale, messages: list[Message]) -> dict[str, Callable[[], Rates]]:
    quix = messages[: scale.warm_up + scale.quix_deltas]
    faust_warm_up = min(scale.warm_up, scale.faust_deltas // 5)  # at its pace the others' would take minutes
    faust = messages[: faust_warm_up + scale.faust_deltas]
    kind, warm_up = scale.broker, scale.warm_up
    return {
        "quix_exactly_once": lambda: run_other(kind, "bench.peers.quix", quix, warm_up, "exactly-once"),
        "quix_at_least_once": lambda: run_other(kind, "bench.peers.quix", quix, warm_up, "at-least-once"),
        "faust_table": lambda: run_other(kind, "bench.peers.faust_table", faust, faust_warm_up),
        "limit": lambda: run_other(kind, "bench.limit", messages, warm_up),
    }


def run_fsn(scale: Scale, world: World, receipts: list[Message], deltas: list[Message]) -> tuple[Rates, float]:
    """Deltas per second of one worker, by its commits, and its peak memory in MB."""
    declared = topology()
    with fresh_broker(scale.broker) as broker, tempfile.TemporaryDirectory(prefix="fsn-bench-") as name:
        folder = Path(name)
        worker = Worker(broker.bootstrap, folder, world.write_keys(folder))
        send(broker.bootstrap, [*world.reference(), *receipts])
        with Positions(broker.bootstrap, declared.app, "stock-deltas", declared.partitions) as taken:
            with worker:
                taken.wait_for(len(receipts), worker)
                _reserve(broker.bootstrap, world, worker)
            send(broker.bootstrap, deltas)
            come_to_rest(broker)
            with worker:
                first = max(scale.warm_up, len(receipts) + 1)
                rates = _timed(taken, worker, first=first, total=len(receipts) + len(deltas))
        return rates, worker.peak_rss_mb


def run_kafka_streams(messages: list[Message], warm_up: int) -> Rates:
    """Deltas per second of one Kafka Streams instance, by its commits."""
    with fresh_broker("kafka") as broker, tempfile.TemporaryDirectory(prefix="fsn-bench-") as folder:
        send(broker.bootstrap, messages)
        come_to_rest(broker)
        with (
            Positions(broker.bootstrap, kafka_streams.GROUP, "stock-deltas", topology().partitions) as taken,
            kafka_streams.KafkaStreams(broker.bootstrap, Path(folder)) as peer,
        ):
            return _timed(taken, peer, first=warm_up, total=len(messages), left_out=kafka_streams.COMPILERS)


def _timed(taken: Positions, process: Running, *, first: int, total: int, left_out: str = "") -> Rates:
    """From the commit that reaches `first` to the one that reaches `total`; some threads may be left out of its time."""
    started = taken.wait_for(first, process, poll_s=0.005)
    assert process.pid is not None
    cpu_before = _cpu_seconds(process.pid, left_out)
    ended = taken.wait_for(total, process)
    used, records = _cpu_seconds(process.pid, left_out) - cpu_before, ended.total - started.total
    return {"per_s": records / (ended.at - started.at), "per_cpu_s": records / used}


def _cpu_seconds(pid: int, left_out: str) -> float:
    return cpu_seconds(pid) - (thread_seconds(pid, left_out) if left_out else 0.0)


def run_other(kind: Broker, module: str, messages: list[Message], warm_up: int, *arguments: str) -> Rates:
    """Records per second as the contender timed itself."""
    with fresh_broker(kind) as broker, tempfile.TemporaryDirectory(prefix="fsn-bench-") as folder:
        send(broker.bootstrap, messages)
        come_to_rest(broker)
        said = json.loads(run_peer(module, broker.bootstrap, str(len(messages)), str(warm_up), folder, *arguments))
    records = float(said["records"])
    return {"per_s": records / said["seconds"], "per_cpu_s": records / said["cpu_seconds"]}


def _reserve(bootstrap: str, world: World, worker: Worker) -> None:
    declared = topology()
    requests = world.reservations(RESERVATIONS)
    send(bootstrap, requests)
    with Positions(bootstrap, declared.app, "stock-requests", declared.partitions) as asked:
        asked.wait_for(len(requests), worker)
    time.sleep(0.5)  # the answers make a hop of their own
