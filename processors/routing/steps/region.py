"""Step 2, region: may the location ship to the destination, and does the merchant prefer it for the channel?

Fence: `ships_to` names the destination country, or a rule allows the pair of countries or a postcode zone of it, and no
rule forbids it (an NL customer is never served from BE unless `ships_to` or a rule says so); where the location names
postcode zones, the destination's area lies in one it serves and touches none it refuses. Of an order that tells its area too
coarsely the careful answer is given: it lies in no zone that it may miss, and in every forbidden one that it may hit.
Rating: the rank among the merchant's preferred locations of the channel.
"""

from collections.abc import Sequence
from itertools import chain

import msgspec

from processors.postcodes import Areas, areas_of, lies_in, touches
from processors.routing.score import NOT_RATED
from processors.routing.words import OK, Verdict
from processors.rules import MILLION, Rules, zones_of
from schemas.records.network import LocationDefined


class Postcodes(msgspec.Struct, frozen=True):
    """What limits a location within one country: areas it must lie in, where there are any, and those it must not touch."""

    within: tuple[Areas, ...]
    refused: Areas
    forbidden: Areas


def fence(from_country: str, ships_to: Sequence[str], *, country: str, rules: Rules) -> Verdict:
    """Whether the country is served, or some of it."""
    if (from_country, country) in rules.forbidden_countries:
        return Verdict.COUNTRY_FORBIDDEN
    if _served(from_country, ships_to, country=country, rules=rules):
        return OK
    allowed = _areas(rules, rules.allowed_zones, from_country=from_country, country=country)
    return OK if allowed else Verdict.COUNTRY_NOT_SERVED


def postcodes(location: LocationDefined, *, country: str, rules: Rules) -> Postcodes | None:
    """What limits the location within a country that the fence lets pass; None where nothing does."""
    within = [location.postcode_prefixes, areas_of(location.served_zones, country)]
    if not _served(location.country, location.ships_to, country=country, rules=rules):
        within.append(_areas(rules, rules.allowed_zones, from_country=location.country, country=country))
    refused = areas_of(location.refused_zones, country)
    forbidden = _areas(rules, rules.forbidden_zones, from_country=location.country, country=country)
    limits = tuple([areas for areas in within if areas])
    return Postcodes(limits, refused, forbidden) if limits or refused or forbidden else None


def fence_postcode(limits: Postcodes, area: str) -> Verdict:
    """Whether the postcode area is served."""
    for areas in limits.within:
        if not lies_in(area, areas):
            return Verdict.POSTCODE_NOT_SERVED
    if touches(area, limits.refused):
        return Verdict.POSTCODE_NOT_SERVED
    return Verdict.POSTCODE_FORBIDDEN if touches(area, limits.forbidden) else OK


def rating(location_id: str, preferred: Sequence[str]) -> int:
    """1 for the most preferred, falling evenly to 0 for those not preferred; not rated where nobody is."""
    if not preferred:
        return NOT_RATED
    rank = preferred.index(location_id) if location_id in preferred else len(preferred)
    return MILLION * (len(preferred) - rank) // len(preferred)


def _served(from_country: str, ships_to: Sequence[str], *, country: str, rules: Rules) -> bool:
    return country in ships_to or (from_country, country) in rules.allowed_countries


def _areas(rules: Rules, pairs: Sequence[tuple[str, str]], *, from_country: str, country: str) -> Areas:
    """What of a country the pairs from another one name."""
    named = [zones_of(rules, zone) for known, zone in pairs if known == from_country]
    return areas_of(chain.from_iterable(named), country)
