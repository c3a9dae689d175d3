"""A stage that an upgrade adds in the fault suite: what is announced must arrive in time, or operators are told.

In: `announcements`, a topic that the topology before did not have. Out: one `OperationalAlert` per announcement on
`overdue-announcements`, when its time has come, with how often it was taken (once). Rows and timers are its own, so that
workers of the version before carry tables and timers that they know nothing about.
"""

import msgspec

from processors.step import ABSENT, Context, Stage, Table
from schemas.records.operations import OperationalAlert
from schemas.records.stock import StockDelta

DUE_AFTER_MS = 120_000
TOPIC = "announcements"
ALERTS = "overdue-announcements"

TOPICS = f"""\
  {TOPIC}: {{key: variant_id, records: [StockDelta], written_by: [upstream]}}
  {ALERTS}: {{key: entity_id, records: [OperationalAlert], read_by: [operator]}}
"""
STAGES = f"""\
  arrivals:
    module: {__name__}
    reads: [{TOPIC}]
    tables: [announced]
    emits: [{ALERTS}]
"""


class Announced(msgspec.Struct, frozen=True, array_like=True):
    """What was announced, and how often it was taken."""

    units: int
    taken: int


ANNOUNCED = Table("announced", Announced)


def announce(record: StockDelta, ctx: Context) -> None:
    """Wait for it."""
    known = ctx.get(ANNOUNCED, ctx.key)
    if known is ABSENT:
        ctx.wake(ctx.now_at + DUE_AFTER_MS, "arrivals.overdue", ctx.key)
        known = Announced(0, 0)
    ctx.put(ANNOUNCED, ctx.key, Announced(known.units + record.quantity, known.taken + 1))


def overdue(key: str, ctx: Context) -> None:
    """Tell operators."""
    row = ctx.get(ANNOUNCED, key)
    if row is not ABSENT:
        detail = f"taken {row.taken} times"
        ctx.emit(ALERTS, key, OperationalAlert("", key, "OVERDUE", 0, row.units, detail, "open", ctx.now_at))


STAGE = Stage(
    name="arrivals",
    handlers={TOPIC: {StockDelta: announce}},
    tables=(ANNOUNCED,),
    timers={"arrivals.overdue": overdue},
)


def upgraded(declaration: str) -> str:
    """The topology with this stage; its topics stand before all others, which moves their order of merging."""
    return declaration.replace("\ntopics:\n", f"\ntopics:\n{TOPICS}", 1) + STAGES
