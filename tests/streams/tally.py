"""A small stage for engine tests: adds up deltas per variant, shows the sum, and closes it by a timer.

It knows enough to exercise everything: rows, projections, timers, refusals, rows and outputs that are too large.
"""

import msgspec

from processors.reasons import Reason
from processors.step import ABSENT, Context, Gauge, Refused, Stage, Table
from schemas.records.operations import OperationalAlert
from schemas.records.stock import StockDelta, StockSnapshot

CLOSE_AFTER_MS = 60_000


class Sum(msgspec.Struct, frozen=True, array_like=True):
    units: int
    records: int
    padding: str = ""


SUMS = Table("sums", Sum)


def add(record: StockDelta, ctx: Context) -> None:
    """Add one delta."""
    if record.reason == "damage":
        raise Refused(Reason.INVALID_VALUE, "this test stage takes no damage")
    if record.reason == "crash":
        raise ZeroDivisionError("a bug in a processor")
    known = ctx.get(SUMS, record.location_id)
    if known is ABSENT:
        known = Sum(0, 0)
        ctx.wake(ctx.now_at + CLOSE_AFTER_MS, "tally.close", record.location_id)
    if record.reason == "bloat":
        known = Sum(known.units, known.records, "x" * record.quantity)
        ctx.put(SUMS, record.location_id, known)
        return
    ctx.put(SUMS, record.location_id, Sum(known.units + record.quantity, known.records + 1, known.padding))


def close(key: str, ctx: Context) -> None:
    """Tell the sum, once its time has come."""
    row = ctx.get(SUMS, key)
    if row is ABSENT:
        return
    ctx.emit("operational-alerts", key, OperationalAlert("", key, "CLOSED", 0, row.units, "", "open", ctx.now_at))


def show(key: str, row: Sum, ctx: Context) -> None:
    """What the sum is after the batch."""
    snapshot = StockSnapshot("v", key, row.records, row.units, 0, 0, row.units, gapped=False, updated_at=ctx.event_at)
    ctx.emit("stock-snapshots", key, snapshot)


STAGE = Stage(
    name="tally",
    handlers={"stock-deltas": {StockDelta: add}},
    tables=(SUMS,),
    timers={"tally.close": close},
    projections={"sums": show},
    gauges={"units": Gauge(SUMS, lambda row: row.units)},
)
