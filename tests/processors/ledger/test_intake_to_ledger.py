"""Intake and ledger together: money that knows only foreign references ends as the margin of its order."""

import itertools

import msgspec
import pytest

from processors.finance import STAGE as FINANCE
from processors.ledger.stage import STAGE as LEDGER
from schemas.records.finance import OrderReconciled, ReferenceLinked
from tests.processors.harness import Bench
from tests.processors.ledger.books import GRACE_MS, ORDER, alerts, closed, money, network, placed, published, shipped

PARCELS = ("acme|tracking|00340", "acme|tracking|00341")
LINKS = (
    ReferenceLinked("acme|marketplace|303", ORDER),
    ReferenceLinked(PARCELS[0], ORDER, "s1"),
    ReferenceLinked(PARCELS[1], ORDER, "s2"),
)
ORDERED = (placed(), shipped("s1", 745, 7_105), shipped("s2", 745, 7_105), closed())
MONEY = (
    money("settlement", 24_800, 0),
    money("shipping", 745, 0, record_id="dhl-1", account="acme|dhl", reference=PARCELS[0]),
    money("shipping", 845, 0, record_id="dhl-2", account="acme|dhl", reference=PARCELS[1]),
    money("fee", 350, 0, record_id="fee-1"),
    money("supplier_cost", 14_210, 0, record_id="sup-1"),
)


@pytest.mark.parametrize("order", list(itertools.permutations(("orders", "links", "money"))))
def test_bills_by_parcel_reconcile_per_shipment_whatever_comes_first(order):
    desk = Bench(FINANCE, LEDGER, network=network())
    for part in order:
        if part == "links":
            for link in LINKS:
                desk.send("reference-links", link.reference, link)
        elif part == "money":
            for record in MONEY:
                bare = msgspec.structs.replace(record, order_id=None, source=None)
                assert desk.send("settlements", record.reference, bare) is None
        else:
            for record in ORDERED:
                desk.send("order-facts" if hasattr(record, "shipment_id") else "orders", ORDER, record)
        for record in desk.take("order-events"):
            assert desk.send("order-events", record.order_id, record) is None
    desk.tick(desk.now_at + GRACE_MS)
    assert alerts(desk) == {("SHIPPING_OVERCHARGE", "s2", 745, 845)}
    assert published(desk, OrderReconciled)[-1].margin_minor == 24_800 - 745 - 845 - 350 - 14_210


def test_an_order_that_closed_itself_is_reconciled_like_one_its_merchant_closed():
    desk = Bench(LEDGER, network=network())
    desk.send("orders", ORDER, placed())
    desk.send("order-facts", ORDER, closed())
    desk.tick(desk.now_at + GRACE_MS)
    assert ("MISSING_SETTLEMENT",) in {alert[:1] for alert in alerts(desk)}
    assert published(desk, OrderReconciled)[-1].round == 1
