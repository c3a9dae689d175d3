"""The three outcomes of a transaction, against the embedded broker; and why librdkafka holds them."""

import threading
import time
import uuid

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from streams import transaction
from streams.changelog import now_ms, restore
from streams.errors import TransactionAborted, TransactionFenced, TransactionUnknown
from streams.store import LAYOUT_VERSION, LocalStore, StoreMeta
from streams.transaction import TaskProducer
from streams.unit import Output
from tests.e2e.workers import read_committed


@pytest.fixture
def topic(broker):
    name = f"t-{uuid.uuid4().hex[:10]}"
    settings = {"max.message.bytes": "2000", "retention.ms": "-1"}
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(name, 1, 1, config=settings)])[name].result()
    return name


@pytest.fixture
def producer(broker, topic):
    made = TaskProducer({"bootstrap.servers": broker}, f"id-{topic}", f"group-{topic}")
    made.initialize()
    yield made
    made.close()


def output(topic, value=b"v"):
    return Output(topic, b"k", value, 1_000, 0)


def commit(producer, offsets):
    producer.send_offsets(offsets, 0)
    producer.commit()


def values(broker, topic):
    return [message.value() for message in read_committed(broker, topic, 1)]


def test_a_refused_record_aborts_its_whole_transaction(broker, topic, producer):
    """aiokafka's commit succeeds here although a record was refused: offsets move, output is lost."""
    producer.begin()
    producer.send([output(topic, b"good"), output(topic, b"x" * 5_000)])
    with pytest.raises(TransactionAborted):
        commit(producer, {topic: 5})
    producer.abort()
    assert values(broker, topic) == []


def test_a_transaction_larger_than_its_topics_batches_commits(broker, topic):
    """Kafka holds the whole batch against max.message.bytes, here 2,000."""
    made = TaskProducer({"bootstrap.servers": broker}, f"id-{topic}", f"group-{topic}", batch_bytes=1_000)
    made.initialize()
    made.begin()
    made.send([output(topic, b"x" * 100)] * 100)
    commit(made, {topic: 5})
    made.close()
    assert len(values(broker, topic)) == 100


def test_leaders_that_are_known_are_not_waited_for(topic, producer):
    started = time.monotonic()
    producer.await_leaders([topic])
    assert time.monotonic() - started < transaction.LEADERS_WITHIN_S / 2


def test_a_topic_that_the_broker_does_not_know_yet_is_waited_for(broker, topic, producer):
    late = f"{topic}-late"
    waiting = threading.Thread(target=producer.await_leaders, args=([topic, late],), daemon=True)
    waiting.start()
    waiting.join(1.0)
    assert waiting.is_alive()
    admin = AdminClient({"bootstrap.servers": broker})  # dropped, it would cancel its request
    admin.create_topics([NewTopic(late, 2, 1)])[late].result()
    waiting.join(transaction.LEADERS_WITHIN_S / 2)
    assert not waiting.is_alive()


def test_nobody_is_fenced_where_leaders_stay_unknown(topic, producer, monkeypatch):
    monkeypatch.setattr(transaction, "LEADERS_WITHIN_S", 0.5)
    started = time.monotonic()
    with pytest.raises(TransactionUnknown, match="no broker knows a leader of every partition"):
        producer.await_leaders([f"{topic}-never"])
    assert 0.5 <= time.monotonic() - started < 5


def test_the_predecessor_is_fenced_and_its_open_transaction_ends(broker, topic, producer):
    producer.begin()
    producer.send([output(topic, b"zombie")])
    successor = TaskProducer({"bootstrap.servers": broker}, f"id-{topic}", f"group-{topic}")
    successor.initialize()
    with pytest.raises(TransactionFenced):
        commit(producer, {topic: 1})
    successor.begin()
    successor.send([output(topic, b"heir")])
    commit(successor, {topic: 1})
    assert values(broker, topic) == [b"heir"]
    successor.close()


def test_the_commit_tells_the_position_after_its_last_row(topic, producer):
    producer.begin()
    producer.send_rows(topic, 0, [(b"a", b"1"), (b"b", None), (b"c", b"3")])
    assert producer.commit() == 3
    producer.begin()
    producer.send([output(topic)])
    assert producer.commit() is None


class TestRestore:
    @pytest.fixture
    def store(self, tmp_path):
        made = LocalStore(tmp_path / "0")
        yield made
        made.close()

    def restored(self, broker, topic, store, position=0):
        meta = StoreMeta(topic, 1, LAYOUT_VERSION, position, now_ms())
        return restore({"bootstrap.servers": broker}, store, meta, topic=topic, partition=0)

    def test_an_empty_changelog_is_restored_at_once(self, broker, topic, store):
        assert self.restored(broker, topic, store).position == 0

    def test_only_committed_rows_come_back(self, broker, topic, producer, store):
        producer.begin()
        producer.send_rows(topic, 0, [(b"t|a", b"1"), (b"t|b", b"1")])
        producer.commit()
        producer.begin()
        producer.send_rows(topic, 0, [(b"t|a", b"2")])
        producer.abort()
        producer.begin()
        producer.send_rows(topic, 0, [(b"t|b", None)])
        producer.commit()
        self.restored(broker, topic, store)
        assert list(store.rows()) == [(b"t|a", b"1")]

    def test_a_changelog_of_transaction_markers_only_ends(self, broker, topic, producer, store):
        """Waiting for a record instead of a position would hang here."""
        for _ in range(3):
            producer.begin()
            producer.send_rows(topic, 0, [(b"t|a", b"1")])
            producer._producer.flush(5)  # else the abort would take them back unsent
            producer.abort()
        assert self.restored(broker, topic, store).position > 0
        assert list(store.rows()) == []

    def test_a_store_ahead_of_the_log_is_recognised(self, broker, topic, store):
        assert self.restored(broker, topic, store, position=50) is None
