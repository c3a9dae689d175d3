"""`fsn run`: broker, topics, network and one worker on the clock of the wall, kept running for live use.

Data stays in the folder from one run to the next: the worker goes on where it was. The simulated network is published
once, so that there is something to order from; its keys lie beside it. Ctrl-C or SIGTERM ends the worker, which drains,
and then the broker, which writes its data out.
"""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fsn.declaration import DEFAULT_FILE, File

if TYPE_CHECKING:
    from fsn.processes import WorkerProcess
    from schemas.topology import Topology

app = typer.Typer(help="Broker and worker for live use.")

FOLDER: Final = Path(".fsn/run")
WEB_PORT: Final = 6066


@app.command()
def run(
    *,
    folder: Annotated[Path, typer.Option(help="Where data and logs lie.")] = FOLDER,
    port: Annotated[int | None, typer.Option(help="The broker's port; without it, a free one.", min=1)] = None,
    web_port: Annotated[int, typer.Option(help="The worker's metrics and health.")] = WEB_PORT,
    seed: Annotated[int, typer.Option(help="Which simulated network.")] = 1,
    file: File = DEFAULT_FILE,
) -> None:
    """Run the embedded broker and one worker until Ctrl-C."""
    from fsn.broker import EmbeddedBroker
    from fsn.declaration import load_topology
    from fsn.processes import WorkerError, WorkerProcess
    from fsn.world.keys import KeyBook
    from fsn.world.network import build_network
    from streams.admin import apply

    signal.signal(signal.SIGTERM, _interrupt)
    topology = load_topology(file)
    folder.mkdir(parents=True, exist_ok=True)
    keys = folder / "keys.json"
    if not keys.exists():
        KeyBook(build_network(seed), seed).write(keys)
    with EmbeddedBroker(folder / "broker", port=port) as broker:
        apply(topology, broker.bootstrap)
        _publish_once(topology, broker.bootstrap, seed)
        worker = WorkerProcess(
            topology=file,
            log_path=folder / "worker.log",
            web_port=web_port,
            brokers=broker.bootstrap,
            state_dir=folder / "state",
            keys=keys,
        )
        try:
            with worker:
                worker.wait_until_ready()
                _explain(broker.bootstrap, worker, seed)
                code = worker.wait()
        except KeyboardInterrupt:
            return
    raise WorkerError(f"the worker ended by itself with exit code {code}; {worker.log_path} ends: {worker.said()}")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _publish_once(topology: "Topology", brokers: str, seed: int) -> None:
    """Publish the network unless the topic holds one."""
    from confluent_kafka import Consumer, TopicPartition

    from fsn.world.feeding import BrokerFeeder
    from fsn.world.world import World
    from schemas.codec import Codec
    from streams.registry_ids import registry_for
    from streams.settings import read_settings

    reader = Consumer({"bootstrap.servers": brokers, "group.id": "fsn-run", "enable.auto.commit": False})
    _, end = reader.get_watermark_offsets(TopicPartition("network", 0), timeout=15)
    reader.close()
    if end == 0:
        # The worker reads the network at its start: these are the first records, and may be the first to name a schema.
        codec = Codec(registry_for(read_settings().schema_registry, topology, register=True))
        world = World(seed, orders=1, deltas=1, hours=3, codec=codec)
        with BrokerFeeder(world, topology, {"bootstrap.servers": brokers}) as feeder:
            feeder.publish_network()


def _explain(brokers: str, worker: "WorkerProcess", seed: int) -> None:
    from rich.console import Console

    Console().print(
        f"FSN_BROKERS={brokers}\n"
        f"worker log   {worker.log_path}\n"
        f"metrics      http://127.0.0.1:{worker.web_port}/metrics\n"
        f"health       http://127.0.0.1:{worker.web_port}/health/ready\n"
        f"live orders  fsn generate --live --seed {seed} --brokers {brokers}\n"
        f"dead letters fsn dlq list --brokers {brokers}\n"
        "Ctrl-C ends the worker, then the broker; the data stays",
        highlight=False,
        soft_wrap=True,
    )
