"""A reader that starts, or goes on, behind an abort still sees what that producer committed since."""

import asyncio
import uuid

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.fetcher import PatientConsumer
from streams.inbox import TopicPartition

SEEN = {0: b"ok", 1: b"ok", 2: b"ok", 8: b"new", 9: b"new", 10: b"new", 12: b"newer", 13: b"newer", 14: b"newer"}


def producer(broker, name):
    made = Producer({"bootstrap.servers": broker, "transactional.id": name})
    made.init_transactions(10)
    return made


def write(client, topic, value):
    client.begin_transaction()
    for _ in range(3):
        client.produce(topic, value, b"k", 0)


@pytest.fixture(scope="module")
def topic(broker):
    """0–2 committed, 4–6 aborted by a successor (marker 7), 8–10 and 12–14 committed by it under the same id."""
    name = f"aborted-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result()
    first = producer(broker, name)
    write(first, name, b"ok")
    first.commit_transaction(10)
    write(first, name, b"bad")
    first.flush(5)
    successor = producer(broker, name)
    for value in (b"new", b"newer"):
        write(successor, name, value)
        successor.commit_transaction(10)
    return name


async def read(broker, topic, start):
    consumer = PatientConsumer(bootstrap_servers=broker, isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        consumer.seek(place, start)
        fetched = await consumer.getmany(timeout_ms=2_000)
        return {record.offset: record.value for batch in fetched.values() for record in batch}
    finally:
        await consumer.stop()


@pytest.mark.parametrize("start", [0, 2, 4, 5, 6, 7, 8, 9, 11, 12])
def test_every_committed_record_is_read_from_wherever_one_starts(broker, topic, start):
    expected = {offset: value for offset, value in SEEN.items() if offset >= start}
    assert asyncio.run(read(broker, topic, start)) == expected
