"""Orders with the true routing, stock and location stages, in one task: the whole protocol, nothing made up."""

from collections import Counter

import msgspec
import pytest

from processors.location.stage import STAGE as LOCATION
from processors.orders import planning
from processors.orders.rows import Phase, unshipped
from processors.orders.stage import STAGE as ORDERS
from processors.reference import STAGE as REFERENCE
from processors.routing import pipeline, shortlist
from processors.stock.rows import RESERVATIONS, STOCK_ITEMS, Status
from processors.stock.stage import STAGE as STOCK
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentOffered,
    AssignmentRejected,
    ItemQuantity,
    Shipped,
    Track,
)
from schemas.records.network import FeedDefined
from schemas.records.operations import FeedStatusChanged
from schemas.records.orders import OrderCancelled
from schemas.records.stock import StockDelta
from tests.processors.harness import Bench
from tests.processors.orders.world import (
    BERLIN,
    LAGER,
    MERCHANT,
    PARIS,
    RULES,
    SHOE,
    SOCK,
    T0,
    WIEN,
    line,
    network,
    order,
)

PLACES = (BERLIN, PARIS, WIEN, LAGER)
MINUTE_MS = 60_000


class Task:
    """All stages in one partition: what one of them says, the others hear at once, in order."""

    def __init__(self, *, stages=(), **rules):
        in_force = network(rules=msgspec.structs.replace(RULES, **rules))
        for place in PLACES:
            feed = FeedDefined(f"{place}|feed", "acme|partner", place, "none", "none")
            in_force.feeds[feed.feed_id] = feed
        self.desk = Bench(REFERENCE, *stages, STOCK, ORDERS, LOCATION, network=in_force, now_at=T0)
        self.offers: dict[str, AssignmentOffered] = {}
        self.published: list[tuple[str, object]] = []
        self.stocked = 0
        self.freshen()

    def freshen(self):
        for place in PLACES:
            now_at = self.desk.now_at
            self.hear("feed-status", place, FeedStatusChanged(f"{place}|feed", place, now_at, False, now_at))

    def hear(self, topic, key, record):
        assert self.desk.send(topic, key, record) is None, record
        self.settle()

    def settle(self):
        while self.desk.emitted:
            topic, key, record = self.desk.emitted.pop(0)
            self.published.append((topic, record))
            if isinstance(record, AssignmentOffered):
                self.offers[record.assignment_id] = record
            if topic in ("stock-requests", "stock-offers", "location-requests", "order-events", "mapping-requests"):
                assert self.desk.send(topic, key, record) is None, (topic, record)

    def tick(self, after_ms):
        self.desk.tick(self.desk.now_at + after_ms)
        self.settle()
        self.freshen()

    def stock(self, variant_id, place, quantity):
        self.stocked += 1
        delta = StockDelta(
            f"{place}|feed", place, variant_id, None, "sku", None, f"d{self.stocked}", quantity, "receipt", None, T0
        )
        self.hear("stock-deltas", variant_id, delta)

    def place(self, number, *lines):
        order_id = f"acme|shop|{number}"
        self.hear("orders", order_id, order(*lines, order_id=order_id, marketplace_reference=None))
        return order_id

    def accept(self, offer):
        items = tuple(ItemQuantity(x.line_no, x.quantity) for x in offer.lines)
        answer = AssignmentAccepted(offer.assignment_id, offer.order_id, offer.location_id, items, T0)
        self.hear("partner-responses", offer.location_id, answer)

    def reject(self, offer):
        answer = AssignmentRejected(offer.assignment_id, offer.order_id, offer.location_id, (), "no", T0)
        self.hear("partner-responses", offer.location_id, answer)

    def ship(self, offer):
        name, place = offer.assignment_id, offer.location_id
        items = tuple(ItemQuantity(x.line_no, x.quantity) for x in offer.lines)
        tracks = (Track("dhl_parcel_de", "DHL", f"T{name}"),)
        self.hear("partner-responses", place, Shipped("S1", name, offer.order_id, place, items, tracks, None, None, T0))

    def phases(self):
        return Counter(row.phase for row in self.desk.rows["orders"].values())

    def check(self):
        """Every live reservation stands behind the parts of its order, and nothing is oversold."""
        live, behind = Counter(), Counter()
        for reservation in self.desk.rows[RESERVATIONS.name].values():
            if reservation.status is Status.LIVE:
                for x in reservation.lines:
                    live[reservation.order_id, reservation.variant_id, x.location_id] += x.remaining
        for order_id, row in self.desk.rows["orders"].items():
            assert row.effort is None
            for part in row.parts:
                for x in part.lines:
                    behind[order_id, x.variant_id, part.location_id] += unshipped(part).get(x.line_no, 0)
        assert +live == +behind
        for item in self.desk.rows[STOCK_ITEMS.name].values():
            assert 0 <= item.reserved <= item.on_hand


@pytest.fixture(autouse=True)
def _true_routing(simple_routing, monkeypatch):
    monkeypatch.setattr(planning, "shortlist", shortlist.shortlist)
    monkeypatch.setattr(planning, "route", pipeline.route)


@pytest.mark.parametrize("lines", [(line(1, SHOE, 2),), (line(1, SHOE, 2), line(2, SOCK, 1))])
def test_an_order_from_placed_to_fulfilled(lines):
    task = Task()
    task.stock(SHOE, BERLIN, 5)
    task.stock(SOCK, BERLIN, 5)
    order_id = task.place(1, *lines)
    assert task.desk.rows["orders"][order_id].phase is Phase.ASSIGNED
    task.check()
    [offer] = task.offers.values()
    task.accept(offer)
    task.ship(offer)
    assert task.phases() == {Phase.FULFILLED: 1}
    assert task.desk.rows[STOCK_ITEMS.name][f"{SHOE}|{BERLIN}"].on_hand == 3
    task.check()
    said = Counter(type(record).__name__ for _, record in task.published)
    wanted = ("RoutingDecision", "RoutingAudit", "ShipmentLinked", "OrderFulfilled")
    assert [said[name] for name in wanted] == [1] * len(wanted)
    assert said["OperationalAlert"] == 0


def test_a_rejected_part_goes_elsewhere_and_a_cancel_gives_everything_back():
    task = Task()
    for place in (BERLIN, PARIS):
        task.stock(SHOE, place, 3)
    order_id = task.place(1, line(1, SHOE, 2))
    [first] = task.offers.values()
    task.reject(first)
    task.check()
    second = list(task.offers.values())[1]
    assert {first.location_id, second.location_id} == {BERLIN, PARIS}
    task.accept(second)
    task.hear("orders", order_id, OrderCancelled(order_id, "", T0))
    assert task.phases() == {Phase.CANCELLED: 1}
    task.check()
    assert all(item.reserved == 0 for item in task.desk.rows[STOCK_ITEMS.name].values())


def test_an_offer_nobody_answers_expires_and_goes_elsewhere():
    task = Task()
    for place in (BERLIN, PARIS):
        task.stock(SHOE, place, 3)
    task.place(1, line(1, SHOE, 2))
    for _ in range(62):
        task.tick(MINUTE_MS)
    assert len(task.offers) == 2
    task.check()
    alerts = [record for topic, record in task.published if topic == "operational-alerts"]
    assert alerts == []


@pytest.mark.parametrize("lines", [(line(1, SHOE, 1),), (line(1, SHOE, 1), line(2, SOCK, 1))])
def test_forty_orders_for_the_last_ten_units(lines):
    """Exactly ten are sold; when five more come, five who waited get them; the others end before a person."""
    task = Task()
    for place, units in ((BERLIN, 6), (PARIS, 4)):
        for variant_id in (SHOE, SOCK):
            task.stock(variant_id, place, units)
    for number in range(40):
        task.place(number, *lines)
        task.check()
    assert task.phases() == {Phase.ASSIGNED: 10, Phase.WAITING: 30}
    task.tick(1_000)
    for variant_id in (SHOE, SOCK):
        task.stock(variant_id, LAGER, 5)
    for _ in range(40):
        task.tick(MINUTE_MS)
    assert task.phases() == {Phase.ASSIGNED: 15, Phase.WAITING: 25}
    task.check()
    for offer in list(task.offers.values()):
        task.accept(offer)
        task.ship(offer)
    for _ in range(9 * 12):
        task.tick(5 * MINUTE_MS)
    assert task.phases() == {Phase.FULFILLED: 15, Phase.REVIEW: 25}
    task.check()
    assert sum(item.on_hand for item in task.desk.rows[STOCK_ITEMS.name].values()) == (15 if len(lines) == 1 else 0)
    assert task.desk.network.merchants[MERCHANT].currency == "EUR"


def test_stock_that_vanishes_is_given_back_by_the_order_that_came_last():
    task = Task()
    task.stock(SHOE, BERLIN, 2)
    first = task.place(1, line(1, SHOE, 1))
    second = task.place(2, line(1, SHOE, 1))
    task.stock(SHOE, BERLIN, -1)
    assert task.desk.rows["orders"][first].phase is Phase.ASSIGNED
    assert task.desk.rows["orders"][second].phase is Phase.WAITING
    task.check()
