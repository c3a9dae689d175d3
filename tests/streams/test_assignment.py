"""What must hold before a task reads positions and tables: every transaction of its predecessor has ended in the log."""

import threading
from types import SimpleNamespace

import pytest
from confluent_kafka import Producer

from streams import assignment
from streams.assignment import check_ended
from streams.errors import HangingTransaction
from tests.e2e.workers import create_topics

TALLY = "tests/streams/tally.yaml"


@pytest.fixture(scope="module")
def runtime(start_broker):
    brokers = start_broker().bootstrap
    create_topics(brokers, TALLY)
    return SimpleNamespace(client={"bootstrap.servers": brokers}, group_id="tally")


@pytest.fixture
def unended(runtime):
    """A transaction as Kafka leaves one whose end it lost: open in the log, and nobody is going to end it."""
    made = Producer({**runtime.client, "transactional.id": "lost", "partitioner": "murmur2_random"})
    made.init_transactions(10)
    made.begin_transaction()
    yield made
    made.abort_transaction(10)


@pytest.mark.parametrize("topic", ["changelog", "task-manifests"])
def test_a_transaction_without_an_end_is_named_and_nothing_begins(runtime, unended, topic, monkeypatch):
    monkeypatch.setattr(assignment, "ENDED_WITHIN_S", 0.3)
    check_ended(runtime, 2)
    unended.produce(topic, b"v", b"k", 2)
    unended.flush(10)
    check_ended(runtime, 1)
    with pytest.raises(HangingTransaction, match=rf"{topic}/2: the transaction at offset \d+ is still open"):
        check_ended(runtime, 2)


def test_an_end_that_is_only_late_is_waited_for(runtime, unended):
    unended.produce("changelog", b"v", b"k", 3)
    unended.flush(10)
    ended = []

    def end():
        ended.append(True)
        unended.abort_transaction(10)
        unended.begin_transaction()

    later = threading.Timer(0.5, end)
    later.start()
    check_ended(runtime, 3)
    assert ended
    later.join()
