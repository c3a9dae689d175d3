"""Reference data on a broker: what was published, and the next record, refused here in the words of a worker.

In: the topic `network`. Out: its records in order, the network they make, and new records on it. Refused (`NetworkError`):
what every worker would skip, before anything is sent; a broker without the topic, or one that does not answer.
"""

from collections.abc import Iterator
from typing import Any, Final, Generic, NamedTuple, TypeVar

from confluent_kafka import Producer

from fsn.recorded import partition_counts, read_partition
from processors.network import Network, fold
from processors.usable import why_unusable
from processors.versions import Versions
from schemas.codec import Codec
from schemas.errors import SchemaError
from schemas.records.base import Record
from schemas.topology import Topology
from streams.machine import Raw
from streams.registry_ids import registry_for
from streams.settings import Settings

NETWORK: Final = "network"
TIMEOUT_S: Final = 60.0


class NetworkError(RuntimeError):
    """Reference data that cannot be read, or would not be taken."""


Kind = TypeVar("Kind", bound=Record)


class Published(NamedTuple, Generic[Kind]):
    """One record. refused: why workers skipped it; None where it counts"""

    record: Kind
    offset: int
    at: int
    refused: str | None


class NetworkDesk:
    """The reference data of one cluster."""

    def __init__(self, topology: Topology, settings: Settings) -> None:
        self._client = settings.client()
        self._codec = Codec(registry_for(settings.schema_registry, topology, register=False))

    def published(self) -> list[Published[Record]]:
        """Everything that decodes, in order, and what workers made of it."""
        versions, found = Versions(), []
        for raw in self.read(NETWORK):
            record = self.decoded(raw)
            if record is not None:
                why = why_unusable(record) or versions.why_out_of_turn(record)
                found.append(Published(record, raw.offset, raw.timestamp, None if why is None else why[1]))
        return found

    def network(self) -> Network:
        """What is in force at the end of the topic."""
        return fold(Network(), [(one.offset, one.record) for one in self.published() if one.refused is None])

    def publish(self, *records: tuple[str, Record]) -> None:
        """Send (key, record) in order, if workers will take all of them, and wait until the broker has them."""
        versions = Versions()
        for one in self.published():
            if one.refused is None:
                versions.why_out_of_turn(one.record)
        for _, record in records:
            why = why_unusable(record) or versions.why_out_of_turn(record)
            if why is not None:
                raise NetworkError(f"nothing was sent: {why[1]}")
        failed: list[str] = []

        def on_delivery(error: Any, _: Any) -> None:
            if error is not None:
                failed.append(str(error))

        producer = Producer({**self._client, "enable.idempotence": True})
        for key, record in records:
            producer.produce(NETWORK, self._codec.encode(record), key.encode(), on_delivery=on_delivery)
        if producer.flush(TIMEOUT_S) or failed:
            what = failed[0] if failed else f"no answer in {TIMEOUT_S:.0f} s"
            raise NetworkError(f"not taken ({what}): run the command again")

    def read(self, topic: str) -> Iterator[Raw]:
        """Every committed record of a topic, partition by partition."""
        counts = partition_counts(self._client)
        if topic not in counts:
            raise NetworkError(f"topic {topic} is not there: run `fsn topology apply` first")
        for partition in range(counts[topic]):
            yield from read_partition(self._client, topic, partition)

    def decoded(self, raw: Raw) -> Record | None:
        """The record; None for bytes that are none, which are the worker's to report."""
        try:
            return self._codec.decode(raw.value or b"")
        except SchemaError:
            return None
