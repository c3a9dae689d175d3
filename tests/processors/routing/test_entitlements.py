"""What suppliers let merchants do: levels, scopes, the most specific grant, revocation, and what routing makes of it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.network import LEVELS, RANK, Network, fold
from processors.reasons import Reason
from processors.routing.entitlements import NOT_GRANTED, rank_of
from processors.usable import why_unusable
from schemas.records.network import EntitlementGranted, SupplierDefined, VariantDefined
from tests.processors.routing.world import VARIANT, change, decide, network, shipped, stock

SUPPLIER = SupplierDefined("acme|supplier", "Werkzeug AG", entitlements_required=True)
DRILL = change(VARIANT, supplier_id="acme|supplier", category_id="acme|tools")
NORDWIND, BAUHOF = "acme|nordwind", "acme|bauhof"


def grant(
    level: str, scope: str = "merchant", scope_id: str = "", *, to: str = "acme|merchant", retired: bool = False
) -> EntitlementGranted:
    return EntitlementGranted("acme|supplier", to, scope, scope_id or to, level, retired)


def with_records(*records: SupplierDefined | EntitlementGranted, variant: VariantDefined = DRILL) -> Network:
    return fold(network(variants=(variant,)), list(enumerate(records, 8)))


def level(made: Network, merchant_id: str, variant: VariantDefined = DRILL) -> str:
    rank = rank_of(made, merchant_id, variant)
    return "none" if rank == NOT_GRANTED else LEVELS[rank]


def test_the_grants_of_the_suppliers_example():
    made = with_records(
        SUPPLIER,
        grant("dropship", to=NORDWIND),
        grant("order_allowed", to=BAUHOF),
        grant("view_only", "category", "acme|tools", to=BAUHOF),
    )
    apron = change(DRILL, variant_id="acme|var_apron", category_id="")
    assert level(made, NORDWIND) == "dropship"
    assert level(made, BAUHOF) == "view_only", "the category's grant wins, although the merchant's allows more"
    assert level(made, BAUHOF, apron) == "order_allowed"
    assert level(made, "acme|stranger") == "none"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(LEVELS),
            st.sampled_from(
                [
                    ("product", "acme|var_a"),
                    ("product", "acme|var_b"),
                    ("category", "acme|tools"),
                    ("category", "acme|paint"),
                    ("merchant", "acme|merchant"),
                ]
            ),
            st.booleans(),
        )
    ),
    st.sampled_from(["", "acme|tools", "acme|paint"]),
)
def test_the_level_is_that_of_the_most_specific_grant_in_force(said, category_id):
    grants = [grant(level, scope, scope_id, retired=retired) for level, (scope, scope_id), retired in said]
    made = with_records(SUPPLIER, *grants)
    variant = change(DRILL, category_id=category_id)
    expected = "none"
    for scope, scope_id in (("merchant", "acme|merchant"), ("category", category_id), ("product", "acme|var_a")):
        last = [one for one in grants if (one.scope, one.scope_id) == (scope, scope_id)][-1:]
        if last and not last[0].retired:
            expected = last[0].level
    assert level(made, "acme|merchant", variant) == expected


@pytest.mark.parametrize("told", LEVELS)
def test_only_order_allowed_and_above_are_routed(told):
    outcome = decide(with_records(SUPPLIER, grant(told)), stock(a={"berlin": 5}))
    routed = RANK[told] >= RANK["order_allowed"]
    assert outcome.reason == ("routed" if routed else "not_entitled")
    assert shipped(outcome) == ({"berlin": {1: 2}} if routed else {})


@pytest.mark.parametrize(
    ("supplier", "variant"),
    [
        (SUPPLIER, change(DRILL, supplier_id=None)),
        (SUPPLIER, change(DRILL, supplier_id="acme|undeclared")),
        (change(SUPPLIER, entitlements_required=False), DRILL),
    ],
)
def test_own_goods_and_open_catalogues_need_no_grant(supplier, variant):
    assert decide(with_records(supplier, variant=variant), stock(a={"berlin": 5})).reason == "routed"


def test_a_revocation_holds_from_the_next_record_and_lets_the_wider_grant_hold_again():
    allowed = with_records(SUPPLIER, grant("order_allowed"), grant("dropship", "product", "acme|var_a"))
    narrowed = fold(allowed, [(20, grant("dropship", "product", "acme|var_a", retired=True))])
    revoked = fold(narrowed, [(21, grant("order_allowed", retired=True))])
    twice = fold(revoked, [(22, grant("order_allowed", retired=True))])
    offers = stock(a={"berlin": 5})
    assert [level(made, "acme|merchant") for made in (allowed, narrowed, revoked)] == [
        "dropship",
        "order_allowed",
        "none",
    ]
    assert [decide(made, offers).reason for made in (allowed, narrowed, revoked, twice)] == [
        "routed",
        "routed",
        "not_entitled",
        "not_entitled",
    ]


@pytest.mark.parametrize(
    ("record", "detail"),
    [
        (grant("everything"), "level 'everything' is unknown"),
        (grant("dropship", "brand", "acme|b"), "scope 'brand' is unknown"),
        (grant("dropship", "merchant", "acme|other"), "names the merchant itself"),
        (grant("dropship", "product", "rival|var"), "belong to several tenants (acme, rival)"),
    ],
)
def test_a_grant_that_cannot_be_used_says_why(record, detail):
    why = why_unusable(record)
    assert why is not None
    assert (why[0], detail in why[1]) == (Reason.INVALID_VALUE, True), why


def test_usable_grants_pass():
    for scope, scope_id in (("product", "acme|var_a"), ("category", "acme|tools"), ("merchant", "acme|merchant")):
        assert why_unusable(msgspec.structs.replace(grant("dropship"), scope=scope, scope_id=scope_id)) is None
