"""`fsn replay`: a recorded run repeats; what was changed in it is found, shown, and where it was."""

import json

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

import fsn.recording
from fsn.replay import app
from fsn.replaying import SetHash, comparable, replay_run
from processors.rules import Rules
from streams.machine import Raw
from tests.fsn.explained import recorded, recording


@pytest.fixture(scope="module")
def driver():
    return recorded()


def run(driver, **given):
    return replay_run(recording(driver), progress=lambda *_: None, **given)


def changed(driver, topic, change):
    """The driver's logs with the first record of a topic otherwise."""
    place = next(place for place in sorted(driver.logs) if place[0] == topic and driver.logs[place])
    log = driver.logs[place]
    original, log[0] = log[0], change(log[0])
    return log, original


def test_a_run_repeats(driver):
    result = run(driver)
    assert result.same
    assert result.difference is None
    assert sum(task.transactions for task in result.tasks) > 20
    topics = {topic.topic: topic for topic in result.topics}
    assert topics["routing-decisions"].records == topics["routing-decisions"].replayed_records > 3
    assert {"order-events", "task-manifests", "stock-offers", "feed-status", "dead-letters"} <= set(topics)


def test_a_run_with_shadow_rules_repeats_and_decides_as_without_them():
    shadowed, alone = (recorded(Rules(), shadow=shadow) for shadow in (Rules(weight_distance=9), None))
    topics = {topic.topic: topic for topic in run(shadowed).topics}
    assert topics["shadow-decisions"].same
    assert topics["shadow-decisions"].records > 3
    assert run(shadowed).same
    plans = [[(one.order_id, one.attempt, one.plan) for one in decisions(driver)] for driver in (shadowed, alone)]
    assert plans[0] == plans[1] != []


def decisions(driver):
    made = recording(driver)
    return [one for partition in range(4) for _, one in made.decoded("routing-decisions", partition)]


def test_only_what_tasks_alone_write_is_compared(driver):
    known = comparable(recording(driver))
    assert not {"orders", "stock-deltas", "stock-snapshots", "clock", "network", "changelog"} & set(known)


@pytest.mark.parametrize("topic", ["routing-decisions", "task-manifests"])
def test_a_changed_output_is_found(driver, topic):
    def other(raw):
        if topic == "routing-decisions":
            return replace(raw, value=raw.value[:-1] + bytes([raw.value[-1] ^ 2]))
        manifest = driver.codec.decode(raw.value)
        return replace(raw, value=driver.codec.encode(replace(manifest, outputs_digest="0" * 40)))

    log, original = changed(driver, topic, other)
    try:
        result = run(driver)
    finally:
        log[0] = original
    assert not result.same
    assert [found.topic for found in result.topics if not found.same] == [topic]
    assert (result.difference is not None) is (topic == "task-manifests")


def test_a_changed_input_is_shown_from_both_sides(driver):
    def more(raw):
        delta = driver.codec.decode(raw.value)
        return replace(raw, value=driver.codec.encode(replace(delta, quantity=delta.quantity + 1)))

    log, original = changed(driver, "stock-deltas", more)
    try:
        result = run(driver)
    finally:
        log[0] = original
    assert not result.same
    assert any(part.startswith("stock-deltas[") for part in result.difference.consumed)
    assert any("on_hand=10" in line for line in result.difference.emits)
    assert any("on_hand=9" in line for line in result.difference.recorded)


def test_a_part_is_replayed_by_its_manifests_alone(driver):
    result = run(driver, partitions=[2])
    assert [task.partition for task in result.tasks] == [2]
    assert (result.topics, result.same) == ((), True)


def test_topics_may_be_chosen(driver):
    assert [found.topic for found in run(driver, topics=["routing-audits"]).topics] == ["routing-audits"]


def test_a_log_that_was_cut_is_named(driver):
    result = replay_run(recording(driver, lost=1), progress=lambda *_: None)
    assert not result.same
    assert result.topics == ()
    assert any("no offset 0 any more" in task.problem for task in result.tasks)


def test_an_operators_mark_is_no_output(driver):
    log = driver.logs["dead-letters", 0]
    log.append(Raw("dead-letters", 0, len(log), 1, b"orders|0|1", None, ()))
    try:
        assert run(driver, topics=["dead-letters"]).same
    finally:
        log.pop()


def test_a_set_has_one_hash_and_any_change_another():
    records = [Raw("t", 0, at, at, b"k", b"v", (("h", b"1"),)) for at in range(3)]

    def of(found):
        one = SetHash()
        for raw in found:
            one.add(raw)
        return one.hex

    assert of(records) == of(records[::-1])
    for other in ({"key": b"l"}, {"value": b"w"}, {"timestamp": 9}, {"headers": (("h", b"2"),)}, {"headers": ()}):
        assert of([*records[:2], replace(records[2], **other)]) != of(records)
    assert of(records[:2]) != of(records)


@pytest.fixture
def command(driver, monkeypatch):
    monkeypatch.setattr(fsn.recording, "open_recording", lambda *_: recording(driver))
    return lambda *arguments: CliRunner().invoke(app, list(arguments), env={"COLUMNS": "140"})


def test_the_command_says_that_the_run_repeats(command):
    result = command()
    assert result.exit_code == 0, result.output
    assert "The run repeats byte for byte." in result.output


def test_the_command_says_what_differs(command, driver):
    log, original = changed(driver, "stock-deltas", lambda raw: replace(raw, value=b"garbage"))
    try:
        result = command("--partition", "0", "--partition", "1", "--partition", "2", "--partition", "3")
    finally:
        log[0] = original
    assert result.exit_code == 1
    assert "first difference: partition" in result.output
    assert "The run does not repeat." in result.output


def test_as_json(command):
    found = json.loads(command("--json", "--partition", "1").stdout)
    assert (found["same"], found["tasks"][0]["partition"]) == (True, 1)
    assert "Topics are compared when" in command("--partition", "1").output


@pytest.mark.parametrize("wrong", [("--partition", "9"), ("--topic", "orders"), ("--topic", "nothing")])
def test_what_is_not_there_is_said(command, wrong):
    assert command(*wrong).exit_code == 2
