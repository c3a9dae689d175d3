"""Calendars: when a location hands over, when a parcel arrives, which day it is there.

In: instants in epoch ms, and a location's time zone, working days, holidays and cut-offs. Out: instants and local dates;
None for a time zone nobody knows or a location that never works. Time zones come from the pinned `tzdata` package alone,
never from the machine, so that a replay elsewhere counts the same days. All conversions are integer arithmetic, and
are kept, for a network has few calendars and a day has few cut-offs.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from processors.holidays import public_holidays
from processors.zones import zone

DAY_MS: Final = 86_400_000
QUARTER_MS: Final = 900_000
"""Local days begin at whole quarters of an hour UTC, in every time zone in use."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
LOOK_AHEAD_DAYS: Final = 62
"""A location may close for weeks; one that does not open for two months never ships."""
TRANSIT_DAYS_MAX: Final = 365

Cutoff = tuple[int, int]
"""(when the carrier leaves, ordinal of that local day)"""

Days = tuple[str, tuple[str, ...], tuple[str, ...]]
"""(region whose public holidays are kept, further days closed, days open all the same); days in ISO 8601."""
NO_HOLIDAYS: Final[Days] = ("", (), ())


@lru_cache(maxsize=4_096)
def local_date(zone_name: str, quarter: int) -> str | None:
    """The local date in this quarter of an hour (instant // QUARTER_MS), ISO 8601; None for an unknown zone."""
    there = zone(zone_name)
    return None if there is None else _local(quarter * QUARTER_MS, there).date().isoformat()


@lru_cache(maxsize=4_096)
def local_weekday(zone_name: str, quarter: int) -> int:
    """The local ISO weekday in this quarter of an hour; 1 for an unknown zone, where nothing ships anyway."""
    there = zone(zone_name)
    return 1 if there is None else _local(quarter * QUARTER_MS, there).isoweekday()


@lru_cache(maxsize=4_096)
def cutoffs(
    zone_name: str, cutoff: int | tuple[int, ...], working_days: tuple[int, ...], day: int, days: Days = NO_HOLIDAYS
) -> tuple[Cutoff, ...]:
    """The cut-offs that can follow an instant of this UTC day (instant // DAY_MS), in order.

    cutoff: local minute of the day, or those of the seven ISO weekdays
    Empty for an unknown zone and for a location that never works.
    """
    there = zone(zone_name)
    if there is None:
        return ()
    begin_at, end_at = day * DAY_MS, (day + 1) * DAY_MS
    first = _local(begin_at, there).toordinal() - 1
    found: list[Cutoff] = []
    for ordinal in range(first, first + LOOK_AHEAD_DAYS):
        here = date.fromordinal(ordinal)
        if _is_open(here, working_days, days):
            minute = cutoff if isinstance(cutoff, int) else cutoff[here.weekday()]
            leaves_at = _instant(ordinal, min(max(minute, 0), 1439), there)
            if leaves_at >= begin_at:
                found.append((leaves_at, ordinal))
                if leaves_at >= end_at:
                    break
    return tuple(found)


@lru_cache(maxsize=16_384)
def arrival(
    zone_name: str, ordinal: int, transit_days: int, calendar: tuple[tuple[int, ...], int], region: str = ""
) -> int:
    """When a parcel handed over on a local day has arrived: so many delivery days later, by the delivery minute.

    calendar: (ISO weekdays that count and on which parcels arrive, local minute by which they have); region: on whose
        public holidays nothing is delivered
    """
    weekdays, by_minute = calendar
    days: Days = (region, (), ())
    left = min(max(transit_days, 0), TRANSIT_DAYS_MAX)
    while left > 0 or not _is_open(date.fromordinal(ordinal), weekdays, days):
        ordinal += 1
        left -= _is_open(date.fromordinal(ordinal), weekdays, days)
    there = zone(zone_name)
    return _instant(ordinal, by_minute, UTC if there is None else there)


def _is_open(day: date, weekdays: tuple[int, ...], days: Days) -> bool:
    region, closed, opened = days
    if opened and day.isoformat() in opened:
        return True
    if day.isoweekday() not in weekdays or (closed and day.isoformat() in closed):
        return False
    return not region or day.toordinal() not in public_holidays(region, day.year)


def _local(at: int, there: tzinfo) -> datetime:
    return (EPOCH + at * MILLISECOND).astimezone(there)


def _instant(ordinal: int, minute: int, there: tzinfo) -> int:
    """Epoch ms of a local wall-clock minute; of a minute that happens twice, the first."""
    day = datetime.fromordinal(ordinal)
    return (day.replace(hour=minute // 60, minute=minute % 60, tzinfo=there) - EPOCH) // MILLISECOND
