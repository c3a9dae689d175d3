"""Offers, and the one-hop path: routed and reserved in one step, answered the same each time."""

import struct

import msgspec
import pytest

from processors.reasons import Reason
from processors.reference import FEED_STATUS, LOCATION_LOAD
from processors.routing.facts import Demand, Offer, OrderFacts, Outcome, Shortlist
from processors.stock import asking
from schemas.records.network import CarrierAccountDefined, MerchantDefined, VariantDefined
from schemas.records.operations import FeedStatusChanged, LocationLoadChanged
from schemas.records.reservations import AskStock, ItemState, ReservationDenied, RouteStock
from schemas.records.routing import PlanLine, PlanPart, RoutingPlan
from tests.processors.stock.world import (
    HOUR,
    SAFE,
    T0,
    VARIANT,
    A,
    B,
    ask,
    bench,
    delta,
    feed_id,
    location,
    names,
    network,
    numbers,
    order,
    recount,
    release,
    report,
    reserve,
    stocked,
    wait,
)


def asked(number, quantity, *location_ids):
    return AskStock(order(number), 1, VARIANT, quantity, location_ids)


def unpacked(offered):
    count = len(offered.location_ids)
    available = struct.unpack(f"<{count}i", offered.available)
    updated_at = struct.unpack(f"<{count}q", offered.updated_at)
    return list(zip(available, updated_at, offered.flags, strict=True))


def test_offers_are_packed_in_the_order_asked():
    stage = stocked((A, 5), (SAFE, 5))
    ask(stage, reserve(9, (A, 2)))
    (offered,) = ask(stage, asked(1, 1, SAFE, B, A))
    assert offered.location_ids == (SAFE, B, A)
    assert unpacked(offered) == [(3, T0, 1), (0, 0, 0), (3, T0, 1)]


@pytest.mark.parametrize(
    ("fields", "offer", "denied"),
    [
        ({"marketplace": "amazon"}, (0, T0, 1), True),
        ({"marketplace": "amazon", "multi_channel": True}, (5, T0, 1), False),
    ],
)
def test_stock_in_a_marketplace_s_own_warehouse_is_neither_offered_nor_granted(fields, offer, denied):
    stage = stocked((A, 5))
    stage.network = network(msgspec.structs.replace(location(A), **fields))
    assert unpacked(ask(stage, asked(1, 1, A))[0]) == [offer]
    (answer,) = ask(stage, reserve(2, (A, 1)))
    assert isinstance(answer, ReservationDenied) is denied


@pytest.mark.parametrize(
    ("before", "offer"),
    [
        ([], (5, T0, 1)),
        ([wait(2, 4)], (1, T0, 1)),  # held for another
        ([wait(1, 4)], (5, T0, 1)),  # held for the one who asks
        ([reserve(2, (A, 5))], (0, T0, 1)),  # stocked, though nothing is left
    ],
)
def test_what_is_available_depends_on_who_asks(before, offer):
    stage = stocked((A, 5))
    ask(stage, *before)
    assert unpacked(ask(stage, asked(1, 1, A))[0]) == [offer]


def test_a_gapped_item_says_so_and_an_overdrawn_one_offers_nothing():
    stage = stocked((A, 5))
    report(stage, delta(1, 102))
    assert unpacked(ask(stage, asked(1, 1, A))[0]) == [(6, T0, 3)]
    report(stage, delta(-9, 103))
    assert unpacked(ask(stage, asked(1, 1, A))[0]) == [(0, T0, 3)]


def facts(number=1, quantity=2, *, attempt=1, variant_id=VARIANT):
    return OrderFacts(
        order_id=order(number),
        attempt=attempt,
        merchant_id="acme|merchant",
        channel="shop",
        lines=(Demand(1, variant_id, quantity - 1), Demand(2, variant_id, 1)),
        currency="EUR",
        country="DE",
        postcode_area="101",
        latitude_e6=52_500_000,
        longitude_e6=13_400_000,
        service="standard",
        service_type="ship_from_warehouse",
        business=False,
        promised_at=None,
        cost_ceiling_minor=None,
        fixed_location_id=None,
    )


def routing(order_facts, *location_ids):
    shortlist = Shortlist(location_ids or (A, B), (), more_tiers=False)
    return RouteStock(
        order_facts.order_id,
        order_facts.attempt,
        VARIANT,
        msgspec.msgpack.encode(order_facts),
        msgspec.msgpack.encode(shortlist),
    )


def part(location_id, quantity):
    lines = (PlanLine(1, VARIANT, quantity),)
    return PlanPart(location_id, "acme|dhl", "dhl", "standard", lines, 900_000, 500, 1_000, T0, T0, 1)


@pytest.fixture
def routed(monkeypatch):
    """`route()` answers what a test wants, and keeps what it was asked."""
    calls = []

    def answer(*parts):
        def route(order_facts, shortlist, offers, network, known, now_at):
            calls.append((order_facts, shortlist, offers, known, now_at))
            plan = RoutingPlan(parts, 900_000, 500) if parts else None
            return Outcome(plan, "routed" if parts else "no_stock", b"audit%d" % len(calls), "digest", 2)

        monkeypatch.setattr(asking, "route", route)
        return calls

    return answer


def test_one_hop_routes_over_own_items_and_reserves(routed):
    stage = stocked((A, 5), (B, 1))
    calls = routed(part(A, 1), part(B, 1))
    status = FeedStatusChanged("acme|feed", A, T0, stale=False, as_of=T0)
    load = LocationLoadChanged(A, "2026-01-01", 1, 2, T0)
    stage.put(FEED_STATUS, A, status)
    stage.put(LOCATION_LOAD, A, load)
    (answer,) = ask(stage, routing(facts()))
    assert names([answer]) == ["StockRouted"]
    assert answer.plan == RoutingPlan((part(A, 1), part(B, 1)), 900_000, 500)
    assert answer.items == (ItemState(A, 2, 5, 1, 0), ItemState(B, 2, 1, 1, 0))
    assert (answer.audit, answer.candidates, answer.inputs_digest) == (b"audit1", 2, "digest")
    assert (answer.network_offset, answer.rule_set_id, answer.rule_version) == (stage.network.version, "", 0)
    ((order_facts, shortlist, offers, known, now_at),) = calls
    assert (order_facts, shortlist.location_ids, now_at) == (facts(), (A, B), T0)
    assert offers == {VARIANT: {A: Offer(5, T0, True, False), B: Offer(1, T0, True, False)}}
    assert (known.feed_status(A), known.load(A), known.feed_status(B), known.load(B)) == (status, load, None, None)
    recount(stage)


def test_a_repeat_is_answered_the_same_and_not_routed_again(routed):
    stage = stocked((A, 5))
    calls = routed(part(A, 2))
    first = ask(stage, routing(facts()))
    rows = {name: dict(rows) for name, rows in stage.rows.items()}
    assert ask(stage, routing(facts(), B)) == first
    assert (stage.rows, len(calls)) == (rows, 1)
    report(stage, delta(1, 101))
    assert ask(stage, routing(facts())) == first


def test_no_plan_reserves_nothing_and_is_remembered_for_a_while(routed):
    stage = stocked((A, 5))
    calls = routed()
    first = ask(stage, routing(facts()))
    assert (names(first), first[0].reason, first[0].audit) == (["StockUnroutable"], "no_stock", b"audit1")
    assert ask(stage, routing(facts())) == first
    assert (numbers(stage), len(calls)) == ((5, 0, 0), 1)
    stage.tick(T0 + HOUR)
    assert (stage.rows["reservations"], stage.rows["stock_answers"]) == ({}, {})


def test_a_plan_that_cannot_be_reserved_is_no_plan(routed):
    stage = stocked((A, 1))
    routed(part(A, 2))
    (answer,) = ask(stage, routing(facts()))
    assert (names([answer]), answer.reason) == (["StockUnroutable"], "stock_short")
    recount(stage)


def test_a_released_attempt_is_not_routed_any_more(routed):
    for before in ([release(1)], [routing(facts()), release(1)]):
        stage = stocked((A, 5))
        routed(part(A, 2))
        ask(stage, *before)
        (answer,) = ask(stage, routing(facts()))
        assert (names([answer]), getattr(answer, "reason", "")) == (["ReservationDenied"], "released_before")
        assert numbers(stage) == (5, 0, 0)


def test_what_was_reserved_without_routing_is_said_as_it_is():
    stage = stocked((A, 5))
    granted = ask(stage, reserve(1, (A, 2)))
    assert ask(stage, routing(facts())) == granted


def test_held_units_are_available_to_the_order_that_was_woken(routed):
    stage = stocked((A, 2))
    ask(stage, wait(1, 2))
    calls = routed(part(A, 2))
    assert names(ask(stage, routing(facts()))) == ["StockRouted"]
    assert calls[0][2][VARIANT][A].available == 2
    assert numbers(stage) == (2, 2, 0)


def test_the_real_pipeline_routes_and_its_plan_is_reserved():
    account = CarrierAccountDefined(
        "acme|dhl", "dhl", "acme|merchant", "primary", ("standard",), ("DE",), (1,), (500,), 0, "EUR", False, 100
    )
    stage = stocked((A, 5))
    assert names(ask(stage, routing(facts()))) == ["StockUnroutable"]  # no carrier goes there
    stage.network = network(
        MerchantDefined("acme|merchant", "Merchant", "EUR", "DE", "acme|rules"),
        VariantDefined(VARIANT, "Drill", None, None, 0, "EUR", 500, ()),
        account,
        msgspec.structs.replace(location(A), carrier_account_ids=("acme|dhl",)),
    )
    stage.put(FEED_STATUS, A, FeedStatusChanged(feed_id(A), A, T0, stale=False, as_of=T0))
    (routed,) = ask(stage, routing(facts(attempt=2)))
    assert [(part.location_id, len(part.lines)) for part in routed.plan.parts] == [(A, 2)]
    assert routed.items == (ItemState(A, 2, 5, 2, 0),)
    assert (numbers(stage), routed.network_offset, bool(routed.audit)) == ((5, 2, 0), stage.network.version, True)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (msgspec.structs.replace(asked(1, 1, A), variant_id="acme|var_2"), Reason.KEY_MISMATCH),
        (asked(1, 0, A), Reason.INVALID_VALUE),
        (asked(1, -1, A), Reason.NEGATIVE_QUANTITY),
        (msgspec.structs.replace(routing(facts()), variant_id="acme|var_2"), Reason.KEY_MISMATCH),
        (msgspec.structs.replace(routing(facts()), order=b"\xc1"), Reason.INVALID_PAYLOAD),
        (msgspec.structs.replace(routing(facts()), shortlist=b""), Reason.INVALID_PAYLOAD),
        (msgspec.structs.replace(routing(facts()), order_id=order(2)), Reason.INVALID_VALUE),
        (msgspec.structs.replace(routing(facts()), attempt=2), Reason.INVALID_VALUE),
        (routing(facts(variant_id="acme|var_2")), Reason.INVALID_VALUE),
    ],
)
def test_refusals(record, reason):
    assert bench().send("stock-requests", VARIANT, record) is reason
