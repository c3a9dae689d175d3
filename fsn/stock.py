"""`fsn stock VARIANT`: what every location has of a variant, now or at any instant, and how it came to that.

In: a variant_id, a broker that holds the recorded run, an instant (ISO 8601, or epoch ms; without it, the end of the
log). Out: a table per location, with `--history` every change up to the instant and the record that caused it, or `--json`.
The instant is the task's time: what had happened by its last tick. Exit code 1 when nothing was ever heard of the variant.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from fsn.declaration import DEFAULT_FILE, File

if TYPE_CHECKING:
    from rich.console import Console

    from fsn.recording import Recording
    from fsn.stock_history import Change, History

app = typer.Typer(name="stock")


@app.command()
def stock(
    variant: Annotated[str, typer.Argument(help="The variant_id.")],
    *,
    at: Annotated[str | None, typer.Option(help="2026-11-27T14:00:00Z, or epoch ms; without it, the end.")] = None,
    location: Annotated[list[str] | None, typer.Option(help="Only this location; may be repeated.")] = None,
    merchant: Annotated[str | None, typer.Option(help="As this merchant may see it: suppliers decide.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Every change, and what caused it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; its fields are a contract.")] = False,
    brokers: Annotated[str | None, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, …")] = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Show what every location had of a variant at an instant, by replaying its task."""
    import json

    import msgspec
    from rich.console import Console

    from fsn.recording import open_recording
    from fsn.stock_history import read_history
    from fsn.terminal import instant_of, plain

    until_at = None if at is None else instant_of(at, option="--at")
    recording = open_recording(brokers, file)
    if merchant is not None and not _may_see(recording, merchant, variant):
        said = f"{merchant} may not see the stock of {variant}: its supplier has not granted stock_visible"
        Console(stderr=True).print(plain(said), style="bold red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    found = read_history(recording, variant, until_at=until_at)
    shown_at = found.until_at if until_at is None else until_at
    standings = [one for one in found.standings(shown_at) if not location or one.location_id in location]
    changes = [one for one in found.changes if one.at <= shown_at and (not location or one.location_id in location)]
    if not standings:
        where = f" at {', '.join(location)}" if location else ""
        said = f"nothing was heard of {variant}{where} by then: variants are named as on `stock-deltas`"
        Console(stderr=True).print(plain(said), style="bold red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    if as_json:
        shown = {"variant_id": variant, "at": shown_at, "locations": msgspec.to_builtins(standings)}
        typer.echo(json.dumps(shown | ({"history": msgspec.to_builtins(changes)} if history else {}), indent=2))
        return
    console = Console(highlight=False)
    _show(found, shown_at, location or (), console)
    if history:
        _show_changes(changes, console)


def _may_see(recording: "Recording", merchant_id: str, variant_id: str) -> bool:
    """By the grants in force now, whatever instant is asked about."""
    from processors.routing.entitlements import may_see_stock

    copy = recording.network()
    network = copy.at(copy.available)
    variant = network.variants.get(variant_id)
    return variant is None or may_see_stock(network, merchant_id, variant)


def _show(found: "History", at: int, locations: "list[str] | tuple[()]", console: "Console") -> None:
    from rich.table import Table

    from fsn.terminal import literal, utc

    columns = ("location", "on hand", "reserved", "held", "safety", "to promise", "on its way", "revision")
    table = Table(*columns, "feed age", "last change", title=f"{literal(found.variant_id)} at {utc(at)} UTC")
    for one in found.standings(at):
        if locations and one.location_id not in locations:
            continue
        age = "–" if one.feed_age_ms is None else _age(one.feed_age_ms)
        coming = one.in_transit + one.expected
        numbers = (
            one.on_hand,
            one.reserved,
            one.held,
            one.safety_stock,
            one.available_to_promise,
            coming,
            one.revision,
        )
        last = f"{utc(one.changed.at)} {one.changed.cause}"
        gapped = " (gapped)" if one.gapped else ""
        cells = (one.location_id + gapped, *(f"{number:,}" for number in numbers), age, last)
        table.add_row(*map(literal, cells))
    console.print(table)


def _show_changes(changes: "list[Change]", console: "Console") -> None:
    from rich.table import Table

    from fsn.terminal import literal, utc

    table = Table("time (UTC)", "location", "cause", "on hand", "reserved", "held", "revision", title="Changes")
    for one in changes:
        before, after = one.before, one.after
        moved = [
            f"{getattr(after, name):,}"
            if before is None or getattr(before, name) == getattr(after, name)
            else f"{getattr(before, name):,} → {getattr(after, name):,}"
            for name in ("on_hand", "reserved", "held")
        ]
        table.add_row(*map(literal, (utc(one.at), one.location_id, one.cause, *moved, str(after.revision))))
    console.print(table)


def _age(ms: int) -> str:
    """As the product says it: 2m, 3h."""
    seconds = ms // 1_000
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
