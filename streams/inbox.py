"""What one task has fetched and not yet processed, and which of it enters the next batch.

Priority chooses what enters a batch (internal hops and single records before bulk deltas); inside a batch, merging by
(timestamp, topic order, offset) decides. A topic's timestamps may step back; its offsets never do: while merging, a
record counts as no earlier than the one before it in its topic. What may enter is merged as it is read: a batch that
ends after 20 ms takes a few dozen of the thousand records that might enter. A tick of time T enters only when every
other topic holds a record ≥ T or was fetched to its end after that tick was read, so an outage does not make time run
ahead of the records that were sent during it.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from itertools import islice
from operator import attrgetter
from typing import Any, Final, NamedTuple

from streams.machine import CLOCK

BATCH_RECORDS_MAX: Final = 1_000
BULK_RECORDS_MAX: Final = 4_000
BULK_RECORDS_BESIDE_OTHERS: Final = 250
BUFFERED_RECORDS_MAX: Final = 8_000
BUFFERED_BYTES_MAX: Final = 8 << 20
"""A topic-partition with more buffered, in records or bytes, is not fetched until the task catches up."""
BATCH_BYTES_MAX: Final = 8 << 20
"""Large records end a batch early: its transaction must not outlive its time-out."""

_timestamp: Final = attrgetter("timestamp")


class TopicPartition(NamedTuple):
    """Equal to, and hashing like, the same pair of Faust and aiokafka."""

    topic: str
    partition: int


class Chosen:
    """What may enter the next batch. Reading it gives the records in merge order, merged as far as they are read."""

    __slots__ = ("_chunks", "_order")

    def __init__(self, chunks: Mapping[str, Sequence[Any]], order: Mapping[str, int]) -> None:
        self._chunks = chunks
        self._order = order

    def __iter__(self) -> Iterator[Any]:
        return merge(self._chunks, self._order)

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def __contains__(self, topic: object) -> bool:
        """Whether it holds records of this topic."""
        return topic in self._chunks

    def count_besides(self, topics: frozenset[str]) -> int:
        """Records of all other topics than these."""
        return sum(len(chunk) for topic, chunk in self._chunks.items() if topic not in topics)


class Inbox:
    """Buffered records of one task, by topic."""

    def __init__(self, source_topics: Sequence[str], bulk: frozenset[str]) -> None:
        self._order = {topic: index for index, topic in enumerate(source_topics)}
        self._bulk = bulk
        self._buffers: dict[str, deque[Any]] = {topic: deque() for topic in source_topics}
        self._next_offset: dict[str, int] = dict.fromkeys(source_topics, 0)
        self._bytes: dict[str, int] = dict.fromkeys(source_topics, 0)
        self._tick_stamps: deque[int] = deque()
        self._ended: dict[str, int] = dict.fromkeys(source_topics, -1)

    def seek(self, offsets: Mapping[str, int]) -> None:
        """Start from these offsets with nothing buffered."""
        for topic, offset in offsets.items():
            self._buffers[topic].clear()
            self._bytes[topic] = 0
            self._next_offset[topic] = offset
        self._tick_stamps.clear()

    def add(self, topic: str, records: Sequence[Any], stamp: int) -> None:
        """Buffer fetched records, dropping those below the next offset.

        stamp: the fetch round in which the records were read (see `ended`).
        """
        wanted = self._next_offset[topic]
        fresh = records if records[0].offset >= wanted else [record for record in records if record.offset >= wanted]
        buffer = self._buffers[topic]
        if fresh:
            buffer.extend(fresh)
            self._bytes[topic] += sum(map(_size, fresh))
            self._next_offset[topic] = fresh[-1].offset + 1
            if topic == CLOCK:
                self._tick_stamps.extend([stamp] * len(fresh))

    def ended(self, topic: str, stamp: int) -> None:
        """A fetch sent in this round found the topic's end, and everything before it was handed over."""
        self._ended[topic] = stamp

    def next_offset(self, topic: str) -> int:
        """The offset from which the topic is to be read on."""
        return self._next_offset[topic]

    def full_topics(self) -> list[str]:
        """Topics that should not be fetched for now."""
        return [
            topic
            for topic, buffer in self._buffers.items()
            if len(buffer) >= BUFFERED_RECORDS_MAX or self._bytes[topic] >= BUFFERED_BYTES_MAX
        ]

    def __len__(self) -> int:
        return sum(map(len, self._buffers.values()))

    def backlog(self) -> dict[str, int]:
        """Records buffered, by topic."""
        return {topic: len(buffer) for topic, buffer in self._buffers.items() if buffer}

    def processed_offsets(self) -> dict[str, int]:
        """Next offset to process, by topic."""
        return {
            topic: buffer[0].offset if buffer else self._next_offset[topic] for topic, buffer in self._buffers.items()
        }

    @property
    def has_bulk(self) -> bool:
        """Whether bulk is buffered."""
        return any(self._buffers[topic] for topic in self._bulk)

    @property
    def bulk_holds_time(self) -> bool:
        """Whether a tick may be waiting for no more bulk than one piece: that piece need not wait for its turn."""
        left = sum(len(self._buffers[topic]) for topic in self._bulk)
        return bool(self._buffers[CLOCK]) and left <= BULK_RECORDS_BESIDE_OTHERS

    def choose(self, *, only: str | None = None, bulk_max: int = BULK_RECORDS_MAX) -> Chosen:
        """What may enter the next batch, still buffered: `take` removes what was processed of it.

        only: nothing but this topic may enter; bulk_max: bulk records of each bulk topic that may.
        """
        if only is not None:
            head = list(islice(self._buffers[only], BATCH_RECORDS_MAX))
            return Chosen({only: head} if head else {}, self._order)
        chunks = self._chunks(bulk_max)
        ticks = self._ticks_allowed(chunks)
        if ticks:
            chunks[CLOCK] = list(islice(self._buffers[CLOCK], ticks))
        return Chosen(chunks, self._order)

    def take(self, processed: Sequence[Any]) -> None:
        """Remove processed records."""
        for record in processed:
            self._buffers[record.topic].popleft()
            self._bytes[record.topic] -= _size(record)
            if record.topic == CLOCK:
                self._tick_stamps.popleft()

    def _chunks(self, bulk_max: int) -> dict[str, list[Any]]:
        """What may enter: every topic that is not bulk a fair share, so that none starves; then bulk."""
        busy = [topic for topic, buffer in self._buffers.items() if buffer and topic != CLOCK]
        single = [topic for topic in busy if topic not in self._bulk]
        share = BATCH_RECORDS_MAX // max(1, len(single))
        chunks = {topic: self._head(topic, share) for topic in single}
        bulk_share = min(bulk_max, BULK_RECORDS_BESIDE_OTHERS) if single else bulk_max
        if bulk_share:
            chunks.update((topic, self._head(topic, bulk_share)) for topic in busy if topic in self._bulk)
        return chunks

    def _head(self, topic: str, records_max: int) -> list[Any]:
        head = list(islice(self._buffers[topic], records_max))
        if self._bytes[topic] > BATCH_BYTES_MAX:
            size = 0
            for index, record in enumerate(head):
                size += _size(record)
                if size > BATCH_BYTES_MAX:
                    return head[: max(1, index)]
        return head

    def _ticks_allowed(self, chunks: Mapping[str, list[Any]]) -> int:
        """How many of the buffered ticks may enter beside these chunks."""
        if not self._buffers[CLOCK]:
            return 0
        reaches = [self._reach(topic, chunks.get(topic, ())) for topic in self._order if topic != CLOCK]
        surely_until = min((at for at, ended in reaches if ended < 0), default=None)
        open_ends = [(at, ended) for at, ended in reaches if ended >= 0]
        allowed = 0
        for tick, stamp in zip(self._buffers[CLOCK], self._tick_stamps, strict=True):
            at = tick.timestamp
            if surely_until is not None and at > surely_until:
                break
            if any(at > reached and ended < stamp for reached, ended in open_ends):
                break
            allowed += 1
        return allowed

    def _reach(self, topic: str, chunk: Sequence[Any]) -> tuple[int, int]:
        """(T, round): up to T everything of the topic is in the batch or before it; beyond T, too, for ticks read no
        later than the round in which its end was found (−1: records left out of the batch may be older).
        """
        reached = max(map(_timestamp, chunk), default=-1)
        buffer = self._buffers[topic]
        if len(buffer) > len(chunk):
            return max(reached, buffer[len(chunk)].timestamp), -1
        return reached, max(self._ended[topic], 0)


def _size(record: Any) -> int:
    return len(record.value or b"")


def merge(chunks: Mapping[str, Sequence[Any]], order: Mapping[str, int]) -> Iterator[Any]:
    """Records of several topics in (timestamp, topic order, offset) order, each topic's own order kept."""
    if len(chunks) == 1:
        return iter(next(iter(chunks.values())))
    return _merged(chunks, order)


def _merged(chunks: Mapping[str, Sequence[Any]], order: Mapping[str, int]) -> Iterator[Any]:
    heads: list[tuple[int, int, Any, Iterator[Any]]] = []
    for topic, chunk in chunks.items():
        rest = iter(chunk)
        heads.extend((max(record.timestamp, 0), order[topic], record, rest) for record in islice(rest, 1))
    heapify(heads)
    while len(heads) > 1:
        latest, position, record, rest = heads[0]
        yield record
        following = next(rest, None)
        if following is None:
            heappop(heads)
        else:
            heapreplace(heads, (max(latest, following.timestamp), position, following, rest))
    for _, _, record, rest in heads:
        yield record
        yield from rest
