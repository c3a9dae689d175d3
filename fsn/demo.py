"""`fsn demo`: one simulated day of a whole network through real topics, and a report of what came out.

Starts the embedded broker in an empty folder, makes the topics, one worker and a world, and feeds the world at full
speed: simulated time runs some thousand times faster than the clock. Then the report recomputes everything from the
topics and compares it with what was planted. The exit code is 1 if anything is off. Everything it wrote stays in the
folder until the next demo: the worker's log, the keys, the truth, the broker's data.
"""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fsn.declaration import DEFAULT_FILE, File

if TYPE_CHECKING:
    from rich.console import Console

    from fsn.processes import WorkerProcess
    from fsn.world.feeding import BrokerFeeder
    from fsn.world.world import Slice, World

app = typer.Typer(help="A simulated day, and its report.")

FOLDER: Final = Path(".fsn/demo")
PROBES: Final = 200
PROBES_PER_S: Final = 40.0


@app.command()
def demo(
    *,
    seed: Annotated[int, typer.Option(help="Which world.")] = 1,
    orders: Annotated[int, typer.Option(help="Orders of the day.", min=1)] = 5_000,
    deltas: Annotated[int, typer.Option(help="Stock records of the day, heartbeats included.", min=1)] = 100_000,
    hours: Annotated[int, typer.Option(help="Hours of the day.", min=3, max=24)] = 24,
    folder: Annotated[Path, typer.Option(help="Where logs and data lie; emptied first.")] = FOLDER,
    file: File = DEFAULT_FILE,
) -> None:
    """Run a simulated day through broker and worker, and report what came out; exit code 1 if anything is off."""
    from rich.console import Console

    from fsn.broker import EmbeddedBroker
    from fsn.declaration import load_topology
    from fsn.processes import WorkerProcess
    from fsn.world.feeding import BrokerFeeder
    from fsn.world.world import World
    from streams.admin import apply

    console = Console()
    shutil.rmtree(folder, ignore_errors=True)
    topology = load_topology(file, clock="external")
    broker = EmbeddedBroker(folder / "broker")
    brokers = broker.start()
    try:
        apply(topology, brokers)
        world = World(seed, orders=orders, deltas=deltas, hours=hours)
        world.keys.write(folder / "keys.json")
        worker = WorkerProcess(
            topology=file,
            clock="external",
            log_path=folder / "worker.log",
            brokers=brokers,
            state_dir=folder / "state",
            keys=folder / "keys.json",
            schema_registry="",  # the report reads by the bundled ids, and an empty folder needs nobody else's
        )
        console.print(
            f"broker {brokers} · worker log {worker.log_path} · metrics http://127.0.0.1:{worker.web_port}/metrics",
            soft_wrap=True,  # a path or an address in two lines cannot be copied
        )
        with BrokerFeeder(world, topology, {"bootstrap.servers": brokers, "log_level": 2}) as feeder:
            _feed(world, feeder, worker=worker, console=console)
            world.truth.write(folder / "truth.json")
            fine = _report(brokers, file, folder / "truth.json", console)
            fine = _latency(world, feeder, brokers, worker=worker, console=console) and fine
    finally:
        broker.kill()  # nobody reads its data again: writing it out would only cost time
    if not fine:
        raise typer.Exit(1)


def _feed(world: "World", feeder: "BrokerFeeder", *, worker: "WorkerProcess", console: "Console") -> None:
    """The day, with a progress bar."""
    feeder.publish_network()
    with worker:
        worker.wait_until_ready()
        started = time.monotonic()
        _run(feeder, world, worker=worker, console=console)
        seconds = time.monotonic() - started
    simulated = (world.agenda.now - world.start_at) / 1000
    console.print(
        f"{sum(world.truth.messages.values()):,} records in {seconds:.1f} s: simulated time ran "
        f"{simulated / seconds:,.0f} times faster, the worker {feeder.behind_mean_s:,.0f} simulated s behind"
    )


def _run(feeder: "BrokerFeeder", world: "World", *, worker: "WorkerProcess", console: "Console") -> None:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[sent]:>9,} records"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("the day begins", total=1.0, sent=0)

        def show(part: "Slice") -> None:
            clock = time.strftime("%a %H:%M", time.gmtime(part.to_at / 1000))
            sent = sum(world.post.sent.values())
            progress.update(bar, completed=world.progress, description=f"{clock} UTC", sent=sent)

        feeder.run(is_alive=lambda: worker.is_alive, on_slice=show)
        progress.update(bar, completed=1.0)


def _report(brokers: str, file: Path, truth_path: Path, console: "Console") -> bool:
    from fsn.report.summary import report

    return report(brokers, file, truth_path, console)


def _latency(
    world: "World", feeder: "BrokerFeeder", brokers: str, *, worker: "WorkerProcess", console: "Console"
) -> bool:
    """The day ran in simulated time: fresh orders show how long a decision takes by the wall clock."""
    from fsn.report.latency import probe
    from fsn.report.summary import report_latency
    from fsn.world.probing import make_probes

    with worker:
        worker.wait_until_ready()
        latency = probe(brokers, make_probes(world, feeder), orders=PROBES, per_second=PROBES_PER_S)
    return report_latency(latency, console)
