"""`python -m bench.aliases [--count N]`: a million aliases in one worker: taken, held, and loaded again by a worker without tables.

In: aliases of 500 variants, signed, on `aliases`. Out: seconds until the worker has committed the last of them (taken), its
memory at rest and at its peak, and seconds from the start of a worker whose local tables are gone until all its tasks process again (loaded).
Aliases are rows of a partitioned table (decision 26), so a worker holds its partitions' share on disk and not in memory.
"""

import argparse
import json
import shutil
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Final

from bench.brokers import fresh_broker
from bench.harness import BenchError, Positions, Worker, send, topology, wait_calm
from bench.members import metric
from bench.memory import rss_mb
from bench.world import World

CHUNK: Final = 50_000
LOADED_TIMEOUT_S: Final = 300.0


def measure(count: int) -> dict[str, float]:
    """Take, hold, load."""
    world, declared = World(locations=1, variants=500), topology()
    with fresh_broker("embedded") as broker, tempfile.TemporaryDirectory(prefix="fsn-bench-") as name:
        folder = Path(name)
        keys = world.write_keys(folder)
        send(broker.bootstrap, world.reference())
        with (
            Worker(broker.bootstrap, folder, keys) as worker,
            Positions(broker.bootstrap, declared.app, "aliases", declared.partitions) as taken,
        ):
            wait_calm(worker)
            started = time.perf_counter()
            aliases = world.aliases(count)
            while chunk := list(islice(aliases, CHUNK)):
                send(broker.bootstrap, chunk)
            took = taken.wait_for(count, worker).at - started
            wait_calm(worker)
            assert worker.pid is not None
            held_mb = rss_mb(worker.pid)
        taking_mb = worker.peak_rss_mb
        shutil.rmtree(folder / "state")
        started = time.perf_counter()
        with Worker(broker.bootstrap, folder, keys) as worker:
            _wait_ready(worker, declared.partitions)
            loaded = time.perf_counter() - started
            wait_calm(worker)
            assert worker.pid is not None
            loaded_mb = rss_mb(worker.pid)
        return {
            "aliases": count,
            "taken_s": round(took, 1),
            "taken_per_s": round(count / took),
            "rss_mb": round(held_mb),
            "peak_rss_mb": round(taking_mb),
            "loaded_s": round(loaded, 1),
            "rss_mb_loaded": round(loaded_mb),
            "peak_rss_mb_loading": round(worker.peak_rss_mb),
        }


def _wait_ready(worker: Worker, partitions: int) -> None:
    deadline = time.monotonic() + LOADED_TIMEOUT_S
    while time.monotonic() < deadline:
        worker.check()
        try:
            if metric(worker, "fsn_tasks_ready") == partitions:
                return
        except OSError:
            pass  # its web port is not open yet
        time.sleep(0.1)
    raise BenchError(f"not all tasks process after {LOADED_TIMEOUT_S:.0f} s: {worker.said()}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.aliases", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    print(json.dumps(measure(parser.parse_args().count), indent=2))


if __name__ == "__main__":
    main()
