"""Shadow rules: compared on the same inputs, among the locations that were asked, and without any effect."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from processors.network import RuleSet
from processors.routing.facts import Known, Offer, Shortlist
from processors.routing.pipeline import route
from processors.routing.shadow import ONLY_JUDGED, compare, same_shortlist
from processors.routing.shortlist import shortlist
from processors.rules import Rules
from schemas.records.operations import FeedStatusChanged
from tests.processors.routing.world import FACTS, NOW, change, location, network

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
    _, shadow = compared(Rules(shortlist_max=5), asked=(FAR,))
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


class Watched:
    """Rules that note which of them are read."""

    def __init__(self, rules):
        self._rules, self.read = rules, set()

    def __getattr__(self, name):
        self.read.add(name)
        return getattr(self._rules, name)


def test_no_shortlist_reads_a_rule_that_is_only_judged_by():
    watched = Watched(Rules())
    in_force = network(location("near"), location("far", ships_to=("AT",)))
    in_force.rule_sets["acme|rules"] = RuleSet("acme|rules", 1, watched)
    for facts in (FACTS, change(FACTS, business=True, country="AT", fixed_location_id=NEAR, tier=3)):
        shortlist(facts, in_force, KNOWN, NOW)
    assert {"max_distance_m", "shortlist_max", "forbidden_countries", "business_needs"} <= watched.read
    assert watched.read & ONLY_JUDGED == set()


RULES = st.builds(
    Rules,
    weight_distance=st.integers(0, 9),
    split_penalty=st.integers(0, 10**6),
    max_shipments=st.integers(1, 3),
    max_distance_m=st.sampled_from([None, 1, 300_000, 10**7]),
    shortlist_max=st.integers(1, 3),
    business_needs=st.sampled_from([(), ("b2b_papers",)]),
    forbidden_countries=st.sampled_from([(), (("DE", "DE"),), (("DE", "AT"),)]),
)


@given(RULES, RULES, st.booleans(), st.sampled_from(["DE", "AT"]))
def test_rules_that_promise_the_same_shortlist_keep_it(rules, others, business, country):
    facts = change(FACTS, business=business, country=country)
    places = location("near"), location("far", latitude_e6=50_000_000), location("wien", ships_to=("AT",))
    one, other = (shortlist(facts, network(*places, rules=made), KNOWN, NOW) for made in (rules, others))
    assert one == other or not same_shortlist(rules, others)


def test_rules_of_judgement_alone_promise_it_and_any_other_does_not():
    assert same_shortlist(Rules(), Rules(weight_cost=9, max_shipments=1, split_penalty=0))
    assert not same_shortlist(Rules(), Rules(max_distance_m=1))
