"""`python -m bench.capacity [--quick]`: what a record costs as batch, keys, size and partitions change; what that means.

In: a JDK and the jars of `make kafka`. Out: bench/results/capacity.json and the tables between the markers of
docs/capacity.md; `--quick` writes a file of its own and never a published figure. Real workers on one real broker,
window after window: paced deltas (small batches), deltas at once (large ones), few and many items, short and long
records, 1, 4 and 12 partitions, orders, one worker and two. Two workers, their senders and the broker share the machine's
cores, so that a rate with two says little where there are two cores: records per second of processor time say more.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console

from bench import broker_limits, capacity_page, kept, sizing
from bench.brokers import BenchBroker, fresh_broker
from bench.harness import ROOT, TOPOLOGY, BenchError, Message, Positions, send, wait_calm
from bench.members import wait_until_shared, worker
from bench.memory import Strangers, cpu_seconds
from bench.orders import AT_ONCE, feeder, phase
from bench.report import RESULTS, write_as
from bench.report import about as started_about
from bench.usage import between, used
from bench.world import World
from fsn.processes import WorkerProcess
from schemas.topology import load
from streams.store import LocalStore

PUBLISHED: Final = "capacity"
LOCATIONS: Final = 7
UNITS: Final = 100_000
TIMED_SHARE_MIN: Final = 0.25
"""So many of the deltas must be left when the last has been sent: of fewer no rate is told."""
Say = Callable[[str], None]


class Plan(NamedTuple):
    """How much is measured. `paced` are (records a second, seconds); the first count of partitions gets everything."""

    name: str
    partitions: tuple[int, ...]
    items: tuple[int, ...]
    paddings: tuple[int, ...]
    paced: tuple[tuple[int, float], ...]
    deltas: int
    paced_orders: tuple[tuple[int, float], ...]
    orders: int
    limit_s: float


FULL: Final = Plan(
    name="full",
    partitions=(4, 1, 12),
    items=(20_000, 1_000, 100_000),
    paddings=(1_000, 4_000),
    paced=((100, 8.0), (1_000, 8.0), (5_000, 8.0)),
    deltas=100_000,
    paced_orders=((20, 10.0), (100, 10.0)),
    orders=4_000,
    limit_s=6.0,
)
QUICK: Final = Plan(
    name="quick",
    partitions=(4, 1),
    items=(5_000, 1_000),
    paddings=(2_000,),
    paced=((500, 2.0),),
    deltas=15_000,
    paced_orders=((30, 2.0),),
    orders=300,
    limit_s=1.0,
)


class Stand:
    """A broker with so many partitions, workers, and a world that has told them every item."""

    def __init__(self, broker: BenchBroker, folder: Path, declared: Path, *, items: int, say: Say) -> None:
        self.broker, self.folder, self.say = broker, folder, say
        self._declared, self.topology = declared, load(declared)
        self.items = items
        self.world = World(locations=LOCATIONS, variants=-(-items // LOCATIONS))
        self._keys = self.world.write_keys(folder)
        self.workers: list[WorkerProcess] = []
        self.windows: list[dict[str, Any]] = []
        self.routed = 0
        self._positions = Positions(broker.bootstrap, self.topology.app, "stock-deltas", self.topology.partitions)

    def begin(self) -> None:
        """One worker that knows every item."""
        receipts = self.world.deltas(LOCATIONS * len(self.world.variant_ids), quantity=UNITS)
        send(self.broker.bootstrap, [*self.world.reference(), *self.world.heartbeats(), *receipts])
        self.hire()
        self._positions.wait_for(len(receipts), self.workers[0])
        self.calm()

    def hire(self) -> None:
        """One worker more, once the partitions have been shared."""
        name = f"worker-{len(self.workers) + 1}"
        one = worker(
            self.broker.bootstrap, self.folder, name, keys=self._keys, membership="static", declared=self._declared
        )
        self.workers.append(one)
        one.start()
        one.wait_until_ready()
        wait_until_shared(self.workers, self.topology.partitions)
        self.calm()

    def calm(self) -> None:
        """Nothing is left to do but ticks."""
        for one in self.workers:
            wait_calm(one)

    def warm_up(self, count: int) -> None:
        """The broker compiles itself while it is fed; no window shall pay for that."""
        self.at_once(count, items=self.items, words="")
        self.windows.clear()

    def idle(self, seconds: float) -> None:
        """Nothing but ticks."""
        with self._window("idle"):
            time.sleep(seconds)

    def paced(self, rate: int, seconds: float, *, items: int) -> None:
        """Deltas at a steady rate, which makes batches as small as the rate is low."""
        deltas = self.world.deltas(int(rate * seconds), items=items)
        target = self._positions.total() + len(deltas)
        sender = feeder(self.broker.bootstrap, self.folder / "paced", deltas, rate)
        assert sender.stdout is not None
        assert sender.stdin is not None
        if sender.stdout.readline() != b"ready\n":
            raise BenchError("the feeder did not start")
        with self._window(f"deltas, {rate:,}/s", deltas=deltas, items=items):
            sender.stdin.close()
            if sender.wait(120):
                raise BenchError("the feeder failed")
            self._positions.wait_for(target, self.workers[0])

    def at_once(self, count: int, *, items: int, padding: int = 0, words: str) -> None:
        """Deltas as fast as they are taken; the rate is timed from when all have been sent."""
        deltas = self.world.deltas(count, items=items, padding=padding)
        target = self._positions.total() + len(deltas)
        with self._window(words, deltas=deltas, items=items) as window:
            send(self.broker.bootstrap, deltas)
            begun, begun_at = self._positions.total(), time.perf_counter()
            ended = self._positions.wait_for(target, self.workers[0])
            if ended.total - begun > count * TIMED_SHARE_MIN:
                window["per_s"] = round((ended.total - begun) / (ended.at - begun_at))
        self.calm()

    def orders(self, count: int, rate: float, *, words: str) -> None:
        """Orders, until all they caused is done."""
        made = self.world.orders(count, prefix=f"window{len(self.windows)}", seed=len(self.windows))
        with self._window(words, orders=count) as window:
            seconds = phase(self.broker.bootstrap, self.folder, made, rate, self.workers[0])
            self.calm()
            if rate == AT_ONCE:
                window["per_s"] = round(len(seconds) / max(seconds), 1)
        self.routed += count

    def rows(self) -> dict[str, float]:
        """Rows and bytes of all tables, apart for stock items and for whatever else orders made; ends the workers."""
        for one in self.workers:
            one.stop()
        found = {"item_rows": 0, "item_bytes": 0, "order_rows": 0, "order_bytes": 0}
        for path in self._tables():
            store = LocalStore(path)
            for key, value in store.rows():
                kind = "item" if key.startswith((b"stock_items|", b"sequences|")) else "order"
                found[f"{kind}_rows"] += 1
                found[f"{kind}_bytes"] += len(key) + len(value)
            store.close()
        per = {"item": LOCATIONS * len(self.world.variant_ids), "order": max(1, self.routed)}
        return {f"{name}_each": round(count / per[name.partition("_")[0]], 2) for name, count in found.items()}

    def _tables(self) -> list[Path]:
        """Each partition's once: where a partition moved, the newer copy is its last owner's."""
        newest: dict[str, Path] = {}
        for one in range(1, len(self.workers) + 1):
            for path in (self.folder / f"worker-{one}").iterdir():
                if path.name.isdigit() and (
                    path.name not in newest or path.stat().st_mtime > newest[path.name].stat().st_mtime
                ):
                    newest[path.name] = path
        return list(newest.values())

    def close(self) -> None:
        """End the workers; nobody needs their tables."""
        self._positions.close()
        for one in self.workers:
            one.kill()

    @contextmanager
    def _window(
        self, words: str, *, deltas: list[Message] | None = None, orders: int = 0, items: int = 0
    ) -> Iterator[dict[str, Any]]:
        sent = deltas or []
        about: dict[str, Any] = {
            "words": words,
            "partitions": self.topology.partitions,
            "workers": len(self.workers),
            "deltas": len(sent),
            "orders": orders,
            "items": items,
            "delta_bytes": sum(len(one.key) + len(one.value) + _header_bytes(one) for one in sent),
        }
        before, broker_before = used(self.workers, self.broker), cpu_seconds(self.broker.pid)
        with Strangers() as strangers:
            yield about
        about |= between(before, used(self.workers, self.broker))._asdict()
        # Strangers leaves out this process and its ended children only: workers and broker still run, and are ours.
        mine = about["worker_cpu_s"] + cpu_seconds(self.broker.pid) - broker_before
        about["foreign_cores"] = round(max(0.0, strangers.cores - mine / about["seconds"]), 2)
        self.windows.append(about)
        self.say(sizing.told(about))


def measure(plan: Plan, say: Say) -> dict[str, Any]:
    """Windows, limits and rows."""
    windows: list[dict[str, Any]] = []
    found: dict[str, Any] = {}
    for partitions in plan.partitions:
        with _stand(plan, partitions, say) as stand:
            stand.warm_up(plan.deltas // 2)
            stand.idle(plan.paced[0][1])
            stand.at_once(plan.deltas, items=plan.items[0], words="deltas at once")
            if partitions == plan.partitions[0]:
                _everything(stand, plan)
                found["rows"] = {**stand.rows(), **kept.measure()}
                found["limits"] = broker_limits.measure(stand.broker, plan.limit_s)
            windows += stand.windows
    return {"windows": windows, **found}


def _everything(stand: Stand, plan: Plan) -> None:
    for rate, seconds in plan.paced:
        stand.paced(rate, seconds, items=plan.items[0])
    for items in plan.items[1:]:
        stand.at_once(plan.deltas, items=items, words=f"deltas at once, {items:,} items")
    for padding in plan.paddings:
        count = plan.deltas // (2 if padding <= 1_000 else 4)
        stand.at_once(count, items=plan.items[0], padding=padding, words=f"deltas at once, {padding:,} bytes longer")
    stand.orders(plan.orders // 4, AT_ONCE, words="orders at once, the first ones")
    for rate, seconds in plan.paced_orders:
        stand.orders(int(rate * seconds), rate, words=f"orders, {rate}/s")
    stand.orders(plan.orders, AT_ONCE, words="orders at once")
    stand.hire()
    stand.at_once(plan.deltas, items=plan.items[0], words="deltas at once, two workers")
    stand.orders(plan.orders, AT_ONCE, words="orders at once, two workers")


@contextmanager
def _stand(plan: Plan, partitions: int, say: Say) -> Iterator[Stand]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="fsn-capacity-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        declared = folder / "topology.yaml"
        shipped = TOPOLOGY.read_text("utf-8")
        line = f"\npartitions: {load(TOPOLOGY).partitions} "
        if line not in shipped:
            raise BenchError(
                f"{TOPOLOGY} says its partitions otherwise than `{line.strip()}`: put it on a line of its own"
            )
        declared.write_text(shipped.replace(line, f"\npartitions: {partitions} "), "utf-8")
        broker = stack.enter_context(fresh_broker("kafka", declared=load(declared)))
        items = max(plan.items) if partitions == plan.partitions[0] else plan.items[0]
        stand = Stand(broker, folder, declared, items=items, say=say)
        stack.callback(stand.close)
        stand.begin()
        yield stand


def _header_bytes(message: Message) -> int:
    return sum(len(name) + len(value) for name, value in message.headers or ())


def main() -> int:
    """Measure, fit, show, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="short windows: shows that it works, gives no figures")
    parser.add_argument("--derive", action="store_true", help="measure nothing: fit the published windows again")
    chosen = parser.parse_args()
    plan = QUICK if chosen.quick else FULL
    console = Console(stderr=True, highlight=False)
    if chosen.derive:
        return _publish(json.loads((RESULTS / f"{PUBLISHED}.json").read_text("utf-8")), PUBLISHED, console)
    started, about = time.time(), started_about()
    try:
        found = measure(plan, lambda line: console.print(f"  {line}", markup=False))
    except BenchError as error:
        console.print(str(error), markup=False)
        return 2
    about["seconds"] = round(time.time() - started)
    return _publish({**found, "about": about}, PUBLISHED if plan is FULL else f"{PUBLISHED}-{plan.name}", console)


def _publish(found: dict[str, Any], name: str, console: Console) -> int:
    """Fit, write, show; only a full run reaches the page."""
    document = {**found, **sizing.derive(found)}
    path = write_as(name, document)
    if name == PUBLISHED:
        capacity_page.publish(document)
    console.print(capacity_page.text(document), markup=False)
    console.print(f"{path.relative_to(ROOT)} written; measuring took {document['about']['seconds']} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
