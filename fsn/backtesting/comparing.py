"""Comparing: what would have been different under new rules, over all orders.

In: one `Pair` an order. Out: a `Comparison`: counts, sums by currency, shares by partner, and the orders that differ most.
Costs, distances and slack are compared over the orders for which both rules found a plan, or the orders that only one of them
routes would be taken for savings.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from fsn.backtesting.evaluating import Pair

EXAMPLES_MAX: Final = 10


class Sums(msgspec.Struct):
    """One side, over the orders that both rules route."""

    cost_minor: Counter[str] = msgspec.field(default_factory=Counter)
    """By currency."""
    shipments: int = 0
    split: int = 0
    distance_m: int = 0
    slack_ms: int = 0
    """Over the orders with a promise."""
    late: int = 0
    units: Counter[str] = msgspec.field(default_factory=Counter)
    """By partner."""


class Comparison(msgspec.Struct):
    """Both rules over all orders.

    both: orders that both route; promised: those of them with a promise; only_old, only_new: routed by one alone
    neither: by none; same: of both, alike in units, places and accounts; unasked: the new rules would have asked
        further locations, so that what they found is what they would at least have found
    """

    orders: int = 0
    both: int = 0
    promised: int = 0
    only_old: int = 0
    only_new: int = 0
    neither: int = 0
    same: int = 0
    unasked: int = 0
    old: Sums = msgspec.field(default_factory=Sums)
    new: Sums = msgspec.field(default_factory=Sums)
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    """Why the new rules route no order that the old ones do."""
    examples: list[Pair] = []
    """The orders whose cost differs most."""


def compare(pairs: Iterable[Pair]) -> Comparison:
    """Add everything up."""
    total = Comparison()
    both: list[Pair] = []
    for pair in pairs:
        total.orders += 1
        total.unasked += pair.unasked
        if pair.old.stands and pair.new.stands:
            total.both += 1
            total.same += pair.same
            both.append(pair)
            _add(total.old, pair, new=False)
            _add(total.new, pair, new=True)
            total.promised += pair.old.slack_ms is not None
        elif pair.old.stands:
            total.only_old += 1
            total.reasons[pair.new.reason] += 1
        elif pair.new.stands:
            total.only_new += 1
        else:
            total.neither += 1
    differing = [pair for pair in both if not pair.same]
    differing.sort(key=lambda pair: (-abs(pair.new.cost_minor - pair.old.cost_minor), pair.order_id))
    total.examples = differing[:EXAMPLES_MAX]
    return total


def _add(sums: Sums, pair: Pair, *, new: bool) -> None:
    found = pair.new if new else pair.old
    sums.cost_minor[pair.currency] += found.cost_minor
    sums.shipments += found.shipments
    sums.split += found.shipments > 1
    sums.distance_m += found.distance_m
    sums.units.update(found.units)
    if found.slack_ms is not None:
        sums.slack_ms += found.slack_ms
        sums.late += found.slack_ms < 0
