"""From an order to its decision: one hop, or ask, plan, reserve, lock; denials, the one other plan, and fallback."""

import msgspec
import pytest

from processors.orders.rows import Phase
from processors.routing.facts import OrderFacts, Shortlist
from schemas.records.assignments import AssignmentRequested
from schemas.records.reservations import (
    AskStock,
    ConfirmReservation,
    ReleaseStock,
    ReservationConsumed,
    ReservationReleased,
    ReserveLine,
    ReserveStock,
    RouteStock,
    StockRouted,
    StockUnroutable,
    StopWaiting,
    WaitForStock,
)
from schemas.records.routing import OrderParked, PlanLine, RoutingAudit, RoutingDecision
from tests.processors.orders.world import (
    ACCEPT_MS,
    BERLIN,
    LACE,
    LAGER,
    ORDER,
    PARIS,
    SHOE,
    SOCK,
    T0,
    WIEN,
    asked,
    bench,
    denied,
    granted,
    line,
    offered,
    order,
    place_in_one_hop,
    place_split,
    routed,
    row,
)


def offer_all(desk, **by_variant):
    """Answer all asks; by variant (shoe, sock, lace) what each location has."""
    for ask in asked(desk, AskStock):
        desk.send("stock-offers", ORDER, offered(ask, **by_variant.get(ask.variant_id.partition("|")[2], {})))


def grant_all(desk):
    for request in asked(desk, ReserveStock):
        desk.send("stock-offers", ORDER, granted(request))


def lines_of(decision):
    """(location, line, units, attempt of the reservation)"""
    return [
        (part.location_id.partition("|")[2], x.line_no, x.quantity, x.attempt or part.attempt)
        for part in decision.plan.parts
        for x in part.lines
    ]


# one variant: one hop


def test_one_variant_goes_in_one_hop():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SHOE, 1)))
    [request] = asked(desk, RouteStock)
    assert (request.order_id, request.attempt, request.variant_id) == (ORDER, 1, SHOE)
    facts = msgspec.msgpack.decode(request.order, type=OrderFacts)
    assert [(demand.line_no, demand.quantity) for demand in facts.lines] == [(1, 2), (2, 1)]
    chosen = msgspec.msgpack.decode(request.shortlist, type=Shortlist)
    assert chosen.location_ids == (BERLIN, PARIS, WIEN)
    assert row(desk).phase is Phase.ROUTING


def test_its_answer_is_the_decision():
    desk = bench()
    place_in_one_hop(desk, order(line(1, SHOE, 2)))
    [decision] = asked(desk, RoutingDecision)
    assert (decision.order_id, decision.attempt, decision.supersedes) == (ORDER, 1, None)
    assert (decision.rule_set_id, decision.rule_version, decision.network_offset) == (
        "acme|rules",
        7,
        desk.network.version,
    )
    assert (decision.plan.score, decision.plan.cost_minor, decision.decided_at) == (900_000, 450, T0)
    assert lines_of(decision) == [("berlin", 1, 2, 1)]
    assert decision.plan.parts[0].lines == (PlanLine(1, SHOE, 2),)
    [audit] = asked(desk, RoutingAudit)
    assert (audit.decision_id, audit.outcome, audit.audit) == (decision.decision_id, "routed", b"one hop")
    [(topic, key, request)] = [entry for entry in desk.emitted if isinstance(entry[2], AssignmentRequested)]
    assert (topic, key) == ("location-requests", BERLIN)
    assert (request.decision_id, request.lines) == (decision.decision_id, (PlanLine(1, SHOE, 2),))
    assert (request.accept_by, request.partials) == (T0 + ACCEPT_MS, False)
    assert asked(desk, ConfirmReservation) == [ConfirmReservation(ORDER, 1, SHOE)]
    assert row(desk).phase is Phase.ASSIGNED
    assert row(desk).effort is None


def test_a_decision_names_the_rules_that_really_decided():
    desk = bench()
    desk.send("orders", ORDER, order())
    answer = routed(asked(desk, RouteStock)[0], berlin=1)
    basis = {"network_offset": 5, "rule_set_id": "acme|older", "rule_version": 6}
    desk.send("stock-offers", ORDER, msgspec.structs.replace(answer, candidates=3, inputs_digest="d", **basis))
    [decision] = asked(desk, RoutingDecision)
    assert (decision.network_offset, decision.rule_set_id, decision.rule_version) == (5, "acme|older", 6)
    assert (decision.candidates, decision.inputs_digest) == (3, "d")


@pytest.mark.parametrize(
    ("consent", "partner_allows", "partials"),
    [(False, False, False), (True, False, True), (False, True, True)],
)
def test_partial_work_needs_consent_or_the_partners_rule(consent, partner_allows, partials):
    desk = bench(partials=partner_allows)
    place_in_one_hop(desk, order(partial_consent=consent))
    assert asked(desk, AssignmentRequested)[0].partials is partials


def test_a_location_that_left_the_network_meanwhile_is_asked_all_the_same():
    desk = bench()
    desk.send("orders", ORDER, order())
    answer = routed(asked(desk, RouteStock)[0], berlin=1)
    del desk.network.locations[BERLIN]
    desk.send("stock-offers", ORDER, answer)
    [request] = asked(desk, AssignmentRequested)  # its own task declines it
    assert request.accept_by == T0 + 86_400_000


@pytest.mark.parametrize("repeat", ["again", "older", "other variant", "unknown order", "other phase"])
def test_an_answer_nobody_waits_for_is_ignored(repeat):
    desk = bench()
    desk.send("orders", ORDER, order())
    answer = routed(asked(desk, RouteStock)[0], berlin=1)
    if repeat == "again":
        desk.send("stock-offers", ORDER, answer)
    changes = {
        "older": {"attempt": 0},
        "other variant": {"variant_id": SOCK},
        "unknown order": {"order_id": "acme|shop|9"},
    }
    answer = msgspec.structs.replace(answer, **changes.get(repeat, {}))
    if repeat == "other phase":
        answer = denied(ReserveStock(ORDER, 1, SHOE, ()))
    before = row(desk)
    desk.take()
    for ignored in (answer, StockUnroutable(answer.order_id, answer.attempt, answer.variant_id, b"", "")):
        if ignored is answer or repeat != "other phase":
            desk.send("stock-offers", answer.order_id, ignored)
    assert (row(desk), desk.take()) == (before, [])


def test_without_a_plan_the_next_tier_is_asked_then_the_order_waits():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2)))
    asked(desk, RouteStock)
    desk.send("stock-offers", ORDER, StockUnroutable(ORDER, 1, SHOE, b"why", "stock_short"))
    [audit] = asked(desk, RoutingAudit)
    assert (audit.decision_id, audit.attempt, audit.outcome) == (None, 1, "unroutable")
    [request] = asked(desk, RouteStock)
    chosen = msgspec.msgpack.decode(request.shortlist, type=Shortlist)
    assert (request.attempt, chosen.location_ids) == (2, (BERLIN, LAGER, PARIS, WIEN))
    assert asked(desk, ReleaseStock) == []
    desk.send("stock-offers", ORDER, StockUnroutable(ORDER, 2, SHOE, b"why", "stock_short"))
    [wait] = asked(desk, WaitForStock)
    assert (wait.attempt, wait.variant_id, wait.quantity) == (2, SHOE, 2)
    assert wait.location_ids == (BERLIN, PARIS, WIEN, LAGER)
    [parked] = asked(desk, OrderParked)
    assert (parked.status, parked.reason, parked.retry_at) == ("waiting", "stock_short", T0 + 300_000)
    assert row(desk).phase is Phase.WAITING
    assert row(desk).effort is None


@pytest.mark.parametrize(
    ("reason", "waits"),
    [("stock_short", 1), ("no_stock", 1), ("incomplete_stock", 1), ("", 1), ("stale", 0), ("too_late", 0)],
)
def test_only_what_more_stock_would_mend_waits_for_stock(reason, waits):
    desk = bench()
    desk.send("orders", ORDER, order(fixed_location_id=LAGER))
    assert asked(desk, RouteStock)[0].attempt == 1  # nobody of tier 1: the next tier is asked at once
    desk.send("stock-offers", ORDER, StockUnroutable(ORDER, 1, SHOE, b"", reason))
    assert len(asked(desk, WaitForStock)) == waits
    assert asked(desk, OrderParked)[0].reason == (reason or "unroutable")


def test_without_further_tiers_the_order_waits_at_once():
    desk = bench()
    del desk.network.locations[LAGER]
    desk.send("orders", ORDER, order())
    desk.send("stock-offers", ORDER, StockUnroutable(ORDER, 1, SHOE, b"", "stock_short"))
    assert [wait.location_ids for wait in asked(desk, WaitForStock)] == [(BERLIN, PARIS, WIEN)]


def test_nobody_to_ask():
    desk = bench()
    for name in (BERLIN, PARIS, WIEN, LAGER):
        del desk.network.locations[name]
    desk.send("orders", ORDER, order())
    assert asked(desk, RouteStock) == []
    assert asked(desk, RoutingAudit)[0].outcome == "unroutable"
    assert asked(desk, WaitForStock) == []
    assert asked(desk, OrderParked)[0].reason == "no_location"


# several variants: ask, plan, reserve, lock


def test_each_variant_is_asked_once_for_all_its_units():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3), line(3, SHOE, 1)))
    asks = asked(desk, AskStock)
    assert [(ask.variant_id, ask.quantity, ask.attempt) for ask in asks] == [(SHOE, 3, 1), (SOCK, 3, 1)]
    assert all(ask.location_ids == (BERLIN, PARIS, WIEN) for ask in asks)
    assert row(desk).phase is Phase.ASKING


def test_the_plan_waits_for_all_offers_and_the_decision_for_all_grants():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3)))
    shoe, sock = asked(desk, AskStock)
    desk.send("stock-offers", ORDER, offered(sock, paris=3))
    desk.send("stock-offers", ORDER, offered(sock, paris=9))  # again: the first counts
    assert asked(desk, ReserveStock) == []
    desk.send("stock-offers", ORDER, offered(shoe, berlin=1, paris=1))
    shoes, socks = asked(desk, ReserveStock)
    assert (shoes.variant_id, shoes.lines) == (SHOE, (ReserveLine(BERLIN, 1), ReserveLine(PARIS, 1)))
    assert (socks.variant_id, socks.lines) == (SOCK, (ReserveLine(PARIS, 3),))
    desk.send("stock-offers", ORDER, granted(socks))
    desk.send("stock-offers", ORDER, granted(socks))
    assert asked(desk, RoutingDecision) == []
    desk.send("stock-offers", ORDER, granted(shoes))
    [decision] = asked(desk, RoutingDecision)
    assert lines_of(decision) == [("berlin", 1, 1, 1), ("paris", 1, 1, 1), ("paris", 2, 3, 1)]
    assert [request.location_id for request in asked(desk, AssignmentRequested)] == [BERLIN, PARIS]
    assert asked(desk, RoutingAudit)[0].audit == b"why"
    assert asked(desk, ReleaseStock) == []
    assert row(desk).phase is Phase.ASSIGNED


def test_a_denied_plan_keeps_its_grants_while_one_other_plan_is_tried():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3)))
    offer_all(desk, shoe={"berlin": 2}, sock={"berlin": 3, "paris": 3})
    shoes, socks = asked(desk, ReserveStock)
    desk.send("stock-offers", ORDER, granted(shoes))
    desk.send("stock-offers", ORDER, denied(socks, berlin=1))
    assert asked(desk, ReleaseStock) == []
    assert [audit.outcome for audit in asked(desk, RoutingAudit)] == ["denied"]
    [other] = asked(desk, ReserveStock)  # the shoes are reserved already
    assert (other.attempt, other.variant_id) == (2, SOCK)
    assert other.lines == (ReserveLine(BERLIN, 1), ReserveLine(PARIS, 2))
    desk.send("stock-offers", ORDER, granted(other))
    [decision] = asked(desk, RoutingDecision)
    assert (decision.attempt, decision.supersedes) == (2, None)
    assert lines_of(decision) == [("berlin", 1, 2, 1), ("berlin", 2, 1, 2), ("paris", 2, 2, 2)]
    assert asked(desk, ReleaseStock) == []
    confirmed = [(record.attempt, record.variant_id) for record in asked(desk, ConfirmReservation)]
    assert confirmed == [(2, SOCK), (1, SHOE)]


@pytest.mark.parametrize(
    ("berlin", "paris", "released"),
    [(1, 2, (ReserveLine(BERLIN, 2),)), (0, 3, ())],
)
def test_what_the_other_plan_does_not_use_is_released_when_it_stands(berlin, paris, released):
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 3), line(2, SOCK, 1), line(3, LACE, 1)))
    offer_all(desk, shoe={"berlin": 3}, sock={"berlin": 1}, lace={"berlin": 1, "paris": 1})
    shoes, socks, laces = asked(desk, ReserveStock)
    desk.send("stock-offers", ORDER, granted(socks))
    desk.send("stock-offers", ORDER, granted(shoes))
    # That the other plan moves shoes to Paris is made up: the simple routing would leave them.
    effort = row(desk).effort
    moved = offered(AskStock(ORDER, 1, SHOE, 3, (BERLIN, PARIS, WIEN)), berlin=berlin, paris=paris).available
    offers = tuple(
        msgspec.structs.replace(each, available=moved) if each.variant_id == SHOE else each for each in effort.offers
    )
    effort = msgspec.structs.replace(effort, offers=offers)
    desk.rows["orders"][ORDER] = msgspec.structs.replace(row(desk), effort=effort)
    desk.send("stock-offers", ORDER, denied(laces, berlin=0))
    more_shoes, other_laces = asked(desk, ReserveStock)
    assert (more_shoes.variant_id, more_shoes.lines) == (SHOE, (ReserveLine(PARIS, paris),))
    assert asked(desk, ReleaseStock) == []
    desk.send("stock-offers", ORDER, granted(more_shoes))
    desk.send("stock-offers", ORDER, granted(other_laces))
    [release] = asked(desk, ReleaseStock)
    assert (release.attempt, release.variant_id, release.lines) == (1, SHOE, released)
    assert (release.release_id is None) is (released == ())
    kept = [("berlin", 1, berlin, 1)] if berlin else []
    [decision] = asked(desk, RoutingDecision)
    assert lines_of(decision) == [*kept, ("berlin", 2, 1, 1), ("paris", 1, paris, 2), ("paris", 3, 1, 2)]


def test_a_second_denial_releases_everything_and_falls_back():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3)))
    offer_all(desk, shoe={"berlin": 2}, sock={"berlin": 3, "paris": 3})
    shoes, socks = asked(desk, ReserveStock)
    desk.send("stock-offers", ORDER, denied(socks, reason="gapped", berlin=9))
    desk.send("stock-offers", ORDER, granted(shoes))
    [other] = asked(desk, ReserveStock)
    assert other.lines == (ReserveLine(PARIS, 3),)  # a gapped location has nothing
    desk.send("stock-offers", ORDER, denied(other))
    [release] = asked(desk, ReleaseStock)
    assert (release.attempt, release.variant_id, release.lines, release.release_id) == (1, SHOE, (), None)
    asks = asked(desk, AskStock)
    assert [(ask.attempt, ask.location_ids) for ask in asks] == [(3, (BERLIN, LAGER, PARIS, WIEN))] * 2
    assert row(desk).effort.grants == ()


def test_no_other_plan_releases_everything_and_falls_back():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3)))
    offer_all(desk, shoe={"berlin": 2}, sock={"wien": 5})
    shoes, socks = asked(desk, ReserveStock)
    desk.send("stock-offers", ORDER, granted(shoes))
    desk.send("stock-offers", ORDER, denied(socks, wien=3))  # one of them is safety stock
    assert [(release.attempt, release.lines) for release in asked(desk, ReleaseStock)] == [(1, ())]
    assert [audit.outcome for audit in asked(desk, RoutingAudit)] == ["denied", "unroutable"]
    assert {ask.attempt for ask in asked(desk, AskStock)} == {3}


def test_a_denial_by_a_location_the_network_no_longer_has_is_taken_as_it_says():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 1), line(2, SOCK, 3)))
    offer_all(desk, shoe={"berlin": 1}, sock={"wien": 3, "paris": 1})
    shoes, socks = asked(desk, ReserveStock)
    del desk.network.locations[WIEN]
    desk.send("stock-offers", ORDER, granted(shoes))
    desk.send("stock-offers", ORDER, denied(socks, wien=2, paris=1))
    assert asked(desk, ReserveStock)[0].lines == (ReserveLine(PARIS, 1), ReserveLine(WIEN, 2))


def test_without_a_plan_several_variants_wait_for_what_is_short():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3), line(3, LACE, 1)))
    offer_all(desk, shoe={"berlin": 2}, sock={"paris": 2})
    asks = asked(desk, AskStock)
    assert {(ask.attempt, len(ask.location_ids)) for ask in asks} == {(2, 4)}
    for ask in asks:
        desk.send("stock-offers", ORDER, offered(ask, berlin=2))
    assert [(wait.variant_id, wait.quantity) for wait in asked(desk, WaitForStock)] == [(SOCK, 3)]
    assert row(desk).phase is Phase.WAITING


def test_what_was_released_or_consumed_needs_no_answer():
    desk = bench()
    place_split(desk)
    before = row(desk)
    desk.take()
    desk.send("stock-offers", ORDER, ReservationReleased(ORDER, 1, SHOE, (), ()))
    desk.send("stock-offers", ORDER, ReservationConsumed(ORDER, 1, SHOE, "S1", 1, ()))
    assert (row(desk), desk.take()) == (before, [])
    assert not any(isinstance(record, StopWaiting | StockRouted) for record in desk.take())
