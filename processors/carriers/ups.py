"""UPS: answers of the Track API, and the webhooks of Track Alert.

In: JSON, either `trackResponse.shipment[].package[].activity[]`, one event with `trackingNumber` at the top, or an
error envelope. Out: one scan per activity, all of them; a shipment without packages gives a refusal per warning.
An activity means what its (type, code) says; a code not in that table, what UPS's own three-digit package status says;
else it is unknown. The type alone decides only when there is no code: Track Alert's D also covers "out for delivery",
and X is any exception. GMT times are preferred; local times without GMT use the offset when UPS gives one.
Refused: documents of another shape, dates that are none, answers that name no parcel and give no error.

Sources: UPS-API/api-documentation `Tracking.yaml` and `UPSTrackAlert.yaml`, and its issue #7 (UPS's list of activity
code → package status); package status texts as in the portal's "API codes" appendix, 000 … 169.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
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

CARRIER: Final = "ups"

_OFFSET_STEP: Final = timedelta(minutes=15)
_OFFSET_MAX: Final = timedelta(hours=14)


class _Status(msgspec.Struct, gc=False, rename="camel"):
    type: str | None = None
    code: str | None = None
    description: str | None = None
    status_code: str | None = None
    description_code: str | None = None


class _Address(msgspec.Struct, gc=False, rename="camel"):
    city: str | None = None
    country: str | None = None
    country_code: str | None = None


class _Location(msgspec.Struct, gc=False):
    address: _Address | None = None


class _Activity(msgspec.Struct, rename="camel"):
    date: str | None = None
    time: str | None = None
    gmt_date: str | None = None
    gmt_time: str | None = None
    gmt_offset: str | None = None
    location: _Location | None = None
    status: _Status | None = None


class _Package(msgspec.Struct, rename="camel"):
    tracking_number: str | None = None
    activity: tuple[_Activity, ...] | None = None


class _Problem(msgspec.Struct, gc=False):
    code: str | None = None
    message: str | None = None


class _Shipment(msgspec.Struct, rename="camel"):
    inquiry_number: str | None = None
    package: tuple[_Package, ...] | None = None
    warnings: tuple[_Problem, ...] | None = None


class _TrackResponse(msgspec.Struct):
    shipment: tuple[_Shipment, ...] | None = None


class _ErrorResponse(msgspec.Struct):
    errors: tuple[_Problem, ...] | None = None


class _Document(msgspec.Struct, rename="camel"):
    """A Track answer, an error, or (all further fields) a Track Alert event."""

    track_response: _TrackResponse | None = None
    response: _ErrorResponse | None = None
    tracking_number: str | None = None
    local_activity_date: str | None = None
    local_activity_time: str | None = None
    gmt_activity_date: str | None = None
    gmt_activity_time: str | None = None
    activity_location: _Address | None = None
    activity_status: _Status | None = None


_DECODER: Final = msgspec.json.Decoder(_Document)


def parse(payload: bytes) -> ParsedMessage:
    """Read a Track answer or a Track Alert event."""
    document = read_json(_DECODER, payload)
    if number := (document.tracking_number or "").strip():
        return in_order([_alerted(document, number)])
    scans: list[Scan] = []
    refusals = list(_refusals("", document.response.errors if document.response else None))
    numbers = 0
    for shipment in (document.track_response and document.track_response.shipment) or ():
        inquired = (shipment.inquiry_number or "").strip()
        packages = shipment.package or ()
        if not packages:
            refusals.extend(_refusals(inquired, shipment.warnings))
        for package in packages:
            number = (package.tracking_number or "").strip() or inquired
            numbers += bool(number)
            if not number and package.activity:
                raise PayloadRefused(Fault.NO_TRACKING_NUMBER, "activities of a package without a number")
            scans.extend(_scan(number, activity) for activity in package.activity or ())
    if not numbers and not refusals:
        raise PayloadRefused(Fault.NO_TRACKING_NUMBER, "no package, no warning, no error")
    return in_order(scans, refusals)


def _refusals(number: str, problems: tuple[_Problem, ...] | None) -> Iterator[tuple[str, str, str]]:
    return ((number, problem.code or "", problem.message or "") for problem in problems or ())


def _alerted(event: _Document, number: str) -> Scan:
    activity = _Activity(
        date=event.local_activity_date,
        time=event.local_activity_time,
        gmt_date=event.gmt_activity_date,
        gmt_time=event.gmt_activity_time,
        location=_Location(event.activity_location),
        status=event.activity_status,
    )
    return _scan(number, activity)


def _scan(number: str, activity: _Activity) -> Scan:
    said = activity.status or _Status()
    address = (activity.location and activity.location.address) or _Address()
    kind, code, package_status = said.type or "", said.code or "", said.status_code or said.description_code or ""
    status, reason = meaning(kind, code, package_status)
    occurred_at, occurred_local = _when(activity)
    return Scan(
        tracking_number=number,
        carrier=CARRIER,
        code=code or package_status or kind,
        status=status,
        reason=reason,
        text=said.description or "",
        place=town(address.city or ""),
        country=country_code(address.country_code or address.country or ""),
        occurred_at=occurred_at,
        occurred_local=occurred_local,
    )


def meaning(kind: str, code: str, package_status: str) -> Meaning:
    """Look up status and reason of an activity: by type and code, else by UPS's package status, else unknown."""
    known = ACTIVITIES.get((kind, code)) or ACTIVITIES.get(("", code))
    return PACKAGE_STATUSES.get(known or package_status.zfill(3), UNKNOWN)


def _when(activity: _Activity) -> tuple[int, str]:
    local = _written(activity.date, activity.time)
    gmt = _written(activity.gmt_date, activity.gmt_time)
    if not gmt:
        return instant(local + (activity.gmt_offset or ""))
    occurred_at, gmt_local = instant(gmt + "+00:00")
    return occurred_at, _with_offset(local, occurred_at) if local else gmt_local


def _written(date: str | None, time: str | None) -> str:
    # UPS's own example drops the leading zero of an hour: "74700".
    return f"{date}T{time.zfill(6)}" if date and time else ""


def _with_offset(local: str, occurred_at: int) -> str:
    """Add the offset that follows from GMT to the local time, where it can be one."""
    local_at, local_time = instant(local)
    offset = timedelta(milliseconds=local_at - occurred_at)
    if abs(offset) > _OFFSET_MAX or offset % _OFFSET_STEP:
        return local_time
    return datetime.fromisoformat(local).replace(tzinfo=timezone(offset)).isoformat()


ACTIVITIES: Final[dict[tuple[str, str], str]] = {
    # A type without a code, where the documented type says enough.
    ("M", ""): "003", ("MV", ""): "007", ("P", ""): "038", ("RS", ""): "034",
    # Track Alert's documented events; "" is any type: UPS sends MP under M and under I.
    ("", "MP"): "003", ("", "OR"): "160", ("", "DP"): "005", ("", "YP"): "071", ("", "OT"): "021", ("", "FS"): "011",
    # Track's documented codes, and the list of activity codes → package status.
    ("", "AR"): "005", ("", "DS"): "005", ("", "PU"): "038", ("", "VS"): "038", ("", "OF"): "021", ("", "76"): "021",
    ("", "75"): "005", ("", "LW"): "005", ("", "Z2"): "005", ("", "Z4"): "005",
    ("MV", "VP"): "007", ("M", "VP"): "007", ("", "LX"): "025", ("", "EG"): "028", ("", "VM"): "028",
    ("D", "KB"): "011", ("D", "9E"): "011", ("D", "ZE"): "011", ("D", "ZF"): "011", ("D", "ZG"): "011",
    ("D", "ZH"): "011", ("D", "ZI"): "011", ("", "ZP"): "040", ("", "ZQ"): "017", ("", "VN"): "017", ("", "WH"): "016",
    ("", "SR"): "014", ("", "ER"): "012", ("", "SV"): "012", ("", "VK"): "012", ("", "Z1"): "012",
    ("", "EJ"): "032", ("", "C5"): "051", ("", "7V"): "051", ("", "7W"): "052", ("", "7X"): "053",
    ("", "CC"): "048", ("", "CK"): "048", ("", "CL"): "048", ("", "LE"): "048", ("", "LF"): "048", ("", "7H"): "048",
    ("", "7J"): "048", ("", "T7"): "046", ("", "T8"): "047", ("", "78"): "054", ("", "7M"): "019", ("", "SX"): "055",
}  # fmt: skip
"""(type, code) → UPS's package status. Codes that UPS gives two package statuses are left to the status it sends."""

_MEANINGS: Final[tuple[tuple[Status, IncidentReason | None, str], ...]] = (
    (Status.LABEL_CREATED, None, "003 044 045 077 079 080 133 157 166"),
    (Status.PICKED_UP, None, "038 160 167 168 169"),
    (Status.IN_TRANSIT, None, "005 010 014 025 039 041 042 047 056 057 070 071 072 073 074 075 082 084 087"),
    (Status.IN_TRANSIT, None, "094 095 110 111 112 113 114 120 121 122 134 137 138 153 158 159 164 165"),
    (Status.IN_TRANSIT, IncidentReason.CUSTOMS, "012 092"),
    (Status.IN_TRANSIT, IncidentReason.REDIRECTED, "018 027 028 054 063 096 097 098 099 100 101 106 107 108 109"),
    (Status.IN_TRANSIT, IncidentReason.REQUESTED, "033 102 103 105 119"),  # asked for, not yet agreed
    (Status.IN_TRANSIT, IncidentReason.RESCHEDULED, "020 116 154"),
    (Status.OUT_FOR_DELIVERY, None, "006 021 078 089 091 146 162"),
    (Status.READY_FOR_PICKUP, None, "017 040 144 161"),
    (Status.DELIVERY_ATTEMPTED, None, "022 023 024 060 066 145"),
    (Status.DELIVERY_ATTEMPTED, IncidentReason.IDENTITY, "061"),
    (Status.DELIVERY_ATTEMPTED, IncidentReason.PAYMENT, "062"),
    (Status.DELIVERY_ATTEMPTED, IncidentReason.REFUSED, "064"),
    (Status.DELIVERED, None, "011 026 155 156"),
    (Status.ON_HOLD, None, "013 029 030 049 076"),  # an exception UPS does not name: the text does
    (Status.ON_HOLD, IncidentReason.HELD, "016 083"),
    (Status.ON_HOLD, IncidentReason.RESCHEDULED, "019"),
    (Status.ON_HOLD, IncidentReason.REQUESTED, "104"),
    (Status.ON_HOLD, IncidentReason.ADDRESS, "050 139"),
    (Status.ON_HOLD, IncidentReason.CUSTOMS, "058 123 124 125 126"),
    (Status.ON_HOLD, IncidentReason.DOCUMENTS, "141"),
    (Status.ON_HOLD, IncidentReason.PAYMENT, "085"),
    (Status.ON_HOLD, IncidentReason.NOT_COLLECTED, "069"),
    (Status.ON_HOLD, IncidentReason.MISSING, "129"),  # investigation opened
    (Status.DELAYED, None, "046 048 065 086 090 093 131 135"),  # 065, 131, 135: a pickup attempted in vain
    (Status.DELAYED, IncidentReason.WEATHER, "032 051 052 053"),
    (Status.DELAYED, IncidentReason.RESCHEDULED, "055 115 136"),
    (Status.DELAYED, IncidentReason.AUTHORITY, "132"),
    (Status.RETURN_TO_SENDER, None, "034 035 036 037 067"),
    (Status.RETURN_TO_SENDER, IncidentReason.REQUESTED, "118"),
    (Status.RETURN_TO_SENDER, IncidentReason.DAMAGED, "081"),
    (Status.LOST, IncidentReason.LOST, "068"),
    (Status.LOST, IncidentReason.AUTHORITY, "147"),
    (Status.LOST, IncidentReason.DISPOSED, "149"),
    (Status.DAMAGED, IncidentReason.DAMAGED, "059"),
    (Status.CANCELLED, None, "007 043"),
)
"""UPS's package statuses. Left unknown: 000, 148, 163 (no information), 088 (test), 117 and 143 (ambiguous), claims."""

PACKAGE_STATUSES: Final[dict[str, Meaning]] = {
    number: (status, reason) for status, reason, numbers in _MEANINGS for number in numbers.split()
}
