"""A recorded run: its topics, its reference data, and its tasks replayed from their manifests.

In: where the topics lie, the topology they were written by, a codec of their schemas. Out: records under a key, the
reference data, and each partition's transactions again, one after the other. Refused, as `RecordedError`: a broker that
does not hold the run, or holds it with another number of partitions.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from fsn.declaration import load_topology
from fsn.recorded import RecordedError, partition_counts, read_partition
from processors.pipeline import STAGES
from processors.step import Stage
from schemas.codec import Codec
from schemas.errors import SchemaError
from schemas.records.base import Record
from schemas.records.engine import TaskManifest
from schemas.topology import Topology
from streams.batch import MANIFESTS
from streams.broadcast import NETWORK, NetworkCopy
from streams.deadletters import DeadLetterSealer
from streams.partitioner import Partitioner
from streams.registry_ids import registry_for
from streams.replay import Replayed, replay
from streams.settings import Settings, read_settings
from streams.signatures import KeyRing


class Source(Protocol):
    """Where recorded topics lie."""

    def read(self, topic: str, partition: int) -> Iterable[Any]:
        """All records of a partition, in offset order, with Raw's attributes."""
        ...


class BrokerSource:
    """Topics of a broker."""

    def __init__(self, settings: Settings, topology: Topology) -> None:
        self._client = settings.client()
        self._topics = topology.topics
        self._counts = partition_counts(self._client)

    def read(self, topic: str, partition: int) -> Iterator[Any]:
        """Read committed, to the end."""
        where = self._client["bootstrap.servers"]
        count, declared = self._counts.get(topic), self._topics[topic].partitions
        if count is None:
            raise RecordedError(f"topic {topic} is not on {where}: name the broker that holds the recorded run")
        if count != declared:
            # Keys would be looked for where they are not.
            said = f"topic {topic} has {count} partitions on {where}, and {declared} by the topology"
            raise RecordedError(f"{said}: name the one it runs by with --file")
        return read_partition(self._client, topic, partition)


class Recording:
    """A recorded run, and how to read it."""

    def __init__(
        self,
        source: Source,
        topology: Topology,
        codec: Codec,
        *,
        keys: KeyRing | None = None,
        sealer: DeadLetterSealer | None = None,
    ) -> None:
        self.topology = topology
        self._source = source
        self._codec = codec
        self._keys = keys
        self._sealer = sealer
        self._partition_of = Partitioner(topology.partitions)
        self._network: NetworkCopy | None = None

    def of_key(self, topic: str, key: str) -> Iterator[tuple[int, Record]]:
        """(timestamp, record) of every record under this key; what cannot be decoded is left out."""
        wanted = key.encode(errors="surrogateescape")  # a command line may hold anything
        for raw in self._source.read(topic, self._partition_of(wanted)):
            if raw.key == wanted:
                with contextlib.suppress(SchemaError):
                    yield raw.timestamp, self._codec.decode(raw.value or b"")

    def network(self) -> NetworkCopy:
        """All reference data."""
        if self._network is None:
            self._network = NetworkCopy()
            with quiet():
                self._network.read(list(self._source.read(NETWORK, 0)), self._codec.decode)
        return self._network

    def manifests(self, partition: int) -> list[TaskManifest]:
        """What the partition's task did, transaction by transaction."""
        return [
            record
            for raw in self.read(MANIFESTS, partition)
            if isinstance(record := self._codec.decode(raw.value or b""), TaskManifest)
            and record.app == self.topology.app
        ]

    def read(self, topic: str, partition: int) -> Iterable[Any]:
        """All records of a partition, in offset order."""
        return self._source.read(topic, partition)

    def decoded(self, topic: str, partition: int) -> Iterator[tuple[Any, Record]]:
        """Each with its record; what cannot be decoded is left out."""
        for raw in self.read(topic, partition):
            with contextlib.suppress(SchemaError):
                yield raw, self._codec.decode(raw.value or b"")

    def partition_of(self, key: str) -> int:
        """Where the records of a key lie. (A command line may hold anything.)"""
        return self._partition_of(key.encode(errors="surrogateescape"))

    def replayed(self, partition: int, *, stages: Sequence[Stage] = STAGES) -> Iterator[Replayed]:
        """Every transaction of a partition again, by stages that may be watched."""
        # Manifests first: whatever they say was consumed is on the topics by then.
        manifests = self.manifests(partition)
        logs = {topic: list(self.read(topic, partition)) for topic in self.topology.source_topics}
        return replay(
            self.topology,
            stages,
            partition=partition,
            logs=logs,
            manifests=manifests,
            network=self.network(),
            keys=self._keys,
            sealer=self._sealer,
            codec=self._codec,
        )


def open_recording(brokers: str | None, file: Path) -> Recording:
    """The run that a broker holds, read as the environment says."""
    settings, topology = read_settings(brokers=brokers), load_topology(file)
    key = settings.dead_letter_key
    return Recording(
        BrokerSource(settings, topology),
        topology,
        Codec(registry_for(settings.schema_registry, topology, register=False)),
        keys=None if settings.keys is None else KeyRing.load(settings.keys),
        sealer=DeadLetterSealer(None if key is None else bytes.fromhex(key)),
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What was dead-lettered then is dead-lettered again; nobody asked for that."""
    loggers = [logging.getLogger(name) for name in ("streams.machine", "streams.broadcast")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
