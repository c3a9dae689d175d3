"""Postcode zones: a country, or the part of it whose postal codes begin alike.

In: zones as `DE` (all of Germany) or `DE:18` (its postal codes that begin with 18), and the leading characters of a postal
code that an order tells: its *area*. Out: whether the area lies in a zone, which zone is the narrowest around it, or
what is wrong with a zone. An area says no more than its own characters: of an order that tells `1` nobody knows whether it
goes to `DE:18`. It then does not lie in that zone, but it touches it. Nothing is refused here.
"""

import re
from collections.abc import Iterable
from typing import Final

from processors.zones import known_countries

ZONE: Final = re.compile(r"[A-Z]{2}(:[0-9A-Z]{1,8})?")

Areas = tuple[str, ...]
"""What the postal codes of one country begin with; "" for all of them."""


def problem_of(zone: str) -> str | None:
    """What is wrong with a zone; None where nothing is."""
    if ZONE.fullmatch(zone) is None:
        return f"zone {zone!r} is neither a country nor a postcode zone of one, such as DE or DE:18"
    if zone[:2] not in known_countries():
        return f"country {zone[:2]!r} of zone {zone!r} is none of ISO 3166-1, such as DE"
    return None


def areas_of(zones: Iterable[str], country: str) -> Areas:
    """What of these zones belongs to a country."""
    return tuple([zone[3:] for zone in zones if zone[:2] == country])


def lies_in(area: str, areas: Areas) -> bool:
    """Whether every postal code of the area belongs to one of them."""
    return area.startswith(areas)


def touches(area: str, areas: Areas) -> bool:
    """Whether a postal code of the area may belong to one of them."""
    return area.startswith(areas) or any(other.startswith(area) for other in areas)


def narrowest(area: str, areas: Iterable[str]) -> str | None:
    """The narrowest of them that the area lies in; None when it lies in none."""
    return max([other for other in areas if area.startswith(other)], key=len, default=None)


def around(zone: str, zones: Iterable[str]) -> str | None:
    """The one of these zones that holds all of this zone; None when none does."""
    known = frozenset(zones)
    return next((zone[:end] for end in range(2, len(zone) + 1) if zone[:end] in known), None)
