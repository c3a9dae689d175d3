"""`fsn report locations`: every location and partner of the network in one table: routed, shipped, in time, in stock, fresh.

In: a broker that holds the run; a span of time in which assignments were offered. Out: rich tables, JSON, or a CSV file. Times
are the network's: with a simulated day, simulated ones.
"""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fsn.declaration import DEFAULT_FILE, File
from fsn.terminal import literal, utc

if TYPE_CHECKING:
    from fsn.location_report import Line

app = typer.Typer(name="report", help="Reports over a recorded run: locations.", no_args_is_help=True)

HOUR_MS: Final = 3_600_000
WORK: Final = (
    "routed", "waiting", "completed", "failed", "taken %", "in time %", "accept h p50/p95", "ship h p50/p95", "units shipped",
)  # fmt: skip
STOCK: Final = ("items", "on hand", "reserved", "available", "gapped", "slots used", "feed complete to (UTC)")
COLUMNS: Final = (
    "partner_id", "location_id", "routed", "pending_accept", "pending_allocation", "pending_shipment", "pending_invoice",
    "completed", "failed", "accepted", "shipped", "in_time", "accept_p50_ms", "accept_p95_ms", "ship_p50_ms",
    "ship_p95_ms", "units_shipped", "items", "on_hand", "reserved", "available", "gapped", "slots_used", "slots", "stale",
    "complete_to_at",
)  # fmt: skip


@app.callback()
def report() -> None:
    """Keeps `locations` a command of its own, for there will be others."""


@app.command()
def locations(
    *,
    since: Annotated[str | None, typer.Option(help="Assignments offered from here on: ISO 8601, or epoch ms.")] = None,
    until: Annotated[str | None, typer.Option(help="And before this.")] = None,
    partner: Annotated[list[str] | None, typer.Option(help="Only this partner's; may be repeated.")] = None,
    to_csv: Annotated[Path | None, typer.Option("--csv", help="Write the locations' lines into this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    brokers: Annotated[
        str | None, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, or several.")
    ] = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Show what was routed to each location and partner, what became of it, and what lies there."""
    import msgspec
    from rich.console import Console

    from fsn.location_report import by_partner, location_report, summed
    from fsn.recording import open_recording
    from fsn.terminal import instant_of

    begin = 0 if since is None else instant_of(since, option="--since")
    end = None if until is None else instant_of(until, option="--until")
    lines = location_report(open_recording(brokers, file), since=begin, until=end)
    lines = [line for line in lines if not partner or line.partner_id in partner]
    if to_csv is not None:
        with to_csv.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, COLUMNS)
            writer.writeheader()
            writer.writerows(map(values, lines))
    if as_json:
        told = {"locations": [values(line) for line in lines], "partners": [values(line) for line in by_partner(lines)]}
        typer.echo(msgspec.json.format(msgspec.json.encode({**told, "all": values(summed(lines))})).decode())
        return
    console = Console()
    of_partners = [(f"{line.partner_id} ({line.locations})", line) for line in by_partner(lines)]
    of_partners.append((f"all ({len(lines)})", summed(lines)))
    of_locations = [(line.location_id, line) for line in lines]
    for scope, named in (("locations", of_locations), ("partners, and how many locations", of_partners)):
        _print(f"Work of {scope}", WORK, [(name, _work(line)) for name, line in named], console)
        _print(f"Stock and load of {scope}", STOCK, [(name, _stock(line)) for name, line in named], console)


def values(line: "Line") -> dict[str, object]:
    """A line by column."""
    from fsn.location_report import percentile

    own = {name: getattr(line, name) for name in COLUMNS if hasattr(line, name)}
    times = {
        f"{name}_p{share}_ms": percentile(getattr(line, f"{name}_ms"), share / 100)
        for name in ("accept", "ship")
        for share in (50, 95)
    }
    queues = {name: line.queues[name] for name in COLUMNS if name.startswith("pending_")}
    ends = {"completed": line.queues["completed"], "failed": line.queues["failed"], "accepted": line.taken}
    found = {**own, **times, **queues, **ends}
    return {name: found[name] for name in COLUMNS}


def _print(title: str, headings: tuple[str, ...], rows: list[tuple[str, tuple[str, ...]]], console: object) -> None:
    from rich.console import Console
    from rich.table import Table

    assert isinstance(console, Console)
    shown = Table(title=title)
    shown.add_column(no_wrap=True)
    for heading in headings:
        shown.add_column(heading, justify="right")
    for name, row in rows:
        shown.add_row(literal(name), *map(literal, row))
    console.print(shown)


def _work(line: "Line") -> tuple[str, ...]:
    from fsn.location_report import percentile

    def hours(times: list[int]) -> str:
        found = [percentile(times, share) for share in (0.5, 0.95)]
        return "/".join("-" if one is None else f"{one / HOUR_MS:.1f}" for one in found)

    waiting = sum(count for queue, count in line.queues.items() if queue.startswith("pending_"))
    counts = line.routed, waiting, line.queues["completed"], line.queues["failed"]
    shares = _share(line.taken, line.routed), _share(line.in_time, line.shipped)
    times = hours(line.accept_ms), hours(line.ship_ms)
    return (*(f"{count:,}" for count in counts), *shares, *times, f"{line.units_shipped:,}")


def _stock(line: "Line") -> tuple[str, ...]:
    if not line.complete_to_at:
        feed = "-"
    else:
        stale = f" ({line.stale} stale)" if line.locations > 1 else " (stale)" if line.stale else ""
        feed = utc(line.complete_to_at) + stale
    counts = line.items, line.on_hand, line.reserved, line.available, line.gapped
    return (*(f"{count:,}" for count in counts), f"{line.slots_used:,}/{line.slots:,}", feed)


def _share(part: int, whole: int) -> str:
    return "-" if not whole else f"{100 * part / whole:.1f}"
