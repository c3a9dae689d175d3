"""What workers and their broker have used and done between two moments: the rows that a formula is fitted to.

In: worker processes and a broker. Out: a `Window` of processor time, transactions, records and bytes of log. Counts are
the workers' own metrics, times the kernel's, bytes the broker's files'. A worker that was started anew in between has
forgotten its counts, so a window must not span a start.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

from bench.brokers import BenchBroker
from bench.harness import BenchError
from bench.members import metric
from bench.memory import cpu_seconds, thread_seconds
from bench.peers.kafka_streams import COMPILERS
from fsn.processes import WorkerProcess


class Window(NamedTuple):
    """What happened between two moments.

    records_in: records of all topics that the workers took, ticks and hops included
    transaction_s: computing and committing, summed over transactions
    """

    seconds: float
    worker_cpu_s: float
    broker_cpu_s: float
    log_bytes: float
    transactions: float
    records_in: float
    transaction_s: float


def used(workers: Sequence[WorkerProcess], broker: BenchBroker) -> Window:
    """Everything so far; what two of these differ by is a window."""
    transactions = [metric(one, "fsn_transactions_total") for one in workers]
    if 0 in transactions:
        raise BenchError("a worker tells no metrics, or has committed nothing yet")
    return Window(
        seconds=time.perf_counter(),
        worker_cpu_s=sum(cpu_seconds(one.pid) for one in workers if one.pid is not None),
        broker_cpu_s=broker_seconds(broker),
        log_bytes=broker.log_bytes(),
        transactions=sum(transactions),
        records_in=sum(metric(one, "fsn_records_in_total") for one in workers),
        transaction_s=sum(metric(one, f"fsn_{part}_seconds_sum") for one in workers for part in ("process", "commit")),
    )


def broker_seconds(broker: BenchBroker) -> float:
    """Its processor time, without its compiler's: a broker that runs for days has paid for that."""
    return cpu_seconds(broker.pid) - thread_seconds(broker.pid, COMPILERS)


def between(before: Window, after: Window) -> Window:
    """What happened from one moment to another."""
    return Window(*(late - early for early, late in zip(before, after, strict=True)))
