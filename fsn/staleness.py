"""`fsn staleness`: what freshness limits cost each partner in decisions, and the limit that would trade best.

In: a broker that holds a recorded run. Out: a table, or JSON. The run is replayed once and kept as `fsn backtest` keeps it. A lost
decision is one that a partner would have won if nobody had asked how old its stock is; it counts as a loss only where later
reports show that what it would have promised was there.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fsn.declaration import DEFAULT_FILE, File
from fsn.terminal import literal

if TYPE_CHECKING:
    from fsn.backtesting.staleness import Partner

app = typer.Typer(name="staleness", help="What freshness limits cost each partner, and which limit would trade best.")

FOLDER = Path(".fsn/backtest")
MINUTE_MS = 60_000


@app.command()
def staleness(
    *,
    short_costs: Annotated[
        int, typer.Option(help="How many lost decisions one decision on stock that was gone is worth.", min=0)
    ] = 5,
    keep: Annotated[Path, typer.Option(help="Where what was recorded is kept.")] = FOLDER,
    json_wanted: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    brokers: Annotated[
        str | None, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, or several.")
    ] = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Show, per partner, the decisions lost to stale stock, and how many of them were well lost."""
    import msgspec
    from rich.console import Console

    from fsn.backtesting.capture import captured
    from fsn.backtesting.staleness import as_json, partners_of, reports_of, wins_of
    from fsn.recording import open_recording

    console = Console(stderr=json_wanted)
    recording = open_recording(brokers, file)
    with console.status("replaying the run, once") as status:
        found = captured(
            recording, keep, lambda partition, done: status.update(f"replaying partition {partition + 1}: {done:,}")
        )
        status.update("asking every evaluation without limits")
        partners = partners_of(wins_of(found, reports_of(recording)), short_costs=short_costs)
    if json_wanted:
        typer.echo(msgspec.json.format(msgspec.json.encode(as_json(partners))).decode())
        return
    _print(partners, short_costs, console)


def _print(partners: "list[Partner]", short_costs: int, console: object) -> None:
    from rich.console import Console
    from rich.table import Table

    assert isinstance(console, Console)
    limits = [at.limit_ms for at in partners[0].at] if partners else []
    headings = ("partner", "limit min", "would win", "lost", "of them wrong", "saved", "unrouted")
    shown = Table(
        *headings, *(f"{limit // MINUTE_MS}" for limit in limits), "best", title="Decisions lost to stale stock"
    )
    for column in shown.columns[1:]:
        column.justify = "right"
    for one in partners:
        now = ", ".join(f"{limit // MINUTE_MS}" for limit in one.limits_ms)
        counts = (
            f"{one.wins:,}",
            f"{one.lost:,}",
            f"{one.lost_wrong:,}",
            f"{one.saved_minor / 100:,.2f}",
            f"{one.unrouted:,}",
        )
        at = (f"{at.lost}/{at.wrong}" for at in one.at)
        shown.add_row(*map(literal, (one.partner_id, now, *counts, *at, f"{one.best_ms // MINUTE_MS} min")))
    console.print(shown)
    console.print(
        "Per limit in minutes: decisions lost that would have been right / decisions won on stock that was gone. Best is the "
        f"limit with the least of both, where one of the latter is worth {short_costs} of the former."
    )
