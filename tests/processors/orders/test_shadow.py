"""Shadow rules and an order: the order's task alone publishes what they would have decided, and counts it."""

import msgspec
import pytest

from processors.network import RuleSet
from processors.rules import Rules
from schemas.records.reservations import AskStock, ReserveStock, RouteStock, StockUnroutable
from schemas.records.routing import RoutingDecision, ShadowDecided
from tests.processors.orders.world import ORDER, SHOE, SOCK, T0, asked, bench, granted, line, offered, order, routed


def shadowed(version=8):
    desk = bench()
    desk.network.shadows["acme|rules"] = RuleSet("acme|rules", version, Rules())
    return desk


def told(outcome="differs", *, attempt=1, version=8):
    names = "acme|merchant", "acme|rules", 7, version
    return ShadowDecided(ORDER, attempt, *names, outcome, None, "no_stock", None, "no_stock", T0)


def packed(record):
    return msgspec.msgpack.encode(record)


def counts(desk):
    row = desk.rows["shadows"]["acme|rules"]
    return row.version, row.agrees, row.differs, row.unknown


def test_what_the_variant_s_task_compared_is_published_with_the_decision():
    desk = shadowed()
    desk.send("orders", ORDER, order())
    [request] = asked(desk, RouteStock)
    answer = msgspec.structs.replace(routed(request, berlin=9), shadow=packed(told("agrees")))
    desk.send("stock-offers", ORDER, answer)
    desk.send("stock-offers", ORDER, answer)  # a repeat changes nothing
    assert desk.take("shadow-decisions") == [told("agrees")]
    assert len([one for one in desk.take("routing-decisions") if isinstance(one, RoutingDecision)]) == 1
    assert counts(desk) == (8, 1, 0, 0)


def test_a_plan_that_does_not_stand_is_compared_as_well():
    desk = shadowed()
    desk.send("orders", ORDER, order())
    [request] = asked(desk, RouteStock)
    no = StockUnroutable(ORDER, request.attempt, request.variant_id, b"", "no_stock", packed(told("unknown")))
    desk.send("stock-offers", ORDER, no)
    assert desk.take("shadow-decisions")[0] == told("unknown")


def test_an_order_of_several_variants_is_compared_by_its_own_task():
    desk = shadowed()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3)))
    for ask in asked(desk, AskStock):
        desk.send("stock-offers", ORDER, offered(ask, berlin=9))
    for request in asked(desk, ReserveStock):
        desk.send("stock-offers", ORDER, granted(request))
    [shadow] = desk.take("shadow-decisions")
    assert (shadow.order_id, shadow.active_version, shadow.shadow_version) == (ORDER, 7, 8)
    assert shadow.active_plan.parts[0].location_id == "acme|berlin"


def test_a_merchant_without_a_shadow_costs_nothing():
    desk = bench()
    desk.network.shadows["acme|others"] = RuleSet("acme|others", 8, Rules())
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3)))
    for ask in asked(desk, AskStock):
        desk.send("stock-offers", ORDER, offered(ask, berlin=9))
    assert (desk.take("shadow-decisions"), "shadows" in desk.rows) == ([], False)


@pytest.mark.parametrize(
    ("history", "counted"),
    [
        (["agrees", "agrees", "differs"], (8, 2, 1, 0)),
        (["unknown"], (8, 0, 0, 1)),
        (["agrees", ("differs", 9)], (9, 0, 1, 0)),
    ],
)
def test_outcomes_are_counted_by_the_shadow_s_version(history, counted):
    desk = shadowed()
    for number, entry in enumerate(history):
        outcome, version = entry if isinstance(entry, tuple) else (entry, 8)
        order_id = f"{ORDER}-{number}"
        desk.send("orders", order_id, order(order_id=order_id))
        [request] = asked(desk, RouteStock)
        shadow = packed(msgspec.structs.replace(told(outcome, version=version), order_id=order_id))
        desk.send("stock-offers", order_id, msgspec.structs.replace(routed(request, berlin=99), shadow=shadow))
    assert counts(desk) == counted
