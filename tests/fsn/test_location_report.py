"""`fsn report locations`: numbers that can be counted by hand on a small recorded day, per location, partner and over all."""

import csv
import json

import pytest
from typer.testing import CliRunner

import fsn.recording
from fsn.location_report import Line, by_partner, location_report, percentile, summed
from fsn.reports import app
from schemas.records.assignments import AssignmentAccepted, AssignmentOffered, ItemQuantity, Shipped
from tests.fsn.explained import ONE_HOP, recorded, recording
from tests.processors.routing.world import NOW

NEAR, FAR, STALE = "acme|loc_near", "acme|loc_far", "acme|loc_stale"
HOUR = 3_600_000


@pytest.fixture(scope="module")
def driver():
    """The small run: after it, one order is accepted an hour later and shipped another hour after that."""
    made = recorded()
    told = [record for partition in range(4) for _, record in recording(made).decoded("assignments", partition)]
    offer = next(one for one in told if isinstance(one, AssignmentOffered) and one.order_id == ONE_HOP)
    ids = offer.assignment_id, offer.order_id, offer.location_id
    made.tick(NOW + HOUR)
    made.send("partner-responses", ids[2], AssignmentAccepted(*ids, (ItemQuantity(1, 2),), NOW))
    made.tick(NOW + 2 * HOUR)
    made.send("partner-responses", ids[2], Shipped("s1", *ids, (ItemQuantity(1, 2),), (), None, None, NOW))
    return made


@pytest.fixture(scope="module")
def lines(driver):
    return {line.location_id: line for line in location_report(recording(driver))}


def test_assignments_are_counted_by_location_and_queue(lines):
    near, far = lines[NEAR], lines[FAR]
    assert near.routed == 4
    assert near.queues == {"completed": 1, "failed": 1, "pending_accept": 2}
    assert near.statuses["rejected"] == 1
    assert (far.routed, far.queues) == (1, {"pending_accept": 1})  # what the other one rejected
    assert lines[STALE].routed == 0


def test_times_run_from_the_offer(lines):
    near = lines[NEAR]
    assert near.accept_ms == [HOUR]
    assert near.ship_ms == [2 * HOUR]
    assert (near.taken, near.shipped, near.units_shipped) == (1, 1, 2)
    assert near.in_time in (0, 1)


def test_stock_load_and_freshness_are_the_last_that_was_told(lines):
    near = lines[NEAR]
    assert near.items == 2
    assert near.on_hand == 16  # nine of each, two have left
    assert near.reserved == 3  # an a and a b for one order, an a for another
    assert near.available == near.on_hand - near.reserved
    assert (near.slots_used, near.slots) == (3, 100)
    assert lines[STALE].on_hand == 18


def test_a_partner_s_line_is_the_sum_of_its_locations(lines):
    (partner,) = by_partner(lines.values())
    total = summed(lines.values())
    assert (partner.partner_id, partner.locations) == ("acme|partner", 3)
    assert partner.routed == total.routed == sum(line.routed for line in lines.values()) == 5
    assert partner.queues == {"completed": 1, "failed": 1, "pending_accept": 3}
    assert (total.slots, total.accept_ms) == (sum(line.slots for line in lines.values()), [HOUR])


def test_a_span_of_time_chooses_by_the_offer(driver):
    late = {line.location_id: line.routed for line in location_report(recording(driver), since=NOW + 1)}
    early = {line.location_id: line.routed for line in location_report(recording(driver), until=NOW + 1)}
    assert (late[NEAR], late[FAR]) == (0, 1)
    assert (early[NEAR], early[FAR]) == (4, 0)


@pytest.mark.parametrize(
    ("values", "share", "found"), [([], 0.5, None), ([3], 0.95, 3), ([1, 2, 3, 4], 0.5, 3), ([5, 1], 0.95, 5)]
)
def test_percentiles(values, share, found):
    assert percentile(values, share) == found


def test_freshness_of_several_counts_the_stale_and_takes_the_oldest_word():
    total = summed([Line("a", stale=1, complete_to_at=7), Line("b", complete_to_at=5), Line("c")])
    assert (total.stale, total.complete_to_at, total.locations) == (1, 5, 3)


def run(driver, monkeypatch, *arguments):
    monkeypatch.setattr(fsn.recording, "open_recording", lambda *_: recording(driver))
    result = CliRunner().invoke(app, ["locations", *arguments], env={"COLUMNS": "260"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_shows_locations_and_partners(driver, monkeypatch):
    shown = run(driver, monkeypatch)
    for words in (NEAR, FAR, STALE, "acme|partner (3)", "all (3)", "1.0/1.0", "3/100"):
        assert words in shown
    assert NEAR not in run(driver, monkeypatch, "--partner", "acme|nobody")


def test_json_and_csv_say_the_same(driver, monkeypatch, tmp_path):
    path = tmp_path / "locations.csv"
    told = json.loads(run(driver, monkeypatch, "--json", "--csv", str(path)))
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    assert [row["location_id"] for row in rows] == [line["location_id"] for line in told["locations"]]
    near = next(line for line in told["locations"] if line["location_id"] == NEAR)
    row = next(row for row in rows if row["location_id"] == NEAR)
    assert row == {name: "" if value is None else str(value) for name, value in near.items()}
    assert (near["accept_p50_ms"], near["completed"], near["accepted"]) == (HOUR, 1, 1)
    assert told["all"]["routed"] == sum(int(row["routed"]) for row in rows) == 5


def test_what_is_no_instant_is_told(driver, monkeypatch):
    monkeypatch.setattr(fsn.recording, "open_recording", lambda *_: recording(driver))
    result = CliRunner().invoke(app, ["locations", "--since", "yesterday"])
    assert result.exit_code == 2
