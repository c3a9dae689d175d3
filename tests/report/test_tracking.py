"""Histories converge: in any order of arrival a parcel ends where its scans say, and each scan is told once."""

from itertools import permutations

import pytest

from fsn.report.tracking import STATUSES, check_tracking
from processors.carriers.scan import Status
from processors.tracking.parcel import Seen, weightiest
from tests.report.making import ORDER, broken, reads

NUMBER = "acme|gls|1"


def linked(number=NUMBER, shipment_id="s1", order_id=ORDER):
    fields = {"tracking_number": number, "order_id": order_id, "shipment_id": shipment_id}
    return "ShipmentLinked", {**fields, "location_id": "acme|berlin"}


def told(status, hour, stands, number=NUMBER, event_id=None, late=False, shipment_id="s1"):
    who = {"tracking_number": number, "order_id": ORDER, "shipment_id": shipment_id}
    what = {"event_id": event_id or f"te_{status}_{hour}", "status": status, "shipment_status": stands}
    return "TrackingEvent", {**who, **what, "occurred_at": hour, "late": late}


def check(*events, links=(linked(),), **expected):
    return check_tracking(
        reads(*events), reads(*links), {f"acme|gls|{name[1:]}": end for name, end in expected.items()}
    )


def test_the_vocabulary_is_the_domains():
    assert list(STATUSES) == [status.value for status in Status]


SCANS = [("picked_up", 1), ("in_transit", 2), ("in_transit", 3), ("delivered", 4), ("unknown", 5)]


def test_every_order_of_arrival_is_clean_when_told_as_fsn_tells_it():
    for order in permutations(SCANS):
        seen = []
        events = []
        for status, hour in order:
            late = any(hour < scan.occurred_at for scan in seen)
            seen.append(Seen(hour, status, "x", Status(status), None, "", None, ""))
            best = weightiest(seen)
            events.append(told(status, hour, best.status.value, late=late))
        found = check(*events, _1="delivered")
        assert found.checked.faults == ()
        assert found.parcels.counts == {"delivered": 1}


def test_final_statuses_of_parcels_and_shipments():
    links = (linked(), linked("acme|gls|2"), linked("acme|gls|3", shipment_id="s2"))
    found = check(told("delivered", 1, "delivered"), told("in_transit", 1, "in_transit", "acme|gls|2"), links=links)
    assert found.parcels.counts == {"delivered": 1, "in_transit": 1, "no scan yet": 1}
    assert found.shipments.counts == {"in_transit": 1, "no scan yet": 1}
    assert (found.events, found.late) == (2, 0)


def test_a_scan_understood_better_is_told_again():
    first, second = told("in_transit", 3, "in_transit", event_id="te"), told("delivered", 3, "delivered", event_id="te")
    assert check(first, second).checked.faults == ()
    assert broken(check(second, told("in_transit", 3, "delivered", event_id="te")).checked) == [
        "every scan is told once"
    ]


@pytest.mark.parametrize(
    ("events", "expected", "promise"),
    [
        ([told("delivered", 4, "delivered"), told("in_transit", 2, "in_transit")], "delivered", "histories converge"),
        ([told("delivered", 4, "in_transit")], "in_transit", "histories converge"),
        ([told("in_transit", 2, "in_transit"), told("in_transit", 2, "in_transit")], "in_transit",
         "every scan is told once"),
        ([told("in_transit", 2, "in_transit")], "delivered", "parcels end as they were sent"),
        ([], "delivered", "parcels end as they were sent"),
        ([told("in_transit", 2, "in_transit"), told("delivered", 9, "delivered", shipment_id="s9")], "in_transit",
         "scans reach their own order"),
    ],
)  # fmt: skip
def test_a_broken_promise_is_named(events, expected, promise):
    found = check(*events, _1=expected)
    assert promise in broken(found.checked)
    assert NUMBER in found.checked.faults[0].subject


def test_a_parcel_nobody_claimed_is_lost():
    (fault,) = check(links=(), _1="delivered").checked.faults
    assert (fault.check, fault.lost) == ("parcels end as they were sent", 1)
