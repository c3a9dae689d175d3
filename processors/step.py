"""The shape all stages share: a record and a context go in; rows, records and timers come out through the context.

A stage declares its tables, its handlers by record type, its timers by kind, and what every changed row is projected
to. A handler is deterministic: it reads the record, the rows of its tables, `ctx.now_at` and `ctx.network`, and
nothing else. Rows are immutable: a handler puts a new row, and never changes one it has read. All that a handler did
is undone when it raises, and becomes visible with its whole batch, in one transaction, or not at all.

A record that cannot be processed raises `Refused` with a reason of `processors.reasons.Reason`: the engine keeps the
record's bytes and the reason in `dead-letters` and goes on. Any other exception is a bug, and is kept there too, as
`PROCESSOR_ERROR`.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import msgspec

from processors.reasons import Reason
from schemas.records.base import Record

if TYPE_CHECKING:
    from processors.network import Network

Row = TypeVar("Row", bound=msgspec.Struct)
Found = TypeVar("Found", bound=msgspec.Struct)


class Absent(Enum):
    """No row under this key. Not None, not falsy: zero on hand is not absence. (An enum, so that `is` narrows types.)"""

    ABSENT = 0


ABSENT: Final = Absent.ABSENT


Owners = Callable[[str, Any], tuple[str, ...]]
"""owners(row's key, row or None where it is gone): the key of the records that the row belongs to. Several where the row's
key alone does not tell, the likeliest first; none where nobody can tell any more."""


def itself(key: str, row: Any) -> tuple[str, ...]:  # noqa: ARG001 - the row is not needed here
    """A row under its records' own key."""
    return (key,)


def prefixes(separator: str, *, parts: int) -> Owners:
    """A row whose key begins with its records' key, which has most likely so many parts: how many, the key does not tell."""

    def owners(key: str, row: Any) -> tuple[str, ...]:  # noqa: ARG001
        words = key.split(separator)
        counts = sorted(range(1, len(words) + 1), key=lambda count: (count != parts, count))
        return tuple(separator.join(words[:count]) for count in counts)

    return owners


class Table(Generic[Row]):
    """A named table of one row type, partitioned like its stage's inputs.

    owners: whose rows they are, for who moves rows to other partitions
    shared: each partition keeps such rows for itself, whatever the key of the record that caused them
    """

    __slots__ = ("name", "owners", "row", "shared")

    def __init__(self, name: str, row: type[Row], *, owners: Owners = itself, shared: bool = False) -> None:
        self.name = name
        self.row = row
        self.owners = owners
        self.shared = shared


class Refused(Exception):
    """This record cannot be processed: it goes to `dead-letters` with this reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Source(msgspec.Struct, frozen=True):
    """Where a record was read."""

    topic: str
    partition: int
    offset: int


class Context(Protocol):
    """What a handler may know and do besides reading its record."""

    now_at: int
    """Epoch ms of the last tick this task processed: the only clock for ages, due dates, cut-offs and 'today'."""

    event_at: int
    """The record's Kafka timestamp: for derived timestamps only."""

    key: str
    """The record's key."""

    network: "Network"
    """The reference data in force."""

    @property
    def source(self) -> Source:
        """Where the record was read."""
        ...

    signer: str | None
    """Owner of the key that signed the record (`acme|partner_x`, a tenant `acme`, or `fsn` for the worker itself);
    None where signatures are not required."""

    def get(self, table: Table[Found], key: str) -> "Found | Absent":
        """The row under this key, or ABSENT."""
        ...

    def put(self, table: Table[Found], key: str, row: Found) -> None:
        """Keep this row."""
        ...

    def delete(self, table: Table[Any], key: str) -> None:
        """Keep no row under this key."""
        ...

    def emit(self, topic: str, key: str, record: Record) -> None:
        """Send a record to the partition of its key."""
        ...

    def broadcast(self, topic: str, key: str, record: Record) -> None:
        """Send a record to every partition of a broadcast topic."""
        ...

    def wake(self, due_at: int, kind: str, key: str) -> None:
        """Set a timer: `TIMERS[kind](key, ctx)` runs on the first tick at or after due_at. Setting the same
        (due_at, kind, key) twice sets one timer.
        """
        ...

    def unwake(self, due_at: int, kind: str, key: str) -> None:
        """Remove a timer; harmless when there is none. (A handler may also just find that its row needs nothing.)"""
        ...


Handler = Callable[[Any, Context], None]
"""handler(record, ctx)"""

TimerHandler = Callable[[str, Context], None]
"""handler(key, ctx)"""

Projection = Callable[[str, Any, Context], None]
"""project(key, row, ctx): emits what a changed row shows to others, once per batch for each row that changed."""

Audit = Callable[[str, Any, Any], Iterable[tuple[str, str, int]]]
"""audit(key, row before, row after), ABSENT where there is none: by how many units a changed row has moved which account
of which invariant, as (invariant, account, units). Over the rows of one batch each account's moves cancel out."""

Settle = Callable[[str, str, int, Context], None]
"""settle(invariant, account, units, ctx): the units by which a batch has moved an account, when they are not 0."""


class Gauge(msgspec.Struct, frozen=True):
    """Something operators watch that is a sum over a table's rows, for example how many feeds are stale."""

    table: Table[Any]
    count: Callable[[Any], int]
    """What one row adds."""


class Stage(msgspec.Struct, frozen=True):
    """A processor as the engine sees it.

    handlers: by topic, then by record type; a type missing under a topic is dead-lettered as UNDECLARED_RECORD
    timers: by kind; kinds are `<stage>.<what>`
    timer_tables: kinds whose keys are those of a table's rows; all other timers bear their records' key
    tables: every table the stage writes
    projections: by table name
    gauges: by the name operators see
    audits: by table name, tables of any stage; settle hears of accounts that a batch left unequal
    """

    name: str
    handlers: Mapping[str, Mapping[type, Handler]]
    tables: tuple[Table[Any], ...] = ()
    timers: Mapping[str, TimerHandler] = {}
    timer_tables: Mapping[str, Table[Any]] = {}
    projections: Mapping[str, Projection] = {}
    gauges: Mapping[str, Gauge] = {}
    audits: Mapping[str, Audit] = {}
    settle: Settle | None = None


def stable_id(prefix: str, *causes: str | int) -> str:
    """An id derived from its causes: the same causes always give the same id (`rd_1f3a…`, 20 hex digits)."""
    digest = hashlib.sha1("|".join(map(str, causes)).encode(), usedforsecurity=False).hexdigest()
    return f"{prefix}_{digest[:20]}"
