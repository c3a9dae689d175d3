"""`fsn backtest`: what was captured is proven, the recorded rules give the recorded plans, and a known change a known difference."""

import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

import fsn.recording
from fsn.backtest import app
from fsn.backtesting import capture as capturing
from fsn.backtesting.capture import captured, place, read, shared_of
from fsn.backtesting.comparing import compare
from fsn.backtesting.evaluating import Found, Pair, evaluate_all, of_orders
from fsn.backtesting.plots import draw
from fsn.rule_documents import DocumentError
from processors.rules import DEFAULT_RULES, Rules
from tests.fsn.explained import ONE_HOP, TWO_VARIANTS, recorded, recording

NEAR, FAR = "acme|loc_near", "acme|loc_far"


@pytest.fixture(scope="module")
def driver():
    return recorded()


@pytest.fixture(scope="module")
def capture(driver, tmp_path_factory):
    return captured(recording(driver), tmp_path_factory.mktemp("kept"), lambda *_: None)


def tried(capture, rules, **given):
    return evaluate_all(capture, rules, progress=lambda _: None, processes=1, **given)


def by_order(pairs):
    return {pair.order_id: pair for pair in of_orders(pairs)}


def test_every_evaluation_is_captured_and_proven(driver, capture):
    shared = shared_of(capture)
    audits = driver.read("routing-audits")
    assert shared.evaluations == len(audits) == len(list(read(capture.path))) > 5
    assert (shared.left_out, shared.unproven) == (0, 0)


def test_the_recorded_rules_give_the_recorded_plans(driver, capture):
    decisions = {(one.order_id, one.attempt): one for one in driver.read("routing-decisions")}
    pairs = tried(capture, DEFAULT_RULES)
    assert all(pair.same for pair in pairs)
    assert [pair.new for pair in pairs] == [pair.old for pair in pairs]
    for pair in pairs:
        decision = decisions.get((pair.order_id, pair.attempt))
        if decision is not None and decision.supersedes is None:
            assert pair.old.cost_minor == decision.plan.cost_minor
            assert pair.old.locations == tuple(part.location_id for part in decision.plan.parts)


def test_a_preference_moves_every_order_to_the_preferred_place(capture):
    found = by_order(tried(capture, Rules(channel_preferences={"shop": (FAR,)})))
    for order_id in (ONE_HOP, TWO_VARIANTS):
        assert (found[order_id].old.locations, found[order_id].new.locations) == ((NEAR,), (FAR,))
        assert not found[order_id].same
    comparison = compare(found.values())
    assert comparison.both == comparison.old.shipments == comparison.new.shipments
    assert comparison.new.distance_m > comparison.old.distance_m
    assert comparison.same < comparison.both


def test_rules_that_exclude_everybody_route_nothing_more(capture):
    comparison = compare(of_orders(tried(capture, Rules(forbidden_countries=(("DE", "DE"),)))))
    assert (comparison.both, comparison.only_new) == (0, 0)
    assert comparison.only_old == sum(comparison.reasons.values()) > 0
    assert comparison.neither >= 1


def test_what_the_new_rules_would_have_asked_further_is_told(tmp_path):
    narrow = recorded(Rules(max_distance_m=100_000))
    kept = captured(recording(narrow), tmp_path, lambda *_: None)
    wide = by_order(tried(kept, DEFAULT_RULES))
    assert wide[ONE_HOP].unasked
    assert wide[ONE_HOP].new.locations == (NEAR,)  # among those that were asked
    assert compare(wide.values()).unasked == len(wide)
    assert not any(pair.unasked for pair in tried(kept, Rules(max_distance_m=100_000)))


def test_only_the_orders_of_a_rule_set_are_tried(capture):
    assert tried(capture, DEFAULT_RULES, rule_set_ids=("acme|others",)) == []
    assert tried(capture, DEFAULT_RULES, rule_set_ids=("acme|rules",)) == tried(capture, DEFAULT_RULES)


def test_several_processes_find_what_one_finds(capture, monkeypatch):
    monkeypatch.setattr("fsn.backtesting.evaluating.CHUNK", 3)
    rules = Rules(weight_distance=9)
    alone = tried(capture, rules)
    monkeypatch.undo()
    together = evaluate_all(capture, rules, progress=lambda _: None, processes=2)
    assert together == alone


def test_a_capture_is_kept_until_the_run_goes_on(driver, capture, monkeypatch):
    folder = capture.path.parent
    monkeypatch.setattr(capturing, "capture", None)  # whoever captures again fails
    assert captured(recording(driver), folder, lambda *_: None) == capture
    longer = recorded()
    longer.tick(longer.now_at + 60_000)
    assert not place(recording(longer), folder).is_there


def test_a_capture_cut_short_is_no_capture(driver, tmp_path):
    found = place(recording(driver), tmp_path)
    found.path.write_bytes(b"half")
    assert not found.is_there
    assert captured(recording(driver), tmp_path, lambda *_: None).is_there


def test_transactions_that_are_not_repeated_are_left_out(driver, tmp_path):
    logs = {key: list(log) for key, log in driver.logs.items()}
    try:
        for key in [key for key in driver.logs if key[0] == "task-manifests"]:
            log = driver.logs[key]
            for index, raw in enumerate(log):
                manifest = msgspec.structs.replace(driver.codec.decode(raw.value), outputs_digest="0" * 40)
                log[index] = msgspec.structs.replace(raw, value=driver.codec.encode(manifest))
        shared = shared_of(captured(recording(driver), tmp_path, lambda *_: None))
    finally:
        for key, log in logs.items():
            driver.logs[key][:] = log
    assert (shared.evaluations, shared.unproven) == (0, 0)
    assert shared.left_out > 5


def pair(order_id="o", old=100, new=100, *, attempt=1, same=False, unasked=False, slack=(3, 3)):
    sides = [
        Found("routed", cost, 1, 1_000 * index, slack[index - 1], {f"p{index}": 2}, (f"l{index}",))
        if cost
        else Found("no_stock")
        for index, cost in ((1, old), (2, new))
    ]
    return Pair(order_id, attempt, "m", "EUR", *sides, same, unasked)


def test_sums_are_of_orders_that_both_route():
    comparison = compare(
        [
            pair("a", 100, 90),
            pair("b", 100, None),
            pair("c", None, 70),
            pair("d", None, None),
            pair("e", 5, 5, same=True),
        ]
    )
    counts = (comparison.orders, comparison.both, comparison.only_old, comparison.only_new, comparison.neither)
    assert counts == (5, 2, 1, 1, 1)
    assert (comparison.old.cost_minor["EUR"], comparison.new.cost_minor["EUR"]) == (105, 95)
    assert (comparison.old.units, comparison.new.units) == ({"p1": 4}, {"p2": 4})
    assert (comparison.same, comparison.reasons) == (1, {"no_stock": 1})
    assert [one.order_id for one in comparison.examples] == ["a"]


def test_lateness_counts_promises_alone():
    comparison = compare([pair("a", slack=(5, -1)), pair("b", slack=(None, None))])
    assert (comparison.promised, comparison.old.late, comparison.new.late) == (1, 0, 1)
    assert (comparison.old.slack_ms, comparison.new.slack_ms) == (5, -1)


def test_an_order_counts_once_by_the_evaluation_that_found_a_plan():
    pairs = [pair("a", None, 1, attempt=1), pair("a", 3, 4, attempt=3), pair("a", 2, 9, attempt=2), pair("b", None, 5)]
    assert [(one.order_id, one.attempt) for one in of_orders(pairs)] == [("a", 2), ("b", 1)]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_same_comparison_draws_the_same_images(capture, tmp_path, kind):
    pairs = list(of_orders(tried(capture, Rules(channel_preferences={"shop": (FAR,)}))))
    first = draw(pairs, compare(pairs), tmp_path / "a", kind=kind)
    second = draw(pairs, compare(pairs), tmp_path / "b", kind=kind)
    assert [path.name for path in first] == [f"cost.{kind}", f"distance.{kind}", f"partners.{kind}"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert all(path.stat().st_size > 1_000 for path in first)


def test_nothing_to_compare_draws_empty_plots(tmp_path):
    assert len(draw([], compare([]), tmp_path, kind="png")) == 3


def command(driver, monkeypatch, tmp_path, *arguments, text="channel_preferences: {shop: [acme|loc_far]}\n"):
    monkeypatch.setattr(fsn.recording, "open_recording", lambda *_: recording(driver))
    rules = tmp_path / "new.yaml"
    rules.write_text(text, "utf-8")
    given = ["--rules", str(rules), "--keep", str(tmp_path / "kept"), "--processes", "1", *arguments]
    return CliRunner().invoke(app, given, env={"COLUMNS": "160"})


def test_the_command_shows_what_would_differ(driver, monkeypatch, tmp_path):
    result = command(driver, monkeypatch, tmp_path, "--plots", str(tmp_path / "plots"), "--format", "svg")
    assert result.exit_code == 0, result.output
    for words in ("routed by both", "km a shipment", "acme|partner", "loc_near", "loc_far", "byte for byte", "drawn:"):
        assert words in result.output
    assert "\x1b[31m" not in result.output
    assert len(list(Path(tmp_path / "plots").glob("*.svg"))) == 3


def test_the_command_s_json(driver, monkeypatch, tmp_path):
    result = command(driver, monkeypatch, tmp_path, "--json")
    told = json.loads(result.stdout)
    assert told["orders"] == told["both"] + told["only_old"] + told["only_new"] + told["neither"]
    assert (told["left_out"], told["unproven"]) == (0, 0)
    assert told["evaluations"] == told["proven"]


def test_rules_that_are_wrong_are_told_before_anything_is_read(driver, monkeypatch, tmp_path):
    result = command(driver, monkeypatch, tmp_path, text="weigth_cost: 1\n")
    assert isinstance(result.exception, DocumentError)
    assert "did you mean weight_cost" in str(result.exception)
    assert not (tmp_path / "kept").exists()
