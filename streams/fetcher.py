"""aiokafka's fetcher, patient with a broker that answers an empty fetch at once, and aware of each end.

Such a broker (the embedded one) makes an idle consumer burn a core; waiting in `getmany` would be too late, for the
fetch routine runs by itself. After an early empty answer the fetcher waits 5 ms, doubling to a bound; data resets it.
Real Kafka waits by itself, so that this costs nothing there. librdkafka offers no such place to wait: that is why
`network`, too, is read by aiokafka.

The private names used here belong to aiokafka 0.14.0, which is pinned for that reason.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Final

import aiokafka
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords

from streams.aborted import HonestClient
from streams.inbox import TopicPartition
from streams.machine import Raw

EMPTY_FETCH_BACKOFF_S: Final = 0.005
IDLE_WAITS: Final = 2
"""An idle consumer waits for two fetches' time: every tick is data and begins anew at 5 ms, so that one fetch's time made
22 fetches a second of it, most of what an idle worker cost.
"""
PREFETCH_BACKOFF_S: Final = 0.01


class RawRecords(PartitionRecords):  # type: ignore[misc]
    """Fetched records as `Raw`: making aiokafka's own record, a frozen dataclass of twelve fields, cost twice as much."""

    _records_iterator: Iterator[Raw]

    def __iter__(self) -> Iterator[Raw]:
        return self._records_iterator

    def _consumer_record(self, tp: TopicPartition, record: Any) -> Raw:
        return Raw(tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value, record.headers)


class PatientFetcher(Fetcher):  # type: ignore[misc]
    """Waits after early empty answers; notes each topic partition's last stable offset, and when it was reached."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prefetch_backoff = PREFETCH_BACKOFF_S
        self._empty_backoff_s = EMPTY_FETCH_BACKOFF_S
        self.round_number = 0
        self.ended: dict[TopicPartition, int] = {}
        """Topic partition → the last round whose fetch found it at its last stable offset."""
        self.stable_ends: dict[TopicPartition, int] = {}
        """Topic partition → its last stable offset as last heard."""

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        self.round_number += 1
        sent, sent_at = self.round_number, self._loop.time()
        request.stable_ends = {}
        has_data: bool = await super()._proc_fetch_request(assignment, node_id, request)
        if assignment.active:
            self._note_ends(assignment, request, sent)
        if has_data:
            self._empty_backoff_s = EMPTY_FETCH_BACKOFF_S
        elif self._loop.time() - sent_at < self._fetch_max_wait_ms / 2000:
            # Closing awaits this coroutine and does not expect it to raise.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(self._empty_backoff_s)
            self._empty_backoff_s = min(self._empty_backoff_s * 2, self._fetch_max_wait_ms * IDLE_WAITS / 1000)
        return has_data

    def _note_ends(self, assignment: Any, request: Any, sent: int) -> None:
        """What the answer said of last stable offsets; and its records, made to come out as `Raw`."""
        said = request.stable_ends
        for topic, partitions in request.topics:
            for partition, offset, _ in partitions:
                stable_end = said.get((topic, partition))
                if stable_end is None:
                    continue
                tp = TopicPartition(topic, partition)
                self.stable_ends[tp] = stable_end
                if offset < stable_end:
                    fetched = self._records.get(tp)
                    if type(fetched) is FetchResult and fetched._partition_records is not None:
                        fetched._partition_records.__class__ = RawRecords
                elif (state := assignment.state_value(tp)).has_valid_position and state.position == offset:
                    self.ended[tp] = sent


class PatientConsumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer with the patient fetcher."""

    _fetcher: Any

    async def start(self) -> None:
        """Start, and put the patient fetcher in place of the default one before anything is fetched."""
        await super().start()
        impatient = self._fetcher
        self._fetcher = PatientFetcher(
            HonestClient(self._client),
            self._subscription,
            fetch_min_bytes=self._fetch_min_bytes,
            fetch_max_bytes=self._fetch_max_bytes,
            fetch_max_wait_ms=self._fetch_max_wait_ms,
            max_partition_fetch_bytes=self._max_partition_fetch_bytes,
            check_crcs=self._check_crcs,
            fetcher_timeout=self._consumer_timeout,
            retry_backoff_ms=self._retry_backoff_ms,
            auto_offset_reset=self._auto_offset_reset,
            isolation_level=self._isolation_level,
        )
        await impatient.close()


def found_ended(consumer: PatientConsumer, tp: TopicPartition) -> bool:
    """Whether a fetch has found this topic partition at its last stable offset."""
    return tp in consumer._fetcher.ended
