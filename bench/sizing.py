"""From measured windows to formulas, and from formulas to what a network of a given size needs, and what it lacks first.

In: the windows, limits and rows of bench/capacity.py. Out: prices of a worker's and a broker's processor time and of log
bytes, and for each size the cores, partitions, transactions, bytes and rows that it takes, beside what a layout of
`LAYOUT` has of each: the fullest of them is the first bottleneck. Nothing is measured here. What is assumed rather than
measured stands as a constant with its reason; all else follows from windows.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from bench.fitting import Formula, fit
from bench.harness import ROOT, BenchError
from processors.rules import Rules
from streams.inbox import BULK_RECORDS_BESIDE_OTHERS, BULK_RECORDS_MAX
from streams.pace import BULK_EVERY_S, BUSY_FROM

SIZES: Final = ((10, 1_000), (100, 10_000), (1_000, 100_000), (3_000, 300_000), (10_000, 1_000_000))
"""(orders, deltas) a second."""
BUSY_SHARE: Final = 0.7
"""How full a worker's core may be: above it, waiting grows faster than work."""
ITEM_CHANGES_EVERY_S: Final = 100
"""Assumed: so many items for each delta a second; 20,000 items change 200 times a second."""
FEW_ITEMS: Final = 250
"""Of a partition: from here on the cost of a delta is taken to grow with each doubling, as rows leave the caches."""
PEAK: Final = 4
"""Assumed: a network's busiest hour has so many times its mean; log and tables grow by the mean."""
RESTORE_S: Final = 600
"""How long a new worker without tables may take before it works: what bounds the rows of a partition."""
PRODUCTION_PARTITIONS: Final = 12
WORKERS_MAX: Final = 100_000
DAY_S: Final = 86_400

WORKER_TERMS: Final = ("worker_s", "partition_s", "transactions", "deltas", "delta_kb", "delta_key_doublings")
BROKER_TERMS: Final = ("broker_s", "transactions", "log_mb")
LOG_TERMS: Final = ("transactions", "deltas", "delta_kb", "orders")


class Layout(NamedTuple):
    """What there is: as many workers of a core as partitions can employ."""

    partitions: int
    brokers: int


LAYOUT: Final = Layout(PRODUCTION_PARTITIONS, 1)


def amounts(window: Mapping[str, Any]) -> dict[str, float]:
    """What was done in a window, by the formulas' terms."""
    deltas, seconds = window["deltas"], window["seconds"]
    return {
        "broker_s": seconds,
        "worker_s": seconds * window["workers"],
        "partition_s": seconds * window["partitions"],
        "transactions": window["transactions"],
        "deltas": deltas,
        "delta_kb": window["delta_bytes"] / 1024,
        "delta_key_doublings": deltas * _doublings(window["items"] / window["partitions"]) if deltas else 0.0,
        "orders": window["orders"],
        "log_mb": window["log_bytes"] / 1e6,
    }


def derive(found: Mapping[str, Any]) -> dict[str, Any]:
    """Formulas and sizes."""
    windows = found["windows"]
    without_orders = [window for window in windows if not window["orders"]]
    with_orders = [window for window in windows if window["orders"]]
    deltas = _fit(without_orders, WORKER_TERMS, "worker_cpu_s")
    standing = Formula({term: deltas.prices[term] for term in ("worker_s", "partition_s")}, 0.0, 0.0)
    rest = [max(0.01, window["worker_cpu_s"] - standing.cost(amounts(window))) for window in with_orders]
    orders = fit([amounts(window) for window in with_orders], rest, ("transactions", "orders"))
    formulas = {
        "worker_deltas": deltas,
        "worker_orders": orders,
        "broker": _fit(windows, BROKER_TERMS, "broker_cpu_s"),
        "log": _fit(windows, LOG_TERMS, "log_bytes"),
    }
    known = {**_measured(with_orders), **found["limits"], **found["rows"], "delta_bytes": _delta_bytes(windows)}
    known["restored_rows_per_s"] = _restored_rows_per_s()
    sizes = [size(one, other, formulas, known) for one, other in SIZES]
    return {"formulas": {name: formula._asdict() for name, formula in formulas.items()}, "known": known, "sizes": sizes}


def size(orders: int, deltas: int, formulas: Mapping[str, Formula], known: Mapping[str, float]) -> dict[str, Any]:
    """What so many orders and deltas a second take: in `LAYOUT` each limit's share, and the layout that would do."""
    need = _layout_for(orders, deltas, formulas, known)
    reference = _load(orders, deltas, LAYOUT.partitions, LAYOUT.partitions, formulas, known)
    enough = _load(orders, deltas, need["workers"], need["partitions"], formulas, known)
    brokers = max(
        math.ceil(enough["log_mb_per_s"] / known["log_mb_per_s"] / BUSY_SHARE),
        math.ceil(enough["transactions_per_s"] / known["transactions_per_s"] / BUSY_SHARE),
    )
    shares = {
        "worker cores": reference["cores"] / (LAYOUT.partitions * BUSY_SHARE),
        "partitions": deltas / LAYOUT.partitions / reference["bulk_per_partition"],
        "transactions of the broker": reference["transactions_per_s"] / known["transactions_per_s"] / LAYOUT.brokers,
        "log bytes of the broker": reference["log_mb_per_s"] / known["log_mb_per_s"] / LAYOUT.brokers,
        "rows to restore": reference["rows"] / LAYOUT.partitions / (known["restored_rows_per_s"] * RESTORE_S),
    }
    return {
        "orders_per_s": orders,
        "deltas_per_s": deltas,
        "shares": {name: round(share, 4) for name, share in shares.items()},
        "bottlenecks": sorted(shares, key=lambda name: -shares[name])[:2],
        "layout": {**need, "brokers": brokers},
        "load": {name: round(value, 2) for name, value in enough.items()},
    }


def _layout_for(
    orders: int, deltas: int, formulas: Mapping[str, Formula], known: Mapping[str, float]
) -> dict[str, int]:
    """The smallest number of workers, and the partitions in dozens, that hold each other: more of one cost of the other."""
    workers, partitions = 1, PRODUCTION_PARTITIONS
    while workers <= WORKERS_MAX:
        load = _load(orders, deltas, workers, partitions, formulas, known)
        wanted_workers = max(workers, math.ceil(load["cores"] / BUSY_SHARE))
        for_rows = math.ceil(load["rows"] / (known["restored_rows_per_s"] * RESTORE_S))
        wanted = max(wanted_workers, partitions, math.ceil(deltas / load["bulk_per_partition"]), for_rows)
        wanted_partitions = PRODUCTION_PARTITIONS * math.ceil(wanted / PRODUCTION_PARTITIONS)
        if (wanted_workers, wanted_partitions) == (workers, partitions):
            return {"workers": workers, "partitions": partitions}
        workers, partitions = wanted_workers, wanted_partitions
    raise BenchError(f"{orders} orders and {deltas} deltas a second: each further worker costs more than it does")


def _load(
    orders: int,
    deltas: int,
    workers: int,
    partitions: int,
    formulas: Mapping[str, Formula],
    known: Mapping[str, float],
) -> dict[str, float]:
    """Cores, transactions, log and rows of a layout under this much; a second each."""
    hops_per_worker = orders * known["records_per_order"] / workers
    bulk_per_partition = BULK_RECORDS_BESIDE_OTHERS / (BULK_EVERY_S * min(1.0, hops_per_worker / BUSY_FROM))
    # A task has one transaction at a time: many orders at once share them, down to what a busy partition was seen to do.
    of_orders = min(orders * known["transactions_per_order_alone"], partitions * known["transactions_per_partition_s"])
    pieces = (
        min(deltas / BULK_RECORDS_BESIDE_OTHERS, partitions / BULK_EVERY_S) if orders else deltas / BULK_RECORDS_MAX
    )
    items = deltas * ITEM_CHANGES_EVERY_S
    done = {
        "broker_s": 1.0,
        "worker_s": workers,
        "partition_s": partitions,
        "deltas": deltas,
        "delta_kb": deltas * known["delta_bytes"] / 1024,
        "delta_key_doublings": deltas * _doublings(items / partitions),
        "orders": orders,
    }
    ticks = {"transactions": partitions}
    worker_deltas, worker_orders = formulas["worker_deltas"], formulas["worker_orders"]
    cores = worker_deltas.cost({**done, "transactions": pieces + partitions})
    cores += worker_orders.cost({"transactions": of_orders, "orders": orders})
    transactions = pieces + of_orders + ticks["transactions"]
    log_mb = formulas["log"].cost({**done, "transactions": transactions}) / 1e6
    fresh_s, kept_s = Rules().stock_memory_ms / 1000, Rules().order_keep_ms / 1000
    fresh, ended = orders / PEAK * fresh_s, orders / PEAK * (kept_s - fresh_s)
    return {
        "cores": cores,
        "bulk_per_partition": bulk_per_partition,
        "transactions_per_s": transactions,
        "log_mb_per_s": log_mb,
        "broker_cores": formulas["broker"].cost({**done, "transactions": transactions, "log_mb": log_mb}),
        "rows": _kept("rows", items, fresh, ended, known),
        "table_gb": _kept("bytes", items, fresh, ended, known) / 1e9,
        "log_tb_a_day": log_mb / PEAK * DAY_S / 1e6,
    }


def _kept(what: str, items: float, fresh: float, ended: float, known: Mapping[str, float]) -> float:
    """Rows or bytes: what an order has just after routing goes, and what it leaves comes, while the stock stage remembers
    it; then that stays.
    """
    just_routed, left = known[f"order_{what}_each"], known[f"kept_{what}_each"]
    return items * known[f"item_{what}_each"] + fresh * max(just_routed, left) + ended * left


def _doublings(items: float) -> float:
    """How often the items of a partition have doubled from where nearly every batch holds each of them."""
    return math.log2(max(items, FEW_ITEMS) / FEW_ITEMS)


def _fit(windows: Sequence[Mapping[str, Any]], terms: Sequence[str], cost: str) -> Formula:
    return fit([amounts(window) for window in windows], [max(0.01, window[cost]) for window in windows], terms)


def _measured(windows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What orders were seen to make: alone (the slowest pace), and when a task is never without one."""
    one_worker = [window for window in windows if window["workers"] == 1]
    alone = min(one_worker, key=lambda window: window["orders"] / window["seconds"])
    busiest = max(windows, key=lambda window: window["transactions"] / window["seconds"])
    ticks = alone["partitions"] * alone["seconds"]
    return {
        "transactions_per_order_alone": max(0.1, (alone["transactions"] - ticks) / alone["orders"]),
        "records_per_order": sum(one["records_in"] - one["partitions"] * one["seconds"] for one in one_worker)
        / sum(one["orders"] for one in one_worker),
        "transactions_per_partition_s": busiest["transactions"] / busiest["seconds"] / busiest["partitions"],
        "transaction_ms_alone": alone["transaction_s"] / alone["transactions"] * 1000,
    }


def _delta_bytes(windows: Sequence[Mapping[str, Any]]) -> float:
    """Of a delta as the bench makes it, key and signature included."""
    return float(min(window["delta_bytes"] / window["deltas"] for window in windows if window["deltas"]))


def _restored_rows_per_s() -> float:
    """As `make bench-restore` published it."""
    published = json.loads((ROOT / "bench" / "results" / "restore.json").read_text("utf-8"))
    return float(published["restore"]["rows_per_s"]["median"])


def told(window: Mapping[str, Any]) -> str:
    """A window in one line."""
    done = window["deltas"] or window["orders"]
    each = f", {window['worker_cpu_s'] / done * 1e6:,.0f} µs each" if done else ""
    rate = f", {window['per_s']:,}/s" if "per_s" in window else ""
    return (
        f"{window['words']} ({window['partitions']} partitions): {window['seconds']:.1f} s, worker "
        f"{window['worker_cpu_s']:.2f} s, broker {window['broker_cpu_s']:.2f} s, {window['transactions']:.0f} transactions, "
        f"{window['log_bytes'] / 1e6:.1f} MB{each}{rate}"
    )
