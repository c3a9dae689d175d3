"""Stock deltas per second: FSN's worker beside Quix Streams, plain Faust and the limit, over the same bytes.

Every run starts an empty broker and feeds it the same topic: 20,000 items (1,000 variants × 20 locations) on four
partitions, signed, contiguous sequences. FSN first takes a receipt for every item and 2,000 reservations, stops, and
starts again over the rest; what is timed runs from its first commit to its last, by the group's committed offsets.
The others time themselves in their own process, from the first record to the last one committed.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.harness import (
    Message,
    Positions,
    Scale,
    Worker,
    come_to_rest,
    fresh_broker,
    interleaved,
    paired_ratio,
    run_peer,
    send,
    summary,
    topology,
)
from bench.world import World

LOCATIONS: Final = 20
VARIANTS: Final = 1_000
RESERVATIONS: Final = 2_000
TARGETS: Final = {"over_quix_exactly_once": 2.5, "over_faust_table": 25.0, "of_limit": 0.25}


def measure(scale: Scale, say: Callable[[str], None]) -> dict[str, Any]:
    """Records per second by contender, with spreads, ratios and the worker's peak memory."""
    world = World(locations=LOCATIONS, variants=VARIANTS)
    receipts = world.deltas(LOCATIONS * VARIANTS, quantity=100)
    deltas = world.deltas(scale.deltas)
    peaks: list[float] = []

    def fsn() -> float:
        rate, peak = run_fsn(world, receipts, deltas)
        peaks.append(peak)
        return rate

    contenders: dict[str, Callable[[], float]] = {
        "fsn": fsn,
        "quix_exactly_once": lambda: run_other("bench.peers.quix", receipts + deltas, "exactly-once"),
        "quix_at_least_once": lambda: run_other("bench.peers.quix", receipts + deltas, "at-least-once"),
        "faust_table": lambda: run_other("bench.peers.faust_table", (receipts + deltas)[: scale.faust_deltas]),
        "limit": lambda: run_other("bench.limit", receipts + deltas),
    }
    rates, foreign = interleaved(contenders, scale.rounds, say)
    return {
        "medians": {name: round(summary(values)["median"]) for name, values in rates.items()},
        "runs": {name: [round(value) for value in values] for name, values in rates.items()},
        "ratios": {
            "over_quix_exactly_once": paired_ratio(rates["fsn"], rates["quix_exactly_once"]),
            "over_quix_at_least_once": paired_ratio(rates["fsn"], rates["quix_at_least_once"]),
            "over_faust_table": paired_ratio(rates["fsn"], rates["faust_table"]),
            "of_limit": paired_ratio(rates["fsn"], rates["limit"]),
        },
        "foreign_cores": foreign,
        "peak_rss_mb": max(peaks),
    }


def run_fsn(world: World, receipts: list[Message], deltas: list[Message]) -> tuple[float, float]:
    """Deltas per second of one worker, from its first to its last commit, and its peak memory in MB."""
    declared = topology()
    with fresh_broker() as broker, tempfile.TemporaryDirectory(prefix="fsn-bench-") as name:
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
                started = taken.wait_for(len(receipts) + 1, worker, poll_s=0.005)
                already = taken.total() - len(receipts)
                ended = taken.wait_for(len(receipts) + len(deltas), worker)
        return (len(deltas) - already) / (ended - started), worker.peak_rss_mb


def run_other(module: str, messages: list[Message], *arguments: str) -> float:
    """Records per second as the contender timed itself."""
    with fresh_broker() as broker, tempfile.TemporaryDirectory(prefix="fsn-bench-") as folder:
        send(broker.bootstrap, messages)
        come_to_rest(broker)
        said = json.loads(run_peer(module, broker.bootstrap, str(len(messages)), folder, *arguments))
    return float(said["records"]) / float(said["seconds"])


def _reserve(bootstrap: str, world: World, worker: Worker) -> None:
    declared = topology()
    requests = world.reservations(RESERVATIONS)
    send(bootstrap, requests)
    with Positions(bootstrap, declared.app, "stock-requests", declared.partitions) as asked:
        asked.wait_for(len(requests), worker)
    time.sleep(0.5)  # the answers make a hop of their own
