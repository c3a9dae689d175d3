"""Counterfactuals: each change told flips the decision to its location, and one less of it does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.routing.audit import unpack
from processors.routing.changes import Change, Inputs, Kind, apply, narrowed
from processors.routing.counterfactual import LOSERS_MAX, counterfactuals, evaluate, flips
from processors.routing.facts import Known, Shortlist
from processors.routing.geo import distance_m, point, turn_e6
from processors.rules import Rules
from schemas.records.network import WeightBand, ZoneRate
from tests.processors.routing.world import (
    ACCOUNT,
    DAY,
    FACTS,
    HOUR,
    MINUTE,
    NOW,
    VARIANT,
    change,
    known,
    lines,
    location,
    network,
    offer,
    stock,
)

MUNICH = {"latitude_e6": 48_137_000, "longitude_e6": 11_575_000}
TODAY = "2026-09-03"
B = "acme|loc_b"


def inputs(places, offers, *, heard=None, rules=None, order=None, **world):
    """An evaluation in which every place is asked."""
    made = network(
        *[location(name, **changes) for name, changes in places.items()], rules=Rules(**(rules or {})), **world
    )
    listed = Shortlist(tuple(f"acme|loc_{name}" for name in places), (), False)
    return Inputs(change(FACTS, **(order or {})), listed, offers, made, heard or known(), NOW)


def two(b=None, *, offers=None, a=None, **more):
    """Berlin (a) wins; b is the one that may differ."""
    return inputs({"a": a or {}, "b": b or {}}, offers or stock(a={"a": 5, "b": 5}), **more)


def told(given_inputs, place="b"):
    """The one loser's flip, as (kind, detail) -> amount."""
    flip = next(flip for flip in counterfactuals(given_inputs) if flip.location_id == f"acme|loc_{place}")
    return flip, {(one.kind.value, one.detail): one.amount for one in flip.changes}


def test_stock_is_told_in_units():
    flip, changes = told(inputs({"b": {}}, stock(a={"b": 1}), order={"lines": lines(("a", 5))}))
    assert flip.verdict == "lower_score"  # it passed every fence, and still no plan stands
    assert changes == {("stock", "acme|var_a"): 4}
    assert flip.changes[0].words == "4 more units of acme|var_a"


def test_the_cheapest_way_to_beat_the_winner_is_told_first():
    flip, changes = told(two({"handling_cost_minor": 220}))
    assert changes["cost", ""] == 121  # at 120 both cost the same, and the name decides
    assert flip.changes[0].kind is Kind.COST
    assert flip.changes[0].words == "1.21 EUR cheaper to send from there"


def test_a_stale_location_needs_a_fresher_heartbeat():
    late = stock(a={"b": offer(5, age_ms=17 * MINUTE)})
    flip, changes = told(inputs({"b": {}}, late))
    assert flip.verdict == "stale"
    assert changes == {("heartbeat", ""): 2 * MINUTE}
    assert flip.changes[0].words == "heartbeat 2 min fresher"


def test_a_heartbeat_that_was_heard_is_what_must_be_fresher():
    late = stock(a={"b": offer(5, age_ms=DAY)})
    flip, _ = told(inputs({"b": {}}, late, heard=known(heartbeats={"b": NOW - 16 * MINUTE - 500})))
    assert flip.changes[0].words == "heartbeat 1 min 1 s fresher"


def test_a_gapped_location_needs_a_count():
    flip, changes = told(inputs({"b": {}}, stock(a={"b": offer(5, gapped=True)})))
    assert (flip.verdict, changes) == ("gapped", {("count", ""): 1})
    assert flip.changes[0].words == "a count that closes the gap in its stock reports"


@pytest.mark.parametrize(("used", "cap", "missing"), [(100, 100, 1), (102, 100, 3)])
def test_a_full_location_needs_slots(used, cap, missing):
    flip, changes = told(inputs({"b": {}}, stock(a={"b": 5}), heard=known(loads={"b": (TODAY, used, cap)})))
    assert (flip.verdict, changes) == ("capacity_full", {("slots", ""): missing})
    assert flip.changes[0].words == f"{missing} more slot{'s' * (missing > 1)} today"


def test_a_far_location_must_be_nearer():
    flip, changes = told(inputs({"b": MUNICH}, stock(a={"b": 5}), rules={"max_distance_m": 500_000}))
    here = point(FACTS.latitude_e6, FACTS.longitude_e6)
    away = distance_m(here, point(MUNICH["latitude_e6"], MUNICH["longitude_e6"]))
    assert (flip.verdict, changes) == ("too_far", {("distance", ""): away - 500_000})
    assert flip.changes[0].words.endswith("km nearer")


def test_a_late_location_may_have_a_later_promise_or_less_handling():
    flip, changes = told(
        inputs({"b": {"handling_ms": 5 * HOUR}}, stock(a={"b": 5}), order={"promised_at": NOW + DAY + 8 * HOUR})
    )
    assert flip.verdict == "too_late"
    assert changes == {("handling", ""): HOUR, ("promise", ""): DAY}
    assert [one.words for one in flip.changes] == ["1 h less handling time", "promised 1 d later"]


def test_less_handling_is_less_on_every_weekday():
    week = (0, 0, 0, 5 * HOUR, 0, 0, 0)  # it is Thursday
    flip, changes = told(
        inputs({"b": {"weekday_handling_ms": week}}, stock(a={"b": 5}), order={"promised_at": NOW + DAY + 8 * HOUR})
    )
    assert flip.verdict == "too_late"
    assert changes == {("handling", ""): HOUR, ("promise", ""): DAY}


def test_the_ceiling_may_be_raised_or_the_location_cheaper():
    flip, changes = told(inputs({"b": {}}, stock(a={"b": 5}), order={"cost_ceiling_minor": 10_000}))
    assert changes == {("cost", ""): 620, ("ceiling", ""): 620}
    assert [one.words for one in flip.changes] == [
        "the order may cost 6.20 EUR more",
        "6.20 EUR cheaper to send from there",
    ]


@pytest.mark.parametrize(
    ("verdict", "words", "case"),
    [
        ("country_not_served", "may ship to NL", {"order": {"country": "NL"}}),
        ("country_forbidden", "may ship to DE", {"rules": {"forbidden_countries": (("DE", "DE"),)}}),
        ("postcode_not_served", "may ship to postcode area 10", {"b": {"postcode_prefixes": ("2",)}}),
        ("postcode_not_served", "may ship to postcode area 10", {"b": {"served_zones": ("DE:2",)}}),
        ("postcode_not_served", "may ship to postcode area 10", {"b": {"refused_zones": ("DE:1", "DE:2", "AT")}}),
        (
            "postcode_not_served",
            "may ship to postcode area 10",
            {"b": {"ships_to": ()}, "rules": {"allowed_zones": (("DE", "DE:2"),)}},
        ),
        (
            "postcode_forbidden",
            "may ship to postcode area 10",
            {"rules": {"zones": {"isles": ("DE:2", "DE:10")}, "forbidden_zones": (("DE", "isles"), ("AT", "DE:10"))}},
        ),
        ("no_account", "may use the carrier account acme|dhl", {"b": {"carrier_account_ids": ()}}),
        (
            "other_carrier_asked_for",
            "may use the carrier account acme|gls",
            {"order": {"carrier_preference": "gls"}, "rules": {"carrier_preference_required": True}, "gls": ("DE",)},
        ),
        (
            "parcel_too_large",
            "may use the carrier account acme|gls",
            {"variants": (change(VARIANT, length_mm=2_000),), "dhl": {"max_length_mm": 1_000}, "gls": ("DE",)},
        ),
        ("service_type_missing", "offers ship_from_warehouse", {"b": {"services": ()}}),
        ("capability_missing", "has hazmat", {"variants": (change(VARIANT, needs=("hazmat",)),)}),
    ],
)
def test_permissions(verdict, words, case):
    dhl = change(ACCOUNT, countries=("DE", "NL"), **case.pop("dhl", {}))
    carries = (dhl, change(ACCOUNT, account_id="acme|gls", carrier="gls", countries=case.pop("gls", ("FR",))))
    place = case.pop("b", {})
    flip, _ = told(inputs({"b": place}, stock(a={"b": 5}), accounts=carries, **case))
    assert (flip.verdict, [one.words for one in flip.changes]) == (verdict, [words])


def test_an_account_without_a_parcel_left_needs_one_or_another_account():
    accounts = (ACCOUNT, change(ACCOUNT, account_id="acme|gls"), change(ACCOUNT, account_id="acme|ups"))
    case = {"a": {"carrier_account_ids": ("acme|gls",)}, "b": {"handling_cost_minor": -500}}
    flip, changes = told(two(case["b"], a=case["a"], accounts=accounts, heard=known(full=("acme|dhl", "acme|ups"))))
    assert flip.verdict == "account_without_slots"
    assert changes == {("account", "acme|gls"): 1, ("parcels", "acme|dhl"): 1}
    assert flip.changes[1].words == "a parcel left today on the carrier account acme|dhl"


def test_one_carrier_account_is_named_of_several_that_would_do():
    accounts = (ACCOUNT, change(ACCOUNT, account_id="acme|express"))
    flip, _ = told(inputs({"b": {"carrier_account_ids": ()}}, stock(a={"b": 5}), accounts=accounts))
    assert [one.detail for one in flip.changes] == ["acme|dhl"]


@pytest.mark.parametrize(
    ("case", "fences"),
    [
        (
            {"offers": stock(a={"b": offer(5, age_ms=DAY)}), "heard": known(loads={"b": (TODAY, 9, 9)})},
            ("no slot is open today", "its stock was last confirmed too long ago"),
        ),
        (
            {"b": {"carrier_account_ids": (), "services": ()}},
            ("it has no carrier account", "it does not offer the service type"),
        ),
        ({"b": {"timezone": "Mars/Olympus"}}, ("its time zone is unknown",)),
        ({"b": {"working_days": ()}}, ("it has no working day on which it could ship",)),
        (
            {"b": {"marketplace": "amazon"}},
            ("it is a marketplace's own warehouse, which ships only what the marketplace sells",),
        ),
        ({"variants": ()}, ("the reference data does not know a variant of the order",)),
        ({"order": {"shipments_used": 3}}, ("not part of the best plan",)),
    ],
)
def test_where_no_single_change_suffices_the_fences_are_told(case, fences):
    flip, _ = told(inputs({"b": case.pop("b", {})}, case.pop("offers", stock(a={"b": 5})), **case))
    assert (flip.changes, flip.fences) == ((), fences)


def test_what_the_score_would_still_lack_is_told_behind_the_fences():
    flip, changes = told(two({"carrier_account_ids": (), **MUNICH}))
    assert changes == {}
    assert flip.fences[0] == "it has no carrier account"
    assert flip.fences[1].startswith("not part of the best plan: its score needs 0.04")


def test_the_search_is_bounded():
    places = {f"p{index}": {"latitude_e6": 52_520_000 - index} for index in range(LOSERS_MAX + 5)}
    flips_told = counterfactuals(inputs(places, {}))
    assert len(flips_told) == LOSERS_MAX


def test_two_capabilities_are_no_single_change():
    flip, _ = told(inputs({"b": {}}, stock(a={"b": 5}), variants=(change(VARIANT, needs=("cold", "hazmat")),)))
    assert flip.changes == ()
    lacks = "it lacks a capability the goods or the customer need (together these would do: has cold, has hazmat)"
    assert flip.fences == (lacks,)


def test_nothing_can_be_changed_of_a_location_the_reference_data_lost():
    lost = Inputs(FACTS, Shortlist(("acme|loc_b",), (), False), stock(a={"b": 5}), network(), known(), NOW)
    flip, _ = told(lost)
    assert (flip.changes, flip.fences) == ((), ("the reference data does not know the location",))


def test_of_several_variants_only_those_offered_can_be_stale():
    some = {"acme|var_a": stock(a={"b": offer(5, age_ms=16 * MINUTE)})["acme|var_a"], "acme|var_b": {}}
    flip, changes = told(inputs({"b": {}}, some))
    assert (flip.verdict, changes) == ("stale", {("heartbeat", ""): MINUTE})


def test_an_order_that_wants_nothing_has_no_losers():
    assert counterfactuals(two(order={"lines": ()})) == ()


def test_only_losers_are_told_of():
    assert [flip.location_id for flip in counterfactuals(two())] == [B]


def test_a_promise_or_ceiling_nobody_gave_cannot_be_moved():
    none = two(order={"promised_at": None})
    for kind in (Kind.PROMISE, Kind.CEILING):
        assert evaluate(apply(Change(kind, B, 5, "ms"), none)) == evaluate(none)


def test_a_location_that_never_reported_is_taken_to_report_now():
    flip, changes = told(inputs({"b": {}}, {}))
    assert changes == {("stock", "acme|var_a"): 2}
    assert flip.verdict == "no_stock"
    unstocked = stock(a={"b": offer(5, age_ms=DAY, stocked=False)})
    assert told(inputs({"b": {}}, unstocked))[1] == {("stock", "acme|var_a"): 2}


@pytest.mark.parametrize(
    ("kind", "amount", "words"),
    [
        (Kind.HEARTBEAT, 999, "heartbeat 999 ms fresher"),
        (Kind.PROMISE, DAY + 5 * HOUR + 1, "promised 1 d 5 h 1 s later"),
        (Kind.DISTANCE, 999, "999 m nearer"),
        (Kind.DISTANCE, 12_001, "12.1 km nearer"),
        (Kind.STOCK, 1, "1 more unit of v"),
        (Kind.CEILING, 100_005, "the order may cost 100005 JPY more"),
    ],
)
def test_words(kind, amount, words):
    assert Change(kind, B, amount, "JPY", "v").words == words


@given(st.integers(0, 20_000_000), st.integers(-90_000_000, 90_000_000))
def test_a_turn_is_as_long_as_its_distance(metres, latitude):
    assert distance_m(point(latitude, 0), point(latitude - turn_e6(metres), 0)) == metres


place = st.fixed_dictionaries(
    {},
    optional={
        "latitude_e6": st.integers(48_000_000, 54_000_000),
        "daily_slots": st.integers(0, 40),
        "handling_ms": st.sampled_from([0, HOUR, 5 * HOUR, 2 * DAY]),
        "handling_cost_minor": st.integers(-50, 900),
        "currency": st.sampled_from(["EUR", "CHF", "USD"]),
        "ships_to": st.sampled_from([("DE",), ("NL",)]),
        "postcode_prefixes": st.sampled_from([(), ("2",)]),
        "served_zones": st.sampled_from([(), ("DE:2",), ("DE:1",)]),
        "refused_zones": st.sampled_from([(), ("DE:10", "DE:4")]),
        "weekday_handling_ms": st.sampled_from([(), (0, 0, 0, 5 * HOUR, 0, 0, 0)]),
        "marketplace": st.sampled_from(["", "", "", "amazon"]),
        "services": st.sampled_from([("ship_from_warehouse",), ()]),
        "capabilities": st.sampled_from([(), ("hazmat",)]),
        "timezone": st.sampled_from(["Europe/Berlin", "Nowhere"]),
        "carrier_account_ids": st.sampled_from([("acme|dhl",), (), ("acme|dhl", "acme|express")]),
    },
)
claim = st.tuples(st.integers(0, 5), st.integers(0, 20 * MINUTE), st.booleans(), st.sampled_from([False, False, True]))


@st.composite
def evaluations(draw):
    """Up to five locations, most of them lacking something."""
    places = {f"p{index}": changes for index, changes in enumerate(draw(st.lists(place, min_size=1, max_size=5)))}
    variants = (VARIANT, change(VARIANT, variant_id="acme|var_b", needs=draw(st.sampled_from([(), ("hazmat",)]))))
    offers = {
        f"acme|var_{name}": {
            f"acme|loc_{place}": offer(units, age_ms=age, stocked=stocked or units > 2, gapped=gapped)
            for place in places
            for units, age, stocked, gapped in [draw(claim)]
        }
        for name in "ab"
    }
    heard = known(
        heartbeats={name: NOW - draw(st.integers(0, 30 * MINUTE)) for name in places if draw(st.booleans())},
        loads={
            name: (TODAY, draw(st.integers(0, 30)), draw(st.integers(0, 30))) for name in places if draw(st.booleans())
        },
        full=draw(st.sampled_from([(), (), ("acme|dhl",), ("acme|express",), ("acme|dhl", "acme|express")])),
    )
    rules = {
        "max_shipments": draw(st.integers(1, 3)),
        "splitting_allowed": draw(st.booleans()),
        "exchange_rates_e6": {"CHF": 1_050_000},
        "max_distance_m": draw(st.sampled_from([None, 200_000])),
        "forbidden_zones": draw(st.sampled_from([(), (("DE", "DE:10"),)])),
    }
    order = {
        "lines": lines(("a", draw(st.integers(1, 5))), ("b", draw(st.integers(0, 3)))),
        "promised_at": draw(st.sampled_from([None, NOW + DAY + 8 * HOUR, NOW + 4 * DAY])),
        "cost_ceiling_minor": draw(st.sampled_from([None, 20_000, 30_000])),
    }
    order["carrier_preference"] = draw(st.sampled_from(["", "", "ups"]))
    rules["carrier_preference_required"] = draw(st.booleans())
    express = change(ACCOUNT, account_id="acme|express", transit_days=(0, 1), base_cost_minor=(1_500, 2_000))
    express = change(express, carrier=draw(st.sampled_from(["dhl_express", "ups"])))
    express = change(express, max_weight_g=draw(st.sampled_from([0, 0, 1_000])))
    express = change(
        express, zone_rates=draw(st.sampled_from([(), (ZoneRate("DE:10", 0, 0, (WeightBand(900, 70),)),)]))
    )
    return inputs(places, offers, heard=heard, rules=rules, order=order, variants=variants, accounts=(ACCOUNT, express))


@settings(max_examples=60, deadline=None)
@given(evaluations(), st.integers(0, 10**9))
def test_each_change_flips_the_decision_and_less_of_it_does_not(evaluation, chance):
    before = evaluate(evaluation)
    won = set() if before.plan is None else {part.location_id for part in before.plan.parts}
    losers = counterfactuals(evaluation)
    assert {flip.location_id for flip in losers} == set(evaluation.shortlist.location_ids) - won
    for flip in losers:
        assert bool(flip.changes) is not bool(flip.fences)
        for one in flip.changes:
            flipped = evaluate(apply(one, evaluation)).plan
            assert one.location_id == flip.location_id
            assert flip.location_id in {part.location_id for part in flipped.parts}
            assert not flips(change(one, amount=one.amount - 1), evaluation) or one.amount == 1
            if one.amount > 1 and evaluation.facts.cost_ceiling_minor is None and one.kind is not Kind.PROMISE:
                assert not flips(change(one, amount=1 + chance % (one.amount - 1)), evaluation)
    assert evaluate(evaluation) == before  # what was asked was not changed


@settings(max_examples=30, deadline=None)
@given(evaluations())
def test_narrowed_to_its_shortlist_an_evaluation_is_the_same(evaluation):
    more = evaluation.network.locations | {"acme|loc_z": location("z")}
    evaluation.network.locations = more
    assert evaluate(narrowed(evaluation)) == evaluate(evaluation)
    assert unpack(evaluate(evaluation).audit).steps[0].candidates_in == len(evaluation.shortlist.location_ids)


def test_nobody_else_is_heard_differently():
    asked = []
    evaluation = two(heard=Known(asked.append, asked.append))
    evaluate(apply(Change(Kind.SLOTS, B, 1, "slots"), apply(Change(Kind.HEARTBEAT, B, 1, "ms"), evaluation)))
    assert "acme|loc_a" in asked
