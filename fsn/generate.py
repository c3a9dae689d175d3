"""`fsn generate`: the simulated network and day, as files to look at or as records on a broker.

With `--out`, the network, the keys, the day as its upstream systems send it (without what partners answer) and the
truth. With `--brokers`, the same through real topics, partners answering: the whole day at full speed where the worker
runs by `clock: external`, or, with `--live`, at the pace of the clock on the wall, beside a worker that writes ticks.
"""

import base64
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fsn.declaration import DEFAULT_FILE, File

if TYPE_CHECKING:
    from fsn.world.agenda import Message
    from fsn.world.world import World
    from schemas.codec import Codec

app = typer.Typer(help="A simulated network and day.")


@app.command()
def generate(
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A folder for the day as files.")] = None,
    brokers: Annotated[
        str, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port of a broker, or several.")
    ] = "",
    keys: Annotated[Path | None, typer.Option(help="Where to write the key file that the worker loads.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Send at the pace of the clock, until Ctrl-C.")] = False,
    seed: Annotated[int, typer.Option(help="Which world.")] = 1,
    orders: Annotated[int, typer.Option(help="Orders of the day.", min=1)] = 5_000,
    deltas: Annotated[int, typer.Option(help="Stock records of the day, heartbeats included.", min=1)] = 100_000,
    hours: Annotated[int, typer.Option(help="Hours of the day.", min=3, max=24)] = 24,
    file: File = DEFAULT_FILE,
) -> None:
    """Make a simulated day: --out writes it to files, --brokers plays it to a worker."""
    from fsn.world.world import START_AT, World

    if (out is None) is (not brokers):
        raise typer.BadParameter("name a folder with --out or a broker with --brokers, one of the two")
    start_at = _live_start() if live else START_AT
    codec = _codec(brokers, file) if out is None else None
    world = World(seed, orders=orders, deltas=deltas, hours=hours, start_at=start_at, codec=codec)
    if keys is not None:
        world.keys.write(keys)
    if out is not None:
        _write(world, out)
    else:
        _play(world, brokers, file, live=live)


def _codec(brokers: str, file: Path) -> "Codec":
    """Records under the ids that the workers there use."""
    from fsn.declaration import load_topology
    from schemas.codec import Codec
    from streams.registry_ids import registry_for
    from streams.settings import read_settings

    url = read_settings(brokers=brokers).schema_registry
    return Codec(registry_for(url, load_topology(file), register=False))


def _live_start() -> int:
    """Some minutes ago, so that shelves are stocked when the first live order comes."""
    import time

    from fsn.world.world import STOCKING_MS

    return int(time.time() * 1000) - 2 * STOCKING_MS


def _write(world: "World", out: Path) -> None:
    """network.jsonl, day.jsonl, keys.json, truth.json."""
    import msgspec

    out.mkdir(parents=True, exist_ok=True)
    world.keys.write(out / "keys.json")
    with (out / "network.jsonl").open("wb") as lines:
        for entity_id, record in world.network.keyed():
            lines.write(_line({"key": entity_id, "type": type(record).__name__, "record": msgspec.to_builtins(record)}))
    count = 0
    with (out / "day.jsonl").open("wb") as lines:
        while world.agenda.now < world.day_ends_at and (part := world.advance()) is not None:
            for message in part.messages:
                lines.write(_line(_shown(message, world.codec)))
            count += len(part.messages)
    world.truth.write(out / "truth.json")
    typer.echo(f"{len(world.network.keyed())} network records and {count} of the day are in {out}")


def _shown(message: "Message", codec: "Codec") -> dict[str, Any]:
    """A message as a person reads it; what is no record, as base64."""
    import msgspec

    from schemas.errors import SchemaError

    shown: dict[str, Any] = {"at": message.at, "topic": message.topic, "key": message.key.decode()}
    shown["signed_by"] = next((value.decode() for name, value in message.headers if name == "fsn-key-id"), None)
    try:
        record = codec.decode(message.value)
    except SchemaError:
        return {**shown, "bytes": base64.b64encode(message.value).decode()}
    return {**shown, "type": type(record).__name__, "record": msgspec.to_builtins(record)}


def _line(shown: dict[str, Any]) -> bytes:
    import msgspec

    return msgspec.json.encode(shown) + b"\n"


def _play(world: "World", brokers: str, file: Path, *, live: bool) -> None:
    from fsn.declaration import load_topology
    from fsn.world.feeding import BrokerFeeder
    from streams.settings import read_settings

    topology = load_topology(file, clock=None if live else "external")
    client = read_settings(brokers=brokers).client()
    with BrokerFeeder(world, topology, client) as feeder:
        feeder.publish_network()
        if live:
            typer.echo("sending, partners answering; Ctrl-C ends it")
            with contextlib.suppress(KeyboardInterrupt):
                feeder.run_live()
        else:
            feeder.run(is_alive=lambda: True, on_slice=lambda _: None)
            typer.echo(f"sent {sum(world.truth.messages.values())} records")
