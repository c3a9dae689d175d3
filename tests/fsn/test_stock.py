"""`fsn stock`: the stock as of any instant is what a fold of the recorded answers and snapshots says it was."""

import json

import msgspec
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import fsn.recording
from fsn.declaration import load_topology
from fsn.recording import Recording
from fsn.stock import app
from fsn.stock_history import read_history
from fsn.terminal import instant_of
from fsn.world.feeding import feed_driver
from fsn.world.world import World
from processors.pipeline import STAGES
from processors.stock.rows import STOCK_ITEMS
from schemas.records.network import EntitlementGranted, SupplierDefined
from schemas.records.stock import StockExpected
from streams.signatures import KeyRing
from streams.testing import TopologyDriver
from tests.fsn.explained import MemorySource, recorded, recording
from tests.processors.routing.world import VARIANT


@pytest.fixture(scope="module")
def driver():
    return recorded()


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A day of the whole network: (driver, recording, what a reader of the topics saw of each item, in order)."""
    world = World(11, orders=60, deltas=1_500, hours=3)
    folder = tmp_path_factory.mktemp("keys")
    world.keys.write(folder / "keys.json")
    keys = KeyRing.load(folder / "keys.json")
    made = TopologyDriver(load_topology(clock="external"), STAGES, start_at=world.start_at, keys=keys)
    feed_driver(world, made)
    return made, Recording(MemorySource(made, lost=0), made.topology, made.codec, keys=keys)


def told(driver):
    """Every state that a grant, denial, release or snapshot told of an item: (variant, location, revision) → units."""
    seen = {}
    for topic in ("stock-offers", "stock-snapshots"):
        for partition in range(driver.topology.partitions):
            for raw in driver.logs[topic, partition]:
                record = driver.codec.decode(raw.value)
                shown = [record] if topic == "stock-snapshots" else getattr(record, "items", ())
                for item in shown:
                    name = record.variant_id, item.location_id, item.revision
                    units = item.on_hand, item.reserved, item.held
                    assert seen.setdefault(name, units) == units
    return seen


def test_every_state_that_was_told_is_in_the_history_and_no_change_is_missing(day):
    driver, made = day
    seen = told(driver)
    for variant_id in sorted({variant_id for variant_id, _, _ in seen})[::4]:
        history = read_history(made, variant_id)
        by_location: dict[str, list] = {}
        for change in history.changes:
            by_location.setdefault(change.location_id, []).append(change)
        for changes in by_location.values():
            assert [change.after.revision for change in changes] == list(range(1, len(changes) + 1))
            assert [change.at for change in changes] == sorted(change.at for change in changes)
        for (told_variant, location_id, revision), units in seen.items():
            if told_variant == variant_id:
                item = by_location[location_id][revision - 1].after
                assert (item.on_hand, item.reserved, item.held) == units
    assert len(seen) > 400


def test_at_any_instant_the_last_change_before_it_stands(day):
    driver, made = day
    variant_id = min(variant_id for variant_id, _, _ in told(driver))
    history = read_history(made, variant_id)
    instants = sorted({change.at for change in history.changes})

    @given(st.sampled_from(instants), st.integers(-2, 2))
    def fold(instant, off):
        at = instant + off
        folded = {}
        for change in history.changes:  # brute force: apply every change that had happened
            if change.at <= at:
                assert change.before == folded.get(change.location_id)
                folded[change.location_id] = change.after
        assert {one.location_id: one.changed.after for one in history.standings(at)} == folded

    fold()
    shorter = read_history(made, variant_id, until_at=instants[0])
    assert shorter.standings(instants[0]) == history.standings(instants[0])
    assert shorter.until_at <= history.until_at


def test_at_the_end_it_is_what_the_table_holds(day):
    driver, made = day
    rows = driver.rows(STOCK_ITEMS)
    for variant_id in sorted({key.rpartition("|acme")[0] for key in rows})[::5]:
        history = read_history(made, variant_id)
        ends = {f"{variant_id}|{one.location_id}": one.changed.after for one in history.standings(history.until_at)}
        assert ends == {key: row for key, row in rows.items() if key.startswith(f"{variant_id}|")}


@pytest.fixture
def command(driver, monkeypatch):
    monkeypatch.setattr(fsn.recording, "open_recording", lambda *_: recording(driver))
    return lambda *arguments: CliRunner().invoke(app, list(arguments), env={"COLUMNS": "180"})


def test_the_command_shows_each_location_and_its_age(command):
    result = command("acme|var_a", "--history")
    assert result.exit_code == 0, result.output
    assert "acme|loc_near" in result.output
    assert "0 → 2" in result.output, "reserved by an order"
    assert "stock-requests[" in result.output


def test_before_anything_was_heard(command):
    result = command("acme|var_a", "--at", "2020-01-01")
    assert result.exit_code == 1
    assert "nothing was heard of acme|var_a by then" in result.output


def test_what_is_on_its_way_is_shown_beside_what_is_there(monkeypatch):
    made, place, variant = recorded(), "acme|loc_near", "acme|var_a"
    announced = StockExpected(f"{place}|feed", place, variant, "a", "PO-1", 17, None, made.now_at)
    made.send("stock-deltas", variant, announced)
    monkeypatch.setattr(fsn.recording, "open_recording", lambda *_: recording(made))
    found = json.loads(CliRunner().invoke(app, [variant, "--location", place, "--json"]).stdout)
    assert [(one["in_transit"], one["expected"]) for one in found["locations"]] == [(0, 17)]
    shown = CliRunner().invoke(app, [variant, "--location", place], env={"COLUMNS": "180"}).output
    assert "on its way" in shown and "│ 17 " in shown


def test_one_location_as_json(command):
    found = json.loads(command("acme|var_a", "--location", "acme|loc_near", "--json", "--history").stdout)
    (place,) = found["locations"]
    assert place["available_to_promise"] == place["on_hand"] - place["reserved"] - place["safety_stock"]
    assert {change["location_id"] for change in found["history"]} == {"acme|loc_near"}
    elsewhere = command("acme|var_a", "--location", "acme|nowhere")
    assert "nothing was heard of acme|var_a at acme|nowhere" in elsewhere.output


def test_a_merchant_sees_what_its_supplier_shows(monkeypatch):
    made = recorded()
    made.publish(
        SupplierDefined("acme|supplier", "S", True), msgspec.structs.replace(VARIANT, supplier_id="acme|supplier")
    )
    monkeypatch.setattr(fsn.recording, "open_recording", lambda *_: recording(made))

    def asked(merchant):
        return CliRunner().invoke(app, ["acme|var_a", "--merchant", merchant], env={"COLUMNS": "180"})

    hidden = asked("acme|merchant")
    assert hidden.exit_code == 1
    assert "may not see the stock of acme|var_a" in hidden.output
    made.publish(EntitlementGranted("acme|supplier", "acme|merchant", "merchant", "acme|merchant", "stock_visible"))
    assert "acme|loc_near" in asked("acme|merchant").output
    assert asked("acme|other").exit_code == 1


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1700000000000", 1_700_000_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000_000),
        ("20231114", 1_699_920_000_000),
    ],
)
def test_an_instant_as_people_write_it(text, at):
    assert instant_of(text, option="--at") == at


def test_what_is_no_instant_is_said():
    with pytest.raises(typer.BadParameter, match="neither ISO 8601"):
        instant_of("yesterday", option="--at")
