"""Conformance: Shopify's published routing truth table (shared/anchors.md §2), on FSN's rules.

Stock of hats, shirts, mugs, shoes: New York 5/1/-/-, Los Angeles 0/5/1/-, Chicago 1/0/5/1, in this order of priority;
Pittsburgh 10 of each, not online. FSN says priority as a preference of locations for the channel. Where Shopify
oversells to the first priority (6 or 7 shirts from New York, which has one), FSN must not: it ships what there is from
where it is, or waits. With a split penalty FSN sends one of each in two parcels, where Shopify sends three.
"""

import pytest

from processors.rules import Rules
from tests.processors.routing.world import FACTS, VARIANT, change, decide, lines, location, network, shipped, stock

HAT, SHIRT, MUG, SHOE = "hat", "shirt", "mug", "shoe"
STOCK = stock(
    hat={"ny": 5, "la": 0, "chicago": 1, "pittsburgh": 10},
    shirt={"ny": 1, "la": 5, "chicago": 0, "pittsburgh": 10},
    mug={"la": 1, "chicago": 5, "pittsburgh": 10},
    shoe={"chicago": 1, "pittsburgh": 10},
)
PRIORITY = {"shop": ("acme|loc_ny", "acme|loc_la", "acme|loc_chicago")}


def routed(*wanted, **rules):
    made = network(
        *[location(place) for place in ("ny", "la", "chicago")],
        location("pittsburgh", services=()),
        rules=Rules(channel_preferences=PRIORITY, **rules),
        variants=tuple(change(VARIANT, variant_id=f"acme|var_{name}") for name in (HAT, SHIRT, MUG, SHOE)),
    )
    return decide(made, STOCK, change(FACTS, lines=lines(*wanted)))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([(SHIRT, 1)], {"ny": {1: 1}}),
        ([(SHIRT, 1), (MUG, 1)], {"la": {1: 1, 2: 1}}),
        ([(HAT, 1), (MUG, 1)], {"chicago": {1: 1, 2: 1}}),
        ([(SHIRT, 2)], {"la": {1: 2}}),
        ([(HAT, 2), (SHIRT, 2)], {"ny": {1: 2, 2: 1}, "la": {2: 1}}),
        # oversold to priority by Shopify: FSN must NOT
        ([(SHIRT, 6)], {"ny": {1: 1}, "la": {1: 5}}),
        ([(SHIRT, 7)], {}),
        # one of each: two parcels
        ([(HAT, 1), (SHIRT, 1), (MUG, 1), (SHOE, 1)], {"ny": {1: 1, 2: 1}, "chicago": {3: 1, 4: 1}}),
    ],
)
def test_truth_table(wanted, expected):
    assert {place: dict(units) for place, units in shipped(routed(*wanted)).items()} == expected


def test_seven_shirts_wait_for_stock():
    assert routed((SHIRT, 7)).reason == "stock_short"


def test_one_of_each_as_shopify_sends_it_when_priority_is_all_that_counts():
    alone = {f"weight_{name}": 0 for name in ("sla", "workload", "cost", "distance", "freshness")}
    outcome = routed((HAT, 1), (SHIRT, 1), (MUG, 1), (SHOE, 1), split_penalty=0, **alone, weight_stock=1)
    assert shipped(outcome) == {"ny": {1: 1, 2: 1}, "la": {3: 1}, "chicago": {4: 1}}
