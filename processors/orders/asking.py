"""Asking: what the variants answer to an ask, and to an order routed in one hop.

In: StockOffered, StockRouted, StockUnroutable. Out: a plan reserved (all offers are in), a decision (one hop), or the
next fallback. An answer to anything but the attempt under way is ignored: before an attempt ends, everything it could
still be granted is released, so that nothing hangs on such an answer.
"""

import msgspec

from processors.orders.attempts import fall_back, heard, leave, parts_of, plan
from processors.orders.keeping import keep
from processors.orders.locking import Basis, audit, lock, own_basis
from processors.orders.planning import facts_of, shortlist_for, tell_shadow, wanted
from processors.orders.rows import Effort, Grant, Offered, OrderRow, Phase, row_of
from processors.routing.words import Verdict
from processors.step import ABSENT, Context
from schemas.records.reservations import (
    ReservationDenied,
    ReservationGranted,
    StockOffered,
    StockRouted,
    StockUnroutable,
)
from schemas.records.routing import ShadowDecided

Answer = StockOffered | StockRouted | StockUnroutable | ReservationGranted | ReservationDenied

STOCK_REASONS = (
    "",
    Verdict.NO_STOCK.word,
    Verdict.INCOMPLETE_STOCK.word,
    Verdict.STOCK_SHORT.word,
    Verdict.GAPPED.word,
)
"""Outcomes that more stock, or a count, would mend: worth a place in the variant's waiting list."""


def under_way(record: Answer, phase: Phase, ctx: Context) -> tuple[OrderRow, Effort] | None:
    """The order and its attempt, when this answers what that attempt still waits for; else None."""
    row = row_of(record.order_id, ctx)
    if row is ABSENT or row.effort is None or row.phase is not phase or row.attempt != record.attempt:
        return None
    return (row, row.effort) if record.variant_id in row.effort.awaiting else None


def offered(record: StockOffered, ctx: Context) -> None:
    """Gather one variant's offers; with the last one, find a plan."""
    found = under_way(record, Phase.ASKING, ctx)
    if found is None:
        return
    row, effort = found
    answer = Offered(record.variant_id, record.available, record.updated_at, record.flags)
    effort = heard(effort, record.variant_id, answer)
    row = plan(row, effort, ctx) if not effort.awaiting else msgspec.structs.replace(row, effort=effort)
    keep(row, ctx)


def routed(record: StockRouted, ctx: Context) -> None:
    """The variant's task routed and reserved: publish its plan as this attempt's decision."""
    found = under_way(record, Phase.ROUTING, ctx)
    if found is None:
        return
    row, effort = found
    _tell_shadow(record, ctx)
    parts = parts_of(row, record.plan)
    effort = msgspec.structs.replace(
        effort,
        awaiting=(),
        plan=parts,
        score=record.plan.score,
        candidates=record.candidates,
        inputs_digest=record.inputs_digest,
        audit=record.audit,
        grants=tuple(
            Grant(record.attempt, record.variant_id, part.location_id, sum(line.quantity for line in part.lines))
            for part in parts
        ),
    )
    basis = Basis(record.network_offset, record.rule_set_id, record.rule_version)
    keep(lock(row, effort, own_basis(row, ctx) if basis.network_offset < 0 else basis, ctx), ctx)


def _tell_shadow(record: StockRouted | StockUnroutable, ctx: Context) -> None:
    """What the variant's task packed for this one: one writer publishes all of an order's comparisons."""
    if record.shadow:
        tell_shadow(msgspec.msgpack.decode(record.shadow, type=ShadowDecided), ctx)


def unroutable(record: StockUnroutable, ctx: Context) -> None:
    """No plan stands in one hop, and nothing is reserved."""
    found = under_way(record, Phase.ROUTING, ctx)
    if found is None:
        return
    row, effort = found
    _tell_shadow(record, ctx)
    audit(row, "unroutable", record.audit, ctx)
    effort = msgspec.structs.replace(effort, awaiting=(), denied=(record.variant_id,))
    row = leave(msgspec.structs.replace(row, effort=effort), ctx, reason="denied")
    facts = facts_of(row)
    short = wanted(facts) if record.reason in STOCK_REASONS else {}
    chosen = shortlist_for(facts, ctx)
    keep(fall_back(row, ctx, reason=record.reason or "unroutable", short=short, chosen=chosen), ctx)
