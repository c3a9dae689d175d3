"""The partner's inbox as rows: an assignment, its items, and the status that follows from them.

An assignment's status is never set apart from its items: `status_of` reads it from what was accepted, rejected and
shipped. Only an end from outside (declined, expired, withdrawn) is said of the assignment as a whole. Each unit of an
item is in one of four places: pending, rejected, accepted and still here, or shipped. An item is decided at once:
what an acceptance leaves out of its quantity is rejected.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from processors.location.slots import free_slot
from processors.step import Context, Table
from schemas.records.assignments import AssignmentClosed

KEEP_ENDED_MS: Final = 400 * 86_400_000
"""An ended assignment is kept as long as the topics (design §6), so that a late answer still meets its status."""


class Status(StrEnum):
    """Where an assignment stands."""

    PENDING_ACCEPT = "pending_accept"
    PARTIALLY_ACCEPTED = "partially_accepted"
    ACCEPTED = "accepted"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"


class Queue(StrEnum):
    """The queues a partner polls; together they hold everything that was requested of a location."""

    PENDING_ACCEPT = "pending_accept"
    PENDING_SHIPMENT = "pending_shipment"
    COMPLETED = "completed"
    FAILED = "failed"


QUEUE_OF: Final = {
    Status.PENDING_ACCEPT: Queue.PENDING_ACCEPT,
    Status.PARTIALLY_ACCEPTED: Queue.PENDING_SHIPMENT,
    Status.ACCEPTED: Queue.PENDING_SHIPMENT,
    Status.PARTIALLY_SHIPPED: Queue.PENDING_SHIPMENT,
    Status.SHIPPED: Queue.COMPLETED,
    Status.REJECTED: Queue.FAILED,
    Status.EXPIRED: Queue.FAILED,
    Status.WITHDRAWN: Queue.FAILED,
    Status.DECLINED: Queue.FAILED,
}

WITHOUT_SHIPMENT: Final = (Status.DECLINED, Status.REJECTED, Status.EXPIRED, Status.WITHDRAWN)
"""Ends that leave every unit free."""

ENDED: Final = (*WITHOUT_SHIPMENT, Status.SHIPPED)


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One order line of an assignment: units ordered, and where they are."""

    line_no: int
    ordered: int
    accepted: int = 0
    rejected: int = 0
    shipped: int = 0

    @property
    def pending(self) -> int:
        """Units the partner has not decided on."""
        return self.ordered - self.accepted - self.rejected

    @property
    def unshipped(self) -> int:
        """Units accepted that are still here."""
        return self.accepted - self.shipped


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
    """Why it was declined."""
    shipment_ids: tuple[str, ...] = ()


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
    """Keep an assignment that changed; when it has ended, tell the partner and free a slot that was not used."""
    ctx.put(ASSIGNMENTS, assignment_id, assignment)
    status = assignment.status
    if status not in ENDED:
        return
    ctx.wake(ctx.now_at + KEEP_ENDED_MS, "location.forget", assignment_id)
    if not assignment.slot_date:
        return
    word = "completed" if status is Status.SHIPPED else status.value
    location_id = assignment.location_id
    ctx.emit("assignments", location_id, AssignmentClosed(assignment_id, assignment.order_id, location_id, word))
    if status in WITHOUT_SHIPMENT:
        free_slot(location_id, assignment.slot_date, ctx)


def forget(assignment_id: str, ctx: Context) -> None:
    """Keep an ended assignment no longer."""
    ctx.delete(ASSIGNMENTS, assignment_id)
