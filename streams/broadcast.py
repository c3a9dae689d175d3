"""Reference data: every worker reads `network` whole, outside the group, and serves several versions at once.

A task goes on with the version its log told it (NetworkChanged on `network-changes`), so a replay knows what was
known. The copy keeps the records in offset order and makes a version when one is asked for, from the nearest lower
one. A record that cannot be used is skipped by every worker alike; the task of partition 0 dead-letters it when its log
tells of that offset.
"""

import asyncio
import logging
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aiokafka import TopicPartition as AiokafkaPartition

from processors.network import Network, fold
from processors.reasons import Reason
from processors.usable import why_unusable
from processors.versions import Versions
from schemas.codec import Codec
from schemas.errors import SchemaError, UnknownSchemaError
from schemas.records.base import Record
from streams.deadletters import Rejected
from streams.fetcher import PatientConsumer, found_ended
from streams.inbox import TopicPartition
from streams.security import aiokafka_security

log = logging.getLogger(__name__)

NETWORK: Final = "network"
VERSIONS_KEPT: Final = 8
FETCH_MAX_WAIT_MS: Final = 250
"""Reference data changes now and then; asking for it as often as for orders cost an idle worker a quarter of its work."""
POLL_MS: Final = 500


class NetworkCopy:
    """Records of `network` and the versions made of them. Lives on the worker's event loop."""

    def __init__(self) -> None:
        self.available = -1
        """Offset of the last record read."""
        self.available_timestamp = 0
        """Kafka timestamp of that record."""
        self.complete = False
        """Set once the topic has been read to its end for the first time."""
        self._offsets: list[int] = []
        self._records: list[Record | None] = []
        self._rejected: list[Rejected] = []
        self._versions: OrderedDict[int, Network] = OrderedDict({-1: Network()})
        self._history = Versions()
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    def read(self, raws: Sequence[Any], decode: Callable[[bytes], Record]) -> None:
        """Append records of the topic as they were read, in offset order."""
        self.add([(raw.offset, raw.timestamp, self._usable(raw, decode)) for raw in raws])

    def _usable(self, raw: Any, decode: Callable[[bytes], Record]) -> Record | None:
        try:
            record = decode(raw.value or b"")
            why = why_unusable(record) or self._history.why_out_of_turn(record)
        except SchemaError as error:
            reason = Reason.UNKNOWN_SCHEMA if isinstance(error, UnknownSchemaError) else Reason.UNDECODABLE
            why = reason, str(error)
        if why is None:
            return record
        log.error("network offset %d is skipped, and dead-lettered by partition 0: %s", raw.offset, why[1])
        self._rejected.append(Rejected(raw, *why))
        return None

    def rejected(self, after: int, to: int) -> list[Rejected]:
        """The records behind the first offset, and up to the second, that could not be used."""
        return [rejected for rejected in self._rejected if after < rejected.raw.offset <= to]

    def add(self, records: Sequence[tuple[int, int, Record | None]]) -> None:
        """Append (offset, timestamp, usable record or None) in offset order."""
        for offset, timestamp, record in records:
            self._offsets.append(offset)
            self._records.append(record)
            self.available, self.available_timestamp = offset, timestamp
        due = [waiter for waiter in self._waiters if waiter[0] <= self.available]
        self._waiters = [waiter for waiter in self._waiters if waiter[0] > self.available]
        for _, future in due:
            if not future.done():
                future.set_result(None)

    def at(self, version: int) -> Network:
        """The network with every record up to this offset; it must be available."""
        known = self._versions.get(version)
        if known is not None:
            self._versions.move_to_end(version)
            return known
        base = max(number for number in self._versions if number <= version)
        first, last = bisect_right(self._offsets, base), bisect_right(self._offsets, version)
        pairs = zip(self._offsets[first:last], self._records[first:last], strict=True)
        network = fold(self._versions[base], [(offset, record) for offset, record in pairs if record is not None])
        network.version = version
        self._versions[version] = network
        while len(self._versions) > VERSIONS_KEPT:
            oldest = next(number for number in self._versions if number != -1)
            del self._versions[oldest]
        return network

    async def wait_for(self, version: int) -> None:
        """Return once this offset has been read."""
        if version <= self.available:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((version, future))
        await future


class NetworkReader:
    """Feeds a NetworkCopy from the topic, from its beginning, for as long as the worker runs."""

    def __init__(self, client: Mapping[str, Any], codec: Codec, copy: NetworkCopy) -> None:
        self._client = client
        self._decode = codec.decode
        self._copy = copy

    async def run(self) -> None:
        """Read until cancelled."""
        source = TopicPartition(NETWORK, 0)
        consumer = PatientConsumer(
            bootstrap_servers=self._client["bootstrap.servers"].split(","),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            **aiokafka_security(self._client),
        )
        await consumer.start()
        try:
            consumer.assign([AiokafkaPartition(*source)])
            await consumer.seek_to_beginning()
            while True:
                fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=5_000)
                raws = [raw for batch in fetched.values() for raw in batch]
                if raws:
                    self._copy.read(raws, self._decode)
                if found_ended(consumer, source):
                    self._copy.complete = True
        finally:
            await consumer.stop()
