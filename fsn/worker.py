"""`fsn worker`: one worker of the group, until SIGTERM or Ctrl-C.

Every option is also a variable (`FSN_BROKERS`, `FSN_KEYS`, …; `streams/settings.py` lists them all); an option that is
given wins. The topics must exist: `fsn topology apply` makes them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fsn.declaration import DEFAULT_FILE, File

app = typer.Typer(help="Run one worker.")


@app.command()
def worker(
    *,
    file: File = DEFAULT_FILE,
    clock: Annotated[str | None, typer.Option(help="leader or external: overrides the topology.")] = None,
    brokers: Annotated[str | None, typer.Option("--brokers", "-b", help="host:port of a broker, or several.")] = None,
    instance_id: Annotated[str | None, typer.Option(help="Its name among static members.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Where its tables lie.")] = None,
    web_port: Annotated[int | None, typer.Option(help="Metrics, health and schemas; 0 for none.")] = None,
    keys: Annotated[Path | None, typer.Option(help="The file of signing keys.")] = None,
    schema_registry: Annotated[str | None, typer.Option(help="URL of a registry that gives out schema ids.")] = None,
    log_format: Annotated[str | None, typer.Option(help="json or text.")] = None,
) -> None:
    """Run one worker until SIGTERM or Ctrl-C: then it ends its transactions and leaves the group."""
    from fsn.declaration import load_topology
    from streams.app import run_worker
    from streams.settings import read_settings

    settings = read_settings(
        brokers=brokers,
        instance_id=instance_id,
        state_dir=state_dir,
        web_port=web_port,
        keys=keys,
        schema_registry=schema_registry,
        log_format=log_format,
    )
    run_worker(load_topology(file, clock=clock), settings)
