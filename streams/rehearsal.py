"""A recorded run under other schemas: what would differ, partition by partition.

In: one partition's recorded source records and manifests, and two sides: the codec of today with the reference data it
read, and the codec of a worker of tomorrow with its. Both replay every transaction, so that whatever differs between
them comes from the schemas and from nothing else. Out: a `Difference` for each value of an output or table row that is
not the same, and for each record that only one of them can read.

A task is given what was recorded: an output that differs does not reach the task that would have read it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from processors.step import Stage
from schemas.codec import Codec
from schemas.errors import SchemaError
from schemas.proposals import ProposedCodec, plain
from schemas.records.engine import TaskManifest
from schemas.topology import Topology
from streams.batch import MANIFESTS
from streams.broadcast import NetworkCopy
from streams.deadletters import DeadLetterSealer, position_of
from streams.machine import ENGINE_STAGE
from streams.replay import replay
from streams.signatures import KeyRing
from streams.store import TIMER_PREFIX
from streams.testing import MemoryStore
from streams.unit import Output

ABSENT: Final = "(absent)"
SHOWN_MAX: Final = 120


class Kind(StrEnum):
    """What differs, in the order in which it should be looked at."""

    NOT_REPRODUCED = "not reproduced"
    """A transaction that today's code does not repeat: what is said of its partition may have that cause."""
    UNREADABLE = "unreadable"
    """A record that the proposed schema cannot read."""
    UNUSABLE = "unusable"
    """A record that it reads, and today's rules cannot take."""
    READ = "read"
    """A value of a record in the log, as it is read."""
    OUTPUT = "output"
    ROW = "row"


class Difference(msgspec.Struct, frozen=True):
    """One value that differs.

    place: its topic or table; record: its record or row type; path: the field, `lines[].quantity`
    where: `topic|partition|offset`, or the transaction; old, new: as text
    """

    kind: Kind
    place: str
    record: str
    path: str
    where: str
    key: str
    old: str
    new: str


class Side(msgspec.Struct, frozen=True):
    """A codec, and the reference data as that codec reads it."""

    codec: Codec
    network: NetworkCopy


def compare_record(raw: Any, today: Codec, tomorrow: ProposedCodec, *, for_rules: bool) -> Iterator[Difference]:
    """How a record of the log reads under the proposed schemas; one that is no record today is left out.

    for_rules: tasks read its topic, so that today's rules must be able to take it
    """
    value = raw.value or b""
    try:
        if not tomorrow.is_proposed(value):
            return
        before = today.decode(value)
    except SchemaError:
        return
    name, where, key = type(before).__name__, position_of(raw), (raw.key or b"").decode(errors="replace")
    try:
        after = tomorrow.plain(value)
    except SchemaError as error:
        yield Difference(Kind.UNREADABLE, raw.topic, name, "", where, key, "", str(error)[:SHOWN_MAX])
        return
    for path, old, new in differences(plain(before), after):
        yield Difference(Kind.READ, raw.topic, name, path, where, key, old, new)
    if not for_rules:
        return
    try:
        tomorrow.decode(value)
    except SchemaError as error:
        yield Difference(Kind.UNUSABLE, raw.topic, name, "", where, key, "", str(error)[:SHOWN_MAX])


def rehearse(
    topology: Topology,
    stages: Sequence[Stage],
    *,
    partition: int,
    logs: Mapping[str, Sequence[Any]],
    manifests: Sequence[TaskManifest],
    today: Side,
    tomorrow: Side,
    keys: KeyRing | None = None,
    sealer: DeadLetterSealer | None = None,
) -> Iterator[Difference]:
    """Replay a partition's transactions under both sides; first what differs in outputs, then in rows."""
    stores = MemoryStore(), MemoryStore()
    runs = [
        replay(
            topology,
            stages,
            partition=partition,
            logs=logs,
            manifests=manifests,
            network=side.network,
            keys=keys,
            sealer=sealer,
            codec=side.codec,
            store=store,
        )
        for side, store in zip((today, tomorrow), stores, strict=True)
    ]
    for before, after in zip(*runs, strict=True):
        where = f"task {partition}, transaction {before.recorded.number}"
        if not before.matches:
            yield Difference(
                Kind.NOT_REPRODUCED,
                MANIFESTS,
                "TaskManifest",
                "outputs_digest",
                where,
                str(partition),
                before.recorded.outputs_digest,
                before.now.outputs_digest,
            )
        yield from _outputs(before.computed.outputs, after.computed.outputs, where, today.codec, tomorrow.codec)
    yield from _rows(stores[0].rows, stores[1].rows, (ENGINE_STAGE, *stages), partition)


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """(path, old, new) of every plain value that differs, also in type; items of a list share one path."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            inner = f"{path}.{name}" if path else name
            if name not in new or name not in old:
                yield inner, _shown(old.get(name, ABSENT)), _shown(new.get(name, ABSENT))
            else:
                yield from differences(old[name], new[name], inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for before, after in zip(old, new, strict=True):
            yield from differences(before, after, f"{path}[]")
    elif type(old) is not type(new) or old != new:
        yield path, _shown(old), _shown(new)


def _outputs(
    before: Sequence[Output], after: Sequence[Output], where: str, today: Codec, tomorrow: Codec
) -> Iterator[Difference]:
    """Outputs of one transaction, by topic, key and partition, and there by their order."""
    olds, news = _by_key(before), _by_key(after)
    for place in dict.fromkeys((*olds, *news)):
        topic, key = place[0], place[1].decode(errors="replace")
        old, new = olds.get(place, []), news.get(place, [])
        for index in range(max(len(old), len(new))):
            left = old[index] if index < len(old) else None
            right = new[index] if index < len(new) else None
            if left == right:
                continue
            name, was = _described(left, today)
            new_name, now = _described(right, tomorrow)
            if ABSENT in (was, now) or name != new_name:
                yield Difference(
                    Kind.OUTPUT, topic, name or new_name, "", where, key, name or ABSENT, new_name or ABSENT
                )
                continue
            for path, old_value, new_value in differences(was, now):
                yield Difference(Kind.OUTPUT, topic, name, path, where, key, old_value, new_value)


def _by_key(outputs: Sequence[Output]) -> dict[tuple[str, bytes, int | None], list[bytes]]:
    # The manifest differs whenever another output does, and says nothing more.
    found: dict[tuple[str, bytes, int | None], list[bytes]] = {}
    for output in outputs:
        if output.topic != MANIFESTS:
            found.setdefault((output.topic, output.key, output.partition), []).append(output.value)
    return found


def _described(value: bytes | None, codec: Codec) -> tuple[str, Any]:
    """Record type and plain values of an output; one that is forwarded may be no record."""
    if value is None:
        return "", ABSENT
    try:
        name = codec.record_type_of(value).__name__
        return name, codec.plain(value) if isinstance(codec, ProposedCodec) else plain(codec.decode(value))
    except SchemaError:
        return "no record", value


def _rows(
    before: Mapping[bytes, bytes], after: Mapping[bytes, bytes], stages: Iterable[Stage], partition: int
) -> Iterator[Difference]:
    row_types = {table.name: table.row for stage in stages for table in stage.tables}
    for stored in sorted(before.keys() | after.keys()):
        old, new = before.get(stored), after.get(stored)
        if old == new:
            continue
        text = stored.decode(errors="replace")
        if stored.startswith(TIMER_PREFIX):
            due_at, kind, key = text[1:].split("|", 2)
            was, now = (ABSENT if row is None else due_at for row in (old, new))
            yield Difference(Kind.ROW, "timers", kind, "", f"task {partition}", key, was, now)
            continue
        table, _, key = text.partition("|")
        row_type = row_types[table]
        if old is None or new is None:
            was, now = (ABSENT if row is None else row_type.__name__ for row in (old, new))
            yield Difference(Kind.ROW, table, row_type.__name__, "", f"task {partition}", key, was, now)
            continue
        rows = [plain(msgspec.msgpack.decode(row, type=row_type)) for row in (old, new)]
        for path, was, now in differences(*rows):
            yield Difference(Kind.ROW, table, row_type.__name__, path, f"task {partition}", key, was, now)


def _shown(value: Any) -> str:
    text = value if value is ABSENT else repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
