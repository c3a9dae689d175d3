"""Step 6, capacity: is a slot open today?

The broadcast load is a hint that keeps orders away from full locations; the location's own task is the hard check.
A load of another local day says nothing of today. Fence: no open slot. Rating: balances the workload, 1 − used / cap.
"""

from processors.routing.words import OK, Verdict
from processors.rules import MILLION
from schemas.records.operations import LocationLoadChanged


def today(load: LocationLoadChanged | None, local_date: str | None, *, daily_slots: int) -> tuple[int, int]:
    """(used, cap) of the location's local day."""
    if load is None or load.local_date != local_date:
        return 0, daily_slots
    return load.used, load.cap


def fence(used: int, cap: int) -> Verdict:
    """Whether a slot is open."""
    return OK if used < cap else Verdict.CAPACITY_FULL


def rating(used: int, cap: int) -> int:
    """The share of slots still open."""
    return MILLION * (cap - used) // cap if used > 0 else MILLION
