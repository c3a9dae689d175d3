"""What `fsn replay` does: every task of a recorded run again, and whether it says what it said.

In: a `Recording`. Out: a `Replayed`: per partition, how many transactions gave the digest that their manifest holds; per
topic that tasks alone write, the hash of all records as they are on the log and as they are emitted now. The tasks'
records lie between each other on a topic in an order that chance decided, so the hash is one of sets: the sum of the
records' SHA-256, over key, value, timestamp and headers. A compacted topic has lost records, and is left out; a log that
retention or a move to other partitions cut short is named, not guessed.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec

from fsn.recording import Recording, quiet
from schemas.codec import Codec
from schemas.errors import SchemaError
from streams.batch import MANIFESTS
from streams.errors import StreamsError
from streams.machine import DEAD_LETTERS
from streams.replay import Replayed as Transaction

_MODULUS: Final = 1 << 256

Progress = Callable[[int, int], None]
"""progress(partition, transactions replayed)"""


class Task(msgspec.Struct, frozen=True):
    """One partition: its transactions, how many of them gave other outputs, and why it could not go on."""

    partition: int
    transactions: int
    differing: int
    problem: str = ""


class Topic(msgspec.Struct, frozen=True):
    """One topic, as recorded and as replayed."""

    topic: str
    records: int
    sha256: str
    replayed_records: int
    replayed_sha256: str

    @property
    def same(self) -> bool:
        """Whether it holds what tasks emit now, and nothing else."""
        return (self.records, self.sha256) == (self.replayed_records, self.replayed_sha256)


class Difference(msgspec.Struct, frozen=True):
    """The first transaction that says something else: what it consumed, what it emits now, what the log has under the
    same keys.
    """

    partition: int
    transaction: int
    consumed: tuple[str, ...]
    emits: tuple[str, ...]
    recorded: tuple[str, ...]


class Result(msgspec.Struct, frozen=True):
    """All that was found. topics are compared only when every partition was replayed to its end."""

    tasks: tuple[Task, ...]
    topics: tuple[Topic, ...]
    difference: Difference | None

    @property
    def same(self) -> bool:
        """Whether the run repeats, byte for byte."""
        return all(not task.differing and not task.problem for task in self.tasks) and all(
            topic.same for topic in self.topics
        )


class SetHash:
    """A hash of records whatever their order."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, one: Any) -> None:
        """One record: anything with key, value, timestamp and headers."""
        said = hashlib.sha256()
        for part in (one.key or b"", one.value or b"", str(one.timestamp).encode()):
            said.update(len(part).to_bytes(8, "big") + part)
        for name, content in one.headers or ():
            said.update(f"{name}={len(content)}:".encode() + content)
        self._sum = (self._sum + int.from_bytes(said.digest(), "big")) % _MODULUS
        self.count += 1

    @property
    def hex(self) -> str:
        """The hash."""
        return f"{self._sum:064x}"


def replay_run(
    recording: Recording, *, partitions: Collection[int] = (), topics: Collection[str] = (), progress: Progress
) -> Result:
    """Replay the partitions named, or all; compare the topics named, or all that can be."""
    topology = recording.topology
    chosen = sorted(partitions) or list(range(topology.partitions))
    compared = [name for name in comparable(recording) if not topics or name in topics]
    now: dict[str, SetHash] = defaultdict(SetHash)
    tasks: list[Task] = []
    first: tuple[int, Transaction] | None = None
    with quiet():
        for partition in chosen:
            task, differs = _replay(recording, partition, now, progress)
            tasks.append(task)
            if first is None and differs is not None:
                first = partition, differs
        whole = len(chosen) == topology.partitions and not any(task.problem for task in tasks)
        found = tuple(_compare(recording, name, now[name]) for name in compared) if whole else ()
        return Result(tuple(tasks), found, None if first is None else _difference(recording, *first))


def comparable(recording: Recording) -> list[str]:
    """Topics that hold just what tasks emitted: nobody else writes them, and nothing was compacted away."""
    topology = recording.topology
    emitted = {topic for stage in topology.stages.values() for topic in stage.emits} | {DEAD_LETTERS, MANIFESTS}
    return [
        name
        for name, spec in topology.topics.items()
        if name in emitted and spec.cleanup == "delete" and (name == DEAD_LETTERS or not spec.written_by)
    ]


def _replay(
    recording: Recording, partition: int, now: dict[str, SetHash], progress: Progress
) -> tuple[Task, Transaction | None]:
    count = differing = 0
    first: Transaction | None = None
    problem = ""
    try:
        for transaction in recording.replayed(partition):
            count += 1
            if not transaction.matches:
                differing += 1
                first = first or transaction
            for output in transaction.computed.outputs:
                now[output.topic].add(output)
            progress(partition, count)
    except StreamsError as error:
        problem = str(error)
    return Task(partition, count, differing, problem), first


def _compare(recording: Recording, topic: str, now: SetHash) -> Topic:
    then = SetHash()
    for partition in range(recording.topology.topics[topic].partitions):
        for raw in recording.read(topic, partition):
            if raw.value is not None or topic != DEAD_LETTERS:  # there, an operator's mark: "was sent again"
                then.add(raw)
    return Topic(topic, then.count, then.hex, now.count, now.hex)


def _difference(recording: Recording, partition: int, found: Transaction) -> Difference:
    """Both sides of a transaction, readable."""
    consumed = tuple(f"{part.topic}[{partition}]@{part.first}–{part.last}" for part in found.recorded.ranges)
    codec = Codec()
    emits = [(output.topic, output.key, _shown(codec, output.value)) for output in found.computed.outputs[:-1]]
    wanted = {(topic, key) for topic, key, _ in emits}
    since = min((_timestamp(recording, part.topic, partition, part.first) for part in found.recorded.ranges), default=0)
    logged: list[tuple[str, bytes, str]] = []
    for topic in sorted({topic for topic, _ in wanted}):
        for place in range(recording.topology.topics[topic].partitions):
            logged += [
                (topic, raw.key, _shown(codec, raw.value))
                for raw in recording.read(topic, place)
                if (topic, raw.key) in wanted and raw.timestamp >= since
            ]
    return Difference(
        partition=partition,
        transaction=found.recorded.number,
        consumed=consumed,
        emits=_lines([one for one in emits if one not in logged]),
        recorded=_lines([one for one in logged if one not in emits]),
    )


def _timestamp(recording: Recording, topic: str, partition: int, offset: int) -> int:
    return next((raw.timestamp for raw in recording.read(topic, partition) if raw.offset == offset), 0)


def _shown(codec: Codec, value: bytes | None) -> str:
    try:
        return repr(codec.decode(value or b""))
    except SchemaError:
        return repr(value)


def _lines(found: Sequence[tuple[str, bytes, str]]) -> tuple[str, ...]:
    return tuple(_line(*one) for one in found)


def _line(topic: str, key: bytes, shown: str) -> str:
    return f"{topic} {key.decode(errors='replace')}: {shown}"
