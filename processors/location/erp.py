"""ERP: what the location's books say between acceptance and shipment, and after it.

In: AllocationConfirmed, AllocationFailed, Invoiced and InvoicingFailed on `partner-responses`, of locations that declare
`erp_allocation` or `erp_invoicing`. Out: AssignmentUpdated; units that cannot be allocated as AssignmentRejected to the
order, which goes on without the location; an invoice's number as ReferenceLinked, so that bills find the order; a
ReviewItem INVOICING_FAILED, resolved by the invoice.

What was allocated is said in all, so a repeat changes nothing and is answered with the present state. Refused, beside
what `contract` refuses: ILLEGAL_TRANSITION (of an assignment that waits for no ERP, of items not accepted, less than was
allocated already, an invoice before everything has left or another one after it) and INVALID_VALUE (more than was
accepted, part of an item where partial quantities are off, an invoice without a number).
"""

from typing import Final

import msgspec

from processors.location.contract import assignment_of, illegal, invalid, quantities, require_all, require_open
from processors.location.inbox import Assignment, Item, Status, keep, status_of, tell
from processors.location.responses import give_back
from processors.step import Context, Refused, stable_id
from processors.tenants import tenant_of
from schemas.records.finance import ReferenceLinked
from schemas.records.operations import ReviewItem
from schemas.records.partner_work import AllocationConfirmed, AllocationFailed, Invoiced, InvoicingFailed

INVOICEABLE: Final = (Status.SHIPPED, Status.INVOICE_FAILED)


def confirm(record: AllocationConfirmed, ctx: Context) -> None:
    """Units are set aside: they may be shipped."""
    assignment = _allocating(record, ctx)
    accepted = {item.line_no: item.accepted for item in assignment.items if item.accepted}
    if not accepted:
        raise illegal(record, "nothing of it is accepted: allocate what is in pending_allocation")
    named = quantities(record, record.items, assignment) if record.items else accepted
    require_all(record, named, accepted, assignment)
    items = tuple(
        _allocated(record, item, named[item.line_no], assignment) if item.line_no in named else item
        for item in assignment.items
    )
    _keep_items(record.assignment_id, assignment, items, ctx)


def fail(record: AllocationFailed, ctx: Context) -> None:
    """Units cannot be set aside: the order looks for them elsewhere."""
    assignment = _allocating(record, ctx)
    waiting = {item.line_no: item.unallocated for item in assignment.items if item.unallocated}
    if not (waiting or any(item.rejected for item in assignment.items)):
        raise illegal(record, "nothing of it waits for allocation: reject what is missing instead")
    named = quantities(record, record.items, assignment) if record.items else waiting
    items = tuple(
        _given_up(record, item, named[item.line_no]) if item.line_no in named else item for item in assignment.items
    )
    give_back(record, assignment, items, reason=f"allocation failed: {record.reason}", ctx=ctx)
    _keep_items(record.assignment_id, assignment, items, ctx)


def invoiced(record: Invoiced, ctx: Context) -> None:
    """What was shipped is invoiced: the assignment is completed."""
    assignment = _invoicing(record, ctx)
    number = record.invoice_number
    if not number or "|" in number:
        raise invalid(record, f"invoice_number is {number!r}: it is needed, without '|'")
    if assignment.status is Status.INVOICED:
        if assignment.invoice_number != number:
            raise illegal(record, f"it is invoiced as {assignment.invoice_number} already: an invoice is final")
        tell(record.assignment_id, assignment, ctx)
        return
    if assignment.status not in INVOICEABLE:
        raise illegal(record, f"it is {assignment.status}: invoice what is in pending_invoice")
    if assignment.status is Status.INVOICE_FAILED:
        ctx.emit("review-queue", record.assignment_id, _review(record, "invoiced after all", "resolved", ctx))
    reference = f"{tenant_of(assignment.order_id)}|invoice|{number}"
    ctx.emit("reference-links", reference, ReferenceLinked(reference, assignment.order_id))
    done = msgspec.structs.replace(assignment, status=Status.INVOICED, invoice_number=number, reason="")
    keep(record.assignment_id, done, ctx)


def invoicing_failed(record: InvoicingFailed, ctx: Context) -> None:
    """The ERP cannot invoice what was shipped: a person has to find out why."""
    assignment = _invoicing(record, ctx)
    if assignment.status not in INVOICEABLE:
        raise illegal(record, f"it is {assignment.status}: only what is in pending_invoice can fail to be invoiced")
    failed = msgspec.structs.replace(assignment, status=Status.INVOICE_FAILED, reason=record.reason)
    if failed == assignment:
        tell(record.assignment_id, assignment, ctx)
        return
    ctx.emit("review-queue", record.assignment_id, _review(record, record.reason, "open", ctx))
    keep(record.assignment_id, failed, ctx)


def _allocating(record: AllocationConfirmed | AllocationFailed, ctx: Context) -> Assignment:
    assignment = assignment_of(record, ctx)
    require_open(record, assignment)
    if not assignment.allocation:
        raise illegal(record, "it was offered without ERP allocation: define the location with erp_allocation first")
    return assignment


def _invoicing(record: Invoiced | InvoicingFailed, ctx: Context) -> Assignment:
    assignment = assignment_of(record, ctx)
    if not assignment.invoicing:
        raise illegal(record, "it was offered without ERP invoicing: define the location with erp_invoicing first")
    return assignment


def _allocated(record: AllocationConfirmed, item: Item, quantity: int, assignment: Assignment) -> Item:
    if quantity > item.accepted or (quantity < item.accepted and not assignment.partials):
        allowed = f"0 to {item.accepted}" if assignment.partials else f"{item.accepted} (partial quantities are off)"
        raise invalid(record, f"item {item.line_no} has quantity {quantity}: allocate {allowed}")
    if quantity < item.allocated:
        raise _decided(record, item, quantity)
    return msgspec.structs.replace(item, allocated=quantity)


def _given_up(record: AllocationFailed, item: Item, quantity: int) -> Item:
    if not item.unallocated and quantity <= item.rejected:
        return item
    if quantity != item.unallocated:
        detail = f"item {item.line_no} has quantity {quantity}: accepted and not allocated are {item.unallocated}"
        raise invalid(record, detail)
    return msgspec.structs.replace(item, accepted=item.allocated, rejected=item.rejected + quantity)


def _decided(record: AllocationConfirmed, item: Item, quantity: int) -> Refused:
    detail = f"item {item.line_no} has {item.allocated} allocated already, not {quantity}"
    return illegal(record, f"{detail}: reject what is missing instead")


def _keep_items(assignment_id: str, assignment: Assignment, items: tuple[Item, ...], ctx: Context) -> None:
    if items == assignment.items:
        tell(assignment_id, assignment, ctx)
    else:
        keep(assignment_id, msgspec.structs.replace(assignment, items=items, status=status_of(items)), ctx)


def _review(record: Invoiced | InvoicingFailed, detail: str, status: str, ctx: Context) -> ReviewItem:
    review_id = stable_id("rv", "INVOICING_FAILED", record.assignment_id)
    what = f"{record.location_id}, order {record.order_id}: {detail}"
    return ReviewItem(review_id, record.assignment_id, "INVOICING_FAILED", what, status, ctx.now_at)
