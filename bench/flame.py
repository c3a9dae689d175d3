"""`python -m bench.flame`: where one worker's time goes under stock deltas and under orders, on a real Apache Kafka.

py-spy samples the worker's thread that holds the interpreter lock, 200 times a second. Out: a flame graph for each load,
docs/flame-*.svg, and the table between two markers of docs/benchmarks.md. It says where to look, not how fast it is: a
sampled worker is slower, and threads of librdkafka and RocksDB hold no lock. Refused is a load that ends too soon.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from bench import flame_svg, orders, report, stock_deltas
from bench.brokers import fresh_broker
from bench.harness import ROOT, BenchError, Message, Positions, Worker, send, topology, wait_calm
from bench.world import World

SECONDS: Final = 8
SAMPLES_PER_S: Final = 200
DELTAS: Final = 600_000
ORDERS: Final = 16_000
ROWS: Final = 16
LOOP: Final = "Handle._run (asyncio/events.py)"
PACKAGES: Final = ("fsn", "processors", "schemas", "streams")
MARKERS: Final = ("<!-- flame: begin (written by `python -m bench.flame`) -->", "<!-- flame: end -->")
Stacks = Counter[tuple[str, ...]]


def main() -> int:
    """Sample both loads, draw, write the table."""
    found = {"stock deltas": under_deltas(), "orders": under_orders()}
    for load, stacks in found.items():
        path = ROOT / "docs" / f"flame-{load.replace(' ', '-')}.svg"
        path.write_text(flame_svg.draw(stacks, f"FSN's worker under {load}"), "utf-8")
    report.rewrite(report.PAGE, MARKERS, table({load: own_shares(stacks) for load, stacks in found.items()}))
    return 0


def under_deltas() -> Stacks:
    """Stacks of a worker that works off deltas."""
    world = World(locations=stock_deltas.LOCATIONS, variants=stock_deltas.VARIANTS)
    receipts = world.deltas(stock_deltas.LOCATIONS * stock_deltas.VARIANTS, quantity=100)
    return _sampled(world, [*receipts, *world.deltas(DELTAS)], "stock-deltas", len(receipts))


def under_orders() -> Stacks:
    """Stacks of a worker that routes orders; stock is there before the first of them."""
    world = World(locations=orders.LOCATIONS, variants=orders.VARIANTS)
    stocked = [*world.heartbeats(), *world.deltas(orders.LOCATIONS * orders.VARIANTS, quantity=orders.UNITS)]
    return _sampled(world, world.orders(ORDERS, prefix="flame"), "orders", 200, before=stocked)


def _sampled(
    world: World, load: list[Message], topic: str, first: int, *, before: list[Message] | None = None
) -> Stacks:
    """Sample from when the worker has taken `first` of the load; it must still be at it afterwards."""
    declared = topology()
    with fresh_broker("kafka") as broker, tempfile.TemporaryDirectory(prefix="fsn-bench-") as name:
        folder = Path(name)
        send(broker.bootstrap, [*world.reference(), *(before or [])])
        with (
            Worker(broker.bootstrap, folder, world.write_keys(folder)) as worker,
            Positions(broker.bootstrap, declared.app, topic, declared.partitions) as taken,
        ):
            worker.wait_until_ready()
            wait_calm(worker)
            send(broker.bootstrap, load)
            taken.wait_for(first, worker)
            assert worker.pid is not None
            stacks = sample(worker.pid, folder / "stacks")
            if taken.total() >= len(load):
                raise BenchError(f"the worker took all {len(load):,} {topic} while it was sampled: give it more")
            worker.kill()  # what is left needs nobody's time
        return stacks


def sample(pid: int, path: Path) -> Stacks:
    """Stacks of a process, outermost frame first, with how often each was seen."""
    command = [_py_spy(), "record", "--gil", "--function", "--format", "raw", "--output", str(path)]
    command += ["--rate", str(SAMPLES_PER_S), "--duration", str(SECONDS), "--pid", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 60, check=False)
    if done.returncode != 0 or not path.exists():
        raise BenchError(f"py-spy could not sample the worker, is ptrace allowed? {done.stderr[-500:]}")
    stacks: Stacks = Counter()
    for line in path.read_text("utf-8").splitlines():
        frames, _, count = line.rpartition(" ")
        stacks[_below_loop([_frame(frame) for frame in frames.split(";")])] += int(count)
    return stacks


def _below_loop(frames: list[str]) -> tuple[str, ...]:
    """What the event loop runs; how it came to run is the same in every stack."""
    above = [number for number, frame in enumerate(frames[:-1]) if frame == LOOP]
    return tuple(frames[above[-1] + 1 :] if above else frames)


def own_shares(stacks: Stacks) -> Counter[str]:
    """Parts per thousand of the samples by the module that ran: these add up."""
    own: Counter[str] = Counter()
    for frames, count in stacks.items():
        own[_module(frames[-1])] += count
    total = own.total()
    return Counter({module: round(count * 1000 / total) for module, count in own.items()})


def table(shares: dict[str, Counter[str]]) -> str:
    """The modules that take most, by load, as Markdown."""
    lines = ["| " + " | | ".join(f"{load}: module | share" for load in shares) + " |", "|---|---:|---|---|---:|"]
    columns = [_rows(own) for own in shares.values()]
    lines += [f"| {left} | | {right} |" for left, right in zip(*columns, strict=True)]
    return "\n".join(lines) + "\n"


def _rows(own: Counter[str]) -> list[str]:
    most = own.most_common(ROWS)
    rest = sum(own.values()) - sum(count for _, count in most)
    return [f"`{module}` | {count / 10:.1f} %" for module, count in most] + [f"all others | {rest / 10:.1f} %"]


def _frame(text: str) -> str:
    """`name (package/module.py)`, without folders of this machine and without the line."""
    name, _, place = text.partition(" (")
    path = place.rstrip(")").rpartition(":")[0].replace(os.sep, "/")
    if path == "<string>":
        path = "schemas/compiled.py"  # the codec that it makes is executed from text
    parts = path.rpartition("site-packages/")[2].split("/")
    ours = [number for number, part in enumerate(parts[:-1]) if part in PACKAGES]
    return f"{name} ({'/'.join(parts[ours[0] :] if ours else parts[-3:])})"


def _module(frame: str) -> str:
    """Our own modules one by one, a library as a whole."""
    path = frame.partition(" (")[2].rstrip(")")
    package = path.partition("/")[0]
    return path.removesuffix(".py").replace("/", ".") if package in PACKAGES else package


def _py_spy() -> str:
    beside = str(Path(sys.executable).parent)
    found = shutil.which("py-spy", path=os.pathsep.join((beside, os.environ.get("PATH", ""))))
    if found is None:
        raise BenchError("no py-spy found: make sets it up with the environment")
    return found


if __name__ == "__main__":
    sys.exit(main())
