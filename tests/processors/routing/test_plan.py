"""Plans: the best one is found, and nothing better exists (against brute force)."""

from itertools import combinations, product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.routing import plan as plans
from processors.routing.plan import Limits, best_plan


class Option(msgspec.Struct):
    location_id: str
    score: int
    takes: tuple[int, ...]
    distance_m: int


FREE = Limits(shipments=3, used=0, penalty=100_000, ceiling_minor=None)


def limits(**changes):
    return Limits(**{"shipments": 3, "used": 0, "penalty": 100_000, "ceiling_minor": None} | changes)


def option(name, score, *takes, distance_m=0):
    return Option(name, score, takes, distance_m)


def cost_of(rank, takes):
    """A cost that depends on candidate and units alike."""
    return 100 + 7 * rank + 10 * sum(takes)


def chosen(options, wanted, made=FREE, cost=cost_of):
    found = best_plan(options, wanted, limits=made, cost_of=cost)
    return None if found is None else {options[rank].location_id: takes for rank, takes in found.chosen}


@pytest.mark.parametrize(
    ("options", "wanted", "made", "expected"),
    [
        # one location that has everything
        ([option("a", 900_000, 2), option("b", 800_000, 2)], (2,), FREE, {"a": (2,)}),
        # a worse one that has everything beats a split, for the penalty
        ([option("a", 900_000, 1), option("b", 850_000, 2)], (2,), FREE, {"b": (2,)}),
        # unless the penalty is small
        ([option("a", 900_000, 1), option("b", 850_000, 2)], (2,), limits(penalty=0), {"a": (1,), "b": (1,)}),
        # units of one line may split
        ([option("a", 900_000, 1), option("b", 850_000, 5)], (6,), FREE, {"a": (1,), "b": (5,)}),
        # not enough anywhere
        ([option("a", 900_000, 1), option("b", 850_000, 5)], (7,), FREE, None),
        ([], (1,), FREE, None),
        # more shipments than allowed; none allowed
        ([option("a", 9, 1), option("b", 8, 1), option("c", 7, 1)], (3,), limits(shipments=2), None),
        ([option("a", 9, 1)], (1,), limits(shipments=0), None),
        # the second of two lines only elsewhere
        ([option("a", 9, 2, 0), option("b", 8, 0, 1)], (2, 1), FREE, {"a": (2, 0), "b": (0, 1)}),
        # ties: fewer shipments, then lower cost (the better rank here), then nearer, then ids
        ([option("a", 5, 1), option("b", 5, 2)], (2,), limits(penalty=0), {"b": (2,)}),
        ([option("a", 5, 2), option("b", 5, 2)], (2,), FREE, {"a": (2,)}),
    ],
)
def test_best_plan(options, wanted, made, expected):
    assert chosen(options, wanted, made) == expected


def flat(_rank, takes):
    return 10 * sum(takes)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([option("b", 9, 1), option("a", 5, 1, distance_m=7), option("c", 5, 1, distance_m=3)], {"b", "c"}),
        ([option("b", 9, 1), option("c", 5, 1), option("a", 5, 1)], {"b", "a"}),
    ],
)
def test_ties_of_plans_are_broken_by_distance_and_then_by_ids(options, expected):
    assert set(chosen(options, (2,), cost=flat)) == expected


def test_the_ceiling_holds_for_the_whole_plan():
    options = [option("a", 900_000, 2), option("b", 800_000, 2)]
    dear = {0: 600, 1: 300}
    assert chosen(options, (2,), limits(ceiling_minor=500), lambda rank, _: dear[rank]) == {"b": (2,)}
    assert chosen(options, (2,), limits(ceiling_minor=100), lambda rank, _: dear[rank]) is None


def test_kept_shipments_count_in_the_penalty_of_every_plan():
    found = best_plan([option("a", 900_000, 2)], (2,), limits=limits(used=2), cost_of=cost_of)
    assert found.score == 700_000


options_strategy = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=5
)


def ranked(drawn):
    made = [
        option(f"loc_{index}", 50_000 * score, a, b, distance_m=far) for index, (score, a, b, far) in enumerate(drawn)
    ]
    return sorted(made, key=lambda one: (-one.score, one.location_id))


def within(made, wanted):
    return tuple(min(have, units) for have, units in zip(made.takes, wanted, strict=True))


def every_assignment(options, wanted):
    """All ways to assign all units, unit by unit."""
    for shares in product(*[list(distributions(options, index, units)) for index, units in enumerate(wanted)]):
        yield [tuple(share[rank] for share in shares) for rank in range(len(options))]


def distributions(options, index, units):
    ranges = [range(min(one.takes[index], units) + 1) for one in options]
    return (share for share in product(*ranges) if sum(share) == units)


@settings(max_examples=150)
@given(
    options_strategy,
    st.tuples(st.integers(0, 3), st.integers(1, 3)),
    st.integers(1, 3),
    st.sampled_from([0, 1, 60_000]),
)
def test_nothing_better_exists(drawn, wanted, shipments, penalty):
    options = [Option(one.location_id, one.score, within(one, wanted), one.distance_m) for one in ranked(drawn)]
    made = limits(shipments=shipments, penalty=penalty)
    found = best_plan(options, wanted, limits=made, cost_of=cost_of)
    units = sum(wanted)
    scores = [
        (sum(sum(takes) * one.score for one, takes in zip(options, assigned, strict=True)) // units)
        - penalty * (sum(any(takes) for takes in assigned) - 1)
        for assigned in every_assignment(options, wanted)
        if sum(any(takes) for takes in assigned) <= shipments
    ]
    assert (None if found is None else found.score) == max(scores, default=None)


def by_rank(options, wanted, ranks):
    """Units to the best-ranked of a set first; None when the set does not cover, or somebody gets nothing."""
    remaining, chosen_ones = wanted, []
    for rank in ranks:
        takes = tuple(map(min, options[rank].takes, remaining))
        remaining = tuple(a - b for a, b in zip(remaining, takes, strict=True))
        chosen_ones.append((rank, takes))
    return None if any(remaining) or not all(any(takes) for _, takes in chosen_ones) else chosen_ones


def brute_force(options, wanted, made):
    best = None
    for size in range(1, made.shipments + 1):
        for ranks in combinations(range(len(options)), size):
            parts = by_rank(options, wanted, ranks)
            if parts is not None:
                gained = sum(sum(takes) * options[rank].score for rank, takes in parts)
                score = gained // sum(wanted) - made.penalty * (made.used + size - 1)
                cost_minor = sum(cost_of(rank, takes) for rank, takes in parts)
                far = sum(options[rank].distance_m for rank in ranks)
                order = (-score, size, cost_minor, far, tuple(sorted(options[rank].location_id for rank in ranks)))
                if (made.ceiling_minor is None or cost_minor <= made.ceiling_minor) and (best is None or order < best):
                    best = order
    return best


candidate = st.tuples(st.integers(0, 20), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))
many = st.one_of(st.lists(candidate, min_size=1, max_size=6), st.lists(candidate, min_size=13, max_size=15))


@settings(max_examples=150)
@given(
    many,
    st.tuples(st.integers(0, 6), st.integers(1, 6)),
    st.integers(1, 4),
    st.sampled_from([0, 60_000]),
    st.sampled_from([None, 140, 260]),
)
def test_the_whole_order_of_plans_holds_for_few_and_many_candidates(drawn, wanted, shipments, penalty, ceiling_minor):
    options = [Option(one.location_id, one.score, within(one, wanted), one.distance_m) for one in ranked(drawn)]
    made = limits(shipments=shipments, penalty=penalty, ceiling_minor=ceiling_minor, used=1)
    found = best_plan(options, wanted, limits=made, cost_of=cost_of)
    assert (None if found is None else found.order) == brute_force(options, wanted, made)


def test_beyond_exact_sizes_a_bounded_search_still_finds_a_plan(monkeypatch):
    # 40 candidates with one unit each of 6: far more sets than nodes.
    options = [option(f"loc_{index:02}", 900_000 - index, 1) for index in range(40)]
    monkeypatch.setattr(plans, "NODES_MAX", 1)
    found = best_plan(options, (6,), limits=limits(shipments=6), cost_of=cost_of)
    assert [rank for rank, _ in found.chosen] == [0, 1, 2, 3, 4, 5]


def test_a_first_plan_drops_parts_that_better_ranks_make_needless(monkeypatch):
    monkeypatch.setattr(plans, "NODES_MAX", 0)
    options = [option("a", 9, 2, 0, 1), option("b", 8, 0, 2, 1), option("c", 7, 2, 2, 0)]
    options += [option(f"z{index:02}", 1, 0, 0, 0) for index in range(12)]
    # The cover takes c for its four units, then a and b for the rest; by rank a and b leave c nothing.
    assert chosen(options, (2, 2, 2)) == {"a": (2, 0, 1), "b": (0, 2, 1)}


def test_no_first_plan_when_the_cover_runs_out_of_shipments():
    options = [option(f"z{index:02}", 9, 1) for index in range(20)]
    assert chosen(options, (5,)) is None


def test_the_bounded_search_stops_when_nothing_unfinished_can_beat_the_best():
    options = [option("a", 900_000, 1), option("b", 890_000, 2), *[option(f"z{rank:02}", 1, 2) for rank in range(12)]]
    assert chosen(options, (2,)) == {"b": (2,)}
