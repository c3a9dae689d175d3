"""A long silence, then one record: connections, producer ids and transactional ids have expired meanwhile."""

import time

import pytest

from fsn.processes import WorkerProcess
from ops.kafka.cluster import Cluster
from schemas.records.stock import StockDelta
from tests.e2e.workers import CODEC, create_topics, producer, read_committed

TALLY = "tests/streams/tally.yaml"
FORGOTTEN_AFTER_MS = 8_000
SILENCE_S = 25.0
EXPIRY = {
    "connections.max.idle.ms": FORGOTTEN_AFTER_MS,
    "producer.id.expiration.ms": FORGOTTEN_AFTER_MS,
    "producer.id.expiration.check.interval.ms": 1_000,
    "transactional.id.expiration.ms": FORGOTTEN_AFTER_MS,
    "transaction.remove.expired.transaction.cleanup.interval.ms": 1_000,
}

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(300)]


def test_one_record_after_a_long_silence_is_processed_once(tmp_path):
    cluster = Cluster(tmp_path / "kafka", settings=EXPIRY)
    brokers = cluster.start()
    create_topics(brokers, TALLY)
    worker = WorkerProcess(
        topology=TALLY, log_path=tmp_path / "worker.log", brokers=brokers, state_dir=tmp_path, log_format="text"
    )
    with worker:
        worker.wait_until_ready()
        for number in (1, 2):
            send(brokers, number)
            wait_until(lambda number=number: shown(brokers) == (number, number), worker)
            time.sleep(SILENCE_S if number == 1 else 0)
    cluster.kill()


def send(brokers, number):
    client = producer(brokers)
    record = StockDelta("f", "acme|v", "acme|v", None, "s", number, None, 1, "receipt", None, number)
    client.produce("stock-deltas", CODEC.encode(record), "acme|v", timestamp=1_700_000_000_000)
    assert client.flush(30) == 0


def shown(brokers):
    """(records, units) as last shown."""
    found = [CODEC.decode(message.value()) for message in read_committed(brokers, "stock-snapshots")]
    return (found[-1].revision, found[-1].on_hand) if found else (0, 0)


def wait_until(done, worker):
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, worker.said()
        time.sleep(0.5)
