"""Responses: what a partner decides on its inbox and what it ships, checked item by item and passed on to the order.

In: AssignmentAccepted, AssignmentRejected and Shipped on `partner-responses`. Out: the same records on
`order-events`, with only what is new and in units (accepted part, rejected part, shipped part), and AssignmentUpdated
to the partner. A decision repeated changes nothing and is answered all the same; a shipment is known by its id. An
accepted item found missing at the shelf (a short pick) is rejected whole, as long as none of it has left.

Refused: FORGED, KEY_MISMATCH, UNKNOWN_LOCATION, UNKNOWN_ASSIGNMENT (of this location), ILLEGAL_TRANSITION (what has
ended, another acceptance of a decided item, a rejection of what has left, a shipment before acceptance),
NEGATIVE_QUANTITY and INVALID_VALUE (an item the assignment has not, an item left out, a quantity beyond the contract).
A refused record changes nothing at all.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from processors.location.contract import Saying, assignment_of, illegal, invalid, quantities, require_all, require_open
from processors.location.inbox import Assignment, Item, Status, keep, status_of, tell
from processors.step import Context, Refused
from schemas.records.assignments import AssignmentAccepted, AssignmentRejected, ItemQuantity, Shipped

NOT_ACCEPTED = "not accepted"
"""The reason told to the order for units that an acceptance set to 0 or left out of its quantity."""


def accept(record: AssignmentAccepted, ctx: Context) -> None:
    """Decide on the items named: a quantity accepts, 0 rejects."""
    assignment = _open_assignment(record, ctx)
    named = quantities(record, record.items, assignment)
    require_all(record, named, _numbers(assignment), assignment)
    items = tuple(
        _accepted(record, item, named[item.line_no], partials=assignment.partials) if item.line_no in named else item
        for item in assignment.items
    )
    _decide(record, assignment, items, reason=NOT_ACCEPTED, ctx=ctx)


def reject(record: AssignmentRejected, ctx: Context) -> None:
    """Reject the items named, or all of them, also after they were accepted."""
    assignment = _open_assignment(record, ctx)
    everything = {item.line_no: item.ordered for item in assignment.items}
    named = quantities(record, record.items, assignment) if record.items else everything
    require_all(record, named, _numbers(assignment), assignment)
    items = tuple(
        _rejected(record, item, named[item.line_no]) if item.line_no in named else item for item in assignment.items
    )
    _decide(record, assignment, items, reason=record.reason, ctx=ctx)


def ship(record: Shipped, ctx: Context) -> None:
    """Take note that units left, once per shipment_id."""
    assignment = assignment_of(record, ctx)
    if record.shipment_id in assignment.shipment_ids:
        tell(record.assignment_id, assignment, ctx)
        return
    require_open(record, assignment)
    if assignment.status is Status.PENDING_ACCEPT:
        raise illegal(record, "nothing of it is accepted yet: accept first")
    if assignment.allocation and not any(item.allocated for item in assignment.items):
        raise illegal(record, "the ERP has allocated nothing of it yet: wait until it is in pending_shipment")
    named = quantities(record, record.items, assignment)
    _check_parcels(record)
    items = tuple(
        _shipped(record, item, named[item.line_no], assignment) if item.line_no in named else item
        for item in assignment.items
    )
    if not assignment.partials and any(item.unshipped for item in items):
        raise invalid(record, "partial quantities are off: ship all that was accepted at once")
    shipment_ids = (*assignment.shipment_ids, record.shipment_id)
    left = tuple(ItemQuantity(item.line_no, named[item.line_no]) for item in items if item.line_no in named)
    ctx.emit("order-events", assignment.order_id, msgspec.structs.replace(record, items=left))
    shipped = msgspec.structs.replace(assignment, items=items, status=status_of(items), shipment_ids=shipment_ids)
    keep(record.assignment_id, shipped, ctx)


Response = AssignmentAccepted | AssignmentRejected | Shipped


class Decision(Saying, Protocol):
    """A record that may give units back."""

    @property
    def occurred_at(self) -> int:
        """When its sender says so."""
        ...


def _open_assignment(record: Response, ctx: Context) -> Assignment:
    assignment = assignment_of(record, ctx)
    require_open(record, assignment)
    return assignment


def _accepted(record: Response, item: Item, quantity: int, *, partials: bool) -> Item:
    if quantity > item.ordered or (0 < quantity < item.ordered and not partials):
        allowed = f"0 to {item.ordered}" if partials else f"{item.ordered} or 0 (partial quantities are off)"
        raise invalid(record, f"item {item.line_no} has quantity {quantity}: accept {allowed}")
    if item.pending:
        return Item(item.line_no, item.ordered, accepted=quantity, rejected=item.ordered - quantity)
    if item.accepted != quantity:
        raise _decided(record, item)
    return item


def _rejected(record: Response, item: Item, quantity: int) -> Item:
    if quantity != item.ordered:
        detail = f"item {item.line_no} has quantity {quantity} of {item.ordered}: reject it whole, or accept less of it"
        raise invalid(record, detail)
    if item.shipped:
        raise illegal(record, f"item {item.line_no} has left already: a rejection comes before the shipment")
    return Item(item.line_no, item.ordered, rejected=item.ordered)


def _shipped(record: Shipped, item: Item, quantity: int, assignment: Assignment) -> Item:
    ready = assignment.ready(item)
    if not 0 < quantity <= ready:
        what = "allocated" if assignment.allocation else "accepted"
        raise invalid(record, f"item {item.line_no} has quantity {quantity}: {what} and not shipped yet are {ready}")
    return msgspec.structs.replace(item, shipped=item.shipped + quantity)


def _check_parcels(record: Shipped) -> None:
    for track in record.tracks:
        for value in (track.carrier, track.tracking_number):
            if not value or "|" in value:
                raise invalid(record, f"a track says {value!r}: carrier and tracking_number are needed, without '|'")
    for name in ("cash_on_delivery_minor", "package_value_minor"):
        amount = getattr(record, name)
        if amount is not None and amount < 0:
            raise invalid(record, f"{name} is {amount}: an amount is at least 0, or null")


def _decide(
    record: AssignmentAccepted | AssignmentRejected,
    assignment: Assignment,
    items: tuple[Item, ...],
    *,
    reason: str,
    ctx: Context,
) -> None:
    """Keep what was decided and pass the new part of it on; a repeated decision has none, and hears the present state."""
    new = [(item, before) for item, before in zip(items, assignment.items, strict=True) if item != before]
    if not new:
        tell(record.assignment_id, assignment, ctx)
        return
    accepted = tuple(ItemQuantity(item.line_no, item.accepted) for item, _ in new if item.accepted)
    if accepted:
        ids = (record.assignment_id, assignment.order_id, assignment.location_id)
        ctx.emit("order-events", assignment.order_id, AssignmentAccepted(*ids, accepted, record.occurred_at))
    give_back(record, assignment, items, reason=reason, ctx=ctx)
    keep(record.assignment_id, msgspec.structs.replace(assignment, items=items, status=status_of(items)), ctx)


def give_back(record: Decision, assignment: Assignment, items: Sequence[Item], *, reason: str, ctx: Context) -> None:
    """Tell the order of the units that are newly rejected."""
    rejected = tuple(
        ItemQuantity(item.line_no, item.rejected - before.rejected)
        for item, before in zip(items, assignment.items, strict=True)
        if item.rejected > before.rejected
    )
    if rejected:
        ids = (record.assignment_id, assignment.order_id, assignment.location_id)
        ctx.emit("order-events", assignment.order_id, AssignmentRejected(*ids, rejected, reason, record.occurred_at))


def _numbers(assignment: Assignment) -> list[int]:
    return [item.line_no for item in assignment.items]


def _decided(record: Response, item: Item) -> Refused:
    decision = f"{item.accepted} accepted and {item.rejected} rejected"
    return illegal(record, f"item {item.line_no} is decided already ({decision}): a decision is final")
