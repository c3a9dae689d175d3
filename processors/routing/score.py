"""Score: ratings and scores as integers 0 … 1,000,000, with one floor division at the end of each.

In: measured values, thresholds and weights. Out: integers. A rating of NOT_RATED was not asked for and weighs nothing.
"""

from collections.abc import Sequence
from operator import mul
from typing import Final

from processors.rules import MILLION, Rules

NOT_RATED: Final = -1


def rate(value: int, *, worst: int, best: int) -> int:
    """Where a value lies on the line from worst (0) to best (1,000,000); flat beyond both."""
    rating = MILLION * (value - worst) // (best - worst)
    if rating <= 0:
        return 0
    return min(MILLION, rating)


def weights_of(rules: Rules, *, prefers: bool) -> tuple[int, ...]:
    """The weights in the order of `words.RATED`; the preference weighs only where the merchant has one."""
    return (
        rules.weight_stock,
        rules.weight_preference if prefers else 0,
        rules.weight_sla,
        rules.weight_workload,
        rules.weight_cost,
        rules.weight_distance,
        rules.weight_freshness,
    )


def score(weights: Sequence[int], ratings: Sequence[int], *, weight: int) -> int:
    """Σ weight · rating / Σ weight. Every rating that weighs must be given; where nothing weighs, nothing is better.

    weight: the sum of the weights
    """
    points: int = sum(map(mul, weights, ratings))
    return points // (weight or 1)
