"""`fsn staleness`: a decision lost to old stock is a loss only if what would have been promised was there."""

import json

import pytest
from typer.testing import CliRunner

import fsn.recording
from fsn.backtesting.capture import captured
from fsn.backtesting.staleness import MINUTE_MS, Reports, Win, partners_of, reports_of, wins_of
from fsn.declaration import load_topology
from fsn.staleness import app
from processors.pipeline import STAGES
from schemas.records.network import PartnerDefined
from schemas.records.stock import StockDelta
from streams.testing import TopologyDriver
from tests.fsn.explained import placed, recording
from tests.processors.routing.world import ACCOUNT, DAY, NOW, VARIANT, location, network

HOUR = 3_600_000
OLD, NEAR = "acme|loc_old", "acme|loc_near"
OTHERS = "acme|partner_old"


def delta(place, quantity, *, sequence, at, reason="receipt"):
    return StockDelta(f"{place}|feed", place, "acme|var_a", None, "a", sequence, None, quantity, reason, None, at)


def day(*, gone):
    """The old location is cheaper, but silent for an hour; what it says later happened while it was silent."""
    driver = TopologyDriver(load_topology(clock="external"), STAGES, start_at=NOW - DAY)
    made = network(location("near", handling_cost_minor=1_500), location("old", partner_id=OTHERS))
    for records in (made.merchants, made.partners, made.locations, made.feeds):
        driver.publish(*records.values())
    driver.publish(PartnerDefined(OTHERS, "Others", "DE", 15 * MINUTE_MS), ACCOUNT, VARIANT)
    driver.tick(NOW - HOUR)
    driver.send("stock-deltas", "acme|var_a", delta(OLD, 9, sequence=1, at=NOW - HOUR))
    driver.tick(NOW)
    driver.send("stock-deltas", "acme|var_a", delta(NEAR, 9, sequence=1, at=NOW))
    for number in range(3):
        order_id = f"acme|shop|{number}"
        driver.send("orders", order_id, placed(order_id, ("a", 2)))
    driver.tick(NOW + HOUR)
    driver.send("stock-deltas", "acme|var_a", delta(OLD, -gone, sequence=2, at=NOW - 1, reason="sale"), at=NOW + HOUR)
    return driver


def wins(driver, folder):
    made = recording(driver)
    return wins_of(captured(made, folder, lambda *_: None), reports_of(made))


@pytest.mark.parametrize(("gone", "wrong"), [(3, False), (8, True)])
def test_a_lost_decision_is_found_and_judged_by_what_came_later(tmp_path, gone, wrong):
    found = wins(day(gone=gone), tmp_path)
    assert len(found) == 3
    for win in found:
        assert (win.partner_id, win.location_id, win.wrong) == (OTHERS, OLD, wrong)
        assert win.age_ms == HOUR
        assert win.limit_ms == 15 * MINUTE_MS
        assert win.saved_minor == 1_400  # 1,500 of handling instead of 100
    (partner,) = partners_of(found, short_costs=5)
    assert (partner.wins, partner.lost, partner.lost_wrong) == (3, 3, 3 * wrong)
    assert partner.saved_minor == ({} if wrong else {"EUR": 3 * 1_400})
    assert partner.best_ms == (5 if wrong else 60) * MINUTE_MS


def win(age_min, *, wrong=False, saved=10, partner_id="p", limit_min=15, currency="EUR"):
    return Win(partner_id, "l", "o", age_min * MINUTE_MS, limit_min * MINUTE_MS, wrong, saved, currency)


def test_each_limit_trades_lost_decisions_against_wrong_ones():
    (partner,) = partners_of(
        [win(1), win(12), win(18), win(18, wrong=True), win(50), win(300, saved=None)], short_costs=2
    )
    at = {one.limit_ms // MINUTE_MS: (one.lost, one.wrong) for one in partner.at}
    assert (at[5], at[15], at[20], at[60], at[240]) == ((4, 0), (3, 0), (2, 1), (1, 1), (1, 1))
    assert (partner.lost, partner.lost_wrong, partner.unrouted, partner.saved_minor) == (4, 1, 1, {"EUR": 20})
    assert partner.limits_ms == (15 * MINUTE_MS,)


@pytest.mark.parametrize(("short_costs", "best_min"), [(0, 60), (1, 60), (2, 15), (50, 15)])
def test_the_best_limit_depends_on_what_a_short_pick_costs(short_costs, best_min):
    (partner,) = partners_of([win(12), win(18), win(18, wrong=True), win(50)], short_costs=short_costs)
    assert partner.best_ms == best_min * MINUTE_MS


def test_currencies_are_never_added_up():
    wins = [win(20), win(20, currency="PLN", saved=7), win(20, currency="PLN", saved=-2)]
    (partner,) = partners_of(wins, short_costs=5)
    assert partner.saved_minor == {"EUR": 10, "PLN": 5}


def test_partners_come_by_what_they_lose():
    partners = partners_of([win(1, partner_id="a"), win(20, partner_id="b"), win(20, partner_id="c")], short_costs=5)
    assert [one.partner_id for one in partners] == ["b", "c", "a"]


def test_what_came_later_and_had_happened_before_is_what_nobody_knew():
    place = "acme|var_a", OLD
    reports = Reports(
        [
            (10, delta(OLD, 5, sequence=1, at=5)),
            (30, delta(OLD, -2, sequence=2, at=15)),
            (40, delta(OLD, -1, sequence=3, at=35)),
            (50, delta(OLD, -7, sequence=4, at=16, reason="shipment")),
            (20, delta(OLD, -4, sequence=5, at=18)),
        ]
    )
    assert [reports.unknown(place, at) for at in (4, 5, 12, 19, 20, 29, 30, 39, 40)] == [0, 5, 0, -6, -2, -2, 0, -1, 0]
    assert reports.unknown(("acme|var_b", OLD), 20) == 0


def run(monkeypatch, tmp_path, *arguments):
    monkeypatch.setattr(fsn.recording, "open_recording", lambda *_: recording(day(gone=3)))
    result = CliRunner().invoke(app, ["--keep", str(tmp_path), *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_shows_a_line_per_partner(monkeypatch, tmp_path):
    shown = run(monkeypatch, tmp_path)
    assert OTHERS in shown
    assert "60 min" in shown
    assert "42.00 EUR" in shown
    told = json.loads(run(monkeypatch, tmp_path, "--json"))
    assert (told[0]["partner_id"], told[0]["lost"], told[0]["best_ms"]) == (OTHERS, 3, HOUR)


def test_a_run_without_decisions_has_no_lines(monkeypatch, tmp_path):
    empty = TopologyDriver(load_topology(clock="external"), STAGES, start_at=NOW)
    monkeypatch.setattr(fsn.recording, "open_recording", lambda *_: recording(empty))
    result = CliRunner().invoke(app, ["--keep", str(tmp_path)])
    assert result.exit_code == 0, result.output
