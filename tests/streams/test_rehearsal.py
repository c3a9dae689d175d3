"""A recorded run under other schemas: what would differ, and nothing else."""

import json
import random

import pytest

from schemas.codec import Codec
from schemas.proposals import ProposedCodec, read_proposals
from schemas.records.operations import OperationalAlert
from schemas.records.stock import StockDelta, StockSnapshot
from schemas.registry import bundled, file_name
from schemas.topology import load
from streams.rehearsal import Kind, Side, compare_record, differences, rehearse
from streams.testing import TopologyDriver
from tests.streams import tally

TOPOLOGY = load("tests/streams/tally.yaml")
REGISTRY = bundled()
TODAY = Codec(REGISTRY)


def recorded_run():
    chance = random.Random(4)
    driver = TopologyDriver(TOPOLOGY, [tally.STAGE], start_at=1_000)
    driver.publish()
    for number in range(120):
        variant = f"acme|v{chance.randrange(12)}"
        record = StockDelta("f", variant, variant, None, "s", number, None, chance.randrange(9), "receipt", None, 0)
        driver.send("stock-deltas", variant, record, at=1_000 + number * 700)
    driver.send_raw("stock-deltas", b"acme|v1", b"garbage")
    driver.tick(200_000)
    return driver


def rehearsed(driver, tmp_path, *changes):
    """Every difference under schemas with these changes: (record type, change)."""
    for record_type, change in changes:
        schema = json.loads(REGISTRY.latest(record_type).text)
        change(schema["fields"])
        name = file_name(record_type.__name__, REGISTRY.latest(record_type).version + 1)
        (tmp_path / name).write_text(json.dumps(schema), "utf-8")
    tomorrow = ProposedCodec(REGISTRY, read_proposals(tmp_path, REGISTRY))
    found = [
        difference
        for (topic, _), log in driver.logs.items()
        for raw in log
        for difference in compare_record(raw, TODAY, tomorrow, for_rules=topic in TOPOLOGY.source_topics)
    ]
    for partition in range(TOPOLOGY.partitions):
        found += rehearse(
            TOPOLOGY,
            [tally.STAGE],
            partition=partition,
            logs={topic: driver.logs[topic, partition] for topic in TOPOLOGY.source_topics},
            manifests=[TODAY.decode(raw.value) for raw in driver.logs["task-manifests", partition]],
            today=Side(TODAY, driver.network),
            tomorrow=Side(tomorrow, driver.network),
        )
    return found


def drop(name):
    return lambda fields: fields.remove(next(field for field in fields if field["name"] == name))


def add(name, kind, **default):
    return lambda fields: fields.append({"name": name, "type": kind, **default})


def about(found):
    return {(difference.kind, difference.place, difference.record, difference.path) for difference in found}


def test_a_field_that_the_rules_do_not_read_changes_what_is_read_and_nothing_that_is_written(tmp_path):
    found = rehearsed(recorded_run(), tmp_path, (StockDelta, add("packaging", "string", default="box")))
    assert about(found) == {(Kind.READ, "stock-deltas", "StockDelta", "packaging")}
    assert len(found) == 120
    assert {(one.old, one.new) for one in found} == {("(absent)", "'box'")}


def test_a_field_added_to_an_output_shows_on_every_output(tmp_path):
    driver = recorded_run()
    found = rehearsed(driver, tmp_path, (StockSnapshot, add("unit", "string", default="piece")))
    written = sum(len(driver.logs["stock-snapshots", partition]) for partition in range(TOPOLOGY.partitions))
    assert about(found) == {
        (Kind.READ, "stock-snapshots", "StockSnapshot", "unit"),
        (Kind.OUTPUT, "stock-snapshots", "StockSnapshot", "unit"),
    }
    assert sum(one.kind is Kind.OUTPUT for one in found) == written


def test_a_field_dropped_from_an_output_says_what_is_lost(tmp_path):
    found = rehearsed(recorded_run(), tmp_path, (OperationalAlert, drop("expected")))
    outputs = [one for one in found if one.kind is Kind.OUTPUT]
    assert {(one.path, one.old, one.new) for one in outputs} == {("expected", "0", "(absent)")}
    assert outputs[0].where.startswith("task ") and outputs[0].key.startswith("acme|v")


def test_a_field_the_rules_need_shows_as_outputs_and_rows_that_would_not_be(tmp_path):
    found = rehearsed(recorded_run(), tmp_path, (StockDelta, drop("quantity")))
    kinds = about(found)
    assert (Kind.UNUSABLE, "stock-deltas", "StockDelta", "") in kinds
    assert (Kind.OUTPUT, "dead-letters", "DeadLetter", "") in kinds
    assert (Kind.OUTPUT, "stock-snapshots", "StockSnapshot", "") in kinds
    assert {one.new for one in found if one.place == "sums"} == {"(absent)"}
    assert sum(one.kind is Kind.UNUSABLE for one in found) == 120


def test_a_record_that_cannot_be_read_is_named_by_its_place(tmp_path):
    found = rehearsed(recorded_run(), tmp_path, (StockDelta, add("packaging", "string")))
    unreadable = [one for one in found if one.kind is Kind.UNREADABLE]
    assert len(unreadable) == 120
    assert unreadable[0].where == "stock-deltas|0|0"
    version = REGISTRY.latest(StockDelta).version
    assert f"StockDelta v{version} cannot be read as the proposed v{version + 1}" in unreadable[0].new


def test_a_run_that_todays_code_does_not_repeat_is_told_as_such(tmp_path):
    driver = recorded_run()
    for partition in range(TOPOLOGY.partitions):
        log = driver.logs["stock-deltas", partition]
        raw = next(raw for raw in log if raw.value != b"garbage")
        other = StockDelta("f", "x", raw.key.decode(), None, "s", 0, None, 99, "receipt", None, 0)
        log[raw.offset] = type(raw)(raw.topic, raw.partition, 0, raw.timestamp, raw.key, TODAY.encode(other))
    found = rehearsed(driver, tmp_path, (StockDelta, add("packaging", "string", default="box")))
    assert {one.kind for one in found} == {Kind.READ, Kind.NOT_REPRODUCED}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": True}, [("a", "1", "True")]),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, [("a[].b", "2", "3")]),
        ({"a": [1]}, {"a": [1, 2]}, [("a", "[1]", "[1, 2]")]),
        ({"a": None}, {}, [("a", "None", "(absent)")]),
    ],
)
def test_differences_are_told_by_field(old, new, found):
    assert list(differences(old, new)) == found
