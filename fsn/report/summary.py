"""Summary: the demo's report: what a day brought, recomputed from the topics, and whether every promise was kept.

In: findings, and the latency probe when one ran. Out: rich tables on a console, ending with one decision's eleven steps
and a verdict; True when nothing is off. Whatever is off is named in red, a few of each kind, with the count of the rest.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from fsn.report.alerts import KindScore
from fsn.report.collect import Findings, collect
from fsn.report.explain import plain_table, steps_table
from fsn.report.findings import Checked, Fault, Tally
from fsn.report.latency import Latency

NAMED_MAX: Final = 5
"""Faults of one kind that are named; the others are counted."""


def report(
    brokers: str, topology_path: Path, truth_path: Path | None, console: Console, *, latency: Latency | None = None
) -> bool:
    """Read the topics, print the report, and say whether all is well."""
    extra = frozenset() if latency is None else frozenset(latency.order_ids)
    findings = collect(brokers, topology_path, truth_path, extra_orders=extra)
    return show(findings, console, latency=latency)


def report_latency(latency: Latency, console: Console) -> bool:
    """Print what the probe measured, and say whether every order was answered."""
    console.print(_latency(latency))
    for fault in latency.checked.faults[:NAMED_MAX]:
        console.print(f"[red]{escape(str(fault))}[/red]")
    return not latency.checked.faults


def show(findings: Findings, console: Console, *, latency: Latency | None = None) -> bool:
    """Print findings."""
    console.print(_orders(findings))
    if latency is not None:
        console.print(_latency(latency))
    console.print(_stock(findings))
    console.print(_tally("Assignments by the queue they are in", "queue", findings.assignments.queues))
    console.print(_tally("Parcels by final status", "status", findings.tracking.parcels))
    console.print(_alerts("Reconciliation alerts against planted discrepancies", findings.alerts.kinds))
    if findings.operations.kinds:
        console.print(_alerts("Alerts and reviews of operators against planted causes", findings.operations.kinds))
    console.print(_letters(findings))
    if findings.example is not None:
        decision, audit = findings.example
        console.rule("One decision in full", align="left", style="bold")
        console.print(steps_table(decision.fields, audit.fields["audit"]))
    checks = (*findings.checks, *(() if latency is None else (latency.checked,)))
    console.print(_promises(checks))
    faults = [fault for checked in checks for fault in checked.faults]
    _verdict(faults, findings, console)
    return not faults


def _orders(findings: Findings) -> RenderableType:
    decisions = findings.decisions
    routed = decisions.states["routed"]
    table = _numbers("Orders")
    table.add_row("sent", f"{decisions.sent:,}")
    table.add_row("routed", f"{routed:,}")
    table.add_row("  of them split", f"{decisions.split:,}")
    table.add_row("  of them rerouted", f"{decisions.rerouted:,}")
    for state, count in decisions.states.counts.items():
        if state != "routed":
            table.add_row("parked: waiting" if state == "waiting" else state, f"{count:,}")
    table.add_row("decisions published", f"{decisions.decisions:,}")
    table.add_row("shipments planned", f"{decisions.shipments:,}")
    return table


def _latency(latency: Latency) -> RenderableType:
    table = _numbers("Order → decision, live (wall clock, read_committed)")
    table.add_row("orders probed", f"{len(latency.order_ids):,}")
    table.add_row("p50", f"{latency.percentile(0.50):,.0f} ms")
    table.add_row("p99", f"{latency.percentile(0.99):,.0f} ms")
    table.add_row("slowest", f"{latency.percentile(1.0):,.0f} ms")
    if latency.parked:
        table.add_row("parked instead", f"{latency.parked:,}")
    return table


def _stock(findings: Findings) -> RenderableType:
    stock, conserved, fresh = findings.stock, findings.conserved, findings.freshness
    table = _numbers("Stock")
    table.add_row("items", f"{len(stock.last):,}")
    table.add_row("units reported in, net", f"{conserved.came_in:,}")
    table.add_row("units corrected by counts", f"{conserved.counted:+,}")
    table.add_row("units left with shipments", f"{conserved.left:,}")
    table.add_row("units on hand", f"{conserved.on_hand:,}")
    table.add_row("grants checked", f"{stock.grants:,}")
    table.add_row("oversold units", _good(stock.oversold))
    table.add_section()
    table.add_row("routing evaluations", f"{fresh.evaluations:,}")
    table.add_row("candidates looked at", f"{fresh.candidates:,}")
    for reason, count in fresh.blocked.counts.items():
        table.add_row(f"blocked: {reason}", f"{count:,}")
    table.add_row("stale feeds blocked (locations)", f"{fresh.locations:,}")
    table.add_row("  of them silent on purpose", f"{fresh.silent_blocked:,}")
    table.add_row("orders kept off stale stock", f"{fresh.orders:,}")
    return table


def _tally(title: str, heading: str, counted: Tally) -> Table:
    table = plain_table(title)
    table.add_column(heading)
    table.add_column("count", justify="right")
    for word, count in counted.counts.items():
        table.add_row(escape(word), f"{count:,}")
    return table


def _alerts(title: str, kinds: Sequence[KindScore]) -> Table:
    table = plain_table(title)
    table.add_column("kind", no_wrap=True)
    for heading in ("planted", "standing", "right", "resolved", "precision", "recall"):
        table.add_column(heading, justify="right")
    sums = [sum(getattr(score, name) for score in kinds) for name in ("planted", "raised", "right", "resolved")]
    for score in (*kinds, KindScore("all", *sums)):
        if score.kind == "all":
            table.add_section()
        numbers = (score.planted, score.raised, score.right, score.resolved)
        shares = (_share(score.precision), _share(score.recall))
        table.add_row(score.kind, *(f"{number:,}" for number in numbers), *shares)
    return table


def _letters(findings: Findings) -> Table:
    table = plain_table("Dead letters by reason against what was sent")
    for heading, justify in (("reason", "left"), ("topic", "left"), ("sent", "right"), ("found", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # rich names the words a Literal
    for row in findings.letters.rows:
        style = "" if row.sent == row.found else "bold red"
        table.add_row(row.reason, row.topic, f"{row.sent:,}", f"{row.found:,}", style=style)
    return table


def _promises(checks: Sequence[Checked]) -> Table:
    table = plain_table("Promises, checked against the topics alone")
    table.add_column("promise")
    table.add_column("looked at", justify="right")
    table.add_column("broken", justify="right")
    for checked in checks:
        table.add_row(checked.name, f"{checked.looked_at:,}", _good(len(checked.faults)))
    return table


def _verdict(faults: Sequence[Fault], findings: Findings, console: Console) -> None:
    numbers = f"lost {findings.lost}, duplicated {findings.duplicated}, oversold {findings.oversold}"
    records = f"{sum(findings.records.values()):,} records read"
    if not faults:
        console.print(Panel(f"[bold green]Every promise was kept.[/] {numbers}; {records}."))
        return
    lines: list[RenderableType] = [f"[bold red]{len(faults):,} things are off.[/] {numbers}; {records}."]
    by_check: dict[str, list[Fault]] = {}
    for fault in faults:
        by_check.setdefault(fault.check, []).append(fault)
    for check, broken in by_check.items():
        lines.append(f"\n[bold red]{escape(check)}[/] ({len(broken):,})")
        lines += [f"  [red]{escape(f'{fault.subject}: {fault.detail}')}[/]" for fault in broken[:NAMED_MAX]]
        if len(broken) > NAMED_MAX:
            lines.append(f"  [red]and {len(broken) - NAMED_MAX:,} more[/]")
    console.print(Panel(Group(*lines), border_style="red"))


def _numbers(title: str) -> Table:
    table = plain_table(title)
    table.show_header = False
    table.add_column("what")
    table.add_column("number", justify="right")
    return table


def _good(number: int) -> str:
    return "[green]0[/]" if number == 0 else f"[bold red]{number:,}[/]"


def _share(share: float) -> str:
    style = "green" if share == 1.0 else "bold red"
    return f"[{style}]{100 * share:.1f} %[/]"
