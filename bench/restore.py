"""Rows per second from a changelog into an empty local store, on a real Apache Kafka.

In: a changelog of one partition, written as tasks write it: transactions of 1,000 rows, keys in no order, every twentieth
transaction followed by an aborted one. Out: rows per second from the opening of an empty store until all are in files,
and the store's rows compared with what was committed: a row of an aborted transaction, or one left out, is an error.
"""

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from confluent_kafka.admin import AdminClient, NewTopic

from bench.brokers import fresh_broker
from bench.harness import BenchError, summary
from bench.memory import cpu_seconds
from streams.changelog import open_store, restore
from streams.transaction import TaskProducer

TOPIC: Final = "restored"
ROWS_PER_TRANSACTION: Final = 1_000
ABORT_EVERY: Final = 20
ABORTED: Final = b"never committed"
VALUE_BYTES: Final = 120
STRIDE: Final = 7_919
TARGETS: Final = {"rows_per_s": 150_000.0}

Row = tuple[bytes, bytes]


def measure(rows: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Rows per second with spread, and how many cores the restoring process used."""
    rates, cores = [], []
    with fresh_broker("kafka") as kafka, tempfile.TemporaryDirectory(prefix="fsn-bench-") as folder:
        _fill(kafka.bootstrap, rows)
        for number in range(rounds):
            seconds, used = _restored(kafka.bootstrap, Path(folder) / str(number), rows)
            rates.append(rows / seconds)
            cores.append(used / seconds)
            say(f"restore: {rows:,} rows in {seconds:.1f} s, {rates[-1]:,.0f} a second, {cores[-1]:.2f} cores")
    return {"rows": rows, "rows_per_s": summary(rates), "cores": summary(cores)}


def _restored(bootstrap: str, path: Path, rows: int) -> tuple[float, float]:
    """Seconds it took, and seconds of processor time, of all threads."""
    started, used = time.perf_counter(), _own_cpu_seconds()
    store, meta = open_store(path, changelog=TOPIC, partitions=1)
    if restore({"bootstrap.servers": bootstrap}, store, meta, topic=TOPIC, partition=0) is None:
        raise BenchError("an empty store was taken for one ahead of its changelog")
    seconds, used = time.perf_counter() - started, _own_cpu_seconds() - used
    found = sum(1 for _, value in store.rows() if value != ABORTED)
    store.close()
    if found != rows:
        raise BenchError(f"{found:,} of {rows:,} rows were restored")
    return seconds, used


def _own_cpu_seconds() -> float:
    return cpu_seconds(os.getpid())


def _fill(bootstrap: str, rows: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    settings = {"cleanup.policy": "compact", "retention.ms": "-1"}
    admin.create_topics([NewTopic(TOPIC, 1, 1, config=settings)])[TOPIC].result()
    producer = TaskProducer({"bootstrap.servers": bootstrap, "log_level": 0}, "fill", "fill")
    producer.initialize()
    for number, some in enumerate(_transactions(rows)):
        producer.begin()
        producer.send_rows(TOPIC, 0, some)
        producer.commit()
        if number % ABORT_EVERY == 0:
            producer.begin()
            producer.send_rows(TOPIC, 0, [(key, ABORTED) for key, _ in some])
            producer._producer.flush(10)  # else the abort would take them back unsent
            producer.abort()
    producer.close()


def _transactions(rows: int) -> Iterator[list[Row]]:
    chance = random.Random(rows)
    for first in range(0, rows, ROWS_PER_TRANSACTION):
        numbers = range(first, min(first + ROWS_PER_TRANSACTION, rows))
        yield [
            (
                b"stock_items|acme|v%08d|acme|loc-%02d" % (number * STRIDE % rows, number % 20),
                chance.randbytes(VALUE_BYTES),
            )
            for number in numbers
        ]
