"""Given its manifests, a task re-emits its outputs byte for byte."""

import random

from schemas.codec import Codec
from schemas.records.stock import StockDelta
from schemas.topology import load
from streams.replay import replay
from streams.testing import TopologyDriver
from tests.streams import tally

TOPOLOGY = load("tests/streams/tally.yaml")
CODEC = Codec()


def recorded_run(seed):
    chance = random.Random(seed)
    driver = TopologyDriver(TOPOLOGY, [tally.STAGE], start_at=1_000)
    driver.publish()
    for number in range(300):
        variant = f"acme|v{chance.randrange(20)}"
        reason = chance.choice(["receipt", "receipt", "damage", "crash"])
        record = StockDelta("f", variant, variant, None, "s", number, None, chance.randrange(9), reason, None, 0)
        at = 1_000 + number * 700 - chance.randrange(2_000)
        driver._append(
            "stock-deltas", driver._partition_of(variant.encode()), variant.encode(), CODEC.encode(record), at
        )
        if chance.random() < 0.2:
            driver.run()
        if chance.random() < 0.1:
            driver.tick(1_000 + number * 700)
    driver.run()
    return driver


def replayed(driver, partition, logs=None):
    logs = logs or {topic: driver.logs[topic, partition] for topic in TOPOLOGY.source_topics}
    manifests = [CODEC.decode(raw.value) for raw in driver.logs["task-manifests", partition]]
    return list(
        replay(TOPOLOGY, [tally.STAGE], partition=partition, logs=logs, manifests=manifests, network=driver.network)
    )


def test_every_transaction_replays_to_the_same_bytes():
    for seed in range(5):
        driver = recorded_run(seed)
        for partition in range(TOPOLOGY.partitions):
            outcome = replayed(driver, partition)
            assert len(outcome) > 10
            assert all(transaction.matches for transaction in outcome)


def test_headers_replay_too():
    driver = recorded_run(1)
    recorded = [raw.headers for part in range(4) for raw in driver.logs["dead-letters", part]]
    replayed_outputs = [
        output for part in range(4) for step in replayed(driver, part) for output in step.computed.outputs
    ]
    again = [output.headers for output in replayed_outputs if output.topic == "dead-letters"]
    assert sorted(again) == sorted(recorded)
    assert len(set(again)) == len(again) > 20


def test_ticks_that_leave_timers_for_later_ones_replay_too(monkeypatch):
    monkeypatch.setattr("streams.unit.TIMERS_PER_TICK", 1)
    driver = recorded_run(3)
    for later in range(10):
        driver.tick(500_000 + later)
    assert all(transaction.matches for part in range(TOPOLOGY.partitions) for transaction in replayed(driver, part))


def test_a_changed_input_is_noticed():
    driver = recorded_run(0)
    logs = {topic: list(driver.logs[topic, 0]) for topic in TOPOLOGY.source_topics}
    index, raw = next((i, raw) for i, raw in enumerate(logs["stock-deltas"]) if b"receipt" in raw.value)
    changed = CODEC.decode(raw.value)
    value = CODEC.encode(
        StockDelta(
            *[
                *(getattr(changed, field) for field in changed.__struct_fields__[:7]),
                changed.quantity + 1,
                "receipt",
                None,
                0,
            ]
        )
    )
    logs["stock-deltas"][index] = type(raw)(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, value)
    assert not all(transaction.matches for transaction in replayed(driver, 0, logs))
