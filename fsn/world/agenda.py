"""Agenda and post: what the simulated world will do, and what it has sent.

The agenda holds (instant, deed) and does the deeds in order of time; what is planned for the past is done now, for
the world's time never goes back. The post turns records into messages, encoded and signed, dated with the world's
time, and keeps them until whoever drives the world collects them.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec

from fsn.world.keys import Headers, KeyBook
from schemas.codec import Codec
from schemas.records.base import Record

Deed = Callable[..., object]


class Message(msgspec.Struct, frozen=True, gc=False):
    """A record on its way. misplaced: to another partition than its key's, as a wrong partitioner does."""

    at: int
    topic: str
    key: bytes
    value: bytes
    headers: Headers = ()
    misplaced: bool = False


class Agenda:
    """Deeds by time; equal times in the order in which they were planned."""

    def __init__(self, start_at: int) -> None:
        self.now: int = start_at
        self._planned: list[tuple[int, int, Deed, tuple[Any, ...]]] = []
        self._count = 0

    def plan(self, at: int, deed: Deed, *arguments: Any) -> None:
        """Do this at an instant, or now, if that is over."""
        self._count += 1
        heapq.heappush(self._planned, (max(at, self.now), self._count, deed, arguments))

    def run_until(self, end_at: int) -> None:
        """Do everything planned before an instant, and be there."""
        planned = self._planned
        while planned and planned[0][0] < end_at:
            self.now, _, deed, arguments = heapq.heappop(planned)
            deed(*arguments)
        self.now = max(self.now, end_at)

    @property
    def next_at(self) -> int | None:
        """When the next deed is due; None when nothing is planned."""
        return self._planned[0][0] if self._planned else None

    def __len__(self) -> int:
        return len(self._planned)


class Post:
    """Where the world's records are encoded, signed and collected."""

    def __init__(self, agenda: Agenda, keys: KeyBook, codec: Codec) -> None:
        self._agenda = agenda
        self.keys: Final = keys
        self._encode = codec.encode
        self._out: list[Message] = []
        self.sent: Final[Counter[str]] = Counter()
        """Messages by topic."""

    def send(self, topic: str, key: str, record: Record, owner: str) -> Message:
        """Send a record in its owner's name, now."""
        return self.deliver(self.write(topic, key, record, owner))

    def write(self, topic: str, key: str, record: Record, owner: str) -> Message:
        """A message ready to be sent."""
        raw_key, value = key.encode(), self._encode(record)
        return Message(self._agenda.now, topic, raw_key, value, self.keys.headers(owner, topic, raw_key, value))

    def encoded(self, record: Record) -> bytes:
        """A record's bytes."""
        return self._encode(record)

    def send_bytes(self, topic: str, key: bytes, value: bytes, *, owner: str | None) -> Message:
        """Send any bytes, signed when somebody is named."""
        headers = () if owner is None else self.keys.headers(owner, topic, key, value)
        return self.deliver(Message(self._agenda.now, topic, key, value, headers))

    def deliver(self, message: Message) -> Message:
        """Send a finished message."""
        self._out.append(message)
        self.sent[message.topic] += 1
        return message

    def repeat(self, message: Message) -> None:
        """Send the same bytes again, now."""
        self.deliver(msgspec.structs.replace(message, at=self._agenda.now))

    def collect(self) -> list[Message]:
        """What was sent since the last time, in order of time."""
        out, self._out = self._out, []
        return out
