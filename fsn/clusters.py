"""One side of a move between clusters: what it holds, who is alive there, and how a topic is written to it.

In: librdkafka settings. Out: ends, members and committed offsets of a cluster; records written in order, once, and in the
log when the writer closes. Refused (`RepartitionError`): a group with members, and a cluster that takes or deletes nothing.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from fsn.recorded import read_partition
from schemas.topology import TopicSpec
from streams.errors import RepartitionError
from streams.machine import Raw
from streams.repartition import carried

TIMEOUT_S: Final = 30.0
_RETRY_S: Final = 0.2
_NOT_KNOWN_YET: Final = {
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
_NO_COORDINATOR_YET: Final = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}


class Cluster:
    """One side: its address, and who is alive there."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        self.client = dict(client)
        self.name = str(client["bootstrap.servers"])
        self.admin = AdminClient(self.client)
        self._consumer = Consumer({**self.client, "group.id": "fsn-repartition", "isolation.level": "read_committed"})

    def ends(self, topic: str, partitions: int) -> list[int]:
        """Last stable offset of each partition."""
        return [self._end(TopicPartition(topic, number)) for number in range(partitions)]

    def _end(self, place: TopicPartition) -> int:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return int(self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)[1])
            except KafkaException as error:
                # A topic just made is not known to every client at once.
                if error.args[0].code() not in _NOT_KNOWN_YET or time.monotonic() > deadline:
                    raise RepartitionError(f"{place.topic}[{place.partition}] on {self.name}: {error}") from error
            time.sleep(_RETRY_S)

    def addresses(self) -> set[tuple[str, int]]:
        """Of its brokers, as they give them out. (Embedded brokers all bear one cluster id.)"""
        try:
            found = self.admin.list_topics(timeout=TIMEOUT_S)
        except KafkaException as error:
            raise RepartitionError(f"no broker answers at {self.name} ({error}): start it, or name another") from error
        return {(broker.host, broker.port) for broker in found.brokers.values()}

    def is_empty(self, topic: str, partitions: int) -> bool:
        """Whether a committed reader finds no record: what a transaction took back does not count."""
        return all(next(read_partition(self.client, topic, number), None) is None for number in range(partitions))

    def require_no_members(self, group: str) -> None:
        """Refuse a group that somebody is in."""
        members = self._members(group)
        if members:
            names = ", ".join(sorted(member.group_instance_id or member.member_id for member in members))
            raise RepartitionError(
                f"group {group} on {self.name} has members ({names}): stop the workers and wait until their sessions end "
                "(a broker that never evicts, as the embedded one: stop them and say --workers-stopped)"
            )

    def _members(self, group: str) -> Sequence[Any]:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                found = self.admin.describe_consumer_groups([group], request_timeout=TIMEOUT_S)
                members: Sequence[Any] = found[group].result().members
                return members
            except KafkaException as error:
                # A cluster that nobody has joined yet makes its topic of groups only now, and says so by these.
                if error.args[0].code() not in _NO_COORDINATOR_YET or time.monotonic() > deadline:
                    raise RepartitionError(f"{self.name} does not tell who is in group {group}: {error}") from error
                time.sleep(_RETRY_S)

    def committed(self, group: str, topics: Sequence[str], partition: int) -> dict[str, int]:
        """The group's next offset per topic, 0 where it has none."""
        consumer = Consumer({**self.client, "group.id": group})
        try:
            found = consumer.committed([TopicPartition(topic, partition) for topic in topics], timeout=TIMEOUT_S)
        finally:
            consumer.close()
        return {position.topic: max(position.offset, 0) for position in found}

    def close(self) -> None:
        """Let go of the cluster."""
        self._consumer.close()


class Writer:
    """Writes one topic of the target; every record is in the log when it closes."""

    def __init__(self, target: Cluster, spec: TopicSpec) -> None:
        self._target = target
        self._topic = spec.name
        self._failed: list[str] = []
        self._producer = Producer(
            {
                **target.client,
                "enable.idempotence": True,
                "linger.ms": 20,
                "compression.type": "lz4",
                "message.max.bytes": 64 << 20,
                "delivery.report.only.error": True,
            }
        )

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Wait for what is under way."""
        if kind is None:
            self._flush()

    def fill(self, partition: int, end: int, begin: int) -> None:
        """Empty records from where a partition ends up to an offset."""
        for _ in range(begin - end):
            produce(self._producer, self._topic, None, None, partition, on_delivery=self._delivered)

    def begin_at(self, partition: int, end: int, begin: int) -> None:
        """Let a partition begin at an offset: it is filled up to there, and what fills it is deleted."""
        if not begin:
            return
        self.fill(partition, end, begin)
        self._flush()
        at = TopicPartition(self._topic, partition, begin)
        try:
            self._target.admin.delete_records([at], request_timeout=TIMEOUT_S)[at].result()
        except KafkaException as error:
            raise RepartitionError(f"{self._topic}: {self._target.name} deletes no records: {error}") from error

    def write(self, partition: int, raw: Raw) -> None:
        """One record, as it was, with a word on where."""
        settings = {"timestamp": raw.timestamp, "headers": list(carried(raw)), "on_delivery": self._delivered}
        produce(self._producer, self._topic, raw.value, raw.key, partition, **settings)

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed.append(f"{message.topic()}: {error.str()}")

    def _flush(self) -> None:
        left = self._producer.flush(TIMEOUT_S * 4)
        if left or self._failed:
            raise RepartitionError(
                f"{left} records were not taken by {self._target.name}; {'; '.join(self._failed[:3])}"
            )


def produce(
    producer: Producer, topic: str, value: bytes | None, key: bytes | None, partition: int, **settings: Any
) -> None:
    """Queue a record, waiting while the queue is full."""
    while True:
        try:
            producer.produce(topic, value, key, partition, **settings)
        except BufferError:
            producer.poll(0.1)
            continue
        except KafkaException as error:
            raise RepartitionError(f"{topic}: {error}") from error
        return
