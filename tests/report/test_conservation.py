"""Stock in = out + held: what records add up to, rule by rule, and that a unit too many or too few is named."""

import pytest

from fsn.report.conservation import Feed, Fold, check_conserved, feeds_of
from fsn.report.oversold import State
from tests.report.making import BERLIN, ORDER, PARIS, SHOE, broken, granted, lines, reads

FEEDS = {
    "contiguous": Feed(),
    "monotonic": Feed("monotonic"),
    "keyed": Feed("none"),
    "referenced": Feed(shipment_deltas="referenced"),
    "unreferenced": Feed(shipment_deltas="unreferenced"),
    "unpicked": Feed(counts_exclude_picked=True),
}


def delta(quantity, sequence=None, feed="contiguous", reason="receipt", reference=None, key=None):
    where = {"feed_id": feed, "location_id": BERLIN, "variant_id": SHOE, "sku": "s", "occurred_at": sequence or 0}
    what = {"sequence": sequence, "idempotency_key": key, "reason": reason, "reference": reference}
    return "StockDelta", {**where, **what, "quantity": quantity}


def counted(quantity, sequence=None, feed="contiguous", key=None, at=None):
    _, fields = delta(quantity, sequence, feed, key=key)
    return "StockCount", {**fields, "occurred_at": at if at is not None else (sequence or 0)}


def request(kind, attempt=1, **fields):
    return kind, {"order_id": ORDER, "attempt": attempt, "variant_id": SHOE, **fields}


RESERVE = request("ReserveStock")
GRANT = granted(berlin=4)


def shipped(quantity, shipment_id="s1", attempt=1):
    return request("ConsumeStock", attempt, location_id=BERLIN, quantity=quantity, shipment_id=shipment_id)


def release(release_id=None, **units):
    return request("ReleaseStock", lines=lines(**units), release_id=release_id)


def folded(records, offers=(GRANT,)):
    fold = Fold(FEEDS)
    fold.grants(reads(*offers))
    for read in reads(*records):
        fold.apply(read)
    item = fold.items.get((SHOE, BERLIN))
    return None if item is None else (item.on_hand, item.reserved)


SHIP_DELTA = {"feed": "referenced", "reason": "shipment", "reference": ORDER}

RULES = [
    # records → (on hand, reserved)
    ([delta(5, 7), delta(-2, 8)], (3, 0)),
    ([delta(5, 7), delta(5, 7), delta(9, 3)], (5, 0)),  # duplicates and older records change nothing
    ([delta(5, 1), delta(2, 3), delta(9, 2)], (7, 0)),  # a late one is ignored: only a count closes the gap
    ([delta(5, 1), delta(2, 3), delta(1, 4), counted(10, 3)], (11, 0)),  # what the count has not seen comes on top
    ([delta(5, 1), delta(2, 4), delta(1, 6), counted(10, 2), counted(20, 6)], (20, 0)),  # a gap stays until it closes
    ([delta(5, 1), delta(2, 4), counted(9, 1)], (7, 0)),  # a count older than the gap is ignored
    ([delta(5, 1), counted(9, 1), counted(9, 1), counted(8, 1, at=2)], (8, 0)),  # two counts at one sequence
    ([counted(9, 4), delta(1, 4), delta(1, 5)], (10, 0)),
    ([delta(5, 1, "monotonic"), delta(2, 9, "monotonic"), delta(1, 4, "monotonic")], (7, 0)),
    ([delta(5, feed="keyed", key="a"), delta(5, feed="keyed", key="a"), delta(2, feed="keyed", key="b")], (7, 0)),
    ([counted(5, feed="keyed", key="a"), counted(6, feed="keyed", key="a")], (5, 0)),
    ([("StockDelta", {**delta(5, 1)[1], "variant_id": None})], None),
    ([delta(9, 1), RESERVE], (9, 4)),
    ([delta(9, 1), RESERVE, RESERVE, request("RouteStock")], (9, 4)),
    ([delta(9, 1), RESERVE, shipped(3)], (6, 1)),
    ([delta(9, 1), RESERVE, shipped(3), shipped(3)], (6, 1)),
    ([delta(9, 1), RESERVE, shipped(6)], (3, 0)),
    ([delta(9, 1), shipped(2, attempt=5)], (7, 0)),
    ([delta(9, 1), RESERVE, release()], (9, 0)),
    ([delta(9, 1), RESERVE, release(), release()], (9, 0)),
    ([delta(9, 1), release(), RESERVE], (9, 0)),
    ([delta(9, 1), RESERVE, release("x", berlin=1), release("x", berlin=1), release("y", berlin=1)], (9, 2)),
    ([delta(9, 1), RESERVE, release("x", paris=1)], (9, 4)),
    # one of delta and confirmation deducts, whoever is first
    ([delta(9, 1, "referenced"), RESERVE, shipped(4), delta(-4, 2, **SHIP_DELTA)], (5, 0)),
    ([delta(9, 1, "referenced"), RESERVE, delta(-4, 2, **SHIP_DELTA), shipped(4)], (5, 0)),
    ([delta(9, 1, "referenced"), RESERVE, shipped(4), delta(-4, 2, "referenced", "shipment")], (1, 0)),
    ([delta(9, 1, "unreferenced"), RESERVE, shipped(4), delta(-4, 2, "unreferenced", "shipment")], (5, 0)),
    ([delta(9, 1), RESERVE, shipped(4), delta(-4, 2, "contiguous", "shipment")], (1, 0)),
    # a delta ahead of units that are then released: nobody will confirm it
    ([delta(9, 1, "referenced"), RESERVE, delta(-4, 2, **SHIP_DELTA), release(), shipped(4, attempt=2)], (1, 0)),
    # a count while a delta is on its way, and one that leaves out what was picked
    ([delta(9, 1, "referenced"), RESERVE, shipped(4), counted(9, 1, "referenced"), delta(-4, 2, **SHIP_DELTA)], (5, 0)),
    ([delta(9, 1, "referenced"), RESERVE, shipped(4), counted(5, 1, "referenced")], (5, 0)),
    ([delta(9, 1, "unpicked"), RESERVE, counted(6, 1, "unpicked")], (9, 4)),
    ([delta(9, 1, "unpicked"), RESERVE, counted(3, 1, "unpicked")], (7, 4)),
    ([shipped(4)], None),
]  # fmt: skip


@pytest.mark.parametrize(("records", "stands"), RULES)
def test_what_records_add_up_to(records, stands):
    assert folded(records) == stands


def test_a_plan_in_one_hop_reserves_what_its_parts_name():
    part = {"location_id": BERLIN, "lines": [{"quantity": 1}, {"quantity": 2}]}
    offer = "StockRouted", {"order_id": ORDER, "attempt": 1, "variant_id": SHOE, "plan": {"parts": [part]}}
    assert folded([delta(9, 1), request("RouteStock")], [offer, ("StockWoken", {})]) == (9, 3)


def test_sums_of_the_network():
    fold = Fold(FEEDS)
    fold.grants(reads(GRANT))
    for read in reads(delta(9, 1), RESERVE, shipped(3), counted(5, 1)):
        fold.apply(read)
    found = check_conserved(fold, {(SHOE, BERLIN): (4, State(5, 1, 0))})
    assert found.checked.faults == ()
    assert (found.came_in, found.counted, found.left, found.on_hand) == (9, -1, 3, 5)


@pytest.mark.parametrize(
    ("last", "promise", "lost", "again"),
    [
        ({(SHOE, BERLIN): (2, State(8, 0, 0))}, "stock is conserved", 1, 0),
        ({(SHOE, BERLIN): (2, State(10, 0, 0))}, "stock is conserved", 0, 1),
        ({(SHOE, BERLIN): (2, State(9, 1, 0))}, "reserved = live reservations", 0, 0),
        ({}, "stock is conserved", 1, 0),
        ({(SHOE, BERLIN): (2, State(9, 0, 0)), (SHOE, PARIS): (1, State(0, 0, 0))}, "stock is conserved", 0, 0),
    ],
)
def test_an_item_that_stands_otherwise_is_named(last, promise, lost, again):
    fold = Fold(FEEDS)
    for read in reads(delta(9, 1)):
        fold.apply(read)
    found = check_conserved(fold, last)
    assert broken(found.checked) == [promise]
    assert (found.checked.faults[0].lost, found.checked.faults[0].duplicated) == (lost, again)


def test_feeds_are_read_from_the_network():
    declared = {"feed_id": "f", "sequences": "none", "shipment_deltas": "referenced", "counts_exclude_picked": True}
    assert feeds_of(reads(("FeedDefined", declared), ("PartnerDefined", {}))) == {"f": Feed("none", "referenced", True)}
