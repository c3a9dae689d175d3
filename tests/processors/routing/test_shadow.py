"""Shadow rules: compared on the same inputs, among the locations that were asked, and without any effect."""

import msgspec

from processors.network import RuleSet
from processors.routing.facts import Known, Offer, Shortlist
from processors.routing.pipeline import route
from processors.routing.shadow import compare
from processors.rules import Rules
from schemas.records.operations import FeedStatusChanged
from tests.processors.routing.world import FACTS, NOW, location, network

NEAR, FAR = "acme|loc_near", "acme|loc_far"
KNOWN = Known(lambda name: FeedStatusChanged("", name, NOW, stale=False, as_of=NOW), lambda _: None)
OFFERS = {"acme|var_a": {name: Offer(9, NOW, stocked=True, gapped=False) for name in (NEAR, FAR)}}


def compared(shadow=None, *, asked=(NEAR, FAR), rules=None):
    in_force = network(location("near"), location("far", latitude_e6=50_000_000), rules=rules)
    if shadow is not None:
        in_force.shadows["acme|rules"] = RuleSet("acme|rules", 9, shadow)
    chosen = Shortlist(tuple(asked), (), more_tiers=False)
    found = route(FACTS, chosen, OFFERS, in_force, KNOWN, NOW)
    before = {name: dict(getattr(in_force, name)) for name in ("rule_sets", "shadows", "locations")}
    made = compare(FACTS, chosen, OFFERS, in_force, KNOWN, NOW, found=found)
    assert before == {name: getattr(in_force, name) for name in before}
    again = compare(FACTS, chosen, OFFERS, in_force, KNOWN, NOW, found=found)
    assert again == made
    assert route(FACTS, chosen, OFFERS, in_force, KNOWN, NOW) == found
    return found, made


def test_a_merchant_without_shadow_rules_is_compared_with_nothing():
    assert compared()[1] is None


def test_the_same_plan_agrees_whatever_it_scores():
    found, shadow = compared(Rules(weight_distance=9))
    assert (shadow.outcome, shadow.active_plan, shadow.shadow_version) == ("agrees", found.plan, 9)
    assert shadow.shadow_plan.score != shadow.active_plan.score


def test_another_plan_differs_and_both_are_told():
    found, shadow = compared(Rules(channel_preferences={"shop": (FAR,)}))
    assert shadow.outcome == "differs"
    assert [part.location_id for part in shadow.active_plan.parts] == [NEAR]
    assert [part.location_id for part in shadow.shadow_plan.parts] == [FAR]
    assert (shadow.active_reason, shadow.shadow_reason) == (found.reason, "routed")


def test_a_shadow_under_which_nothing_stands_differs():
    _, shadow = compared(Rules(forbidden_countries=(("DE", "DE"),)))
    assert (shadow.outcome, shadow.shadow_plan, shadow.shadow_reason) == ("differs", None, "country_forbidden")


def test_both_finding_nothing_agree():
    nothing = Rules(forbidden_countries=(("DE", "DE"),))
    _, shadow = compared(nothing, rules=nothing, asked=())
    assert (shadow.outcome, shadow.active_plan, shadow.shadow_plan) == ("agrees", None, None)


def test_a_shadow_that_would_ask_somebody_else_is_not_compared():
    _, shadow = compared(Rules(), asked=(FAR,))
    assert shadow.outcome == "unknown"
    assert [part.location_id for part in shadow.shadow_plan.parts] == [FAR]


def test_a_comparison_travels_packed():
    _, shadow = compared(Rules(weight_distance=9))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(shadow), type=type(shadow)) == shadow


def test_the_shadow_s_network_is_made_once_a_version():
    in_force = network(location("near"))
    in_force.shadows["acme|rules"] = RuleSet("acme|rules", 9, Rules())
    chosen = Shortlist((NEAR,), (), more_tiers=False)
    found = route(FACTS, chosen, OFFERS, in_force, KNOWN, NOW)
    for _ in range(2):
        compare(FACTS, chosen, OFFERS, in_force, KNOWN, NOW, found=found)
    assert len(in_force.cache["under_shadow"]) == 1
