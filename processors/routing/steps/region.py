"""Step 2, region: may the location ship to the destination, and does the merchant prefer it for the channel?

Fence: `ships_to` names the destination country, or a rule allows the pair of countries, and no rule forbids it (an NL
customer is never served from BE unless `ships_to` or a rule says so); where the location names postcode zones, the
destination's area lies in one of them. Rating: the rank among the merchant's preferred locations of the channel.
"""

from collections.abc import Sequence

from processors.routing.score import NOT_RATED
from processors.routing.words import OK, Verdict
from processors.rules import MILLION, Rules


def fence(from_country: str, ships_to: Sequence[str], *, country: str, rules: Rules) -> Verdict:
    """Whether the country is served."""
    if (from_country, country) in rules.forbidden_countries:
        return Verdict.COUNTRY_FORBIDDEN
    if country in ships_to or (from_country, country) in rules.allowed_countries:
        return OK
    return Verdict.COUNTRY_NOT_SERVED


def fence_postcode(prefixes: tuple[str, ...], postcode_area: str) -> Verdict:
    """Whether the postcode zone is served; no prefixes mean the whole country."""
    return OK if not prefixes or postcode_area.startswith(prefixes) else Verdict.POSTCODE_NOT_SERVED


def rating(location_id: str, preferred: Sequence[str]) -> int:
    """1 for the most preferred, falling evenly to 0 for those not preferred; not rated where nobody is."""
    if not preferred:
        return NOT_RATED
    rank = preferred.index(location_id) if location_id in preferred else len(preferred)
    return MILLION * (len(preferred) - rank) // len(preferred)
