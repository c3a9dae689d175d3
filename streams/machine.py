"""The deterministic heart of the engine: raw records in merge order, one unit of work, outputs.

No Kafka, no clock, no I/O beyond reading rows: the task, the in-memory driver and the replayer all run this. Each
record stands on a savepoint: one that is wrong rolls back alone and goes to `dead-letters` with its reason, in the
same transaction as its neighbours. A record on the wrong partition is forwarded once to its own, with its headers.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, pairwise
from time import perf_counter
from typing import Any, Final, Protocol

import msgspec

from processors.reasons import Reason
from processors.step import ABSENT, Handler, Refused, Stage, Table
from schemas.codec import Codec
from schemas.errors import SchemaError, UnknownSchemaError
from schemas.records.engine import Tick
from schemas.records.network import NetworkChanged
from schemas.topology import Topology
from streams.auditing import Auditor
from streams.cloudevents import size_of
from streams.deadletters import CUT_SHORT, FORWARDED_HEADER, DeadLetterSealer, Rejected, position_of
from streams.errors import LogIsNewer, OutputTooLarge, StreamsError
from streams.partitioner import Partitioner
from streams.signatures import KeyRing
from streams.store import LAYOUT_VERSION
from streams.unit import Output, UnitOfWork

log = logging.getLogger(__name__)

CLOCK: Final = "clock"
NETWORK_CHANGES: Final = "network-changes"
DEAD_LETTERS: Final = "dead-letters"
ALERTS: Final = "operational-alerts"
CHECK_TIME_EVERY: Final = 32
KEPT_HEAD_BYTES: Final = 65_536


class Instant(msgspec.Struct, frozen=True):
    """The task's time and reference data, as a table row."""

    value: int


ENGINE: Final = Table("engine", Instant)
"""Rows `now` (last tick), `timers` (due from here on have not fired; absent: from now on), `network` (version in force),
`manifest` (their number), `next|topic` (next offset), `layout` (how the rows are written), `dead…` (streams/deadletter_rate.py)."""

ENGINE_STAGE: Final = Stage(name="engine", handlers={}, tables=(ENGINE,))


class Raw(msgspec.Struct, frozen=True, gc=False):
    """A record as read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Networks(Protocol):
    """Reference data, version by version."""

    def at(self, version: int) -> Any:
        """The network with every record up to this offset."""
        ...

    def rejected(self, after: int, to: int) -> Sequence[Rejected]:
        """The records behind the first offset, and up to the second, that could not be used."""
        ...


class Counts:
    """What happened in a batch, for metrics only."""

    __slots__ = ("dead", "forwarded", "records")

    def __init__(self) -> None:
        self.records = 0
        self.forwarded = 0
        self.dead: dict[str, int] = {}


class _TopicPlan:
    """What to do with the records of one topic, looked up once."""

    __slots__ = ("broadcast", "handlers", "internal", "limit", "raw_name", "signed")

    def __init__(self, topology: Topology, name: str, stages: Sequence[Stage]) -> None:
        spec = topology.topics[name]
        self.broadcast = spec.broadcast
        self.internal = spec.internal
        self.signed = spec.signed == "required"
        self.raw_name = name.encode()
        self.handlers: dict[type, list[Handler]] = {}
        for stage in stages:
            for record_type, handler in stage.handlers.get(name, {}).items():
                self.handlers.setdefault(record_type, []).append(handler)


class Machine:
    """Processes batches of one task."""

    def __init__(
        self,
        topology: Topology,
        stages: Sequence[Stage],
        codec: Codec,
        *,
        partition: int,
        keys: KeyRing | None,
        sealer: DeadLetterSealer,
        networks: Networks,
    ) -> None:
        self._decode = codec.decode
        self._encode = codec.encode
        self._partition = partition
        self._partition_of = Partitioner(topology.partitions)
        self._keys = keys
        self._sealer = sealer
        self._networks = networks
        self.may_alert = ALERTS in topology.topics
        self._warned: set[str] = set()
        self._plans = {name: _TopicPlan(topology, name, stages) for name in topology.source_topics}
        self._timers = {kind: handler for stage in stages for kind, handler in stage.timers.items()}
        self._auditor = Auditor(stages)

    def run(
        self, records: Iterable[Any], unit: UnitOfWork, *, budget_s: float | None = None, strict: bool = False
    ) -> tuple[list[Any], Counts]:
        """Process records in order, all or as many as the budget allows; returns those, and what happened.

        Of consecutive ticks only the last is processed, and the budget never ends a batch between two of them, so
        that a replay of the same records does the same. strict checks the size of every row at once.
        """
        counts = Counts()
        started = perf_counter()
        processed: list[Any] = []
        for index, (raw, following) in enumerate(pairwise(chain(records, (None,)))):
            processed.append(raw)
            if raw.topic == CLOCK:
                if following is not None and following.topic == CLOCK:
                    continue
                self._tick(raw, unit, counts, strict=strict)
            elif raw.topic == NETWORK_CHANGES:
                self._change_network(raw, unit, counts)
            else:
                self._process(raw, unit, counts, strict=strict)
            if budget_s is not None and index % CHECK_TIME_EVERY == 0 and perf_counter() - started > budget_s:
                break
        return processed, counts

    def _process(self, raw: Any, unit: UnitOfWork, counts: Counts, *, strict: bool) -> None:
        counts.records += 1
        plan = self._plans[raw.topic]
        unit.begin_record(raw)
        try:
            raw_key = raw.key
            if raw_key is None:
                raise Refused(Reason.KEY_MISMATCH, f"the record has no key; {raw.topic} needs one")
            if not plan.broadcast and self._partition_of(raw_key) != self._partition:
                self._forward(raw, unit, counts)
                return
            if plan.signed and self._keys is not None:
                unit.signer = self._proven_signer(plan, raw)
            unit.key = raw_key.decode()
            record = self._decode(raw.value or b"")
            for handler in self._handlers(plan, record):
                handler(record, unit)
            if strict:
                unit.check_rows()
        except Refused as refused:
            self._bury(raw, unit, counts, refused.reason, refused.detail)
        except (SchemaError, UnicodeDecodeError) as error:
            self._bury(raw, unit, counts, self._unreadable(raw, error), str(error))
        except OutputTooLarge as error:
            self._bury(raw, unit, counts, Reason.OUTPUT_TOO_LARGE, str(error))
        except StreamsError:
            raise
        except Exception as error:
            log.exception("processor failed on %s", position_of(raw))
            self._bury(raw, unit, counts, Reason.PROCESSOR_ERROR, f"{type(error).__name__}: {error}")

    def _unreadable(self, raw: Any, error: Exception) -> Reason:
        """Why a record cannot be read; raises LogIsNewer for one that a later version of FSN can read.

        Only workers write internal topics. As a dead letter such a record would be missing from what its neighbours
        build on: an order would wait for ever.
        """
        if not isinstance(error, UnknownSchemaError):
            return Reason.UNDECODABLE
        if self._plans[raw.topic].internal:
            raise LogIsNewer(
                f"{position_of(raw)} was written by a newer FSN (schema id {error.schema_id} is unknown here): start the "
                "version that wrote it, or a later one; the record waits, nothing is lost"
            ) from error
        return Reason.UNKNOWN_SCHEMA

    def _proven_signer(self, plan: _TopicPlan, raw: Any) -> str:
        assert self._keys is not None
        signer = self._keys.signer(plan.raw_name, raw.key, raw.value or b"", raw.headers or ())
        if signer is None:
            raise Refused(
                Reason.FORGED,
                f"{raw.topic} must be signed and this record is not, or not by a known key: send the headers "
                "fsn-key-id and fsn-signature (HMAC-SHA256 over topic|key|value)",
            )
        return signer

    def _handlers(self, plan: _TopicPlan, record: Any) -> list[Handler]:
        handlers = plan.handlers.get(type(record))
        if handlers is None:
            detail = f"{type(record).__name__} is not declared for {plan.raw_name.decode()}: see topology.yaml"
            raise Refused(Reason.UNDECLARED_RECORD, detail)
        return handlers

    def _tick(self, raw: Any, unit: UnitOfWork, counts: Counts, *, strict: bool) -> None:
        counts.records += 1
        try:
            record = self._decode(raw.value or b"")
            if not isinstance(record, Tick):
                raise SchemaError(f"{type(record).__name__} is not a Tick")
            if record.at != raw.timestamp:  # by the timestamp it was judged that everything older has been read
                raise SchemaError(f"a tick of {record.at} with the Kafka timestamp {raw.timestamp}: send both alike")
        except SchemaError as error:
            unit.begin_record(raw)
            self._bury(raw, unit, counts, self._unreadable(raw, error), str(error))
            return
        for timer in unit.tick(record.at):
            unit.begin_timer(raw, timer)
            try:
                self._timers[timer[1]](timer[2], unit)
                if strict:
                    unit.check_rows()
            except StreamsError as error:
                if not isinstance(error, OutputTooLarge):
                    raise
                self._bury_timer(raw, unit, counts, timer, error)
            except Exception as error:
                log.exception("timer %s failed", timer)
                self._bury_timer(raw, unit, counts, timer, error)
        unit.begin_record(raw)
        unit.put(ENGINE, "now", Instant(unit.now_at))
        if unit.timers_from < unit.now_at:
            unit.put(ENGINE, "timers", Instant(unit.timers_from))
        elif unit.get(ENGINE, "timers") is not ABSENT:
            unit.delete(ENGINE, "timers")

    def _change_network(self, raw: Any, unit: UnitOfWork, counts: Counts) -> None:
        counts.records += 1
        unit.begin_record(raw)
        try:
            record = self._decode(raw.value or b"")
        except SchemaError as error:
            self._bury(raw, unit, counts, self._unreadable(raw, error), str(error))
            return
        row = unit.get(ENGINE, "network")
        known = -1 if row is ABSENT else row.value
        if isinstance(record, NetworkChanged) and (row is ABSENT or record.network_offset > known):
            unit.network = self._networks.at(record.network_offset)
            unit.put(ENGINE, "network", Instant(record.network_offset))
            # Every worker reads them and no task owns them: one task says for all what could not be used.
            for rejected in self._networks.rejected(known, record.network_offset) if self._partition == 0 else ():
                unit.begin_engine()
                self._bury(rejected.raw, unit, counts, rejected.reason, rejected.detail)

    def _forward(self, raw: Any, unit: UnitOfWork, counts: Counts) -> None:
        headers = tuple(raw.headers or ())
        if any(name == FORWARDED_HEADER for name, _ in headers):
            raise Refused(
                Reason.WRONG_PARTITION, "forwarded once already and wrong again: check the topic's partitions"
            )
        headers += ((FORWARDED_HEADER, str(raw.partition).encode()),)
        around = len(raw.key) + size_of(headers)
        unit.check_size(raw.topic, len(raw.value or b"") + around)
        counts.forwarded += 1
        if raw.topic not in self._warned:
            self._warned.add(raw.topic)
            log.warning(
                "%s is not on its key's partition and is forwarded, as its like will be: set `partitioner` to "
                "`murmur2_random` in the producer (librdkafka's default is CRC32)",
                position_of(raw),
            )
        unit.outputs.append(Output(raw.topic, raw.key, raw.value, raw.timestamp, self._partition_of(raw.key), headers))

    def _bury(self, raw: Any, unit: UnitOfWork, counts: Counts, reason: Reason, detail: str) -> None:
        unit.rollback()
        counts.dead[reason.value] = counts.dead.get(reason.value, 0) + 1
        try:
            unit.emit(DEAD_LETTERS, position_of(raw), self._sealer.seal(raw, reason, detail))
        except OutputTooLarge:
            # Only a compressed batch can smuggle in a record beyond its topic's limit; its head must do.
            head = (raw.value or b"")[:KEPT_HEAD_BYTES]
            kept = Raw(raw.topic, raw.partition, raw.offset, raw.timestamp, (raw.key or b"")[:1_000], head)
            size = f"{len(head)} of {len(raw.value or b'')} bytes"
            detail = f"{CUT_SHORT}{size}: beyond what {DEAD_LETTERS} takes; {detail}"
            unit.emit(DEAD_LETTERS, position_of(raw), self._sealer.seal(kept, reason, detail))

    def project(self, raw: Any, unit: UnitOfWork, counts: Counts) -> None:
        """Show the changed rows of the batch, and audit them; what fails goes to `dead-letters` by its table and key."""
        for row, error in chain(unit.project(), self._auditor.run(unit)):
            if isinstance(error, StreamsError) and not isinstance(error, OutputTooLarge):
                raise error
            log.error("row %s cannot be shown or audited: %s", row, error)
            self._bury_timer(raw, unit, counts, (0, "projection", row), error)

    def _bury_timer(
        self, raw: Any, unit: UnitOfWork, counts: Counts, timer: tuple[int, str, str], error: Exception
    ) -> None:
        unit.rollback()
        counts.dead[Reason.PROCESSOR_ERROR.value] = counts.dead.get(Reason.PROCESSOR_ERROR.value, 0) + 1
        detail = f"timer {timer[1]} of {timer[2]}: {type(error).__name__}: {error}"
        unit.emit(
            DEAD_LETTERS, f"{position_of(raw)}|{timer[1]}", self._sealer.seal(raw, Reason.PROCESSOR_ERROR, detail)
        )


def check_layout(unit: UnitOfWork, partition: int) -> None:
    """Raise LogIsNewer for tables that a newer version wrote in a way this one cannot read."""
    found = unit.get(ENGINE, "layout")
    if found is not ABSENT and found.value > LAYOUT_VERSION:
        raise LogIsNewer(
            f"the changelog of partition {partition} holds tables of layout {found.value}, and this FSN reads up to "
            f"{LAYOUT_VERSION}: start the version that wrote them, or a later one"
        )


def recall_time(unit: UnitOfWork) -> None:
    """Time as of the last transaction in the rows."""
    now, timers = unit.get(ENGINE, "now"), unit.get(ENGINE, "timers")
    if now is not ABSENT:
        unit.now_at = unit.ticked_at = now.value
        unit.timers_from = now.value if timers is ABSENT else timers.value


def network_wanted(record_value: bytes, decode: Callable[[bytes], Any]) -> int:
    """The network offset a NetworkChanged asks for; −1 for anything else."""
    try:
        record = decode(record_value)
    except SchemaError:
        return -1
    return record.network_offset if isinstance(record, NetworkChanged) else -1
