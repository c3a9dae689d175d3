"""A stopped run moved to another number of partitions: where each record and each row goes. Nothing is decided again.

In: the topology, the stages, and where each old task stopped (`Cut`). Out: for every record its new partition, and
whether its task had processed it; for every row and timer its new partition; the engine's rows of each new task. A key's
records lie on one old partition, and in the new one they keep their order: those that were processed first, then the
others, each part merged over the old partitions by timestamp.

Refused (`RepartitionError`): a row of which nobody can tell whose it is, or that did not belong where it lay.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

import msgspec

from processors.step import Stage, Table
from schemas.topology import TopicSpec, Topology
from streams.errors import RepartitionError
from streams.machine import ENGINE, Instant, Raw
from streams.partitioner import Partitioner
from streams.store import TIMER_PREFIX, parse_timer_key

ORIGIN_HEADER: Final = "fsn-origin"
"""On each record that was carried: `partition@offset` where it lay before, in its topic of the same name."""

Get = Callable[[bytes], bytes | None]
Rows = Iterable[tuple[bytes, bytes]]
Read = Callable[[int, int], Iterator[Raw]]
"""read(old partition, first offset): a topic's records from there to the end."""

_pack = msgspec.msgpack.Encoder().encode
_instant = msgspec.msgpack.Decoder(Instant).decode


class Cut(msgspec.Struct, frozen=True):
    """Where a task stopped.

    next_offsets: by source topic; now, network: None before its first tick or reference data
    timers_from: timers due before this instant have fired; transactions: how many it has numbered
    """

    partition: int
    next_offsets: Mapping[str, int]
    now: int | None
    timers_from: int
    network: int | None
    transactions: int


class Moved(msgspec.Struct, frozen=True, gc=False):
    """A record and where it goes; processed: its task has done what follows from it."""

    partition: int
    raw: Raw
    processed: bool


def read_cut(partition: int, topology: Topology, get: Get, committed: Mapping[str, int]) -> Cut:
    """What a task's rows say; where they say nothing of a topic, what its group committed."""

    def value(name: str) -> int | None:
        packed = get(f"{ENGINE.name}|{name}".encode())
        return None if packed is None else _instant(packed).value

    offsets = {}
    for topic in topology.source_topics:
        held = value(f"next|{topic}")
        offsets[topic] = committed.get(topic, 0) if held is None else held
    now, timers_from = value("now"), value("timers")
    return Cut(
        partition=partition,
        next_offsets=offsets,
        now=now,
        timers_from=(now or 0) if timers_from is None else timers_from,
        network=value("network"),
        transactions=value("manifest") or 0,
    )


class Move:
    """From one number of partitions to another."""

    def __init__(self, old: Topology, new: Topology, stages: Sequence[Stage], cuts: Sequence[Cut]) -> None:
        self._old, self._new = old, new
        self._old_partition_of = Partitioner(old.partitions)
        self._new_partition_of = Partitioner(new.partitions)
        self._cuts = tuple(cuts)
        self._tables = {table.name: (table, stage) for stage in stages for table in stage.tables}
        self._timers = {kind: (stage.timer_tables.get(kind), stage) for stage in stages for kind in stage.timers}
        self._broadcast_fed = {
            stage.name
            for stage in stages
            if stage.handlers and all(old.topics[topic].broadcast for topic in stage.handlers)
        }
        self.reference = min(cuts, key=lambda cut: (-1 if cut.now is None else cut.now, cut.partition)).partition
        """The old task whose time was furthest back. Broadcasts are carried as it knew them, to every new partition: what it
        had processed, what it made of it, and what it had not seen yet belong together."""

    def records(self, topic: TopicSpec, read: Read) -> Iterator[Moved]:
        """A topic's records in the order in which they are to be written. Only tasks process: of a topic that none reads,
        every record counts as processed.
        """
        is_source = topic.name in self._old.source_topics
        numbers = [self.reference] if topic.broadcast else range(topic.partitions)
        for processed in (True, False) if is_source else (True,):
            parts = [
                self._part(topic.name, number, read, is_source=is_source, processed=processed) for number in numbers
            ]
            for _, _, _, raw in heapq.merge(*parts, key=lambda entry: entry[:3]):
                for partition in self._places(topic, raw):
                    yield Moved(partition, raw, processed)

    def _part(
        self, topic: str, number: int, read: Read, *, is_source: bool, processed: bool
    ) -> Iterator[tuple[int, int, int, Raw]]:
        """One side of a partition's cut; as in a batch, a record counts as no earlier than the one before it."""
        cut_at = self._cuts[number].next_offsets[topic] if is_source else 0
        if is_source and processed and not cut_at:
            return
        records = read(number, 0 if processed else cut_at)
        if processed and is_source:
            records = takewhile(lambda raw: raw.offset < cut_at, records)
        latest = 0
        for raw in records:
            latest = max(latest, raw.timestamp)
            yield latest, number, raw.offset, raw

    def _places(self, topic: TopicSpec, raw: Raw) -> Sequence[int]:
        count = self._new.topics[topic.name].partitions
        if topic.broadcast:
            return range(count)
        if raw.key is None:
            return (raw.partition % count,)
        if topic.partitions != self._old.partitions:
            return (Partitioner(count)(raw.key),)
        right = self._new_partition_of(raw.key)
        if self._old_partition_of(raw.key) == raw.partition:
            return (right,)
        # Sent to a wrong partition: its task has forwarded it, or will. On its own one it would count twice.
        return ((right + 1) % count,)

    def rows(self, partition: int, rows: Callable[[], Rows], get: Get) -> Iterator[tuple[int, bytes, bytes]]:
        """(new partition, key, value) of an old task's rows and timers, those of the engine left out."""
        certain = self._certain_owners(rows())
        for key, value in rows():
            if key.startswith(f"{ENGINE.name}|".encode()):
                continue
            for place in self._row_places(partition, key, value, get, certain):
                yield place, key, value

    def engine_rows(self, next_offsets: Sequence[Mapping[str, int]]) -> list[tuple[int, bytes, bytes]]:
        """The engine's rows of each new task, given its next offset of each source topic.

        Time is the earliest of all tasks': none of their timers is passed over, and no record meets a later time than its
        own task would have shown it. The ticks after it are carried too, and bring the others' rows to where they were.
        Reference data is the latest that any task had, for rows may name what only that version knows. Transactions are
        counted on, so that no two of a task bear one number.
        """
        nows = [cut.now for cut in self._cuts]
        known = [now for now in nows if now is not None]
        engine: dict[str, int] = {}
        if len(known) == len(nows):
            now, timers_from = min(known), min(cut.timers_from for cut in self._cuts)
            engine["now"] = now
            if timers_from < now:
                engine["timers"] = timers_from
        networks = [cut.network for cut in self._cuts if cut.network is not None]
        if networks:
            engine["network"] = max(networks)
        rows = [engine | {f"next|{topic}": offset for topic, offset in offsets.items()} for offsets in next_offsets]
        for cut in self._cuts:
            if cut.partition < len(rows) and cut.transactions:
                rows[cut.partition]["manifest"] = cut.transactions
        return [
            (partition, f"{ENGINE.name}|{name}".encode(), _pack(Instant(value)))
            for partition, values in enumerate(rows)
            for name, value in values.items()
        ]

    def _certain_owners(self, rows: Rows) -> dict[str, set[str]]:
        """By stage, owners that rows name by themselves: they settle what other rows' keys leave open."""
        owners: dict[str, set[str]] = {}
        for raw_key, value in rows:
            name, _, key = raw_key.decode().partition("|")
            if raw_key.startswith(TIMER_PREFIX) or name not in self._tables:
                continue
            table, stage = self._tables[name]
            found = table.owners(key, msgspec.msgpack.decode(value, type=table.row))
            if len(found) == 1:
                owners.setdefault(stage.name, set()).add(found[0])
        return owners

    def _row_places(
        self, partition: int, raw_key: bytes, value: bytes, get: Get, certain: Mapping[str, set[str]]
    ) -> Sequence[int]:
        text = raw_key.decode()
        table: Table[Any] | None
        if raw_key.startswith(TIMER_PREFIX):
            _, kind, key = parse_timer_key(raw_key)
            if kind not in self._timers:
                raise RepartitionError(f"timer {text} of task {partition} is of no stage: run the version that set it")
            table, stage = self._timers[kind]
            packed = None if table is None else get(f"{table.name}|{key}".encode())
        else:
            name, _, key = text.partition("|")
            if name not in self._tables:
                raise RepartitionError(f"row {text} of task {partition} is of no stage: run the version that wrote it")
            (table, stage), packed = self._tables[name], value
            if table.shared:
                return range(self._new.partitions)
        if stage.name in self._broadcast_fed:
            return range(self._new.partitions) if partition == self.reference else ()
        row = None if table is None or packed is None else msgspec.msgpack.decode(packed, type=table.row)
        owners = (key,) if table is None else table.owners(key, row)
        if not owners:
            if row is None:
                return ()  # a timer whose row is gone: it would find nothing to do
            raise RepartitionError(
                f"row {text} of task {partition}: nobody can tell whose it is; mend its table's owners"
            )
        here = [owner for owner in owners if self._old_partition_of(owner.encode()) == partition]
        if not here:
            raise RepartitionError(
                f"{text} of task {partition} belongs to {owners[0]}, whose records lie on another partition: was the "
                "topology of this run another one? Name its file with --file"
            )
        known = certain.get(stage.name, set())
        owner = next((owner for owner in here if owner in known), here[0])
        return (self._new_partition_of(owner.encode()),)


def carried(raw: Raw) -> tuple[tuple[str, bytes], ...]:
    """A record's headers, and where it lay before."""
    return (*raw.headers, (ORIGIN_HEADER, f"{raw.partition}@{raw.offset}".encode()))
