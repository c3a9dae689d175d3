"""GLS: answers of Track And Trace V1, for many parcels at once.

In: JSON `parcels[]`, each with its status and its `events[]`, or with an error code; also the flat document of one
parcel with `trackingNumber` and `events[].timestamp`. Out: one scan per event; a refusal per parcel not found.
GLS publishes the full list of its event codes to customers only, so the parcel's own status, which is a closed and
documented list, becomes a scan of its own where there is no event, or where the newest event's code is not in our
table. DELIVEREDPS and DELIVD.PARCELSHOP mean "delivered to a parcel shop": ready for pickup, not delivered.
Refused: documents of another shape, dates that are none, answers that name no parcel and give no error.

Sources: GLS `ecitrackandtrace.yaml` 1.0.7 (statuses, error codes, examples) and the descriptions that its
`/tracking/events/codes` and live answers give for event codes.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from processors.carriers.scan import (
    UNKNOWN,
    Fault,
    IncidentReason,
    Meaning,
    ParsedMessage,
    PayloadRefused,
    Scan,
    Status,
    country_code,
    in_order,
    instant,
    read_json,
    town,
)

CARRIER: Final = "gls"

EVENT_CODES: Final[dict[str, Meaning]] = {
    "INTIAL.PREADVICE": (Status.LABEL_CREATED, None),  # data entered, parcel not yet handed over
    "INTIAL.E48_DATA": (Status.LABEL_CREATED, None),  # provided by the sender for collection
    "INTIAL.NORMAL": (Status.IN_TRANSIT, None),  # handed over: from this scan on GLS calls the parcel INTRANSIT
    "INBOUD.NORMAL": (Status.IN_TRANSIT, None),  # reached the parcel centre
    "OUTBOD.NORMAL": (Status.IN_TRANSIT, None),  # left the parcel centre
    "OUTDEL.NORMAL": (Status.OUT_FOR_DELIVERY, None),  # expected to be delivered during the day
    "DELIVD.NORMAL": (Status.DELIVERED, None),
    "DELIVD.PARCELSHOP": (Status.READY_FOR_PICKUP, None),
    "DELIVD.DEL_BY_PSAPP": (Status.DELIVERED, None),  # handed out by the parcel shop
    "CHANGD.MONEWADDR": (Status.IN_TRANSIT, IncidentReason.REDIRECTED),
    "CHANGD.PARCELBOX": (Status.IN_TRANSIT, IncidentReason.REDIRECTED),
    "CANCEL.NORMAL": (Status.CANCELLED, None),  # parcel data deleted
}

PARCEL_STATUSES: Final[dict[str, Meaning]] = {
    "PLANNEDPICKUP": (Status.LABEL_CREATED, None),
    "INPICKUP": (Status.LABEL_CREATED, None),
    "NOTPICKEDUP": (Status.DELAYED, None),  # the sender still has it: nobody attempted a delivery
    "PREADVICE": (Status.LABEL_CREATED, None),
    "INTRANSIT": (Status.IN_TRANSIT, None),
    "INWAREHOUSE": (Status.IN_TRANSIT, None),
    "INDELIVERY": (Status.OUT_FOR_DELIVERY, None),
    "DELIVEREDPS": (Status.READY_FOR_PICKUP, None),
    "DELIVERED": (Status.DELIVERED, None),
    "NOTDELIVERED": (Status.DELIVERY_ATTEMPTED, None),
    "CANCELED": (Status.CANCELLED, None),
}
"""FINAL is left unknown: "parcel history closed" says neither where the parcel is nor who has it."""

FLAT_STATUSES: Final[dict[str, Meaning]] = {
    "ACCEPTED": (Status.IN_TRANSIT, None),  # accepted at a depot
    "COLLECTED": (Status.PICKED_UP, None),
    "IN_DEPOT": (Status.IN_TRANSIT, None),
    "IN_TRANSIT": (Status.IN_TRANSIT, None),
    "OUT_FOR_DELIVERY": (Status.OUT_FOR_DELIVERY, None),
    "READY_FOR_PICKUP": (Status.READY_FOR_PICKUP, None),
    "DELIVERED": (Status.DELIVERED, None),
    "SIGNED": (Status.DELIVERED, None),
    "DELIVERY_FAILED": (Status.DELIVERY_ATTEMPTED, None),
    "REFUSED": (Status.DELIVERY_ATTEMPTED, IncidentReason.REFUSED),
    "DAMAGED": (Status.DAMAGED, IncidentReason.DAMAGED),
    "DELAYED": (Status.DELAYED, None),
    "ON_HOLD": (Status.ON_HOLD, None),
    "EXCEPTION": (Status.ON_HOLD, None),
}


class _Event(msgspec.Struct, gc=False, rename="camel"):
    code: str | None = None
    city: str | None = None
    country: str | None = None
    description: str | None = None
    event_date_time: str | None = None


class _Parcel(msgspec.Struct, rename="camel"):
    requested: str | None = None
    unitno: str | None = None
    status: str | None = None
    status_date_time: str | None = None
    events: tuple[_Event, ...] | None = None
    error_code: str | None = None
    error_message: str | None = None


class _Place(msgspec.Struct, gc=False):
    city: str | None = None
    country: str | None = None


class _FlatEvent(msgspec.Struct, gc=False):
    timestamp: str | None = None
    status: str | None = None
    description: str | None = None
    location: _Place | None = None


class _FaultDetail(msgspec.Struct, gc=False):
    errorcode: str | None = None


class _GatewayFault(msgspec.Struct, gc=False):
    faultstring: str | None = None
    detail: _FaultDetail | None = None


class _Document(msgspec.Struct, rename="camel"):
    """Many parcels, one flat parcel, or an error of the interface (title, status, detail) or its gateway (fault)."""

    parcels: tuple[_Parcel, ...] | None = None
    tracking_number: str | None = None
    events: tuple[_FlatEvent, ...] | None = None
    title: str | None = None
    status: str | int | None = None
    detail: str | None = None
    fault: _GatewayFault | None = None


_DECODER: Final = msgspec.json.Decoder(_Document)


def parse(payload: bytes) -> ParsedMessage:
    """Read an answer for many parcels, or the flat document of one."""
    document = read_json(_DECODER, payload)
    if number := (document.tracking_number or "").strip():
        return in_order(_flat_scan(number, event) for event in document.events or ())
    scans: list[Scan] = []
    refusals = list(_answered_with_an_error(document))
    for parcel in document.parcels or ():
        number = _number(parcel)
        if not number:
            raise PayloadRefused(Fault.NO_TRACKING_NUMBER, "a parcel without a number")
        if parcel.error_code:
            refusals.append((number, parcel.error_code, parcel.error_message or ""))
        scans.extend(_scans(number, parcel))
    if not document.parcels and not refusals:
        raise PayloadRefused(Fault.NO_TRACKING_NUMBER, "no parcel, no error")
    return in_order(scans, refusals)


def _answered_with_an_error(document: _Document) -> Iterator[tuple[str, str, str]]:
    if document.fault:
        code = (document.fault.detail and document.fault.detail.errorcode) or ""
        yield "", code, document.fault.faultstring or ""
    elif document.title:
        yield "", str(document.status or ""), document.detail or document.title


def _number(parcel: _Parcel) -> str:
    requested, unit = (parcel.requested or "").strip(), (parcel.unitno or "").strip()
    # Labels carry the unit number with its check digit, answers without it: the order knows the label's.
    return requested if not unit or (requested[:-1] == unit and requested.isdigit()) else unit


def _scans(number: str, parcel: _Parcel) -> Iterator[Scan]:
    newest_at, newest_is_known = 0, False
    for event in parcel.events or ():
        scan = _scan(number, event)
        known = scan.status is not Status.UNKNOWN
        if scan.occurred_at > newest_at:
            newest_at, newest_is_known = scan.occurred_at, known
        elif scan.occurred_at == newest_at:
            newest_is_known = newest_is_known or known
        yield scan
    if parcel.status and parcel.status_date_time and not newest_is_known:
        occurred_at, occurred_local = instant(parcel.status_date_time)
        status, reason = PARCEL_STATUSES.get(parcel.status, UNKNOWN)
        yield Scan(
            tracking_number=number,
            carrier=CARRIER,
            code=parcel.status,
            status=status,
            reason=reason,
            text="",
            place="",
            country=None,
            occurred_at=occurred_at,
            occurred_local=occurred_local,
        )


def _scan(number: str, event: _Event) -> Scan:
    code = event.code or ""
    status, reason = EVENT_CODES.get(code, UNKNOWN)
    occurred_at, occurred_local = instant(event.event_date_time or "")
    return Scan(
        tracking_number=number,
        carrier=CARRIER,
        code=code,
        status=status,
        reason=reason,
        text=event.description or "",
        place=town(event.city or ""),
        country=country_code(event.country or ""),
        occurred_at=occurred_at,
        occurred_local=occurred_local,
    )


def _flat_scan(number: str, event: _FlatEvent) -> Scan:
    code = event.status or ""
    place = event.location or _Place()
    status, reason = FLAT_STATUSES.get(code, UNKNOWN)
    occurred_at, occurred_local = instant(event.timestamp or "")
    return Scan(
        tracking_number=number,
        carrier=CARRIER,
        code=code,
        status=status,
        reason=reason,
        text=event.description or "",
        place=town(place.city or ""),
        country=country_code(place.country or ""),
        occurred_at=occurred_at,
        occurred_local=occurred_local,
    )
