"""The unit of work: what one batch reads, changes and sends, with a savepoint for each record.

It is the `Context` that processors see. Changes live in an overlay above a cache above the local store; nothing
reaches the store before the transaction has committed. Rows are immutable, so a savepoint is just a journal of the
old values. Outputs are encoded at once, so that one that is too large rolls back the input that caused it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol

import msgspec

from processors.network import Network
from processors.step import ABSENT, Source, Stage, Table
from schemas.codec import Codec
from schemas.records.base import Record
from schemas.topology import Topology
from streams.cloudevents import BARE, Cause, Envelope, Envelopes, Headers, cause_of
from streams.errors import OutputTooLarge, StoreError, StreamsError
from streams.store import parse_timer_key, timer_key

CACHED_ROWS_MAX: Final = 10_000
"""Clean rows kept decoded per table; past it the older half is forgotten."""

TIMERS_PER_TICK: Final = 2_000

MISSING: Final = object()


class Readable(Protocol):
    """What the unit needs of a local store."""

    def get(self, key: bytes) -> bytes | None:
        """The value under a key."""
        ...

    def due_timers(self, from_at: int, to_at: int) -> Iterator[bytes]:
        """Stored timers due in a closed interval, in firing order."""
        ...


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to send. partition is None where the key decides."""

    topic: str
    key: bytes
    value: bytes
    timestamp: int
    partition: int | None = None
    headers: Headers = ()


class _TableState:
    """One table's overlay and cache."""

    __slots__ = ("cache", "changed", "decode", "gauges", "prefix", "project")

    def __init__(
        self,
        table: Table[Any],
        project: Callable[[str, Any, Any], None] | None,
        gauges: list[tuple[str, Callable[[Any], int]]],
    ) -> None:
        self.gauges = gauges
        self.prefix = table.name + "|"
        self.decode = msgspec.msgpack.Decoder(table.row).decode
        self.changed: dict[str, Any] = {}
        self.cache: dict[str, Any] = {}
        self.project = project


class UnitOfWork:
    """The context of one task; reused batch after batch."""

    def __init__(self, topology: Topology, stages: Iterable[Stage], codec: Codec, store: Readable) -> None:
        self.now_at = 0
        self.ticked_at = 0
        self.timers_from = 0
        """Timers due before this instant have fired."""
        self.event_at = 0
        self.key = ""
        self.signer: str | None = None
        self.network = Network()
        self._raw: Any = None
        self._occasion: object = None
        self._cause: Cause | None = None
        self._envelopes = Envelopes(topology.app, codec.registry)
        self._events = frozenset(name for name, spec in topology.topics.items() if spec.carries_events)
        self._encode = codec.encode
        self._store = store
        self._partitions = topology.partitions
        self._limits = {name: spec.max_record_bytes for name, spec in topology.topics.items()}
        self._row_limit = self._limits["changelog"]
        self._longest_prefix = max(len(table.name) + 1 for stage in stages for table in stage.tables)
        self._tables = {
            table.name: _TableState(
                table,
                stage.projections.get(table.name),
                [(name, gauge.count) for name, gauge in stage.gauges.items() if gauge.table is table],
            )
            for stage in stages
            for table in stage.tables
        }
        self.gauges = {name: 0 for stage in stages for name in stage.gauges}
        """What the stages' tables add up to, by gauge."""
        self._moves = dict.fromkeys(self.gauges, 0)
        self.outputs: list[Output] = []
        self._timers: dict[tuple[int, str, str], bool] = {}
        self._kinds = frozenset(kind for stage in stages for kind in stage.timers)
        self._journal: list[tuple[dict[Any, Any], Any, Any]] = []
        self._outputs_saved = 0
        self._pack = msgspec.msgpack.Encoder().encode

    # what processors may do -------------------------------------------------------------------------------------

    @property
    def source(self) -> Source:
        """Where the record was read."""
        return Source(self._raw.topic, self._raw.partition, self._raw.offset)

    def get(self, table: Table[Any], key: str) -> Any:
        """The row under this key, or ABSENT."""
        state = self._tables[table.name]
        row = state.changed.get(key)
        if row is not None:
            return row
        row = state.cache.get(key)
        return row if row is not None else self._load(state, key)

    def put(self, table: Table[Any], key: str, row: Any) -> None:
        """Keep this row."""
        changed = self._tables[table.name].changed
        self._journal.append((changed, key, changed.get(key, MISSING)))
        changed[key] = row

    def delete(self, table: Table[Any], key: str) -> None:
        """Keep no row under this key."""
        self.put(table, key, ABSENT)

    def emit(self, topic: str, key: str, record: Record) -> None:
        """Send a record to the partition of its key."""
        value, raw_key = self._encode(record), key.encode()
        headers, around = self.envelope(topic, record)
        self.check_size(topic, len(value) + len(raw_key) + around)
        self.outputs.append(Output(topic, raw_key, value, self.event_at, None, headers))

    def broadcast(self, topic: str, key: str, record: Record) -> None:
        """Send a record to every partition of a broadcast topic."""
        raw_key, value = key.encode(), self._encode(record)
        for partition in range(self._partitions):
            headers, around = self.envelope(topic, record)
            self.check_size(topic, len(value) + len(raw_key) + around)
            self.outputs.append(Output(topic, raw_key, value, self.event_at, partition, headers))

    def wake(self, due_at: int, kind: str, key: str) -> None:
        """Set a timer; one that is due already fires on the next tick."""
        if len(key) > self._row_limit // 4:  # characters of up to four bytes
            raise OutputTooLarge("changelog", len(key), self._row_limit // 4)
        self._set_timer((max(due_at, self.now_at + 1), kind, key), present=True)

    def unwake(self, due_at: int, kind: str, key: str) -> None:
        """Remove a timer; harmless when there is none."""
        self._set_timer((due_at, kind, key), present=False)

    # what the engine does ---------------------------------------------------------------------------------------

    def begin_record(self, raw: Any) -> None:
        """Set a savepoint and look at the next record."""
        self._journal.clear()
        self._outputs_saved = len(self.outputs)
        self._raw, self._occasion, self._cause = raw, None, None
        self.event_at = raw.timestamp
        if not self.ticked_at:
            self.now_at = raw.timestamp
        self.key = ""
        self.signer = None

    def begin_timer(self, raw: Any, due: tuple[int, str, str]) -> None:
        """Set a savepoint and look at a due timer, which is gone from now on; its source is the tick."""
        self._raw, self._occasion, self._cause = raw, due, None
        self._timers[due] = False
        self._journal.clear()
        self._outputs_saved = len(self.outputs)
        self.event_at = self.now_at
        self.key = due[2]
        self.signer = None

    def begin_engine(self) -> None:
        """Set a savepoint for the engine's own rows."""
        self._journal.clear()
        self._outputs_saved = len(self.outputs)

    def rollback(self) -> None:
        """Undo everything since the savepoint."""
        for changed, key, old in reversed(self._journal):
            if old is MISSING:
                del changed[key]
            else:
                changed[key] = old
        self._journal.clear()
        del self.outputs[self._outputs_saved :]

    def check_rows(self) -> None:
        """Raise OutputTooLarge when a row put since the savepoint would not fit the changelog."""
        for changed, key, _ in self._journal:
            row = changed.get(key, ABSENT)
            if isinstance(row, msgspec.Struct):
                size = len(self._pack(row)) + len(key.encode()) + self._longest_prefix
                if size > self._row_limit:
                    raise OutputTooLarge("changelog", size, self._row_limit)

    def tick(self, at: int) -> list[tuple[int, str, str]]:
        """Time passes; it never goes back. Returns the timers now due, in (due_at, kind, key) order.

        After an outage many are due at once: then the first of them, and the others at the next ticks, for one long
        batch holds up the worker's other tasks, and its transaction whoever reads. `wake` puts no timer into the past,
        so the stored prefix is read from the first that has not fired, never over the tombstones of timers long gone.
        A timer of a stage that this worker does not have, as in a rolling upgrade, stays for one that has it.
        """
        to_at = max(at, self.ticked_at)
        due: set[tuple[int, str, str]] = set()
        left_alone_at = to_at
        for timer in map(parse_timer_key, self._store.due_timers(self.timers_from, to_at)):
            if timer[1] not in self._kinds:
                left_alone_at = min(left_alone_at, timer[0])
            elif self._timers.get(timer, True):
                due.add(timer)
            if len(due) > TIMERS_PER_TICK:
                break
        due.update(timer for timer, present in self._timers.items() if present and timer[0] <= to_at)
        first, left = (ordered := sorted(due))[:TIMERS_PER_TICK], ordered[TIMERS_PER_TICK:]
        self.now_at = self.ticked_at = to_at
        self.timers_from = min(left_alone_at, left[0][0] if left else to_at)
        return first

    def project(self) -> Iterator[tuple[str, Exception]]:
        """End of the batch: let every changed row show itself once; yields `table|key` and error of one that fails."""
        self._occasion, self._cause = "batch", None  # many records may have changed a row: none of their traces goes on
        for state in self._tables.values():
            if state.project is None:
                continue
            project = state.project
            for key, row in state.changed.items():
                if row is ABSENT:
                    continue
                self.begin_engine()
                try:
                    project(key, row, self)
                except Exception as error:  # noqa: BLE001 - a row that cannot be shown must not stop the partition
                    self.rollback()
                    yield state.prefix + key, error

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """Changelog rows of the batch, in the order in which they were first changed; None deletes."""
        pack, limit = self._pack, self._row_limit
        rows: list[tuple[bytes, bytes | None]] = []
        for table, state in self._tables.items():
            prefix = state.prefix
            if state.gauges:
                self._move_gauges(table, state)
            for key, row in state.changed.items():
                raw_key, value = (prefix + key).encode(), None if row is ABSENT else pack(row)
                if value is not None and len(value) + len(raw_key) > limit:
                    raise OutputTooLarge("changelog", len(value) + len(raw_key), limit)
                rows.append((raw_key, value))
        rows.extend((timer_key(*timer), b"1" if present else None) for timer, present in self._timers.items())
        return rows

    def committed(self) -> None:
        """The transaction is in the log: the overlay becomes the cache."""
        for state in self._tables.values():
            if state.changed:
                cache = state.cache
                cache.update(state.changed)
                if len(cache) > CACHED_ROWS_MAX:
                    _forget_older_half(cache)
                state.changed = {}
        for name, move in self._moves.items():
            self.gauges[name] += move
        self.clear()

    def clear(self) -> None:
        """Forget the batch."""
        for state in self._tables.values():
            state.changed = {}
        self.outputs = []
        self._timers.clear()
        self._journal.clear()
        self._moves = dict.fromkeys(self.gauges, 0)

    def count_gauges(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Add up the gauges over all stored rows: once, after restore."""
        counting = [(state.prefix.encode(), state) for state in self._tables.values() if state.gauges]
        for key, value in rows if counting else ():
            for state in (state for prefix, state in counting if key.startswith(prefix)):
                row = state.decode(value)
                for name, count in state.gauges:
                    self.gauges[name] += count(row)

    def changed_rows(self, table: str) -> Iterator[tuple[str, Any, Any]]:
        """The rows of a table that the batch has changed: key, row before, row after; ABSENT where there is none."""
        state = self._tables[table]
        for key, row in state.changed.items():
            before = state.cache.get(key)
            yield key, self._load(state, key) if before is None else before, row

    def _move_gauges(self, table: str, state: _TableState) -> None:
        for _, before, row in self.changed_rows(table):
            for name, count in state.gauges:
                added = 0 if row is ABSENT else count(row)
                self._moves[name] += added - (0 if before is ABSENT else count(before))

    def envelope(self, topic: str, record: Record) -> Envelope:
        """The headers of the next output; none on topics that carry no events."""
        if topic not in self._events:
            return BARE
        cause = self._cause
        if cause is None:
            cause = self._cause = cause_of(self._raw, self._occasion)
        return self._envelopes.wrap(type(record), cause, number=len(self.outputs), timestamp=self.event_at)

    def check_size(self, topic: str, size: int) -> None:
        """Raise OutputTooLarge when key, value and headers of this size exceed what their topic takes."""
        if size > self._limits[topic]:
            raise OutputTooLarge(topic, size, self._limits[topic])

    def _set_timer(self, timer: tuple[int, str, str], *, present: bool) -> None:
        self._journal.append((self._timers, timer, self._timers.get(timer, MISSING)))
        self._timers[timer] = present

    def _load(self, state: _TableState, key: str) -> Any:
        try:
            raw = self._store.get((state.prefix + key).encode())
        except StreamsError:
            raise
        except Exception as error:  # rocksdict raises bare Exception: a broken disk must not dead-letter a record
            raise StoreError(f"cannot read {state.prefix}{key} from the local store: {error}") from error
        try:
            row = ABSENT if raw is None else state.decode(raw)
        except msgspec.MsgspecError as error:
            raise StoreError(f"row {state.prefix}{key} is of another layout: {error}") from error
        state.cache[key] = row
        if len(state.cache) > CACHED_ROWS_MAX:
            _forget_older_half(state.cache)
        return row


def _forget_older_half(cache: dict[str, Any]) -> None:
    for key in list(cache)[: len(cache) // 2]:
        del cache[key]
