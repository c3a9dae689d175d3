"""Cancelling and giving units back: requests to the location, never done before it agrees (design §5 g).

In: OrderCancelled; RevocationAsked by the stock task; AssignmentWithdrawn and -WithdrawalRefused. Out:
AssignmentWithdrawalRequested per part that still has units to ship. Released at once: the attempt under way, for its
units were never assigned. Everything else only once it is withdrawn. A refused cancel is reported as `cancel_refused`:
the parts that refused go on as ordered, and what was withdrawn stays cancelled.
"""

import msgspec

from processors.orders.assigning import order_and_part
from processors.orders.attempts import begin, leave
from processors.orders.checks import require_order
from processors.orders.freeing import free, go_on_without, settle_cancel
from processors.orders.keeping import keep
from processors.orders.late import keep_event
from processors.orders.parking import report, resolve, stop_waiting
from processors.orders.rows import CANCEL, REVOKE, OrderRow, Part, Phase, row_of, unshipped, with_part
from processors.step import ABSENT, Context
from schemas.records.assignments import (
    AssignmentWithdrawalRefused,
    AssignmentWithdrawalRequested,
    AssignmentWithdrawn,
)
from schemas.records.orders import OrderCancelled
from schemas.records.reservations import RevocationAsked


def cancelled(record: OrderCancelled, ctx: Context) -> None:
    """The customer wants the order no more."""
    row = row_of(record.order_id, ctx)
    require_order(ctx, record.order_id, None if row is ABSENT else row.placed.merchant_id)
    if row is ABSENT:
        keep_event(record.order_id, record, ctx)
    elif not row.cancelled:
        keep(cancel(row, ctx), ctx)


def cancel(row: OrderRow, ctx: Context) -> OrderRow:
    """Take back what can be taken back."""
    if row.phase is Phase.FULFILLED:
        report(row, "cancel_refused", "everything has shipped: ask for a return", ctx)
        return row
    row = stop_waiting(resolve(leave(row, ctx, reason="cancelled"), ctx), ctx)
    parts = tuple(_to_cancel(row, part, ctx) for part in row.parts)
    shipped = tuple(f"{part.location_id}: shipped" for part in row.parts if not unshipped(part))
    return settle_cancel(msgspec.structs.replace(row, cancelled=True, parts=parts, refusals=shipped), ctx)


def _to_cancel(row: OrderRow, part: Part, ctx: Context) -> Part:
    # One question at a time: a revocation that is out is answered first, then the cancel is asked.
    return part if part.withdrawing or not unshipped(part) else ask_withdrawal(row, part, CANCEL, ctx)


def ask_withdrawal(row: OrderRow, part: Part, why: str, ctx: Context) -> Part:
    """Ask the location to give the assignment back."""
    request_withdrawal(row, part, why, ctx)
    return msgspec.structs.replace(part, withdrawing=why, asked_at=ctx.now_at, repeats=0)


def request_withdrawal(row: OrderRow, part: Part, why: str, ctx: Context) -> None:
    """Send the request, for the first time or again."""
    request = AssignmentWithdrawalRequested(part.assignment_id, row.placed.order_id, part.location_id, why)
    ctx.emit("location-requests", part.location_id, request)


def withdrawn(record: AssignmentWithdrawn, ctx: Context) -> None:
    """The location gave the assignment back: its units are free."""
    found = order_and_part(record, ctx)
    if found is None:
        return
    row, part = found
    reason = part.withdrawing or "withdrawn"
    part = msgspec.structs.replace(part, withdrawing="", repeats=0)
    row = free(with_part(row, part), part, unshipped(part), ctx, reason=reason)
    keep(go_on_without(row, part.location_id, ctx, reason=reason), ctx)


def refused(record: AssignmentWithdrawalRefused, ctx: Context) -> None:
    """Too late: the part goes on as ordered."""
    found = order_and_part(record, ctx)
    if found is None or not found[1].withdrawing:
        return
    row, part = found
    if row.cancelled and part.withdrawing == REVOKE:
        keep(with_part(row, ask_withdrawal(row, part, CANCEL, ctx)), ctx)
        return
    row = with_part(row, msgspec.structs.replace(part, withdrawing="", repeats=0))
    if row.cancelled:
        refusals = (*row.refusals, f"{part.location_id}: {record.status}")
        row = settle_cancel(msgspec.structs.replace(row, refusals=refusals), ctx)
    keep(row, ctx)


def revocation_asked(record: RevocationAsked, ctx: Context) -> None:
    """On-hand fell below reserved, and this order is the newest: give units back if nobody works on them yet."""
    row = row_of(record.order_id, ctx)
    if row is ABSENT:
        return
    effort = row.effort
    if effort is not None and any(
        grant.variant_id == record.variant_id and grant.location_id == record.location_id for grant in effort.grants
    ):
        keep(begin(row, ctx, reason=REVOKE), ctx)
        return
    wanted = record.quantity
    for part in reversed(row.parts):
        left = unshipped(part)
        units = sum(left.get(line.line_no, 0) for line in part.lines if line.variant_id == record.variant_id)
        if wanted > 0 and units and part.location_id == record.location_id and not part.withdrawing:
            row = with_part(row, ask_withdrawal(row, part, REVOKE, ctx))
            wanted -= units
    keep(row, ctx)
