"""The partner's inbox as rows: an assignment, its items, and the status that follows from them.

An assignment's status is never set apart from its items: `status_of` reads it from what was accepted, rejected and
shipped. Only an end from outside (declined, expired, withdrawn, and what an ERP invoices) is said of the assignment as a
whole. Each unit of an item is in one of four places: pending, rejected, accepted and still here, or shipped. An item is
decided at once: what an acceptance leaves out of its quantity is rejected.

Where the location's ERP allocates, accepted units may leave once it has confirmed them; where it invoices, an assignment
is completed by its invoice and not by its last shipment. Which of the two holds is fixed when the assignment is asked
for. In: assignments as handlers leave them. Out: the row, AssignmentUpdated at every change, AssignmentClosed at the end.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from processors.location.queues import Queue, move
from processors.location.slots import free_slot
from processors.step import ABSENT, Context, Table
from schemas.records.assignments import AssignmentClosed
from schemas.records.partner_work import AssignmentUpdated, ItemState, JobState

KEEP_ENDED_MS: Final = 400 * 86_400_000
"""An ended assignment is kept as long as the topics (design §6), so that a late answer still meets its status."""


class Status(StrEnum):
    """Where an assignment stands."""

    PENDING_ACCEPT = "pending_accept"
    PARTIALLY_ACCEPTED = "partially_accepted"
    ACCEPTED = "accepted"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    INVOICED = "invoiced"
    INVOICE_FAILED = "invoice_failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"


WITHOUT_SHIPMENT: Final = (Status.DECLINED, Status.REJECTED, Status.EXPIRED, Status.WITHDRAWN)
"""Ends that leave every unit free."""

_IN_QUEUE: Final = {
    Status.PENDING_ACCEPT: Queue.PENDING_ACCEPT,
    Status.INVOICED: Queue.COMPLETED,
    Status.INVOICE_FAILED: Queue.FAILED,
    **dict.fromkeys(WITHOUT_SHIPMENT, Queue.FAILED),
}
"""Of every status whose queue depends on nothing else."""


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One order line of an assignment: units ordered, and where they are."""

    line_no: int
    ordered: int
    accepted: int = 0
    rejected: int = 0
    shipped: int = 0
    allocated: int = 0
    """Of the accepted units, those an ERP has confirmed."""

    @property
    def pending(self) -> int:
        """Units the partner has not decided on."""
        return self.ordered - self.accepted - self.rejected

    @property
    def unshipped(self) -> int:
        """Units accepted that are still here."""
        return self.accepted - self.shipped

    @property
    def unallocated(self) -> int:
        """Units accepted that the ERP has not confirmed."""
        return self.accepted - self.allocated


class Job(msgspec.Struct, frozen=True, array_like=True):
    """One stage of the work that the partner reports."""

    job_id: str
    kind: str
    state: str
    batch_id: str = ""


class Assignment(msgspec.Struct, frozen=True, array_like=True):
    """What a location was asked to ship for an order."""

    order_id: str
    location_id: str
    partials: bool
    accept_by: int
    slot_date: str
    """The location's local day whose slot it uses; empty when it was declined."""
    status: Status
    items: tuple[Item, ...]
    reason: str = ""
    """Why it was declined, or could not be invoiced."""
    shipment_ids: tuple[str, ...] = ()
    allocation: bool = False
    """Accepted units wait for the location's ERP."""
    invoicing: bool = False
    """Shipped units wait for the location's ERP."""
    invoice_number: str = ""
    jobs: tuple[Job, ...] = ()

    def ready(self, item: Item) -> int:
        """Units of an item that may be shipped."""
        return (item.allocated if self.allocation else item.accepted) - item.shipped

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to do."""
        status = self.status
        return (
            status in WITHOUT_SHIPMENT or status is Status.INVOICED or (status is Status.SHIPPED and not self.invoicing)
        )

    @property
    def queue(self) -> Queue:
        """Where a partner or its ERP finds it."""
        fixed = _IN_QUEUE.get(self.status)
        if fixed is not None:
            return fixed
        if self.status is Status.SHIPPED:
            return Queue.PENDING_INVOICE if self.invoicing else Queue.COMPLETED
        waits = self.allocation and any(item.unallocated for item in self.items)
        return Queue.PENDING_ALLOCATION if waits and not any(map(self.ready, self.items)) else Queue.PENDING_SHIPMENT


def _location_of(key: str, row: Assignment | None) -> tuple[str, ...]:  # noqa: ARG001 - an id tells nothing
    return () if row is None else (row.location_id,)


ASSIGNMENTS: Final = Table("assignments", Assignment, owners=_location_of)
"""By assignment_id."""


def status_of(items: Sequence[Item]) -> Status:
    """The status that follows from what was accepted, rejected and shipped."""
    pending = sum(item.pending for item in items)
    accepted = sum(item.accepted for item in items)
    if not accepted:
        return Status.PENDING_ACCEPT if pending else Status.REJECTED
    if any(item.shipped for item in items):
        done = not pending and not any(item.unshipped for item in items)
        return Status.SHIPPED if done else Status.PARTIALLY_SHIPPED
    whole = not pending and not any(item.rejected for item in items)
    return Status.ACCEPTED if whole else Status.PARTIALLY_ACCEPTED


def keep(assignment_id: str, assignment: Assignment, ctx: Context) -> None:
    """Keep an assignment whose status may have changed, and tell so; when it has ended, free a slot that was not used."""
    note(assignment_id, assignment, ctx)
    status = assignment.status
    if assignment.has_ended or status is Status.INVOICE_FAILED:
        ctx.wake(ctx.now_at + KEEP_ENDED_MS, "location.forget", assignment_id)
    if not assignment.has_ended or not assignment.slot_date:
        return
    word = status.value if status in WITHOUT_SHIPMENT else "completed"
    location_id = assignment.location_id
    ctx.emit("assignments", location_id, AssignmentClosed(assignment_id, assignment.order_id, location_id, word))
    if status in WITHOUT_SHIPMENT:
        free_slot(location_id, assignment.slot_date, ctx)


def note(assignment_id: str, assignment: Assignment, ctx: Context) -> None:
    """Keep an assignment of which something changed that moves it to no other status, and tell so."""
    put(assignment_id, assignment, ctx)
    tell(assignment_id, assignment, ctx)


def put(assignment_id: str, assignment: Assignment, ctx: Context) -> None:
    """Keep an assignment, in the queue it is in."""
    known = ctx.get(ASSIGNMENTS, assignment_id)
    move(assignment.location_id, None if known is ABSENT else known.queue, assignment.queue, ctx)
    ctx.put(ASSIGNMENTS, assignment_id, assignment)


def tell(assignment_id: str, assignment: Assignment, ctx: Context) -> None:
    """Say where an assignment stands: it has changed, or its partner has repeated itself and wants to know."""
    updated = AssignmentUpdated(
        assignment_id=assignment_id,
        order_id=assignment.order_id,
        location_id=assignment.location_id,
        status=assignment.status.value,
        queue=assignment.queue.value,
        items=tuple(
            ItemState(item.line_no, item.ordered, item.accepted, item.rejected, item.allocated, item.shipped)
            for item in assignment.items
        ),
        jobs=tuple(JobState(job.job_id, job.kind, job.state, job.batch_id) for job in assignment.jobs),
        partials=assignment.partials,
        reason=assignment.reason,
        invoice_number=assignment.invoice_number,
        updated_at=ctx.now_at,
    )
    ctx.emit("assignments", assignment.location_id, updated)


def forget(assignment_id: str, ctx: Context) -> None:
    """Keep an ended assignment no longer."""
    known = ctx.get(ASSIGNMENTS, assignment_id)
    if known is not ABSENT:
        move(known.location_id, known.queue, None, ctx)
        ctx.delete(ASSIGNMENTS, assignment_id)
