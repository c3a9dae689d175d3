"""A soak as a table and a picture: one small curve for each thing that was watched.

In: the document of bench/soak.py. Out: docs/soak.svg and the table between this module's markers of docs/benchmarks.md, or
both below .fsn for a run too short to be published. Curves begin at nothing, so that a slope looks as steep as it is.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.harness import ROOT
from bench.report import PAGE, rewrite
from bench.soak_verdict import Sample

MARKERS: Final = ("<!-- soak: begin (written by `make soak`) -->", "<!-- soak: end -->")
PICTURE: Final = ROOT / "docs" / "soak.svg"
ASIDE: Final = ROOT / ".fsn" / "soak"
CURVES: Final = (
    ("rss_mb", "memory, MB"),
    ("handles", "handles without the tables'"),
    ("threads", "threads"),
    ("table_mb", "local tables on disk, MB"),
    ("log_mb", "changelog and snapshots on the broker, MB"),
    ("lag", "lag, records"),
    ("p99_ms", "order → decision, p99, ms"),
)
WIDTH: Final = 720
HEIGHT: Final = 64
LEFT: Final = 250


def publish(document: Mapping[str, Any]) -> None:
    """Renew the table and the picture of docs."""
    PICTURE.write_text(draw(document["samples"]), "utf-8")
    rewrite(
        PAGE, MARKERS, f"{table(document)}\n![Memory, handles, threads, tables, lag and p99 over the run](soak.svg)\n"
    )


def set_aside(document: Mapping[str, Any]) -> Path:
    """Keep a short run where nobody takes it for a published one."""
    ASIDE.mkdir(parents=True, exist_ok=True)
    (ASIDE / "soak.svg").write_text(draw(document["samples"]), "utf-8")
    path = ASIDE / "soak.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document)))
    return path


def table(document: Mapping[str, Any]) -> str:
    """What was found, as Markdown."""
    about = document["about"]
    what = about["machine"]
    opening = (
        f"{about['started_at']}, commit {about['commit']}: {about['minutes']:g} minutes with {about['orders_per_s']:g} orders and "
        f"{about['deltas_per_s']:,g} stock deltas a second; {what['cores']} cores ({what['cpu']}), load {what['load_1m']} at the start."
    )
    lines = [opening, "", "| what | found | |", "|---|---|---|"]
    words = {True: "no growth", False: "**grows**", None: "not judged"}
    for finding in document["findings"]:
        fine = finding["fine"]
        verdict = (
            {True: "yes", False: "**no**"}[fine] if finding["what"].endswith(("compacts", "flows")) else words[fine]
        )
        lines.append(f"| {finding['what']} | {finding['said']} | {verdict} |")
    return "\n".join(lines) + "\n"


def line(sample: Sample) -> str:
    """A sample in one line, while it runs."""
    return (
        f"{sample.at_s:5.0f} s: {sample.rss_mb:.0f} MB, {sample.handles} handles (+ {sample.table_files} of tables), "
        f"{sample.threads} threads, tables {sample.table_mb:.0f} MB, logs {sample.log_mb:.0f} MB, lag {sample.lag:,.0f}"
    )


def draw(samples: Sequence[Mapping[str, Any]]) -> str:
    """All curves, one below the other, as SVG."""
    height = HEIGHT * len(CURVES) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, (name, words) in enumerate(CURVES):
        points = [(sample["at_s"], sample[name]) for sample in samples if sample[name] is not None]
        parts += _curve(points, words, top=number * HEIGHT + 8)
    return "\n".join([*parts, "</svg>\n"])


def _curve(points: Sequence[tuple[float, float]], words: str, *, top: int) -> list[str]:
    if not points:
        return []
    bottom, width = top + HEIGHT - 14, WIDTH - LEFT - 8
    highest = max(value for _, value in points)
    end_s = points[-1][0]
    path = " ".join(
        f"{LEFT + at_s / end_s * width:.1f},{bottom - value / (highest or 1) * (HEIGHT - 20):.1f}"
        for at_s, value in points
    )
    return [
        f'<text x="4" y="{top + 22}">{escape(words)}</text>',
        f'<text x="4" y="{top + 38}" fill="#666">at most {highest:,.0f}, in the end {points[-1][1]:,.0f}</text>',
        f'<line x1="{LEFT}" y1="{bottom}" x2="{LEFT + width}" y2="{bottom}" stroke="#ccc"/>',
        f'<polyline points="{path}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>',
    ]
