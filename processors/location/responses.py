"""Responses: what a partner decides on its inbox and what it ships, checked item by item and passed on to the order.

In: AssignmentAccepted, AssignmentRejected and Shipped on `partner-responses`. Out: the same records on
`order-events`, with only what is new and in units (accepted part, rejected part, shipped part), and AssignmentClosed
to the partner when nothing is left to do. A decision repeated changes nothing; a shipment is known by its id. An
accepted item found missing at the shelf (a short pick) is rejected whole, as long as none of it has left.

Refused: FORGED, KEY_MISMATCH, UNKNOWN_LOCATION, UNKNOWN_ASSIGNMENT (of this location), ILLEGAL_TRANSITION (what has
ended, another acceptance of a decided item, a rejection of what has left, a shipment before acceptance),
NEGATIVE_QUANTITY and INVALID_VALUE (an item the assignment has not, an item left out, a quantity beyond the contract).
A refused record changes nothing at all.
"""

from collections.abc import Mapping

import msgspec

from processors.location.inbox import ASSIGNMENTS, WITHOUT_SHIPMENT, Assignment, Item, Status, keep, status_of
from processors.reasons import Reason
from processors.senders import require_sender
from processors.step import ABSENT, Context, Refused
from schemas.records.assignments import AssignmentAccepted, AssignmentRejected, ItemQuantity, Shipped

NOT_ACCEPTED = "not accepted"
"""The reason told to the order for units that an acceptance set to 0 or left out of its quantity."""


def accept(record: AssignmentAccepted, ctx: Context) -> None:
    """Decide on the items named: a quantity accepts, 0 rejects."""
    assignment = _open_assignment(record, ctx)
    named = _named(record, assignment)
    _require_all(record, named, assignment)
    items = tuple(
        _accepted(record, item, named[item.line_no], partials=assignment.partials) if item.line_no in named else item
        for item in assignment.items
    )
    _decide(record, assignment, items, reason=NOT_ACCEPTED, ctx=ctx)


def reject(record: AssignmentRejected, ctx: Context) -> None:
    """Reject the items named, or all of them, also after they were accepted."""
    assignment = _open_assignment(record, ctx)
    named = _named(record, assignment) if record.items else {item.line_no: item.ordered for item in assignment.items}
    _require_all(record, named, assignment)
    items = tuple(
        _rejected(record, item, named[item.line_no]) if item.line_no in named else item for item in assignment.items
    )
    _decide(record, assignment, items, reason=record.reason, ctx=ctx)


def ship(record: Shipped, ctx: Context) -> None:
    """Take note that units left, once per shipment_id."""
    assignment = _assignment_of(record, ctx)
    if record.shipment_id in assignment.shipment_ids:
        return
    _require_open(record, assignment)
    if assignment.status is Status.PENDING_ACCEPT:
        raise _illegal(record, "nothing of it is accepted yet: accept first")
    named = _named(record, assignment)
    _check_parcels(record)
    items = tuple(
        _shipped(record, item, named[item.line_no]) if item.line_no in named else item for item in assignment.items
    )
    if not assignment.partials and any(item.unshipped for item in items):
        raise _invalid(record, "partial quantities are off: ship all that was accepted at once")
    shipment_ids = (*assignment.shipment_ids, record.shipment_id)
    left = tuple(ItemQuantity(item.line_no, named[item.line_no]) for item in items if item.line_no in named)
    ctx.emit("order-events", assignment.order_id, msgspec.structs.replace(record, items=left))
    shipped = msgspec.structs.replace(assignment, items=items, status=status_of(items), shipment_ids=shipment_ids)
    keep(record.assignment_id, shipped, ctx)


Response = AssignmentAccepted | AssignmentRejected | Shipped


def _open_assignment(record: Response, ctx: Context) -> Assignment:
    assignment = _assignment_of(record, ctx)
    _require_open(record, assignment)
    return assignment


def _assignment_of(record: Response, ctx: Context) -> Assignment:
    location = ctx.network.locations.get(record.location_id)
    require_sender(ctx, record.location_id, None if location is None else location.partner_id)
    if ctx.key != record.location_id:
        raise Refused(Reason.KEY_MISMATCH, f"key {ctx.key}, location_id {record.location_id}: key it by location_id")
    if location is None:
        raise Refused(Reason.UNKNOWN_LOCATION, f"location {record.location_id} is not in the network: define it first")
    assignment = ctx.get(ASSIGNMENTS, record.assignment_id)
    if assignment is ABSENT or assignment.location_id != record.location_id:
        detail = (
            f"{record.location_id} was never offered assignment {record.assignment_id}: answer only what was offered"
        )
        raise Refused(Reason.UNKNOWN_ASSIGNMENT, detail)
    if assignment.order_id != record.order_id:
        raise _invalid(record, f"it belongs to order {assignment.order_id}, not {record.order_id}")
    return assignment


def _require_open(record: Response, assignment: Assignment) -> None:
    """What the order took back, or never gave, is closed for good; a rejection may still be repeated."""
    if assignment.status in WITHOUT_SHIPMENT and assignment.status is not Status.REJECTED:
        raise _illegal(record, f"it is {assignment.status}: no answer is wanted any more")


def _named(record: Response, assignment: Assignment) -> Mapping[int, int]:
    """Quantity by item of a record that names items."""
    known = {item.line_no for item in assignment.items}
    named: dict[int, int] = {}
    for entry in record.items:
        if entry.item_id not in known:
            raise _invalid(record, f"it has no item {entry.item_id}: its items are {sorted(known)}")
        if entry.item_id in named:
            raise _invalid(record, f"item {entry.item_id} is named twice: name it once")
        if entry.quantity < 0:
            detail = f"item {entry.item_id} of assignment {record.assignment_id} has quantity {entry.quantity}"
            raise Refused(Reason.NEGATIVE_QUANTITY, f"{detail}: a quantity is at least 0")
        named[entry.item_id] = entry.quantity
    if not named:
        raise _invalid(record, "no item is named: name each item with its quantity")
    return named


def _require_all(record: Response, named: Mapping[int, int], assignment: Assignment) -> None:
    omitted = [item.line_no for item in assignment.items if item.line_no not in named]
    if omitted and not assignment.partials:
        raise _invalid(record, f"items {omitted} are left out and partial quantities are off: decide on every item")


def _accepted(record: Response, item: Item, quantity: int, *, partials: bool) -> Item:
    if quantity > item.ordered or (0 < quantity < item.ordered and not partials):
        allowed = f"0 to {item.ordered}" if partials else f"{item.ordered} or 0 (partial quantities are off)"
        raise _invalid(record, f"item {item.line_no} has quantity {quantity}: accept {allowed}")
    if item.pending:
        return Item(item.line_no, item.ordered, accepted=quantity, rejected=item.ordered - quantity)
    if item.accepted != quantity:
        raise _decided(record, item)
    return item


def _rejected(record: Response, item: Item, quantity: int) -> Item:
    if quantity != item.ordered:
        detail = f"item {item.line_no} has quantity {quantity} of {item.ordered}: reject it whole, or accept less of it"
        raise _invalid(record, detail)
    if item.shipped:
        raise _illegal(record, f"item {item.line_no} has left already: a rejection comes before the shipment")
    return Item(item.line_no, item.ordered, rejected=item.ordered)


def _shipped(record: Response, item: Item, quantity: int) -> Item:
    if not 0 < quantity <= item.unshipped:
        detail = f"item {item.line_no} has quantity {quantity}: accepted and not shipped yet are {item.unshipped}"
        raise _invalid(record, detail)
    return msgspec.structs.replace(item, shipped=item.shipped + quantity)


def _check_parcels(record: Shipped) -> None:
    for track in record.tracks:
        for value in (track.carrier, track.tracking_number):
            if not value or "|" in value:
                raise _invalid(record, f"a track says {value!r}: carrier and tracking_number are needed, without '|'")
    for name in ("cash_on_delivery_minor", "package_value_minor"):
        amount = getattr(record, name)
        if amount is not None and amount < 0:
            raise _invalid(record, f"{name} is {amount}: an amount is at least 0, or null")


def _decide(
    record: AssignmentAccepted | AssignmentRejected,
    assignment: Assignment,
    items: tuple[Item, ...],
    *,
    reason: str,
    ctx: Context,
) -> None:
    """Keep what was decided and pass the new part of it on; a repeated decision has none."""
    new = [(item, before) for item, before in zip(items, assignment.items, strict=True) if item != before]
    if not new:
        return
    ids = (record.assignment_id, assignment.order_id, assignment.location_id)
    accepted = tuple(ItemQuantity(item.line_no, item.accepted) for item, _ in new if item.accepted)
    rejected = tuple(
        ItemQuantity(item.line_no, item.rejected - before.rejected)
        for item, before in new
        if item.rejected > before.rejected
    )
    if accepted:
        ctx.emit("order-events", assignment.order_id, AssignmentAccepted(*ids, accepted, record.occurred_at))
    if rejected:
        ctx.emit("order-events", assignment.order_id, AssignmentRejected(*ids, rejected, reason, record.occurred_at))
    keep(record.assignment_id, msgspec.structs.replace(assignment, items=items, status=status_of(items)), ctx)


def _invalid(record: Response, detail: str) -> Refused:
    return Refused(Reason.INVALID_VALUE, f"assignment {record.assignment_id}: {detail}")


def _illegal(record: Response, detail: str) -> Refused:
    return Refused(Reason.ILLEGAL_TRANSITION, f"assignment {record.assignment_id}: {detail}")


def _decided(record: Response, item: Item) -> Refused:
    decision = f"{item.accepted} accepted and {item.rejected} rejected"
    return _illegal(record, f"item {item.line_no} is decided already ({decision}): a decision is final")
