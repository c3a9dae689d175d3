"""Assignments: what was routed to a location is in exactly one of its partner's queues, and moves as the contract says.

In: the records of `assignments`, the Shipped that partners sent and FSN took, and `routing-decisions`. Out: assignments by
queue. As faults: a part of a decision that no location was asked for (lost), an assignment without a decision, units that
do not add up, a status that does not follow from the one before, another queue than the status and the units say, units
shipped that the partner never said, an end told twice (duplicated) or never.

The invariant, per location: pending_accept + pending_allocation + pending_shipment + pending_invoice + completed + failed =
everything routed there.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from fsn.report.findings import Checked, Fault, Tally, tally
from fsn.report.reader import Read

WITHOUT_SHIPMENT: Final = frozenset(("rejected", "expired", "withdrawn", "declined"))
FOLLOWS: Final[Mapping[str, frozenset[str]]] = {
    "pending_accept": frozenset(
        ("pending_accept", "partially_accepted", "accepted", "rejected", "expired", "withdrawn", "declined")
    ),
    "partially_accepted": frozenset(
        ("partially_accepted", "accepted", "partially_shipped", "shipped", "rejected", "withdrawn")
    ),
    "accepted": frozenset(("accepted", "partially_accepted", "partially_shipped", "shipped", "rejected", "withdrawn")),
    "partially_shipped": frozenset(("partially_shipped", "shipped")),
    "shipped": frozenset(("shipped", "invoiced", "invoice_failed")),
    "invoice_failed": frozenset(("invoice_failed", "invoiced")),
    **{status: frozenset((status,)) for status in ("invoiced", *WITHOUT_SHIPMENT)},
}
ALL_MOVED: Final = frozenset(("shipped", "invoiced", "invoice_failed"))


class Assignment(msgspec.Struct):
    """What a partner was told of one assignment."""

    order_id: str
    location_id: str
    status: str = "pending_accept"
    queue: str = "pending_accept"
    allocation: bool = False
    invoicing: bool = False
    offered: bool = False
    shipped: dict[int, int] = {}
    """Units by item, as last told."""
    closed: list[str] = []

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.status in WITHOUT_SHIPMENT or self.queue == "completed"


class AssignmentFindings(msgspec.Struct, frozen=True):
    """Where the assignments stand."""

    checked: Checked
    queues: Tally


def check_assignments(told: Iterable[Read], said: Iterable[Read], decisions: Iterable[Read]) -> AssignmentFindings:
    """Follow each assignment through what was told of it.

    Args:
        told: of `assignments`; said: of `partner-responses`, without what was dead-lettered
    """
    faults: list[Fault] = []
    known: dict[str, Assignment] = {}
    for read in told:
        if read.type:  # what is unreadable is a fault of its own
            faults += _follow(known, read)
    faults += _shipments(known, said)
    faults += _routed(known, decisions)
    for assignment_id, one in known.items():
        faults += _ends(assignment_id, one)
    return AssignmentFindings(
        Checked("every assignment is in one queue", len(known), tuple(faults)),
        queues=tally(one.queue for one in known.values()),
    )


def _follow(known: dict[str, Assignment], read: Read) -> Iterator[Fault]:
    fields = read.fields
    assignment_id = fields["assignment_id"]
    one = known.setdefault(assignment_id, Assignment(fields["order_id"], fields["location_id"]))
    if (one.order_id, one.location_id) != (fields["order_id"], fields["location_id"]):
        yield Fault("an assignment is one order's at one location", assignment_id, "it has changed either")
    if read.type == "AssignmentOffered":
        if one.offered:
            yield Fault("an assignment is offered once", assignment_id, "offered again", duplicated=1)
        one.offered = True
        one.allocation, one.invoicing = fields["erp_allocation"], fields["erp_invoicing"]
    elif read.type == "AssignmentClosed":
        one.closed.append(fields["status"])
    elif read.type == "AssignmentUpdated":
        yield from _update(assignment_id, one, fields)


def _update(assignment_id: str, one: Assignment, fields: Mapping[str, Any]) -> Iterator[Fault]:
    status, queue, items = fields["status"], fields["queue"], fields["items"]
    if status not in FOLLOWS.get(one.status, ()):
        yield Fault("a status follows the one before", assignment_id, f"{status} after {one.status}")
    for item in items:
        units = [item[name] for name in ("ordered", "accepted", "rejected", "allocated", "shipped")]
        ordered, accepted, rejected, allocated, shipped = units
        may_leave = allocated if one.allocation else accepted
        if min(units) < 0 or accepted + rejected > ordered or not shipped <= may_leave <= accepted:
            yield Fault("units add up", f"{assignment_id} item {item['item_id']}", f"{units}")
    wanted = _queue_of(status, items, one)
    if queue != wanted:
        yield Fault("the queue is what the status says", assignment_id, f"{status} in {queue}, not in {wanted}")
    one.status, one.queue = status, queue
    one.shipped = {item["item_id"]: item["shipped"] for item in items if item["shipped"]}


def _queue_of(status: str, items: Iterable[Mapping[str, int]], one: Assignment) -> str:
    """The queue, worked out from the contract's words."""
    if status == "pending_accept":
        return status
    if status in WITHOUT_SHIPMENT or status == "invoice_failed":
        return "failed"
    if status in ALL_MOVED:
        return "pending_invoice" if one.invoicing and status == "shipped" else "completed"
    if one.allocation:
        ready = sum(item["allocated"] - item["shipped"] for item in items)
        if not ready and any(item["accepted"] > item["allocated"] for item in items):
            return "pending_allocation"
    return "pending_shipment"


def _shipments(known: Mapping[str, Assignment], said: Iterable[Read]) -> Iterator[Fault]:
    """What was told as shipped is what partners said, each shipment counted once."""
    seen: set[tuple[str, str]] = set()
    units: dict[str, Counter[int]] = {}
    for read in said:
        fields = read.fields
        if read.type != "Shipped" or (fields["assignment_id"], fields["shipment_id"]) in seen:
            continue
        seen.add((fields["assignment_id"], fields["shipment_id"]))
        counted = units.setdefault(fields["assignment_id"], Counter())
        for item in fields["items"]:
            counted[item["item_id"]] += item["quantity"]
    for assignment_id, one in known.items():
        counted = units.get(assignment_id, Counter())
        if one.shipped != dict(counted):
            yield Fault("shipped is what was said", assignment_id, f"{one.shipped}, said were {dict(counted)}")


def _routed(known: Mapping[str, Assignment], decisions: Iterable[Read]) -> Iterator[Fault]:
    """Each part of a decision is one assignment: the sums over a location's queues are what was routed to it."""
    parts = {
        (read.fields["order_id"], part["attempt"], part["location_id"])
        for read in decisions
        for part in read.fields["plan"]["parts"]
    }
    routed = Counter((order_id, location_id) for order_id, _, location_id in parts)
    asked = Counter((one.order_id, one.location_id) for one in known.values())
    for (order_id, location_id), count in (routed - asked).items():
        detail = f"{count} parts routed there are in no queue"
        yield Fault("queues hold everything routed", f"{order_id} at {location_id}", detail, lost=count)
    for (order_id, location_id), count in (asked - routed).items():
        detail = f"{count} assignments follow from no decision"
        yield Fault("queues hold nothing else", f"{order_id} at {location_id}", detail, duplicated=count)


def _ends(assignment_id: str, one: Assignment) -> Iterator[Fault]:
    wanted = []
    if one.offered and one.has_ended:
        wanted = [one.status if one.status in WITHOUT_SHIPMENT else "completed"]
    if one.closed != wanted:
        more = max(0, len(one.closed) - len(wanted))
        yield Fault("an end is told once", assignment_id, f"{one.status} was closed as {one.closed}", duplicated=more)
