"""Distances and calendars."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.holidays import public_holidays
from processors.routing.calendars import DAY_MS, QUARTER_MS, arrival, cutoffs, local_date, local_weekday
from processors.routing.geo import distance_m, point
from processors.zones import known_countries, known_zones, zone

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


BY_WEEKDAY = (600, 660, 720, 780, 840, 150, 0)
"""10:00 on Mondays, an hour later each day until Friday, 02:30 on Saturdays, midnight on Sundays."""
ALL_DAYS = (1, 2, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(
    ("zone_name", "working_days", "day", "first"),
    [
        ("Europe/Berlin", ALL_DAYS, "2026-08-31", "2026-08-31T08:00:00"),  # Monday
        ("Europe/Berlin", ALL_DAYS, "2026-09-03", "2026-09-03T11:00:00"),  # Thursday
        ("Europe/Berlin", (5,), "2026-09-03", "2026-09-04T12:00:00"),
        ("Europe/Berlin", (1,), "2026-10-24", "2026-10-26T09:00:00"),  # the clocks went back on Sunday
        ("Europe/Berlin", (6,), "2026-03-28", "2026-03-28T01:30:00"),  # the day before they go forward
        (
            "Asia/Beirut",
            (7,),
            "2026-03-29",
            "2026-04-04T21:00:00",
        ),  # the day whose midnight is left out is over already
        ("Pacific/Kiritimati", (1,), "2026-09-06", "2026-09-06T20:00:00"),  # Monday there, Sunday in UTC
        ("America/Los_Angeles", (7,), "2026-09-07", "2026-09-13T07:00:00"),  # Sunday's midnight is at 07:00 UTC
        ("Australia/Lord_Howe", (1,), "2026-10-04", "2026-10-04T23:00:00"),  # half an hour of summer time
    ],
)
def test_each_weekday_may_have_its_own_cutoff(zone_name, working_days, day, first):
    assert cutoffs(zone_name, BY_WEEKDAY, working_days, at(day) // DAY_MS)[0][0] == at(first)


def test_a_cutoff_that_the_clocks_leave_out_is_the_instant_they_skip_to():
    sunday = cutoffs("Europe/Berlin", 2 * 60 + 30, (7,), at("2026-03-29") // DAY_MS)
    assert sunday[0][0] == at("2026-03-29T01:30:00")  # 02:30 does not exist: 03:30


@given(
    st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"]),
    st.integers(15_000, 25_000),
    st.lists(st.integers(240, 1_439), min_size=7, max_size=7).map(tuple),
)
def test_every_cutoff_is_at_the_minute_of_its_own_weekday(zone_name, day, minutes):
    found = cutoffs(zone_name, minutes, ALL_DAYS, day)
    assert [leaves_at for leaves_at, _ in found] == sorted(leaves_at for leaves_at, _ in found)
    for leaves_at, here in found:
        there = datetime.fromtimestamp(leaves_at // 1_000, zone(zone_name))
        assert (there.toordinal(), there.hour * 60 + there.minute) == (here, minutes[there.weekday()])


@pytest.mark.parametrize(
    ("zone_name", "instant", "weekday"),
    [
        ("Europe/Berlin", "2026-09-03T21:59:59", 4),
        ("Europe/Berlin", "2026-09-03T22:00:00", 5),
        ("Pacific/Kiritimati", "2026-09-06T10:00:00", 1),
        ("Mars/Olympus", "2026-09-03T12:00:00", 1),
    ],
)
def test_local_weekday(zone_name, instant, weekday):
    assert local_weekday(zone_name, at(instant) // QUARTER_MS) == weekday


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


@pytest.mark.parametrize(
    ("days", "day", "leaves"),
    [
        (("DE", (), ()), "2026-10-02", ["2026-10-02"]),
        (("DE", (), ()), "2026-05-01", ["2026-05-04"]),  # Labour Day, a Friday
        (("DE-BE", (), ()), "2027-03-08", ["2027-03-09"]),  # Women's Day, in Berlin alone
        (("DE", (), ()), "2027-03-08", ["2027-03-08"]),
        (("GB-ENG", (), ()), "2026-12-28", ["2026-12-29"]),  # Boxing Day's substitute
        (("", ("2026-09-03", "2026-09-04"), ()), "2026-09-03", ["2026-09-07"]),  # stock-taking
        (("DE", (), ("2026-05-01",)), "2026-05-01", ["2026-05-01"]),  # open all the same
        (("", (), ("2026-09-06",)), "2026-09-06", ["2026-09-06"]),  # a Sunday before a feast
        (("XX", (), ()), "2026-09-03", ["2026-09-03"]),  # refused as reference data; here it has no holidays
        (("DE-XX", (), ()), "2026-05-01", ["2026-05-01"]),
    ],
)
def test_a_location_is_closed_on_its_holidays(days, day, leaves):
    found = cutoffs("Europe/Berlin", 960, WEEK, at(day) // DAY_MS, days)
    assert [date.fromordinal(ordinal).isoformat() for _, ordinal in found][:1] == leaves


def test_a_location_may_close_for_weeks_but_not_for_ever():
    closed = tuple(date.fromordinal(ordinal("2026-09-01") + off).isoformat() for off in range(100))
    assert cutoffs("UTC", 960, WEEK, at("2026-09-03") // DAY_MS, ("", closed[:30], ()))[0][0] == at(
        "2026-10-01T16:00:00"
    )
    assert cutoffs("UTC", 960, WEEK, at("2026-09-03") // DAY_MS, ("", closed, ())) == ()


@pytest.mark.parametrize(
    ("left", "region", "arrives"),
    [
        ("2026-04-30", "", "2026-05-01T18:00:00"),
        ("2026-04-30", "DE", "2026-05-02T18:00:00"),  # not on Labour Day, but on the Saturday behind it
        ("2026-04-30", "NL", "2026-05-01T18:00:00"),  # there it is a day like others
    ],
)
def test_nothing_is_delivered_on_the_destinations_holidays(left, region, arrives):
    assert arrival("Europe/Berlin", ordinal(left), 1, MON_TO_SAT, region) == at(arrives)


def test_far_years_have_no_holidays():
    assert public_holidays("DE", 1901) == public_holidays("DE", 2500) == frozenset()
    assert {"DE", "AT", "CH", "PL"} <= known_countries()


def test_arrival_in_an_unknown_zone_is_told_in_utc():
    assert arrival("Nowhere", ordinal("2026-09-03"), 0, MON_TO_SAT) == at("2026-09-03T20:00:00")


def test_zones_come_from_the_pinned_package():
    assert "Europe/Berlin" in known_zones()
    assert zone("../../etc/passwd") is None
    assert zone("") is None
