"""What outsiders read says what it is, whence it comes and which trace it belongs to; the same bytes on every run."""

import re

import pytest

from schemas.codec import Codec
from schemas.records.stock import StockDelta
from schemas.registry import bundled
from schemas.topology import load
from streams.cloudevents import Cause, Envelopes, cause_of, size_of, source_of
from streams.machine import Raw
from streams.testing import TopologyDriver
from tests.streams import tally

TOPOLOGY = load("tests/streams/tally.yaml")
CODEC = Codec()
NOON = 1_795_089_600_123
SENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FORM = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]")


@pytest.fixture
def driver():
    with TopologyDriver(TOPOLOGY, [tally.STAGE], start_at=NOON) as made:
        made.publish()
        yield made


def send(driver, *headers, reason="receipt", run=True, at=None):
    delta = StockDelta("f", "acme|v1", "acme|v1", None, "s", 1, None, 1, reason, None, 0)
    driver.send_raw("stock-deltas", b"acme|v1", CODEC.encode(delta), headers=headers, run=run, at=at)


def records(driver, topic):
    return [raw for (name, _), log in driver.logs.items() for raw in log if name == topic]


def headers(driver, topic):
    return [dict(raw.headers) for raw in records(driver, topic)]


def test_a_record_says_what_it_is_when_and_whence(driver):
    send(driver, reason="damage")
    (letter,) = records(driver, "dead-letters")
    caused_by = records(driver, "stock-deltas")[0]
    said = dict(letter.headers)
    trace = said.pop("traceparent")
    assert said == {
        "ce_specversion": b"1.0",
        "ce_id": f"stock-deltas|{caused_by.partition}|0|{NOON}|0".encode(),
        "ce_source": b"/tally",
        "ce_type": b"fsn.engine.DeadLetter",
        "ce_time": b"2026-11-19T12:00:00.123Z",
        "content-type": b"application/avro",
    }
    assert FORM.fullmatch(trace) and trace.endswith(b"-00")


def test_every_event_for_outsiders_has_its_own_id_and_nothing_else_has_headers(driver):
    for number in range(40):
        send(driver, reason="damage" if number % 3 else "receipt", run=number % 5 == 0)
    driver.tick(NOON + 60_000)
    driver.tick(NOON + 120_000)
    shown = [raw for log in driver.logs.values() for raw in log if TOPOLOGY.topics[raw.topic].carries_events]
    written = [dict(raw.headers) for raw in shown if raw.topic not in {"stock-deltas", "network"}]
    assert {said["ce_type"].rpartition(b".")[2] for said in written} == {
        b"OperationalAlert",
        b"DeadLetter",
    }
    assert len({said["ce_id"] for said in written}) == len({said["traceparent"] for said in written}) == len(written)
    assert all(FORM.fullmatch(said["traceparent"]) for said in written)
    others = [raw for log in driver.logs.values() for raw in log if not TOPOLOGY.topics[raw.topic].carries_events]
    assert {raw.topic for raw in others} == {"clock", "network-changes", "task-manifests", "stock-snapshots"}
    assert not any(raw.headers for raw in others)


def test_a_position_that_comes_again_on_another_cluster_is_another_event():
    earlier, later = (cause_of(Raw("orders", 0, 7, at, b"k", b"v")) for at in (NOON, NOON + 1))
    assert earlier.position != later.position
    assert earlier.trace != later.trace


def test_the_trace_of_a_record_goes_on_in_what_it_causes(driver):
    send(driver, ("traceparent", SENT), reason="damage")
    (letter,) = headers(driver, "dead-letters")
    _, trace, span, flags = letter["traceparent"].split(b"-")
    assert (trace, flags) == (b"0af7651916cd43dd8448eb211c80319c", b"01")
    assert span != b"b7ad6b7169203331"


def test_what_many_records_changed_belongs_to_no_ones_trace():
    topics = {"stock-snapshots": TOPOLOGY.topics["stock-snapshots"].model_copy(update={"cleanup": "delete"})}
    events = TOPOLOGY.model_copy(update={"topics": {**TOPOLOGY.topics, **topics}})
    with TopologyDriver(events, [tally.STAGE], start_at=NOON) as driver:
        driver.publish()
        send(driver, ("traceparent", SENT))
        (snapshot,) = headers(driver, "stock-snapshots")
        assert SENT[3:35] not in snapshot["traceparent"]


def test_a_timer_begins_its_own_trace(driver):
    send(driver)
    driver.tick(NOON)
    for later in (60_000, 120_000):
        driver.tick(NOON + later)
    (alert,) = headers(driver, "operational-alerts")
    assert alert["ce_id"].startswith(b"clock|")
    assert FORM.fullmatch(alert["traceparent"])


@pytest.mark.parametrize(
    "spoilt",
    [
        (),
        (SENT, SENT),
        (b"",),
        (None,),
        (SENT.upper(),),
        (SENT + b"-more",),
        (SENT + b"\n",),
        (SENT.replace(b"00-", b"ff-"),),
        (SENT.replace(b"0af7651916cd43dd8448eb211c80319c", b"0" * 32),),
        (SENT.replace(b"b7ad6b7169203331", b"0" * 16),),
    ],
    ids=["none", "two", "empty", "null", "upper", "longer", "line", "version", "no trace", "no span"],
)
def test_a_trace_that_is_none_is_ignored_and_another_begins(driver, spoilt):
    send(driver, *(("traceparent", value) for value in spoilt), reason="damage")
    (letter,) = headers(driver, "dead-letters")
    assert letter["traceparent"] == driver_without_trace()
    assert FORM.fullmatch(letter["traceparent"])


def driver_without_trace():
    with TopologyDriver(TOPOLOGY, [tally.STAGE], start_at=NOON) as made:
        made.publish()
        send(made, reason="damage")
        return headers(made, "dead-letters")[0]["traceparent"]


def test_a_later_version_of_the_standard_is_understood():
    later = SENT.replace(b"00-", b"01-").replace(b"-01", b"-ff") + b"-more"
    cause = cause_of(Raw("orders", 0, 7, NOON, b"k", b"v", (("traceparent", later),)))
    assert (cause.trace[:35], cause.flags) == (b"00-0af7651916cd43dd8448eb211c80319c", b"01")


@pytest.mark.parametrize("at", [-1, -(2**62), 2**62])
def test_a_timestamp_that_is_no_instant_is_left_out(driver, at):
    cause = Cause(b"p|", b"00-", b"00")
    wrapped, size = Envelopes("tally", bundled()).wrap(StockDelta, cause, number=0, timestamp=at)
    assert size == size_of(wrapped)
    assert "ce_time" not in dict(wrapped)


def test_headers_count_by_name_and_value():
    assert size_of((("ab", b"cde"), ("f", None))) == 6
    assert source_of("fsn") == "/fsn"
