"""What a run is measured against: per broker, every figure that was promised, and where in the document it stands.

In: the document of a run. Out: one entry per figure that was measured, beside what was wanted and whether it was reached.
An aim is shown like a target and fails nothing: it is about somebody else's program on other hardware threads than ours.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple


class Target(NamedTuple):
    """One figure and what was promised of it."""

    key: str
    figure: str
    sign: Literal["≥", "≤"]
    wanted: float
    aim: bool = False


EMBEDDED: Final = (
    Target("over_quix_exactly_once", "stock deltas, × Quix Streams exactly once", "≥", 2.5),
    Target("over_faust_table", "stock deltas, × plain Faust with a table", "≥", 25),
    Target("of_limit", "stock deltas, share of the limit", "≥", 0.25),
    Target("routed_per_s", "orders routed per second", "≥", 600),
    Target("e2e_p99_ms_half_load", "order → decision at half load, p99, ms", "≤", 500),
    Target("e2e_p99_ms_half_load_20k_deltas", "the same beside 20,000 deltas/s, p99, ms", "≤", 500),
    Target("route_us_7_candidates", "`route()`, 7 candidates, µs", "≤", 100),
    Target("peak_rss_mb", "a worker's peak memory in these runs, MB", "≤", 400),
    Target("idle_cpu_percent", "an idle worker, % of a core", "≤", 5),
    Target("codec", "codec, × bare fastavro, the slowest way", "≤", 1.3),
)
KAFKA: Final = (
    Target("over_quix_exactly_once", "stock deltas, × Quix Streams exactly once", "≥", 4),
    Target("over_faust_table", "stock deltas, × plain Faust with a table", "≥", 40),
    Target("of_limit", "stock deltas, share of the limit", "≥", 0.4),
    Target("over_kafka_streams_exactly_once_per_cpu", "stock deltas per core, × Kafka Streams", "≥", 0.5, aim=True),
    Target("routed_per_s", "orders routed per second", "≥", 1_500),
    Target("e2e_p50_ms_half_load", "order → decision at half load, p50, ms", "≤", 100),
    Target("e2e_p99_ms_half_load", "order → decision at half load, p99, ms", "≤", 300),
)


def judged(document: Mapping[str, Any], targets: Sequence[Target]) -> list[dict[str, Any]]:
    """Every target whose figure was measured."""
    figures = {
        **document,
        **document.get("stock_delta_ratios", {}),
        **document.get("orders", {}),
        "codec": document.get("codec", {}).get("worst_ratio"),
    }
    return [_judge(target, figures[target.key]) for target in targets if figures.get(target.key) is not None]


def all_reached(judgements: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every target was; aims do not count."""
    return all(one["reached"] or one["aim"] for one in judgements)


def _judge(target: Target, measured: float) -> dict[str, Any]:
    return {
        "key": target.key,
        "figure": target.figure,
        "measured": measured,
        "wanted": f"{'aim ' if target.aim else ''}{target.sign} {target.wanted:g}",
        "aim": target.aim,
        "reached": measured >= target.wanted if target.sign == "≥" else measured <= target.wanted,
    }
