"""Which account carries a parcel: each filter in its order, preference before role before cost, and never by chance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.labels.resolver import preference, resolve
from processors.rules import Rules
from schemas.records.network import MerchantDefined
from tests.processors.routing.world import ACCOUNT, FACTS, VARIANT, change, network

DHL = ACCOUNT.account_id


def account(name, **changes):
    return change(ACCOUNT, account_id=f"acme|{name}", **changes)


def resolved(*accounts, pool=None, rules=None, weight_g=800, **facts):
    in_force = network(accounts=accounts or (ACCOUNT,), rules=rules or Rules())
    in_force.merchants["acme|rival"] = MerchantDefined("acme|rival", "Rival", "EUR", "DE", "acme|rules")
    names = pool or tuple(one.account_id for one in accounts or (ACCOUNT,))
    goods = [(change(VARIANT, weight_g=weight_g), 1)]
    return resolve(change(FACTS, **facts), names, goods=goods, network=in_force)


def verdicts(resolution):
    return {one.account_id.partition("|")[2]: one.verdict for one in resolution.candidates}


def chain(resolution):
    return [name.partition("|")[2] for name in resolution.chain]


@pytest.mark.parametrize(
    ("changes", "facts", "verdict"),
    [
        ({}, {}, ""),
        ({}, {"country": "NL"}, "zone_not_carried"),
        ({}, {"service": "overnight"}, "service_not_carried"),
        ({"daily_slots": 0}, {}, "account_without_slots"),
        ({"retired": True}, {}, "account_retired"),
        ({"outage": True}, {}, "outage"),
        ({"owner_id": "acme|rival"}, {}, "account_of_another"),
        ({"b2b_only": True}, {}, "account_business_only"),
        ({"b2b_only": True}, {"business": True}, ""),
        ({"currency": "PLN"}, {}, "account_currency_unknown"),
        ({"max_weight_g": 500}, {}, "parcel_too_large"),
        ({"max_weight_g": 800}, {}, ""),
        # of several failed filters the first in their order is told
        ({"retired": True, "outage": True, "b2b_only": True, "daily_slots": 0}, {"country": "NL"}, "zone_not_carried"),
        ({"retired": True, "b2b_only": True}, {}, "account_retired"),
    ],
)
def test_each_filter_in_its_order(changes, facts, verdict):
    found = resolved(account("one", **changes), **facts)
    assert verdicts(found) == {"one": verdict}
    assert chain(found) == ([] if verdict else ["one"])


def test_an_account_nobody_defined_has_a_verdict_too():
    found = resolved(ACCOUNT, pool=("acme|gone", DHL))
    assert verdicts(found)["gone"] == "no_account"
    assert found.chain == (DHL,)


def test_cost_ranks_and_equal_costs_go_by_name():
    cheap, dear = account("b", base_cost_minor=(300, 900)), account("a", base_cost_minor=(450, 900))
    twin = account("c", base_cost_minor=(300, 900))
    found = resolved(dear, twin, cheap)
    assert chain(found) == ["b", "c", "a"]
    assert [(one.cost_minor, one.score) for one in found.candidates] == [
        (350, 1_000_000),
        (350, 1_000_000),
        (500, 700_000),
    ]


def test_weight_counts_in_started_kilograms():
    light, heavy = account("a", cost_per_kg_minor=0), account("b", base_cost_minor=(100, 900), cost_per_kg_minor=200)
    assert chain(resolved(light, heavy, weight_g=1_000)) == ["b", "a"]
    assert chain(resolved(light, heavy, weight_g=1_001)) == ["a", "b"]


def test_a_fallback_comes_after_every_other_role():
    cheap_fallback = account("a", role="fallback", base_cost_minor=(1, 1))
    assert chain(resolved(cheap_fallback, account("b"), account("c", role="region"), account("d", role="odd"))) == [
        "b",
        "c",
        "a",
        "d",
    ]


def test_a_business_order_takes_business_accounts_first():
    accounts = account("a"), account("b", role="b2b", base_cost_minor=(900, 900))
    assert chain(resolved(*accounts)) == ["a", "b"]
    assert chain(resolved(*accounts, business=True)) == ["b", "a"]


def test_a_merchant_s_preference_comes_before_everything():
    accounts = account("a"), account("b", role="fallback", base_cost_minor=(900, 900))
    assert chain(resolved(*accounts, rules=Rules(label_preferences={"standard/DE": ("acme|b",)}))) == ["b", "a"]
    assert chain(resolved(*accounts, rules=Rules(label_preferences={"standard/AT": ("acme|b",)}))) == ["a", "b"]
    retired = account("b", retired=True)
    assert chain(resolved(accounts[0], retired, rules=Rules(label_preferences={"any": ("acme|b",)}))) == ["a"]


@pytest.mark.parametrize(
    ("key", "found"),
    [("standard/DE", ("x",)), ("standard", ("x",)), ("any", ("x",)), ("express", ()), ("standard/AT", ())],
)
def test_the_nearest_preference_counts(key, found):
    assert preference(Rules(label_preferences={key: ("x",)}), "standard", "DE") == found


def test_a_preference_for_the_country_hides_one_for_the_service():
    rules = Rules(label_preferences={"standard/DE": ("x",), "standard": ("y",), "any": ("z",)})
    assert [preference(rules, *asked) for asked in (("standard", "DE"), ("standard", "AT"), ("express", "AT"))] == [
        ("x",),
        ("y",),
        ("z",),
    ]


ACCOUNTS = st.lists(
    st.builds(
        lambda name, cost, role, retired, b2b: account(
            name, base_cost_minor=(cost, 900), role=role, retired=retired, b2b_only=b2b
        ),
        st.sampled_from("abcdef"),
        st.integers(0, 4).map(lambda step: step * 100),
        st.sampled_from(["primary", "fallback", "b2b", "region"]),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.account_id,
)


@given(ACCOUNTS, st.randoms(), st.booleans())
def test_the_order_of_the_pool_leaves_no_trace_and_nobody_is_forgotten(accounts, random, business):
    one = resolved(*accounts, business=business)
    shuffled = list(accounts)
    random.shuffle(shuffled)
    other = resolved(*shuffled, business=business)
    assert one.chain == other.chain
    assert sorted(verdicts(one).items()) == sorted(verdicts(other).items())
    assert len(one.candidates) == len(accounts)
    assert set(one.chain) == {candidate.account_id for candidate in one.candidates if not candidate.verdict}
    assert all(0 <= candidate.score <= 1_000_000 for candidate in one.candidates)
