"""Freshness: when a feed is stale, who is told, and what other partitions end up believing of a location."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.location.freshness import FEEDS
from processors.location.stage import STAGE as LOCATION
from processors.reasons import Reason
from processors.reference import FEED_STATUS
from processors.reference import STAGE as REFERENCE
from schemas.records.operations import FeedStatusChanged
from tests.processors.harness import Bench
from tests.processors.location.yard import (
    BERLIN,
    FEED,
    LIMIT,
    NOON,
    ORPHAN_FEED,
    OTHER_PARTNER,
    PARTNER,
    SECOND_FEED,
    WIEN,
    feed,
    heartbeat,
    network,
    say,
    yard,
)


def told(bench):
    """(feed, age told, stale, when) of each broadcast."""
    return [
        (record.feed_id.rpartition("|")[2], record.as_of - record.complete_to_at, record.stale, record.as_of - NOON)
        for record in bench.take("feed-status")
    ]


def test_a_broadcast_is_keyed_by_its_location():
    bench = yard()
    say(bench, heartbeat(NOON - 5))
    assert bench.emitted == [
        ("feed-status", BERLIN, FeedStatusChanged(FEED, BERLIN, NOON - 5, stale=False, as_of=NOON))
    ]


@pytest.mark.parametrize(
    ("complete_to_at", "expected"),
    [
        (NOON, ("wms", 0, False, 0)),
        (NOON - LIMIT, ("wms", LIMIT, False, 0)),
        (NOON - LIMIT - 1, ("wms", LIMIT + 1, True, 0)),
        (NOON + 60_000, ("wms", 0, False, 0)),  # nobody is complete beyond now
    ],
)
def test_the_first_heartbeat_is_told(complete_to_at, expected):
    bench = yard()
    say(bench, heartbeat(complete_to_at))
    assert told(bench) == [expected]


def test_heartbeats_are_told_every_half_minute_only():
    bench = yard()
    for seconds in range(0, 70, 10):
        bench.tick(NOON + seconds * 1_000)
        say(bench, heartbeat(bench.now_at))
    assert [entry[3] for entry in told(bench)] == [0, 30_000, 60_000]


def test_an_older_heartbeat_says_nothing():
    bench = yard()
    say(bench, heartbeat(NOON - 1_000))
    before = bench.rows[FEEDS.name][BERLIN]
    bench.tick(NOON + 60_000)
    told(bench)
    say(bench, heartbeat(NOON - 2_000))
    say(bench, heartbeat(NOON - 1_000))
    assert (bench.rows[FEEDS.name][BERLIN], told(bench)) == (before, [])


def test_a_silent_feed_turns_stale_at_its_limit_and_fresh_with_the_next_heartbeat():
    bench = yard()
    say(bench, heartbeat(NOON))
    bench.tick(NOON + 60_000)
    say(bench, heartbeat(NOON + 1_000))
    told(bench)
    bench.tick(NOON + 1_000 + LIMIT)
    assert told(bench) == []
    bench.tick(NOON + 1_001 + LIMIT)
    assert told(bench) == [("wms", LIMIT + 1, True, LIMIT + 1_001)]
    assert bench.timers == set()
    say(bench, heartbeat(NOON + 2_000 + LIMIT))
    assert told(bench) == [("wms", 0, False, LIMIT + 1_001)]
    bench.tick(NOON + 3 * LIMIT)
    assert [entry[2] for entry in told(bench)] == [True]


def test_a_late_heartbeat_of_a_stale_feed_is_told_as_stale_once_a_half_minute():
    bench = yard(now_at=NOON)
    say(bench, heartbeat(NOON - 3 * LIMIT))
    say(bench, heartbeat(NOON - 2 * LIMIT))
    bench.tick(NOON + 30_000)
    say(bench, heartbeat(NOON - 2 * LIMIT + 1))
    assert [entry[2:] for entry in told(bench)] == [(True, 0), (True, 30_000)]


def test_a_feed_s_own_limit_goes_before_its_partner_s():
    bench = yard(feed(limit=1_000))
    say(bench, heartbeat(NOON))
    bench.tick(NOON + 1_001)
    assert [entry[2] for entry in told(bench)] == [False, True]


def test_what_was_said_in_an_outage_counts_when_time_catches_up():
    bench = yard()
    say(bench, heartbeat(NOON))
    for minutes in (1, 6, 11):
        bench.event_at = NOON + minutes * 60_000
        say(bench, heartbeat(bench.event_at))
    last = NOON + 11 * 60_000
    told(bench)
    bench.tick(NOON + LIMIT + 1)
    assert told(bench) == []
    bench.tick(last + LIMIT)
    assert told(bench) == []
    bench.tick(last + LIMIT + 1)
    assert told(bench) == [("wms", LIMIT + 1, True, last - NOON + LIMIT + 1)]


def test_in_an_outage_others_are_told_every_half_minute_of_the_feed_s_time():
    bench = yard()
    for seconds in range(0, 70, 10):
        bench.event_at = NOON + seconds * 1_000
        say(bench, heartbeat(bench.event_at))
    assert [-age for _, age, _, _ in told(bench)] == [0, 30_000, 60_000]


def test_a_fast_clock_keeps_a_feed_fresh_until_the_next_tick_only():
    bench = yard()
    bench.event_at = NOON + 4 * LIMIT
    say(bench, heartbeat(bench.event_at))
    assert told(bench) == [("wms", -4 * LIMIT, False, 0)]
    bench.tick(NOON + 1_000)
    assert told(bench) == [("wms", 0, False, 1_000)]
    bench.tick(NOON + 1_000 + LIMIT)
    assert told(bench) == []
    bench.tick(NOON + 1_001 + LIMIT)
    assert told(bench) == [("wms", LIMIT + 1, True, LIMIT + 1_001)]


def test_the_freshest_feed_has_the_last_word():
    bench = yard()
    say(bench, heartbeat(NOON))
    say(bench, heartbeat(NOON - LIMIT - 1, feed_id=SECOND_FEED))
    assert [(name, stale) for name, _, stale, _ in told(bench)] == [("wms", False), ("shop", True), ("wms", False)]
    bench.tick(NOON + LIMIT + 1)
    assert [(name, stale) for name, _, stale, _ in told(bench)] == [("wms", True)]


def test_feeds_turn_stale_one_by_one_each_at_its_own_limit():
    bench = yard(feed(SECOND_FEED, limit=60_000))
    say(bench, heartbeat(NOON))
    say(bench, heartbeat(NOON, feed_id=SECOND_FEED))  # due before the timer that is set: it is set anew
    told(bench)
    assert {due - NOON for due, _, _ in bench.timers} == {60_001}
    bench.tick(NOON + 60_001)
    assert [(name, stale) for name, _, stale, _ in told(bench)] == [("shop", True), ("wms", False)]
    bench.tick(NOON + LIMIT)
    assert told(bench) == []
    bench.tick(NOON + LIMIT + 1)
    assert [(name, stale) for name, _, stale, _ in told(bench)] == [("wms", True)]


def test_a_timer_without_a_row_does_nothing():
    bench = yard()
    bench.timers.add((NOON, "location.stale", WIEN))
    bench.tick(NOON)
    assert (bench.emitted, bench.rows) == ([], {})


@pytest.mark.parametrize(
    ("record", "key", "signer", "refusal"),
    [
        (heartbeat(NOON), BERLIN, None, None),
        (heartbeat(NOON), BERLIN, "fsn", None),
        (heartbeat(NOON), BERLIN, "acme", None),
        (heartbeat(NOON), BERLIN, PARTNER, None),
        (heartbeat(NOON), BERLIN, OTHER_PARTNER, Reason.FORGED),
        (heartbeat(NOON), BERLIN, "umbrella", Reason.FORGED),
        (heartbeat(NOON), WIEN, PARTNER, Reason.KEY_MISMATCH),
        (heartbeat(NOON, at=WIEN), WIEN, PARTNER, Reason.INVALID_VALUE),
        (heartbeat(NOON, feed_id="acme|a|b|c"), BERLIN, PARTNER, Reason.UNKNOWN_FEED),
        (heartbeat(NOON, feed_id="acme|a|b|c"), BERLIN, "umbrella|x", Reason.FORGED),
        (heartbeat(NOON, feed_id=ORPHAN_FEED), BERLIN, None, Reason.UNKNOWN_FEED),
    ],
)
def test_who_may_say_what(record, key, signer, refusal):
    assert yard().send("feed-heartbeats", key, record, signer) is refusal


BEATS = st.lists(
    st.tuples(st.sampled_from([FEED, SECOND_FEED]), st.integers(-2 * LIMIT, 60_000), st.integers(0, LIMIT)), max_size=30
)


@settings(max_examples=150, deadline=None)
@given(BEATS)
def test_other_partitions_never_think_a_location_stale_that_has_a_fresh_feed_nor_fresh_without_one(beats):
    bench = Bench(LOCATION, network=network(), now_at=NOON)
    other = Bench(REFERENCE)
    last: dict[str, int] = {}
    told_at: dict[str, int] = {}
    stale: dict[str, bool] = {}
    for feed_id, back, passed in beats:
        say(bench, heartbeat(bench.now_at + back, feed_id=feed_id))
        last[feed_id] = max(last.get(feed_id, 0), min(bench.now_at + back, bench.now_at))
        for at in sorted({due for due, _, _ in bench.timers if due <= bench.now_at + passed}):
            bench.tick(at)
        bench.tick(bench.now_at + passed)
        for record in bench.take("feed-status"):
            other.send("feed-status", record.location_id, record)
            told_at[record.feed_id], stale[record.feed_id] = record.as_of, record.stale
        for known, complete_to_at in last.items():
            assert stale[known] == (bench.now_at - complete_to_at > LIMIT)
        believed = other.rows[FEED_STATUS.name][BERLIN]
        assert believed.stale == all(stale.values())
        assert believed.complete_to_at <= bench.now_at
