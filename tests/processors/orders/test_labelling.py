"""An accepted part asks for its label once; a part that goes gives it back."""

import msgspec
import pytest

from processors.orders.labelling import label_id_of
from processors.rules import Rules
from schemas.records.assignments import AssignmentWithdrawn
from schemas.records.labels import LabelAsked, LabelReleased
from tests.processors.orders.world import (
    BERLIN,
    DHL,
    ORDER,
    PARIS,
    SHOE,
    SOCK,
    accepts,
    bench,
    line,
    order,
    part_at,
    place_in_one_hop,
    place_split,
    rejects,
    row,
)

LABELS = Rules(label_on_acceptance=True)


def told(desk):
    return desk.take("account-slots")


def test_nothing_is_asked_unless_the_merchant_wants_it():
    desk = bench()
    place_in_one_hop(desk)
    desk.send("order-events", ORDER, accepts(desk, BERLIN))
    assert told(desk) == []


def test_a_label_is_asked_for_once_the_whole_part_is_accepted():
    desk = bench(rules=LABELS)
    place_in_one_hop(desk, order(line(1, SHOE, 1), line(2, SHOE, 2)))
    desk.send("order-events", ORDER, accepts(desk, BERLIN, item_1=1))
    assert told(desk) == []
    for _ in range(2):
        desk.send("order-events", ORDER, accepts(desk, BERLIN))
    (asked,) = told(desk)
    assert isinstance(asked, LabelAsked)
    assert (asked.account_id, asked.chain, asked.weight_g) == (DHL, (DHL,), 3 * 700)
    assert (asked.assignment_id, asked.label_id) == (
        part_at(desk, BERLIN).assignment_id,
        label_id_of(part_at(desk, BERLIN)),
    )
    assert [one.verdict for one in asked.candidates] == [""]
    assert row(desk).parts[0].label_account == DHL


def test_what_is_left_of_a_part_asks_for_it_when_the_rest_is_refused():
    desk = bench(rules=LABELS)
    place_in_one_hop(desk, order(line(1, SHOE, 1), line(2, SHOE, 2)))
    desk.send("order-events", ORDER, accepts(desk, BERLIN, item_1=1))
    desk.send("order-events", ORDER, rejects(desk, BERLIN, item_2=2))
    (asked,) = told(desk)
    assert asked.weight_g == 700


def test_each_part_has_its_own():
    desk = bench(rules=LABELS)
    place_split(desk)
    for name in (BERLIN, PARIS):
        desk.send("order-events", ORDER, accepts(desk, name))
    first, second = told(desk)
    assert first.label_id != second.label_id
    assert (first.location_id, second.location_id) == (BERLIN, PARIS)


@pytest.mark.parametrize("way", ["short pick", "withdrawn"])
def test_a_part_that_goes_gives_its_label_back(way):
    desk = bench(rules=LABELS)
    place_in_one_hop(desk)
    part = part_at(desk, BERLIN)
    desk.send("order-events", ORDER, accepts(desk, BERLIN))
    told(desk)
    if way == "short pick":
        desk.send("order-events", ORDER, rejects(desk, BERLIN))
    else:
        desk.send("order-events", ORDER, AssignmentWithdrawn(part.assignment_id, ORDER, BERLIN))
    assert told(desk) == [LabelReleased(label_id_of(part), DHL)]


def test_a_part_without_a_label_gives_nothing_back():
    desk = bench(rules=LABELS)
    place_in_one_hop(desk)
    desk.send("order-events", ORDER, rejects(desk, BERLIN))
    assert told(desk) == []


def test_no_account_of_the_location_may_carry_it():
    desk = bench(rules=LABELS)
    place_in_one_hop(desk)
    desk.network.accounts.clear()
    desk.network.variants.clear()
    desk.send("order-events", ORDER, accepts(desk, BERLIN))
    assert told(desk) == []
    assert [item.kind for item in desk.take("review-queue")] == ["LABEL_UNRESOLVED"]


def test_a_location_that_is_gone_leaves_the_account_that_was_planned():
    desk = bench(rules=LABELS)
    place_in_one_hop(desk)
    del desk.network.locations[BERLIN]
    desk.send("order-events", ORDER, accepts(desk, BERLIN))
    (asked,) = told(desk)
    assert asked.chain == (DHL,)


def test_what_customers_collect_needs_none():
    desk = bench(rules=LABELS)
    place_in_one_hop(desk, order(line(1, SOCK, 1)))
    found = row(desk)
    parts = tuple(msgspec.structs.replace(part, account_id="") for part in found.parts)
    desk.rows["orders"][ORDER] = msgspec.structs.replace(found, parts=parts)
    desk.send("order-events", ORDER, accepts(desk, BERLIN))
    assert told(desk) == []
