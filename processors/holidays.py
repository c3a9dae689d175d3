"""Holidays: which days are public holidays of a country or one of its regions.

In: a region, ISO 3166 as in `DE` or `DE-BE`, and a year. Out: the days' ordinals. They come from the pinned `holidays`
package alone, substitute days included, so that a replay elsewhere rests on the same days; a region is worked out once a
year, and the first question whether a region is known imports all countries: the package imports them together, however it is asked.
Nothing is refused: a region nobody knows has no holidays, and whoever takes reference data in asks `is_known` before.
"""

from functools import cache, lru_cache
from typing import Final

from holidays import country_holidays, list_supported_countries

YEARS: Final = (1970, 2200)
"""Beyond them the package guesses."""


@cache
def is_known(region: str) -> bool:
    """Whether the package has the country, and the region of it that is named."""
    country, _, subdivision = region.partition("-")
    regions = list_supported_countries(include_aliases=True).get(country)
    return regions is not None and (not subdivision or subdivision in regions)


@lru_cache(maxsize=4_096)
def public_holidays(region: str, year: int) -> frozenset[int]:
    """Ordinals of the public holidays of a year."""
    if not region or not is_known(region) or not YEARS[0] <= year <= YEARS[1]:
        return frozenset()
    country, _, subdivision = region.partition("-")
    found = country_holidays(country, subdiv=subdivision or None, years=year)
    return frozenset(day.toordinal() for day in found)
