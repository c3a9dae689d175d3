"""`python -m bench [--kafka] [--quick] [--only NAME]`: every figure of FSN, in one run, on one kind of broker.

On the embedded broker a full run writes bench/results/latest.json; with `--kafka`, on a real Apache Kafka and beside Kafka
Streams, bench/results/kafka.json; each its table of docs/benchmarks.md. `--quick` and `--only` write a file of their own
beside it, for numbers of different runs do not belong together. Exit code 1 when a target was missed in a full run, so
that a regression is seen; nothing is rounded in its favour.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench import codec, idle, orders, report, route_us, stock_deltas, targets
from bench.harness import FULL, KAFKA, KAFKA_QUICK, QUICK, ROOT, BenchError, Scale

Say = Callable[[str], None]


def _route(scale: Scale, _: Say) -> dict[str, float]:
    return route_us.measure() if scale.name == "full" else route_us.measure(rounds=3, repeats=100)


def _codec(scale: Scale, _: Say) -> dict[str, Any]:
    return codec.measure() if scale.name == "full" else codec.measure(rounds=5)


PARTS: Final[dict[str, Callable[[Scale, Say], dict[str, Any]]]] = {
    "route": _route,
    "codec": _codec,
    "idle": idle.measure,
    "stock_deltas": stock_deltas.measure,
    "orders": orders.measure,
}
ON_KAFKA: Final = ("stock_deltas", "orders")
"""The parts that say something about a broker; the others would only be measured twice."""


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works, gives no figures")
    parser.add_argument("--only", choices=sorted(PARTS), help="measure one part")
    parser.add_argument("--kafka", action="store_true", help="on a real Apache Kafka, beside Kafka Streams")
    chosen = parser.parse_args()
    if chosen.kafka:
        scale, names = KAFKA_QUICK if chosen.quick else KAFKA, list(ON_KAFKA)
    else:
        scale, names = QUICK if chosen.quick else FULL, list(PARTS)
    whole = not chosen.quick and not chosen.only
    names = [chosen.only] if chosen.only else names
    console = Console(stderr=True, highlight=False)
    started, about = time.time(), _about(scale)
    parts: dict[str, Any] = {}
    try:
        for name in names:
            console.print(f"[bold]{name}[/bold]")
            parts[name] = PARTS[name](scale, lambda line: console.print(f"  {line}", markup=False))
    except BenchError as error:
        console.print(f"[red]{name} could not be measured:[/red]")
        console.print(str(error), markup=False)
        return 2
    about["seconds"] = round(time.time() - started)
    document = report.combine(parts, about)
    path = report.write(document, None if scale.name == "full" else scale.name, chosen.only)
    if whole:
        report.publish(document)
    _show(document)
    if not document["about"]["quiet"]:
        console.print(f"[bold yellow]{report.loud(document)}[/bold yellow]")
    console.print(f"{path.relative_to(ROOT)} written, {about['seconds']} s")
    return int(whole and not targets.all_reached(document["targets"]))


def _about(scale: Scale) -> dict[str, Any]:
    return {**report.about(), "scale": scale.name, "broker": scale.broker, "rounds": scale.rounds}


def _show(document: dict[str, Any]) -> None:
    shown = Table("figure", "measured", "wanted", "", title="FSN against its targets")
    for judged in document["targets"]:
        met = "[green]reached[/green]" if judged["reached"] else "[red]not reached[/red]"
        shown.add_row(judged["figure"], f"{judged['measured']:,}", judged["wanted"], met)
    console = Console()
    for name, rate in document.get("stock_deltas", {}).items():
        per_cpu = document["stock_deltas_per_cpu_s"][name]
        console.print(f"{name:26} {rate:>10,} stock deltas/s {per_cpu:>10,} per CPU second")
    console.print(shown)


if __name__ == "__main__":
    sys.exit(main())
