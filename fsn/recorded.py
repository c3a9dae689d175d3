"""Recorded topics, one partition at a time: read committed, from an offset to the last stable one.

In: librdkafka settings, a topic and a partition. Out: `Raw` records in offset order, with headers; never more than a
batch of them in memory. Refused (`RecordedError`): a topic that is not there, and a broker that falls silent.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.machine import Raw

SILENCE_S: Final = 30.0
BATCH: Final = 2_000
CONSUME_S: Final = 0.05


class RecordedError(RuntimeError):
    """A topic cannot be read to its end."""


def partition_counts(client: Mapping[str, Any]) -> dict[str, int]:
    """Every topic of the cluster, with its number of partitions."""
    try:
        found = AdminClient(dict(client)).list_topics(timeout=SILENCE_S)
    except KafkaException as error:
        raise RecordedError(
            f"no broker answers at {client['bootstrap.servers']} ({error}): start it, or name another"
        ) from error
    return {name: len(topic.partitions) for name, topic in found.topics.items() if topic.error is None}


def read_partition(client: Mapping[str, Any], topic: str, partition: int, *, start: int = 0) -> Iterator[Raw]:
    """Every committed record from an offset to the end as it is when the end is reached."""
    consumer = Consumer(
        {
            **client,
            "group.id": "fsn-recorded",  # needed by the client; nothing is committed and no group joined
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "allow.auto.create.topics": False,
            # The embedded broker repeats aborted transactions in each answer that begins behind them: take much in one.
            "fetch.max.bytes": 1 << 28,
            "max.partition.fetch.bytes": 1 << 27,
            "receive.message.max.bytes": (1 << 28) + 512,
            "fetch.wait.max.ms": 20,
            "queued.max.messages.kbytes": 65_536,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, partition, start)])
        heard_at = time.monotonic()
        while True:
            messages = consumer.consume(BATCH, CONSUME_S)
            if messages:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > SILENCE_S:
                raise RecordedError(f"{topic}[{partition}]: the broker sent nothing for {SILENCE_S:.0f} s")
            for message in messages:
                error = message.error()
                if error is None:
                    yield Raw(
                        topic,
                        partition,
                        message.offset(),
                        message.timestamp()[1],
                        message.key(),
                        message.value(),
                        tuple(message.headers() or ()),
                    )
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
                elif not error.retriable():
                    raise RecordedError(f"{topic}[{partition}]: {error.str()}")
    finally:
        consumer.close()
