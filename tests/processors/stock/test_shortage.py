"""On-hand falls below reserved: the newest reservations are asked for, and what does not come back is alerted."""

import pytest

from schemas.records.reservations import RevocationAsked
from tests.processors.stock.world import (
    SECOND,
    T0,
    A,
    B,
    alerts,
    ask,
    consume,
    count,
    delta,
    item,
    numbers,
    order,
    recount,
    release,
    report,
    reservation,
    reserve,
    stocked,
)

MINUTE = 60 * SECOND


def short(lost, *, name="main"):
    """Ten on hand; orders 1, 2 and 3 hold 3, 3 and 2; then some are lost."""
    stage = stocked((A, 10), (B, 10), name=name)
    ask(stage, reserve(1, (A, 3)), reserve(2, (A, 3), (B, 1)), reserve(3, (A, 2)))
    report(stage, delta(-lost, 101, name=name, reason="damage"))
    return stage


def revoked(stage):
    asked = [record for record in stage.take("stock-offers") if isinstance(record, RevocationAsked)]
    assert all((record.location_id, record.attempt) == (A, 1) for record in asked)
    recount(stage)
    return [(record.order_id.removeprefix("acme|shop|"), record.quantity) for record in asked]


@pytest.mark.parametrize(
    ("lost", "asked"),
    [
        (2, []),  # eight reserved, eight there
        (3, [("3", 1)]),
        (4, [("3", 2)]),
        (5, [("3", 2), ("2", 1)]),
        (8, [("3", 2), ("2", 3), ("1", 1)]),
        (10, [("3", 2), ("2", 3), ("1", 3)]),
        (12, [("3", 2), ("2", 3), ("1", 3)]),  # below zero nobody holds anything
    ],
)
def test_the_newest_are_asked_first(lost, asked):
    assert revoked(short(lost)) == asked


def test_nobody_is_asked_twice_for_the_same_unit():
    stage = short(3)
    assert revoked(stage) == [("3", 1)]
    report(stage, delta(-1, 102))
    assert revoked(stage) == [("3", 1)]
    report(stage, delta(-1, 103))
    assert revoked(stage) == [("2", 1)]
    report(stage, delta(1, 104))
    report(stage, delta(-1, 105))
    assert revoked(stage) == []


def test_what_comes_back_covers_the_others():
    stage = short(5)
    revoked(stage)
    ask(stage, release(3))
    assert (numbers(stage), item(stage).asked) == ((5, 6, 0), 1)
    ask(stage, release(2, (A, 1)))
    assert (item(stage).asked, item(stage).short_since) == (0, None)
    recount(stage)
    stage.tick(T0 + MINUTE)
    assert alerts(stage) == []


def test_an_older_order_may_give_back_instead():
    stage = short(5)
    revoked(stage)
    ask(stage, release(1))
    assert [reservation(stage, number).lines[0].asked for number in (2, 3)] == [0, 0]
    recount(stage)
    report(stage, delta(-1, 102))
    assert revoked(stage) == [("3", 1)]  # a new shortage asks anew


def test_what_is_not_given_back_is_alerted_until_it_is_covered():
    stage = short(5)
    stage.take()
    stage.tick(T0 + MINUTE - 1)
    assert alerts(stage) == []
    stage.tick(T0 + MINUTE)
    (alert,) = stage.take("operational-alerts")
    assert (alert.kind, alert.expected, alert.actual, alert.status) == ("SHORTFALL", 8, 5, "open")
    report(stage, delta(-1, 102))
    assert alerts(stage) == []
    report(stage, delta(4, 103))
    assert alerts(stage) == [("SHORTFALL", "resolved")]
    recount(stage)


def test_a_shortage_that_ended_and_came_again_has_its_own_minute():
    stage = short(5)
    timers = {timer for timer in stage.timers if timer[1] == "stock.shortfall"}
    report(stage, count(9, 101))
    stage.tick(T0 + MINUTE - 1)
    report(stage, delta(-3, 102))
    stage.timers |= timers  # even when the first timer were still there
    stage.tick(T0 + MINUTE)
    assert alerts(stage)[1:] == []
    stage.tick(T0 + 2 * MINUTE)
    assert alerts(stage) == [("SHORTFALL", "open")]
    stage.timers |= timers
    stage.tick(T0 + 3 * MINUTE)
    assert alerts(stage) == []


def test_units_that_a_delta_has_shipped_need_no_cover():
    stage = stocked((A, 4), name="referenced")
    ask(stage, reserve(1, (A, 4)))
    report(stage, delta(-4, 101, name="referenced", reason="shipment", reference=order(1)))
    assert (numbers(stage), revoked(stage)) == ((0, 4, 0), [])
    ask(stage, consume(1, 4))
    assert numbers(stage) == (0, 0, 0)
    recount(stage)


def test_more_shipped_than_reserved_calls_back_what_is_not_there_any_more():
    stage = stocked((A, 4))
    ask(stage, reserve(1, (A, 2)), reserve(2, (A, 2)))
    stage.take()
    assert stage.send("stock-requests", "acme|var_1", consume(1, 3)) is None
    assert revoked(stage) == [("2", 1)]
    stage = stocked((A, 4))
    ask(stage, reserve(1, (A, 2)), reserve(2, (A, 2)))
    assert stage.send("stock-requests", "acme|var_1", consume(2, 3, attempt=7)) is None
    assert revoked(stage) == [("2", 2), ("1", 1)]


def test_nothing_held_any_more_needs_no_timer():
    stage = short(5)
    stage.rows["stock_items"].clear()
    stage.tick(T0 + MINUTE)
    assert alerts(stage) == []
