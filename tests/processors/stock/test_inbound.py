"""What is on its way: transfers between locations and announced deliveries, seen by everyone and promised to nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.reasons import Reason
from processors.rules import DEFAULT_RULES
from processors.stock.inbound import OPEN_MAX
from processors.stock.rows import item_key
from schemas.records.reservations import ReservationDenied, ReservationGranted
from schemas.records.stock import StockAwaited, StockExpected
from tests.processors.stock.world import (
    HOUR,
    PARTNER,
    SKU,
    T0,
    VARIANT,
    A,
    B,
    alerts,
    ask,
    bench,
    count,
    delta,
    feed_id,
    item,
    location,
    names,
    network,
    order,
    recount,
    report,
    reserve,
    reviews,
    stocked,
    wait,
)

DAY = 24 * HOUR
OVERDUE = DEFAULT_RULES.inbound_overdue_ms
ORDER_9 = "PO-9"


def expected(quantity, *, at=A, reference=ORDER_9, expected_at=T0 + DAY, said_at=T0, **changes):
    fields = {
        "feed_id": feed_id(at),
        "location_id": at,
        "variant_id": VARIANT,
        "sku": SKU,
        "reference": reference,
        "quantity": quantity,
        "expected_at": expected_at,
        "occurred_at": said_at,
    }
    return StockExpected(**fields | changes)


def sends(quantity, sequence, *, to=B, reference="T-1"):
    return delta(-quantity, sequence, reason="transfer_out", reference=reference, counterpart_location_id=to)


def receives(quantity, sequence, *, at=B, reference="T-1", reason="transfer_in", **changes):
    return delta(quantity, sequence, at=at, reason=reason, reference=reference, **changes)


def told(stage, *records):
    for record in records:
        assert report(stage, record) is None
    recount(stage)
    return stage


def on_its_way(stage, location_id=B):
    """(on hand, in transit, expected)"""
    row = item(stage, location_id)
    return row.on_hand, row.in_transit, row.expected


def shown(stage, location_id):
    stage.settle()
    return next(record for record in reversed(stage.take("stock-snapshots")) if record.location_id == location_id)


# transfers


def test_a_transfer_leaves_one_end_is_in_transit_and_arrives_at_the_other():
    stage = told(stocked((A, 9), (B, 0)), sends(4, 101))
    assert (item(stage, A).on_hand, on_its_way(stage)) == (5, (0, 4, 0))
    snapshot = shown(stage, B)
    assert (snapshot.in_transit, snapshot.available_to_promise, snapshot.expected_at) == (4, 0, None)
    told(stage, receives(4, 101))
    assert on_its_way(stage) == (4, 0, 0)
    assert not stage.rows["inbound"]
    assert shown(stage, B).in_transit == 0


def test_what_is_in_transit_is_promised_to_nobody():
    stage = told(stocked((A, 9), (B, 0)), sends(4, 101))
    [answer] = ask(stage, reserve(1, (B, 1)))
    assert isinstance(answer, ReservationDenied) and answer.reason == "stock_short"
    told(stage, receives(4, 101))
    [answer] = ask(stage, reserve(2, (B, 4)))
    assert isinstance(answer, ReservationGranted)


def test_a_transfer_that_arrives_in_parts_is_in_transit_for_the_rest():
    stage = told(stocked((A, 9), (B, 0)), sends(4, 101), receives(1, 101))
    assert on_its_way(stage) == (1, 3, 0)
    told(stage, sends(2, 102), receives(5, 102))
    assert on_its_way(stage) == (6, 0, 0)
    assert not stage.rows["inbound"]


def test_the_end_that_speaks_first_may_be_the_one_that_receives():
    stage = told(stocked((A, 9), (B, 0)), receives(4, 101))
    assert on_its_way(stage) == (4, 0, 0)
    told(stage, sends(4, 101))
    assert on_its_way(stage) == (4, 0, 0)
    assert not stage.rows["inbound"]


def test_a_correction_of_what_was_sent_is_taken_back_from_what_is_in_transit():
    stage = told(stocked((A, 9), (B, 0)), sends(4, 101), sends(-1, 102))
    assert on_its_way(stage) == (0, 3, 0)


def test_a_transfer_to_where_the_variant_was_never_reported_shows_with_its_first_report():
    stage = told(stocked((A, 9)), sends(4, 101))
    assert item_key(VARIANT, B) not in stage.rows["stock_items"]
    told(stage, delta(2, 1, at=B))
    assert on_its_way(stage) == (2, 4, 0)


def test_a_transfer_that_names_no_reference_or_no_destination_only_leaves():
    stage = told(
        stocked((A, 9), (B, 0)), sends(1, 101, reference=None), sends(1, 102, to=None), receives(1, 101, reference=None)
    )
    assert (item(stage, A).on_hand, on_its_way(stage)) == (7, (1, 0, 0))
    assert "inbound" not in stage.rows


def test_a_duplicate_delta_moves_nothing_twice():
    stage = told(stocked((A, 9), (B, 0)), sends(4, 101), sends(4, 101), receives(3, 101), receives(3, 101))
    assert on_its_way(stage) == (3, 1, 0)


@pytest.mark.parametrize(
    ("place", "reason"), [("acme|nowhere", Reason.UNKNOWN_LOCATION), ("", Reason.UNKNOWN_LOCATION)]
)
def test_a_transfer_to_a_location_that_is_none_is_refused(place, reason):
    stage = stocked((A, 9))
    assert report(stage, sends(4, 101, to=place)) is reason
    assert item(stage, A).on_hand == 9


def test_a_transfer_to_another_tenant_is_refused():
    stage = stocked((A, 9))
    stage.network = network(location("other|loc"))
    assert report(stage, sends(4, 101, to="other|loc")) is Reason.INVALID_VALUE


# announced deliveries


def test_an_announced_delivery_shows_until_it_arrives():
    stage = told(stocked((A, 1)), expected(5))
    snapshot = shown(stage, A)
    assert (snapshot.expected, snapshot.expected_at, snapshot.available_to_promise) == (5, T0 + DAY, 1)
    told(stage, receives(3, 101, at=A, reason="receipt", reference=ORDER_9))
    assert on_its_way(stage, A) == (4, 0, 2)
    told(stage, receives(3, 102, at=A, reason="receipt", reference=ORDER_9))
    assert on_its_way(stage, A) == (7, 0, 0)
    told(stage, expected(5))  # the announcement once more: it has come true
    assert on_its_way(stage, A) == (7, 0, 0)
    stage.tick(T0 + DAY + OVERDUE)
    assert (stage.rows["inbound"], reviews(stage)) == ({}, [])


def test_the_newest_announcement_counts_whatever_order_they_come_in():
    stage = told(stocked((A, 1)), expected(5, said_at=T0 + 2), expected(9, said_at=T0 + 1), expected(9, said_at=T0 + 2))
    assert on_its_way(stage, A) == (1, 0, 5)
    told(stage, expected(7, said_at=T0 + 3, expected_at=None))
    assert (on_its_way(stage, A), shown(stage, A).expected_at) == ((1, 0, 7), None)
    told(stage, expected(0, said_at=T0 + 4))
    assert on_its_way(stage, A) == (1, 0, 0)


def test_the_next_date_is_that_of_the_first_delivery_still_to_come():
    stage = told(stocked((A, 0)), expected(5), expected(2, reference="PO-8", expected_at=T0 + HOUR))
    assert shown(stage, A).expected_at == T0 + HOUR
    told(stage, receives(2, 101, at=A, reason="receipt", reference="PO-8"))
    assert shown(stage, A).expected_at == T0 + DAY


def test_a_receipt_of_what_nobody_announced_is_a_receipt_like_any_other():
    stage = told(stocked((A, 1)), receives(3, 101, at=A, reason="receipt", reference=ORDER_9))
    assert on_its_way(stage, A) == (4, 0, 0)
    assert "inbound" not in stage.rows


def test_taking_back_what_was_never_announced_changes_nothing():
    assert "inbound" not in told(stocked((A, 1)), expected(0)).rows


@pytest.mark.parametrize("first", [delta(4, 1), delta(4, 7), count(4, 7)])
def test_an_item_may_be_announced_before_it_was_ever_reported(first):
    stage = told(bench(), expected(5))
    assert (shown(stage, A).on_hand, on_its_way(stage, A)) == (0, (0, 0, 5))
    told(stage, first, delta(1, first.sequence + 1))
    assert on_its_way(stage, A) == (5, 0, 5)
    assert not item(stage).gapped
    assert alerts(stage) == []


@pytest.mark.parametrize(("name", "changes"), [("monotonic", {"sequence": 3}), ("keyed", {"idempotency_key": "k"})])
def test_the_first_count_of_an_announced_item_is_no_drift(name, changes):
    stage = told(bench(), expected(5, feed_id=feed_id(A, name)), count(4, name=name, **changes))
    assert (on_its_way(stage, A), alerts(stage)) == ((4, 0, 5), [])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"variant_id": "acme|var_2"}, Reason.KEY_MISMATCH),
        ({"reference": ""}, Reason.MISSING_FIELD),
        ({"sku": ""}, Reason.MISSING_FIELD),
        ({"reference": "x" * 201}, Reason.INVALID_VALUE),
        ({"expected_at": -1}, Reason.INVALID_VALUE),
        ({"expected_at": 9_000_000_000_000_000_000}, Reason.INVALID_VALUE),
        ({"quantity": -1}, Reason.NEGATIVE_QUANTITY),
        ({"location_id": "acme|nowhere"}, Reason.UNKNOWN_LOCATION),
        ({"feed_id": f"{PARTNER}|{A}|nobody"}, Reason.UNKNOWN_FEED),
        ({"feed_id": feed_id(B)}, Reason.INVALID_VALUE),
    ],
)
def test_an_announcement_that_cannot_be_right_is_refused(changes, reason):
    assert report(stocked((A, 1)), expected(**{"quantity": 5} | changes)) is reason


def test_an_announcement_for_somebody_elses_location_is_forged():
    assert report(stocked((A, 1)), expected(5), "acme|someone") is Reason.FORGED


def test_an_item_follows_two_hundred_references_of_each_kind():
    stage = told(stocked((A, 9), (B, 0)), *(expected(1, at=B, reference=f"PO-{n}") for n in range(OPEN_MAX)))
    assert report(stage, expected(1, at=B, reference="one more")) is Reason.INVALID_VALUE
    told(stage, *(receives(1, 101 + n, reference=f"T-{n}") for n in range(OPEN_MAX)))
    assert on_its_way(stage) == (OPEN_MAX, 0, OPEN_MAX)
    told(stage, receives(1, 101 + OPEN_MAX, reference="one more"), sends(1, 101, reference="another"))
    assert on_its_way(stage) == (OPEN_MAX + 1, 0, OPEN_MAX)
    assert len(stage.rows["inbound"][item_key(VARIANT, B)].expectations) == 2 * OPEN_MAX


def test_a_transfer_with_a_reference_nobody_could_read_moves_and_is_not_followed():
    stage = told(stocked((A, 9), (B, 0)), sends(1, 101, reference="x" * 201))
    assert (item(stage, A).on_hand, on_its_way(stage)) == (8, (0, 0, 0))


def test_sums_beyond_what_a_snapshot_can_say_are_the_most_it_can():
    most = 2**31 - 1
    stage = told(stocked((A, 0)), expected(most), expected(most, reference="PO-8"))
    assert shown(stage, A).expected == most
    [awaited] = ask(stage, wait(1, 3, A))
    assert awaited.quantity == most


# what does not come


def test_what_has_not_come_in_a_week_is_asked_about_and_settled_when_it_comes():
    stage = told(stocked((A, 9), (B, 0)), sends(4, 101), receives(1, 101))
    stage.tick(T0 + OVERDUE - 1)
    assert reviews(stage) == []
    stage.tick(T0 + OVERDUE)
    assert reviews(stage) == [("INBOUND_OVERDUE", "open")]
    assert on_its_way(stage) == (1, 3, 0)
    told(stage, receives(1, 102))  # it is still one that did not come in time
    stage.tick(T0 + 2 * OVERDUE)
    assert reviews(stage) == []
    told(stage, receives(2, 103))
    assert reviews(stage) == [("INBOUND_OVERDUE", "resolved")]
    stage.tick(T0 + 9 * OVERDUE)
    assert reviews(stage) == []


def test_an_announced_delivery_is_overdue_a_week_after_its_date_and_a_new_date_gives_it_time():
    stage = told(stocked((A, 1)), expected(5), expected(5, said_at=T0 + 1, expected_at=T0 + 5 * DAY))
    stage.tick(T0 + DAY + OVERDUE)
    assert reviews(stage) == []
    stage.tick(T0 + 5 * DAY + OVERDUE)
    assert reviews(stage) == [("INBOUND_OVERDUE", "open")]
    told(stage, expected(0, said_at=T0 + 2))
    assert reviews(stage) == [("INBOUND_OVERDUE", "resolved")]


def test_an_arrival_whose_other_end_never_speaks_is_asked_about():
    stage = told(stocked((A, 9), (B, 0)), receives(4, 101))
    stage.tick(T0 + OVERDUE)
    assert reviews(stage) == [("INBOUND_OVERDUE", "open")]
    told(stage, expected(4, at=B, reference="T-1"))
    assert reviews(stage) == [("INBOUND_OVERDUE", "resolved")]


def test_each_overdue_reference_is_asked_about_once():
    stage = told(stocked((A, 1)), expected(5), expected(2, reference="PO-8", expected_at=T0 + 2 * DAY))
    stage.tick(T0 + DAY + OVERDUE)
    stage.tick(T0 + 2 * DAY + OVERDUE)
    assert reviews(stage) == [("INBOUND_OVERDUE", "open"), ("INBOUND_OVERDUE", "open")]


# waiting for it


def test_an_order_that_waits_hears_when_its_units_should_come():
    stage = told(stocked((A, 0), (B, 0)), expected(5), expected(2, at=B, reference="PO-8", expected_at=T0 + HOUR))
    [awaited] = ask(stage, wait(1, 3, A, B))
    assert awaited == StockAwaited(order(1), 1, VARIANT, 7, T0 + HOUR)
    assert ask(stage, wait(1, 3, A, B)) == []  # the same question again
    [awaited] = ask(stage, wait(1, 3, A, attempt=2))
    assert awaited == StockAwaited(order(1), 2, VARIANT, 5, T0 + DAY)


def test_nothing_is_said_of_units_without_a_date_elsewhere_or_to_who_is_served_at_once():
    stage = told(stocked((A, 0), (B, 0)), expected(5, expected_at=None), expected(2, at=B, reference="PO-8"))
    assert ask(stage, wait(1, 3, A)) == []
    told(stage, delta(4, 101))  # three are held for the first order
    assert names(ask(stage, wait(2, 1, A, B))) == ["StockWoken"]


# and in any order


moves = st.lists(
    st.one_of(
        st.tuples(st.just("out"), st.integers(1, 5), st.sampled_from(("T-1", "T-2"))),
        st.tuples(st.just("in"), st.integers(1, 5), st.sampled_from(("T-1", "T-2"))),
        st.tuples(st.just("say"), st.integers(0, 9), st.sampled_from(("PO-1", "PO-2"))),
        st.tuples(st.just("come"), st.integers(1, 5), st.sampled_from(("PO-1", "PO-2"))),
    ),
    max_size=30,
)


@given(moves)
def test_units_are_at_one_end_in_transit_or_at_the_other(events):
    """Whatever comes in whatever order: on hand is what was moved, and what is on its way is summed per reference."""
    stage = stocked((A, 0), (B, 0))
    sent, arrived, said = {}, {}, {}
    here, there = 0, 0
    numbers = {A: iter(range(101, 200)), B: iter(range(101, 200))}
    for number, (kind, units, name) in enumerate(events, 101):
        if kind == "out":
            told(stage, sends(units, next(numbers[A]), reference=name))
            sent[name], here = sent.get(name, 0) + units, here - units
        elif kind == "in":
            told(stage, receives(units, next(numbers[B]), reference=name))
            arrived[name], there = arrived.get(name, 0) + units, there + units
        elif kind == "say":
            told(stage, expected(units, at=B, reference=name, said_at=T0 + number))
            if units or name in said:
                said[name] = units
        else:
            told(stage, receives(units, next(numbers[B]), reference=name, reason="receipt"))
            there += units
            if name in said:
                arrived[name] = arrived.get(name, 0) + units
        in_transit = sum(max(0, sent.get(name, 0) - arrived.get(name, 0)) for name in ("T-1", "T-2"))
        assert (item(stage, A).on_hand, item(stage, B).on_hand) == (here, there)
        assert item(stage, B).in_transit == in_transit
        assert item(stage, B).expected == sum(max(0, units - arrived.get(name, 0)) for name, units in said.items())
