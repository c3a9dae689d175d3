"""Slots: which local day an assignment counts on, and when others hear how many are used."""

import itertools
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.location.slots import SLOTS, Slots, free_slot, local_date, midnight_after, take_slot
from schemas.records.operations import LocationLoadChanged
from tests.processors.location.yard import ACCEPT_BY, BERLIN, DAY, HOUR, NOON, location, rejected, request, say, yard

MIDNIGHT = NOON + 11 * HOUR  # in Berlin


def used(bench):
    return dict(bench.rows[SLOTS.name][BERLIN].days)


def loads(bench):
    return [(record.local_date, record.used, record.cap, record.as_of - NOON) for record in bench.take("location-load")]


@pytest.mark.parametrize(
    ("at", "timezone", "day"),
    [
        (MIDNIGHT - 1, "Europe/Berlin", "2025-12-01"),
        (MIDNIGHT, "Europe/Berlin", "2025-12-02"),
        (MIDNIGHT, "UTC", "2025-12-01"),
        (NOON, "Pacific/Auckland", "2025-12-02"),
        (NOON, "Pacific/Honolulu", "2025-12-01"),
        (MIDNIGHT, "Mars/Olympus", "2025-12-01"),  # unknown: UTC
        (MIDNIGHT, "../etc/passwd", "2025-12-01"),
        (MIDNIGHT, "Europe", "2025-12-01"),
        (MIDNIGHT, "", "2025-12-01"),
    ],
)
def test_the_day_is_the_location_s_own(at, timezone, day):
    assert local_date(at, timezone).isoformat() == day


@pytest.mark.parametrize(
    ("day", "timezone", "hours"),
    [
        (date(2025, 12, 1), "Europe/Berlin", 24),
        (date(2025, 3, 30), "Europe/Berlin", 23),
        (date(2025, 10, 26), "Europe/Berlin", 25),
    ],
)
def test_a_local_day_ends_at_its_own_midnight(day, timezone, hours):
    before = date.fromordinal(day.toordinal() - 1)
    assert midnight_after(day, timezone) - midnight_after(before, timezone) == hours * HOUR


def test_the_cap_holds_per_local_day():
    bench = yard(location(slots=1), now_at=MIDNIGHT - 1)
    assert take_slot(location(slots=1), bench) == "2025-12-01"
    assert take_slot(location(slots=1), bench) is None
    bench.now_at = MIDNIGHT
    assert take_slot(location(slots=1), bench) == "2025-12-02"
    assert take_slot(location(slots=1), bench) is None
    free_slot(BERLIN, "2025-12-01", bench)
    assert take_slot(location(slots=1), bench) is None
    assert used(bench) == {"2025-12-01": 0, "2025-12-02": 1}


def test_a_slot_of_a_day_long_gone_is_given_back_to_nobody():
    bench = yard()
    for _ in range(5):
        take_slot(location(), bench)
        bench.now_at += DAY
    free_slot(BERLIN, "2025-12-01", bench)
    assert used(bench) == {"2025-12-03": 1, "2025-12-04": 1, "2025-12-05": 1}


def test_a_change_is_told_on_the_next_tick_and_at_most_once_a_second():
    bench = yard(location(slots=9))
    say(bench, request(1))
    say(bench, request(2))
    assert loads(bench) == []
    bench.tick(NOON + 100)
    assert loads(bench) == [("2025-12-01", 2, 9, 100)]
    say(bench, request(3))
    bench.tick(NOON + 1_099)
    assert loads(bench) == []
    say(bench, request(4))
    bench.tick(NOON + 1_100)
    assert loads(bench) == [("2025-12-01", 4, 9, 1_100)]


def test_a_load_is_said_once_more_and_again_at_midnight():
    bench = yard()
    say(bench, request(1, accept_by=NOON + DAY))
    bench.tick(NOON + 1_000)
    bench.tick(NOON + 31_000)
    assert loads(bench) == [("2025-12-01", 1, 2, 1_000), ("2025-12-01", 1, 2, 31_000)]
    bench.tick(MIDNIGHT - 1)
    assert loads(bench) == []
    bench.tick(MIDNIGHT)
    bench.tick(MIDNIGHT + 30_000)
    assert [load[:3] for load in loads(bench)] == [("2025-12-02", 0, 2), ("2025-12-02", 0, 2)]
    assert not any(kind == "location.load" for _, kind, _ in bench.timers)


def test_a_change_does_not_wait_for_the_watermark():
    bench = yard(location(slots=9))
    say(bench, request(1))
    bench.tick(NOON + 1_000)
    say(bench, rejected())
    bench.tick(NOON + 2_000)
    assert loads(bench) == [("2025-12-01", 1, 9, 1_000), ("2025-12-01", 0, 9, 2_000)]
    assert [due for due, kind, _ in bench.timers if kind == "location.load"] == [NOON + 32_000]


def test_a_location_never_used_has_no_slots_to_free():
    bench = yard()
    free_slot(BERLIN, "2025-12-01", bench)
    assert bench.rows == {}
    assert Slots().days == ()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3 * HOUR), st.booleans()), max_size=40))
def test_others_hear_the_last_word_and_never_twice_within_a_second(history):
    bench = yard(location(slots=3))
    heard = []
    for number, (passed, take) in enumerate(history):
        if take:
            say(bench, request(number, accept_by=ACCEPT_BY))
        for at in sorted({due for due, _, _ in bench.timers if due <= bench.now_at + passed}):
            bench.tick(at)
        bench.tick(bench.now_at + passed)
        heard += bench.take("location-load")
    bench.tick(bench.now_at + 1_000)
    heard += bench.take("location-load")
    gaps = [later.as_of - earlier.as_of for earlier, later in itertools.pairwise(heard)]
    assert all(gap >= 1_000 for gap in gaps)
    if heard:
        assert isinstance(heard[-1], LocationLoadChanged)
        assert heard[-1].used == used(bench).get(heard[-1].local_date)
