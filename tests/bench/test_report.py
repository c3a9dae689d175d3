"""What `make bench` and `make bench-kafka` say of their figures: which was reached, and a page that keeps its prose."""

import pytest

from bench import report, targets
from bench.harness import BenchError

MACHINE = {"cores": 2, "cpu": "some", "memory_mb": 24_000, "python": "3.11"}
ABOUT = {"broker": "kafka", "started_at": "now", "commit": "abc", "rounds": 3, "machine": MACHINE}
RATES = {"fsn": 40_000, "quix_exactly_once": 10_000, "faust_table": 900, "limit": 90_000}
RATES |= {"quix_at_least_once": 11_000, "kafka_streams_exactly_once": 60_000}


def measured(**ratios):
    """The parts of a run with these ratios; the others are all reached."""
    found = {"over_quix_exactly_once": 4.0, "over_faust_table": 44.0, "of_limit": 0.44}
    found |= {"over_kafka_streams_exactly_once_per_cpu": 0.9, **ratios}
    figures = {"routed_per_s": 1_500.0, "e2e_p50_ms_half_load": 99.0, "e2e_p99_ms_half_load": 300.0}
    deltas = {"medians": RATES, "per_cpu_s": RATES, "runs": {name: [rate] for name, rate in RATES.items()}}
    return {
        "stock_deltas": {**deltas, "ratios": found, "foreign_cores": {"fsn": [0.01]}, "peak_rss_mb": 300.0},
        "orders": {
            "figures": {name: {"median": value, "min": value, "max": value} for name, value in figures.items()},
            "foreign_cores": {},
            "peak_rss_mb": 300.0,
        },
    }


@pytest.mark.parametrize(
    ("ratios", "passes"),
    [
        ({}, True),
        ({"over_quix_exactly_once": 3.999}, False),
        ({"over_faust_table": 39.9}, False),
        ({"of_limit": 0.399}, False),
        ({"over_kafka_streams_exactly_once_per_cpu": 0.1}, True),  # an aim: shown, not failed
    ],
)
def test_a_missed_target_fails_the_run_and_a_missed_aim_does_not(ratios, passes):
    document = report.combine(measured(**ratios), ABOUT)
    assert len(document["targets"]) == len(targets.KAFKA)
    assert targets.all_reached(document["targets"]) is passes


def test_an_order_later_than_promised_fails_the_run():
    parts = measured()
    parts["orders"]["figures"]["e2e_p99_ms_half_load"]["median"] = 300.1
    assert not targets.all_reached(report.combine(parts, ABOUT)["targets"])


def test_the_kafka_document_names_kafka_streams_as_the_issue_does():
    document = report.combine(measured(), ABOUT)
    assert document["stock_deltas"]["kafka_streams_exactly_once"] == 60_000
    assert document["about"]["quiet"]


def test_publishing_rewrites_one_table_and_keeps_the_rest(tmp_path):
    page = tmp_path / "page.md"
    embedded, kafka = (" old ".join(report.MARKERS[broker]) for broker in ("embedded", "kafka"))
    page.write_text(f"prose\n{embedded}\nmore prose\n{kafka}\nthe end\n")
    report.publish(report.combine(measured(of_limit=0.1), ABOUT), page)
    text = page.read_text()
    assert text.startswith(f"prose\n{embedded}\nmore prose\n")
    assert text.endswith("\nthe end\n")
    assert "| Kafka Streams on the JVM, RocksDB state and output | exactly once | 60,000 | 60,000 – 60,000 |" in text
    assert "| 0.1 |  | ≥ 0.4 | **missed** |" in text


def test_a_page_without_its_markers_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("prose")
    with pytest.raises(BenchError, match="lost its markers"):
        report.publish(report.combine(measured(), ABOUT), page)
    assert page.read_text() == "prose"
