"""Orders without a plan: back-off, wakes, expiry; and requests that nobody answers."""

import msgspec
import pytest

from processors.orders.parking import back_off_ms, wake_from
from processors.orders.rows import Parking, Phase
from processors.rules import Rules
from schemas.records.assignments import AssignmentRequested, AssignmentWithdrawalRequested
from schemas.records.operations import ReviewItem
from schemas.records.orders import OrderCancelled, OrderClosed
from schemas.records.reservations import (
    AskStock,
    ReleaseStock,
    ReserveStock,
    RouteStock,
    StockUnroutable,
    StockWoken,
    StopWaiting,
    WaitForStock,
)
from schemas.records.routing import OrderParked, RoutingDecision
from schemas.records.stock import StockAwaited
from tests.processors.orders.world import (
    ACCEPT_MS,
    BERLIN,
    ORDER,
    RULES,
    SHOE,
    SOCK,
    T0,
    accepts,
    asked,
    bench,
    denied,
    granted,
    line,
    offered,
    order,
    place_in_one_hop,
    rejects,
    routed,
    row,
    ships,
)

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def fail_hops(desk, reason="stock_short"):
    """Answer every RouteStock with no plan, until nobody is asked any more."""
    while requests := asked(desk, RouteStock):
        for request in requests:
            desk.send("stock-offers", ORDER, StockUnroutable(ORDER, request.attempt, SHOE, b"", reason))


def parked(**rules):
    """An order for two shoes that nobody has."""
    desk = bench(rules=msgspec.structs.replace(RULES, **rules))
    desk.send("orders", ORDER, order(line(1, SHOE, 2)))
    fail_hops(desk)
    assert row(desk).phase is Phase.WAITING
    return desk


def woken(quantity=2):
    return StockWoken(ORDER, SHOE, BERLIN, quantity)


@pytest.mark.parametrize(("waits", "minutes"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (500, 60)])
def test_back_off_doubles_up_to_a_limit(waits, minutes):
    assert back_off_ms(waits, Rules()) == minutes * MINUTE_MS


@pytest.mark.parametrize(("wakes", "after_ms"), [(0, 0), (1, 1_000), (2, 2_000), (3, 4_000), (60, 300_000)])
def test_a_wake_is_followed_later_and_later(wakes, after_ms):
    assert wake_from(Parking(T0, T0, 9, T0 + 5 * MINUTE_MS, wakes=wakes)) == T0 + after_ms


def test_the_first_wake_is_followed_at_once_however_long_it_has_waited():
    desk = parked()
    for hour in range(1, 7):
        desk.tick(T0 + hour * HOUR_MS)
        fail_hops(desk)
    desk.tick(T0 + 6 * HOUR_MS + MINUTE_MS)
    desk.take()
    desk.send("stock-offers", ORDER, woken())
    assert len(asked(desk, RouteStock)) == 1


def test_the_timer_tries_again_and_waits_longer():
    desk = parked()
    desk.take()
    desk.tick(T0 + 5 * MINUTE_MS - 1)
    assert desk.take() == []
    desk.tick(T0 + 5 * MINUTE_MS)
    assert row(desk).phase is Phase.ROUTING
    assert [request.attempt for request in asked(desk, RouteStock)] == [3]
    desk.send("stock-offers", ORDER, StockUnroutable(ORDER, 3, SHOE, b"", "stock_short"))
    fail_hops(desk)
    assert asked(desk, OrderParked)[0].retry_at == T0 + 15 * MINUTE_MS
    assert row(desk).attempt == 4


def test_a_wake_tries_again_at_once_and_a_decision_leaves_the_list():
    desk = parked()
    desk.take()
    desk.send("stock-offers", ORDER, woken())
    [request] = asked(desk, RouteStock)
    assert desk.take() == []  # it stays in the list until a decision stands
    desk.send("stock-offers", ORDER, woken())  # another location of the same wake
    desk.send("stock-offers", ORDER, routed(request, berlin=2))
    assert len(asked(desk, RoutingDecision)) == 1
    assert [stop.variant_id for stop in asked(desk, StopWaiting)] == [SHOE]
    assert (row(desk).parking, row(desk).retry_at) == (None, 0)


def test_a_wake_in_vain_is_followed_a_little_later_next_time():
    desk = parked()
    desk.send("stock-offers", ORDER, woken())
    fail_hops(desk)
    desk.take()
    desk.send("stock-offers", ORDER, woken())
    assert asked(desk, RouteStock) == []
    desk.tick(T0 + 999)
    assert asked(desk, RouteStock) == []
    desk.tick(T0 + 1_000)
    assert len(asked(desk, RouteStock)) == 1


@pytest.mark.parametrize("record", [StockWoken(ORDER, SOCK, BERLIN, 1), StockWoken("acme|shop|9", SHOE, BERLIN, 1)])
def test_a_wake_for_something_else_is_ignored(record):
    desk = parked()
    before = row(desk)
    desk.take()
    desk.send("stock-offers", record.order_id, record)
    assert (row(desk), desk.take()) == (before, [])


def test_a_wake_of_an_order_that_waits_no_more_is_ignored():
    desk = bench()
    place_in_one_hop(desk)
    desk.take()
    desk.send("stock-offers", ORDER, woken())
    assert desk.take() == []


@pytest.mark.parametrize("backorder", [True, False])
def test_only_with_backorders_it_waits_for_stock(backorder):
    assert len(asked(parked(backorder_allowed=backorder), WaitForStock)) is int(backorder)


def test_after_eight_hours_a_person_decides():
    desk = parked()
    desk.take()
    for minute in range(5, 8 * 60 + 5, 5):
        desk.tick(T0 + minute * MINUTE_MS)
        fail_hops(desk)
    assert (row(desk).phase, row(desk).review, row(desk).parking) == (Phase.REVIEW, "UNROUTABLE", None)
    [item] = asked(desk, ReviewItem)
    assert (item.kind, item.status, item.raised_at) == ("UNROUTABLE", "open", T0 + 8 * HOUR_MS)
    assert asked(desk, OrderParked)[-1].status == "expired"
    assert [stop.variant_id for stop in asked(desk, StopWaiting)] == [SHOE]
    desk.tick(T0 + 20 * HOUR_MS)
    assert asked(desk, RouteStock) == []


def test_it_expires_too_when_the_last_try_comes_back_late():
    desk = parked(park_expiry_ms=6 * MINUTE_MS)
    desk.tick(T0 + 5 * MINUTE_MS)
    desk.now_at = T0 + 6 * MINUTE_MS
    fail_hops(desk)
    assert row(desk).phase is Phase.REVIEW
    assert [item.kind for item in asked(desk, ReviewItem)] == ["UNROUTABLE"]


# stock that is announced


def expected_in(hours, *, attempt=2, variant=SHOE, order_id=ORDER):
    return StockAwaited(order_id, attempt, variant, 5, T0 + hours * HOUR_MS)


def told_of(desk, *records):
    """What was said of the order on `order-status`: (reason, expected in so many hours)."""
    desk.take()
    for record in records:
        desk.send("stock-offers", record.order_id, record)
    return [(told.reason, (told.expected_at - T0) // HOUR_MS) for told in asked(desk, OrderParked)]


def test_an_order_says_when_what_it_waits_for_should_come():
    desk = parked()
    assert told_of(desk, expected_in(24)) == [("stock_expected", 24)]
    assert row(desk).parking.expected_at == T0 + 24 * HOUR_MS


def test_of_several_dates_the_last_counts_and_nothing_is_said_twice():
    desk = parked()
    assert told_of(desk, expected_in(24), expected_in(24), expected_in(20), expected_in(30)) == [
        ("stock_expected", 24),
        ("stock_expected", 30),
    ]


@pytest.mark.parametrize(
    "record", [expected_in(24, attempt=1), expected_in(24, variant=SOCK), expected_in(24, order_id="acme|shop|9")]
)
def test_word_of_another_attempt_or_of_something_else_is_ignored(record):
    desk = parked()
    assert (told_of(desk, record), row(desk).parking.expected_at) == ([], 0)


def test_an_order_that_waits_no_more_does_not_listen():
    desk = bench()
    place_in_one_hop(desk)
    assert told_of(desk, expected_in(24, attempt=row(desk).attempt)) == []


@pytest.mark.parametrize(
    ("rules", "announced", "hour"),
    [
        ({}, None, 8),
        ({}, 24, 24 + 8),  # as long after the date as it would have waited without one
        ({}, 2, 2 + 8),
        ({"backorder_wait_ms": 20 * HOUR_MS}, 24, 20),  # and no longer than the rule says
        ({"backorder_wait_ms": 0}, 24, 8),
    ],
)
def test_it_waits_for_what_is_announced(rules, announced, hour):
    desk = parked(park_retry_max_ms=HOUR_MS, **rules)
    for now in range(1, 100):
        if announced is not None:
            desk.send("stock-offers", ORDER, expected_in(announced, attempt=row(desk).attempt))
        desk.tick(T0 + now * HOUR_MS)
        fail_hops(desk)
        if row(desk).phase is Phase.REVIEW:
            break
    assert now == hour


def test_what_is_no_longer_short_is_no_longer_waited_for():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE, 2), line(2, SOCK, 2)))
    while asks := asked(desk, AskStock):
        for ask in asks:
            desk.send("stock-offers", ORDER, offered(ask))
    assert {wait.variant_id for wait in asked(desk, WaitForStock)} == {SHOE, SOCK}
    desk.send("stock-offers", ORDER, woken())
    while asks := asked(desk, AskStock):
        for ask in asks:
            desk.send("stock-offers", ORDER, offered(ask, **({"berlin": 2} if ask.variant_id == SHOE else {})))
    assert [stop.variant_id for stop in asked(desk, StopWaiting)] == [SHOE]
    assert [wait.variant_id for wait in asked(desk, WaitForStock)] == [SOCK]


def test_a_cancel_ends_the_review_and_the_wait():
    desk = parked()
    desk.send("orders", ORDER, OrderCancelled(ORDER, "", T0))
    assert [stop.variant_id for stop in asked(desk, StopWaiting)] == [SHOE]
    assert row(desk).phase is Phase.CANCELLED
    desk = parked(park_expiry_ms=5 * MINUTE_MS)
    desk.tick(T0 + 5 * MINUTE_MS)
    desk.send("orders", ORDER, OrderCancelled(ORDER, "", T0))
    assert [(item.kind, item.status) for item in asked(desk, ReviewItem)] == [
        ("UNROUTABLE", "open"),
        ("UNROUTABLE", "resolved"),
    ]
    assert row(desk).phase is Phase.CANCELLED


# requests that nobody answers


def test_an_unanswered_hop_is_asked_again_with_doubling_patience():
    desk = bench()
    desk.send("orders", ORDER, order())
    first = asked(desk, RouteStock)
    desk.tick(T0 + 9_999)
    assert asked(desk, RouteStock) == []
    desk.tick(T0 + 10_000)
    assert asked(desk, RouteStock) == first
    desk.tick(T0 + 29_999)
    assert asked(desk, RouteStock) == []
    desk.tick(T0 + 30_000)
    assert asked(desk, RouteStock) == first
    desk.send("stock-offers", ORDER, routed(first[0], berlin=1))
    assert {kind for _, kind, _ in desk.timers} == {"orders.unanswered"}  # for the location now
    assert [due for due, _, _ in desk.timers] == [T0 + 30_000 + ACCEPT_MS + 10_000]


def test_an_unanswered_ask_is_asked_again_of_those_who_are_silent():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE), line(2, SOCK)))
    shoe, sock = asked(desk, AskStock)
    desk.send("stock-offers", ORDER, offered(sock, berlin=1))
    desk.tick(T0 + 10_000)
    assert asked(desk, AskStock) == [shoe]


def test_an_unanswered_reserve_is_asked_again_and_a_denied_one_that_was_repeated_is_buried():
    desk = bench()
    desk.send("orders", ORDER, order(line(1, SHOE), line(2, SOCK)))
    for ask in asked(desk, AskStock):
        desk.send("stock-offers", ORDER, offered(ask, berlin=1, paris=1))
    shoes, socks = asked(desk, ReserveStock)
    desk.send("stock-offers", ORDER, granted(shoes))
    desk.tick(T0 + 10_000)
    assert asked(desk, ReserveStock) == [socks]
    desk.send("stock-offers", ORDER, denied(socks, berlin=0))
    [tombstone] = asked(desk, ReleaseStock)  # its twin may be granted yet
    assert (tombstone.attempt, tombstone.variant_id, tombstone.lines) == (1, SOCK, ())
    assert [(request.attempt, request.variant_id) for request in asked(desk, ReserveStock)] == [(2, SOCK)]


def test_a_hop_that_was_repeated_is_buried_before_the_next_attempt():
    desk = bench()
    desk.send("orders", ORDER, order())
    desk.tick(T0 + 10_000)
    desk.take()
    desk.send("stock-offers", ORDER, StockUnroutable(ORDER, 1, SHOE, b"", "stock_short"))
    kinds = [(type(record).__name__, record.attempt) for record in desk.take() if hasattr(record, "variant_id")]
    assert kinds == [("ReleaseStock", 1), ("RouteStock", 2)]


def test_a_location_that_lets_nothing_expire_is_asked_again():
    desk = bench()
    place_in_one_hop(desk)
    first = asked(desk, AssignmentRequested)
    desk.tick(T0 + ACCEPT_MS + 9_999)
    assert asked(desk, AssignmentRequested) == []
    desk.tick(T0 + ACCEPT_MS + 10_000)
    assert asked(desk, AssignmentRequested) == first
    desk.tick(T0 + ACCEPT_MS + 30_000)
    assert asked(desk, AssignmentRequested) == first
    desk.send("order-events", ORDER, accepts(desk, BERLIN))
    assert desk.timers == set()


def test_an_unanswered_withdrawal_is_asked_again():
    desk = bench()
    place_in_one_hop(desk)
    desk.send("orders", ORDER, OrderCancelled(ORDER, "", T0))
    first = asked(desk, AssignmentWithdrawalRequested)
    assert len(first) == 1
    desk.tick(T0 + 10_000)
    assert asked(desk, AssignmentWithdrawalRequested) == first


def test_a_timer_that_was_moved_finds_nothing_due():
    desk = bench()
    desk.send("orders", ORDER, order())
    desk.take()
    desk.timers.add((T0 + 5, "orders.unanswered", ORDER))
    desk.timers.add((T0 + 5, "orders.retry", ORDER))
    desk.tick(T0 + 5)
    assert desk.take() == []
    assert desk.timers == {(T0 + 10_000, "orders.unanswered", ORDER)}


def test_a_location_is_not_reminded_before_its_time():
    desk = bench()
    place_in_one_hop(desk)
    desk.take()
    timers = set(desk.timers)
    desk.timers.add((T0 + 5, "orders.unanswered", ORDER))
    desk.tick(T0 + 5)
    assert (desk.take(), desk.timers) == ([], timers)


# forgetting


def test_an_order_that_was_closed_is_forgotten_only_when_it_has_no_work_left():
    keep_ms = RULES.order_keep_ms
    desk = bench()
    place_in_one_hop(desk)
    desk.send("orders", ORDER, OrderClosed(ORDER, T0))
    desk.send("orders", ORDER, OrderClosed(ORDER, T0 + 9))
    assert row(desk).closed_at == T0
    desk.tick(T0 + keep_ms)
    assert ORDER in desk.rows["orders"]
    desk.send("order-events", ORDER, ships(desk, BERLIN))
    desk.tick(T0 + 2 * keep_ms)
    assert (desk.rows["orders"], desk.timers) == ({}, set())


def test_a_closed_order_whose_open_units_are_with_a_person_is_forgotten_once_its_parts_left():
    desk = bench(rules=msgspec.structs.replace(RULES, max_reroutes=0), partials=True)
    place_in_one_hop(desk, order(line(1, SHOE, 2)))
    desk.send("order-events", ORDER, rejects(desk, BERLIN, item_1=1))
    desk.send("order-events", ORDER, ships(desk, BERLIN))
    desk.send("orders", ORDER, OrderClosed(ORDER, T0))
    assert row(desk).phase is Phase.REVIEW
    desk.tick(T0 + RULES.order_keep_ms)
    assert (desk.rows["orders"], desk.timers) == ({}, set())
