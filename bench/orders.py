"""Orders per second, and how long an order waits for its decision.

Seven locations hold everything, so that every order has seven candidates; three orders in five are for one variant
(one hop), the others for two to four (ask, offer, reserve). The worker runs the whole topology: decisions, full audits,
assignments, ledgers, signatures. Per round: all orders at once, for the rate; then half load, steadily, for the latency
from the order's due time to the moment a read-committed reader sees its decision; then the same while 20,000 stock
deltas a second flow. Half load is half of the promised rate, or of the measured one where that is less.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.brokers import fresh_broker
from bench.harness import (
    DONE_TIMEOUT_S,
    ROOT,
    BenchError,
    Message,
    Positions,
    Scale,
    Worker,
    interleaved,
    send,
    summary,
    topology,
    wait_calm,
)
from bench.world import World
from fsn.processes import WorkerProcess

LOCATIONS: Final = 7
VARIANTS: Final = 500
UNITS: Final = 100_000
DELTAS_PER_S: Final = 20_000
AT_ONCE: Final = 1e9


def measure(scale: Scale, say: Callable[[str], None]) -> dict[str, Any]:
    """Rate and latencies, with spreads, and the worker's peak memory."""
    results, foreign = interleaved({"orders": lambda: run(scale)}, scale.rounds, say)
    rounds = results["orders"]
    figures = {name: summary([found[name] for found in rounds]) for name in rounds[0]}
    return {"figures": figures, "foreign_cores": foreign, "peak_rss_mb": max(found["peak_rss_mb"] for found in rounds)}


def run(scale: Scale) -> dict[str, float]:
    """One round against one worker."""
    world = World(locations=LOCATIONS, variants=VARIANTS)
    with stocked(scale, world) as (bootstrap, folder, worker, deltas_taken):
        if scale.warm_up_orders:
            first = world.orders(scale.warm_up_orders, prefix="warm", seed=4)
            phase(bootstrap, folder, first, AT_ONCE, worker)
            wait_calm(worker)
        full = phase(bootstrap, folder, world.orders(scale.orders, prefix="full"), AT_ONCE, worker)
        rate = len(full) / max(full)
        wait_calm(worker)
        load = min(rate, scale.orders_per_s) / 2
        steady = int(scale.steady_s * load)
        half = phase(bootstrap, folder, world.orders(steady, prefix="half", seed=2), load, worker)
        wait_calm(worker)
        flow = world.deltas(int(scale.steady_s * DELTAS_PER_S))
        totals = [deltas_taken.total()]
        beside = phase(
            bootstrap,
            folder,
            world.orders(steady, prefix="flow", seed=3),
            load,
            worker,
            beside=flow,
            decided=lambda: totals.append(deltas_taken.total()),
        )
    return {
        "routed_per_s": rate,
        "e2e_p50_ms_half_load": percentile(half, 50),
        "e2e_p99_ms_half_load": percentile(half, 99),
        "e2e_p50_ms_half_load_20k_deltas": percentile(beside, 50),
        "e2e_p99_ms_half_load_20k_deltas": percentile(beside, 99),
        "deltas_taken_share": (totals[1] - totals[0]) / len(flow),
        "peak_rss_mb": worker.peak_rss_mb,
    }


@contextlib.contextmanager
def stocked(scale: Scale, world: World, *more: Message) -> Iterator[tuple[str, Path, Worker, Positions]]:
    """A worker at rest on a fresh broker, where seven locations have plenty of everything: the broker's address, a folder,
    the worker, and how far it has taken deltas. more: records that it knows beforehand
    """
    declared = topology()
    with fresh_broker(scale.broker) as broker, tempfile.TemporaryDirectory(prefix="fsn-bench-") as name:
        folder = Path(name)
        receipts = world.deltas(LOCATIONS * VARIANTS, quantity=UNITS)
        send(broker.bootstrap, [*world.reference(), *more, *world.heartbeats(), *receipts])
        with (
            Worker(broker.bootstrap, folder, world.write_keys(folder)) as worker,
            Positions(broker.bootstrap, declared.app, "stock-deltas", declared.partitions) as deltas_taken,
        ):
            deltas_taken.wait_for(len(receipts), worker)
            wait_calm(worker)
            yield broker.bootstrap, folder, worker, deltas_taken


def percentile(seconds: Sequence[float], percent: int) -> float:
    """A percentile in milliseconds: of the nearest rank, never interpolated."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000


def phase(
    bootstrap: str,
    folder: Path,
    orders: list[Message],
    rate: float,
    worker: WorkerProcess,
    *,
    beside: list[Message] | None = None,
    decided: Callable[[], None] = lambda: None,
    shown_on: str = "routing-decisions",
    records_each: int = 1,
) -> list[float]:
    """Send orders at a rate, perhaps beside deltas; seconds from due to decided, by order.

    decided: called when every order is decided; the deltas may still flow then.
    shown_on: the topic whose first record with the order's key ends its time, and how many records it gets of each
    """
    observer, seen_path = _observe(bootstrap, folder, shown_on, len(orders) * records_each)
    feeders = [feeder(bootstrap, folder / "orders", orders, rate)]
    if beside is not None:
        feeders.append(feeder(bootstrap, folder / "deltas", beside, DELTAS_PER_S))
    for one in feeders:  # reading a file of deltas takes a core for seconds: nobody starts before all have
        assert one.stdout is not None
        if one.stdout.readline() != b"ready\n":
            raise BenchError("a feeder did not start")
    for one in feeders:
        assert one.stdin is not None
        one.stdin.close()
    for process in (observer, *feeders):
        if process.wait(DONE_TIMEOUT_S):
            raise BenchError(f"{process.args} failed; the worker said: {worker.said()}")
        if process is observer:
            decided()
    worker.check()
    due_at = msgspec.msgpack.decode((folder / "orders.due").read_bytes(), type=list[float])
    decided_at = dict(reversed(msgspec.msgpack.decode(seen_path.read_bytes(), type=list[tuple[bytes, float]])))
    missing = sum(order.key not in decided_at for order in orders)
    if missing:
        raise BenchError(f"{missing} of {len(orders)} orders were not decided; the worker said: {worker.said()}")
    return [decided_at[order.key] - at for order, at in zip(orders, due_at, strict=True)]


def _observe(bootstrap: str, folder: Path, topic: str, records: int) -> tuple["subprocess.Popen[str]", Path]:
    path = folder / "decided"
    command = [sys.executable, "-m", "bench.observer", bootstrap, topic, str(records), str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise BenchError("the observer did not start")
    return process, path


def feeder(bootstrap: str, path: Path, messages: list[Message], rate: float) -> "subprocess.Popen[bytes]":
    """A sender that says `ready` once it holds everything, and begins when its standard input closes."""
    records, due = path.with_suffix(".records"), path.with_suffix(".due")
    records.write_bytes(msgspec.msgpack.encode([tuple(message) for message in messages]))
    command = [sys.executable, "-m", "bench.feeder", bootstrap, str(records), str(rate), str(due)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
