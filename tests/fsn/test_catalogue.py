"""`fsn catalogue`: a release, its way to a merchant's node, and grants, on a broker; refused in a worker's own words."""

import pytest

from fsn.catalogue import app
from schemas.records.catalogues import CatalogueActivated, CatalogueReleased
from schemas.records.network import EntitlementGranted, SupplierDefined
from tests.processors.routing.world import VARIANT, change, network

SUPPLIER, SPRING, MERCHANT, DRILL = "acme|supplier", "acme|cat_spring", "acme|merchant", "acme|var_a"
TOOLS = "acme|cat_tools"


@pytest.fixture
def desk(open_desk):
    opened, made = open_desk(app), network()
    drill = change(VARIANT, supplier_id=SUPPLIER, catalogue_id=SPRING, category_id=TOOLS, released_in=1)
    supplier = SupplierDefined(SUPPLIER, "Werkzeug AG", entitlements_required=True, activation_required=True)
    records = (*made.merchants.values(), supplier, drill, change(drill, variant_id="acme|var_b"))
    opened.publish(*(("k", record) for record in records))
    return opened


def said(desk, kind):
    return desk.records("network", kind)


@pytest.mark.timeout(120)
def test_a_release_comes_to_a_merchant_s_node(desk):
    assert desk("release", SPRING, SUPPLIER, "--comment", "spring") == f"{SPRING} version 1: 2 variants\n"
    assert "no: the merchant has not" not in desk("entitlements", MERCHANT, DRILL)  # a grant is missing first
    desk("grant", SUPPLIER, MERCHANT, "dropship")
    assert "has not imported a release" in desk("entitlements", MERCHANT, DRILL)
    assert "nothing is pending" in desk("activate", MERCHANT, SPRING, "--state", "imported", fails=True)
    desk("activate", MERCHANT, SPRING)
    assert f"{MERCHANT}: - (1)" in desk("show")
    desk("activate", MERCHANT, SPRING, "--state", "imported")
    assert f"{MERCHANT}: 1" in desk("show")
    assert desk("release", SPRING, SUPPLIER) == f"{SPRING} version 2: 2 variants\n"
    desk("activate", MERCHANT, SPRING)
    desk("activate", MERCHANT, SPRING, "--state", "withdrawn")
    assert [one.version for one in said(desk, CatalogueReleased)] == [1, 2]
    assert [(one.version, one.state) for one in said(desk, CatalogueActivated)] == [
        (1, "pending"),
        (1, "imported"),
        (2, "pending"),
        (2, "withdrawn"),
    ]
    assert "version 2 is the last one out" in desk("activate", MERCHANT, SPRING, "--version", "7", fails=True)


@pytest.mark.timeout(120)
def test_the_grant_that_holds_is_named(desk):
    def holds():
        return desk("entitlements", MERCHANT, DRILL)

    assert "no grant" in holds()
    desk("grant", SUPPLIER, MERCHANT, "dropship")
    assert f"the grant for the merchant {MERCHANT}" in holds()
    desk("grant", SUPPLIER, MERCHANT, "view_only", "--category", TOOLS)
    shown = holds()
    assert f"the grant for the category {TOOLS}" in shown
    assert "does not allow the merchant to order it" in shown
    desk("grant", SUPPLIER, MERCHANT, "order_allowed", "--product", DRILL)
    assert f"the grant for the product {DRILL}" in holds()
    desk("revoke", SUPPLIER, MERCHANT, "--product", DRILL)
    desk("revoke", SUPPLIER, MERCHANT, "--category", TOOLS)
    assert "the grant for the merchant" in holds()
    assert [one.retired for one in said(desk, EntitlementGranted)] == [False, False, False, True, True]


@pytest.mark.timeout(120)
def test_what_is_not_known_or_not_right_is_never_sent(desk):
    for arguments, problem in (
        (("release", SPRING, "acme|nobody"), "supplier acme|nobody is not in the reference data"),
        (("activate", "acme|nobody", SPRING), "merchant acme|nobody is not in the reference data"),
        (("activate", MERCHANT, "acme|cat_none"), "catalogue acme|cat_none is not in the reference data"),
        (("grant", SUPPLIER, MERCHANT, "everything"), "level 'everything' is unknown"),
        (("grant", SUPPLIER, MERCHANT, "dropship", "--product", "acme|none"), "variant acme|none is not in"),
        (("grant", SUPPLIER, MERCHANT, "dropship", "--product", DRILL, "--category", TOOLS), "not both"),
        (("revoke", SUPPLIER, MERCHANT), "has no such grant"),
        (("entitlements", MERCHANT, "acme|none"), "variant acme|none is not in the reference data"),
    ):
        assert problem in desk(*arguments, fails=True)
    assert said(desk, EntitlementGranted) == said(desk, CatalogueReleased) == said(desk, CatalogueActivated) == []


@pytest.mark.timeout(120)
def test_a_variant_of_a_later_release_holds_this_one_up(desk):
    ahead = change(VARIANT, variant_id="acme|var_c", supplier_id=SUPPLIER, catalogue_id=SPRING, released_in=3)
    desk.publish(("k", ahead))
    assert "acme|var_c is released in version 3, and this would be 1" in desk("release", SPRING, SUPPLIER, fails=True)
