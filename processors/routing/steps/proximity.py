"""Step 8, proximity: how far is it?

Fence: beyond the rules' maximum distance, if any. Rating: great-circle distance, nearer is better.
"""

from processors.routing.score import rate
from processors.routing.words import OK, Verdict
from processors.rules import Rules


def fence(distance_m: int, max_distance_m: int | None) -> Verdict:
    """Whether it is near enough."""
    return OK if max_distance_m is None or distance_m <= max_distance_m else Verdict.TOO_FAR


def rating(distance_m: int, rules: Rules) -> int:
    """Nearer is better."""
    return rate(distance_m, worst=rules.distance_worst_m, best=rules.distance_best_m)
