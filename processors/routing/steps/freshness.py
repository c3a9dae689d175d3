"""Step 9, freshness: is what we believe of the stock still true?

Age = now − the later of the item's last change and the feed's last heartbeat. Fence, hard although it is step 9: an
item whose age is over the limit, or whose reports have a gap, is not promised; the candidate is out when that leaves
it nothing (or, without splitting, not everything). Rating: age, from 0 to the limit.
"""

from processors.routing.facts import Offer
from processors.routing.words import OK, Verdict
from processors.rules import MILLION


def age_ms(offer: Offer, complete_to_at: int, *, now_at: int) -> int:
    """How long ago the item was last known to be right; 0 for claims from the future."""
    known_at = max(complete_to_at, offer.updated_at)
    return now_at - known_at if now_at > known_at else 0


def fence(offer: Offer, age: int, *, limit_ms: int | None) -> Verdict:
    """Whether the item may be promised."""
    if limit_ms is None:
        return Verdict.FRESHNESS_UNKNOWN
    if offer.gapped:
        return Verdict.GAPPED
    return OK if age <= limit_ms else Verdict.STALE


def rating(age: int, limit_ms: int) -> int:
    """Younger is better."""
    return MILLION * (limit_ms - age) // limit_ms if age > 0 else MILLION
