"""Queues: how many assignments each queue of a location holds; together they are all that was routed there.

In: an assignment as it was and as it is kept. Out: the location's row. The counts are moved here and nowhere else;
`processors.invariants` compares them with the assignments themselves, batch by batch.
"""

from enum import StrEnum
from typing import Final

import msgspec

from processors.step import ABSENT, Context, Table


class Queue(StrEnum):
    """The queues that a partner and its ERP poll; together they hold everything that was requested of a location."""

    PENDING_ACCEPT = "pending_accept"
    PENDING_ALLOCATION = "pending_allocation"
    PENDING_SHIPMENT = "pending_shipment"
    PENDING_INVOICE = "pending_invoice"
    COMPLETED = "completed"
    FAILED = "failed"


class Queues(msgspec.Struct, frozen=True, array_like=True):
    """A location's assignments that are still known: how many, and how many in each queue."""

    routed: int = 0
    pending_accept: int = 0
    pending_allocation: int = 0
    pending_shipment: int = 0
    pending_invoice: int = 0
    completed: int = 0
    failed: int = 0


QUEUES: Final = Table("queues", Queues)
"""By location_id."""


def move(location_id: str, before: Queue | None, after: Queue | None, ctx: Context) -> None:
    """Count an assignment in another queue; None: it was not known before, or is forgotten now."""
    if before is after:
        return
    row = ctx.get(QUEUES, location_id)
    queues = Queues() if row is ABSENT else row
    changes = {"routed": queues.routed + (before is None) - (after is None)}
    if before is not None:
        changes[before.value] = getattr(queues, before.value) - 1
    if after is not None:
        changes[after.value] = getattr(queues, after.value) + 1
    ctx.put(QUEUES, location_id, msgspec.structs.replace(queues, **changes))
