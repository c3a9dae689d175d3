"""route(): eleven steps over real candidates; ties; fallback; odd reference data; determinism."""

import hashlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.routing.audit import unpack
from processors.routing.candidate import LANE_SETS_MAX, lanes_of
from processors.routing.facts import Known, Shortlist
from processors.routing.pipeline import route
from processors.routing.shortlist import shortlist
from processors.rules import Rules
from schemas.records.network import FeedDefined, PartnerDefined
from tests.processors.routing.world import (
    ACCOUNT,
    DAY,
    FACTS,
    HOUR,
    MINUTE,
    NOW,
    VARIANT,
    change,
    decide,
    known,
    lines,
    location,
    network,
    offer,
    shipped,
    stock,
)

MUNICH = {"latitude_e6": 48_137_000, "longitude_e6": 11_575_000}
LISTED = Shortlist(("acme|loc_x",), (), False)


def one(offers=None, *, place=None, rules=None, order=None, heard=None, now_at=NOW, **world):
    """One candidate, x, asked past the shortlist: what route() itself says of it."""
    made = network(location("x", **(place or {})), rules=Rules(**(rules or {})), **world)
    facts = change(FACTS, **(order or {}))
    return decide(
        made, stock(a={"x": 5}) if offers is None else offers, facts, heard=heard, listed=LISTED, now_at=now_at
    )


def test_the_plan_says_who_ships_what_by_whom_when_and_for_how_much():
    part = one().plan.parts[0]
    assert (part.location_id, part.account_id, part.carrier) == ("acme|loc_x", "acme|dhl", "dhl_parcel_de")
    assert [(line.line_no, line.variant_id, line.quantity) for line in part.lines] == [(1, "acme|var_a", 2)]
    assert part.cost_minor == (400 + 2 * 50) + (100 + 2 * 10) + 2 * 5_000  # 1.6 kg are two started kilograms
    assert part.ready_at == NOW + 4 * HOUR  # 10:00 + 2 h handling reaches the cut-off at 16:00 in Berlin, 14:00 UTC
    assert part.deliver_at == NOW + DAY + 8 * HOUR  # tomorrow by 20:00 in Berlin
    assert 1_000 < part.distance_m < 1_400
    assert part.attempt == 1


def test_the_score_is_made_of_all_ratings():
    outcome = one(heard=known(loads={"x": ("2026-09-03", 25, 100)}, heartbeats={"x": NOW - MINUTE}))
    trace = unpack(outcome.audit)
    rated = {step.name: step.candidates[0].rating for step in trace.steps if step.candidates[0].rating is not None}
    slack_ms = 3 * DAY - (DAY + 8 * HOUR)
    assert rated == {
        "stock": 1_000_000,
        "sla": 1_000_000 * slack_ms // (48 * HOUR),
        "capacity": 750_000,
        "cost": 1_000_000 * (2_000 - 620) // 2_000,
        "proximity": rated["proximity"],
        "freshness": 1_000_000,  # the item changed just now
    }
    weighted = 10 * rated["stock"] + 4 * rated["sla"] + 2 * rated["capacity"] + 6 * rated["cost"]
    weighted += 2 * rated["proximity"] + rated["freshness"]
    assert outcome.plan.score == weighted // 25
    assert outcome.plan.score == outcome.plan.parts[0].score


@pytest.mark.parametrize(
    ("reason", "case"),
    [
        ("stock_short", {"offers": {}}),
        ("stock_short", {"offers": stock(a={"x": 0})}),
        ("stock_short", {"offers": stock(a={"x": 1})}),
        ("stock_short", {"offers": stock(a={"x": 1}), "rules": {"splitting_allowed": False}}),
        ("stock_short", {"offers": stock(a={"x": offer(5, stocked=False)})}),
        ("country_not_served", {"order": {"country": "FR"}}),
        ("postcode_not_served", {"place": {"postcode_prefixes": ("2",)}}),
        ("retired", {"place": {"retired": True}}),
        ("too_late", {"order": {"promised_at": NOW + DAY}}),
        ("too_late", {"order": {"promised_at": NOW}, "place": {"carrier_account_ids": ()}}),  # without any transit
        ("never_ships", {"place": {"working_days": ()}}),
        ("never_ships", {"place": {"working_days": ()}, "order": {"promised_at": None}}),
        ("unknown_timezone", {"place": {"timezone": "Mars/Olympus"}}),
        ("no_account", {"place": {"carrier_account_ids": ()}}),
        ("account_retired", {"accounts": (change(ACCOUNT, retired=True),)}),
        ("account_of_another", {"accounts": (change(ACCOUNT, owner_id="acme|other"),)}),
        ("service_type_missing", {"place": {"services": ()}}),
        ("capability_missing", {"variants": (change(VARIANT, needs=("hazmat",)),)}),
        ("unknown_variant", {"variants": ()}),
        ("capacity_full", {"heard": known(loads={"x": ("2026-09-03", 100, 100)})}),
        ("capacity_full", {"place": {"daily_slots": 0}}),
        ("over_cost_ceiling", {"order": {"cost_ceiling_minor": 5_000}}),  # one unit alone costs more
        ("over_cost_ceiling", {"order": {"cost_ceiling_minor": 10_000}}),  # one unit would do, two do not
        ("over_cost_ceiling", {"order": {"cost_ceiling_minor": 10_000}, "rules": {"splitting_allowed": False}}),
        ("currency_unknown", {"place": {"currency": "CHF"}}),
        ("currency_unknown", {"variants": (change(VARIANT, currency="CHF"),)}),
        ("currency_unknown", {"order": {"currency": "CHF", "cost_ceiling_minor": 99_999}}),
        ("too_far", {"rules": {"max_distance_m": 100}}),
        ("stale", {"offers": stock(a={"x": offer(5, age_ms=15 * MINUTE + 1)})}),
        ("gapped", {"offers": stock(a={"x": offer(5, gapped=True)})}),
        ("freshness_unknown", {"partner": None}),
        ("nothing_wanted", {"order": {"lines": lines(("a", 0), ("a", -3))}}),
        ("too_many_shipments", {"order": {"shipments_used": 3}}),
    ],
)
def test_no_plan(reason, case):
    outcome = one(**case)
    assert outcome.plan is None
    assert outcome.reason == reason
    assert unpack(outcome.audit).reason == reason
    assert unpack(outcome.audit).winner == ()


@pytest.mark.parametrize(
    "case",
    [
        {"offers": stock(a={"x": offer(5, age_ms=15 * MINUTE)})},  # exactly at the limit
        {"offers": stock(a={"x": offer(5, age_ms=DAY)}), "heard": known(heartbeats={"x": NOW - MINUTE})},
        {"order": {"promised_at": NOW + DAY + 8 * HOUR}},  # just in time
        {"heard": known(loads={"x": ("2026-09-02", 100, 100)})},  # yesterday was full
        {"heard": known(loads={"x": ("2026-09-03", 99, 100)})},
        {"order": {"cost_ceiling_minor": 10_620}},
        {"order": {"cost_ceiling_minor": 10_620}, "rules": {"splitting_allowed": False}},
        {
            "order": {"currency": "CHF", "cost_ceiling_minor": 11_000},
            "rules": {"exchange_rates_e6": {"CHF": 1_050_000}},
        },
        # the default rules, and the order's own currency
        {"order": {"merchant_id": "acme|unheard_of"}, "accounts": (change(ACCOUNT, owner_id="acme|partner"),)},
        {"order": {"lines": lines(("a", 2), ("a", 3))}},
        {"order": {"shipments_used": 2}},
        {"place": {"handling_ms": -5}},
    ],
)
def test_a_plan_stands(case):
    assert one(**case).reason == "routed"


def test_demand_is_summed_per_variant():
    assert one(order={"lines": lines(("a", 3), ("a", 3))}).reason == "stock_short"
    assert shipped(one(order={"lines": lines(("a", 3), ("a", 2))})) == {"x": {1: 3, 2: 2}}


def test_click_and_collect_needs_no_carrier():
    collect = "click_and_collect"
    place = {"services": (collect,), "carrier_account_ids": ()}
    part = one(place=place, order={"service_type": collect, "promised_at": NOW + 4 * HOUR}).plan.parts[0]
    assert (part.account_id, part.carrier) == ("", "")
    assert part.deliver_at == part.ready_at == NOW + 4 * HOUR
    assert part.cost_minor == 100 + 2 * 10 + 2 * 5_000


def test_without_a_promise_slack_is_measured_against_an_assumed_one():
    trace = unpack(one(order={"promised_at": None}).audit)
    assert trace.steps[2].candidates[0].measure == 5 * DAY - (DAY + 8 * HOUR)


def test_slow_accounts_are_left_aside_when_only_the_dear_one_keeps_the_promise():
    fast = change(ACCOUNT, account_id="acme|express", base_cost_minor=(1_500, 2_000))
    slow = change(ACCOUNT, transit_days=(4, 4))
    place = {"carrier_account_ids": ("acme|dhl", "acme|express")}
    accounts = (slow, fast)
    assert one(place=place, accounts=accounts).plan.parts[0].account_id == "acme|express"
    unhurried = {"promised_at": NOW + 9 * DAY}
    assert one(place=place, accounts=accounts, order=unhurried).plan.parts[0].account_id == "acme|dhl"


def test_after_the_cutoff_and_over_the_weekend():
    friday_evening = NOW + DAY + 8 * HOUR
    fresh = stock(a={"x": change(offer(5), updated_at=friday_evening)})
    part = one(fresh, order={"promised_at": None}, now_at=friday_evening).plan.parts[0]
    assert part.ready_at == NOW + 4 * DAY + 4 * HOUR  # Monday 16:00
    assert part.deliver_at == NOW + 5 * DAY + 8 * HOUR  # Tuesday


def test_a_fixed_location_skips_rating_but_not_fences():
    outcome = one(order={"fixed_location_id": "acme|loc_x"})
    assert outcome.plan.score == 1_000_000
    assert all(step.candidates[0].rating is None for step in unpack(outcome.audit).steps)
    assert one(stock(a={"x": offer(5, gapped=True)}), order={"fixed_location_id": "acme|loc_x"}).reason == "gapped"


def test_a_stale_item_is_not_shipped_from_a_location_that_ships_the_rest():
    made = network(location("a"), location("b", **MUNICH), variants=(VARIANT, change(VARIANT, variant_id="acme|var_b")))
    offers = stock(a={"a": 5, "b": 5}, b={"a": offer(5, gapped=True), "b": 5})
    facts = change(FACTS, lines=lines(("a", 1), ("b", 1)))
    rated = dict(unpack(decide(made, offers, facts).audit).scores)
    assert shipped(decide(made, offers, facts)) == {"b": {1: 1, 2: 1}}
    assert rated["acme|loc_a"] is not None
    alone = decide(network(location("a"), variants=tuple(made.variants.values())), offers, facts)
    assert alone.reason == "gapped"
    strict = network(location("a"), variants=tuple(made.variants.values()), rules=Rules(splitting_allowed=False))
    assert decide(strict, offers, facts).reason == "gapped"


def test_the_strictest_feed_sets_the_limit():
    made = network(location("x"))
    made.feeds["strict"] = FeedDefined("strict", "acme|partner", "acme|loc_x", "none", "none", False, MINUTE)
    made.feeds["lost"] = FeedDefined("lost", "acme|nobody", "acme|loc_x", "none", "none")
    assert decide(made, stock(a={"x": offer(5, age_ms=2 * MINUTE)}), listed=LISTED).reason == "stale"
    silent = network(location("x"), partner=PartnerDefined("acme|partner", "FP", "DE", MINUTE))
    silent.feeds.clear()
    assert decide(silent, stock(a={"x": offer(5, age_ms=2 * MINUTE)}), listed=LISTED).reason == "stale"


@pytest.mark.parametrize(
    ("places", "rules", "winner"),
    [
        ([("a", {}), ("b", MUNICH)], {}, "a"),  # nearer
        ([("a", {"handling_cost_minor": 900}), ("b", {})], {}, "b"),  # cheaper
        ([("b", {}), ("a", {})], {}, "a"),  # all equal: location_id
        # equal scores: lower cost, then nearer
        ([("a", {"handling_cost_minor": 900}), ("b", MUNICH)], {"weight_cost": 0, "weight_distance": 0}, "b"),
        ([("a", MUNICH), ("b", {})], {"weight_distance": 0}, "b"),
        # the merchant prefers one for the channel
        ([("a", {}), ("b", MUNICH)], {"channel_preferences": {"shop": ("acme|loc_b",)}}, "b"),
        ([("a", {}), ("b", MUNICH)], {"channel_preferences": {"otto": ("acme|loc_b",)}}, "a"),
    ],
)
def test_winner(places, rules, winner):
    made = network(*[location(name, **changes) for name, changes in places], rules=Rules(**rules))
    assert list(shipped(decide(made, stock(a={"a": 5, "b": 5})))) == [winner]


def test_a_lower_load_wins():
    made = network(location("a"), location("b"))
    heard = known(loads={"a": ("2026-09-03", 50, 100)})
    assert list(shipped(decide(made, stock(a={"a": 5, "b": 5}), heard=heard))) == ["b"]


def test_units_of_one_line_split_only_when_splitting_is_on():
    offers = stock(a={"a": 1, "b": 1})
    assert shipped(decide(network(location("a"), location("b")), offers)) == {"a": {1: 1}, "b": {1: 1}}
    whole = network(location("a"), location("b"), rules=Rules(splitting_allowed=False))
    assert decide(whole, offers).reason == "stock_short"


@pytest.mark.parametrize(
    ("rules", "more_tiers", "reason", "fallback"),
    [
        ({"max_shipments": 1}, False, "too_many_shipments", "backorder"),
        ({"max_shipments": 1, "backorder_allowed": False}, False, "too_many_shipments", "park"),
        ({"max_shipments": 1, "max_shipments_fallback": 2}, True, "too_many_shipments", "next_tier"),
        ({"max_shipments": 1, "max_shipments_fallback": 2}, False, "routed", "split_wider"),
        ({"max_shipments": 2}, False, "routed", "not_needed"),
    ],
)
def test_fallback(rules, more_tiers, reason, fallback):
    made = network(location("a"), location("b"), rules=Rules(**rules))
    listed = Shortlist(("acme|loc_a", "acme|loc_b"), (), more_tiers)
    outcome = decide(made, stock(a={"a": 1, "b": 1}), listed=listed)
    assert (outcome.reason, unpack(outcome.audit).fallback) == (reason, fallback)


def test_an_empty_shortlist_says_why():
    assert decide(network(location("a", tier=2)), {}).reason == "tier"
    assert decide(network(location("a")), {}, listed=Shortlist((), (), False)).reason == "no_location"


def test_a_location_the_reference_data_lost_is_a_candidate_that_fails():
    outcome = decide(network(), stock(a={"gone": 5}), listed=Shortlist(("acme|loc_gone",), (), False))
    assert (outcome.reason, outcome.candidates) == ("unknown_location", 1)


def test_lanes_are_kept_with_their_version_and_bounded():
    made = network()
    assert lanes_of(made, FACTS) is lanes_of(made, FACTS)
    for number in range(LANE_SETS_MAX):
        lanes_of(made, change(FACTS, country=f"{number}"))
    assert len(made.cache["lanes"]) <= LANE_SETS_MAX


def test_a_lane_keeps_few_days():
    made = network(location("x"))
    for day in range(20):
        at = NOW + day * DAY
        facts = change(FACTS, promised_at=None)
        assert decide(made, stock(a={"x": change(offer(5), updated_at=at)}), facts, listed=LISTED, now_at=at).plan
    assert len(lanes_of(made, change(FACTS, promised_at=None))["acme|loc_x"].schedules) <= 8


def seven():
    """Seven candidates, some stale, full, far, dear or out of stock."""
    places = [location(f"p{index}", latitude_e6=52_520_000 - 300_000 * index) for index in range(5)]
    places += [location("p5", handling_cost_minor=700), location("p6", tier=2)]
    made = network(*places, variants=(VARIANT, change(VARIANT, variant_id="acme|var_b", weight_g=2_100)))
    offers = stock(
        a={"p0": 1, "p1": 4, "p2": 0, "p3": 3, "p4": offer(9, age_ms=DAY), "p5": 2},
        b={"p0": 2, "p1": offer(1, gapped=True), "p3": 1, "p5": 1, "p6": 8},
    )
    heard = known(
        heartbeats={"p3": NOW - 5 * MINUTE}, loads={"p0": ("2026-09-03", 100, 100), "p1": ("2026-09-03", 9, 90)}
    )
    return made, offers, change(FACTS, lines=lines(("a", 3), ("b", 1), ("a", 1))), heard


def test_golden():
    """The whole evaluation, bit by bit. A change here is a change of what replays say: it needs a new audit layout
    or a reason in CHANGELOG.md."""
    made, offers, facts, heard = seven()
    outcome = decide(made, offers, facts, heard=heard)
    assert shipped(outcome) == GOLDEN_PLAN
    assert hashlib.sha1(outcome.audit).hexdigest() == GOLDEN_AUDIT
    assert outcome.inputs_digest == GOLDEN_INPUTS
    assert len(outcome.audit) <= 4_096


GOLDEN_PLAN = {"p1": {3: 1}, "p3": {1: 3, 2: 1}}
GOLDEN_AUDIT = "f3a0e2e02d9fecc8dde7c8d5c3e1121411dcc822"
GOLDEN_INPUTS = "7c1e0fb1157e846806e7f811ecdf98bf61a60593"


@settings(max_examples=60)
@given(st.integers(0, 10**9))
def test_no_order_of_candidates_or_mappings_changes_a_byte(seed):
    made, offers, facts, heard = seven()
    expected = decide(made, offers, facts, heard=heard)
    shuffled = Random(seed)

    def mixed(mapping):
        entries = list(mapping.items())
        shuffled.shuffle(entries)
        return dict(entries)

    listed = shortlist(facts, made, heard, NOW)
    ids, left_out = list(listed.location_ids), listed.left_out
    shuffled.shuffle(ids)
    for name in ("locations", "accounts", "variants", "feeds", "partners"):
        setattr(made, name, mixed(getattr(made, name)))
    made.cache.clear()
    offers = {variant: mixed(places) for variant, places in mixed(offers).items()}
    again = route(facts, Shortlist(tuple(ids), left_out, listed.more_tiers), offers, made, heard, NOW)
    assert again == expected
    assert shortlist(facts, made, heard, NOW) == listed


places_strategy = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "latitude_e6": st.integers(-(10**9), 10**9),
            "timezone": st.sampled_from(["Europe/Berlin", "America/New_York", "Nowhere", ""]),
            "tier": st.integers(-1, 4),
            "daily_slots": st.integers(-1, 3),
            "cutoff_minute": st.integers(-100, 2_000),
            "working_days": st.sampled_from([(), (1,), (1, 2, 3, 4, 5), (0, 8)]),
            "handling_ms": st.sampled_from([-1, 0, HOUR, 10**15]),
            "handling_cost_minor": st.integers(-100, 5_000),
            "currency": st.sampled_from(["EUR", "CHF", "?"]),
            "carrier_account_ids": st.sampled_from([(), ("acme|dhl",), ("acme|dhl", "acme|dhl", "x")]),
            "partner_id": st.sampled_from(["acme|partner", "acme|nobody"]),
            "retired": st.booleans(),
        },
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150)
@given(
    places_strategy,
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(-1, 4)), max_size=3),
    st.lists(
        st.tuples(st.integers(-1, 5), st.integers(-DAY, DAY), st.booleans(), st.booleans()), min_size=12, max_size=12
    ),
    st.sampled_from([None, NOW, NOW + 2 * DAY, NOW + 30 * DAY]),
    st.sampled_from([None, 0, 6_000, 50_000]),
    st.integers(0, 3),
)
def test_it_never_raises_never_oversells_and_stays_in_range(places, wanted, claims, promised_at, ceiling, used):
    made = network(*[location(f"p{index}", **changes) for index, changes in enumerate(places)])
    offers = {
        f"acme|var_{name}": {
            f"acme|loc_p{index}": change(
                offer(claims[index + shift][0], gapped=claims[index + shift][3]), updated_at=NOW + claims[index][1]
            )
            for index in range(len(places))
        }
        for name, shift in (("a", 0), ("b", 6))
    }
    facts = change(
        FACTS, lines=lines(*wanted), promised_at=promised_at, cost_ceiling_minor=ceiling, shipments_used=used
    )
    outcome = decide(made, offers, facts)
    trace = unpack(outcome.audit)
    assert len(trace.steps) == 11
    if outcome.plan is None:
        assert outcome.reason != "routed"
        return
    assert 0 <= outcome.plan.score <= 1_000_000
    assert len(outcome.plan.parts) + used <= 3
    assert ceiling is None or outcome.plan.cost_minor <= ceiling
    assert [part.location_id for part in outcome.plan.parts] == sorted(
        {part.location_id for part in outcome.plan.parts}
    )
    taken, placed = {}, {}
    for part in outcome.plan.parts:
        assert 0 <= part.score <= 1_000_000
        assert part.ready_at <= part.deliver_at
        for line in part.lines:
            assert line.quantity > 0
            taken[line.variant_id, part.location_id] = taken.get((line.variant_id, part.location_id), 0) + line.quantity
            placed[line.line_no] = placed.get(line.line_no, 0) + line.quantity
    for (variant_id, location_id), units in taken.items():
        assert units <= offers[variant_id][location_id].available
        assert not offers[variant_id][location_id].gapped
    assert placed == {demand.line_no: demand.quantity for demand in facts.lines if demand.quantity > 0}


def test_nothing_is_read_of_those_a_fence_has_stopped():
    asked = []
    heard = Known(asked.append, asked.append)
    decide(network(location("a"), location("b")), stock(a={"a": 5}), heard=heard)
    assert asked == ["acme|loc_a", "acme|loc_a"]
