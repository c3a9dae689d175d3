"""The consolidated report across locations and partners: what was routed to each, what became of it, and what lies there.

In: a `Recording`, and a span of time in which assignments were offered. Out: a `Line` per location, sums per partner and over
all. Assignments, times and units come from `assignments` and `routing-decisions`, stock from `stock-snapshots`, today's load
and freshness from the broadcasts that every task routes by. What a topic does not hold any more is not in the report.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from fsn.recording import Recording
from schemas.records.assignments import AssignmentOffered
from schemas.records.operations import FeedStatusChanged, LocationLoadChanged
from schemas.records.partner_work import AssignmentUpdated
from schemas.records.routing import RoutingDecision
from schemas.records.stock import StockSnapshot

MOVED: Final = ("partially_shipped", "shipped", "invoiced", "invoice_failed")
TAKEN: Final = ("accepted", "partially_accepted", *MOVED)


class Line(msgspec.Struct):
    """One location, one partner, or all of them.

    routed: assignments asked for, declined ones included; queues: where they are now
    accept_ms, ship_ms: from the offer to the first acceptance and to the last shipment, one per assignment
    in_time: of the shipped ones, those whose last shipment was not later than planned
    units_shipped: of their items
    items, on_hand, reserved, available, gapped: of the stock there now; gapped counts items
    slots_used, slots: of the last day told; stale, complete_to_at: of its freshest feed
    """

    location_id: str = ""
    partner_id: str = ""
    routed: int = 0
    queues: Counter[str] = msgspec.field(default_factory=Counter)
    statuses: Counter[str] = msgspec.field(default_factory=Counter)
    shipped: int = 0
    in_time: int = 0
    units_shipped: int = 0
    accept_ms: list[int] = msgspec.field(default_factory=list)
    ship_ms: list[int] = msgspec.field(default_factory=list)
    items: int = 0
    on_hand: int = 0
    reserved: int = 0
    available: int = 0
    gapped: int = 0
    slots_used: int = 0
    slots: int = 0
    stale: int = 0
    complete_to_at: int = 0
    locations: int = 1

    @property
    def taken(self) -> int:
        """Assignments of which something was accepted and not given back."""
        return sum(self.statuses[status] for status in TAKEN)


class _Assignment(msgspec.Struct):
    order_id: str
    location_id: str
    offered_at: int
    planned_at: int = 0
    taken_at: int = 0
    shipped_at: int = 0
    status: str = "pending_accept"
    queue: str = "pending_accept"
    units_shipped: int = 0


def location_report(recording: Recording, *, since: int = 0, until: int | None = None) -> list[Line]:
    """A line per location that the reference data knows, or that was asked for anything, by partner and name."""
    network = recording.network()
    known = network.at(network.available)
    lines = {
        location_id: Line(location_id, location.partner_id) for location_id, location in sorted(known.locations.items())
    }

    def line(location_id: str) -> Line:
        return lines.setdefault(location_id, Line(location_id))

    for one in _assignments(recording).values():
        if since <= one.offered_at and (until is None or one.offered_at < until):
            _add(line(one.location_id), one)
    for item in _last(recording, "stock-snapshots", StockSnapshot, lambda one: (one.variant_id, one.location_id)):
        at = line(item.location_id)
        at.items += 1
        at.on_hand += item.on_hand
        at.reserved += item.reserved
        at.available += item.available_to_promise
        at.gapped += item.gapped
    for load in _last(recording, "location-load", LocationLoadChanged, lambda one: one.location_id):
        at = line(load.location_id)
        at.slots_used, at.slots = load.used, load.cap
    for status in _last(recording, "feed-status", FeedStatusChanged, lambda one: one.location_id):
        at = line(status.location_id)
        at.stale, at.complete_to_at = int(status.stale), status.complete_to_at
    return sorted(lines.values(), key=lambda one: (one.partner_id, one.location_id))


def by_partner(lines: Iterable[Line]) -> list[Line]:
    """The sums of each partner's locations."""
    partners: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        partners[line.partner_id].append(line)
    return [summed(own, partner_id=partner_id) for partner_id, own in sorted(partners.items())]


def summed(lines: Iterable[Line], *, partner_id: str = "") -> Line:
    """Several lines as one; of times all are kept, of freshness the count of stale locations and the oldest word."""
    total = Line("", partner_id, locations=0)
    for line in lines:
        for name in (
            "routed", "shipped", "in_time", "units_shipped", "items", "on_hand", "reserved", "available", "gapped",
            "slots_used", "slots", "stale", "locations",
        ):  # fmt: skip
            setattr(total, name, getattr(total, name) + getattr(line, name))
        total.queues.update(line.queues)
        total.statuses.update(line.statuses)
        total.accept_ms += line.accept_ms
        total.ship_ms += line.ship_ms
        heard = [at for at in (total.complete_to_at, line.complete_to_at) if at]
        total.complete_to_at = min(heard, default=0)
    return total


def percentile(values: list[int], share: float) -> int | None:
    """The value that this share of them does not exceed; None of none."""
    if not values:
        return None
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def _assignments(recording: Recording) -> dict[str, _Assignment]:
    found: dict[str, _Assignment] = {}
    for at, said in _records(recording, "assignments"):
        if isinstance(said, AssignmentOffered):
            found[said.assignment_id] = _Assignment(said.order_id, said.location_id, at)
        elif isinstance(said, AssignmentUpdated):
            one = found.setdefault(said.assignment_id, _Assignment(said.order_id, said.location_id, at))
            one.status, one.queue = said.status, said.queue
            if said.status in TAKEN and not one.taken_at:
                one.taken_at = said.updated_at
            units = sum(item.shipped for item in said.items)
            if units > one.units_shipped:
                one.shipped_at, one.units_shipped = said.updated_at, units
    planned = _planned(recording)
    for one in found.values():
        one.planned_at = planned.get((one.order_id, one.location_id), 0)
    return found


def _planned(recording: Recording) -> Mapping[tuple[str, str], int]:
    """By order and location: when the last decision planned the goods to be ready."""
    return {
        (said.order_id, part.location_id): part.ready_at
        for _, said in _records(recording, "routing-decisions")
        if isinstance(said, RoutingDecision)
        for part in said.plan.parts
    }


def _add(line: Line, one: _Assignment) -> None:
    line.routed += 1
    line.queues[one.queue] += 1
    line.statuses[one.status] += 1
    line.units_shipped += one.units_shipped
    if one.taken_at:
        line.accept_ms.append(max(0, one.taken_at - one.offered_at))
    if one.status in MOVED[1:]:
        line.shipped += 1
        line.in_time += one.shipped_at <= one.planned_at
        line.ship_ms.append(max(0, one.shipped_at - one.offered_at))


def _records(recording: Recording, topic: str) -> Iterator[tuple[int, Any]]:
    """(timestamp, record) of all partitions."""
    for partition in range(recording.topology.topics[topic].partitions):
        for raw, record in recording.decoded(topic, partition):
            yield raw.timestamp, record


def _last(recording: Recording, topic: str, kind: type[Any], key: Any) -> Iterable[Any]:
    """The last record of each key; of a broadcast one partition says all."""
    spec = recording.topology.topics[topic]
    last: dict[Any, Any] = {}
    for partition in range(1 if spec.broadcast else spec.partitions):
        for _, record in recording.decoded(topic, partition):
            if isinstance(record, kind):
                last[key(record)] = record
    return last.values()
