"""`fsn scenario run`: golden scenarios, a merchant's own among them, through the whole topology in memory.

In: files of scenarios, or folders of them (docs/scenarios.md says how one is written). Out: per scenario passed or failed
with the difference; exit code 1 when one failed. Refused: a file that cannot be run, with every problem's file, line, key
and mend.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fsn.declaration import DEFAULT_FILE, File

if TYPE_CHECKING:
    from fsn.scenarios.reading import Scenario

app = typer.Typer(no_args_is_help=True, help="Run golden scenarios.")


@app.callback()
def scenario() -> None:
    """Run golden scenarios: given network, stock and orders, expected decisions and traces."""


@app.command("run")
def run_scenarios(
    paths: Annotated[list[Path], typer.Argument(help="Files of scenarios, or folders with *.yaml.")],
    file: File = DEFAULT_FILE,
) -> None:
    """Run scenarios and say which passed; exit code 1 when one failed."""
    from rich.console import Console

    from fsn.declaration import load_topology
    from fsn.scenarios.running import run
    from fsn.terminal import literal

    console = Console(highlight=False)
    topology = load_topology(file, clock="external", partitions=1)
    passed = failed = 0
    for path, one in _all(paths):
        found = run(one, topology)
        name = literal(f"{path.name}: {one.name}")
        if not found:
            passed += 1
            console.print(f"[green]passed[/] {name}", soft_wrap=True)
            continue
        failed += 1
        console.print(f"[red]failed[/] {name}", soft_wrap=True)
        for difference in found:
            console.print(f"       {literal(difference)}", soft_wrap=True)
    console.print(f"{passed} passed, {failed} failed")
    if failed:
        raise typer.Exit(1)


def _all(paths: list[Path]) -> list[tuple[Path, "Scenario"]]:
    """Every scenario of the files, all read before the first one runs."""
    from fsn.scenarios.reading import ScenarioError, scenarios_of

    files = [found for path in paths for found in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if not files:
        raise ScenarioError((f"{paths[0]}: holds no *.yaml; name a file of scenarios, or a folder of them",))
    return [(file, one) for file in files for one in scenarios_of(file)]
