"""The rules of GLS, one line each: event codes and parcel statuses, then documents."""

from typing import Any

import msgspec
import pytest

from processors.carriers.gls import EVENT_CODES, FLAT_STATUSES, PARCEL_STATUSES, parse
from processors.carriers.scan import Fault, IncidentReason, PayloadRefused, Scan, Status

EVENT_RULES = [
    ("INTIAL.PREADVICE", Status.LABEL_CREATED, None),
    ("INTIAL.E48_DATA", Status.LABEL_CREATED, None),
    ("INTIAL.NORMAL", Status.IN_TRANSIT, None),
    ("INBOUD.NORMAL", Status.IN_TRANSIT, None),
    ("OUTBOD.NORMAL", Status.IN_TRANSIT, None),
    ("OUTDEL.NORMAL", Status.OUT_FOR_DELIVERY, None),
    ("DELIVD.NORMAL", Status.DELIVERED, None),
    ("DELIVD.PARCELSHOP", Status.READY_FOR_PICKUP, None),
    ("DELIVD.DEL_BY_PSAPP", Status.DELIVERED, None),
    ("CHANGD.MONEWADDR", Status.IN_TRANSIT, IncidentReason.REDIRECTED),
    ("CHANGD.PARCELBOX", Status.IN_TRANSIT, IncidentReason.REDIRECTED),
    ("CANCEL.NORMAL", Status.CANCELLED, None),
    ("NEWONE.NORMAL", Status.UNKNOWN, None),
    ("", Status.UNKNOWN, None),
]

PARCEL_RULES = [
    ("PLANNEDPICKUP", Status.LABEL_CREATED),
    ("INPICKUP", Status.LABEL_CREATED),
    ("NOTPICKEDUP", Status.DELAYED),
    ("PREADVICE", Status.LABEL_CREATED),
    ("INTRANSIT", Status.IN_TRANSIT),
    ("INWAREHOUSE", Status.IN_TRANSIT),
    ("INDELIVERY", Status.OUT_FOR_DELIVERY),
    ("DELIVEREDPS", Status.READY_FOR_PICKUP),
    ("DELIVERED", Status.DELIVERED),
    ("NOTDELIVERED", Status.DELIVERY_ATTEMPTED),
    ("CANCELED", Status.CANCELLED),
    ("FINAL", Status.UNKNOWN),
    ("SOMETHINGNEW", Status.UNKNOWN),
]

FLAT_RULES = [
    ("ACCEPTED", Status.IN_TRANSIT, None),
    ("COLLECTED", Status.PICKED_UP, None),
    ("IN_DEPOT", Status.IN_TRANSIT, None),
    ("IN_TRANSIT", Status.IN_TRANSIT, None),
    ("OUT_FOR_DELIVERY", Status.OUT_FOR_DELIVERY, None),
    ("READY_FOR_PICKUP", Status.READY_FOR_PICKUP, None),
    ("DELIVERED", Status.DELIVERED, None),
    ("SIGNED", Status.DELIVERED, None),
    ("DELIVERY_FAILED", Status.DELIVERY_ATTEMPTED, None),
    ("REFUSED", Status.DELIVERY_ATTEMPTED, IncidentReason.REFUSED),
    ("DAMAGED", Status.DAMAGED, IncidentReason.DAMAGED),
    ("DELAYED", Status.DELAYED, None),
    ("ON_HOLD", Status.ON_HOLD, None),
    ("EXCEPTION", Status.ON_HOLD, None),
    ("SOMETHINGNEW", Status.UNKNOWN, None),
]


def encode(**document: Any) -> bytes:
    return msgspec.json.encode(document)


def event(code: str = "INBOUD.NORMAL", at: str = "2024-05-02T09:15:00+0200", **given: Any) -> dict[str, Any]:
    return {"code": code, "city": "Neuenstein", "country": "DE", "description": "Text", "eventDateTime": at} | given


def parcel(*events: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"requested": "36301917596", "unitno": "36301917596", "events": events} | given


def only(payload: bytes) -> Scan:
    (scan,) = parse(payload).scans
    return scan


@pytest.mark.parametrize(("code", "status", "reason"), EVENT_RULES)
def test_event_code(code: str, status: Status, reason: IncidentReason | None) -> None:
    scan = only(encode(parcels=[parcel(event(code))]))
    assert (scan.code, scan.status, scan.reason, scan.text) == (code, status, reason, "Text")


@pytest.mark.parametrize(("code", "status"), PARCEL_RULES)
def test_parcel_status(code: str, status: Status) -> None:
    scan = only(encode(parcels=[parcel(status=code, statusDateTime="2024-05-02T09:15:00+0200")]))
    assert (scan.code, scan.status, scan.occurred_local) == (code, status, "2024-05-02T09:15:00+02:00")


@pytest.mark.parametrize(("code", "status", "reason"), FLAT_RULES)
def test_flat_status(code: str, status: Status, reason: IncidentReason | None) -> None:
    flat = {"timestamp": "2024-05-02T07:15:00Z", "status": code, "location": {"city": "Berlin", "country": "DE"}}
    scan = only(encode(trackingNumber=" 17 ", events=[flat]))
    assert (scan.tracking_number, scan.code, scan.status, scan.reason) == ("17", code, status, reason)
    assert (scan.place, scan.country, scan.occurred_at) == ("Berlin", "DE", 1_714_634_100_000)


def test_every_code_has_a_rule() -> None:
    assert {rule[0] for rule in EVENT_RULES} >= set(EVENT_CODES)
    assert {rule[0] for rule in PARCEL_RULES} >= set(PARCEL_STATUSES)
    assert {rule[0] for rule in FLAT_RULES} >= set(FLAT_STATUSES)


def test_an_event_in_full() -> None:
    assert only(encode(parcels=[parcel(event())])) == Scan(
        tracking_number="36301917596",
        carrier="gls",
        code="INBOUD.NORMAL",
        status=Status.IN_TRANSIT,
        reason=None,
        text="Text",
        place="Neuenstein",
        country="DE",
        occurred_at=1_714_634_100_000,
        occurred_local="2024-05-02T09:15:00+02:00",
    )


@pytest.mark.parametrize(
    ("codes_by_minute", "with_status_scan"),
    [
        ((("INBOUD.NORMAL", "10"), ("NEWONE.NORMAL", "05")), False),  # an older unknown code hides nothing
        ((("NEWONE.NORMAL", "05"), ("INBOUD.NORMAL", "10")), False),
        ((("NEWONE.NORMAL", "10"), ("INBOUD.NORMAL", "05")), True),
        ((("NEWONE.NORMAL", "10"), ("INBOUD.NORMAL", "10")), False),
        ((("INBOUD.NORMAL", "10"), ("NEWONE.NORMAL", "10")), False),
        ((("NEWONE.NORMAL", "10"), ("NEWTWO.NORMAL", "10")), True),
        ((), True),
    ],
)
def test_the_parcel_status_speaks_where_the_newest_event_cannot(
    codes_by_minute: tuple[tuple[str, str], ...], *, with_status_scan: bool
) -> None:
    events = [event(code, f"2024-05-02T09:{minute}:00+0200") for code, minute in codes_by_minute]
    at = "2024-05-02T09:10:01+0200"
    scans = parse(encode(parcels=[parcel(*events, status="NOTDELIVERED", statusDateTime=at)])).scans
    assert [scan.code for scan in scans].count("NOTDELIVERED") == with_status_scan
    assert len(scans) == len(events) + with_status_scan


@pytest.mark.parametrize(
    ("requested", "unit", "number"),
    [
        ("36301917596", "36301917596", "36301917596"),
        ("747N6K", "93835330599", "93835330599"),  # a reference finds parcels: they have their own numbers
        ("604831862623", "60483186262", "604831862623"),  # the label's number, with its check digit
        ("ZX61QJIX", "ZX61QJI", "ZX61QJI"),
        ("36301917596", None, "36301917596"),
        (None, "36301917596", "36301917596"),
    ],
)
def test_tracking_number(requested: str | None, unit: str | None, number: str) -> None:
    payload = encode(parcels=[parcel(event(), requested=requested, unitno=unit)])
    assert only(payload).tracking_number == number


def test_empty_fields_are_empty() -> None:
    scan = only(encode(parcels=[parcel(event(city="", country="", description=None))]))
    assert (scan.place, scan.country, scan.text) == ("", None, "")
    flat = only(encode(trackingNumber="17", events=[{"timestamp": "2024-05-02T07:15:00Z"}]))
    assert (flat.code, flat.status, flat.place, flat.country, flat.text) == ("", Status.UNKNOWN, "", None, "")
    assert parse(encode(trackingNumber="17")).scans == ()
    assert parse(encode(parcels=[parcel(status="INTRANSIT")])).scans == ()


def test_errors_are_refusals() -> None:
    lost = {"requested": "42249018928", "errorCode": "E_404_01", "errorMessage": "Resource Not Found"}
    message = parse(encode(parcels=[lost, {"requested": "1", "errorCode": "E_500_01"}, parcel(event())]))
    assert message.refusals == (("42249018928", "E_404_01", "Resource Not Found"), ("1", "E_500_01", ""))
    assert len(message.scans) == 1


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        ({"title": "Bad Request", "status": 400, "detail": "limit of 10"}, ("", "400", "limit of 10")),
        ({"title": "Not Found"}, ("", "", "Not Found")),
        ({"fault": {"faultstring": "expired", "detail": {"errorcode": "x.Expired"}}}, ("", "x.Expired", "expired")),
        ({"fault": {"detail": None}}, ("", "", "")),
    ],
)
def test_error_documents_are_refusals(document: dict[str, Any], refusal: tuple[str, str, str]) -> None:
    message = parse(encode(**document))
    assert (message.scans, message.refusals) == ((), (refusal,))


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (encode(), Fault.NO_TRACKING_NUMBER),
        (encode(parcels=[]), Fault.NO_TRACKING_NUMBER),
        (encode(parcels=[parcel(event(), requested=" ", unitno="")]), Fault.NO_TRACKING_NUMBER),
        (encode(parcels=[parcel(event(at="2024-05-32"))]), Fault.ABSURD_DATE),
        (encode(parcels=[parcel(event(at="1970-01-01T00:00:00Z"))]), Fault.ABSURD_DATE),
        (encode(parcels=[parcel(event(eventDateTime=None))]), Fault.ABSURD_DATE),
        (encode(parcels=[parcel(status="INTRANSIT", statusDateTime="soon")]), Fault.ABSURD_DATE),
        (encode(trackingNumber="17", events=[{}]), Fault.ABSURD_DATE),
        (encode(parcels={}), Fault.UNEXPECTED_SHAPE),
        (b"[]", Fault.UNEXPECTED_SHAPE),
    ],
)
def test_document_is_refused(payload: bytes, fault: Fault) -> None:
    with pytest.raises(PayloadRefused) as refused:
        parse(payload)
    assert refused.value.reason is fault
