"""Deltas and counts: sequences, gaps, drift, and who may say what."""

import msgspec
import pytest

from processors.reasons import Reason
from processors.stock import sequences
from tests.processors.stock.world import (
    MEMORY,
    NETWORK,
    PARTNER,
    SKU,
    T0,
    VARIANT,
    A,
    B,
    alerts,
    ask,
    bench,
    consume,
    count,
    delta,
    feed_id,
    item,
    names,
    recount,
    report,
    reserve,
    reviews,
    stocked,
    wait,
)

OPEN, CLOSED = [("COUNT_WANTED", "open")], [("COUNT_WANTED", "resolved")]


def d(sequence, quantity):
    return delta(quantity, sequence)


def c(sequence, quantity, occurred_at=T0):
    return count(quantity, sequence, occurred_at=occurred_at)


CONTIGUOUS = [
    # records                                                     on hand  gapped  reviews
    ([d(7, 5)], 5, False, []),  # the first sequence seen is the baseline
    ([d(7, 5), d(8, -2)], 3, False, []),
    ([d(7, 5), d(7, 5)], 5, False, []),  # a duplicate
    ([d(7, 5), d(6, 9)], 5, False, []),  # older
    ([d(7, 5), d(8, 0)], 5, False, []),  # zero units are a delta too
    ([d(7, 5), d(9, 1)], 6, True, OPEN),  # 8 is missing: applied, and kept
    ([d(7, 5), d(9, 1), d(10, 1)], 7, True, OPEN),  # asked for once
    ([d(7, 5), d(9, 1), d(8, 4)], 6, True, OPEN),  # the missing one arrives late: only a count heals
    ([d(7, 5), d(9, 1), c(7, 5)], 6, True, OPEN + OPEN),  # older than the gap: another is asked for
    ([d(7, 5), d(9, 1), c(8, 9)], 10, False, OPEN + CLOSED),  # 9 is not in the count
    ([d(7, 5), d(9, 1), c(9, 10)], 10, False, OPEN + CLOSED),
    ([d(7, 5), d(9, 1), c(12, 10)], 10, False, OPEN + CLOSED),  # includes what never came
    ([d(7, 5), d(9, 1), c(12, 10), d(12, 3)], 10, False, OPEN + CLOSED),
    ([d(7, 5), d(9, 1), c(12, 10), d(13, 3)], 13, False, OPEN + CLOSED),
    ([d(7, 5), d(9, 1), d(11, 1), c(8, 9)], 11, True, OPEN + OPEN),  # 10 is missing too
    ([d(7, 5), d(9, 1), d(11, 1), c(8, 9), c(9, 10)], 11, True, OPEN * 3),
    ([d(7, 5), d(9, 1), d(11, 1), c(8, 9), c(10, 20)], 21, False, OPEN + OPEN + CLOSED),
    ([d(7, 5), d(9, 1), c(8, 9), c(8, 9)], 10, False, OPEN + CLOSED),  # the same count again
    ([c(7, 5)], 5, False, []),  # a count is a baseline too
    ([c(7, 5), d(8, 1)], 6, False, []),
    ([c(7, 5), d(7, 1)], 5, False, []),  # included
    ([c(7, 5), c(6, 9)], 5, False, []),  # older
    ([c(7, 5), c(7, 5)], 5, False, []),
    ([c(7, 5), c(7, 9, T0 + 1)], 9, False, []),  # counted again, nothing moved in between
    ([c(7, 5, T0), c(7, 9, T0 - 1)], 5, False, []),  # an older count that comes late
    ([c(7, 5), c(9, 4)], 4, False, []),  # 8 and 9 never came, and are in it
    ([c(7, 5), d(8, 1), c(7, 5)], 6, False, []),
]


@pytest.mark.parametrize(("records", "on_hand", "gapped", "asked"), CONTIGUOUS)
def test_a_contiguous_feed(records, on_hand, gapped, asked):
    stage = bench()
    assert [report(stage, record) for record in records] == [None] * len(records)
    assert (item(stage).on_hand, bool(item(stage).gapped)) == (on_hand, gapped)
    assert reviews(stage) == asked
    recount(stage)


@pytest.mark.parametrize(
    ("records", "on_hand"),
    [
        ([delta(5, 7), delta(1, 9)], 6),  # a jump is no gap
        ([delta(5, 7), delta(1, 9), delta(1, 8)], 6),
        ([delta(5, 7), count(9, 20)], 9),
        ([delta(5, 7), count(9, 20), delta(1, 20)], 9),
    ],
)
def test_a_monotonic_feed(records, on_hand):
    stage = bench()
    for record in records:
        report(stage, msgspec.structs.replace(record, feed_id=feed_id(A, "monotonic")))
    assert (item(stage).on_hand, item(stage).gapped, reviews(stage)) == (on_hand, (), [])


def test_a_feed_without_sequences_names_each_record_once():
    stage = bench()
    first = delta(5, name="keyed", idempotency_key="k1")
    counted = count(9, name="keyed", idempotency_key="k2")
    for record in (first, first, counted, first, counted):
        assert report(stage, record) is None
    assert (item(stage).on_hand, item(stage).revision) == (9, 2)
    assert stage.rows["stock_keys"][f"{VARIANT}|{first.feed_id}|{SKU}|k1"].ignored == 2
    assert alerts(stage) == [("STOCK_DRIFT", "open")]
    stage.tick(T0 + MEMORY - 1)
    assert len(stage.rows["stock_keys"]) == 2
    stage.tick(T0 + MEMORY)
    assert stage.rows["stock_keys"] == {}


def test_a_feed_that_starts_to_number_its_records_begins_with_a_baseline():
    for numbered in (delta(1, 50, sku=SKU), count(6, 50, sku=SKU)):
        stage = bench()
        report(stage, delta(5, name="keyed", idempotency_key="k1"))
        row = item(stage)
        row = msgspec.structs.replace(row, feed_id=feed_id(A))
        stage.rows["stock_items"][f"{VARIANT}|{A}"] = row
        report(stage, numbered)
        assert (item(stage).on_hand, item(stage).sequence) == (6, 50)


def test_two_feeds_of_one_item_number_their_records_apart():
    stage = bench()
    for record in (delta(5, 7), delta(1, 900, name="second"), delta(1, 901, name="second"), delta(1, 8)):
        report(stage, record)
    assert item(stage).on_hand == 8
    report(stage, delta(1, 903, name="second"))
    assert item(stage).gapped == (f"{VARIANT}|{feed_id(A, 'second')}|{SKU}",)
    report(stage, delta(1, 10))  # now both have a gap
    report(stage, count(20, 10))
    assert len(item(stage).gapped) == 1
    report(stage, count(30, 903, name="second"))
    assert (item(stage).on_hand, item(stage).gapped) == (30, ())
    report(stage, delta(1, 5))
    assert item(stage).on_hand == 30


def test_a_second_feed_may_begin_with_a_count():
    stage = bench()
    report(stage, delta(5, 7))
    report(stage, count(8, 900, name="second"))
    report(stage, count(8, 899, name="second"))
    assert (item(stage).on_hand, alerts(stage)) == (8, [])
    assert stage.rows["sequences"][f"{VARIANT}|{feed_id(A, 'second')}|{SKU}"].ignored == 1


def test_older_records_are_counted_and_the_item_is_left_alone():
    stage = stocked((A, 5))
    before = item(stage)
    for record in (d(100, 1), d(99, 1), c(98, 7)):
        report(stage, record)
    assert item(stage) is before
    assert stage.rows["sequences"][f"{VARIANT}|{feed_id(A)}|{SKU}"].ignored == 3
    assert stage.take() == []


def test_a_gap_that_is_never_counted_does_not_outgrow_its_row(monkeypatch):
    monkeypatch.setattr(sequences, "KEPT_MAX", 3)
    stage = bench()
    for record in (d(1, 1), d(3, 1), d(4, 1), d(5, 1), d(6, 1)):
        report(stage, record)
    kept = stage.rows["sequences"][f"{VARIANT}|{feed_id(A)}|{SKU}"]
    assert (kept.missing, kept.kept) == (3, ((4, 1), (5, 1), (6, 1)))
    report(stage, c(2, 9))
    assert item(stage).gapped  # 3 is forgotten: the count must include it
    report(stage, c(3, 9))
    assert (item(stage).on_hand, item(stage).gapped) == (12, ())


def test_nothing_is_reserved_on_a_gapped_item_and_waiting_orders_are_woken_when_it_is_counted():
    stage = stocked((A, 5))
    report(stage, d(102, 1))
    assert ask(stage, reserve(1, (A, 1)))[0].reason == "gapped"
    assert ask(stage, wait(1, 2)) == []
    report(stage, c(102, 6))
    assert names(stage.take("stock-offers")) == ["StockWoken"]


@pytest.mark.parametrize(
    ("record", "opened"),
    [
        (c(100, 5, T0 + 1), []),  # as computed
        (c(100, 4, T0 + 1), [("STOCK_DRIFT", "open")]),
        (c(100, 6, T0 + 1), [("STOCK_DRIFT", "open")]),
        (c(101, 4), []),  # a delta is missing: no wonder
    ],
)
def test_a_count_that_differs_from_what_was_computed_is_alerted(record, opened):
    stage = stocked((A, 5))
    report(stage, record)
    assert alerts(stage) == opened
    assert item(stage).on_hand == record.quantity
    if opened:
        report(stage, msgspec.structs.replace(record, occurred_at=T0 + 2))
        assert alerts(stage) == [("STOCK_DRIFT", "resolved")]
        report(stage, msgspec.structs.replace(record, occurred_at=T0 + 3))
        assert alerts(stage) == []


def test_drift_says_expected_and_actual():
    stage = stocked((A, 100), name="referenced")
    ask(stage, reserve(1, (A, 10)), consume(1, 10))  # shipped 10 …
    report(stage, delta(-8, 101, name="referenced", reason="shipment", reference="acme|shop|1"))  # … deducted 8
    report(stage, count(90, 101, name="referenced", occurred_at=T0 + 1))
    (drift,) = stage.take("operational-alerts")
    assert (drift.kind, drift.expected, drift.actual) == ("STOCK_DRIFT", 92, 90)
    assert item(stage).on_hand == 90


@pytest.mark.parametrize(
    ("counted", "on_hand", "drift"),
    [
        (10, 10, []),
        (8, 10, []),  # two are picked
        (7, 10, []),  # all that is reserved is picked
        (6, 9, [("STOCK_DRIFT", "open")]),  # one more is gone
        (11, 11, [("STOCK_DRIFT", "open")]),
    ],
)
def test_a_count_may_leave_out_picked_units(counted, on_hand, drift):
    stage = stocked((A, 10), name="picked")
    ask(stage, reserve(1, (A, 3)))
    report(stage, count(counted, 100, name="picked", occurred_at=T0 + 1))
    assert (item(stage).on_hand, alerts(stage)) == (on_hand, drift)


def test_on_hand_below_zero_is_alerted_and_never_clamped():
    stage = stocked((A, 1))
    report(stage, d(101, -3))
    assert (item(stage).on_hand, alerts(stage)) == (-2, [("NEGATIVE_ON_HAND", "open")])
    report(stage, d(102, -1))
    report(stage, d(103, 1))
    assert (item(stage).on_hand, alerts(stage)) == (-2, [])
    report(stage, d(104, 2))
    assert (item(stage).on_hand, alerts(stage)) == (0, [("NEGATIVE_ON_HAND", "resolved")])
    recount(stage)


def test_an_item_is_shown_once_per_batch():
    stage = stocked((A, 5))
    for number in range(101, 111):
        report(stage, d(number, 1))
    stage.settle()
    (shown,) = stage.take("stock-snapshots")
    assert (shown.variant_id, shown.location_id, shown.on_hand, shown.revision) == (VARIANT, A, 15, 11)
    assert (shown.available_to_promise, shown.gapped, shown.updated_at) == (15, False, T0)


REFUSED = [
    (delta(1, 1, feed_id="acme|nobody"), None, Reason.UNKNOWN_FEED),
    (delta(1, 1, location_id="acme|nowhere"), None, Reason.UNKNOWN_LOCATION),
    (delta(1, 1, feed_id="acme|nobody"), "acme|nobody", Reason.UNKNOWN_FEED),
    (delta(1, 1, location_id=B), None, Reason.INVALID_VALUE),  # another location than the feed's
    (delta(1, 1, variant_id="acme|var_2"), None, Reason.KEY_MISMATCH),
    (count(1, 1, variant_id="acme|var_2"), None, Reason.KEY_MISMATCH),
    (delta(1, 1, sku=""), None, Reason.MISSING_FIELD),
    (delta(1, 1, sku="", variant_id=None), None, Reason.MISSING_FIELD),
    (delta(1, None), None, Reason.MISSING_FIELD),
    (count(1, None), None, Reason.MISSING_FIELD),
    (delta(1, 1, name="keyed"), None, Reason.MISSING_FIELD),
    (delta(1, 1, reason="magic"), None, Reason.INVALID_VALUE),
    (count(-1, 1), None, Reason.NEGATIVE_QUANTITY),
    (delta(1, 1), "acme|other", Reason.FORGED),
    (count(1, 1), "acme|other", Reason.FORGED),
    (delta(1, 1), "evil", Reason.FORGED),
    (delta(1, 1), "evil|partner", Reason.FORGED),
    (delta(1, 1, feed_id="acme|nobody"), "evil", Reason.FORGED),
    (delta(1, 1), PARTNER, None),
    (delta(1, 1), "acme", None),
    (delta(1, 1), "fsn", None),
]


@pytest.mark.parametrize("known", [False, True], ids=["new item", "known item"])
@pytest.mark.parametrize(("record", "signer", "reason"), REFUSED)
def test_refusals(known, record, signer, reason):
    stage = stocked((A, 5)) if known else bench()
    record = msgspec.structs.replace(record, sequence=101) if known and record.sequence else record
    before = {name: dict(rows) for name, rows in stage.rows.items()}
    assert report(stage, record, signer) is reason
    assert (stage.rows == before) is (reason is not None)


def test_a_known_item_is_defended_by_signature_even_when_its_feed_is_gone():
    stage = stocked((A, 5))
    stage.network = type(NETWORK)()
    assert report(stage, d(101, 1)) is Reason.UNKNOWN_LOCATION


def test_a_feed_may_not_speak_of_another_tenants_variant():
    stage = bench()
    foreign = delta(1, 1, variant_id="evil|var_1")
    assert stage.send("stock-deltas", "evil|var_1", foreign, PARTNER) is Reason.FORGED


def test_a_sku_without_variant_waits_for_a_person():
    stage = bench()
    for record in (delta(1, 1, variant_id=None), count(1, 1, variant_id=None, namespace="partner:x")):
        assert report(stage, record) is None
        assert reviews(stage) == [("UNMAPPED", "open")]
    assert stage.rows == {}
