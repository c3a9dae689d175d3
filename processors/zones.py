"""Zones: names of time zones and countries, and which of them exist; the day in UTC, for what has no place.

In: names, instants. Out: yes or no, the zone, or the day. Both lists come from the pinned `tzdata` package alone, never from the machine.
"""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Names of all time zones in the pinned package."""
    return frozenset((resources.files("tzdata") / "zones").read_text("utf-8").split())


@lru_cache(maxsize=1)
def known_countries() -> frozenset[str]:
    """ISO 3166-1 alpha-2 codes of all countries in the pinned package."""
    lines = (resources.files("tzdata.zoneinfo") / "iso3166.tab").read_text("utf-8").splitlines()
    return frozenset(line[:2] for line in lines if line and not line.startswith("#"))


@lru_cache(maxsize=1_024)
def zone(name: str) -> tzinfo | None:
    """The time zone of this name; None when the pinned package has none."""
    if name not in known_zones():
        return None
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def utc_date(at: int) -> str:
    """The day in UTC of an instant, ISO 8601."""
    return datetime.fromtimestamp(at // 1_000, UTC).date().isoformat()
