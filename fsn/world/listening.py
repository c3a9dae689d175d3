"""Listening: what FSN tells partners, read by a thread of its own.

In: a broker, topics. Out: (record, timestamp) in the order in which they were read, `read_committed`. The reader is the
engine's patient consumer: librdkafka's would burn a core and half the broker while the embedded broker answers its
empty fetches at once, and pausing it between looks loses what is on its way.
"""

import asyncio
import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from aiokafka import TopicPartition

from schemas.codec import Codec
from schemas.records.base import Record
from streams.fetcher import PatientConsumer
from streams.security import aiokafka_security

FETCH_MAX_WAIT_MS: Final = 40
POLL_MS: Final = 50
START_TIMEOUT_S: Final = 30.0


class Listener:
    """Reads topics from their beginning; a context manager."""

    def __init__(self, client: Mapping[str, Any], topics: Sequence[str], codec: Codec, *, partitions: int) -> None:
        self._client = client
        self._places = [TopicPartition(topic, partition) for topic in topics for partition in range(partitions)]
        self._decode = codec.decode
        self._heard: queue.SimpleQueue[tuple[Record, int]] = queue.SimpleQueue()
        self._started = threading.Event()
        self._ending = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="listener", daemon=True)

    def heard(self) -> list[tuple[Record, int]]:
        """What was read since the last time."""
        if self._failure is not None:
            raise self._failure
        found = []
        while not self._heard.empty():
            found.append(self._heard.get())
        return found

    def __enter__(self) -> Self:
        """Start to read."""
        self._thread.start()
        self._started.wait(START_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        """Read no more."""
        self._ending.set()
        self._thread.join(START_TIMEOUT_S)

    def _work(self) -> None:
        try:
            asyncio.run(self._read())
        except BaseException as error:  # noqa: BLE001 - whoever listens must be told
            self._failure = error
        finally:
            self._started.set()

    async def _read(self) -> None:
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
            consumer.assign(self._places)
            await consumer.seek_to_beginning()
            self._started.set()
            while not self._ending.is_set():
                fetched = await consumer.getmany(timeout_ms=POLL_MS)
                for batch in fetched.values():
                    for raw in batch:
                        self._heard.put((self._decode(raw.value or b""), raw.timestamp))
        finally:
            await consumer.stop()
