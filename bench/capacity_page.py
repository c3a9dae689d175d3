"""The tables of docs/capacity.md: windows, prices and sizes as Markdown, between the page's markers.

In: the document of bench/capacity.py. Out: the page with its tables renewed; its prose is written by hand.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench.harness import QUIET_CORES, ROOT
from bench.report import rewrite
from bench.sizing import LAYOUT

PAGE: Final = ROOT / "docs" / "capacity.md"
MARKERS: Final = {
    name: (f"<!-- {name}: begin (written by `make bench-capacity`) -->", f"<!-- {name}: end -->")
    for name in ("windows", "formula", "sizes")
}
PRICES: Final = (
    # formula, term, words, unit, factor
    ("worker_deltas", "worker_s", "a worker that runs", "ms of a core a second", 1e3),
    ("worker_deltas", "partition_s", "a partition of it", "ms of a core a second", 1e3),
    ("worker_deltas", "transactions", "a transaction of deltas or of a tick", "µs", 1e6),
    ("worker_deltas", "deltas", "a delta", "µs", 1e6),
    ("worker_deltas", "delta_kb", "each KB of it", "µs", 1e6),
    ("worker_deltas", "delta_key_doublings", "each doubling of a partition's items beyond 250, a delta", "µs", 1e6),
    ("worker_orders", "transactions", "a transaction of an order's hop", "µs", 1e6),
    ("worker_orders", "orders", "an order, all its hops", "µs", 1e6),
    ("broker", "broker_s", "the broker that runs", "ms of a core a second", 1e3),
    ("broker", "transactions", "a transaction, to the broker", "µs", 1e6),
    ("broker", "log_mb", "a MB of log, to the broker", "ms", 1e3),
    ("log", "transactions", "a transaction in the log", "bytes", 1),
    ("log", "deltas", "a delta in the log, with all it causes", "bytes", 1),
    ("log", "delta_kb", "and for each KB of it", "bytes", 1),
    ("log", "orders", "an order in the log, with all it causes", "bytes", 1),
)


def publish(document: Mapping[str, Any], page: Path = PAGE) -> None:
    """Renew the page's tables."""
    for name, markers in MARKERS.items():
        rewrite(page, markers, TABLES[name](document))


def text(document: Mapping[str, Any]) -> str:
    """All tables."""
    return "\n".join(made(document) for made in TABLES.values())


def windows(document: Mapping[str, Any]) -> str:
    """What was measured."""
    about = document["about"]
    what = about["machine"]
    lines = [
        (
            f"{about['started_at']}, commit {about['commit']}: {what['cores']} cores ({what['cpu']}), load {what['load_1m']} at "
            f"the start, Python {what['python']}."
        ),
        "",
        (
            "| window | partitions | workers | records/s | records a transaction | worker, µs a record | records per CPU second "
            "| broker, µs a record | log, bytes a record | strangers, cores |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_window(window) for window in document["windows"]]
    noisy = [one["foreign_cores"] for one in document["windows"] if one["foreign_cores"] > QUIET_CORES]
    if noisy:
        lines += ["", f"**Not quiet: others used up to {max(noisy):.2f} cores in {len(noisy)} windows.**"]
    return "\n".join(lines) + "\n"


def _window(window: Mapping[str, Any]) -> str:
    done = window["deltas"] or window["orders"]
    cells = [window["words"], str(window["partitions"]), str(window["workers"])]
    cells.append(f"{window['per_s']:,}" if "per_s" in window else "")
    if done:
        cells += [
            f"{done / window['transactions']:,.1f}",
            f"{window['worker_cpu_s'] / done * 1e6:,.0f}",
            f"{done / window['worker_cpu_s']:,.0f}",
            f"{window['broker_cpu_s'] / done * 1e6:,.0f}",
            f"{window['log_bytes'] / done:,.0f}",
        ]
    else:
        cells += [""] * 5
    return "| " + " | ".join([*cells, f"{window['foreign_cores']:.2f}"]) + " |"


def formula(document: Mapping[str, Any]) -> str:
    """Prices, and how far off they are."""
    lines = ["| what | price | |", "|---|---:|---|"]
    for name, term, words, unit, factor in PRICES:
        price = document["formulas"][name]["prices"][term] * factor
        lines.append(f"| {words} | {price:,.{0 if price >= 100 else 2}f} | {unit} |")
    errors = ", ".join(
        f"{words} {document['formulas'][name]['error_mean']:.0%} (at most {document['formulas'][name]['error_max']:.0%})"
        for name, words in (
            ("worker_deltas", "worker under deltas"),
            ("worker_orders", "under orders"),
            ("broker", "broker"),
            ("log", "log"),
        )
    )
    known = document["known"]
    lines += [
        "",
        f"Off by, mean over the windows: {errors}. A price of 0 could not be told from the others.",
        "",
        (
            f"Also measured: an order alone makes {known['transactions_per_order_alone']:.1f} transactions of "
            f"{known['transaction_ms_alone']:.0f} ms and {known['records_per_order']:.1f} records; a partition under orders commits "
            f"{known['transactions_per_partition_s']:.0f} times a second at most; an item has {known['item_rows_each']:.1f} rows of "
            f"{known['item_bytes_each']:,.0f} bytes in all, a routed order {known['order_rows_each']:.1f} of "
            f"{known['order_bytes_each']:,.0f}, one that has ended {known['kept_rows_each']:.1f} of {known['kept_bytes_each']:,.0f}. The broker, its senders beside it: {known['log_mb_per_s']:,.0f} MB/s of log "
            f"({known['broker_cpu_ms_per_mb']:.1f} ms of its time a MB), {known['transactions_per_s']:,.0f} transactions/s "
            f"({known['broker_cpu_ms_per_transaction']:.2f} ms each). Restored rows: {known['restored_rows_per_s']:,.0f}/s "
            "(`bench/results/restore.json`)."
        ),
    ]
    return "\n".join(lines) + "\n"


def sizes(document: Mapping[str, Any]) -> str:
    """How full each resource of the layout is, and which layout would do."""
    names = list(document["sizes"][0]["shares"])
    lines = [
        f"How full is what there is in {LAYOUT.partitions} partitions, up to {LAYOUT.partitions} workers of a core, and one broker:",
        "",
        f"| orders/s | deltas/s | {' | '.join(names)} | first bottleneck | then |",
        f"|---:|---:|{'---:|' * len(names)}---|---|",
    ]
    for one in document["sizes"]:
        shares = " | ".join(f"{one['shares'][name]:,.0%}" for name in names)
        first, second = one["bottlenecks"]
        full = f"**{first}**" if one["shares"][first] > 1 else f"none yet; {first} will be"
        lines.append(f"| {one['orders_per_s']:,} | {one['deltas_per_s']:,} | {shares} | {full} | {second} |")
    lines += [
        "",
        "What would do:",
        "",
        (
            "| orders/s | deltas/s | worker cores busy | workers | partitions | transactions/s | log MB/s | broker cores busy | brokers "
            "| rows | tables, GB | log a day, TB |"
        ),
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in document["sizes"]:
        load, layout = one["load"], one["layout"]
        lines.append(
            f"| {one['orders_per_s']:,} | {one['deltas_per_s']:,} | {load['cores']:,.1f} | {layout['workers']:,} "
            f"| {layout['partitions']:,} | {load['transactions_per_s']:,.0f} | {load['log_mb_per_s']:,.1f} "
            f"| {load['broker_cores']:,.1f} | {layout['brokers']:,} | {load['rows']:,.0f} | {load['table_gb']:,.0f} "
            f"| {load['log_tb_a_day']:,.2f} |"
        )
    return "\n".join(lines) + "\n"


TABLES: Final = {"windows": windows, "formula": formula, "sizes": sizes}
