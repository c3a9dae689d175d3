"""Labels through the whole topology, on several partitions: exactly the cap on each account, the rest on the next one."""

import msgspec

from fsn.declaration import load_topology
from processors.pipeline import STAGES
from processors.rules import Rules
from schemas.records.assignments import AssignmentAccepted, AssignmentOffered, ItemQuantity
from schemas.records.labels import LabelCancelled, LabelCreated, LabelRequested, LabelResolved
from schemas.records.network import RuleSetPublished
from schemas.records.orders import OrderCancelled
from schemas.records.stock import StockDelta
from streams.testing import TopologyDriver
from tests.fsn.explained import placed
from tests.processors.routing.world import ACCOUNT, DAY, NOW, VARIANT, change, location, network

FIRST, SECOND = "acme|a_first", "acme|b_second"
FIRST_CAP, SECOND_CAP, ORDERS = 7, 9, 20


def accepted():
    """A driver after all orders were accepted at the one location that has everything."""
    driver = TopologyDriver(load_topology(clock="external"), STAGES, start_at=NOW - DAY)
    made = network(location("near", carrier_account_ids=(FIRST, SECOND), daily_slots=1_000))
    rules = msgspec.msgpack.encode(Rules(label_on_acceptance=True))
    driver.publish(RuleSetPublished("acme|rules", 1, "", rules))
    for records in (made.merchants, made.partners, made.locations, made.feeds):
        driver.publish(*records.values())
    driver.publish(VARIANT, change(ACCOUNT, account_id=FIRST, daily_slots=FIRST_CAP))
    driver.publish(change(ACCOUNT, account_id=SECOND, daily_slots=SECOND_CAP, base_cost_minor=(900, 900)))
    driver.tick(NOW)
    feed, place = "acme|loc_near|feed", "acme|loc_near"
    stock = StockDelta(feed, place, "acme|var_a", None, "a", 1, None, 10 * ORDERS, "receipt", None, NOW)
    driver.send("stock-deltas", "acme|var_a", stock)
    for number in range(ORDERS):
        order_id = f"acme|shop|{number}"
        driver.send("orders", order_id, placed(order_id, ("a", 1)))
    for offer in driver.read("assignments"):
        if isinstance(offer, AssignmentOffered):
            ids = offer.assignment_id, offer.order_id, offer.location_id
            driver.send("partner-responses", place, AssignmentAccepted(*ids, (ItemQuantity(1, 1),), NOW))
    return driver


def of(records, kind):
    return [record for record in records if isinstance(record, kind)]


def test_a_cap_contended_by_many_orders_holds_and_the_chain_takes_the_rest():
    driver = accepted()
    told = driver.read("label-requests")
    accounts = [one.account_id for one in of(told, LabelRequested)]
    assert (accounts.count(FIRST), accounts.count(SECOND)) == (FIRST_CAP, SECOND_CAP)
    resolved = of(told, LabelResolved)
    assert len({one.label_id for one in resolved}) == len(resolved) == ORDERS
    unresolved = [one for one in resolved if one.account_id is None]
    assert len(unresolved) == ORDERS - FIRST_CAP - SECOND_CAP
    assert all(one.full == (FIRST, SECOND) for one in unresolved)
    review = [item for item in driver.read("review-queue") if item.kind == "LABEL_UNRESOLVED"]
    assert len(review) == len(unresolved)
    assert driver.read("dead-letters") == []


def test_a_cancelled_order_frees_its_parcel_and_a_bought_label_is_linked():
    driver = accepted()
    (first, second, *_) = [one for one in of(driver.read("label-requests"), LabelRequested) if one.account_id == FIRST]
    bought = LabelCreated(first.label_id, FIRST, first.carrier, "123", "vault:1", NOW)
    driver.send("labels", FIRST, bought)
    number = f"acme|{first.carrier}|123"
    assert [(one.tracking_number, one.order_id) for one in driver.read("shipment-links")] == [(number, first.order_id)]
    for gone in (first, second):
        driver.send("orders", gone.order_id, OrderCancelled(gone.order_id, "no more", NOW))
    cancelled = of(driver.read("label-requests"), LabelCancelled)
    assert [(one.label_id, one.tracking_number) for one in cancelled] == [
        (first.label_id, "123"),
        (second.label_id, None),
    ]
    late = LabelCreated(second.label_id, FIRST, second.carrier, "124", "vault:2", NOW)
    driver.send("labels", FIRST, late)
    assert [letter.reason for letter in driver.read("dead-letters")] == ["ILLEGAL_TRANSITION"]
