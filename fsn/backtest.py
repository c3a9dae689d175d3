"""`fsn backtest`: what other rules would have decided on the recorded orders, and what that would have changed.

In: a YAML rule document, and a recorded run on a broker. Out: tables, JSON, plots. The run is replayed once and what its
evaluations were given is kept below `.fsn/backtest`; further back-tests of the same run read that alone. Each order is
evaluated at the state in which it was decided: what the new rules would have sold before is not taken off the shelves.
"""

import os
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fsn.declaration import DEFAULT_FILE, File
from fsn.terminal import literal

if TYPE_CHECKING:
    from rich.console import Console

    from fsn.backtesting.capture import Captured
    from fsn.backtesting.comparing import Comparison
    from fsn.backtesting.evaluating import Pair
    from fsn.backtesting.evaluations import Shared
    from processors.rules import Rules

app = typer.Typer(name="backtest", help="What other rules would have decided on the recorded orders.")

FOLDER = Path(".fsn/backtest")
HOUR_MS = 3_600_000


class Format(StrEnum):
    """Of plots."""

    PNG = "png"
    SVG = "svg"


@app.command()
def backtest(
    rules: Annotated[Path, typer.Option("--rules", help="The YAML document of the rules to try.")],
    *,
    rule_set: Annotated[
        list[str] | None, typer.Option(help="Only orders under this rule set, such as `acme|euro`; may be repeated.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Draw cost, distance and partners' shares into this folder.")
    ] = None,
    plot_format: Annotated[Format, typer.Option("--format", help="Of the plots.")] = Format.PNG,
    processes: Annotated[int, typer.Option(help="How many evaluate; 0: one a core.", min=0)] = 0,
    keep: Annotated[Path, typer.Option(help="Where what was recorded is kept.")] = FOLDER,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    brokers: Annotated[
        str | None, typer.Option("--brokers", "-b", envvar="FSN_BROKERS", help="host:port, or several.")
    ] = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Evaluate every recorded order under other rules, and show what would differ."""
    from rich.console import Console

    from fsn.backtesting.capture import shared_of
    from fsn.backtesting.comparing import compare
    from fsn.backtesting.evaluating import of_orders
    from fsn.rule_documents import read_document

    document = read_document(rules)
    console = Console(stderr=as_json)
    captured = _captured(brokers, file, keep, console)
    started = time.monotonic()
    every = _evaluated(captured, document.rules, tuple(rule_set or ()), processes, console)
    seconds = time.monotonic() - started
    pairs = list(of_orders(every))
    comparison = compare(pairs)
    drawn: list[Path] = []
    if plots is not None:
        from fsn.backtesting.plots import draw

        drawn = draw(pairs, comparison, plots, kind=plot_format.value)
    if as_json:
        _print_json(comparison, shared_of(captured), seconds, len(every))
        return
    _print(comparison, console)
    _print_proof(shared_of(captured), len(every), seconds, console)
    for path in drawn:
        console.print(f"drawn: {path}")


def _captured(brokers: str | None, file: Path, keep: Path, console: "Console") -> "Captured":
    from fsn.backtesting.capture import capture, place
    from fsn.recording import open_recording

    recording = open_recording(brokers, file)
    found = place(recording, keep)
    if not found.is_there:
        keep.mkdir(parents=True, exist_ok=True)
        count = recording.topology.partitions
        with console.status("replaying the run, once") as status:
            capture(
                recording,
                found,
                lambda partition, done: status.update(
                    f"replaying the run, once: partition {partition + 1} of {count}, {done:,} evaluations"
                ),
            )
    return found


def _evaluated(
    captured: "Captured", rules: "Rules", rule_set_ids: tuple[str, ...], processes: int, console: "Console"
) -> "list[Pair]":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from fsn.backtesting.capture import shared_of
    from fsn.backtesting.evaluating import evaluate_all

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("evaluations", total=shared_of(captured).evaluations)
        return evaluate_all(
            captured,
            rules,
            rule_set_ids=rule_set_ids,
            processes=processes,
            progress=lambda done: progress.advance(bar, done),
        )


def _print(comparison: "Comparison", console: "Console") -> None:
    from rich.table import Table

    from processors.money import show as money

    one = comparison
    counts = Table("orders", "count", title="Recorded orders under both rules")
    for name, count in (
        ("evaluated", one.orders),
        ("routed by both", one.both),
        ("  the same plan", one.same),
        ("routed by the old rules alone", one.only_old),
        ("routed by the new rules alone", one.only_new),
        ("routed by neither", one.neither),
        ("the new rules would have asked further locations", one.unasked),
    ):
        counts.add_row(name, f"{count:,}")
    for reason, count in one.reasons.most_common():
        counts.add_row(literal(f"  routed no more: {reason}"), f"{count:,}")
    console.print(counts)
    sums = Table("of orders that both route", "old", "new", "difference")
    for name, old, new in _measures(one):
        sums.add_row(name, f"{old:,.2f}", f"{new:,.2f}", f"{new - old:+,.2f}")
    console.print(sums)
    shares = Table("partner", "old", "new", "difference", title="Share of the units")
    for name, old, new in _shares(one):
        shares.add_row(literal(name), f"{old:.1f} %", f"{new:.1f} %", f"{new - old:+.1f}")
    console.print(shares)
    if one.examples:
        examples = Table("order", "old", "new", "cost", title="Orders whose cost differs most")
        for pair in one.examples:
            moved = pair.new.cost_minor - pair.old.cost_minor
            places = (" + ".join(pair.old.locations), " + ".join(pair.new.locations))
            examples.add_row(
                *map(literal, (pair.order_id, *places, ("+" if moved > 0 else "") + money(moved, pair.currency)))
            )
        console.print(examples)


def _measures(one: "Comparison") -> list[tuple[str, float, float]]:
    """(what, old, new)."""
    found = [
        (
            f"cost, {currency}",
            _amount(one.old.cost_minor[currency], currency),
            _amount(one.new.cost_minor[currency], currency),
        )
        for currency in sorted(one.old.cost_minor)
    ]
    found.append(("shipments", one.old.shipments, one.new.shipments))
    found.append(("orders split", one.old.split, one.new.split))
    old, new = max(1, one.old.shipments), max(1, one.new.shipments)
    found.append(("km a shipment", one.old.distance_m / old / 1_000, one.new.distance_m / new / 1_000))
    promised = max(1, one.promised)
    found.append(
        ("hours before the promise", one.old.slack_ms / promised / HOUR_MS, one.new.slack_ms / promised / HOUR_MS)
    )
    found.append(("late", one.old.late, one.new.late))
    return found


def _amount(amount_minor: int, currency: str) -> float:
    from processors.money import MINOR_DIGITS

    return float(amount_minor / 10 ** MINOR_DIGITS.get(currency, 2))


def _shares(one: "Comparison") -> list[tuple[str, float, float]]:
    """(partner, old, new), in per cent of the units, the largest first."""
    old, new = one.old.units, one.new.units
    totals = max(1, sum(old.values())), max(1, sum(new.values()))
    names = sorted({*old, *new}, key=lambda name: (-old[name], name))
    return [(name, 100 * old[name] / totals[0], 100 * new[name] / totals[1]) for name in names]


def _print_proof(shared: "Shared", evaluated: int, seconds: float, console: "Console") -> None:
    rate = evaluated / seconds if seconds else 0.0
    console.print(
        f"{evaluated:,} evaluations in {seconds:.1f} s: {rate:,.0f} a second, {os.cpu_count()} cores. Of the run's, "
        f"{shared.evaluations:,} gave again, byte for byte, the audit that was recorded; {shared.left_out:,} belong to "
        f"transactions that today's code does not repeat, {shared.unproven:,} could not be proven: both are left out."
    )
    console.print(
        "Each order was evaluated at the state in which it was decided; what other orders would have taken is not."
    )


def _print_json(comparison: "Comparison", shared: "Shared", seconds: float, evaluated: int) -> None:
    import msgspec

    told = {
        **msgspec.to_builtins(comparison),
        "evaluations": evaluated,
        "seconds": round(seconds, 3),
        "proven": shared.evaluations,
        "left_out": shared.left_out,
        "unproven": shared.unproven,
    }
    typer.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
