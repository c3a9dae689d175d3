"""Puts the parts together: `results/latest.json` and `results/kafka.json`, their keys fixed by the issues, and the tables.

The prose of docs/benchmarks.md is written by hand; only what stands between a broker's two markers is ours. A quick run
or a part of one is written beside and never replaces a published figure.
"""

import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench import targets
from bench.harness import QUIET_CORES, ROOT, BenchError, machine

RESULTS: Final = ROOT / "bench" / "results"
PAGE: Final = ROOT / "docs" / "benchmarks.md"
MARKERS: Final = {
    "embedded": ("<!-- results: begin (written by `make bench`) -->", "<!-- results: end -->"),
    "kafka": ("<!-- kafka: begin (written by `make bench-kafka`) -->", "<!-- kafka: end -->"),
}
FILES: Final = {"embedded": "latest", "kafka": "kafka"}
TARGETS: Final = {"embedded": targets.EMBEDDED, "kafka": targets.KAFKA}
CONTENDERS: Final = {
    "fsn": ("**FSN**: signatures, sequences, reservations, snapshots", "exactly once"),
    "quix_at_least_once": ("Quix Streams, state and output", "at least once"),
    "quix_exactly_once": ("Quix Streams, state and output", "exactly once"),
    "faust_table": ("plain Faust, agent, rocksdict table and output", "at least once"),
    "kafka_streams_exactly_once": ("Kafka Streams on the JVM, RocksDB state and output", "exactly once"),
    "limit": ("limit: librdkafka consume, fastavro decode, dict update", "none"),
}


def combine(parts: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """One document of whatever parts were measured."""
    document: dict[str, Any] = {}
    peaks: list[float] = []
    if (deltas := parts.get("stock_deltas")) is not None:
        document["stock_deltas"] = deltas["medians"]
        document["stock_delta_ratios"] = deltas["ratios"]
        document["stock_delta_runs"] = deltas["runs"]
        document["stock_deltas_per_cpu_s"] = deltas["per_cpu_s"]
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
    judged = targets.judged(document, TARGETS[about["broker"]])
    return {**document, "targets": judged, "about": {**about, **noise}}


def about() -> dict[str, Any]:
    """When, on which commit and machine a run begins."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "started_at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": commit or "unknown",
        "machine": machine(),
    }


def write(document: Mapping[str, Any], *parts: str | None) -> Path:
    """The document as JSON in bench/results, named for its broker where it is whole and for its parts where not."""
    broker = document["about"]["broker"]
    names = [broker, *filter(None, parts)] if broker != "embedded" else list(filter(None, parts))
    return write_as("-".join(names) if any(parts) else FILES[broker], document)


def write_as(name: str, document: Mapping[str, Any]) -> Path:
    """The document as JSON in bench/results."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    return path


def publish(document: Mapping[str, Any], page: Path = PAGE) -> None:
    """Rewrite the broker's table of docs/benchmarks.md."""
    rewrite(page, MARKERS[document["about"]["broker"]], table(document))


def rewrite(page: Path, markers: tuple[str, str], text: str) -> None:
    """Put a text between two markers of a page, instead of what stands there."""
    begin, end = markers
    before, found_begin, rest = page.read_text("utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise BenchError(f"{page} has lost its markers: put `{begin}` and `{end}` where the table belongs")
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", "utf-8")


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
    lines += ["| stock deltas | guarantee | records/s | lowest – highest | records per CPU second |"]
    lines += ["|---|---|---:|---:|---:|"]
    for name, rate in _rates(document).items():
        words, guarantee = CONTENDERS[name]
        runs, per_cpu = document["stock_delta_runs"][name], document["stock_deltas_per_cpu_s"][name]
        lines.append(f"| {words} | {guarantee} | {rate:,} | {min(runs):,} – {max(runs):,} | {per_cpu:,} |")
    lines += ["", "| figure | measured | lowest – highest | wanted | |", "|---|---:|---:|---:|---|"]
    spreads = {name: f"{found['min']:,.0f} – {found['max']:,.0f}" for name, found in document["order_spreads"].items()}
    for judged in document["targets"]:
        spread = spreads.get(judged["key"], "")
        lines.append(
            f"| {judged['figure']} | {judged['measured']:,} | {spread} | {judged['wanted']} | {_met(judged)} |"
        )
    return "\n".join(lines) + "\n"


def _rates(document: Mapping[str, Any]) -> dict[str, int]:
    return {name: document["stock_deltas"][name] for name in CONTENDERS if name in document["stock_deltas"]}


def _met(judged: Mapping[str, Any]) -> str:
    if judged["reached"]:
        return "reached"
    return "not reached" if judged["aim"] else "**missed**"


def loud(document: Mapping[str, Any]) -> str:
    """What must be said beside figures of a machine that others used too."""
    most = document["about"]["foreign_cores_max"]
    return (
        f"Not quiet: other processes used up to {most:.2f} cores during a run (at most {QUIET_CORES:.2f} is quiet), "
        "so neither rates nor ratios of this run can be trusted: measure again on an idle machine."
    )
