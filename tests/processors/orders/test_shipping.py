"""What left, what it should cost, and what tracking says of it."""

import msgspec
import pytest

from processors.orders.rows import Phase
from processors.reasons import Reason
from processors.rules import Rules
from schemas.records.assignments import ItemQuantity
from schemas.records.finance import OrderFulfilled, ReferenceLinked
from schemas.records.network import WeightBand, ZoneRate
from schemas.records.orders import OrderClosed
from schemas.records.reservations import ConsumeStock, RouteStock
from schemas.records.shipments import ShipmentLinked, Tracked
from tests.processors.orders.world import (
    BERLIN,
    DHL,
    LACE,
    MERCHANT,
    ORDER,
    PARIS,
    RULES,
    SHOE,
    SOCK,
    T0,
    asked,
    bench,
    line,
    order,
    part_at,
    place_in_one_hop,
    place_split,
    rejects,
    routed,
    row,
    ships,
)


def consumed(desk):
    return [(c.attempt, c.variant_id, c.location_id, c.quantity, c.shipment_id) for c in asked(desk, ConsumeStock)]


def test_what_left_is_consumed_linked_and_costed():
    desk = bench()
    place_in_one_hop(desk, order(line(1, SHOE, 2), line(2, SHOE, 1)))
    desk.take()
    assert desk.send("order-events", ORDER, ships(desk, BERLIN)) is None
    assert consumed(desk) == [(1, SHOE, BERLIN, 3, "S1")]  # once per reservation
    number = "acme|dhl_parcel_de|S1-0"
    assert asked(desk, ShipmentLinked) == [ShipmentLinked(number, ORDER, "S1", BERLIN)]
    assert asked(desk, ReferenceLinked) == [ReferenceLinked("acme|tracking|S1-0", ORDER)]
    # 2.1 kg: three started kilograms on the German tariff, three shoes bought at 5.00
    assert asked(desk, OrderFulfilled) == [OrderFulfilled(ORDER, "S1", BERLIN, DHL, "EUR", 400 + 3 * 50, 1_500)]
    assert desk.take() == []
    assert (row(desk).phase, row(desk).grants) == (Phase.FULFILLED, ())


@pytest.mark.parametrize(
    ("account", "minor"),
    [
        ({"zone_rates": (ZoneRate("DE:10", 1, 250),)}, 250 + 3 * 50),  # the rate of the order's own zone
        ({"zone_rates": (ZoneRate("DE:18", 1, 250),)}, 400 + 3 * 50),
        ({"zone_rates": (ZoneRate("DE:1", 1, 0, (WeightBand(2_000, 300), WeightBand(5_000, 800))),)}, 800),
        ({"max_weight_g": 2_000}, 2 * 400 + 3 * 50),  # it should have left in two parcels
    ],
)
def test_what_a_shipment_should_cost_is_what_its_rate_says(account, minor):
    desk = bench(**account)
    place_in_one_hop(desk, order(line(1, SHOE, 2), line(2, SHOE, 1)))
    desk.take()
    desk.send("order-events", ORDER, ships(desk, BERLIN))
    (fulfilled,) = asked(desk, OrderFulfilled)
    assert fulfilled.shipping_minor == minor


def test_the_same_shipment_again_changes_nothing():
    desk = bench(partials=True)
    place_in_one_hop(desk, order(line(1, SHOE, 2)))
    record = ships(desk, BERLIN, item_1=1)
    desk.send("order-events", ORDER, record)
    desk.take()
    before = row(desk)
    assert desk.send("order-events", ORDER, record) is None
    assert (row(desk), desk.take()) == (before, [])
    assert before.phase is Phase.ASSIGNED
    desk.send("order-events", ORDER, ships(desk, BERLIN, "S2"))
    assert consumed(desk) == [(1, SHOE, BERLIN, 1, "S2")]
    assert row(desk).phase is Phase.FULFILLED


def test_two_partners_may_give_the_same_number():
    desk = bench()
    place_split(desk)
    for name in (BERLIN, PARIS):
        record = ships(desk, name)
        desk.send("order-events", ORDER, record)
        desk.send("order-events", ORDER, record)
    paris = part_at(desk, PARIS).assignment_id
    assert consumed(desk) == [(1, SHOE, BERLIN, 2, "S1"), (1, SOCK, PARIS, 3, f"S1|{paris}")]
    assert [fact.shipment_id for fact in asked(desk, OrderFulfilled)] == ["S1", f"S1|{paris}"]


def test_units_of_two_reservations_are_consumed_from_each():
    desk = bench(partials=True)
    place_in_one_hop(desk, order(line(1, SHOE, 4)), berlin=2, paris=2)
    desk.send("order-events", ORDER, rejects(desk, PARIS))
    desk.send("stock-offers", ORDER, routed(asked(desk, RouteStock)[0], berlin=2))
    first, second = row(desk).parts
    desk.send("order-events", ORDER, ships(desk, BERLIN))
    record = msgspec.structs.replace(
        ships(desk, BERLIN), assignment_id=second.assignment_id, items=(ItemQuantity(1, 2),)
    )
    desk.send("order-events", ORDER, record)
    assert consumed(desk) == [(1, SHOE, BERLIN, 2, "S1"), (2, SHOE, BERLIN, 2, f"S1|{second.assignment_id}")]
    assert first.location_id == second.location_id == BERLIN


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"assignment_id": "as_other"}, Reason.UNKNOWN_ASSIGNMENT),
        ({"items": (ItemQuantity(1, 3),)}, Reason.INVALID_VALUE),
        ({"items": (ItemQuantity(1, 1), ItemQuantity(1, 2))}, Reason.INVALID_VALUE),
        ({"items": (ItemQuantity(1, 0),)}, Reason.INVALID_VALUE),
        ({"items": (ItemQuantity(9, 1),)}, Reason.INVALID_VALUE),
        ({"items": (ItemQuantity(1, 2),)}, None),
    ],
)
def test_only_what_was_assigned_can_leave(changes, reason):
    desk = bench()
    place_in_one_hop(desk, order(line(1, SHOE, 2)))
    before = row(desk)
    record = msgspec.structs.replace(ships(desk, BERLIN), **changes)
    assert desk.send("order-events", ORDER, record) is reason
    assert (row(desk) == before) is (reason is not None)


def test_what_left_for_an_order_never_seen_waits_for_it():
    desk = bench()
    place_in_one_hop(desk)
    record = msgspec.structs.replace(ships(desk, BERLIN), order_id="acme|shop|9")
    assert desk.send("order-events", "acme|shop|9", record) is None
    assert [kept.kind for kept in desk.rows["pending_events"]["acme|shop|9"].events] == ["Shipped"]


def forget(what, key):
    def change(network):
        del getattr(network, what)[key]

    return change


def change_account(**changes):
    def change(network):
        network.accounts[DHL] = msgspec.structs.replace(network.accounts[DHL], **changes)

    return change


@pytest.mark.parametrize(
    ("variant_id", "tracks", "change", "shipping_minor", "supplier_minor"),
    [
        (SHOE, 0, None, 450, 500),
        (SHOE, 1, None, 450, 500),
        (SHOE, 2, None, 850, 500),  # two parcels
        (LACE, 1, None, 450, 125),  # bought in PLN at 0.25
        (SHOE, 1, change_account(currency="PLN"), 113, 500),  # 112.5
        (SHOE, 1, change_account(currency="CHF"), 0, 500),  # no rate: the bill will differ, and is shown
        (SHOE, 1, change_account(countries=("AT",)), 0, 500),
        (SHOE, 1, forget("accounts", DHL), 0, 500),
        (SHOE, 1, forget("variants", SHOE), 450, 0),
    ],
)
def test_expected_cost(variant_id, tracks, change, shipping_minor, supplier_minor):
    desk = bench()
    place_in_one_hop(desk, order(line(1, variant_id), line(2, variant_id)))
    if change is not None:
        change(desk.network)
    desk.send("order-events", ORDER, ships(desk, BERLIN, tracks=tracks, item_2=1))
    [fact] = asked(desk, OrderFulfilled)
    assert (fact.shipping_minor, fact.supplier_cost_minor, fact.currency) == (shipping_minor, supplier_minor, "EUR")


def test_expected_cost_without_its_merchant_is_in_the_orders_currency():
    desk = bench()
    place_in_one_hop(desk, order(currency="CHF"))
    del desk.network.merchants[MERCHANT]
    desk.send("order-events", ORDER, ships(desk, BERLIN))
    assert asked(desk, OrderFulfilled)[0].currency == "CHF"


def test_a_parcels_status_stays_with_its_shipment():
    desk = bench()
    place_in_one_hop(desk)
    desk.send("order-events", ORDER, ships(desk, BERLIN))
    desk.take()
    event = Tracked(ORDER, "S1", "acme|dhl_parcel_de|S1-0", "delivered", T0, 4)
    for record in (event, event, msgspec.structs.replace(event, shipment_id="S9", status="lost")):
        desk.send("order-events", ORDER, record)
    assert [(shipment.shipment_id, shipment.status) for shipment in row(desk).shipments] == [("S1", "delivered")]
    assert desk.take() == []
    assert RULES.max_reroutes == 2


class TestClosingItself:
    """Nobody closed the order, everything has arrived, and nothing can come back any more: time to reconcile."""

    WINDOW_MS = Rules().return_window_ms

    def delivered(self, desk, *numbers, status="delivered", shipment="S1"):
        for number in numbers:
            tracking_number = f"acme|dhl_parcel_de|{shipment}-{number}"
            desk.send("order-events", ORDER, Tracked(ORDER, shipment, tracking_number, status, T0, 1))

    @pytest.fixture
    def desk(self):
        made = bench()
        place_in_one_hop(made)
        made.send("order-events", ORDER, ships(made, BERLIN, tracks=2))
        made.take()
        return made

    def closings(self, desk):
        return desk.take("order-facts")

    def test_when_the_last_parcel_was_delivered_a_return_window_ago(self, desk):
        self.delivered(desk, 0)
        desk.tick(T0 + 1_000)
        self.delivered(desk, 1)
        desk.tick(T0 + 999 + self.WINDOW_MS)
        assert self.closings(desk) == []
        desk.tick(T0 + 1_000 + self.WINDOW_MS)
        assert self.closings(desk) == [OrderClosed(ORDER, T0 + 1_000 + self.WINDOW_MS)]
        assert row(desk).closed_at == T0 + 1_000 + self.WINDOW_MS
        desk.tick(T0 + 3 * self.WINDOW_MS)
        assert self.closings(desk) == []

    def test_not_while_a_parcel_is_on_its_way(self, desk):
        self.delivered(desk, 0)
        desk.tick(T0 + 2 * self.WINDOW_MS)
        assert self.closings(desk) == []

    def test_not_when_a_delivery_turns_out_to_be_none(self, desk):
        self.delivered(desk, 0, 1)
        self.delivered(desk, 1, status="exception")
        desk.tick(T0 + 2 * self.WINDOW_MS)
        assert self.closings(desk) == []
        self.delivered(desk, 1)
        desk.tick(T0 + 3 * self.WINDOW_MS)
        assert len(self.closings(desk)) == 1

    def test_not_when_the_merchant_was_faster(self, desk):
        self.delivered(desk, 0, 1)
        desk.send("orders", ORDER, OrderClosed(ORDER, T0 + 5))
        desk.tick(T0 + 2 * self.WINDOW_MS)
        assert self.closings(desk) == []
        assert row(desk).closed_at == T0 + 5

    def test_not_by_a_timer_that_outlived_what_it_was_set_for(self, desk):
        self.delivered(desk, 0, 1)
        desk.send("orders", ORDER, OrderClosed(ORDER, T0 + 5))
        self.closings(desk)
        for name in (ORDER, "acme|shop|gone"):
            desk.timers.add((T0 + 9, "orders.close", name))
        desk.tick(T0 + 9)
        assert (self.closings(desk), row(desk).closed_at) == ([], T0 + 5)

    def test_never_without_a_tracking_number_to_hear_of(self):
        desk = bench()
        place_in_one_hop(desk)
        desk.send("order-events", ORDER, ships(desk, BERLIN, tracks=0))
        desk.take()
        desk.tick(T0 + 2 * self.WINDOW_MS)
        assert self.closings(desk) == []

    def test_only_once_every_part_of_a_split_order_has_arrived(self):
        desk = bench()
        place_split(desk)
        desk.send("order-events", ORDER, ships(desk, BERLIN, "S1"))
        desk.take()
        self.delivered(desk, 0, shipment="S1")
        desk.tick(T0 + 2 * self.WINDOW_MS)
        assert self.closings(desk) == []
