"""`python -m bench.recovery [--quick] [--only NAME]`: restore, takeover, restart and cost by size, on a real Apache Kafka.

In: a JDK and the jars of `make kafka`. Out: bench/results/restore.json and the table between this module's markers in
docs/benchmarks.md; `--quick` and `--only` write a file of their own and never a published figure. Exit code 1 when a
target was missed in a full run.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import Console

from bench import growth, restore, takeover
from bench.harness import ROOT
from bench.report import PAGE, rewrite, write_as
from bench.report import about as started_about

MARKERS: Final = ("<!-- restore: begin (written by `make bench-restore`) -->", "<!-- restore: end -->")
Say = Callable[[str], None]
PARTS: Final[dict[str, Callable[[bool, Say], dict[str, Any]]]] = {
    "restore": lambda quick, say: restore.measure(100_000 if quick else 1_000_000, 1 if quick else 3, say),
    "takeover": lambda quick, say: takeover.measure(1 if quick else 3, 500 if quick else 9_000, say),
    "growth": lambda quick, say: growth.measure(200_000 if quick else 10_000_000, 20 if quick else 60, say),
}
FIGURES: Final = (
    # part, figure, words, sign, wanted
    ("restore", "rows_per_s", "restored rows a second, one partition", "≥", restore.TARGETS["rows_per_s"]),
    (
        "takeover",
        "killed_s",
        "takeover after SIGKILL, session 6 s, no local copy, s",
        "≤",
        takeover.TARGETS["killed_s"],
    ),
    ("takeover", "stopped_s", "takeover after a clean stop, no local copy, s", "≤", takeover.TARGETS["stopped_s"]),
    ("takeover", "static_killed_s", "static worker, killed, back at work, s", "≤", takeover.TARGETS["static_killed_s"]),
    (
        "takeover",
        "static_stopped_s",
        "static worker, stopped, back at work, s",
        "≤",
        takeover.TARGETS["static_stopped_s"],
    ),
    ("growth", "ratio", "cost of a record, many rows ÷ 10,000 rows", "≤", growth.TARGETS["ratio"]),
)


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="few rows, one round: shows that it works, gives no figures"
    )
    parser.add_argument("--only", choices=sorted(PARTS), help="measure one part")
    chosen = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    started, about = time.time(), started_about()
    names = [chosen.only] if chosen.only else list(PARTS)
    parts = {name: PARTS[name](chosen.quick, lambda line: console.print(f"  {line}", markup=False)) for name in names}
    about["seconds"] = round(time.time() - started)
    whole = not chosen.quick and not chosen.only
    document = {**parts, "targets": judged(parts), "about": about}
    name = "restore" if whole else "-".join(filter(None, ("restore", "quick" if chosen.quick else "", chosen.only)))
    path = write_as(name, document)
    if whole:
        rewrite(PAGE, MARKERS, table(document))
    console.print(table(document), markup=False)
    console.print(f"{path.relative_to(ROOT)} written, {document['about']['seconds']} s")
    return int(whole and not all(figure["reached"] for figure in document["targets"]))


def judged(parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every figure that was measured, beside what was wanted."""
    found = []
    for part, figure, words, sign, wanted in FIGURES:
        if part in parts:
            told = parts[part][figure]
            spread = told if isinstance(told, dict) else {"median": told, "min": told, "max": told}
            reached = spread["median"] >= wanted if sign == "≥" else spread["median"] <= wanted
            found.append({"figure": words, **spread, "wanted": f"{sign} {wanted:,g}", "reached": reached})
    return found


def table(document: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    about = document["about"]
    what = about["machine"]
    where = f"{what['cores']} cores ({what['cpu']}), load {what['load_1m']} at the start, Python {what['python']}"
    lines = [
        f"{about['started_at']}, commit {about['commit']}: {where}; medians.",
        "",
        "| figure | measured | lowest – highest | wanted | |",
        "|---|---:|---:|---:|---|",
    ]
    for figure in document["targets"]:
        met = "reached" if figure["reached"] else "**missed**"
        spread = f"{figure['min']:,} – {figure['max']:,}"
        lines.append(f"| {figure['figure']} | {figure['median']:,} | {spread} | {figure['wanted']} | {met} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
