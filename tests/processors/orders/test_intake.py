"""What enters the network: the checks, one line each; repeats, contradictions, and what came before its order."""

import hashlib

import msgspec
import pytest

from processors.orders.intake import DIGEST_BYTES, digest_of
from processors.orders.rows import Phase
from processors.reasons import Reason
from schemas.records.assignments import AssignmentDeclined, AssignmentExpired
from schemas.records.finance import ReferenceLinked
from schemas.records.operations import ReviewItem
from schemas.records.orders import OrderCancelled, OrderClosed, OrderPlaced
from schemas.records.reservations import RouteStock
from schemas.records.routing import OrderParked, RoutingDecision
from schemas.records.shipments import Tracked
from tests.processors.orders.world import MERCHANT, OLD_SHOE, ORDER, SOCK, T0, asked, bench, line, order, row

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("record", "signer", "reason"),
    [
        (order(), None, None),
        (order(), "fsn", None),
        (order(), "acme", None),
        (order(), MERCHANT, None),
        (order(), "acme|partner", Reason.FORGED),
        (order(), "other", Reason.FORGED),
        (order(merchant_id="other|merchant"), "other|merchant", Reason.FORGED),
        (order(merchant_id="nobody"), "other", Reason.FORGED),
        (order(lines=()), "other", Reason.FORGED),  # before anything else
        (order(lines=()), None, Reason.MISSING_FIELD),
        (order(order_id=""), None, Reason.MISSING_FIELD),
        (order(merchant_id=""), None, Reason.MISSING_FIELD),
        (order(channel=""), None, Reason.MISSING_FIELD),
        (order(country=""), None, Reason.MISSING_FIELD),
        (order(service=""), None, Reason.MISSING_FIELD),
        (order(service_type=""), None, Reason.MISSING_FIELD),
        (order(marketplace_reference=""), None, Reason.MISSING_FIELD),
        (order(line(1, None)), None, Reason.MISSING_FIELD),
        (order(line(1, None, namespace="gtin")), None, Reason.MISSING_FIELD),
        (order(order_id="acme|1001"), None, Reason.INVALID_VALUE),
        (order(order_id="acme||1001"), None, Reason.INVALID_VALUE),
        (order(country="de"), None, Reason.INVALID_VALUE),
        (order(country="DEU"), None, Reason.INVALID_VALUE),
        (order(country="D1"), None, Reason.INVALID_VALUE),
        (order(latitude_e6=91_000_000), None, Reason.INVALID_VALUE),
        (order(longitude_e6=-181_000_000), None, Reason.INVALID_VALUE),
        (order(total_minor=-1), None, Reason.INVALID_VALUE),
        (order(total_minor=0, cost_ceiling_minor=0), None, None),
        (order(cost_ceiling_minor=-1), None, Reason.INVALID_VALUE),
        (order(line(1), line(1, SOCK)), None, Reason.INVALID_VALUE),
        (order(line(1, unit_price_minor=-1)), None, Reason.INVALID_VALUE),
        (order(line(1, quantity=2**31 - 1), line(2)), None, Reason.INVALID_VALUE),
        (order(line(1, quantity=-1), total_minor=-1), None, Reason.INVALID_VALUE),  # precedence
        (order(line(1, quantity=0)), None, Reason.NEGATIVE_QUANTITY),
        (order(line(1, quantity=-3), merchant_id="acme|nobody"), None, Reason.NEGATIVE_QUANTITY),  # precedence
        (order(merchant_id="acme|nobody"), None, Reason.UNKNOWN_MERCHANT),
        (order(merchant_id="acme|gone"), None, Reason.UNKNOWN_MERCHANT),
        (order(merchant_id="other|merchant"), None, Reason.UNKNOWN_MERCHANT),
        (order(merchant_id="acme|nobody"), "acme|partner", Reason.FORGED),
        (order(fixed_location_id="acme|berlin"), None, None),
        (order(fixed_location_id="acme|nowhere"), None, Reason.UNKNOWN_LOCATION),
        (order(fixed_location_id="other|depot"), None, Reason.UNKNOWN_LOCATION),
        (order(line(1, "acme|nothing")), None, Reason.UNKNOWN_VARIANT),
        (order(line(1, "other|shoe")), None, Reason.UNKNOWN_VARIANT),
        (order(line(1, OLD_SHOE)), None, Reason.UNKNOWN_VARIANT),
        (order(currency="EURO"), None, Reason.CURRENCY_INVALID),
        (order(currency="XXX"), None, Reason.CURRENCY_INVALID),
        (order(line(1, None, namespace="gtin", sku="4006381333931")), None, None),  # waits for its mapping
    ],
)
def test_who_may_place_what(record, signer, reason):
    desk = bench()
    assert desk.send("orders", record.order_id, record, signer) is reason
    assert (record.order_id in desk.rows.get("orders", {})) is (reason is None)
    assert bool(desk.emitted) is (reason is None)


def test_an_order_is_keyed_by_its_id():
    assert bench().send("orders", "acme|shop|9", order()) is Reason.KEY_MISMATCH


def test_its_own_and_its_marketplace_number_lead_to_the_order_at_once():
    desk = bench()
    desk.send("orders", ORDER, order())
    linked = [(key, record) for topic, key, record in desk.emitted if topic == "reference-links"]
    names = [f"acme|order|{ORDER}", "acme|marketplace|303-118"]
    assert linked == [(name, ReferenceLinked(name, ORDER)) for name in names]
    desk = bench()
    desk.send("orders", ORDER, order(marketplace_reference=None))
    assert len(asked(desk, ReferenceLinked)) == 1


@pytest.mark.parametrize(
    ("again", "reason"),
    [
        (order(), None),
        (order(total_minor=1), Reason.ORDER_DIFFERS),
        (order(carrier_preference="ups"), Reason.ORDER_DIFFERS),
        (order(line(1, quantity=2)), Reason.ORDER_DIFFERS),
        (order(line(1, quantity=0)), Reason.NEGATIVE_QUANTITY),  # wrong in itself: said first
    ],
)
def test_an_order_sent_again_changes_nothing(again, reason):
    desk = bench()
    desk.send("orders", ORDER, order())
    before = row(desk)
    desk.take()
    assert desk.send("orders", ORDER, again) is reason
    assert (row(desk), desk.take()) == (before, [])


def test_the_same_order_is_recognised_although_its_merchant_retired():
    desk = bench()
    desk.send("orders", ORDER, order())
    desk.network.merchants[MERCHANT] = msgspec.structs.replace(desk.network.merchants[MERCHANT], retired=True)
    assert desk.send("orders", ORDER, order()) is None


CANCEL = OrderCancelled(ORDER, "changed my mind", T0)
CLOSE = OrderClosed(ORDER, T0 + 5)


def test_a_cancel_that_came_first_is_applied_first():
    desk = bench()
    desk.send("orders", ORDER, CANCEL)
    desk.send("orders", ORDER, CANCEL)
    desk.send("orders", ORDER, msgspec.structs.replace(CANCEL, occurred_at=T0 + 1))
    assert len(desk.rows["pending_events"][ORDER].events) == 2
    assert desk.take() == []
    desk.send("orders", ORDER, order())
    assert row(desk).phase is Phase.CANCELLED
    assert [parked.status for parked in asked(desk, OrderParked)] == ["cancelled"]
    assert {type(record) for record in desk.take()} == {ReferenceLinked}
    assert desk.rows["pending_events"] == {}
    assert [kind for _, kind, _ in desk.timers] == ["orders.forget"]


def test_a_close_that_came_first_marks_the_order():
    desk = bench()
    desk.send("orders", ORDER, CLOSE)
    desk.send("orders", ORDER, order())
    assert (row(desk).closed_at, row(desk).phase) == (T0 + 5, Phase.ROUTING)


@pytest.mark.parametrize(
    ("topic", "event", "signer"),
    [
        ("orders", CANCEL, "acme|partner"),  # of the tenant, but not the merchant
        ("orders", CLOSE, "acme|partner"),
        ("order-events", AssignmentExpired("as_1", ORDER, "acme|berlin"), None),
        ("order-events", Tracked(ORDER, "S1", "acme|dhl|1", "delivered", T0, 1), None),
    ],
)
def test_what_came_first_and_does_not_fit_is_shown_to_a_person(topic, event, signer):
    desk = bench()
    assert desk.send(topic, ORDER, event, signer) is None
    desk.send("orders", ORDER, order())
    assert len(asked(desk, RouteStock)) == 1
    [item] = asked(desk, ReviewItem)
    assert (item.kind, item.entity_id) == ("ORDER_UNKNOWN", ORDER)
    assert type(event).__name__ in item.detail


def test_an_event_waits_for_its_order_only_so_long():
    desk = bench()
    desk.send("order-events", ORDER, AssignmentDeclined("as_1", ORDER, "acme|berlin", "capacity_full"))
    desk.tick(T0 + DAY_MS - 1)
    assert desk.take() == []
    desk.tick(T0 + DAY_MS)
    [item] = desk.take()
    assert (item.kind, item.status) == ("ORDER_UNKNOWN", "open")
    assert item.detail == "AssignmentDeclined (order-events[0]@0): the order was never placed"
    assert desk.rows["pending_events"] == {}


def test_a_timer_without_its_row_does_nothing():
    desk = bench()
    for kind in ("orders.pending", "orders.retry", "orders.unanswered", "orders.forget"):
        desk.wake(T0 + 1, kind, ORDER)
    desk.tick(T0 + 1)
    assert (desk.take(), desk.rows) == ([], {})


def test_events_that_wait_are_bounded():
    desk = bench()
    for number in range(64):
        assert desk.send("orders", ORDER, msgspec.structs.replace(CANCEL, occurred_at=number)) is None
    assert desk.send("orders", ORDER, CANCEL) is Reason.ORDER_UNKNOWN


@pytest.mark.parametrize("event", [CANCEL, CLOSE])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("signer", "key", "reason"),
    [
        ("other", ORDER, Reason.FORGED),
        ("other|x", ORDER, Reason.FORGED),
        (None, "acme|shop|9", Reason.KEY_MISMATCH),
        ("acme", ORDER, None),
        (MERCHANT, ORDER, None),
    ],
)
def test_who_may_speak_of_an_order(event, known, signer, key, reason):
    desk = bench()
    if known:
        desk.send("orders", ORDER, order())
    assert desk.send("orders", key, event, signer) is reason


def test_an_order_that_was_placed_before_there_were_carrier_preferences_is_known_again():
    names = [name for name in OrderPlaced.__struct_fields__ if name != "carrier_preference"]
    before = msgspec.defstruct("OrderPlaced", names)(*[getattr(order(), name) for name in names])
    digest = hashlib.sha1(msgspec.msgpack.encode(before), usedforsecurity=False).digest()[:DIGEST_BYTES]
    assert digest_of(order()) == digest != digest_of(order(carrier_preference="ups"))


def test_a_finished_order_is_kept_for_400_days():
    desk = bench()
    desk.send("orders", ORDER, CANCEL)
    desk.send("orders", ORDER, order())
    desk.tick(T0 + 400 * DAY_MS - 1)
    assert desk.send("orders", ORDER, order(total_minor=1)) is Reason.ORDER_DIFFERS
    desk.tick(T0 + 400 * DAY_MS)
    assert (desk.rows["orders"], desk.timers) == ({}, set())
    assert asked(desk, RoutingDecision) == []
