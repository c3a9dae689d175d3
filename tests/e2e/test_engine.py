"""The true worker against the embedded broker: exactly once, whatever happens to it."""

import random
import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from fsn.processes import WorkerProcess
from schemas.records.engine import Tick
from tests.e2e.workers import CODEC, create_topics, delta, producer, read_committed, wait_until

TALLY = "tests/streams/tally.yaml"
TOPICS = ("stock-snapshots", "operational-alerts", "dead-letters")


@pytest.fixture
def brokers(start_broker):
    """A broker of its own: topics keep their names, and a test's worker is the only member."""
    broker = start_broker()
    create_topics(broker.bootstrap, TALLY)
    yield broker.bootstrap
    broker.kill()


@pytest.fixture
def worker(brokers, tmp_path):
    state = tmp_path / "state"
    made = WorkerProcess(
        topology=TALLY, log_path=state / "worker.log", brokers=brokers, state_dir=state, log_format="text"
    )
    made.start()
    yield made
    made.kill()


def send(client, record, at):
    client.produce("stock-deltas", CODEC.encode(record), record.variant_id, timestamp=at)


def sums(brokers):
    """variant → (records, units) as last shown, by an independent read_committed reader."""
    shown = {}
    for message in read_committed(brokers, "stock-snapshots"):
        snapshot = CODEC.decode(message.value())
        shown[snapshot.location_id] = (snapshot.revision, snapshot.on_hand)
    return shown


def committed(brokers, topic="stock-deltas"):
    """Offsets that the group has committed, summed; 0 while a broker that has just started knows no coordinator yet."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "tally"})
    try:
        found = consumer.committed([TopicPartition(topic, number) for number in range(4)], timeout=10)
    except KafkaException:
        return 0
    finally:
        consumer.close()
    return sum(max(position.offset, 0) for position in found)


def test_killed_five_times_nothing_is_lost_and_nothing_counted_twice(brokers, worker):
    chance, client, total, expected = random.Random(7), producer(brokers), 60_000, {}
    for number in range(total):
        variant, units = f"acme|v{chance.randrange(500)}", chance.randrange(1, 9)
        records, sum_of_units = expected.get(variant, (0, 0))
        expected[variant] = (records + 1, sum_of_units + units)
        send(client, delta(number, variant, units), 1_700_000_000_000 + number)
        if number % 1_000 == 0:
            client.poll(0)
    for _ in range(5):
        worker.wait_until_ready()
        before = committed(brokers)
        wait_until(lambda before=before: committed(brokers) > before or committed(brokers) == total)
        time.sleep(chance.random() * 0.05)
        worker.kill()
        worker.start()
        client.flush()
    wait_until(lambda: committed(brokers) == total)
    worker.stop()
    assert sums(brokers) == expected


def test_a_local_store_that_is_gone_is_rebuilt_from_the_changelog(brokers, worker, tmp_path):
    client = producer(brokers)
    for number in range(2_000):
        send(client, delta(number, f"acme|v{number % 100}"), 1_700_000_000_000 + number)
    client.flush()
    wait_until(lambda: committed(brokers) == 2_000)
    worker.kill()
    for partition in range(4):
        for file in (tmp_path / "state" / "worker-1" / str(partition)).iterdir():
            file.unlink()
    worker.start()
    for number in range(2_000, 3_000):
        send(client, delta(number, f"acme|v{number % 100}"), 1_700_000_000_000 + number)
    client.flush()
    wait_until(lambda: committed(brokers) == 3_000)
    assert set(sums(brokers).values()) == {(30, 30)}


def test_an_aborted_batch_in_a_source_topic_leaves_no_trace(brokers, worker):
    worker.wait_until_ready()
    fickle = Producer({"bootstrap.servers": brokers, "transactional.id": "fickle", "partitioner": "murmur2_random"})
    fickle.init_transactions(10)
    for outcome in ("abort", "commit", "abort"):
        fickle.begin_transaction()
        for number in range(50):
            send(fickle, delta(number, f"acme|{outcome}{number % 4}"), 1_700_000_000_000)
        (fickle.commit_transaction if outcome == "commit" else fickle.abort_transaction)(10)
    client = producer(brokers)
    for number in range(40):
        send(client, delta(number, f"acme|after{number}"), 1_700_000_000_000)
    client.flush()
    wait_until(lambda: len(sums(brokers)) >= 44, 20)
    assert not [variant for variant in sums(brokers) if "abort" in variant]
    assert sum(records for records, _ in sums(brokers).values()) == 90


def test_a_timer_fires_once_although_the_worker_was_killed(brokers, worker):
    client = producer(brokers)
    for number in range(100):
        send(client, delta(number, f"acme|v{number}"), 1_700_000_000_000)
    client.flush()
    wait_until(lambda: committed(brokers) == 100)
    worker.kill()
    worker.start()
    for at in (1_700_000_059_999, 1_700_000_060_000, 1_700_000_200_000):
        for partition in range(4):
            client.produce("clock", CODEC.encode(Tick(at)), str(partition), partition, timestamp=at)
    client.flush()
    wait_until(lambda: len(read_committed(brokers, "operational-alerts")) >= 100, 30)
    alerts = [CODEC.decode(message.value()) for message in read_committed(brokers, "operational-alerts")]
    assert sorted(alert.entity_id for alert in alerts) == sorted(f"acme|v{number}" for number in range(100))


def test_bad_bytes_are_kept_with_their_reason_and_stop_nothing(brokers, worker):
    client = producer(brokers)
    client.produce("stock-deltas", b"\xff\x00garbage", "acme|v1", timestamp=1_700_000_000_000)
    client.produce("stock-deltas", b"\x00\x00\x00\xff\xff??", "acme|v1", timestamp=1_700_000_000_000)
    send(client, delta(1, "acme|v1", reason="damage"), 1_700_000_000_000)
    send(client, delta(2, "acme|v1"), 1_700_000_000_000)
    client.flush()
    wait_until(lambda: sums(brokers).get("acme|v1") == (1, 1), 30)
    letters = [CODEC.decode(message.value()) for message in read_committed(brokers, "dead-letters")]
    assert sorted(letter.reason for letter in letters) == ["INVALID_VALUE", "UNDECODABLE", "UNKNOWN_SCHEMA"]
    assert {letter.value for letter in letters} >= {b"\xff\x00garbage"}
    assert 'fsn_dead_letters_total{reason="UNDECODABLE"} 1.0' in worker.get("/metrics")[1]


def test_sigterm_ends_the_transactions_and_the_process(brokers, worker):
    worker.wait_until_ready()
    assert worker.stop() == 0
