"""Step 0: who is asked for stock, who is not, and why."""

import pytest

from processors.routing.candidate import needs_of
from processors.routing.shortlist import reason_of, shortlist
from processors.routing.words import Verdict
from processors.rules import Rules
from tests.processors.routing.world import ACCOUNT, FACTS, NOW, VARIANT, change, known, lines, location, network


def listed(made, **changes):
    return shortlist(change(FACTS, **changes), made, known(), NOW)


FAR = {"latitude_e6": 48_137_000, "longitude_e6": 11_575_000}  # Munich


@pytest.mark.parametrize(
    ("place", "order", "rules", "reason"),
    [
        ({"retired": True}, {}, {}, "retired"),
        ({}, {"fixed_location_id": "acme|loc_berlin"}, {}, "not_the_fixed_location"),
        ({}, {"excluded": ("acme|loc_x",)}, {}, "excluded"),
        ({}, {"country": "FR"}, {}, "country_not_served"),
        ({}, {}, {"forbidden_countries": (("DE", "DE"),)}, "country_forbidden"),
        ({"postcode_prefixes": ("2",)}, {}, {}, "postcode_not_served"),
        ({"carrier_account_ids": ()}, {}, {}, "no_account"),
        ({"carrier_account_ids": ("acme|nobody",)}, {}, {}, "no_account"),
        ({}, {"service": "freight"}, {}, "service_not_carried"),
        ({"services": ()}, {}, {}, "service_type_missing"),
        ({}, {"business": True}, {}, "capability_missing"),  # papers, unless a rule asks for none
        ({}, {"lines": lines(("unknown", 1))}, {}, "unknown_variant"),
        (FAR, {}, {"max_distance_m": 400_000}, "too_far"),
        ({"tier": 2}, {}, {}, "tier"),
        ({"tier": 2}, {"tier": 3}, {"max_tier": 1}, "tier"),
        # the first of several reasons
        ({"retired": True, "services": ()}, {}, {}, "retired"),
        ({"services": (), "carrier_account_ids": ()}, {}, {}, "no_account"),
    ],
)
def test_left_out(place, order, rules, reason):
    made = network(location("x", **place), rules=Rules(**rules))
    assert listed(made, **order).left_out == (("acme|loc_x", reason),)
    assert listed(made, **order).location_ids == ()


@pytest.mark.parametrize(
    ("place", "order", "rules"),
    [
        ({}, {}, {}),
        ({}, {"fixed_location_id": "acme|loc_x"}, {}),
        ({"country": "BE", "ships_to": ()}, {}, {"allowed_countries": (("BE", "DE"),)}),
        ({"postcode_prefixes": ("1", "2")}, {}, {}),
        ({"capabilities": ("b2b_papers",)}, {"business": True}, {}),
        ({}, {"business": True}, {"business_needs": ()}),
        ({"tier": 2}, {"tier": 2}, {}),
        ({"carrier_account_ids": (), "services": ("click_and_collect",)}, {"service_type": "click_and_collect"}, {}),
        (FAR, {}, {"max_distance_m": 600_000}),
    ],
)
def test_asked(place, order, rules):
    assert listed(network(location("x", **place), rules=Rules(**rules)), **order).location_ids == ("acme|loc_x",)


def test_nearest_first_then_by_id_and_no_more_than_the_limit():
    made = network(location("far", **FAR), location("b"), location("a"), rules=Rules(shortlist_max=2))
    found = listed(made)
    assert found.location_ids == ("acme|loc_a", "acme|loc_b")
    assert found.left_out == (("acme|loc_far", "limit"),)
    assert found.more_tiers


def test_fallback_raises_tier_by_tier_and_then_asks_the_next_nearest():
    made = network(location("a"), location("b", tier=2), location("c", tier=2, **FAR), rules=Rules(shortlist_max=2))
    assert (listed(made).location_ids, listed(made).more_tiers) == (("acme|loc_a",), True)
    second = listed(made, tier=2)
    assert (second.location_ids, second.more_tiers) == (("acme|loc_a", "acme|loc_b"), True)
    third = listed(made, tier=3)
    assert (third.location_ids, third.more_tiers) == (("acme|loc_c",), False)
    assert dict(third.left_out) == {"acme|loc_a": "limit", "acme|loc_b": "limit"}
    assert listed(made, tier=4).location_ids == ()


def test_tenants_never_see_each_other():
    foreign = change(location("x"), location_id="rival|loc_x")
    made = network(location("a"), foreign)
    found = listed(made)
    assert found.location_ids == ("acme|loc_a",)
    assert found.left_out == ()


def test_needs_of_all_variants_are_joined():
    made = network(
        location("a", capabilities=("hazmat",)),
        location("b", capabilities=("battery", "hazmat")),
        variants=(VARIANT, change(VARIANT, variant_id="acme|var_b", needs=("hazmat", "battery"))),
    )
    assert listed(made, lines=lines(("a", 1), ("b", 1))).location_ids == ("acme|loc_b",)


def test_many_lines_of_one_variant_ask_for_its_needs_once():
    """A hostile order of 60,000 lines took 6 s of its task when each line added its needs anew."""
    made = network(variants=(change(VARIANT, needs=("hazmat",)),))
    order = change(FACTS, business=True)
    needs = needs_of(("acme|var_a",) * 5_000, order, network=made, rules=Rules())
    assert needs == ("b2b_papers", "hazmat")


def test_an_account_without_exchange_rate_is_not_used():
    foreign = change(ACCOUNT, currency="CHF")
    assert listed(network(accounts=(foreign,))).left_out == (("acme|loc_berlin", "account_currency_unknown"),)
    rated = network(accounts=(foreign,), rules=Rules(exchange_rates_e6={"CHF": 1_050_000}))
    assert listed(rated).location_ids == ("acme|loc_berlin",)


@pytest.mark.parametrize(
    ("reasons", "verdict"),
    [
        ((), Verdict.NO_LOCATION),
        (("retired", "country_not_served", "no_account"), Verdict.NO_ACCOUNT),
        (("tier", "too_far"), Verdict.TIER),
        (("excluded", "too_far"), Verdict.EXCLUDED),
        (("a reason of another version",), Verdict.NO_LOCATION),
    ],
)
def test_why_a_shortlist_is_empty(reasons, verdict):
    assert reason_of(tuple(("acme|loc", reason) for reason in reasons)) is verdict
