"""Step 10, fallback: when no plan stands, why, and what comes next?

In: the verdicts of all candidates. Out: the reason the evaluation ends with (the first fence after which the rest had
too few units), and the move: further locations, then a wider split, then wait for stock, then park. The move is a
recommendation kept in the audit; whoever holds the order makes it, and comes back here with the next tier, or with
the location excluded that declined, rejected or short-picked.
"""

from collections.abc import Sequence
from typing import Final

from processors.routing.words import OK, Verdict
from processors.rules import Rules

STOCK_HELPS: Final = (Verdict.STOCK_SHORT, Verdict.GAPPED, Verdict.TOO_MANY_SHIPMENTS)
"""Ends that more stock at one of the candidates could change."""


def shipments_left(rules: Rules, used: int, *, wide: bool) -> int:
    """How many locations may still ship; 0 when the kept parts use up all."""
    most = rules.max_shipments if rules.splitting_allowed else 1
    if wide and rules.splitting_allowed and rules.max_shipments_fallback is not None:
        most = max(most, rules.max_shipments_fallback)
    return max(most - used, 0)


def reason(
    verdicts: Sequence[tuple[int, Verdict]],
    before: Sequence[Sequence[int]],
    *,
    after: Sequence[Sequence[int]],
    wanted: Sequence[int],
    splitting: bool,
) -> Verdict:
    """Why no plan stands; OK when the candidates left have enough, so that only the limits of a plan forbid one.

    verdicts: per candidate, the step it stopped at (11 for none) and what that said; a candidate that passed may still
        name what made freshness drop an item of it
    before, after: per candidate, units by variant it could be assigned before and after the freshness step
    """
    for step in range(1, 10):
        takes = before if step < 9 else after
        left = [units for (stopped, _), units in zip(verdicts, takes, strict=True) if stopped > step]
        if not _enough(left, wanted, splitting=splitting):
            said = [verdict for stopped, verdict in verdicts if stopped == step or (step == 9 and stopped > step)]
            return Verdict.STOCK_SHORT if step == 1 else max(said)
    return OK


def move(ended: Verdict, *, more_tiers: bool, widened: bool, rules: Rules) -> Verdict:
    """What comes next. widened: the plan that stands needed more shipments than usual."""
    if ended is Verdict.ROUTED:
        return Verdict.SPLIT_WIDER if widened else Verdict.NOT_NEEDED
    if more_tiers:
        return Verdict.NEXT_TIER
    if ended in STOCK_HELPS and rules.backorder_allowed:
        return Verdict.BACKORDER
    return Verdict.PARK


def _enough(left: Sequence[Sequence[int]], wanted: Sequence[int], *, splitting: bool) -> bool:
    """Whether these candidates could cover what is wanted, shipments not counted."""
    if not splitting:
        return any(tuple(units) == tuple(wanted) for units in left)
    return all(sum(units[index] for units in left) >= units_wanted for index, units_wanted in enumerate(wanted))
