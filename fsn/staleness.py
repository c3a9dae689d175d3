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
    from rich.table import Table

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

    from processors.money import show as money

    assert isinstance(console, Console)
    shown = _table(
        "Decisions lost to stale stock",
        ("limit (min)", "would win", "lost", "of them wrong", "saved", "unrouted", "best"),
    )
    for one in partners:
        now = ", ".join(f"{limit // MINUTE_MS}" for limit in one.limits_ms)
        saved = ", ".join(money(minor, currency) for currency, minor in one.saved_minor.items()) or "-"
        counts = (
            f"{one.wins:,}",
            f"{one.lost:,}",
            f"{one.lost_wrong:,}",
            saved,
            f"{one.unrouted:,}",
        )
        shown.add_row(*map(literal, (one.partner_id, now, *counts, f"{one.best_ms // MINUTE_MS} min")))
    console.print(shown)
    limits = tuple(f"{at.limit_ms // MINUTE_MS}" for at in partners[0].at) if partners else ()
    traded = _table("At a limit of so many minutes: lost and right / won and wrong", limits)
    for one in partners:
        traded.add_row(*map(literal, (one.partner_id, *(f"{at.lost}/{at.wrong}" for at in one.at))))
    console.print(traded)
    console.print(
        "Lost and right: a decision that went elsewhere although the stock was there. Won and wrong: one on stock that was gone, as "
        f"later reports tell. Best is the limit with the least of both, one of the latter being worth {short_costs} of the former."
    )


def _table(title: str, headings: tuple[str, ...]) -> "Table":
    from rich.table import Table

    shown = Table(title=title)
    shown.add_column("partner", no_wrap=True)
    for heading in headings:
        shown.add_column(heading, justify="right")
    return shown
