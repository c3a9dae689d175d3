"""Puts the parts together: `results/latest.json`, its keys fixed by the issue, and the table in docs/benchmarks.md.

The prose of that page is written by hand; only what stands between its two markers is ours. A quick run or a part of
one is written beside and never replaces a published figure.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench import idle, orders, stock_deltas
from bench.codec import TARGET_RATIO
from bench.harness import QUIET_CORES, ROOT, BenchError

RESULTS: Final = ROOT / "bench" / "results"
PAGE: Final = ROOT / "docs" / "benchmarks.md"
BEGIN: Final = "<!-- results: begin (written by `make bench`) -->"
END: Final = "<!-- results: end -->"


class Markers(NamedTuple):
    """Between them stands what a command writes."""

    begin: str
    end: str


ROUTE_TARGET_US: Final = 150.0
CONTENDERS: Final = {
    "fsn": "**FSN**: exactly once, signatures, sequences, reservations, snapshots",
    "quix_at_least_once": "Quix Streams, state and output, at least once",
    "quix_exactly_once": "Quix Streams, state and output, exactly once",
    "faust_table": "plain Faust, agent and rocksdict table, no output",
    "limit": "limit: librdkafka consume, fastavro decode, dict update",
}


def combine(parts: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """One document of whatever parts were measured."""
    document: dict[str, Any] = {}
    peaks: list[float] = []
    if (deltas := parts.get("stock_deltas")) is not None:
        document["stock_deltas"] = deltas["medians"]
        document["stock_delta_ratios"] = deltas["ratios"]
        document["stock_delta_runs"] = deltas["runs"]
        peaks.append(deltas["peak_rss_mb"])
    if (routed := parts.get("orders")) is not None:
        figures = {name: found for name, found in routed["figures"].items() if name != "peak_rss_mb"}
        document["orders"] = {name: found["median"] for name, found in figures.items()}
        document["order_spreads"] = figures
        peaks.append(routed["peak_rss_mb"])
    if (route := parts.get("route")) is not None:
        document["route_us_7_candidates"] = route["route_us_7_candidates"]
        document["route"] = route
    if (still := parts.get("idle")) is not None:
        document["idle_cpu_percent"] = still["worker"]["median"]
        document["idle"] = still
        peaks.append(still["peak_rss_mb"])
    if peaks:
        document["peak_rss_mb"] = round(max(peaks), 1)
    if (codec := parts.get("codec")) is not None:
        document["codec"] = codec
    foreign = {run: cores for part in parts.values() for run, cores in part.get("foreign_cores", {}).items()}
    most = max((core for cores in foreign.values() for core in cores), default=0.0)
    noise = {"foreign_cores": foreign, "foreign_cores_max": most, "quiet": most <= QUIET_CORES}
    return {**document, "targets": _judged(document), "about": {**about, **noise}}


def write(document: Mapping[str, Any], name: str) -> Path:
    """The document as JSON in bench/results."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    return path


def publish(document: Mapping[str, Any]) -> None:
    """Rewrite the table of docs/benchmarks.md."""
    publish_between(Markers(BEGIN, END), table(document))


def publish_between(markers: Markers, lines: str) -> None:
    """Rewrite one table of docs/benchmarks.md; all others stay."""
    text = PAGE.read_text("utf-8")
    before, found_begin, rest = text.partition(markers.begin)
    _, found_end, after = rest.partition(markers.end)
    if not (found_begin and found_end):
        raise BenchError(
            f"{PAGE} has lost its markers: put `{markers.begin}` and `{markers.end}` where the table belongs"
        )
    PAGE.write_text(f"{before}{markers.begin}\n\n{lines}\n{markers.end}{after}", "utf-8")


def table(document: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    about, lines = document["about"], []
    machine = about["machine"]
    lines.append(
        f"{about['started_at']}, commit {about['commit']}: {machine['cores']} cores ({machine['cpu']}), "
        f"{machine['memory_mb']:,} MB, Python {machine['python']}; medians of {about['rounds']} rounds.\n"
    )
    if not about["quiet"]:
        lines.append(f"**{loud(document)}**\n")
    lines += ["| stock deltas | records/s | lowest – highest |", "|---|---:|---:|"]
    for name, words in CONTENDERS.items():
        runs = document["stock_delta_runs"][name]
        lines.append(f"| {words} | {document['stock_deltas'][name]:,} | {min(runs):,} – {max(runs):,} |")
    lines += ["", "| figure | measured | lowest – highest | wanted | |", "|---|---:|---:|---:|---|"]
    spreads = {name: f"{found['min']:,.0f} – {found['max']:,.0f}" for name, found in document["order_spreads"].items()}
    for judged in document["targets"]:
        spread = spreads.get(judged["key"], "")
        met = "reached" if judged["reached"] else "**missed**"
        lines.append(f"| {judged['figure']} | {judged['measured']:,} | {spread} | {judged['wanted']} | {met} |")
    return "\n".join(lines) + "\n"


def loud(document: Mapping[str, Any]) -> str:
    """What must be said beside figures of a machine that others used too."""
    most = document["about"]["foreign_cores_max"]
    return (
        f"Not quiet: other processes used up to {most:.2f} cores during a run (at most {QUIET_CORES:.2f} is quiet), "
        "so neither rates nor ratios of this run can be trusted: measure again on an idle machine."
    )


def _judged(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every figure of the issue that was measured, beside what was wanted."""
    judged: list[dict[str, Any]] = []

    def judge(key: str, figure: str, measured: float | None, sign: str, wanted: float) -> None:
        if measured is not None:
            reached = measured >= wanted if sign == "≥" else measured <= wanted
            entry = {"key": key, "figure": figure, "measured": measured, "wanted": f"{sign} {wanted:g}"}
            judged.append({**entry, "reached": reached})

    ratios, routed = document.get("stock_delta_ratios", {}), document.get("orders", {})
    wanted = stock_deltas.TARGETS
    for key, figure in (
        ("over_quix_exactly_once", "stock deltas, × Quix Streams exactly once"),
        ("over_faust_table", "stock deltas, × plain Faust with a table"),
        ("of_limit", "stock deltas, share of the limit"),
    ):
        judge(key, figure, ratios.get(key), "≥", wanted[key])
    judge("routed_per_s", "orders routed per second", routed.get("routed_per_s"), "≥", orders.TARGETS["routed_per_s"])
    p99 = orders.TARGETS["e2e_p99_ms_half_load"]
    for key, figure in (
        ("e2e_p99_ms_half_load", "order → decision at half load, p99, ms"),
        ("e2e_p99_ms_half_load_20k_deltas", "the same beside 20,000 deltas/s, p99, ms"),
    ):
        judge(key, figure, routed.get(key), "≤", p99)
    route_us = document.get("route_us_7_candidates")
    judge("route_us_7_candidates", "`route()`, 7 candidates, µs", route_us, "≤", ROUTE_TARGET_US)
    judge("peak_rss_mb", "a worker's peak memory in these runs, MB", document.get("peak_rss_mb"), "≤", 400)
    idle_target = idle.TARGETS["idle_cpu_percent"]
    judge("idle_cpu_percent", "an idle worker, % of a core", document.get("idle_cpu_percent"), "≤", idle_target)
    codec = document.get("codec", {}).get("worst_ratio")
    judge("codec", "codec, × bare fastavro, the slowest way", codec, "≤", TARGET_RATIO)
    return judged
