"""What locations answer: accepted, refused, declined, expired; the reroute of what came free; cancel and revocation."""

import msgspec
import pytest

from processors.orders.rows import CANCEL, REVOKE, Phase
from processors.routing.facts import OrderFacts, Shortlist
from schemas.records.assignments import (
    AssignmentDeclined,
    AssignmentExpired,
    AssignmentRequested,
    AssignmentWithdrawalRefused,
    AssignmentWithdrawalRequested,
    AssignmentWithdrawn,
)
from schemas.records.operations import ReviewItem
from schemas.records.orders import OrderCancelled
from schemas.records.reservations import (
    AskStock,
    ReleaseStock,
    ReserveLine,
    ReserveStock,
    RevocationAsked,
    RouteStock,
    StockUnroutable,
    StopWaiting,
)
from schemas.records.routing import OrderParked, RoutingDecision
from tests.processors.orders.test_routing import lines_of
from tests.processors.orders.world import (
    BERLIN,
    LAGER,
    ORDER,
    PARIS,
    RULES,
    SHOE,
    SOCK,
    T0,
    WIEN,
    accepts,
    asked,
    bench,
    granted,
    line,
    offered,
    order,
    part_at,
    place_in_one_hop,
    place_split,
    rejects,
    routed,
    row,
    ships,
)

CANCELLED = OrderCancelled(ORDER, "changed my mind", T0)


def split(**rules):
    """Two shoes from Berlin, three socks from Paris."""
    desk = bench(rules=msgspec.structs.replace(RULES, **rules), partials=True)
    place_split(desk)
    desk.take()
    return desk


def ids(desk, name):
    return part_at(desk, name).assignment_id, ORDER, name


def declines(desk, name):
    return AssignmentDeclined(*ids(desk, name), "capacity_full")


def expires(desk, name):
    return AssignmentExpired(*ids(desk, name))


def withdraws(desk, name):
    return AssignmentWithdrawn(*ids(desk, name))


def refuses(desk, name, status="accepted"):
    return AssignmentWithdrawalRefused(*ids(desk, name), status)


def says(desk, record):
    assert desk.send("order-events", ORDER, record) is None


# one part comes free


@pytest.mark.parametrize(
    ("answer", "reason", "free"),
    [
        (lambda desk: rejects(desk, PARIS), "rejected", 3),
        (lambda desk: rejects(desk, PARIS, item_2=3), "rejected", 3),
        (lambda desk: rejects(desk, PARIS, item_2=99), "rejected", 3),
        (lambda desk: rejects(desk, PARIS, item_2=1), "rejected", 1),
        (lambda desk: accepts(desk, PARIS, item_2=0), "rejected", 3),
        (lambda desk: declines(desk, PARIS), "declined", 3),
        (lambda desk: expires(desk, PARIS), "expired", 3),
        (lambda desk: rejects(desk, PARIS, item_7=1), "", 0),  # not one of its items
        (lambda desk: accepts(desk, PARIS), "", 0),
        (lambda desk: accepts(desk, PARIS, item_2=2), "", 0),  # the location reports the third as rejected
    ],
)
def test_only_what_came_free_is_released_and_rerouted_without_that_location(answer, reason, free):
    desk = split()
    record = answer(desk)
    says(desk, record)
    releases = asked(desk, ReleaseStock)
    requests = asked(desk, RouteStock)
    assert len(releases) == len(requests) == (1 if free else 0)
    if free:
        assert (releases[0].attempt, releases[0].variant_id, releases[0].reason) == (1, SOCK, reason)
        assert releases[0].lines == (() if free == 3 else (ReserveLine(PARIS, free),))
        facts = msgspec.msgpack.decode(requests[0].order, type=OrderFacts)
        assert [(demand.line_no, demand.quantity) for demand in facts.lines] == [(2, free)]
        assert facts.excluded == (PARIS,)
        assert facts.shipments_used == (1 if free == 3 else 2)
        assert PARIS not in msgspec.msgpack.decode(requests[0].shortlist, type=Shortlist).location_ids
    assert row(desk).reroutes == (1 if free else 0)
    says(desk, record)  # the same again
    assert desk.take() == []


def test_the_next_decision_keeps_what_stands_and_supersedes():
    desk = split()
    says(desk, rejects(desk, PARIS))
    [request] = asked(desk, RouteStock)
    desk.take()
    desk.send("stock-offers", ORDER, routed(request, wien=3))
    [decision] = asked(desk, RoutingDecision)
    assert (decision.attempt, decision.supersedes) == (2, row_decision(desk, 1))
    assert lines_of(decision) == [("berlin", 1, 2, 1), ("wien", 2, 3, 2)]
    assert [part.attempt for part in decision.plan.parts] == [1, 2]
    assert decision.plan.cost_minor == 900
    assert decision.plan.score == 900_000 - RULES.split_penalty
    assert [request.location_id for request in asked(desk, AssignmentRequested)] == [WIEN]


def row_decision(desk, attempt):
    from processors.step import stable_id

    return stable_id("rd", ORDER, attempt)


def test_a_kept_part_that_shipped_in_part_stays_whole_in_the_next_decision():
    desk = split()
    says(desk, ships(desk, BERLIN, item_1=1))
    says(desk, rejects(desk, PARIS))
    [request] = asked(desk, RouteStock)
    desk.send("stock-offers", ORDER, routed(request, berlin=3))
    [decision] = asked(desk, RoutingDecision)
    assert lines_of(decision) == [("berlin", 1, 2, 1), ("berlin", 2, 3, 2)]


def test_the_same_location_may_get_what_another_refused():
    desk = bench(partials=True)
    place_in_one_hop(desk, order(line(1, SHOE, 4)), berlin=2, paris=2)
    says(desk, rejects(desk, PARIS))
    [request] = asked(desk, RouteStock)
    desk.send("stock-offers", ORDER, routed(request, berlin=2))
    assert lines_of(asked(desk, RoutingDecision)[-1]) == [("berlin", 1, 2, 1), ("berlin", 1, 2, 2)]
    second = row(desk).parts[1]
    asked(desk, ReleaseStock)
    says(desk, AssignmentDeclined(second.assignment_id, ORDER, BERLIN, "capacity_full"))
    [release] = asked(desk, ReleaseStock)  # its own units, not those of the part that stands
    assert (release.attempt, release.lines) == (2, ())


def test_an_item_refused_twice_in_part_is_freed_twice_but_not_by_the_same_word():
    desk = split()
    for at, freed in ((T0, 1), (T0, 0), (T0 + 1, 1), (T0 + 1, 0)):
        says(desk, rejects(desk, PARIS, at, item_2=1))
        lines = [x for release in asked(desk, ReleaseStock) if release.attempt == 1 for x in release.lines]
        assert lines == ([ReserveLine(PARIS, 1)] if freed else [])


def test_expiry_takes_only_what_was_not_accepted():
    desk = bench(partials=True)
    place_in_one_hop(desk, order(line(1, SHOE, 2), line(2, SHOE, 1)))
    says(desk, accepts(desk, BERLIN, item_2=1))
    desk.take()
    says(desk, expires(desk, BERLIN))
    [release] = asked(desk, ReleaseStock)
    assert release.lines == (ReserveLine(BERLIN, 2),)
    assert [(x.line_no, x.accepted) for x in part_at(desk, BERLIN).lines] == [(2, True)]


def test_what_has_shipped_does_not_come_free():
    desk = split()
    says(desk, ships(desk, PARIS, item_2=2))
    desk.take()
    says(desk, rejects(desk, PARIS))
    assert asked(desk, ReleaseStock)[0].lines == ()  # all that the reservation still holds
    assert [(x.quantity, x.shipped) for x in part_at(desk, PARIS).lines] == [(2, 2)]


def test_a_part_that_comes_free_during_a_reroute_restarts_it():
    desk = split()
    says(desk, declines(desk, PARIS))
    asked(desk, ReleaseStock)
    [hop] = asked(desk, RouteStock)
    says(desk, declines(desk, BERLIN))
    released = [(release.attempt, release.variant_id, release.lines) for release in asked(desk, ReleaseStock)]
    assert released == [(1, SHOE, ()), (2, SOCK, ())]  # also the hop nobody has answered
    assert [(ask.attempt, ask.variant_id, ask.location_ids) for ask in asked(desk, AskStock)] == [
        (3, SHOE, (WIEN,)),
        (3, SOCK, (WIEN,)),
    ]
    before = row(desk)
    desk.send("stock-offers", ORDER, routed(hop, wien=3))
    assert (row(desk), asked(desk, RoutingDecision)) == (before, [])


def test_a_part_that_comes_free_while_the_rest_waits_is_tried_at_once():
    desk = split()
    says(desk, declines(desk, PARIS))
    while hops := asked(desk, RouteStock):
        desk.send("stock-offers", ORDER, StockUnroutable(ORDER, hops[0].attempt, SOCK, b"", "stock_short"))
    assert row(desk).phase is Phase.WAITING
    says(desk, declines(desk, BERLIN))
    assert {ask.variant_id for ask in asked(desk, AskStock)} == {SHOE, SOCK}
    assert row(desk).parking is not None  # its eight hours run on


def test_after_too_many_reroutes_a_person_decides_and_the_rest_goes_on():
    desk = split(max_reroutes=1)
    says(desk, declines(desk, PARIS))
    [hop] = asked(desk, RouteStock)
    desk.send("stock-offers", ORDER, routed(hop, wien=3))
    desk.take()
    says(desk, declines(desk, WIEN))
    assert row(desk).phase is Phase.REVIEW
    [item] = asked(desk, ReviewItem)
    assert (item.kind, item.status) == ("REROUTES_EXHAUSTED", "open")
    assert [(parked.status, parked.reason) for parked in asked(desk, OrderParked)] == [("review", "reroutes_exhausted")]
    assert [release.attempt for release in asked(desk, ReleaseStock)] == [2]
    says(desk, declines(desk, BERLIN))  # freed, not searched for
    assert [type(record) for record in desk.take()] == [ReleaseStock]
    assert (row(desk).phase, row(desk).parts, row(desk).grants) == (Phase.REVIEW, (), ())


def test_too_many_reroutes_while_one_is_under_way():
    desk = split(max_reroutes=1)
    says(desk, declines(desk, PARIS))
    desk.take()
    says(desk, declines(desk, BERLIN))
    assert [(release.attempt, release.variant_id) for release in asked(desk, ReleaseStock)] == [(1, SHOE), (2, SOCK)]
    assert (row(desk).phase, row(desk).effort) == (Phase.REVIEW, None)


# cancel


def test_a_cancel_before_anything_is_assigned_releases_at_once():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3)))
    for ask in asked(desk, AskStock):
        desk.send("stock-offers", ORDER, offered(ask, berlin=3))
    shoes, _ = asked(desk, ReserveStock)
    desk.send("stock-offers", ORDER, granted(shoes))
    desk.take()
    desk.send("orders", ORDER, CANCELLED)
    released = [(release.attempt, release.variant_id, release.lines) for release in asked(desk, ReleaseStock)]
    assert released == [(1, SOCK, ()), (1, SHOE, ())]  # the unanswered one, and the granted one
    assert [parked.status for parked in asked(desk, OrderParked)] == ["cancelled"]
    assert desk.take() == []
    assert row(desk).phase is Phase.CANCELLED
    desk.send("orders", ORDER, CANCELLED)
    assert desk.take() == []


def test_a_cancel_while_asking_has_nothing_to_release():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3)))
    desk.take()
    desk.send("orders", ORDER, CANCELLED)
    assert [type(record) for record in desk.take()] == [OrderParked]


def test_an_assigned_order_is_cancelled_when_every_location_gave_its_part_back():
    desk = split()
    desk.send("orders", ORDER, CANCELLED)
    requests = asked(desk, AssignmentWithdrawalRequested)
    assert [(request.location_id, request.reason) for request in requests] == [(BERLIN, CANCEL), (PARIS, CANCEL)]
    assert (desk.take(), row(desk).phase) == ([], Phase.CANCELLING)
    says(desk, withdraws(desk, PARIS))
    assert [(release.variant_id, release.reason) for release in asked(desk, ReleaseStock)] == [(SOCK, "cancelled")]
    assert (desk.take(), row(desk).phase) == ([], Phase.CANCELLING)
    gone = withdraws(desk, BERLIN)
    says(desk, gone)
    assert [release.variant_id for release in asked(desk, ReleaseStock)] == [SHOE]
    assert [parked.status for parked in asked(desk, OrderParked)] == ["cancelled"]
    assert (row(desk).phase, row(desk).grants) == (Phase.CANCELLED, ())
    says(desk, gone)
    assert desk.take() == []


def test_a_refused_cancel_is_reported_and_that_part_goes_on():
    desk = split()
    desk.send("orders", ORDER, CANCELLED)
    says(desk, refuses(desk, PARIS, "partially_shipped"))
    assert asked(desk, OrderParked) == []  # Berlin has not answered
    says(desk, withdraws(desk, BERLIN))
    [report] = asked(desk, OrderParked)
    assert (report.status, report.reason) == ("cancel_refused", f"{PARIS}: partially_shipped")
    assert (row(desk).phase, [part.location_id for part in row(desk).parts]) == (Phase.ASSIGNED, [PARIS])
    says(desk, refuses(desk, PARIS))  # again: nobody asks
    assert asked(desk, OrderParked) == []
    says(desk, ships(desk, PARIS))
    assert row(desk).phase is Phase.FULFILLED


def test_what_a_cancelled_order_gets_back_later_is_not_rerouted():
    desk = split()
    desk.send("orders", ORDER, CANCELLED)
    says(desk, refuses(desk, PARIS))
    says(desk, withdraws(desk, BERLIN))
    desk.take()
    says(desk, rejects(desk, PARIS))  # accepted, and short at the shelf
    assert [type(record) for record in desk.take()] == [ReleaseStock, OrderParked]
    assert row(desk).phase is Phase.CANCELLED


def test_a_cancelled_order_whose_rest_is_short_is_done_with_what_left():
    desk = split()
    desk.send("orders", ORDER, CANCELLED)
    says(desk, withdraws(desk, BERLIN))
    says(desk, ships(desk, PARIS, item_2=1))
    says(desk, refuses(desk, PARIS, "partially_shipped"))
    assert [report.status for report in asked(desk, OrderParked)] == ["cancel_refused"]
    says(desk, rejects(desk, PARIS))
    assert asked(desk, OrderParked) == []
    assert row(desk).phase is Phase.FULFILLED


def test_a_location_that_rejects_while_a_cancel_is_out_answers_it_too():
    desk = split()
    desk.send("orders", ORDER, CANCELLED)
    paris = withdraws(desk, PARIS)
    says(desk, rejects(desk, PARIS))
    says(desk, paris)
    says(desk, withdraws(desk, BERLIN))
    assert asked(desk, RouteStock) == []
    assert row(desk).phase is Phase.CANCELLED


def test_a_cancel_after_everything_has_shipped_is_refused():
    desk = split()
    says(desk, ships(desk, BERLIN))
    says(desk, ships(desk, PARIS, "S2"))
    desk.take()
    desk.send("orders", ORDER, CANCELLED)
    [report] = desk.take()
    assert report.status == "cancel_refused"
    assert (row(desk).phase, row(desk).cancelled) == (Phase.FULFILLED, False)


def test_a_cancel_after_one_part_has_shipped_takes_back_the_other():
    desk = split()
    says(desk, ships(desk, BERLIN))
    desk.take()
    desk.send("orders", ORDER, CANCELLED)
    assert [request.location_id for request in asked(desk, AssignmentWithdrawalRequested)] == [PARIS]
    says(desk, withdraws(desk, PARIS))
    assert [(report.status, report.reason) for report in asked(desk, OrderParked)] == [
        ("cancel_refused", f"{BERLIN}: shipped")
    ]
    assert row(desk).phase is Phase.FULFILLED


def test_a_cancel_during_a_reroute_releases_the_hop_and_asks_for_the_rest():
    desk = split()
    says(desk, declines(desk, PARIS))
    desk.take()
    desk.send("orders", ORDER, CANCELLED)
    assert [(release.attempt, release.variant_id) for release in asked(desk, ReleaseStock)] == [(2, SOCK)]
    assert [request.location_id for request in asked(desk, AssignmentWithdrawalRequested)] == [BERLIN]


# revocation


def revoke(desk, name=PARIS, variant_id=SOCK, quantity=1, attempt=1):
    desk.send("stock-offers", ORDER, RevocationAsked(ORDER, attempt, variant_id, name, quantity))


def test_units_asked_back_are_given_back_if_the_location_agrees():
    desk = split()
    revoke(desk)
    [request] = asked(desk, AssignmentWithdrawalRequested)
    assert (request.location_id, request.reason) == (PARIS, REVOKE)
    revoke(desk)  # asked already
    assert desk.take() == []
    says(desk, withdraws(desk, PARIS))
    assert [(release.variant_id, release.reason) for release in asked(desk, ReleaseStock)] == [(SOCK, REVOKE)]
    assert len(asked(desk, RouteStock)) == 1
    assert row(desk).excluded == (PARIS,)


def test_units_the_location_keeps_are_kept():
    desk = split()
    revoke(desk)
    desk.take()
    says(desk, refuses(desk, PARIS))
    assert (desk.take(), row(desk).phase) == ([], Phase.ASSIGNED)
    revoke(desk)  # short again
    assert len(asked(desk, AssignmentWithdrawalRequested)) == 1


@pytest.mark.parametrize(
    ("name", "variant_id", "quantity"),
    [(WIEN, SOCK, 1), (PARIS, SHOE, 1), (PARIS, SOCK, 0)],
)
def test_what_the_order_does_not_have_it_cannot_give_back(name, variant_id, quantity):
    desk = split()
    revoke(desk, name, variant_id, quantity)
    assert desk.take() == []


def test_an_order_never_seen_gives_nothing_back():
    desk = bench()
    revoke(desk)
    assert (desk.take(), desk.rows) == ([], {})


def test_what_was_never_assigned_is_given_back_at_once():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 3)))
    for ask in asked(desk, AskStock):
        desk.send("stock-offers", ORDER, offered(ask, berlin=3))
    shoes, _ = asked(desk, ReserveStock)
    desk.send("stock-offers", ORDER, granted(shoes))
    desk.take()
    revoke(desk, BERLIN, SHOE)
    assert [(release.attempt, release.variant_id) for release in asked(desk, ReleaseStock)] == [(1, SOCK), (1, SHOE)]
    assert {ask.attempt for ask in asked(desk, AskStock)} == {2}


def test_a_cancel_waits_for_the_answer_to_a_revocation_then_asks_itself():
    desk = split()
    revoke(desk)
    desk.take()
    desk.send("orders", ORDER, CANCELLED)
    assert [request.location_id for request in asked(desk, AssignmentWithdrawalRequested)] == [BERLIN]
    says(desk, refuses(desk, PARIS))
    assert [(request.location_id, request.reason) for request in asked(desk, AssignmentWithdrawalRequested)] == [
        (PARIS, CANCEL)
    ]
    says(desk, withdraws(desk, PARIS))
    says(desk, withdraws(desk, BERLIN))
    assert row(desk).phase is Phase.CANCELLED


def test_a_revocation_granted_after_a_cancel_ends_the_order():
    desk = bench()
    place_in_one_hop(desk)
    revoke(desk, BERLIN, SHOE)
    desk.send("orders", ORDER, CANCELLED)
    desk.take()
    says(desk, withdraws(desk, BERLIN))
    assert asked(desk, RouteStock) == []
    assert row(desk).phase is Phase.CANCELLED


def test_the_last_tier_is_asked_for_what_came_free_when_the_first_has_nothing():
    desk = split()
    says(desk, declines(desk, PARIS))
    [hop] = asked(desk, RouteStock)
    desk.send("stock-offers", ORDER, StockUnroutable(ORDER, hop.attempt, SOCK, b"", "stock_short"))
    [hop] = asked(desk, RouteStock)
    desk.send("stock-offers", ORDER, routed(hop, lager=3))
    assert [request.location_id for request in asked(desk, AssignmentRequested)] == [LAGER]
    assert asked(desk, StopWaiting) == []
