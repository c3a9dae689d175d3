"""Step 1, stock: can the location promise anything of the order?

Fence: at least one unit of some variant; all units of every variant when the order may not be split. Demand is summed
per variant before, so that two lines never count the same unit twice. Rating: the share of the order's units that
would be assigned to the location if it were asked first.
"""

from collections.abc import Sequence

from processors.routing.facts import Offer
from processors.routing.words import OK, Verdict
from processors.rules import MILLION


def promisable(offer: Offer | None, wanted: int) -> int:
    """Units of a variant the location could be assigned."""
    if offer is None or not offer.stocked or offer.available <= 0:
        return 0
    return min(wanted, offer.available)


def fence(takes: Sequence[int], wanted: Sequence[int], *, splitting: bool) -> Verdict:
    """takes: units it could be assigned, by variant; wanted: units the order wants, by variant."""
    if not any(takes):
        return Verdict.NO_STOCK
    if not splitting and tuple(takes) != tuple(wanted):
        return Verdict.INCOMPLETE_STOCK
    return OK


def rating(units: int, of_units: int) -> int:
    """The share of the order's units."""
    return MILLION * units // of_units
