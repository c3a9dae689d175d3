"""Released is not activated: what a merchant may order from a supplier's catalogue, and whose stock it may see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.network import LEVELS, Activation, Network, fold
from processors.reasons import Reason
from processors.routing.entitlements import is_imported, may_see_stock, order_verdict
from processors.routing.words import Verdict
from processors.usable import why_unusable
from processors.versions import ACTIVATION_STATES, Versions
from schemas.records.catalogues import CatalogueActivated, CatalogueReleased
from schemas.records.network import EntitlementGranted, SupplierDefined
from tests.processors.routing.world import VARIANT, change, decide, network, stock

SUPPLIER, SPRING, MERCHANT = "acme|supplier", "acme|cat_spring", "acme|merchant"
DRILL = change(VARIANT, supplier_id=SUPPLIER, catalogue_id=SPRING, released_in=2)
CLOSED = SupplierDefined(SUPPLIER, "Werkzeug AG", activation_required=True)
ILLEGAL, DIFFERS = Reason.ILLEGAL_TRANSITION, Reason.RECORD_DIFFERS


def released(version, *, supplier_id=SUPPLIER, catalogue_id=SPRING, variants=12_480):
    return CatalogueReleased(catalogue_id, supplier_id, version, variants, "spring")


def activated(version, state, *, merchant_id=MERCHANT):
    return CatalogueActivated(merchant_id, SPRING, version, state)


def said(*records, variant=DRILL):
    """The network after these, and why the last one was not taken."""
    versions, made, why = Versions(), network(variants=(variant,)), None
    for offset, record in enumerate(records, 8):
        why = versions.why_out_of_turn(record)
        if why is None:
            made = fold(made, [(offset, record)])
    return made, why


OUT = [CLOSED, released(1), released(2), released(3)]


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        ([CLOSED], Verdict.NOT_ACTIVATED),
        (OUT, Verdict.NOT_ACTIVATED),
        ([*OUT, activated(2, "pending")], Verdict.NOT_ACTIVATED),
        ([*OUT, activated(2, "pending"), activated(2, "imported")], Verdict.OK),
        (
            [*OUT, activated(1, "pending"), activated(1, "imported")],
            Verdict.NOT_ACTIVATED,
        ),  # it has come with the second
        ([*OUT, activated(3, "pending"), activated(3, "imported")], Verdict.OK),
        # the release it has stays its own while it waits for the next
        ([*OUT, activated(2, "pending"), activated(2, "imported"), activated(3, "pending")], Verdict.OK),
        ([*OUT, activated(2, "pending"), activated(2, "imported"), activated(2, "withdrawn")], Verdict.NOT_ACTIVATED),
        ([*OUT, activated(3, "pending", merchant_id="acme|other")], Verdict.NOT_ACTIVATED),
        ([SupplierDefined(SUPPLIER, "Werkzeug AG")], Verdict.OK),
        ([], Verdict.OK),
    ],
)
def test_a_variant_may_be_ordered_once_its_release_is_imported(records, verdict):
    made, why = said(*records)
    assert why is None
    assert order_verdict(made, MERCHANT, DRILL) is verdict


def test_what_is_in_no_catalogue_needs_no_release():
    made, _ = said(CLOSED)
    assert is_imported(made, MERCHANT, change(DRILL, catalogue_id=""))
    assert order_verdict(made, MERCHANT, change(DRILL, supplier_id=None)) is Verdict.OK


def test_entitlement_is_asked_for_first():
    both = SupplierDefined(SUPPLIER, "Werkzeug AG", entitlements_required=True, activation_required=True)
    made, _ = said(both)
    assert order_verdict(made, MERCHANT, DRILL) is Verdict.NOT_ENTITLED
    made, _ = said(both, EntitlementGranted(SUPPLIER, MERCHANT, "merchant", MERCHANT, "dropship"))
    assert order_verdict(made, MERCHANT, DRILL) is Verdict.NOT_ACTIVATED


def test_routing_says_which_of_the_two_is_missing():
    made, _ = said(*OUT)
    assert decide(made, stock(a={"berlin": 5})).reason == "not_activated"
    made, _ = said(*OUT, activated(2, "pending"), activated(2, "imported"))
    assert decide(made, stock(a={"berlin": 5})).reason == "routed"


@pytest.mark.parametrize(
    ("records", "reason", "words"),
    [
        ([released(2), released(1)], ILLEGAL, "version 2 is out: release version 3"),
        ([released(2), released(2, variants=1)], ILLEGAL, "version 2 is out: release version 3"),
        ([released(1), released(2, supplier_id="acme|rival")], DIFFERS, "it is acme|supplier's, not acme|rival's"),
        ([activated(1, "pending")], ILLEGAL, "it was never released: activate what is released"),
        ([released(1), activated(2, "pending")], ILLEGAL, "version 1 is the last one out"),
        ([released(1), activated(1, "imported")], ILLEGAL, "nothing is pending: ask for it before it is imported"),
        ([released(1), activated(1, "withdrawn")], ILLEGAL, "nothing is pending: ask for it before it is withdrawn"),
        (
            [released(2), activated(2, "pending"), activated(1, "imported")],
            ILLEGAL,
            "version 2 is pending: activate no older",
        ),
        (
            [released(2), activated(1, "pending"), activated(1, "imported"), activated(2, "imported")],
            ILLEGAL,
            "it is not pending: ask for it before it is imported",
        ),
        (
            [released(1), activated(1, "pending"), activated(1, "imported"), activated(1, "pending")],
            ILLEGAL,
            "it is imported already: ask for the next version",
        ),
    ],
)
def test_what_does_not_follow_is_refused_and_changes_nothing(records, reason, words):
    before, _ = said(*records[:-1])
    after, why = said(*records)
    assert why is not None
    assert why[0] is reason
    assert words in why[1]
    assert why[1].endswith("; what was in force stays so")
    assert (after.catalogues, after.activations) == (before.catalogues, before.activations)


@pytest.mark.parametrize(
    "records",
    [
        [released(1), released(1)],
        [released(1), activated(1, "pending"), activated(1, "pending")],
        [released(1), activated(1, "pending"), activated(1, "imported"), activated(1, "imported")],
        [released(1), activated(1, "pending"), activated(1, "withdrawn"), activated(1, "pending")],
    ],
)
def test_the_same_again_changes_nothing_and_a_way_back_is_open(records):
    assert said(*records)[1] is None


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (released(0), "version is 0: at least 1 is needed"),
        (released(1, variants=-1), "variants is -1: at least 0 is needed"),
        (released(1, supplier_id="other|supplier"), "catalogue and supplier belong to several tenants (acme, other)"),
        (activated(0, "pending"), "version is 0"),
        (activated(1, "live"), "state is 'live': it is one of pending, imported, withdrawn"),
        (activated(1, "pending", merchant_id="other|m"), "catalogue and merchant belong to several tenants"),
    ],
)
def test_what_can_never_be_right_is_unusable(record, problem):
    reason, words = why_unusable(record)
    assert reason is Reason.INVALID_VALUE
    assert problem in words
    assert why_unusable(released(1)) is None
    assert why_unusable(activated(1, "pending")) is None


@pytest.mark.parametrize("level", LEVELS)
def test_stock_is_seen_from_its_level_on(level):
    required = SupplierDefined(SUPPLIER, "Werkzeug AG", entitlements_required=True)
    made, _ = said(required, EntitlementGranted(SUPPLIER, MERCHANT, "merchant", MERCHANT, level))
    assert may_see_stock(made, MERCHANT, DRILL) is (LEVELS.index(level) >= LEVELS.index("stock_visible"))
    assert not may_see_stock(made, "acme|other", DRILL)
    assert may_see_stock(made, "acme|other", change(DRILL, supplier_id=None))
    assert may_see_stock(Network(), MERCHANT, DRILL)


RECORDS = st.one_of(
    st.builds(released, st.integers(1, 3)),
    st.builds(activated, st.integers(1, 3), st.sampled_from(ACTIVATION_STATES)),
)


@given(st.lists(RECORDS, max_size=15))
def test_nobody_ever_has_a_release_that_was_not_out(records):
    versions, made = Versions(), network()
    for offset, record in enumerate(records, 8):
        if versions.why_out_of_turn(record) is None:
            made = fold(made, [(offset, record)])
        activation = made.activations.get((MERCHANT, SPRING), Activation())
        out = made.catalogues[SPRING].version if SPRING in made.catalogues else 0
        assert max(activation.imported, activation.pending) <= out
