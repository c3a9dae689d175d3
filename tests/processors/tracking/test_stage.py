"""Tracking: the rules one line each, then: any arrival order gives the same history, and no status goes back."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.carriers.scan import IncidentReason, Scan, Status
from processors.reasons import Reason
from processors.tracking import stage as tracking_stage
from processors.tracking.parcel import PARCELS, Seen, in_order, seen, weightiest
from processors.tracking.stage import LINKS_MAX, SCANS_MAX
from schemas.records.operations import ReviewItem
from schemas.records.shipments import Tracked, TrackingEvent
from tests.processors.tracking.post import (
    BARE,
    HOUR,
    NOON,
    NUMBER,
    ORDER,
    SHIPMENT,
    STATUS,
    linked,
    message,
    not_found,
    parcel,
    post,
    say,
)

DAY_AT = NOON - 12 * HOUR  # midnight before noon: the hours of `event` count from here
WAYS = sorted(STATUS)


def events(bench):
    return [(e.status, e.shipment_status, e.late) for e in bench.take("tracking-events")]


def tracked(bench):
    return [(t.status, (t.occurred_at - DAY_AT) // HOUR, t.scans) for t in bench.take("order-events")]


def test_a_scan_is_told_in_full_under_its_order():
    bench = post()
    say(bench, linked())
    say(bench, message((8, "in_transit")))
    told = bench.take("tracking-events")
    assert [entry[:2] for entry in bench.emitted] == [("order-events", ORDER)]
    assert told == [
        TrackingEvent(
            event_id=told[0].event_id,
            order_id=ORDER,
            shipment_id=SHIPMENT,
            tracking_number=NUMBER,
            carrier="gls",
            status="in_transit",
            shipment_status="in_transit",
            reason=None,
            code="IN_TRANSIT",
            text="in_transit at Kassel",
            place="Kassel",
            country="DE",
            occurred_at=DAY_AT + 8 * HOUR,
            occurred_local="2025-12-01T08:00:00+00:00",
            late=False,
        )
    ]
    assert bench.take("order-events") == [Tracked(ORDER, SHIPMENT, NUMBER, "in_transit", DAY_AT + 8 * HOUR, 1)]


def test_an_incident_reason_is_told():
    bench = post()
    say(bench, linked())
    say(bench, message((8, "damaged")))
    assert [told.reason for told in bench.take("tracking-events")] == ["damaged"]


@pytest.mark.parametrize(
    ("messages", "told", "changes"),
    [
        # one event per scan, one Tracked per change
        (
            [[(8, "picked_up")], [(9, "in_transit")], [(10, "in_transit", "Hof")]],
            [("picked_up", "picked_up", False), ("in_transit",) * 2 + (False,), ("in_transit",) * 2 + (False,)],
            [("picked_up", 8, 1), ("in_transit", 9, 2)],
        ),
        # a message repeated, or repeating what is known
        (
            [[(8, "picked_up")], [(8, "picked_up")], [(8, "picked_up"), (9, "in_transit"), (9, "in_transit")]],
            [("picked_up", "picked_up", False), ("in_transit", "in_transit", False)],
            [("picked_up", 8, 1), ("in_transit", 9, 2)],
        ),
        # same code, other place or time: another scan
        (
            [[(8, "in_transit")], [(8, "in_transit", "Hof")], [(9, "in_transit")]],
            [("in_transit", "in_transit", False)] * 3,
            [("in_transit", 8, 1)],
        ),
        # a late scan joins the history and pushes nothing back
        (
            [[(10, "out_for_delivery")], [(8, "in_transit")]],
            [("out_for_delivery", "out_for_delivery", False), ("in_transit", "out_for_delivery", True)],
            [("out_for_delivery", 10, 1)],
        ),
        # on the way the later scan counts
        (
            [[(8, "out_for_delivery")], [(9, "delivery_attempted")], [(10, "in_transit")]],
            [
                ("out_for_delivery", "out_for_delivery", False),
                ("delivery_attempted", "delivery_attempted", False),
                ("in_transit", "in_transit", False),
            ],
            [("out_for_delivery", 8, 1), ("delivery_attempted", 9, 2), ("in_transit", 10, 3)],
        ),
        # delivered outweighs what a depot says afterwards, and comes late without harm
        (
            [[(8, "delivered")], [(9, "in_transit")]],
            [("delivered", "delivered", False), ("in_transit", "delivered", False)],
            [("delivered", 8, 1)],
        ),
        (
            [[(9, "in_transit")], [(8, "delivered")]],
            [("in_transit", "in_transit", False), ("delivered", "delivered", True)],
            [("in_transit", 9, 1), ("delivered", 8, 2)],
        ),
        # an unknown code is kept and says nothing of where the parcel is
        ([[(8, "unknown")]], [("unknown", "unknown", False)], []),
        (
            [[(8, "in_transit")], [(9, "unknown")]],
            [("in_transit", "in_transit", False), ("unknown", "in_transit", False)],
            [("in_transit", 8, 1)],
        ),
        # several scans at once: told in order of time, one Tracked
        (
            [[(10, "out_for_delivery"), (8, "picked_up"), (9, "in_transit")]],
            [(s, s, False) for s in ("picked_up", "in_transit", "out_for_delivery")],
            [("out_for_delivery", 10, 3)],
        ),
        ([[]], [], []),
    ],
)
def test_messages_in_turn(messages, told, changes):
    bench = post()
    say(bench, linked())
    for entries in messages:
        assert say(bench, message(*entries)) is None
    assert (events(bench), tracked(bench)) == (told, changes)


def test_scans_without_a_link_wait_and_are_told_in_order_with_the_link():
    bench = post()
    say(bench, message((10, "out_for_delivery")))
    say(bench, message((8, "picked_up")))
    assert bench.emitted == []
    say(bench, linked())
    assert events(bench) == [("picked_up", "picked_up", False), ("out_for_delivery", "out_for_delivery", False)]
    assert tracked(bench) == [("out_for_delivery", 10, 2)]
    say(bench, linked())
    assert bench.emitted == []


def test_two_shipments_in_one_parcel_both_hear_of_it():
    bench = post()
    say(bench, linked())
    say(bench, message((8, "in_transit")))
    bench.take()
    say(bench, linked("acme|shop|2", "sh_9"))
    assert [(record.order_id, record.shipment_id) for record in bench.take()] == [("acme|shop|2", "sh_9")] * 2
    say(bench, message((9, "delivered")))
    assert [key for topic, key, _ in bench.emitted if topic == "order-events"] == [ORDER, "acme|shop|2"]


def test_a_number_that_everybody_claims_is_none():
    bench = post()
    for shipment in range(LINKS_MAX):
        assert say(bench, linked(shipment_id=f"sh_{shipment}")) is None
    assert say(bench, linked(shipment_id="one too many")) is Reason.INVALID_VALUE
    assert say(bench, linked(shipment_id="sh_0")) is None


def test_a_history_without_end_is_refused_and_stays_as_it_was():
    bench = post()
    scans = [
        {"timestamp": f"2025-12-01T08:{n // 60:02}:{n % 60:02}Z", "status": "IN_TRANSIT"} for n in range(SCANS_MAX)
    ]
    document = {"trackingNumber": BARE, "events": scans}
    assert say(bench, message(payload=json.dumps(document).encode())) is None
    assert say(bench, message((9, "in_transit"))) is Reason.INVALID_PAYLOAD
    assert len(parcel(bench).scans) == SCANS_MAX


@pytest.mark.parametrize(
    ("record", "key", "signer", "refusal"),
    [
        (message((8, "in_transit")), NUMBER, None, None),
        (message((8, "in_transit")), NUMBER, "fsn", None),
        (message((8, "in_transit")), NUMBER, "acme", None),
        (message((8, "in_transit")), NUMBER, "acme|gls", None),
        (message((8, "in_transit")), NUMBER, "acme|ups", Reason.FORGED),
        (message((8, "in_transit")), NUMBER, "umbrella", Reason.FORGED),
        (message((8, "in_transit")), "acme|gls|1", "acme|gls", Reason.KEY_MISMATCH),
        (message((8, "in_transit"), carrier="ups"), NUMBER, None, Reason.KEY_MISMATCH),
        (message((8, "in_transit"), number="acme|gls|"), "acme|gls|", None, Reason.KEY_MISMATCH),
        (message((8, "in_transit"), number="|gls|1"), "|gls|1", None, Reason.KEY_MISMATCH),
        (message((8, "in_transit"), bare="11111"), NUMBER, None, Reason.KEY_MISMATCH),
        (message((8, "in_transit"), number="acme|ups|90210"), "acme|ups|90210", None, Reason.KEY_MISMATCH),
        (not_found(number="11111"), NUMBER, None, Reason.KEY_MISMATCH),
        (message(payload=b"<html>"), NUMBER, None, Reason.INVALID_PAYLOAD),
        (message(payload=b""), NUMBER, None, Reason.INVALID_PAYLOAD),
        (msgspec.structs.replace(message(), format="telex"), NUMBER, None, Reason.INVALID_PAYLOAD),
    ],
)
def test_what_is_refused(record, key, signer, refusal):
    bench = post()
    assert bench.send("tracking", key, record, signer) is refusal
    assert (bench.rows.get(PARCELS.name, {}) == {}) == (refusal is not None)


def test_an_unknown_code_is_queued_once_per_carrier_and_code():
    bench = post()
    say(bench, message((8, "unknown")))
    say(bench, message((9, "unknown")))
    say(bench, message((9, "unknown"), number="acme|gls|777"))
    say(bench, message((9, "unknown"), number="umbrella|gls|777"))
    asked = bench.take("review-queue")
    assert [(item.kind, item.entity_id, item.status) for item in asked] == [
        ("UNKNOWN_CARRIER_CODE", "acme|gls|TELEPORTED", "open"),
        ("UNKNOWN_CARRIER_CODE", "umbrella|gls|TELEPORTED", "open"),
    ]
    assert NUMBER in asked[0].detail


def withdrawn(hour):
    return Seen(DAY_AT + hour * HOUR, "STORN", "Hof", Status.UNKNOWN, IncidentReason.CORRECTED, "", "DE", f"T{hour}")


def test_a_withdrawn_scan_is_asked_about_each_time():
    bench = post()
    for hour in (8, 9):
        tracking_stage._ask_about(NUMBER, withdrawn(hour), bench)
    asked = bench.take("review-queue")
    assert [(item.kind, item.entity_id) for item in asked] == [("SCAN_WITHDRAWN", NUMBER)] * 2
    assert len({item.review_id for item in asked}) == 2
    assert all(isinstance(item, ReviewItem) for item in asked)


@pytest.mark.parametrize(
    ("scans", "status"),
    [
        ([], None),
        (["unknown", "label_created"], "label_created"),
        (["in_transit", "label_created"], "in_transit"),  # announced again on the way: no step back
        (["label_created", "cancelled"], "cancelled"),
        (["cancelled", "in_transit"], "in_transit"),  # it moves after all
        (["lost", "in_transit"], "in_transit"),  # found again
        (["delivered", "damaged"], "delivered"),
        (["return_to_sender", "delivered"], "return_to_sender"),  # delivered to the sender
        (["delivered", "return_to_sender"], "return_to_sender"),
    ],
)
def test_the_weightiest_scan_says_where_the_parcel_stands(scans, status):
    history = [Seen(hour, "c", "", Status(name), None, "", None, "") for hour, name in enumerate(scans)]
    best = weightiest(history)
    assert (None if best is None else best.status.value) == status


@pytest.mark.parametrize(("one", "other"), [("picked_up", "in_transit"), ("out_for_delivery", "delivery_attempted")])
def test_at_one_instant_the_further_status_is_the_later(one, other):
    history = [Seen(5, name, "", Status(name), None, "", None, "") for name in (other, one)]
    assert [scan.status.value for scan in in_order(history)] == [one, other]
    assert weightiest(history).status.value == other


def test_a_scan_is_kept_with_all_it_says():
    scan = Scan("1", "gls", "c", Status.DELIVERED, IncidentReason.HELD, "t", "p", "DE", 5, "L")
    kept = seen(scan)
    assert kept == Seen(5, "c", "p", Status.DELIVERED, IncidentReason.HELD, "t", "DE", "L")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Seen) == kept


ENTRIES = st.tuples(st.integers(0, 60), st.sampled_from(WAYS), st.sampled_from(["Kassel", "Hof"]))
MESSAGES = st.lists(st.lists(ENTRIES, min_size=1, max_size=4), min_size=1, max_size=8)


def summary(bench):
    """Told scans by id, whatever their order, and the last word on the parcel."""
    told = {e.event_id: (e.status, e.occurred_at, e.place) for e in bench.take("tracking-events")}
    return parcel(bench).scans, parcel(bench).status, told


@settings(max_examples=150, deadline=None)
@given(MESSAGES, st.randoms(use_true_random=False), st.integers(0, 8))
def test_any_arrival_order_gives_the_same_history_and_status(messages, random, link_after):
    first, second = post(), post()
    say(first, linked())
    for entries in messages:
        say(first, message(*entries))
    shuffled = [[entry] for entries in messages for entry in entries]
    random.shuffle(shuffled)
    for number, entries in enumerate(shuffled):
        if number == link_after:
            say(second, linked())
        say(second, message(*entries))
        say(second, message(*entries))
    say(second, linked())
    assert summary(first) == summary(second)
    last_word = [record.status for record in first.take("order-events")][-1:]
    assert last_word == [record.status for record in second.take("order-events")][-1:]
    assert last_word in ([], [parcel(first).status.value])


SCANS = st.lists(
    st.builds(
        lambda at, code, status: Seen(at, code, "", status, None, "", None, ""),
        st.integers(0, 9),
        st.sampled_from("ab"),
        st.sampled_from(Status),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(SCANS)
def test_no_further_scan_lightens_the_weight(scans):
    weights = [weightiest(scans[:known]).weight for known in range(1, len(scans) + 1)]
    assert weights == sorted(weights)


@settings(max_examples=100, deadline=None)
@given(st.data(), SCANS)
def test_a_scan_with_two_meanings_converges_too(data, scans):
    orders = [scans, data.draw(st.permutations(scans))]
    histories = []
    for order in orders:
        bench = post()
        say(bench, linked())
        for scan in order:
            parsed = Scan(BARE, "gls", scan.code, scan.status, None, "", "", None, scan.occurred_at, "")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(tracking_stage, "parse", lambda *_, it=parsed: tracking_stage.ParsedMessage((it,)))
                assert say(bench, message()) is None
        histories.append(parcel(bench).scans)
        told = {event.event_id: event.status for event in bench.take("tracking-events")}
        assert sorted(told.values()) == sorted(scan.status.value for scan in parcel(bench).scans)
    assert histories[0] == histories[1]


@settings(max_examples=100, deadline=None)
@given(MESSAGES)
def test_each_scan_is_told_once_and_late_means_after_a_later_one(messages):
    bench = post()
    say(bench, linked())
    newest_at, ids = 0, set()
    for entries in messages:
        say(bench, message(*entries))
        told = bench.take("tracking-events")
        for event in told:
            assert event.event_id not in ids
            assert event.late == (event.occurred_at < newest_at)
            ids.add(event.event_id)
        newest_at = max([newest_at, *(event.occurred_at for event in told)])
    assert len(ids) == len({entry for entries in messages for entry in entries})


def test_a_parcel_comes_back_from_the_store_as_it_was():
    bench = post()
    say(bench, linked())
    say(bench, message((8, "damaged"), (9, "unknown")))
    raw = msgspec.msgpack.encode(parcel(bench))
    assert msgspec.msgpack.decode(raw, type=PARCELS.row) == parcel(bench)
