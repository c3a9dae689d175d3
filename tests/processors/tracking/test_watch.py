"""Watch: when silence is an alert, when a parcel without an owner is one, and when either is over."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.rules import DAY_MS, DEFAULT_RULES
from processors.tracking.parcel import PARCELS
from processors.tracking.watch import KEEP_MS
from tests.processors.tracking.post import HOUR, NOON, NUMBER, ORDER, linked, message, not_found, parcel, post, say

SILENCE = DEFAULT_RULES.silent_shipment_ms
UNLINKED = DEFAULT_RULES.pending_event_keep_ms


def alerts(bench):
    return [(a.kind, a.entity_id, a.expected, a.actual, a.status) for a in bench.take("operational-alerts")]


def reviews(bench):
    return [(item.kind, item.entity_id, item.status) for item in bench.take("review-queue")]


def test_a_parcel_without_a_scan_for_too_long_is_an_alert_until_the_next_scan():
    bench = post()
    say(bench, linked())
    say(bench, message((8, "in_transit")))
    bench.tick(NOON + SILENCE - 1)
    assert alerts(bench) == []
    bench.tick(NOON + SILENCE)
    assert alerts(bench) == [("SHIPMENT_SILENT", NUMBER, 48, 48, "open")]
    bench.tick(NOON + SILENCE + 10 * HOUR)
    say(bench, message((8, "in_transit")))  # nothing new
    assert alerts(bench) == []
    say(bench, message((9, "in_transit")))
    assert alerts(bench) == [("SHIPMENT_SILENT", NUMBER, 48, 58, "resolved")]
    bench.tick(bench.now_at + SILENCE)
    assert [alert[-1] for alert in alerts(bench)] == ["open"]


def test_the_alert_and_its_end_are_one_alert_keyed_by_the_parcel():
    bench = post()
    say(bench, linked())
    bench.tick(NOON + SILENCE)
    say(bench, message((9, "delivered")))
    opened, resolved = bench.take("operational-alerts")
    assert opened.alert_id == resolved.alert_id
    assert (opened.detail, resolved.status) == ("hours without a scan; last status unknown", "resolved")
    bench.tick(bench.now_at + 9 * SILENCE)
    assert alerts(bench) == []


@pytest.mark.parametrize(
    ("rules", "due"),
    [
        ({}, SILENCE),
        ({"silent_shipment_ms": 5 * HOUR}, 5 * HOUR),
        ({"silent_shipment_carrier_ms": {"gls": 7 * HOUR}}, 7 * HOUR),
        ({"silent_shipment_carrier_ms": {"ups": 7 * HOUR}}, SILENCE),
    ],
)
def test_how_long_is_too_long_is_a_rule_by_carrier(rules, due):
    bench = post(**rules)
    say(bench, linked())
    bench.tick(NOON + due - 1)
    assert alerts(bench) == []
    bench.tick(NOON + due)
    assert len(alerts(bench)) == 1


def test_each_scan_gives_the_carrier_its_time_again():
    bench = post()
    say(bench, linked())
    bench.tick(NOON + SILENCE - HOUR)
    say(bench, message((9, "in_transit")))
    bench.tick(NOON + SILENCE)
    assert alerts(bench) == []
    bench.tick(NOON + 2 * SILENCE - HOUR)
    assert [alert[2:] for alert in alerts(bench)] == [(48, 48, "open")]


def test_a_delivered_parcel_may_be_silent():
    bench = post()
    say(bench, linked())
    say(bench, message((9, "delivered")))
    bench.tick(NOON + 9 * SILENCE)
    assert alerts(bench) == []
    assert not parcel(bench).watched


def test_what_the_carrier_answers_instead_of_scans_is_told_with_the_alert():
    bench = post()
    say(bench, linked())
    say(bench, not_found())
    say(bench, not_found())
    bench.tick(NOON + SILENCE)
    (alert,) = bench.take("operational-alerts")
    assert alert.detail == "hours without a scan; last status unknown; the carrier said: E100 no data yet"
    say(bench, not_found("still none"))  # an answer is no scan: the alert stays, and is not raised again
    bench.tick(bench.now_at + SILENCE)
    assert alerts(bench) == []


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (message((8, "in_transit")), "no shipment has this tracking number: 1 scans, in_transit"),
        (not_found(), "no shipment has this tracking number: 0 scans, unknown; the carrier said: E100 no data yet"),
    ],
)
def test_a_parcel_nobody_claims_is_reviewed_until_somebody_does(said, detail):
    bench = post()
    say(bench, said)
    bench.tick(NOON + UNLINKED - 1)
    assert reviews(bench) == []
    bench.tick(NOON + UNLINKED)
    opened = bench.take("review-queue")
    assert [(item.kind, item.entity_id, item.detail, item.status) for item in opened] == [
        ("UNLINKED_PARCEL", NUMBER, detail, "open")
    ]
    say(bench, message((9, "out_for_delivery")))
    assert parcel(bench).unlinked
    say(bench, linked())
    resolved = bench.take("review-queue")
    assert [(item.review_id, item.status, item.detail) for item in resolved] == [
        (opened[0].review_id, "resolved", f"claimed by {ORDER}")
    ]
    assert bench.take("tracking-events")[-1].shipment_status == "out_for_delivery"


@pytest.mark.parametrize("first", [linked(), message((8, "in_transit"))])
def test_a_parcel_claimed_in_time_is_not_reviewed(first):
    bench = post()
    say(bench, first)
    say(bench, linked())
    bench.tick(NOON + 2 * UNLINKED)
    assert reviews(bench) == []


def test_how_long_a_claim_may_take_is_a_rule():
    bench = post(pending_event_keep_ms=HOUR)
    say(bench, message((8, "in_transit")))
    bench.tick(NOON + HOUR)
    assert len(reviews(bench)) == 1


def test_a_parcel_is_forgotten_a_topic_s_life_after_its_last_word():
    bench = post()
    say(bench, linked())
    say(bench, message((8, "in_transit")))
    bench.tick(NOON + 100 * DAY_MS)
    say(bench, message((9, "delivered")))
    bench.tick(NOON + KEEP_MS)
    assert NUMBER in bench.rows[PARCELS.name]
    bench.tick(NOON + 100 * DAY_MS + KEEP_MS)
    assert bench.rows[PARCELS.name] == {}


def test_rules_longer_than_memory_find_nothing_to_alert():
    bench = post(silent_shipment_ms=2 * KEEP_MS, pending_event_keep_ms=2 * KEEP_MS)
    say(bench, linked())
    say(bench, message((8, "in_transit"), number="acme|gls|7"))
    bench.tick(NOON + 2 * KEEP_MS)
    assert (bench.rows[PARCELS.name], alerts(bench), reviews(bench)) == ({}, [], [])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["link", "scan", "delivered", "answer"]), st.integers(0, 2 * SILENCE)), max_size=15
    )
)
def test_open_and_resolved_take_turns_and_nothing_stays_open_after_delivery(history):
    bench = post()
    state = {}
    delivered = False
    for scans, (what, passed) in enumerate(history, start=1):
        if what == "link":
            say(bench, linked(shipment_id=f"sh_{scans}"))
        elif what == "answer":
            say(bench, not_found(f"none {scans}"))
        else:
            delivered = delivered or what == "delivered"
            say(bench, message((scans, "in_transit" if what == "scan" else what)))
        bench.tick(bench.now_at + passed)
        for record in [*bench.take("operational-alerts"), *bench.take("review-queue")]:
            assert state.get(record.kind, "resolved") != record.status
            state[record.kind] = record.status
        if delivered:
            assert state.get("SHIPMENT_SILENT", "resolved") == "resolved"
        row = bench.rows[PARCELS.name].get(NUMBER)
        if row is not None:
            assert row.silent == (state.get("SHIPMENT_SILENT") == "open")
            assert row.unlinked == (state.get("UNLINKED_PARCEL") == "open")
            timers = [timer for timer in bench.timers if timer[1] == "tracking.silent"]
            assert len(timers) == row.watched
