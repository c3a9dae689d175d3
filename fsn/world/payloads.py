"""Payloads: what carriers really send about a parcel, in their own formats, personal data already redacted.

In: a parcel and the stops of its way so far. Out: bytes of DHL Parcel DE's tracking XML, of UPS's Track API or of
GLS's Track And Trace, as their documentation shows them, with names and streets blanked as connectors blank them.
Each carrier tells times its own way: DHL German local time, UPS local and GMT, GLS ISO 8601 with an offset.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final
from xml.sax.saxutils import quoteattr
from zoneinfo import ZoneInfo

import msgspec

FORMATS: Final = {"dhl_parcel_de": "dhl-parcel-de-xml", "ups": "ups-track-json", "gls": "gls-track-json"}

_BERLIN: Final = ZoneInfo("Europe/Berlin")
_encode: Final = msgspec.json.encode


class Stop(msgspec.Struct, frozen=True):
    """One scan: what happened, in canonical words, when and where."""

    at: int
    status: str
    city: str
    country: str
    timezone: str


class Words(msgspec.Struct, frozen=True):
    """How a carrier says one status: its codes, and its text."""

    codes: tuple[str, ...]
    text: str


DHL_WORDS: Final = {
    "label_created": Words(("ADVIS", "DLVRT", "VA"), "The instruction data for this shipment have been provided."),
    "picked_up": Words(("SHRCU", "PCKST", "AE"), "The shipment has been picked up by DHL."),
    "in_transit": Words(("LDTMV", "MVMTV", "AA"), "The shipment has been processed in the parcel center."),
    "out_for_delivery": Words(("SRTED", "", "PO"), "The shipment has been loaded onto the delivery vehicle."),
    "delivery_attempted": Words(("NTDEL", "NHOME", "ZN"), "The recipient was not present."),
    "delivered": Words(("DLVRD", "OTHER", "ZU"), "The shipment has been successfully delivered."),
    "return_to_sender": Words(("RETRN", "RFUSD", "NB"), "The shipment is being returned to the sender."),
}
"""(ICE, RIC, standard event)."""

UPS_WORDS: Final = {
    "label_created": Words(("M", "MP", "003"), "Shipper created a label, UPS has not received the package yet."),
    "picked_up": Words(("P", "PU", "038"), "Pickup Scan"),
    "in_transit": Words(("I", "DP", "005"), "Departed from Facility"),
    "out_for_delivery": Words(("I", "OT", "021"), "Out For Delivery Today"),
    "delivery_attempted": Words(("X", "48", "022"), "The receiver was not available. We'll make another attempt."),
    "delivered": Words(("D", "FS", "011"), "DELIVERED"),
    "return_to_sender": Words(("RS", "", "034"), "Returning to Sender"),
}
"""(type, code, package status)."""

GLS_WORDS: Final = {
    "label_created": Words(("INTIAL.PREADVICE", "PREADVICE"), "The parcel data was entered into the GLS IT system."),
    "in_transit": Words(("INBOUD.NORMAL", "INTRANSIT"), "The parcel has reached the parcel center."),
    "out_for_delivery": Words(
        ("OUTDEL.NORMAL", "INDELIVERY"), "The parcel is expected to be delivered during the day."
    ),
    "delivered": Words(("DELIVD.NORMAL", "DELIVERED"), "The parcel has been delivered."),
}
"""(event code, parcel status)."""


def payload(carrier: str, number: str, stops: Sequence[Stop]) -> bytes:
    """A carrier's answer about a parcel with these scans, oldest first."""
    return _WRITERS[carrier](number, stops)


def says(carrier: str, status: str) -> bool:
    """Whether a carrier has words for a status."""
    return status in _VOCABULARIES[carrier]


def dhl_parcel_de(number: str, stops: Sequence[Stop]) -> bytes:
    """`d-get-piece-detail`: the piece with its last status, and all its events."""
    last = stops[-1]
    ice, ric, standard = DHL_WORDS[last.status].codes
    country = _attributes(
        ("name", "piece-shipment"), ("error-status", "0"), ("piece-code", number), ("searched-piece-code", number),
        ("status-liste", "0"), ("status-timestamp", _dhl_time(last.at)), ("status", DHL_WORDS[last.status].text),
        ("recipient-name", ""), ("recipient-street", ""), ("recipient-city", ""), ("pan-recipient-name", ""),
        ("product-code", "00"), ("product-name", "DHL PAKET (parcel)"), ("division", "DPEED"), ("ice", ice),
        ("ric", ric), ("standard-event-code", standard), ("dest-country", last.country), ("origin-country", "DE"),
        ("delivery-event-flag", "1" if last.status == "delivered" else "0"), ("international-flag", "0"),
        ("ruecksendung", "false"),
    )  # fmt: skip
    events = "".join(_dhl_event(stop) for stop in stops)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><data name="piece-shipment-list" code="0" request-id="sim">'
        f'<data {country}><data name="piece-event-list">{events}</data></data></data>'
    ).encode()


def _dhl_event(stop: Stop) -> str:
    ice, ric, standard = DHL_WORDS[stop.status].codes
    attributes = _attributes(
        ("name", "piece-event"), ("event-timestamp", _dhl_time(stop.at)), ("event-status", DHL_WORDS[stop.status].text),
        ("event-text", DHL_WORDS[stop.status].text), ("ice", ice), ("ric", ric), ("event-location", stop.city),
        ("event-country", stop.country), ("standard-event-code", standard), ("ruecksendung", "false"),
    )  # fmt: skip
    return f"<data {attributes}/>"


def ups(number: str, stops: Sequence[Stop]) -> bytes:
    """Track API: newest activity first."""
    activities = [_ups_activity(stop) for stop in reversed(stops)]
    package = {
        "trackingNumber": number,
        "activity": activities,
        "currentStatus": activities[0]["status"],
        "packageCount": 1,
        "service": {"code": "011", "description": "UPS Standard"},
    }
    return _encode({"trackResponse": {"shipment": [{"inquiryNumber": number, "package": [package]}]}})


def _ups_activity(stop: Stop) -> dict[str, object]:
    kind, code, package_status = UPS_WORDS[stop.status].codes
    local, gmt = _moment(stop.at, ZoneInfo(stop.timezone)), _moment(stop.at, UTC)
    return {
        "location": {"address": {"city": stop.city, "countryCode": stop.country, "country": stop.country}},
        "status": {
            "type": kind,
            "code": code,
            "description": UPS_WORDS[stop.status].text,
            "statusCode": package_status,
        },
        "date": local.strftime("%Y%m%d"),
        "time": local.strftime("%H%M%S"),
        "gmtDate": gmt.strftime("%Y%m%d"),
        "gmtTime": gmt.strftime("%H%M%S"),
        "gmtOffset": local.strftime("%z"),
    }


def gls(number: str, stops: Sequence[Stop]) -> bytes:
    """Track And Trace V1: asked by the label's number, answered with the unit number without its check digit."""
    events = [
        {
            "code": GLS_WORDS[stop.status].codes[0],
            "city": stop.city,
            "postalCode": "",
            "country": stop.country,
            "description": GLS_WORDS[stop.status].text,
            "eventDateTime": _gls_time(stop),
        }
        for stop in reversed(stops)
    ]
    parcel = {
        "requested": number,
        "unitno": number[:-1],
        "status": GLS_WORDS[stops[-1].status].codes[1],
        "statusDateTime": _gls_time(stops[-1]),
        "events": events,
    }
    return _encode({"parcels": [parcel]})


def _attributes(*pairs: tuple[str, str]) -> str:
    return " ".join(f"{name}={quoteattr(value)}" for name, value in pairs)


def _moment(at: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at // 1000, zone)


def _dhl_time(at: int) -> str:
    return _moment(at, _BERLIN).strftime("%d.%m.%Y %H:%M")


def _gls_time(stop: Stop) -> str:
    return _moment(stop.at, ZoneInfo(stop.timezone)).strftime("%Y-%m-%dT%H:%M:%S%z")


_WRITERS: Final[dict[str, Callable[[str, Sequence[Stop]], bytes]]] = {
    "dhl_parcel_de": dhl_parcel_de,
    "ups": ups,
    "gls": gls,
}
_VOCABULARIES: Final = {"dhl_parcel_de": DHL_WORDS, "ups": UPS_WORDS, "gls": GLS_WORDS}
