"""Plan: which candidates ship what?

In: candidates ranked best first (higher score, then lower cost, nearer, location_id) with the units each could be
assigned per variant, and the units wanted. Out: the best plan, or None. Inside a set of locations, units go to the
best-ranked first: that maximises the unit-weighted mean of the scores. Over all sets:

    plan score = Σ units · score // Σ units − penalty · (shipments − 1)

ties: fewer shipments, lower cost, nearer, sorted location ids. Kept shipments count. The search is depth first with a
bound, and exact, up to 12 candidates; beyond, it is best first within a fixed number of nodes, exact when it ends by
itself (it usually does), and starts from a plan that a greedy cover finds.
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Final, Protocol

import msgspec

EXACT_CANDIDATES_MAX: Final = 12
NODES_MAX: Final = 2_000

Takes = tuple[int, ...]
"""Units by variant."""


Chosen = tuple[tuple[int, Takes], ...]
"""(rank, units by variant) of the parts so far."""


class Option(Protocol):
    """A candidate as the search sees it."""

    @property
    def location_id(self) -> str:
        """Who."""

    @property
    def score(self) -> int:
        """How good."""

    @property
    def takes(self) -> Takes:
        """How much it could be assigned, never more than is wanted."""

    @property
    def distance_m(self) -> int:
        """How far."""


class Limits(msgspec.Struct, frozen=True):
    """What a plan may be.

    shipments: how many locations may still ship
    used: shipments of kept parts
    penalty: taken off the score for each shipment after the first
    ceiling_minor: the most it may cost
    """

    shipments: int
    used: int
    penalty: int
    ceiling_minor: int | None


class Plan(msgspec.Struct, frozen=True):
    """Candidates by rank, with the units each ships; `order` sorts plans, the best first."""

    chosen: Chosen
    score: int
    """May be below 0, for a plan of many poor parts."""
    order: tuple[int, int, int, int, tuple[str, ...]]


CostOf = Callable[[int, Takes], int]
"""Landed cost of these units from the candidate of this rank."""


def best_plan(options: Sequence[Option], wanted: Takes, *, limits: Limits, cost_of: CostOf) -> Plan | None:
    """The best plan that covers what is wanted; None when there is none within the limits."""
    if limits.shipments < 1 or not options:
        return None
    if options[0].takes == wanted and limits.ceiling_minor is None:
        # The best-ranked candidate alone: no mean beats its score, no plan has fewer shipments, and rank broke the ties.
        return _alone(options[0], wanted, limits=limits, cost_minor=cost_of(0, wanted))
    search = _Search(options, wanted, limits=limits, cost_of=cost_of)
    if not search.coverable():
        return None
    if len(options) <= EXACT_CANDIDATES_MAX:
        search.deepen((), wanted, start=0, left=search.units, gained=0)
    else:
        search.cover()
        search.widen()
    return search.best


def _alone(option: Option, wanted: Takes, *, limits: Limits, cost_minor: int) -> Plan:
    """One location ships everything."""
    score = option.score - limits.penalty * limits.used
    return Plan(((0, wanted),), score, (-score, 1, cost_minor, option.distance_m, (option.location_id,)))


class _Search:
    """The state of one search: never outlives `best_plan`."""

    __slots__ = ("best", "best_score", "cost_of", "limits", "options", "rest", "units", "wanted")

    def __init__(self, options: Sequence[Option], wanted: Takes, *, limits: Limits, cost_of: CostOf) -> None:
        self.options = options
        self.wanted = wanted
        self.limits = limits
        self.cost_of = cost_of
        self.units = sum(wanted)
        self.best: Plan | None = None
        self.best_score = -(10**18)
        rest = [(0,) * len(wanted)]
        for option in reversed(options):
            rest.append(tuple([a + b for a, b in zip(rest[-1], option.takes, strict=True)]))
        rest.reverse()
        self.rest = rest
        """By rank: units that this candidate and all after it could be assigned, by variant."""

    def coverable(self) -> bool:
        """Whether all candidates together have enough."""
        return _covers(self.rest[0], self.wanted)

    def deepen(self, chosen: Chosen, remaining: Takes, *, start: int, left: int, gained: int) -> None:
        """Try every candidate from `start` on as the next part, as long as a better plan is in reach."""
        shipments = len(chosen) + 1
        off = self.limits.penalty * (self.limits.used + shipments - 1)
        for rank in range(start, len(self.options)):
            option = self.options[rank]
            # Ranked by score: nobody from here on could give the remaining units more than this.
            if (gained + left * option.score) // self.units - off < self.best_score:
                return
            if not _covers(self.rest[rank], remaining):
                return
            takes = tuple(map(min, option.takes, remaining))
            units = sum(takes)
            if units == left:
                self.keep((*chosen, (rank, takes)), (gained + left * option.score) // self.units - off)
            elif units and shipments < self.limits.shipments:
                after, gain = _minus(remaining, takes), gained + units * option.score
                self.deepen((*chosen, (rank, takes)), after, start=rank + 1, left=left - units, gained=gain)

    def widen(self) -> None:
        """Open the most promising unfinished plan first, until none can beat the best or the nodes are used up."""
        heap: list[tuple[int, int, int, Takes, int, int, Chosen]] = [(0, 0, 0, self.wanted, self.units, 0, ())]
        nodes = 0
        while heap and nodes < NODES_MAX:
            bound, _, start, remaining, left, gained, chosen = heappop(heap)
            if chosen and -bound < self.best_score:
                return
            shipments = len(chosen) + 1
            off = self.limits.penalty * (self.limits.used + shipments - 1)
            for rank in range(start, len(self.options)):
                option = self.options[rank]
                nodes += 1
                promise = (gained + left * option.score) // self.units - off
                if promise < self.best_score or not _covers(self.rest[rank], remaining):
                    break
                takes = tuple(map(min, option.takes, remaining))
                units = sum(takes)
                if units == left:
                    self.keep((*chosen, (rank, takes)), promise)
                elif units and shipments < self.limits.shipments:
                    after = _minus(remaining, takes)
                    # The node's number makes the order of equal bounds the order of their making.
                    grown = (*chosen, (rank, takes))
                    entry = (self.limits.penalty - promise, nodes, rank + 1, after, left - units)
                    heappush(heap, (*entry, gained + units * option.score, grown))

    def cover(self) -> None:
        """A first plan: again and again the candidate that covers most of what remains, then units by rank."""
        remaining, ranks = self.wanted, list[int]()
        while any(remaining) and len(ranks) < self.limits.shipments:
            sizes = [
                -1 if rank in ranks else sum(map(min, option.takes, remaining))
                for rank, option in enumerate(self.options)
            ]
            ranks.append(sizes.index(max(sizes)))
            remaining = _minus(remaining, self.options[ranks[-1]].takes)
        if any(remaining):
            return
        remaining, gained, chosen = self.wanted, 0, list[tuple[int, Takes]]()
        for rank in sorted(ranks):
            takes = tuple(map(min, self.options[rank].takes, remaining))
            if any(takes):
                chosen.append((rank, takes))
                gained += sum(takes) * self.options[rank].score
                remaining = _minus(remaining, takes)
        off = self.limits.penalty * (self.limits.used + len(chosen) - 1)
        self.keep(tuple(chosen), gained // self.units - off)

    def keep(self, chosen: Chosen, score: int) -> None:
        """Keep a complete plan, if it is within the ceiling and better than the best so far."""
        cost_minor = sum([self.cost_of(rank, takes) for rank, takes in chosen])
        if self.limits.ceiling_minor is not None and cost_minor > self.limits.ceiling_minor:
            return
        parts = [self.options[rank] for rank, _ in chosen]
        distance_m = sum([part.distance_m for part in parts])
        order = (-score, len(chosen), cost_minor, distance_m, tuple(sorted([part.location_id for part in parts])))
        if self.best is None or order < self.best.order:
            self.best, self.best_score = Plan(chosen, score, order), score


def _covers(have: Takes, wanted: Takes) -> bool:
    return all(map(int.__ge__, have, wanted))


def _minus(have: Takes, takes: Takes) -> Takes:
    """What remains, by variant, never below nothing."""
    return tuple([max(a - b, 0) for a, b in zip(have, takes, strict=True)])
