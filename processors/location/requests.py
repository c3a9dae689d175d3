"""Requests: what the order asks of a location, and the offer that runs out.

In: AssignmentRequested and AssignmentWithdrawalRequested, the timer `location.expire`. Out: AssignmentOffered,
AssignmentUpdated and AssignmentClosed to the partner on `assignments`; AssignmentDeclined, AssignmentExpired, AssignmentWithdrawn and
AssignmentWithdrawalRefused to the order on `order-events`.

Nothing here goes to dead-letters: each request gets its answer. An id answered once is never offered again, for the
order may have gone on since; a withdrawal that comes before its request leaves a tombstone for the same reason. An
order that asks again hears the same end again, so that no lost answer strands it.
"""

from typing import Final

import msgspec

from processors.location.inbox import ASSIGNMENTS, WITHOUT_SHIPMENT, Assignment, Item, Status, keep, put, status_of
from processors.location.slots import take_slot
from processors.step import ABSENT, Context
from schemas.records.assignments import (
    AssignmentDeclined,
    AssignmentExpired,
    AssignmentOffered,
    AssignmentRejected,
    AssignmentRequested,
    AssignmentWithdrawalRefused,
    AssignmentWithdrawalRequested,
    AssignmentWithdrawn,
    ItemQuantity,
)
from schemas.records.network import LocationDefined

CANCELLED: Final = "cancelled"
WITHDRAWABLE: Final = (Status.PENDING_ACCEPT, *WITHOUT_SHIPMENT)
"""Nothing was accepted, so everything can be taken back; of what has ended without shipment, nothing is left."""
CANCELLABLE: Final = (*WITHDRAWABLE, Status.PARTIALLY_ACCEPTED, Status.ACCEPTED)
"""A customer's cancel reaches further: until something is shipped."""


def offer(record: AssignmentRequested, ctx: Context) -> None:
    """Offer the assignment to the partner if a slot is open today, else decline it."""
    known = ctx.get(ASSIGNMENTS, record.assignment_id)
    if known is not ABSENT:
        _answer_again(record.assignment_id, known, ctx)
        return
    location = ctx.network.locations.get(record.location_id)
    slot_date, reason = _slot_for(location, ctx)
    assignment = Assignment(
        order_id=record.order_id,
        location_id=record.location_id,
        partials=record.partials,
        accept_by=record.accept_by,
        slot_date=slot_date,
        status=Status.DECLINED if reason else Status.PENDING_ACCEPT,
        items=tuple(Item(line.line_no, line.quantity) for line in record.lines),
        reason=reason,
        allocation=location is not None and location.erp_allocation,
        invoicing=location is not None and location.erp_invoicing,
    )
    if reason:
        keep(record.assignment_id, assignment, ctx)
        _answer_again(record.assignment_id, assignment, ctx)
        return
    put(record.assignment_id, assignment, ctx)
    ctx.wake(record.accept_by, "location.expire", record.assignment_id)
    offered = AssignmentOffered(
        assignment_id=record.assignment_id,
        order_id=record.order_id,
        location_id=record.location_id,
        account_id=record.account_id,
        service=record.service,
        lines=record.lines,
        partials=record.partials,
        accept_by=record.accept_by,
        erp_allocation=assignment.allocation,
        erp_invoicing=assignment.invoicing,
    )
    ctx.emit("assignments", record.location_id, offered)


def withdraw(record: AssignmentWithdrawalRequested, ctx: Context) -> None:
    """Take an assignment back, or say which status forbids it."""
    assignment = ctx.get(ASSIGNMENTS, record.assignment_id)
    if assignment is ABSENT:
        assignment = Assignment(record.order_id, record.location_id, False, 0, "", Status.WITHDRAWN, ())
        keep(record.assignment_id, assignment, ctx)
    if assignment.status not in (CANCELLABLE if record.reason == CANCELLED else WITHDRAWABLE):
        refused = AssignmentWithdrawalRefused(
            record.assignment_id, assignment.order_id, assignment.location_id, assignment.status.value
        )
        ctx.emit("order-events", assignment.order_id, refused)
        return
    if not assignment.has_ended:
        keep(record.assignment_id, msgspec.structs.replace(assignment, status=Status.WITHDRAWN), ctx)
    withdrawn = AssignmentWithdrawn(record.assignment_id, assignment.order_id, assignment.location_id)
    ctx.emit("order-events", assignment.order_id, withdrawn)


def expire(assignment_id: str, ctx: Context) -> None:
    """The timer: what the partner has not decided on by now is not the partner's any more."""
    assignment = ctx.get(ASSIGNMENTS, assignment_id)
    if assignment is ABSENT or assignment.has_ended:
        return
    late = tuple(ItemQuantity(item.line_no, item.pending) for item in assignment.items if item.pending)
    if not late:
        return
    order_id, location_id = assignment.order_id, assignment.location_id
    items = tuple(
        msgspec.structs.replace(item, rejected=item.rejected + item.pending) if item.pending else item
        for item in assignment.items
    )
    status = status_of(items)
    if status is Status.REJECTED:
        status = Status.EXPIRED
    if len(late) == len(items):
        ctx.emit("order-events", order_id, AssignmentExpired(assignment_id, order_id, location_id))
    else:  # part was decided and reported before: AssignmentExpired would speak of that part again
        rest = AssignmentRejected(assignment_id, order_id, location_id, late, "expired", ctx.now_at)
        ctx.emit("order-events", order_id, rest)
    keep(assignment_id, msgspec.structs.replace(assignment, items=items, status=status), ctx)


def _slot_for(location: LocationDefined | None, ctx: Context) -> tuple[str, str]:
    """(local date of the slot taken, why none was taken): one of the two is empty."""
    if location is None:
        return "", "unknown_location"
    if location.retired:
        return "", "retired"
    slot_date = take_slot(location, ctx)
    return ("", "capacity_full") if slot_date is None else (slot_date, "")


def _answer_again(assignment_id: str, assignment: Assignment, ctx: Context) -> None:
    """Tell the order how its assignment ended without the partner's word; the partner's own words were forwarded."""
    order_id, location_id = assignment.order_id, assignment.location_id
    match assignment.status:
        case Status.DECLINED:
            declined = AssignmentDeclined(assignment_id, order_id, location_id, assignment.reason)
            ctx.emit("order-events", order_id, declined)
        case Status.EXPIRED:
            ctx.emit("order-events", order_id, AssignmentExpired(assignment_id, order_id, location_id))
        case Status.WITHDRAWN:
            ctx.emit("order-events", order_id, AssignmentWithdrawn(assignment_id, order_id, location_id))
        case _:
            pass
