"""`python -m bench.backtest`: how many recorded evaluations a second other rules can be tried on.

In: a seed. Out: as JSON, the rate with one process and with one a core, medians of rounds taken in turn, and what the capture
cost. The run is a simulated day of the whole network through the topology in memory; its evaluations (40 locations, orders of
1 to 4 lines) are written again and again until there are 100,000. Starting the processes is part of the time.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec

from fsn.backtesting.capture import LENGTH_BYTES, Captured, capture, place, read, shared_of
from fsn.backtesting.evaluating import evaluate_all
from fsn.declaration import load_topology
from fsn.recording import Recording
from fsn.rule_documents import document_of
from fsn.world.feeding import feed_driver
from fsn.world.network import rule_document
from fsn.world.world import World
from processors.pipeline import STAGES
from processors.rules import Rules
from streams.signatures import KeyRing
from streams.testing import TopologyDriver

EVALUATIONS: Final = 100_000
ROUNDS: Final = 3


class Logs:
    """Topics of a driver."""

    def __init__(self, driver: TopologyDriver) -> None:
        self._driver = driver

    def read(self, topic: str, partition: int) -> Any:
        """All records."""
        return self._driver.logs[topic, partition]


def recorded(seed: int, orders: int, folder: Path) -> Recording:
    """A simulated day in memory."""
    world = World(seed, orders=orders, deltas=30 * orders, hours=6)
    world.keys.write(folder / "keys.json")
    keys = KeyRing.load(folder / "keys.json")
    driver = TopologyDriver(load_topology(clock="external"), STAGES, start_at=world.start_at, keys=keys)
    feed_driver(world, driver)
    return Recording(Logs(driver), driver.topology, driver.codec, keys=keys)


def repeated(found: Captured, folder: Path) -> Captured:
    """The same evaluations until there are enough."""
    shared = shared_of(found)
    packed = [msgspec.msgpack.encode(one) for one in read(found.path)]
    many = Captured(folder / "many.evaluations", folder / "many.shared")
    with many.path.open("wb") as file:
        for number in range(EVALUATIONS):
            one = packed[number % len(packed)]
            file.write(len(one).to_bytes(LENGTH_BYTES, "big") + one)
    many.shared.write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(shared, evaluations=EVALUATIONS)))
    return many


def rate(captured: Captured, rules: Rules, processes: int) -> float:
    """Evaluations a second."""
    started = time.perf_counter()
    evaluate_all(captured, rules, processes=processes, progress=lambda _: None)
    return EVALUATIONS / (time.perf_counter() - started)


def measure(seed: int, orders: int) -> dict[str, Any]:
    """All of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording = recorded(seed, orders, folder)
        started = time.perf_counter()
        found = place(recording, folder)
        capture(recording, found, lambda *_: None)
        captured_s = time.perf_counter() - started
        own = shared_of(found).evaluations
        many = repeated(found, folder)
        rules = document_of(rule_document("euro") + "\nweight_distance: 8\nmax_shipments: 2\n", name="new").rules
        rounds = [(rate(many, rules, 1), rate(many, rules, 0)) for _ in range(ROUNDS)]
        return {
            "evaluations": EVALUATIONS,
            "of_them_different": own,
            "capture_evaluations_per_s": round(own / captured_s),
            "one_process_per_s": round(median(one for one, _ in rounds)),
            "all_cores_per_s": round(median(every for _, every in rounds)),
            "cores": os.cpu_count(),
            "bytes_per_evaluation": round(many.path.stat().st_size / EVALUATIONS),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtest", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=800)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.seed, arguments.orders), indent=2))


if __name__ == "__main__":
    main()
