"""Contract: what holds for everything that is said of an assignment, whoever says it.

In: a record that names an assignment, or items of one. Out: the assignment, quantities by item. Refused: FORGED,
KEY_MISMATCH, UNKNOWN_LOCATION, UNKNOWN_ASSIGNMENT (of this location), ILLEGAL_TRANSITION (what has ended without
shipment), NEGATIVE_QUANTITY and INVALID_VALUE (another order, an item the assignment has not, one named twice, one left
out).
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from processors.location.inbox import ASSIGNMENTS, WITHOUT_SHIPMENT, Assignment, Status
from processors.reasons import Reason
from processors.senders import require_sender
from processors.step import ABSENT, Context, Refused
from schemas.records.assignments import ItemQuantity


class Saying(Protocol):
    """A record that speaks of one assignment."""

    @property
    def assignment_id(self) -> str:
        """The assignment."""
        ...

    @property
    def order_id(self) -> str:
        """Its order."""
        ...

    @property
    def location_id(self) -> str:
        """Its location."""
        ...


def require_location(location_id: str, ctx: Context) -> None:
    """Whoever signed must own the location, and the key must be its."""
    location = ctx.network.locations.get(location_id)
    require_sender(ctx, location_id, None if location is None else location.partner_id)
    if ctx.key != location_id:
        raise Refused(Reason.KEY_MISMATCH, f"key {ctx.key}, location_id {location_id}: key it by location_id")
    if location is None:
        raise Refused(Reason.UNKNOWN_LOCATION, f"location {location_id} is not in the network: define it first")


def assignment_of(record: Saying, ctx: Context) -> Assignment:
    """The assignment a record speaks of, once it is sure that its sender may."""
    require_location(record.location_id, ctx)
    assignment = offered_to(record.location_id, record.assignment_id, ctx)
    if assignment.order_id != record.order_id:
        raise invalid(record, f"it belongs to order {assignment.order_id}, not {record.order_id}")
    return assignment


def offered_to(location_id: str, assignment_id: str, ctx: Context) -> Assignment:
    """An assignment of a location."""
    assignment = ctx.get(ASSIGNMENTS, assignment_id)
    if assignment is ABSENT or assignment.location_id != location_id:
        detail = f"{location_id} was never offered assignment {assignment_id}: answer only what was offered"
        raise Refused(Reason.UNKNOWN_ASSIGNMENT, detail)
    return assignment


def require_open(record: Saying, assignment: Assignment) -> None:
    """What the order took back, or never gave, is closed for good; a rejection may still be repeated."""
    if assignment.status in WITHOUT_SHIPMENT and assignment.status is not Status.REJECTED:
        raise illegal(record, f"it is {assignment.status}: no answer is wanted any more")


def quantities(record: Saying, items: Iterable[ItemQuantity], assignment: Assignment) -> Mapping[int, int]:
    """Quantity by item of a record that names items."""
    known = {item.line_no for item in assignment.items}
    named: dict[int, int] = {}
    for entry in items:
        if entry.item_id not in known:
            raise invalid(record, f"it has no item {entry.item_id}: its items are {sorted(known)}")
        if entry.item_id in named:
            raise invalid(record, f"item {entry.item_id} is named twice: name it once")
        if entry.quantity < 0:
            detail = f"item {entry.item_id} of assignment {record.assignment_id} has quantity {entry.quantity}"
            raise Refused(Reason.NEGATIVE_QUANTITY, f"{detail}: a quantity is at least 0")
        named[entry.item_id] = entry.quantity
    if not named:
        raise invalid(record, "no item is named: name each item with its quantity")
    return named


def require_all(record: Saying, named: Mapping[int, int], wanted: Iterable[int], assignment: Assignment) -> None:
    """Without partial quantities, every item that could be meant must be named."""
    omitted = [line_no for line_no in wanted if line_no not in named]
    if omitted and not assignment.partials:
        raise invalid(record, f"items {omitted} are left out and partial quantities are off: decide on every item")


def invalid(record: Saying, detail: str) -> Refused:
    """Something that cannot be meant of this assignment."""
    return Refused(Reason.INVALID_VALUE, f"assignment {record.assignment_id}: {detail}")


def illegal(record: Saying, detail: str) -> Refused:
    """Something that does not follow where the assignment stands."""
    return Refused(Reason.ILLEGAL_TRANSITION, f"assignment {record.assignment_id}: {detail}")
