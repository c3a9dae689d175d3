"""Dead letters as they lie on their topic: reading, opening and sending them again, for `fsn dlq`.

In: `dead-letters`, read committed, from its beginning to where it ended when the command began. A record with a value
is a letter; one without is the mark, under the same key, that the letter was replayed. Refused (`LetterError`): a
broker that does not answer, a position that no letter has, a letter under another key than FSN_DEAD_LETTER_KEY.
"""

import contextlib
import difflib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from cryptography.exceptions import InvalidTag

from processors.reasons import Reason
from schemas.codec import Codec
from schemas.errors import SchemaError
from schemas.records.engine import DeadLetter
from schemas.topology import Topology
from streams.acls import replay_id, role_group
from streams.deadletters import CUT_SHORT, FORWARDED_HEADER, DeadLetterSealer, position_of
from streams.machine import DEAD_LETTERS
from streams.partitioner import Partitioner
from streams.registry_ids import registry_for
from streams.settings import Settings

REPLAYED_HEADER: Final = "fsn-replayed"
TIMEOUT_S: Final = 30.0
CONSUME_S: Final = 0.05
PER_TRANSACTION: Final = 200


class LetterError(RuntimeError):
    """A dead letter that cannot be read or sent, in words for an operator."""


class Found(NamedTuple):
    """A letter and its key: `topic|partition|offset`, and a timer's name behind it where a timer failed."""

    key: str
    letter: DeadLetter


class Filter(NamedTuple):
    """Which letters are meant; what is empty does not restrict."""

    reasons: frozenset[str]
    topics: frozenset[str]
    positions: frozenset[str]

    @classmethod
    def of(
        cls, reasons: Sequence[str] | None, topics: Sequence[str] | None, positions: Sequence[str] | None = None
    ) -> Self:
        """A filter of what the command line names."""
        upper = frozenset(reason.upper() for reason in reasons or ())
        for reason in sorted(upper - {known.value for known in Reason}):
            close = difflib.get_close_matches(reason, [known.value for known in Reason], n=1)
            raise LetterError(f"{reason} is no reason{f'; did you mean {close[0]}?' if close else ''}")
        return cls(upper, frozenset(topics or ()), frozenset(positions or ()))

    def takes(self, found: Found) -> bool:
        """Whether this letter is meant."""
        return (
            (not self.reasons or found.letter.reason in self.reasons)
            and (not self.topics or found.letter.topic in self.topics)
            and (not self.positions or found.key in self.positions)
        )


class Report:
    """What a replay did, or would do."""

    def __init__(self) -> None:
        self.sent: Counter[tuple[str, str]] = Counter()
        """By topic and reason."""
        self.before = 0
        self.refused: list[tuple[str, str]] = []
        self.seen: set[str] = set()


class Letters:
    """The dead letters of one cluster."""

    def __init__(self, topology: Topology, settings: Settings) -> None:
        self._topology = topology
        self._client = settings.client()
        self._codec = Codec(registry_for(settings.schema_registry, topology, register=False))
        key = settings.dead_letter_key
        self._sealer = DeadLetterSealer(None if key is None else bytes.fromhex(key))
        self._ends: dict[int, int] | None = None

    def read(self) -> Iterator[Found]:
        """Every letter, partition by partition, oldest first. What is no letter was not written by a task."""
        for message in self._messages():
            value = message.value()
            if value is None:
                continue
            try:
                record = self._codec.decode(value)
            except SchemaError:
                continue
            if isinstance(record, DeadLetter):
                yield Found((message.key() or b"").decode(errors="replace"), record)

    def replayed(self) -> set[str]:
        """Keys of the letters that were replayed."""
        return {
            (message.key() or b"").decode(errors="replace") for message in self._messages() if message.value() is None
        }

    def find(self, position: str) -> Found:
        """The letter at this position."""
        for found in self.read():
            if found.key == position:
                return found
        raise LetterError(f"no dead letter is called {position!r}: `fsn dlq list` shows topic|partition|offset")

    def opened(self, found: Found) -> tuple[bytes | None, bytes | None]:
        """Key and value as they were read."""
        try:
            return self._sealer.open(found.letter)
        except InvalidTag:
            raise LetterError(f"{found.key} was encrypted under another key: set FSN_DEAD_LETTER_KEY to it") from None
        except ValueError as error:
            raise LetterError(str(error)) from None

    def check_topics(self, wanted: Filter, seen: Collection[str]) -> None:
        """Refuse a topic that neither the topology nor any letter knows: a misspelt one is no empty answer."""
        known = sorted({*self._topology.topics, *seen})
        for topic in sorted(wanted.topics.difference(known)):
            close = difflib.get_close_matches(topic, known, n=1)
            raise LetterError(f"{topic} is no topic{f'; did you mean {close[0]}?' if close else ''}")

    def describe(self, value: bytes | None) -> str:
        """The record in a letter, or why there is none."""
        if value is None:
            return "none: the value was empty"
        try:
            record = self._codec.decode(value)
        except SchemaError as error:
            return f"cannot be decoded: {error}"
        return f"{type(record).__name__} {msgspec.json.format(msgspec.json.encode(record), indent=2).decode()}"

    def replay(self, wanted: Filter, *, dry_run: bool, again: bool) -> Report:
        """Send the wanted letters again, each with its mark in one transaction.

        In the order in which their records were read: `dead-letters` spreads a partition's letters over all of its own,
        and a feed whose sequence 7 came before 5 and 6 would have those two taken for old news. So all wanted letters
        are held in memory; a filter makes them fewer.
        """
        outbox = None if dry_run else _Outbox(self._client, replay_id(self._topology.app))
        # Read only now: whoever replayed before us is fenced, and all that it committed is seen.
        report, done = Report(), set[str]() if again else self.replayed()
        try:
            for found in self._in_order(wanted):
                self._replay_one(found, report, done, outbox)
            if outbox is not None:
                outbox.commit()
        except BaseException:
            if outbox is not None:
                outbox.abort()
            raise
        return report

    def _in_order(self, wanted: Filter) -> list[Found]:
        """The wanted letters by their positions; a misspelt topic is told before anything of the others is sent."""
        topics: set[str] = set()
        letters: list[Found] = []
        for found in self.read():
            topics.add(found.letter.topic)
            if wanted.takes(found):
                letters.append(found)
        self.check_topics(wanted, topics)
        return sorted(letters, key=_place)

    def _replay_one(self, found: Found, report: Report, done: set[str], outbox: "_Outbox | None") -> None:
        report.seen.add(found.key)
        if found.key in done:
            report.before += 1
            return
        why_not = self._why_not(found)
        if why_not is not None:
            report.refused.append((found.key, why_not))
            return
        key, value = self.opened(found)
        done.add(found.key)
        report.sent[found.letter.topic, found.letter.reason] += 1
        if outbox is not None:
            self._send(outbox, found, key, value)

    def _why_not(self, found: Found) -> str | None:
        """Why no record can be made of this letter; None when one can."""
        if found.key != position_of(found.letter):
            return "a timer failed, and its letter holds only the tick: nothing can be sent again"
        if found.letter.topic not in self._topology.topics:
            return f"{found.letter.topic} is not in the topology: name the right one with --file"
        if found.letter.detail.startswith(CUT_SHORT):
            return "only the head of the record was kept, for all of it was beyond any limit: its sender must send it again"
        return None

    def _send(self, outbox: "_Outbox", found: Found, key: bytes | None, value: bytes | None) -> None:
        letter = found.letter
        spec = self._topology.topics[letter.topic]
        headers = [
            (name, content)
            for name, content in zip(letter.header_names, letter.header_values, strict=True)
            if name not in {FORWARDED_HEADER, REPLAYED_HEADER}
        ]
        headers.append((REPLAYED_HEADER, found.key.encode()))
        # A broadcast record belongs where it was, any other where its key says; without a key it is refused again.
        by_key = key is not None and not spec.broadcast
        partition = Partitioner(spec.partitions)(key) if key is not None and by_key else letter.partition
        mark = Partitioner(self._topology.topics[DEAD_LETTERS].partitions)(found.key.encode())

        def send(produce: Callable[..., None]) -> None:
            produce(letter.topic, value, key, partition, timestamp=letter.timestamp, headers=headers)
            produce(DEAD_LETTERS, None, found.key.encode(), mark)

        outbox.add(send)

    def _messages(self) -> Iterator[Message]:
        """Every committed message up to where the topic ended at the command's first reading of it.

        What a replay itself causes lies beyond, so that it cannot run after its own tail.
        """
        if self._ends is None:
            self._ends = self._stable_ends()
        left = {partition: end for partition, end in self._ends.items() if end > 0}
        consumer = self._new_consumer()
        try:
            consumer.assign([TopicPartition(DEAD_LETTERS, partition, OFFSET_BEGINNING) for partition in left])
            heard_at = time.monotonic()
            while left:
                # It waits this long for as many, however few there are: short, or a small topic is slow to read.
                messages = consumer.consume(1_000, CONSUME_S)
                if messages:
                    yield from _within(messages, left)
                    heard_at = time.monotonic()
                elif time.monotonic() - heard_at > TIMEOUT_S:
                    raise LetterError(f"the broker sent nothing of {DEAD_LETTERS} for {TIMEOUT_S:.0f} s")
        finally:
            consumer.close()

    def _stable_ends(self) -> dict[int, int]:
        consumer = self._new_consumer()
        try:
            found = consumer.list_topics(DEAD_LETTERS, timeout=TIMEOUT_S).topics[DEAD_LETTERS]
            if found.error is not None:
                raise LetterError(f"{DEAD_LETTERS}: {found.error.str()}: run `fsn topology apply`")
            wanted = [TopicPartition(DEAD_LETTERS, partition) for partition in sorted(found.partitions)]
            return {at.partition: consumer.get_watermark_offsets(at, timeout=TIMEOUT_S)[1] for at in wanted}
        except KafkaException as error:
            raise LetterError(f"no answer from {self._client['bootstrap.servers']}: {error.args[0].str()}") from error
        finally:
            consumer.close()

    def _new_consumer(self) -> Consumer:
        return Consumer(
            {
                **self._client,
                "group.id": f"{role_group(self._topology.app, 'operator')}-dlq",  # needed by the client; nothing is committed and no group joined
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
            }
        )


def _place(found: Found) -> tuple[str, int, int]:
    letter = found.letter
    return letter.topic, letter.partition, letter.offset


def _within(messages: Sequence[Message], left: dict[int, int]) -> Iterator[Message]:
    """Messages before the ends; takes a partition off `left` once it is through."""
    for message in messages:
        partition, error = message.partition(), message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise LetterError(f"{DEAD_LETTERS}: {error.str()}")
        if partition not in left:
            continue
        if error is not None or message.offset() >= left[partition] - 1:
            end = left.pop(partition)
            if error is not None or message.offset() >= end:
                continue
        yield message


class _Outbox:
    """A replay's transactions, so many letters in each. Making one fences every earlier one."""

    def __init__(self, client: Mapping[str, Any], transactional_id: str) -> None:
        self._producer = Producer(
            {
                **client,
                "transactional.id": transactional_id,
                "message.max.bytes": 64 << 20,
                "queue.buffering.max.kbytes": 1 << 20,
            }
        )
        self._waiting = 0
        _try(lambda: self._producer.init_transactions(TIMEOUT_S))

    def add(self, send: Callable[[Callable[..., None]], None]) -> None:
        """Send something in the transaction under way."""
        if not self._waiting:
            _try(self._producer.begin_transaction)
        self._waiting += 1
        _try(lambda: send(self._producer.produce))
        if self._waiting >= PER_TRANSACTION:
            self.commit()

    def commit(self) -> None:
        """End the transaction under way, if any."""
        if self._waiting:
            _try(lambda: self._producer.commit_transaction(TIMEOUT_S))
            self._waiting = 0

    def abort(self) -> None:
        """Take back the transaction under way, if any; one that is fenced is gone already."""
        if self._waiting:
            self._producer.purge()
            with contextlib.suppress(KafkaException):
                self._producer.abort_transaction(TIMEOUT_S)
            self._waiting = 0


def _try(step: Callable[[], object]) -> None:
    try:
        step()
    except (BufferError, KafkaException) as error:
        cause = error.args[0]
        # A producer that was fenced in the background says only that it is past use.
        fenced = isinstance(cause, KafkaError) and (cause.fatal() or cause.name() == "_FATAL")
        words = "another replay began meanwhile" if fenced else "the broker refused"
        raise LetterError(f"{words}; what was not committed was not sent: {cause}") from error
