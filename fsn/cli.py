"""The `fsn` command: what it can do, and how it fails.

A command's module is imported when that command is called, so that `fsn --version` and a shell's completion stay fast.
To add one: write `fsn/<name>.py` with a `typer.Typer` named `app`, heavy imports inside its functions, and list it in
`COMMANDS`. An error class of our own ends as one red line and exit code 2 (`FSN_TRACEBACK=1` shows where it came from);
any other exception is a bug and keeps its traceback.
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

COMMANDS: Final[dict[str, str]] = {
    "backtest": "fsn.backtest",
    "catalogue": "fsn.catalogue",
    "demo": "fsn.demo",
    "dlq": "fsn.deadletters",
    "explain": "fsn.explain",
    "generate": "fsn.generate",
    "mapping": "fsn.mapping",
    "replay": "fsn.replay",
    "report": "fsn.reports",
    "rules": "fsn.rules",
    "run": "fsn.run",
    "scenario": "fsn.scenario",
    "schemas": "fsn.schemas",
    "staleness": "fsn.staleness",
    "stock": "fsn.stock",
    "topology": "fsn.topology",
    "worker": "fsn.worker",
}
"""Command -> the module that holds its `app`."""

OF_THE_WHOLE: Final = frozenset({"install_completion", "show_completion"})
"""Options that typer gives every `app`, and that only `fsn` itself means."""

OUR_PACKAGES: Final = frozenset({"fsn", "streams", "processors", "schemas", "connectors"})


class LazyCommands(TyperGroup):
    """The commands of this module, and those of `COMMANDS`, imported on demand.

    Contexts and commands are Any: typer brings its own click and gives its types no public name.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command by name, in alphabetical order."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, none if there is no such command."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return super().get_command(ctx, cmd_name)
        command = typer.main.get_command(import_module(module).app)
        command.name = cmd_name
        command.params = [parameter for parameter in command.params if parameter.name not in OF_THE_WHOLE]
        return command


app = typer.Typer(name="fsn", cls=LazyCommands, no_args_is_help=True, pretty_exceptions_enable=False)


def main() -> None:
    """The console script: run one command; an error of ours is one red line and exit code 2."""
    try:
        app()
    except Exception as error:
        if not is_ours(error) or os.environ.get("FSN_TRACEBACK"):
            raise
        _print_error(" ".join(str(error).splitlines()))
        sys.exit(2)


def is_ours(error: Exception) -> bool:
    """Whether one of our packages defines this kind of error, so that its message was written for a reader."""
    return type(error).__module__.partition(".")[0] in OUR_PACKAGES


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("fsn"))
        raise typer.Exit


@app.callback()
def fsn(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """FSN: the stream-processing core of a multi-partner fulfilment network."""


@app.command()
def broker(
    data_dir: Annotated[Path, typer.Option(help="Where its data and log lie.")] = Path(".fsn/broker"),
    port: Annotated[int | None, typer.Option(help="Its port; without it, a free one.", min=1, max=65535)] = None,
) -> None:
    """Run the embedded Kafka broker until Ctrl-C; it keeps its data in the folder."""
    import signal

    from fsn.broker import BrokerError, EmbeddedBroker

    def on_sigterm(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_sigterm)  # a polite kill stops the broker cleanly too
    try:
        with EmbeddedBroker(data_dir, port=port) as running:
            typer.echo(f"FSN_BROKERS={running.bootstrap}")
            typer.echo(f"data and log in {data_dir}; Ctrl-C stops it", err=True)
            exit_code = running.wait()
    except KeyboardInterrupt:
        return
    raise BrokerError(f"the embedded broker ended by itself with exit code {exit_code}; see {running.log_path}")


def _print_error(message: str) -> None:
    from rich.console import Console

    Console(stderr=True).print(message, style="bold red", markup=False, highlight=False, soft_wrap=True)
