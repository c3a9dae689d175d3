"""Reader: whole topics, `read_committed`, from their first record to their last stable offset.

In: a broker's address, or logs in memory (any objects with topic, partition, offset, timestamp, key, value, headers),
and a topic. Out: `Read` records in partition and offset order, decoded or only counted. Bytes that decode to nothing
become a `Read` without type, for a topic that outsiders write may hold anything.

One topic at a time: 600,000 decoded records at once would take a gigabyte. A partition that has reached its end is
unassigned at once, for the embedded broker answers an empty fetch immediately and an idle consumer would spin.
Refused, as `ReadError`: a topic that is not there, and a broker that says nothing for too long.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

import msgspec
import yaml
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from fsn.report.wire import Unreadable, Wire

FORWARDED_HEADER: Final = "fsn-forwarded"
BATCH: Final = 2_000
SILENCE_S: Final = 30.0
POLL_S: Final = 0.02


class ReadError(RuntimeError):
    """A topic cannot be read to its end."""


class Read(NamedTuple):
    """One record."""

    partition: int
    offset: int
    timestamp: int
    key: str
    type: str
    fields: dict[str, Any]


class Position(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """As FSN writes it."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Counted(msgspec.Struct, frozen=True):
    """A topic that was read.

    offsets: by partition, the offsets of its records
    forwarded: how many of them a task had forwarded from the partition they were sent to
    """

    offsets: Mapping[int, Sequence[int]]
    forwarded: int

    @property
    def total(self) -> int:
        """How many records it holds."""
        return sum(len(offsets) for offsets in self.offsets.values())

    def holds(self, partition: int, offset: int) -> bool:
        """Whether a record stands there."""
        offsets = self.offsets.get(partition, ())
        place = bisect_left(offsets, offset)
        return place < len(offsets) and offsets[place] == offset


RawRecord = tuple[int, int, int, bytes | None, bytes | None, bool]
"""(partition, offset, timestamp, key, value, forwarded). Nothing dearer: 700,000 of them are made."""


class Source(Protocol):
    """Where records come from."""

    def raw(self, topic: str) -> Iterator[RawRecord]:
        """Every record of a topic, each partition in offset order."""
        ...


class Log:
    """Topics, decoded."""

    def __init__(self, source: Source, wire: Wire | None = None) -> None:
        self._source = source
        self._wire = Wire() if wire is None else wire
        self.counted: dict[str, Counted] = {}
        """Every topic read so far."""
        self.unreadable: dict[str, list[tuple[int, int]]] = {}
        """By topic, (partition, offset) of records that were to be decoded and are none."""

    def records(self, topic: str) -> list[Read]:
        """The records of a topic."""
        decode, found = self._wire.decode, []
        for partition, offset, timestamp, key, value, _ in self._counting(topic):
            try:
                name, fields = decode(value)
            except Unreadable:
                name, fields = "", {}
                self.unreadable.setdefault(topic, []).append((partition, offset))
            found.append(Read(partition, offset, timestamp, str(key or b"", "utf-8", "replace"), name, fields))
        return found

    def count(self, topic: str) -> Counted:
        """The topic's records, not decoded."""
        if topic not in self.counted:
            for _ in self._counting(topic):
                pass
        return self.counted[topic]

    def _counting(self, topic: str) -> Iterator[RawRecord]:
        offsets: dict[int, MutableSequence[int]] = defaultdict(lambda: array("q"))
        forwarded = 0
        for raw in self._source.raw(topic):
            offsets[raw[0]].append(raw[1])
            if raw[5]:
                forwarded += 1
            yield raw
        self.counted[topic] = Counted(dict(offsets), forwarded)


class KafkaSource:
    """Topics of a broker; a context manager."""

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        self._consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": "fsn-report",  # required by the client; nothing is ever committed under it
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "allow.auto.create.topics": False,
                # The embedded broker repeats aborted transactions in each answer that begins behind them: take all in one.
                "fetch.max.bytes": 1 << 30,
                "max.partition.fetch.bytes": 500_000_000,
                "receive.message.max.bytes": (1 << 30) + 512,
                "fetch.wait.max.ms": 20,
                "queued.max.messages.kbytes": 131_072,
            }
        )

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the broker."""
        self._consumer.close()

    def raw(self, topic: str) -> Iterator[RawRecord]:
        """Every committed record, until each partition has said that it is at its end."""
        known = self._consumer.list_topics(topic, timeout=SILENCE_S).topics[topic]
        if known.error is not None or not known.partitions:
            raise ReadError(f"topic {topic} is not on {self._brokers}: {known.error or 'it has no partitions'}")
        left = set(known.partitions)
        self._consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in left])
        silence_s = 0.0
        while left:
            messages = self._consumer.consume(BATCH, POLL_S)
            silence_s = 0.0 if messages else silence_s + POLL_S
            if silence_s >= SILENCE_S:
                raise ReadError(f"{topic}: no word from {self._brokers} for {SILENCE_S:.0f} s; partitions left: {left}")
            for message in messages:
                error = message.error()
                if error is None:
                    headers = message.headers()
                    yield (
                        message.partition(),
                        message.offset(),
                        message.timestamp()[1],
                        message.key(),
                        message.value(),
                        headers is not None and _is_forwarded(headers),
                    )
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                    self._consumer.incremental_unassign([TopicPartition(topic, message.partition())])
                elif not error.retriable():
                    raise ReadError(f"{topic}: {error}")


class MemorySource:
    """Topics that lie in memory, by topic and partition, as an in-memory driver keeps them."""

    def __init__(self, logs: Mapping[tuple[str, int], Sequence[Any]]) -> None:
        self._logs = logs

    def raw(self, topic: str) -> Iterator[RawRecord]:
        """Every record."""
        for (name, partition), log in sorted(self._logs.items(), key=lambda entry: entry[0]):
            if name == topic:
                for raw in log:
                    yield partition, raw.offset, raw.timestamp, raw.key, raw.value, _is_forwarded(raw.headers)


class Topology(msgspec.Struct, frozen=True):
    """What the checker needs of topology.yaml.

    app: the application id
    partitions: of every topic that tasks read
    sources: topics that tasks read, in merge order
    emitted: topics that tasks write
    signed, compacted: topics that outsiders write, topics that keep only the last record of a key
    """

    app: str
    partitions: int
    sources: tuple[str, ...]
    emitted: tuple[str, ...]
    signed: frozenset[str]
    compacted: frozenset[str]


def load_topology(path: Path) -> Topology:
    """Read topology.yaml as what it is: YAML. (Its own checks are not ours.)"""
    declared = yaml.safe_load(path.read_text("utf-8"))
    topics, stages = declared["topics"], declared["stages"].values()
    read = {topic for stage in stages for topic in stage.get("reads", ())}
    emitted = {topic for stage in stages for topic in stage.get("emits", ())} | {"dead-letters"}
    broadcast = {"network-changes", "clock"}
    return Topology(
        app=declared["app"],
        partitions=declared["partitions"],
        sources=tuple(topic for topic in topics if topic in read | broadcast),
        emitted=tuple(topic for topic in topics if topic in emitted),
        signed=frozenset(topic for topic, spec in topics.items() if spec.get("signed") == "required"),
        compacted=frozenset(topic for topic, spec in topics.items() if spec.get("cleanup") == "compact"),
    )


def _is_forwarded(headers: Iterable[tuple[str, Any]]) -> bool:
    return any(name == FORWARDED_HEADER for name, _ in headers)
