"""The rules of UPS, one line each: types, codes and package statuses, then times and documents."""

from typing import Any

import msgspec
import pytest

from processors.carriers.scan import Fault, IncidentReason, PayloadRefused, Scan, Status
from processors.carriers.ups import ACTIVITIES, PACKAGE_STATUSES, meaning, parse

NUMBER = "1Z12345E0205271688"


@pytest.mark.parametrize(
    ("kind", "code", "package_status", "status", "reason"),
    [
        # by type and code
        ("M", "MP", "", Status.LABEL_CREATED, None),
        ("I", "MP", "", Status.LABEL_CREATED, None),
        ("I", "OR", "", Status.PICKED_UP, None),
        ("P", "PU", "", Status.PICKED_UP, None),
        ("I", "DP", "", Status.IN_TRANSIT, None),
        ("I", "AR", "", Status.IN_TRANSIT, None),
        ("I", "YP", "", Status.IN_TRANSIT, None),
        ("I", "OT", "", Status.OUT_FOR_DELIVERY, None),
        ("D", "FS", "", Status.DELIVERED, None),
        ("D", "KB", "", Status.DELIVERED, None),
        ("X", "KB", "", Status.UNKNOWN, None),  # the same code under another type is another event
        ("D", "ZP", "", Status.READY_FOR_PICKUP, None),
        ("MV", "VP", "", Status.CANCELLED, None),
        ("X", "SR", "003", Status.IN_TRANSIT, None),  # the code goes before the package status
        ("X", "ER", "", Status.IN_TRANSIT, IncidentReason.CUSTOMS),
        ("X", "7W", "", Status.DELAYED, IncidentReason.WEATHER),
        ("X", "CC", "", Status.DELAYED, None),
        ("X", "SX", "", Status.DELAYED, IncidentReason.RESCHEDULED),
        # by type alone, when there is no code
        ("M", "", "", Status.LABEL_CREATED, None),
        ("MV", "", "", Status.CANCELLED, None),
        ("P", "", "", Status.PICKED_UP, None),
        ("RS", "", "", Status.RETURN_TO_SENDER, None),
        ("D", "", "", Status.UNKNOWN, None),  # Track Alert's D is also "out for delivery"
        ("X", "", "", Status.UNKNOWN, None),
        ("I", "", "", Status.UNKNOWN, None),
        # by package status, when the code is in no table
        ("D", "Q9", "011", Status.DELIVERED, None),
        ("D", "Q9", "11", Status.DELIVERED, None),
        ("D", "Q9", "021", Status.OUT_FOR_DELIVERY, None),
        ("D", "Q9", "040", Status.READY_FOR_PICKUP, None),
        ("X", "Q9", "013", Status.ON_HOLD, None),
        ("X", "Q9", "022", Status.DELIVERY_ATTEMPTED, None),
        ("X", "Q9", "034", Status.RETURN_TO_SENDER, None),
        ("X", "Q9", "050", Status.ON_HOLD, IncidentReason.ADDRESS),
        ("X", "Q9", "055", Status.DELAYED, IncidentReason.RESCHEDULED),
        ("X", "Q9", "058", Status.ON_HOLD, IncidentReason.CUSTOMS),
        ("X", "Q9", "059", Status.DAMAGED, IncidentReason.DAMAGED),
        ("X", "Q9", "061", Status.DELIVERY_ATTEMPTED, IncidentReason.IDENTITY),
        ("X", "Q9", "064", Status.DELIVERY_ATTEMPTED, IncidentReason.REFUSED),
        ("X", "Q9", "068", Status.LOST, IncidentReason.LOST),
        ("U", "Q9", "028", Status.IN_TRANSIT, IncidentReason.REDIRECTED),
        # unknown stays unknown, whatever the type
        ("I", "Q9", "", Status.UNKNOWN, None),
        ("X", "Q9", "000", Status.UNKNOWN, None),
        ("X", "Q9", "999", Status.UNKNOWN, None),
        ("", "", "", Status.UNKNOWN, None),
    ],
)
def test_meaning(kind: str, code: str, package_status: str, status: Status, reason: IncidentReason | None) -> None:
    assert meaning(kind, code, package_status) == (status, reason)


def test_every_activity_code_leads_to_a_package_status_with_a_meaning() -> None:
    assert set(ACTIVITIES.values()) <= set(PACKAGE_STATUSES)


def activity(**given: Any) -> dict[str, Any]:
    return {
        "date": "20240502",
        "time": "091500",
        "status": {"type": "I", "code": "DP", "description": "Departed from Facility"},
        "location": {"address": {"city": "Koeln", "countryCode": "DE"}},
    } | given


def track(*activities: dict[str, Any], **package: Any) -> bytes:
    packages = [{"trackingNumber": NUMBER, "activity": activities} | package]
    return encode(trackResponse={"shipment": [{"inquiryNumber": "1ZINQUIRED", "package": packages}]})


def encode(**document: Any) -> bytes:
    return msgspec.json.encode(document)


def alert(**given: Any) -> bytes:
    return encode(
        **{
            "trackingNumber": f" {NUMBER}",
            "localActivityDate": "20240502",
            "localActivityTime": "091519",
            "gmtActivityDate": "20240502",
            "gmtActivityTime": "131519",
            "activityLocation": {"city": "Charlotte", "stateProvince": "NC", "postalCode": "", "country": "US"},
            "activityStatus": {"type": "D", "code": "OT", "description": "Out", "descriptionCode": "021"},
        }
        | given
    )


def only(payload: bytes) -> Scan:
    (scan,) = parse(payload).scans
    return scan


def test_a_webhook_in_full() -> None:
    assert only(alert()) == Scan(
        tracking_number=NUMBER,
        carrier="ups",
        code="OT",
        status=Status.OUT_FOR_DELIVERY,
        reason=None,
        text="Out",
        place="Charlotte",
        country="US",
        occurred_at=1_714_655_719_000,
        occurred_local="2024-05-02T09:15:19-04:00",
    )


def test_all_activities_of_all_packages_are_read() -> None:
    packages = [
        {"trackingNumber": "1ZA", "activity": [activity(time="100000"), activity(time="090000")]},
        {"activity": [activity(time="093000")]},  # a package without a number is the one inquired about
        {"trackingNumber": "1ZC", "activity": None},
    ]
    payload = encode(trackResponse={"shipment": [{"inquiryNumber": "1ZB", "package": packages}]})
    assert [scan.tracking_number for scan in parse(payload).scans] == ["1ZA", "1ZB", "1ZA"]


@pytest.mark.parametrize(
    ("given", "occurred_at", "occurred_local"),
    [
        ({}, 1_714_641_300_000, "2024-05-02T09:15:00"),  # nothing says where: taken for UTC, no offset invented
        ({"gmtOffset": "+02:00"}, 1_714_634_100_000, "2024-05-02T09:15:00+02:00"),
        ({"gmtDate": "20240502", "gmtTime": "071500"}, 1_714_634_100_000, "2024-05-02T09:15:00+02:00"),
        ({"gmtDate": "20240502", "gmtTime": "71500"}, 1_714_634_100_000, "2024-05-02T09:15:00+02:00"),
        ({"gmtDate": "2024-05-02", "gmtTime": "07:15:00"}, 1_714_634_100_000, "2024-05-02T09:15:00+02:00"),
        ({"gmtDate": "20240502", "gmtTime": ""}, 1_714_641_300_000, "2024-05-02T09:15:00"),
        # local times that no zone can have: GMT stands
        ({"gmtDate": "20240502", "gmtTime": "071007"}, 1_714_633_807_000, "2024-05-02T09:15:00"),
        ({"gmtDate": "20240504", "gmtTime": "071500"}, 1_714_806_900_000, "2024-05-02T09:15:00"),
        ({"time": None, "gmtDate": "20240502", "gmtTime": "071500"}, 1_714_634_100_000, "2024-05-02T07:15:00+00:00"),
    ],
)
def test_times(given: dict[str, Any], occurred_at: int, occurred_local: str) -> None:
    scan = only(track(activity(**given)))
    assert (scan.occurred_at, scan.occurred_local) == (occurred_at, occurred_local)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"type": "X", "code": "Q9", "statusCode": "013"}, "Q9"),
        ({"type": "X", "statusCode": "013"}, "013"),
        ({"type": "RS"}, "RS"),
        (None, ""),
    ],
)
def test_codes_as_the_carrier_writes_them(status: dict[str, str] | None, code: str) -> None:
    assert only(track(activity(status=status))).code == code


def test_missing_places_are_empty() -> None:
    for location in (None, {}, {"address": None}, {"address": {"country": "Utopia"}}):
        scan = only(track(activity(location=location)))
        assert (scan.place, scan.country) == ("", None)
    assert only(alert(activityLocation=None)).place == ""


def test_errors_and_warnings_are_refusals() -> None:
    problem = {"code": "TW0001", "message": "Tracking Information Not Found"}
    told = ("TW0001", "Tracking Information Not Found")
    shipment = {"inquiryNumber": "1ZA", "warnings": [problem]}
    assert parse(encode(trackResponse={"shipment": [shipment]})).refusals == (("1ZA", *told),)
    assert parse(encode(trackResponse={"shipment": [{"warnings": [problem]}]})).refusals == (("", *told),)
    assert parse(encode(response={"errors": [problem, {}]})).refusals == (("", *told), ("", "", ""))


def test_a_warning_beside_a_package_refuses_nothing() -> None:
    shipment = {"package": [{"trackingNumber": "1ZA"}], "warnings": [{"code": "1", "message": "old data"}]}
    message = parse(encode(trackResponse={"shipment": [shipment]}))
    assert (message.scans, message.refusals) == ((), ())


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (encode(), Fault.NO_TRACKING_NUMBER),
        (encode(trackResponse=None, response=None), Fault.NO_TRACKING_NUMBER),
        (encode(trackResponse={"shipment": [{"package": [{"activity": []}]}]}), Fault.NO_TRACKING_NUMBER),
        (encode(trackResponse={"shipment": [{"package": [{"activity": [activity()]}]}]}), Fault.NO_TRACKING_NUMBER),
        (encode(trackResponse={"shipment": {}}), Fault.UNEXPECTED_SHAPE),
        (alert(trackingNumber=17), Fault.UNEXPECTED_SHAPE),
        (track(activity(date="20240231")), Fault.ABSURD_DATE),
        (track(activity(date="19000101")), Fault.ABSURD_DATE),
        (track(activity(date=None)), Fault.ABSURD_DATE),
        (track(activity(time="")), Fault.ABSURD_DATE),
        (track(activity(gmtOffset="-5")), Fault.ABSURD_DATE),
        (alert(localActivityDate="someday"), Fault.ABSURD_DATE),
        (track(activity())[:-3], Fault.TRUNCATED),
    ],
)
def test_document_is_refused(payload: bytes, fault: Fault) -> None:
    with pytest.raises(PayloadRefused) as refused:
        parse(payload)
    assert refused.value.reason is fault
