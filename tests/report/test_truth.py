"""The truth: the generator's file is the checker's file, and the topics hold what it says was sent."""

import pytest

from fsn.report import truth as ours
from fsn.report.planted import check_planted
from fsn.report.reader import Counted, Topology
from fsn.report.truth import Forwarded, Truth, TruthError, load_truth
from fsn.world import truth as world
from tests.report.making import ORDER, broken, reads

TOPOLOGY = Topology("fsn", 1, ("orders",), ("assignments",), frozenset({"orders"}), frozenset())
SENT = Truth(
    orders_placed=(ORDER,),
    forwarded=(Forwarded("orders", ORDER),),
    units_ordered=3,
    units_shipped=2,
    messages={"orders": 2, "assignments": 9, "unread": 1},
)
PLACED = "OrderPlaced", {"order_id": ORDER, "lines": [{"quantity": 1}, {"quantity": 2}]}
PROBE = "OrderPlaced", {"order_id": "acme|probe|1", "lines": [{"quantity": 9}]}


def check(*orders, total=3, forwarded=1, consumed=2, truth=SENT, extra=frozenset()):
    counted = {"orders": Counted({0: range(total)}, forwarded), "assignments": Counted({}, 0)}
    return check_planted(truth, reads(*orders), counted, TOPOLOGY, consumed=consumed, extra_orders=extra)


def test_the_day_is_there():
    assert check(PLACED, PLACED).faults == ()
    assert check(PLACED, PROBE, total=4, extra=frozenset({"acme|probe|1"})).faults == ()
    assert check(truth=None).faults == ()
    assert check(total=0, forwarded=0, truth=Truth()).faults == ()


@pytest.mark.parametrize(
    ("orders", "counts", "promise", "lost"),
    [
        ([], {}, "orders taken = orders sent", 1),
        ([PLACED, PROBE], {}, "orders taken = orders sent", 0),
        ([PLACED], {"total": 2}, "records there = records sent", 1),
        ([PLACED], {"total": 4}, "records there = records sent", 0),
        ([PLACED], {"forwarded": 0, "total": 2}, "forwarded once", 1),
        ([PLACED], {"forwarded": 2, "total": 4}, "forwarded once", 0),
        ([PLACED], {"consumed": 1}, "units add up", 0),
    ],
)
def test_what_is_not_there_is_named(orders, counts, promise, lost):
    found = check(*orders, **counts)
    faults = [fault for fault in found.faults if fault.check == promise]
    assert len(faults) == 1 and faults[0].lost == lost


def test_units_ordered_are_those_of_the_orders():
    other = "OrderPlaced", {"order_id": ORDER, "lines": [{"quantity": 4}]}
    assert broken(check(other)) == ["units add up"]


def test_what_the_generator_writes_is_read(tmp_path):
    path = tmp_path / "truth.json"
    made = world.Truth(seed=7, started_at=0, day_ends_at=1, orders_placed=[ORDER], parcels={"acme|gls|1": "delivered"})
    made.discrepancies.append(world.Discrepancy(ORDER, "DUPLICATE", "told twice"))
    made.forwarded.append(world.Forwarded("orders", ORDER))
    made.silences.append(world.Silence("feed", "acme|berlin", 1, 2, 3))
    made.stock_drifts.append(world.Drift("acme|shoe", "acme|berlin", -2, 5))
    made.dead_letters.append(world.Planted("FORGED", "orders", ORDER, "another's key"))
    made.write(path)
    read = load_truth(path)
    assert (read.seed, read.orders_placed, read.parcels) == (7, (ORDER,), {"acme|gls|1": "delivered"})
    assert (read.discrepancies[0].order_id, read.discrepancies[0].kind) == (ORDER, "DUPLICATE")
    assert (read.dead_letters[0].reason, read.forwarded[0].topic) == ("FORGED", "orders")
    assert (read.silences[0].stale_from_at, read.stock_drifts[0].difference) == (2, -2)


@pytest.mark.parametrize("name", ["Truth", "Forwarded", "Silence", "Drift"])
def test_every_field_the_checker_reads_is_written(name):
    assert set(getattr(ours, name).__struct_fields__) <= set(getattr(world, name).__struct_fields__)


@pytest.mark.parametrize("content", [None, b"{", b'{"orders_placed": 3}'])
def test_what_is_no_truth_is_refused(tmp_path, content):
    path = tmp_path / "truth.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TruthError, match=str(path)):
        load_truth(path)
