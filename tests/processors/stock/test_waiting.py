"""Waiting: first come, first served, and no more woken than can be served."""

import msgspec
import pytest

from processors.reasons import Reason
from processors.stock import waiting
from tests.processors.stock.world import (
    SECOND,
    T0,
    VARIANT,
    A,
    B,
    ask,
    count,
    delta,
    names,
    numbers,
    order,
    recount,
    release,
    report,
    reserve,
    stocked,
    stop,
    wait,
)

HOLD = 5 * SECOND


def woken(stage):
    """(order, location, units) of those woken since last asked."""
    recount(stage)
    records = [record for record in stage.take("stock-offers") if names([record]) == ["StockWoken"]]
    return [
        (int(record.order_id.removeprefix("acme|shop|")), record.location_id, record.quantity) for record in records
    ]


def queue(*waits, at_a=0, at_b=0):
    stage = stocked((A, at_a), (B, at_b))
    for record in waits:
        assert stage.send("stock-requests", VARIANT, record) is None
    return stage


FREED = [
    # waiting                                          units at A   woken
    ([wait(1, 1)], 1, [(1, A, 1)]),
    ([wait(1, 1), wait(2, 1)], 1, [(1, A, 1)]),  # first come
    ([wait(1, 1), wait(2, 1)], 2, [(1, A, 1), (2, A, 1)]),
    ([wait(1, 1), wait(2, 1)], 9, [(1, A, 1), (2, A, 1)]),
    ([wait(1, 3), wait(2, 1)], 2, [(2, A, 1)]),  # too few for the first: the units are not left idle
    ([wait(1, 3), wait(2, 1)], 3, [(1, A, 3)]),
    ([wait(1, 1, B), wait(2, 1)], 2, [(2, A, 1)]),  # only those for whom it would do
    ([wait(1, 1, B, A)], 1, [(1, A, 1)]),
    ([wait(1, 2, A, A)], 1, []),  # named twice is there once
    ([wait(1, 2), wait(1, 2)], 4, [(1, A, 2)]),  # a repeat keeps one place
    ([wait(1, 1), wait(2, 1), wait(1, 1, attempt=2)], 1, [(1, A, 1)]),  # a later attempt keeps it too
    ([wait(1, 1, attempt=3), wait(1, 2, attempt=2)], 1, [(1, A, 1)]),  # an older one changes nothing
    ([wait(1, 1), wait(2, 1), stop(1)], 1, [(2, A, 1)]),
    ([wait(1, 1), wait(2, 1), wait(3, 1), stop(2)], 3, [(1, A, 1), (3, A, 1)]),
    ([wait(1, 1), stop(1)], 1, []),
    ([stop(1)], 1, []),
    ([wait(1, 1), release(9)], 1, [(1, A, 1)]),
]


@pytest.mark.parametrize(("waits", "units", "expected"), FREED)
def test_freed_units_wake_who_can_be_served(waits, units, expected):
    stage = queue(*waits)
    assert woken(stage) == []
    report(stage, delta(units, 101))
    assert woken(stage) == expected
    assert numbers(stage)[2] == sum(quantity for _, _, quantity in expected)


def test_every_way_of_coming_free_wakes():
    stage = queue(reserve(8, (A, 2)), wait(1, 2), at_a=2)
    assert woken(stage) == []
    ask(stage, release(8))
    stage = queue(reserve(8, (A, 2)), wait(1, 2), at_a=2)
    stage.send("stock-requests", VARIANT, release(8, (A, 1)))
    assert woken(stage) == []
    stage.send("stock-requests", VARIANT, release(8))
    assert woken(stage) == [(1, A, 2)]
    stage.send("stock-requests", VARIANT, wait(2, 2))
    stage.send("stock-requests", VARIANT, stop(1))
    assert woken(stage) == [(2, A, 2)]
    stage.send("stock-requests", VARIANT, wait(3, 1))
    stage.send("stock-requests", VARIANT, reserve(2, (A, 1)))  # took less than was held
    assert woken(stage) == [(3, A, 1)]
    stage.send("stock-requests", VARIANT, wait(4, 5))
    report(stage, count(8, 100, occurred_at=T0 + 1))
    assert woken(stage) == [(4, A, 5)]


def test_units_are_held_at_the_freed_location_first_then_nearest():
    stage = queue(wait(1, 3, B, A), at_b=2)
    report(stage, delta(1, 101))
    assert woken(stage) == [(1, A, 1), (1, B, 2)]
    assert (numbers(stage, A), numbers(stage, B)) == ((1, 0, 1), (2, 0, 2))


def test_units_freed_just_before_are_not_missed():
    assert woken(queue(wait(1, 2), at_a=2)) == [(1, A, 2)]


def test_held_units_are_for_that_order_only_and_end_when_it_reserves():
    stage = queue(wait(1, 2), at_a=2)
    assert ask(stage, reserve(2, (A, 1)))[0].reason == "stock_short"
    assert names(ask(stage, reserve(1, (A, 2)))) == ["ReservationGranted"]
    assert numbers(stage) == (2, 2, 0)
    assert VARIANT not in stage.rows["waiting"]
    stage.tick(T0 + HOLD)
    recount(stage)


def test_a_grant_elsewhere_ends_the_hold_too():
    stage = queue(wait(1, 2), at_a=2, at_b=2)
    ask(stage, reserve(1, (B, 2)))
    assert (numbers(stage, A), numbers(stage, B)) == ((2, 0, 0), (2, 2, 0))


def test_a_hold_lapses_and_the_order_goes_to_the_end_for_longer_and_longer():
    stage = queue(wait(1, 1), wait(2, 1), at_a=1)
    assert woken(stage) == [(1, A, 1)]
    stage.tick(T0 + HOLD - 1)
    assert woken(stage) == []
    at = T0 + HOLD
    stage.tick(at)
    assert woken(stage) == [(2, A, 1)]
    stage.send("stock-requests", VARIANT, stop(2))
    assert woken(stage) == []  # order 1 has to be left alone for five seconds
    for patience in (1, 2, 4, 8, 16, 32, 64):
        stage.tick(at + patience * HOLD - 1)
        assert woken(stage) == []
        stage.tick(at + patience * HOLD)
        assert woken(stage) == [(1, A, 1)]
        at += (patience + 1) * HOLD
        stage.tick(at)
        assert woken(stage) == []
    assert stage.rows["waiting"] == {}  # woken in vain eight times: it is no longer waited for
    assert numbers(stage) == (1, 0, 0)


def test_an_order_that_tried_in_vain_waits_again_behind_the_others():
    stage = queue(wait(1, 1), wait(2, 1), at_a=1)
    assert woken(stage) == [(1, A, 1)]
    stage.send("stock-requests", VARIANT, wait(1, 1))  # a late repeat of what it was woken for
    assert woken(stage) == []
    stage.send("stock-requests", VARIANT, wait(1, 1, attempt=2))
    assert woken(stage) == [(2, A, 1)]
    report(stage, delta(1, 101))
    assert woken(stage) == []
    stage.tick(T0 + HOLD)
    assert woken(stage) == [(1, A, 1)]


def test_a_changed_wish_is_tried_at_once():
    stage = queue(wait(1, 5), at_a=2)
    assert woken(stage) == []
    stage.send("stock-requests", VARIANT, wait(1, 2, attempt=2))
    assert woken(stage) == [(1, A, 2)]


def test_timers_of_who_has_gone_find_nothing():
    stage = queue(wait(1, 1), at_a=1)
    stage.send("stock-requests", VARIANT, stop(1))
    stage.tick(T0 + HOLD)
    stage = queue(wait(1, 1), at_a=1)
    stage.tick(T0 + HOLD)
    stage.send("stock-requests", VARIANT, stop(1))
    stage.tick(T0 + 2 * HOLD)
    recount(stage)
    stage = queue(wait(1, 1), at_a=1)
    waiting.hold_over(f"{VARIANT}|{order(1)}", stage)  # too early
    assert numbers(stage) == (1, 0, 1)


def test_only_so_many_are_looked_at_for_one_change(monkeypatch):
    monkeypatch.setattr(waiting, "WALK_MAX", 2)
    stage = queue(wait(1, 9), wait(2, 9), wait(3, 1))
    report(stage, delta(1, 101))
    assert woken(stage) == []
    stage.send("stock-requests", VARIANT, stop(1))
    report(stage, delta(1, 102))
    assert woken(stage) == [(3, A, 1)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (msgspec.structs.replace(wait(1, 1), variant_id="acme|var_2"), Reason.KEY_MISMATCH),
        (msgspec.structs.replace(stop(1), variant_id="acme|var_2"), Reason.KEY_MISMATCH),
        (wait(1, 0), Reason.INVALID_VALUE),
        (wait(1, -1), Reason.NEGATIVE_QUANTITY),
        (msgspec.structs.replace(wait(1, 1), location_ids=()), Reason.INVALID_VALUE),
    ],
)
def test_refusals(record, reason):
    assert stocked((A, 1)).send("stock-requests", VARIANT, record) is reason
