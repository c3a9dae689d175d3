"""Orders whose lines name SKUs: they wait, ask again, and go on by themselves."""

import msgspec
import pytest

from processors.mapping.stage import STAGE as MAPPING
from processors.orders import planning
from processors.orders.rows import Phase
from processors.reasons import Reason
from processors.routing import pipeline, shortlist
from schemas.records.mapping import AliasDefined, LineMapped, MappingAsked
from schemas.records.orders import OrderCancelled
from schemas.records.reservations import AskStock, RouteStock
from schemas.records.routing import OrderParked
from tests.processors.orders.test_together import PARIS, Task
from tests.processors.orders.world import MERCHANT, ORDER, RULES, SHOE, SOCK, T0, asked, bench, line, order, row

HOUR_MS = 3_600_000
DRILL, SAW = "acme|merchant:x|DRILL-18V", "acme|merchant:x|SAW"


def drill(number=2, quantity=1):
    return line(number, None, quantity=quantity, namespace="merchant:x", sku="DRILL-18V")


def saw(number=3, quantity=1):
    return line(number, None, quantity=quantity, namespace="merchant:x", sku=" SAW ")


def means(desk, alias_id=DRILL, variant_id=SHOE, units=1):
    desk.send("order-events", ORDER, LineMapped(ORDER, alias_id, variant_id, units, 1))


def waiting(*lines):
    desk = bench()
    desk.send("orders", ORDER, order(*lines))
    return desk


def test_an_unmapped_line_never_routes():
    desk = waiting(line(1), drill())
    assert row(desk).phase is Phase.UNMAPPED
    assert asked(desk, MappingAsked) == [MappingAsked(DRILL, "order", ORDER, MERCHANT)]
    desk.tick(T0 + HOUR_MS)
    assert asked(desk, AskStock) == asked(desk, RouteStock) == []


def test_what_is_not_answered_at_once_is_told_once():
    desk = waiting(line(1), drill())
    assert asked(desk, OrderParked) == []
    desk.tick(T0 + RULES.ask_again_ms)
    assert [(one.status, one.reason) for one in asked(desk, OrderParked)] == [
        ("unmapped", "line 2: merchant:x DRILL-18V")
    ]
    desk.tick(T0 + HOUR_MS)
    assert asked(desk, OrderParked) == []


def test_what_is_still_missing_is_told_where_it_was_told_before():
    desk = waiting(drill(1), saw(2))
    desk.tick(T0 + RULES.ask_again_ms)
    desk.take()
    means(desk, SAW, SOCK)
    assert [one.reason for one in asked(desk, OrderParked)] == ["line 1: merchant:x DRILL-18V"]


def test_each_sku_is_asked_once_however_many_lines_name_it():
    desk = waiting(drill(1), drill(2), saw(3))
    assert [one.alias_id for one in asked(desk, MappingAsked)] == [DRILL, SAW]


def test_the_order_goes_on_when_its_last_sku_is_known():
    desk = waiting(drill(1), saw(2), line(3, SOCK))
    desk.take()
    means(desk, SAW, SOCK)
    assert row(desk).phase is Phase.UNMAPPED
    means(desk, DRILL, SHOE)
    assert asked(desk, OrderParked) == []
    assert row(desk).phase is Phase.ASKING
    assert {one.variant_id for one in asked(desk, AskStock)} == {SHOE, SOCK}


def test_packs_become_units():
    desk = waiting(drill(1, quantity=2))
    means(desk, units=6)
    assert [(one.variant_id, one.quantity) for one in row(desk).placed.lines] == [(SHOE, 12)]


def test_more_units_than_a_record_can_name_stay_unmapped():
    desk = waiting(drill(1, quantity=2**30))
    desk.take()
    means(desk, units=2)
    assert row(desk).phase is Phase.UNMAPPED
    (parked,) = asked(desk, OrderParked)
    assert "is a pack of 2" in parked.reason


@pytest.mark.parametrize("again", [DRILL, SAW])
def test_a_second_answer_changes_nothing(again):
    desk = waiting(drill(1))
    means(desk)
    before = row(desk)
    desk.take()
    means(desk, again, SOCK)
    assert (row(desk), desk.take()) == (before, [])


def test_an_answer_to_nobody_is_ignored():
    desk = bench()
    means(desk)
    assert desk.take() == []


def test_what_is_unanswered_is_asked_again_with_doubling_patience():
    desk = waiting(line(1), drill())
    patience_ms = RULES.ask_again_ms
    for repeats in range(3):
        desk.take()
        desk.tick(desk.now_at + (patience_ms << repeats) - 1)
        assert asked(desk, MappingAsked) == []
        desk.tick(desk.now_at + 1)
        assert asked(desk, MappingAsked) == [MappingAsked(DRILL, "order", ORDER, MERCHANT)]


def test_a_cancelled_order_hears_no_answer():
    desk = waiting(drill(1))
    desk.send("orders", ORDER, OrderCancelled(ORDER, "", T0))
    assert row(desk).phase is Phase.CANCELLED
    desk.take()
    means(desk)
    assert desk.take() == []


@pytest.mark.parametrize(("namespace", "sku"), [("shop:x", "A"), ("gtin", "4006381333932"), ("merchant:x", "y" * 201)])
def test_a_name_that_can_never_mean_anything_is_refused(namespace, sku):
    refused = bench().send("orders", ORDER, order(line(1, None, namespace=namespace, sku=sku)))
    assert refused is Reason.INVALID_VALUE


def test_an_old_row_of_an_unmapped_order_is_read():
    desk = waiting(drill(1))
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(row(desk)))[:-2]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=type(row(desk))).mapping_asked_at == 0


def test_a_waiting_order_is_decided_once_its_alias_is_defined(monkeypatch):
    monkeypatch.setattr(planning, "shortlist", shortlist.shortlist)
    monkeypatch.setattr(planning, "route", pipeline.route)
    task = Task(stages=(MAPPING,))
    task.stock(SHOE, PARIS, 5)
    order_id = task.place(1, drill(1))
    assert task.phases() == {Phase.UNMAPPED: 1}
    task.hear("aliases", DRILL, AliasDefined(DRILL, SHOE, 1, 1, "ann", T0))
    assert task.phases() == {Phase.ASSIGNED: 1}
    assert task.desk.rows["orders"][order_id].parts[0].location_id == PARIS
    task.check()
