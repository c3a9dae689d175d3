"""A small day of the whole network through the whole topology: what was planted is found, and nothing else."""

from collections import Counter

import pytest

from fsn.declaration import load_topology
from fsn.world.feeding import feed_driver
from fsn.world.truth import RECONCILIATION_KINDS
from fsn.world.world import World
from processors.pipeline import STAGES
from streams.signatures import KeyRing
from streams.testing import TopologyDriver

READ = (
    "dead-letters",
    "ledger-entries",
    "operational-alerts",
    "reconciliation-alerts",
    "review-queue",
    "tracking-events",
)


def run_day(world, folder):
    world.keys.write(folder / "keys.json")
    keys = KeyRing.load(folder / "keys.json")
    driver = TopologyDriver(load_topology(clock="external"), STAGES, start_at=world.start_at, keys=keys)
    feed_driver(world, driver)
    return driver


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    world = World(7, orders=120, deltas=9_000, hours=4, discrepancies=2 * len(RECONCILIATION_KINDS))
    driver = run_day(world, tmp_path_factory.mktemp("world"))
    return world, {topic: driver.read(topic) for topic in READ}


def standing(alerts):
    last = {alert.alert_id: alert for alert in alerts}
    return [alert for alert in last.values() if alert.status == "open"]


def test_every_order_comes_to_an_end(day):
    world, _ = day
    assert world.unanswered == []
    assert len(world.truth.orders_shipped) + len(world.truth.orders_unshipped) == 120


def test_no_processor_fails(day):
    _, topics = day
    assert [letter.detail for letter in topics["dead-letters"] if letter.reason == "PROCESSOR_ERROR"] == []


def test_all_noise_ends_in_its_expected_reason(day):
    world, topics = day
    assert Counter((letter.topic, letter.reason) for letter in topics["dead-letters"]) == world.truth.letters()


def test_all_seeded_discrepancies_are_alerted_and_no_others(day):
    world, topics = day
    found = Counter((alert.order_id, alert.kind) for alert in standing(topics["reconciliation-alerts"]))
    assert found == Counter((seeded.order_id, seeded.kind) for seeded in world.truth.discrepancies)
    assert {kind for _, kind in found} == set(RECONCILIATION_KINDS)


def test_lost_goods_raise_drift_and_lost_parcels_silence(day):
    world, topics = day
    raised = {(alert.kind, alert.entity_id, alert.actual - alert.expected) for alert in topics["operational-alerts"]}
    drifts = {entity: difference for kind, entity, difference in raised if kind == "STOCK_DRIFT" and difference}
    expected = {f"{drift.variant_id}|{drift.location_id}": drift.difference for drift in world.truth.stock_drifts}
    assert drifts == expected
    silent = [entity for kind, entity, _ in raised if kind == "SHIPMENT_SILENT"]
    assert sorted(silent) == sorted(world.truth.silent_parcels)


def test_strangers_are_shown_to_people(day):
    world, topics = day
    asked = {(item.kind, item.entity_id) for item in topics["review-queue"] if item.status == "open"}
    assert {entity for kind, entity in asked if kind == "ORDER_UNKNOWN"} == set(world.truth.cancels_of_unknown_orders)
    assert {entity for kind, entity in asked if kind == "UNLINKED_REFERENCE"} == set(world.truth.unlinked_references)


def test_parcels_end_where_their_carriers_said(day):
    world, topics = day
    last = {event.tracking_number: event.shipment_status for event in topics["tracking-events"]}
    assert last == world.truth.parcels


def test_what_shipped_is_closed_and_balanced_unless_seeded(day):
    world, topics = day
    books = {record.order_id: record for record in topics["ledger-entries"] if hasattr(record, "balanced")}
    unbalanced = {order_id for order_id, record in books.items() if not record.balanced}
    assert unbalanced == {seeded.order_id for seeded in world.truth.discrepancies}
    assert set(world.truth.orders_shipped) <= books.keys()


def test_two_runs_of_one_seed_write_the_same_logs(tmp_path):
    logs = []
    for _ in range(2):
        world = World(3, orders=12, deltas=4_000, hours=3)
        logs.append(run_day(world, tmp_path).logs)
    assert logs[0] == logs[1]
