"""A worker that cannot work says so soon, in one sentence that names what, where and the mend, and ends with code 2."""

import re
from pathlib import Path

import msgspec
import pytest

from schemas.topology import parse
from streams.admin import apply
from streams.machine import Instant
from tests.e2e.workers import create_topics, producer, read_committed

TALLY = "tests/streams/tally.yaml"


@pytest.fixture
def brokers(start_broker):
    broker = start_broker()
    yield broker.bootstrap
    broker.kill()


def test_nobody_answers(refusal):
    said = refusal("127.0.0.1:1")
    assert re.search(r"no broker answers at 127.0.0.1:1 \(.*refused.*\): start it, or mend FSN_BROKERS", said)


def test_a_topic_is_missing(refusal, brokers):
    assert f"topic stock-deltas does not exist on {brokers}: run `fsn topology apply`" in refusal(brokers)


def test_a_topic_has_other_partitions(refusal, brokers):
    apply(parse(Path(TALLY).read_text("utf-8").replace("partitions: 4", "partitions: 2")), brokers)
    assert "topic stock-deltas has 2 partitions, the topology says 4: point FSN_BROKERS" in refusal(brokers)


def test_an_internal_record_of_a_newer_schema_is_no_dead_letter(refusal, brokers):
    create_topics(brokers, TALLY)
    client = producer(brokers)
    client.produce("clock", b"\0" + (9_999).to_bytes(4, "big") + b"\2", "2", 2, timestamp=1_700_000_000_000)
    client.flush()
    said = "clock|2|0 was written by a newer FSN (schema id 9999 is unknown here): start the version"
    assert said in refusal(brokers)
    assert read_committed(brokers, "dead-letters") == []


def test_tables_of_a_newer_layout_are_not_touched(refusal, brokers):
    create_topics(brokers, TALLY)
    client = producer(brokers)
    newer = msgspec.msgpack.encode(Instant(2))
    client.produce("changelog", newer, "engine|layout", 3)
    client.flush()
    said = "the changelog of partition 3 holds tables of layout 2, and this FSN reads up to 1"
    assert said in refusal(brokers)
    kept = [row.value() for row in read_committed(brokers, "changelog") if row.partition() == 3]
    assert kept == [newer], "the other partitions' tasks may have begun; this one's table is as it was"
