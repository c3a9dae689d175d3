"""Distances and calendars."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.routing.calendars import DAY_MS, QUARTER_MS, arrival, cutoffs, known_zones, local_date, zone
from processors.routing.geo import distance_m, point

BERLIN, PARIS, SYDNEY = (52_520_000, 13_405_000), (48_856_600, 2_352_200), (-33_868_800, 151_209_300)
WEEK, MON_TO_SAT = (1, 2, 3, 4, 5), ((1, 2, 3, 4, 5, 6), 20 * 60)


def at(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def ordinal(text):
    return datetime.fromisoformat(text).toordinal()


@pytest.mark.parametrize(
    ("here", "there", "metres"),
    [
        (BERLIN, BERLIN, 0),
        (BERLIN, (52_530_000, 13_405_000), 1_112),
        (BERLIN, PARIS, 877_465),
        (BERLIN, SYDNEY, 16_094_000),
        ((0, 0), (0, 180_000_000), 20_015_115),  # antipodes
    ],
)
def test_distance(here, there, metres):
    assert abs(distance_m(point(*here), point(*there)) - metres) <= metres // 1_000


coordinates = st.tuples(st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000))


@given(coordinates, coordinates)
def test_distance_is_an_integer_the_same_both_ways(here, there):
    one = distance_m(point(*here), point(*there))
    assert one == distance_m(point(*there), point(*here))
    assert isinstance(one, int)
    assert 0 <= one <= 20_015_116


@pytest.mark.parametrize(
    ("zone_name", "instant", "day"),
    [
        ("Europe/Berlin", "2026-09-03T21:59:59", "2026-09-03"),
        ("Europe/Berlin", "2026-09-03T22:00:00", "2026-09-04"),  # midnight in summer
        ("Europe/Berlin", "2026-12-03T22:30:00", "2026-12-03"),  # not yet in winter
        ("Asia/Kolkata", "2026-09-03T18:30:00", "2026-09-04"),
        ("Mars/Olympus", "2026-09-03T12:00:00", None),
    ],
)
def test_local_date(zone_name, instant, day):
    assert local_date(zone_name, at(instant) // QUARTER_MS) == day


@pytest.mark.parametrize(
    ("cutoff_minute", "working_days", "day", "first"),
    [
        (16 * 60, WEEK, "2026-09-03", "2026-09-03T14:00:00"),  # Thursday, summer time
        (16 * 60, WEEK, "2026-09-05", "2026-09-07T14:00:00"),  # Saturday: Monday
        (16 * 60, (7,), "2026-09-03", "2026-09-06T14:00:00"),  # only on Sundays
        (16 * 60, WEEK, "2026-10-26", "2026-10-26T15:00:00"),  # the Monday after the clocks went back
        (2 * 60 + 30, (7,), "2026-10-25", "2026-10-25T00:30:00"),  # 02:30 happens twice: the first
        (9_999, WEEK, "2026-09-03", "2026-09-03T21:59:00"),  # beyond the day: its last minute
        (-5, WEEK, "2026-09-03", "2026-09-03T22:00:00"),  # before the day: its first, so the next day's
    ],
)
def test_cutoffs(cutoff_minute, working_days, day, first):
    found = cutoffs("Europe/Berlin", cutoff_minute, working_days, at(day) // DAY_MS)
    assert found[0][0] == at(first)
    assert found[-1][0] >= at(day) + DAY_MS  # one of them follows every instant of the day


@pytest.mark.parametrize(("zone_name", "working_days"), [("Nowhere", WEEK), ("Europe/Berlin", ()), ("UTC", (9,))])
def test_no_cutoff(zone_name, working_days):
    assert cutoffs(zone_name, 960, working_days, 20_000) == ()


@given(st.integers(0, 40_000), st.integers(0, 1439), st.sets(st.integers(1, 7), min_size=1))
def test_every_instant_of_a_day_reaches_a_cutoff_in_order(day, minute, weekdays):
    found = [leaves_at for leaves_at, _ in cutoffs("Europe/Warsaw", minute, tuple(sorted(weekdays)), day)]
    assert found == sorted(set(found))
    assert found[-1] >= (day + 1) * DAY_MS


@pytest.mark.parametrize(
    ("left", "transit_days", "calendar", "arrives"),
    [
        ("2026-09-03", 1, MON_TO_SAT, "2026-09-04T18:00:00"),  # Thursday to Friday, 20:00 in Berlin
        ("2026-09-04", 1, MON_TO_SAT, "2026-09-05T18:00:00"),  # Friday to Saturday
        ("2026-09-04", 2, MON_TO_SAT, "2026-09-07T18:00:00"),  # Sunday does not count
        ("2026-09-05", 1, MON_TO_SAT, "2026-09-07T18:00:00"),
        ("2026-09-05", 0, MON_TO_SAT, "2026-09-05T18:00:00"),  # the same day
        ("2026-09-06", 0, MON_TO_SAT, "2026-09-07T18:00:00"),  # nobody delivers on Sunday
        ("2026-09-03", -4, MON_TO_SAT, "2026-09-03T18:00:00"),
        ("2026-09-03", 10**9, ((1, 2, 3, 4, 5, 6, 7), 0), "2027-09-02T22:00:00"),  # at most a year
    ],
)
def test_arrival(left, transit_days, calendar, arrives):
    assert arrival("Europe/Berlin", ordinal(left), transit_days, calendar) == at(arrives)


def test_arrival_in_an_unknown_zone_is_told_in_utc():
    assert arrival("Nowhere", ordinal("2026-09-03"), 0, MON_TO_SAT) == at("2026-09-03T20:00:00")


def test_zones_come_from_the_pinned_package():
    assert "Europe/Berlin" in known_zones()
    assert zone("../../etc/passwd") is None
    assert zone("") is None
