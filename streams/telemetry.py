"""Metrics: a closed vocabulary, scraped from the worker's web port at /metrics.

Every name starts with `fsn_`; times are seconds; label values come from the topology (topics, partitions) or from the
closed list of reasons, never from data. Cost is paid per batch, never per record.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from streams.machine import Counts
from streams.unit import Output

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
RECORDS = (1, 10, 50, 100, 250, 500, 1000, 2000, 4000)


class Metrics:
    """All metrics of one worker."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.records_in = Counter("fsn_records_in", "Records processed", ["topic"], registry=registry)
        self.records_out = Counter(
            "fsn_records_out", "Records committed to output topics", ["topic"], registry=registry
        )
        self.transactions = Counter("fsn_transactions", "Transactions by outcome", ["outcome"], registry=registry)
        self.batch_records = Histogram("fsn_batch_records", "Records per batch", buckets=RECORDS, registry=registry)
        self.process_seconds = Histogram("fsn_process_seconds", "Computing a batch", buckets=SECONDS, registry=registry)
        self.commit_seconds = Histogram("fsn_commit_seconds", "Committing a batch", buckets=SECONDS, registry=registry)
        self.end_to_end_seconds = Histogram(
            "fsn_end_to_end_seconds", "From a record's timestamp to its commit", buckets=SECONDS, registry=registry
        )
        self.restore_seconds = Histogram(
            "fsn_restore_seconds", "From assignment to ready, per task", buckets=SECONDS, registry=registry
        )
        self.restore_rows_left = Gauge("fsn_restore_offsets_left", "Changelog left", ["partition"], registry=registry)
        self.lag = Gauge(
            "fsn_lag_records", "Last stable offset minus position", ["topic", "partition"], registry=registry
        )
        self.dead_letters = Counter("fsn_dead_letters", "Records dead-lettered", ["reason"], registry=registry)
        self.forwarded = Counter("fsn_forwarded", "Records forwarded to their own partition", registry=registry)
        self.stage_gauge = Gauge(
            "fsn_stage_gauge",
            "What stages count in their tables (stale_feeds …)",
            ["name", "partition"],
            registry=registry,
        )
        self.tasks_ready = Gauge("fsn_tasks_ready", "Tasks that process", registry=registry)

    def batch(self, counts: Counts, records: dict[str, int], *, computed_s: float, committed_s: float) -> None:
        """One committed batch: records taken by topic, and what happened in it."""
        total = 0
        for topic, taken in records.items():
            self.records_in.labels(topic).inc(taken)
            total += taken
        self.batch_records.observe(total)
        self.process_seconds.observe(computed_s)
        self.commit_seconds.observe(committed_s)
        self.transactions.labels("committed").inc()
        for reason, number in counts.dead.items():
            self.dead_letters.labels(reason).inc(number)
        if counts.forwarded:
            self.forwarded.inc(counts.forwarded)

    def outputs(self, outputs: Sequence[Output]) -> None:
        """Records of one committed batch, by topic."""
        by_topic: dict[str, int] = {}
        for output in outputs:
            by_topic[output.topic] = by_topic.get(output.topic, 0) + 1
        for topic, number in by_topic.items():
            self.records_out.labels(topic).inc(number)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
