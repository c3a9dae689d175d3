"""How long records wait when a worker goes: killed, stopped cleanly, or restarted as a static member.

In: an empty Apache Kafka, fed with a delta for each of 50,000 items, which makes some 100,000 rows in four partitions.
Two dynamic workers share them; one goes, and at that moment deltas for every partition are sent. Out: seconds until the
group has committed all of these, which is what a sender sees. The heir has no local copy of what it takes over: each
round begins with empty folders. A restarted static worker has its tables, and its time begins with its process.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.brokers import fresh_broker
from bench.harness import interleaved, send, summary, topology
from bench.members import SESSION_S, Taken, wait_until_shared, worker
from bench.world import World
from fsn.processes import WorkerProcess
from streams.store import LocalStore

LOCATIONS: Final = 20
PROBES: Final = 200
TARGETS: Final = {"killed_s": SESSION_S + 3.0, "stopped_s": 3.0, "static_killed_s": 3.0, "static_stopped_s": 3.0}


class _Stage:
    """A fed broker and the folder of its workers."""

    def __init__(self, bootstrap: str, folder: Path, variants: int) -> None:
        self.bootstrap, self.folder = bootstrap, folder
        self.world = World(locations=LOCATIONS, variants=variants)
        self.keys = self.world.write_keys(folder)
        self.taken = Taken(bootstrap)
        self.rows_moved = 0

    def feed(self) -> None:
        """One delta for every item, taken by a worker that then ends."""
        items = LOCATIONS * len(self.world.variant_ids)
        send(self.bootstrap, [*self.world.reference(), *self.world.deltas(items, quantity=100)])
        with self.member("feeder", "dynamic") as feeder:
            self.taken.wait_for(self.taken.ends(), [feeder])

    def member(self, name: str, membership: str) -> WorkerProcess:
        """A worker without any table."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return worker(self.bootstrap, self.folder, name, keys=self.keys, membership=membership)

    def probe(self) -> list[int]:
        """Deltas for every partition; where the topic ends with them."""
        send(self.bootstrap, self.world.deltas(PROBES))
        return self.taken.ends()

    def pair(self, go: Callable[[WorkerProcess], object]) -> float:
        """Two dynamic workers share the partitions; one goes."""
        parting, heir = self.member("parting", "dynamic"), self.member("heir", "dynamic")
        with parting:
            parting.wait_until_ready()  # it has them all first, so that the heir has no copy of what stays here
            with heir:
                return self._taken_over(parting, heir, go)

    def _taken_over(self, parting: WorkerProcess, heir: WorkerProcess, go: Callable[[WorkerProcess], object]) -> float:
        wait_until_shared((heir, parting), topology().partitions)
        self.taken.wait_for(self.probe(), [heir, parting])
        moving = _partitions(self.folder / "parting") - _partitions(self.folder / "heir")
        gone_at = time.perf_counter()
        go(parting)
        seconds = self.taken.wait_for(self.probe(), [heir]) - gone_at
        parting.stop()
        self.rows_moved = max(self.rows_moved, _rows(self.folder / "parting", moving))
        return seconds

    def restart(self, *, clean: bool) -> float:
        """A static worker with its tables comes back."""
        lone = self.member("static", "static")
        with lone:
            lone.wait_until_ready()
            self.taken.wait_for(self.probe(), [lone])
            if clean:
                lone.stop()
            else:
                lone.kill()
            ends = self.probe()
            started_at = time.perf_counter()
            lone.start()
            return self.taken.wait_for(ends, [lone]) - started_at


def measure(rounds: int, variants: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds by way of going, with spreads, and how many rows moved."""
    with fresh_broker("kafka") as kafka, tempfile.TemporaryDirectory(prefix="fsn-bench-") as name:
        stage = _Stage(kafka.bootstrap, Path(name), variants)
        stage.feed()
        ways: dict[str, Callable[[], float]] = {
            "killed_s": lambda: stage.pair(lambda one: one.kill()),
            "stopped_s": lambda: stage.pair(lambda one: one.end()),
            "static_killed_s": lambda: stage.restart(clean=False),
            "static_stopped_s": lambda: stage.restart(clean=True),
        }
        seconds, _ = interleaved(ways, rounds, say)
        stage.taken.close()
        return {
            "rows_moved": stage.rows_moved,
            "session_s": SESSION_S,
            **{way: summary(found) for way, found in seconds.items()},
        }


def _partitions(folder: Path) -> set[int]:
    """Partitions of which a worker has tables."""
    return {int(path.name) for path in folder.iterdir() if path.name.isdigit()}


def _rows(folder: Path, partitions: set[int]) -> int:
    """Rows that a worker, ended now, held of these partitions."""
    held = 0
    for partition in partitions:
        store = LocalStore(folder / str(partition))
        held += sum(1 for _ in store.rows())
        store.close()
    return held
