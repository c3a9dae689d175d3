"""Whether something grows: a run's samples in, sentences out, each of them with a yes or a no.

In: samples every few seconds of a worker under a constant load, and what the broker's cleaner left of the compacted
topics. Out: findings. Only the second half is judged, memory only from when the caches are full; by a slope that a few wild
samples cannot turn (the median of the slopes of all pairs), or by medians of quarters. A run too short for the caches to have
filled says so, and its memory is told but not judged.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Final, NamedTuple

MEMORY_SHARE: Final = 0.03
MEMORY_MB: Final = 8.0
MEMORY_SHARE_IN_S: Final = 600.0
"""What memory may gain once the caches are full: this share of it in so long, or so many MB, whichever is more."""
HANDLES: Final = 1
"""How many more there may be in the last quarter than in the one before, by medians: none, but for one in passing."""
LATENCY_SHARE: Final = 0.5
LATENCY_FACTOR: Final = 2.0
LATENCY_RISE: Final = 1.25
LATENCY_MS: Final = 100.0
"""p99 of ten seconds is its slowest orders, and swings. It rises when its slope gains more than this share of it (or so many
ms) in the second half, and the last quarter lies a quarter above the one before: what grows from the first minute on gains two
thirds and lies 40 % above. It jumps when the last quarter is twice the one before, and so many ms above.
"""
DISK_FACTOR: Final = 3.0
DISK_BUFFERS_MB: Final = 128.0
"""What a store may need of the disk: so many times its rows, and its log of two write buffers a task."""
FILLED_AFTER_S: Final = 1_000.0
"""A task's caches hold 10,000 rows a table; at the soak's pace the last of them, of what is shipped, is full after 960 s
(seen 2026-11-27: 350 MB after 240 s, 560 after 600, 628 after 950, and then no more in 4 minutes)."""
SAMPLES_MIN: Final = 8


class Sample(NamedTuple):
    """What was seen at a moment, seconds from the start.

    handles: open files, pipes and sockets, without those of the local tables
    lag: records of all topics that wait
    p99_ms: of the orders that were due since the sample before; none where no order was
    log_mb: of the compacted topics on the broker
    """

    at_s: float
    rss_mb: float
    handles: int
    threads: int
    table_mb: float
    table_files: int
    lag: float
    log_mb: float
    p99_ms: float | None = None


class Compacted(NamedTuple):
    """What the cleaner left of a topic: records written, records that can still be read, partitions never cleaned."""

    written: int
    kept: int
    uncleaned: int


class Taken(NamedTuple):
    """What the worker took and made of it: records of all topics, decisions, scans of parcels, records refused."""

    records: int
    decisions: int
    scans: int
    refused: int


class Finding(NamedTuple):
    """A sentence, and whether all is well; None where it could not be judged."""

    what: str
    said: str
    fine: bool | None


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Median of the slopes of all pairs (Theil and Sen): a quarter of the points may be anything."""
    slopes = [(later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in combinations(points, 2)]
    return median(slopes) if slopes else 0.0


def judge(
    samples: Sequence[Sample],
    *,
    taken: Taken,
    rows_mb: float,
    tasks: int,
    compacted: Mapping[str, Compacted],
) -> list[Finding]:
    """What is to be said of a run."""
    if len(samples) < SAMPLES_MIN:
        raise ValueError(f"{len(samples)} samples are too few: let it run for longer")
    second = samples[len(samples) // 2 :]
    middle = len(second) // 2
    third, last = second[:middle], second[middle:]
    return [
        _flows(taken),
        _memory(second),
        _constant("handles", [one.handles for one in third], [one.handles for one in last]),
        _constant("threads", [one.threads for one in third], [one.threads for one in last]),
        _tables(samples[-1], rows_mb, tasks),
        _lag(second, taken.records / samples[-1].at_s),
        _latency(second),
        *(_compacts(topic, found) for topic, found in compacted.items()),
    ]


def _flows(taken: Taken) -> Finding:
    """A load that ends in dead letters, or stops at the decision, is not the one that was meant."""
    said = f"{taken.records:,} records taken, {taken.decisions:,} decisions, {taken.scans:,} scans, {taken.refused} dead letters"
    return Finding("load flows", said, taken.decisions > 0 and taken.scans > 0 and not taken.refused)


def _memory(second: Sequence[Sample]) -> Finding:
    filled = [one for one in second if one.at_s >= FILLED_AFTER_S]
    judged = filled if len(filled) >= SAMPLES_MIN else second
    level = median(one.rss_mb for one in judged)
    took_s = judged[-1].at_s - judged[0].at_s
    gained = _gained([(one.at_s, one.rss_mb) for one in judged])
    allowed = max(MEMORY_MB, level * MEMORY_SHARE * took_s / MEMORY_SHARE_IN_S)
    said = f"{level:,.0f} MB, {gained:+.1f} MB in the last {took_s / 60:.0f} min (at most {allowed:.0f})"
    if gained > allowed and judged is second:
        return Finding("memory", f"{said}: too short a run to judge, caches still fill", None)
    return Finding("memory", said, gained <= allowed)


def _constant(what: str, third: Sequence[int], last: Sequence[int]) -> Finding:
    before, after = median(third), median(last)
    return Finding(
        what, f"{before:g} in the third quarter, {after:g} in the last; most {max(last)}", after <= before + HANDLES
    )


def _tables(end: Sample, rows_mb: float, tasks: int) -> Finding:
    allowed = DISK_FACTOR * rows_mb + DISK_BUFFERS_MB * tasks
    said = f"{end.table_mb:,.0f} MB on disk at the end for {rows_mb:,.1f} MB of rows (at most {allowed:,.0f})"
    return Finding("local tables", said, end.table_mb <= allowed)


def _lag(second: Sequence[Sample], load_per_s: float) -> Finding:
    level, gained = median(one.lag for one in second), _gained([(one.at_s, one.lag) for one in second])
    said = f"{level:,.0f} records, {gained:+,.0f} in the second half (at most {load_per_s:,.0f}: a second of load)"
    return Finding("lag", said, gained <= load_per_s)


def _latency(second: Sequence[Sample]) -> Finding:
    what = "p99 order → decision"
    points = [(one.at_s, one.p99_ms) for one in second if one.p99_ms is not None]
    middle = second[len(second) // 2].at_s
    before, after = [ms for at_s, ms in points if at_s < middle], [ms for at_s, ms in points if at_s >= middle]
    if not before or not after:
        return Finding(what, "no order was decided in a quarter of the run", fine=False)
    level, gained = median(ms for _, ms in points), _gained(points)
    allowed = max(LATENCY_MS, LATENCY_SHARE * level)
    said = f"{median(before):,.0f} ms in the third quarter, {median(after):,.0f} in the last; {gained:+,.0f} ms by its slope"
    rises = gained > allowed and median(after) > LATENCY_RISE * median(before)
    jumps = median(after) > max(LATENCY_FACTOR * median(before), median(before) + LATENCY_MS)
    return Finding(what, f"{said} (at most {allowed:,.0f})", not (rises or jumps))


def _gained(points: Sequence[tuple[float, float]]) -> float:
    return slope(points) * (points[-1][0] - points[0][0])


def _compacts(topic: str, found: Compacted) -> Finding:
    said = f"{found.written:,} records written, {found.kept:,} still there"
    said += f"; {found.uncleaned} partitions were never cleaned" if found.uncleaned else "; every partition was cleaned"
    return Finding(f"{topic} compacts", said, not found.uncleaned and found.kept < found.written)
