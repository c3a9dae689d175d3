"""What a soak says of its samples: growth is found, noise and full caches are not taken for it."""

import random
import re
from xml.etree import ElementTree as ET

import pytest

from bench import soak, soak_page
from bench.soak_verdict import Compacted, Sample, Taken, judge, slope

FLOWING = Taken(records=3_600_000, decisions=90_000, scans=200_000, refused=0)
CLEAN = {"changelog": Compacted(100_000, 9_000, 0)}


def run(count=120, every_s=10.0, **series):
    """Samples of a calm run; a series by name is a function of the sample's number."""
    calm = {"rss_mb": 300.0, "handles": 80, "threads": 25, "table_mb": 40.0, "table_files": 9, "lag": 30.0}
    calm |= {"log_mb": 12.0, "p99_ms": 90.0}
    return [
        Sample((number + 1) * every_s, **(calm | {name: of(number) for name, of in series.items()}))
        for number in range(count)
    ]


def verdict(samples, *, compacted=CLEAN, taken=FLOWING):
    found = judge(samples, taken=taken, rows_mb=30.0, tasks=4, compacted=compacted)
    return {finding.what: finding.fine for finding in found}


def test_a_calm_run_has_nothing_that_grows():
    assert set(verdict(run()).values()) == {True}


def test_caches_that_fill_are_no_growth():
    assert verdict(run(rss_mb=lambda number: 150.0 + 3 * min(number, 97)))["memory"] is True


def test_memory_that_goes_on_growing_is_found_through_noise():
    chance = random.Random(1)
    assert verdict(run(rss_mb=lambda number: 300 + 0.8 * number + chance.gauss(0, 3)))["memory"] is False
    assert verdict(run(rss_mb=lambda number: 300 + chance.gauss(0, 3)))["memory"] is True


def test_a_few_wild_samples_turn_no_slope():
    points = [(float(at), 5.0 + 2 * at) for at in range(40)]
    wild = [(at, 900.0) if at % 10 == 7 else (at, value) for at, value in points]
    assert slope(points) == pytest.approx(2.0)
    assert slope(wild) == pytest.approx(2.0, rel=0.1)


def test_latency_that_swings_is_no_growth():
    chance = random.Random(2)
    assert verdict(run(p99_ms=lambda number: 700 + 900 * chance.random() ** 2))["p99 order → decision"] is True
    dip = verdict(run(p99_ms=lambda number: 1_300.0 if number < 75 or number > 90 else 300.0))
    assert dip["p99 order → decision"] is True


def test_memory_of_a_short_run_is_told_and_not_judged():
    assert verdict(run(18, rss_mb=lambda number: 200.0 + 10 * number))["memory"] is None
    assert verdict(run(18))["memory"] is True


@pytest.mark.parametrize(
    ("name", "grows", "what"),
    [
        ("handles", lambda number: 80 + number // 20, "handles"),
        ("threads", lambda number: 25 + number // 15, "threads"),
        ("table_mb", lambda number: 10.0 * number, "local tables"),
        ("lag", lambda number: 100.0 * number if number > 60 else 0.0, "lag"),
        ("p99_ms", lambda number: 50.0 if number < 90 else 400.0, "p99 order → decision"),
        ("p99_ms", lambda number: 10.0 * number, "p99 order → decision"),
        ("p99_ms", lambda number: 50.0 if number < 90 else None, "p99 order → decision"),
    ],
)
def test_what_grows_is_named_and_nothing_else(name, grows, what):
    found = verdict(run(**{name: grows}))
    assert [name for name, fine in found.items() if fine is False] == [what]


@pytest.mark.parametrize("found", [Compacted(1_000, 1_000, 0), Compacted(100_000, 9_000, 1)])
def test_a_topic_that_was_not_cleaned_everywhere_fails(found):
    assert verdict(run(), compacted={"stock-snapshots": found})["stock-snapshots compacts"] is False


@pytest.mark.parametrize("wrong", [{"refused": 1}, {"scans": 0}, {"decisions": 0}])
def test_a_load_that_is_refused_or_ends_half_way_fails(wrong):
    assert verdict(run(), taken=FLOWING._replace(**wrong))["load flows"] is False


def test_a_handful_of_samples_is_refused():
    with pytest.raises(ValueError, match="too few"):
        verdict(run(7))


def test_each_sample_gets_the_p99_of_its_own_orders():
    orders = [(5.0, 0.010), (15.0, 0.020), (15.5, 0.030)]
    found = soak.with_latencies(run(3), orders)
    assert [sample.p99_ms for sample in found] == [10.0, 30.0, None]


def test_the_cleaners_note_is_read_as_the_broker_writes_it(tmp_path):
    note = tmp_path / "cleaner-offset-checkpoint"
    assert soak._cleaned(note) == {}
    note.write_text("0\n2\nchangelog 0 812\nstock-snapshots 3 44\n")
    assert soak._cleaned(note) == {("changelog", 0): 812, ("stock-snapshots", 3): 44}


def document(samples):
    about = {"started_at": "now", "commit": "abc", "minutes": 20, "orders_per_s": 80, "deltas_per_s": 2_000}
    about["machine"] = {"cores": 2, "cpu": "some", "load_1m": 0.1}
    findings = judge(samples, taken=FLOWING, rows_mb=30.0, tasks=4, compacted=CLEAN)
    return {
        "about": about,
        "samples": [sample._asdict() for sample in samples],
        "findings": [finding._asdict() for finding in findings],
    }


def test_publishing_draws_every_curve_and_renews_the_table(tmp_path, monkeypatch):
    page, picture = tmp_path / "page.md", tmp_path / "soak.svg"
    begin, end = soak_page.MARKERS
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    monkeypatch.setattr(soak_page, "PAGE", page)
    monkeypatch.setattr(soak_page, "PICTURE", picture)
    soak_page.publish(document(run(rss_mb=lambda number: 300.0 + number)))
    assert re.search(r"\| memory \| .* \| \*\*grows\*\* \|", page.read_text())
    assert "| changelog compacts | 100,000 records written, 9,000 still there; every partition was cleaned | yes |" in (
        page.read_text()
    )
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("after\n")
    lines = [line.get("points").split() for line in ET.parse(picture).iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(points) for points in lines] == [120] * len(soak_page.CURVES)
    memory = [float(point.split(",")[1]) for point in lines[0]]
    assert memory[0] > memory[-1]  # up is smaller


def test_a_curve_without_samples_is_left_out():
    samples = [sample._replace(p99_ms=None)._asdict() for sample in run(10)]
    assert soak_page.draw(samples).count("<polyline") == len(soak_page.CURVES) - 1
