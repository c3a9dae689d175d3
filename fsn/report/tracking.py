"""Tracking: every parcel's history, told once, ends where its scans say.

In: `tracking-events`, the links of `shipment-links`, and, when a truth is at hand, the status each parcel was made to
end in. Out: parcels and shipments by final status. As faults: a scan told twice, a parcel whose last told status is not
the one its scans add up to in whatever order they came, a status that was pushed back, and an end other than the truth.

A scan is (carrier, number, code, time, place); told again with another status it was understood better, and the
weightier meaning counts. Where a parcel stands is a maximum over its scans: a return outweighs a delivery, a delivery
everything on the way, and announcements nothing; on the way the later scan counts, and at one instant the status that
parcels reach later.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from fsn.report.findings import Checked, Fault, Tally, tally
from fsn.report.reader import Read

STATUSES: Final = (
    "label_created",
    "picked_up",
    "in_transit",
    "out_for_delivery",
    "ready_for_pickup",
    "delivery_attempted",
    "delivered",
    "on_hold",
    "delayed",
    "return_to_sender",
    "lost",
    "damaged",
    "cancelled",
    "unknown",
)
"""The canonical vocabulary, in the order in which parcels get there."""

UNHEARD: Final = "no scan yet"
_PLACES: Final = {status: place for place, status in enumerate(STATUSES)}
_STAGES: Final = {"unknown": 0, "label_created": 1, "delivered": 3, "return_to_sender": 4}

Weight = tuple[int, int, int]


class TrackingFindings(msgspec.Struct, frozen=True):
    """Where the parcels ended.

    events: scans told; late: of them, those that came after a later one
    parcels: parcels of shipments, by final status
    shipments: shipments, by the status of their parcel that is furthest behind
    """

    checked: Checked
    events: int
    late: int
    parcels: Tally
    shipments: Tally


class Parcel(msgspec.Struct):
    """What one order was told of one tracking number."""

    told: list[tuple[str, Weight, str, str]] = []
    """(event_id, weight, status, shipment status after it), in the order of the topic."""
    shipment_id: str = ""


def check_tracking(events: Iterable[Read], links: Iterable[Read], expected: Mapping[str, str]) -> TrackingFindings:
    """Join every parcel's scans again.

    Args:
        expected: final status by tracking number, where it is known
    """
    parcels: dict[tuple[str, str, str], Parcel] = {}
    for read in links:
        fields = read.fields
        key = fields["tracking_number"], fields["order_id"], fields["shipment_id"]
        parcels.setdefault(key, Parcel(shipment_id=fields["shipment_id"]))
    count = late = 0
    faults: list[Fault] = []
    for read in events:
        fields = read.fields
        count += 1
        late += fields["late"]
        key = fields["tracking_number"], fields["order_id"], fields["shipment_id"]
        parcel = parcels.get(key)
        if parcel is None:
            detail = f"{fields['event_id']} is told to {key[1]}, whose shipment {key[2]} never claimed it"
            faults.append(Fault("scans reach their own order", key[0], detail))
            continue
        weight = _weight(fields["status"], fields["occurred_at"])
        parcel.told.append((fields["event_id"], weight, fields["status"], fields["shipment_status"]))
    ends: dict[tuple[str, str, str], str] = {}
    for key, parcel in parcels.items():
        name = f"{key[0]} of {key[1]}"
        faults += _converges(name, parcel)
        ends[key] = parcel.told[-1][3] if parcel.told else UNHEARD
        wanted = expected.get(key[0])
        if wanted is not None and wanted != ends[key]:
            faults.append(Fault("parcels end as they were sent", name, f"stands as {ends[key]}, was sent to {wanted}"))
    for number in sorted(expected.keys() - {key[0] for key in parcels}):
        faults.append(Fault("parcels end as they were sent", number, "no shipment ever claimed it", lost=1))
    checked = Checked("histories converge", len(parcels), tuple(faults))
    return TrackingFindings(checked, count, late, tally(ends.values()), _by_shipment(ends))


def _weight(status: str, occurred_at: int) -> Weight:
    return _STAGES.get(status, 2), occurred_at, _PLACES.get(status, -1)


def _converges(name: str, parcel: Parcel) -> Iterator[Fault]:
    """The status told after each scan is the weightiest so far, whatever came when."""
    heaviest: Weight | None = None
    stands = ""
    seen: dict[str, Weight] = {}
    for event_id, weight, status, told in parcel.told:
        if event_id in seen and weight <= seen[event_id]:
            yield Fault("every scan is told once", name, f"{event_id} is told again as {status}", duplicated=1)
        seen[event_id] = max(weight, seen.get(event_id, weight))
        if heaviest is None or weight > heaviest:
            heaviest, stands = weight, status
        if told != stands:
            detail = f"after {event_id} it is told to stand as {told}; its scans say {stands}"
            yield Fault("histories converge", name, detail)
            return


def _by_shipment(ends: Mapping[tuple[str, str, str], str]) -> Tally:
    """A shipment of several parcels stands as the one that is furthest behind."""
    stages = {UNHEARD: (-1, -1)}
    worst: dict[tuple[str, str], str] = {}
    for (_, order_id, shipment_id), status in ends.items():
        stages.setdefault(status, (_STAGES.get(status, 2), _PLACES.get(status, -1)))
        known = worst.setdefault((order_id, shipment_id), status)
        if stages[status] < stages[known]:
            worst[order_id, shipment_id] = status
    return tally(worst.values())
