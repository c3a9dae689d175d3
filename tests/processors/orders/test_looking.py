"""A parked order tries again when rules, other reference data or a heartbeat may help, not only when stock comes."""

import msgspec
import pytest

from processors.network import fold
from processors.orders.rows import Phase
from schemas.records.network import RuleSetPublished
from schemas.records.operations import FeedStatusChanged
from schemas.records.reservations import RouteStock, StockUnroutable, WaitForStock
from tests.processors.orders.world import BERLIN, ORDER, PARIS, RULES, SHOE, T0, WIEN, asked, bench, order, routed, row

LOOK_MS = RULES.park_look_ms


def no_plan(desk, reason="stale"):
    while requests := asked(desk, RouteStock):
        for request in requests:
            desk.send("stock-offers", ORDER, StockUnroutable(ORDER, request.attempt, SHOE, b"", reason))


def say(desk, location_id, *, stale=False):
    status = FeedStatusChanged(f"{location_id}|feed", location_id, desk.now_at, stale, desk.now_at)
    desk.rows.setdefault("feed_status", {})[location_id] = status


def parked(*silent):
    """An order that parked while these feeds were stale; all others speak."""
    desk = bench()
    for location_id in (BERLIN, PARIS, WIEN, "acme|lager"):
        say(desk, location_id, stale=location_id in silent)
    desk.send("orders", ORDER, order())
    no_plan(desk)
    assert row(desk).phase is Phase.WAITING
    desk.take()
    return desk


def looks(desk):
    return [due_at for due_at, kind, _ in desk.timers if kind == "orders.look"]


def publish(desk):
    rules = RuleSetPublished("acme|rules", 8, "", msgspec.msgpack.encode(RULES))
    desk.network = fold(desk.network, [(desk.network.version + 1, rules)])


def test_when_nothing_changes_it_only_looks_and_writes_no_row():
    desk = parked(BERLIN)
    desk.changed.clear()
    for _ in range(5):
        desk.tick(desk.now_at + LOOK_MS)
    assert (desk.take(), desk.changed, looks(desk)) == ([], {}, [desk.now_at + LOOK_MS])


def test_other_rules_are_tried_at_the_next_look():
    desk = parked()
    publish(desk)
    desk.tick(T0 + LOOK_MS - 1)
    assert asked(desk, RouteStock) == []
    desk.tick(T0 + LOOK_MS)
    [request] = asked(desk, RouteStock)
    desk.send("stock-offers", ORDER, routed(request, berlin=1))
    assert row(desk).phase is Phase.ASSIGNED
    desk.tick(T0 + 2 * LOOK_MS)
    assert (row(desk).looking, looks(desk)) == (False, [])


def test_a_silent_feed_that_speaks_again_is_tried_at_the_next_look():
    desk = parked(BERLIN)
    say(desk, BERLIN)
    desk.tick(T0 + LOOK_MS)
    assert len(asked(desk, RouteStock)) == 1


def test_a_heartbeat_that_cannot_help_changes_nothing():
    desk = parked(BERLIN)
    say(desk, PARIS)
    desk.tick(T0 + LOOK_MS)
    assert asked(desk, RouteStock) == []


def test_looks_in_vain_are_followed_later_and_later():
    desk = parked()
    tries = []
    for _ in range(12):
        publish(desk)
        desk.tick(desk.now_at + LOOK_MS)
        if asked(desk, RouteStock):
            tries.append((desk.now_at - T0) // LOOK_MS)
            desk.send("stock-offers", ORDER, StockUnroutable(ORDER, row(desk).attempt, SHOE, b"", "stale"))
            no_plan(desk)
    assert tries[:4] == [1, 2, 3, 4]  # gaps of 0, 1, 2 and 4 s are within a look
    assert len(tries) < 12
    assert len(looks(desk)) == 1  # one timer, however often it parks


def test_an_order_that_was_cancelled_looks_no_more():
    desk = parked()
    desk.rows["orders"][ORDER] = msgspec.structs.replace(row(desk), parking=None, phase=Phase.REVIEW)
    publish(desk)
    desk.tick(T0 + LOOK_MS)
    assert (asked(desk, RouteStock), looks(desk), row(desk).looking) == ([], [], False)
    desk.timers.add((T0 + LOOK_MS + 1, "orders.look", ORDER))
    desk.tick(T0 + LOOK_MS + 1)
    assert looks(desk) == []


@pytest.mark.parametrize(("reason", "waits"), [("gapped", True), ("stock_short", True), ("country_not_served", False)])
def test_one_hop_waits_in_the_variants_list_for_what_stock_or_a_count_would_mend(reason, waits):
    desk = bench()
    desk.send("orders", ORDER, order())
    no_plan(desk, reason)
    assert bool(asked(desk, WaitForStock)) is waits
