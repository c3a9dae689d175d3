"""From windows to sizes: known costs come back as prices, and the resource that runs out first is the one named."""

import pytest

from bench import capacity_page, sizing
from bench.fitting import Formula
from bench.harness import BenchError

MACHINE = {"cores": 2, "cpu": "some", "load_1m": 0.1, "python": "3.11"}
KNOWN = {
    "records_per_order": 10.0,
    "transactions_per_order_alone": 3.0,
    "transactions_per_partition_s": 20.0,
    "transaction_ms_alone": 20.0,
    "log_mb_per_s": 100.0,
    "transactions_per_s": 1_000.0,
    "broker_cpu_ms_per_mb": 3.0,
    "broker_cpu_ms_per_transaction": 0.5,
    "restored_rows_per_s": 100_000.0,
    "delta_bytes": 160.0,
    "item_rows_each": 1.0,
    "item_bytes_each": 120.0,
    "order_rows_each": 0.0,
    "order_bytes_each": 0.0,
    "kept_rows_each": 0.0,
    "kept_bytes_each": 0.0,
}
COSTS = {
    "worker_deltas": {"worker_s": 0.02, "partition_s": 0.004, "transactions": 0.002, "deltas": 25e-6},
    "worker_orders": {"transactions": 0.002, "orders": 0.001},
    "broker": {"broker_s": 0.05, "transactions": 0.001, "log_mb": 0.01},
    "log": {"transactions": 1_500.0, "deltas": 400.0, "orders": 9_000.0},
}
FORMULAS = {name: Formula(prices, 0.0, 0.0) for name, prices in COSTS.items()}


def window(*, deltas=0, orders=0, transactions=100.0, partitions=4, workers=1, seconds=10.0, items=20_000, size=160):
    """What such a window costs at COSTS, with a price per KB and one per doubling of the items."""
    one = {
        "words": "some",
        "partitions": partitions,
        "workers": workers,
        "deltas": deltas,
        "orders": orders,
        "items": items if deltas else 0,
        "delta_bytes": deltas * size,
        "seconds": seconds,
        "transactions": transactions,
        "records_in": deltas + orders * 10.0 + partitions * seconds,
        "transaction_s": transactions * 0.02,
        "log_bytes": 0.0,
        "foreign_cores": 0.01,
    }
    done = sizing.amounts(one)
    one["log_bytes"] = FORMULAS["log"].cost(done)
    done = sizing.amounts(one)
    cost = FORMULAS["worker_deltas"].cost({**done, "transactions": transactions if not orders else 0})
    cost += 4e-6 * done["delta_kb"] + 1e-6 * done["delta_key_doublings"]
    cost += FORMULAS["worker_orders"].cost(done) if orders else 0
    return {**one, "worker_cpu_s": cost, "broker_cpu_s": FORMULAS["broker"].cost(done), "per_s": 1_000}


WINDOWS = [
    window(transactions=40),
    window(transactions=120, partitions=12),
    window(transactions=10, partitions=1),
    window(deltas=1_000, transactions=300),
    window(deltas=40_000, transactions=900),
    window(deltas=100_000, transactions=60, seconds=4),
    window(deltas=100_000, transactions=70, seconds=4, items=1_000),
    window(deltas=100_000, transactions=55, seconds=5, items=100_000),
    window(deltas=50_000, transactions=50, size=1_160),
    window(deltas=25_000, transactions=45, size=4_160),
    window(deltas=100_000, transactions=80, seconds=3, workers=2),
    window(orders=200, transactions=640),
    window(orders=1_000, transactions=800),
    window(orders=4_000, transactions=700),
    window(orders=4_000, transactions=800, workers=2),
]
FOUND = {"windows": WINDOWS, "limits": KNOWN, "rows": {}}


def test_what_windows_cost_comes_back_as_prices():
    formulas = sizing.derive(FOUND)["formulas"]
    for name, prices in COSTS.items():
        found = formulas[name]["prices"]
        assert {term: found[term] for term in prices} == pytest.approx(prices, rel=0.02)
    assert formulas["worker_deltas"]["prices"]["delta_kb"] == pytest.approx(4e-6, rel=0.02)
    assert formulas["worker_deltas"]["prices"]["delta_key_doublings"] == pytest.approx(1e-6, rel=0.02)


def test_an_order_alone_is_told_from_the_slowest_window_without_its_ticks():
    known = sizing.derive({**FOUND, "rows": {"order_rows_each": 1.0, "order_bytes_each": 1.0}})["known"]
    assert known["transactions_per_order_alone"] == 3.0
    assert known["records_per_order"] == 10.0


@pytest.mark.parametrize(
    ("scarce", "bottleneck"),
    [
        ({"transactions_per_s": 1.0}, "transactions of the broker"),
        ({"log_mb_per_s": 0.01}, "log bytes of the broker"),
        ({"order_rows_each": 10_000.0}, "rows to restore"),
        ({"records_per_order": 1e9}, "partitions"),
        ({}, "worker cores"),
    ],
)
def test_the_first_bottleneck_is_what_is_scarce(scarce, bottleneck):
    costly = {**FORMULAS, "worker_orders": Formula({"transactions": 0.002, "orders": 0.05}, 0.0, 0.0)}
    found = sizing.size(200, 11_000, costly if not scarce else FORMULAS, {**KNOWN, **scarce})
    assert found["bottlenecks"][0] == bottleneck


def test_what_would_do_does():
    for orders, deltas in sizing.SIZES:
        found = sizing.size(orders, deltas, FORMULAS, KNOWN)
        layout, load = found["layout"], found["load"]
        assert load["cores"] <= layout["workers"] * sizing.BUSY_SHARE + 0.01
        assert layout["partitions"] % sizing.PRODUCTION_PARTITIONS == 0
        assert layout["partitions"] >= layout["workers"]
        assert load["rows"] <= layout["partitions"] * KNOWN["restored_rows_per_s"] * sizing.RESTORE_S
        assert deltas <= layout["partitions"] * load["bulk_per_partition"] * 1.001
        assert load["log_mb_per_s"] <= layout["brokers"] * KNOWN["log_mb_per_s"] * sizing.BUSY_SHARE + 0.01
        assert load["transactions_per_s"] <= layout["brokers"] * KNOWN["transactions_per_s"] * sizing.BUSY_SHARE + 0.01


def test_rows_alone_may_ask_for_partitions():
    plenty = {**KNOWN, "kept_rows_each": 2.0}
    found = sizing.size(1_000, 10, FORMULAS, plenty)
    kept = 1_000 / sizing.PEAK * sizing.DAY_S * 400
    assert found["load"]["rows"] == pytest.approx(2.0 * kept, rel=0.01)
    assert found["layout"]["partitions"] >= 2.0 * kept / (KNOWN["restored_rows_per_s"] * sizing.RESTORE_S)


def test_more_orders_and_deltas_take_more_of_everything():
    loads = [sizing.size(orders, deltas, FORMULAS, KNOWN) for orders, deltas in sizing.SIZES]
    for name in ("workers", "partitions", "brokers"):
        counts = [found["layout"][name] for found in loads]
        assert counts == sorted(counts)
    for name in loads[0]["shares"]:
        shares = [found["shares"][name] for found in loads]
        assert shares == sorted(shares)


def test_the_page_gets_its_tables_and_keeps_its_prose(tmp_path):
    found = {**FOUND, "rows": {"order_rows_each": 11.0, "order_bytes_each": 1_800.0}}
    document = {**found, **sizing.derive(found), "about": {"started_at": "now", "commit": "abc", "machine": MACHINE}}
    page = tmp_path / "capacity.md"
    page.write_text("# Prose\n" + "\nmore\n".join(" outdated ".join(pair) for pair in capacity_page.MARKERS.values()))
    capacity_page.publish(document, page)
    said = page.read_text()
    assert "outdated" not in said
    assert said.startswith("# Prose\n")
    assert said.count("\nmore\n") == 2
    assert "| a delta | 25.00 | µs |" in said
    assert f"| {'10,000'} | {'1,000,000'} |" in said
    assert "Not quiet" not in said
    assert "Not quiet: others used up to 1.50 cores in 1 windows" in capacity_page.windows(
        {**document, "windows": [*WINDOWS, WINDOWS[0] | {"foreign_cores": 1.5}]}
    )


def test_workers_that_only_cost_are_refused():
    costly = {**FORMULAS, "worker_deltas": Formula({"worker_s": 1.0}, 0.0, 0.0)}
    with pytest.raises(BenchError, match="costs more than it does"):
        sizing.size(10, 1_000, costly, KNOWN)
