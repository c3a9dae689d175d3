"""The life of an order's ledger: before its order, open, closed, late, forgotten."""

import msgspec
import pytest

from processors.finance import KEEP_MS
from processors.ledger.stage import STAGE
from processors.reasons import Reason
from processors.rules import DEFAULT_RULES
from schemas.records.finance import LedgerEntry, OrderReconciled, ReconciliationAlert, SourceRecord
from tests.processors.ledger.books import (
    FEE,
    GOLDEN,
    GRACE_MS,
    ORDER,
    SETTLED,
    SHIPPING,
    SUPPLIER,
    alerts,
    bench,
    cancelled,
    closed,
    money,
    placed,
    published,
    send,
    shipped,
    told,
)

M = "acme|marketplace|303"
WAIT_MS = DEFAULT_RULES.pending_event_keep_ms


def balanced():
    """The golden order, reconciled, with its outputs taken away."""
    desk = told(*GOLDEN, closed())
    desk.take()
    return desk


def test_an_entry_is_posted_at_once_and_reconciled_only_after_the_grace():
    desk = bench()
    send(desk, *GOLDEN, closed())
    assert [entry.kind for entry in desk.take("ledger-entries")] == ["settlement", "shipping", "fee", "supplier_cost"]
    desk.tick(desk.now_at + GRACE_MS - 1)
    assert desk.emitted == []
    desk.tick(desk.now_at + 1)
    assert [type(record) for record in desk.take()] == [LedgerEntry, OrderReconciled]


def test_a_record_on_its_way_when_the_order_closes_is_in_time():
    desk = bench()
    send(desk, placed(), closed(), SETTLED)
    desk.tick(desk.now_at + GRACE_MS)
    assert published(desk, ReconciliationAlert) == []


def test_without_grace_the_close_reconciles():
    desk = bench(reconcile_grace_ms=0)
    send(desk, placed(), SETTLED, closed())
    assert [result.balanced for result in published(desk, OrderReconciled)] == [True]


def test_what_comes_before_its_order_is_booked_when_the_order_comes():
    desk = bench()
    send(desk, SETTLED, shipped(), SHIPPING, closed())
    desk.tick(desk.now_at + GRACE_MS)
    assert desk.emitted == []
    send(desk, placed(), FEE, SUPPLIER)
    desk.tick(desk.now_at + GRACE_MS)
    entries = published(desk, LedgerEntry)
    assert [entry.kind for entry in entries] == ["settlement", "shipping", "fee", "supplier_cost", "margin"]
    assert [result.margin_minor for result in published(desk, OrderReconciled)] == [8_650]


@pytest.mark.parametrize(
    ("signer", "reconciled"),
    [
        (None, 1),
        ("fsn", 1),
        ("acme", 1),
        ("acme|merchant_nordwind", 1),
        ("acme|merchant_rival", 0),
        ("acme|partner_x", 0),
    ],
)
@pytest.mark.parametrize("end", [closed(), cancelled()])
def test_an_end_that_comes_before_its_order_counts_if_its_merchant_may_speak(signer, reconciled, end):
    desk = bench()
    for _ in range(2):
        assert desk.send("orders", ORDER, end, signer="acme|somebody") is None
        assert desk.send("orders", ORDER, end, signer=signer) is None
    send(desk, placed())
    desk.tick(desk.now_at + GRACE_MS)
    assert len(published(desk, OrderReconciled)) == reconciled


def test_money_for_an_order_that_nobody_places_is_alerted_and_resolves_when_it_comes_after_all():
    desk = bench()
    send(desk, SETTLED)
    desk.tick(desk.now_at + WAIT_MS)
    assert alerts(desk) == {("UNEXPECTED_ENTRY", f"{M}#r1", 0, 24_800)}
    send(desk, FEE)  # alerted at once: the wait is over
    assert len(alerts(desk)) == 2
    assert published(desk, LedgerEntry) == []
    send(desk, placed())
    assert alerts(desk) == set()
    last = published(desk, ReconciliationAlert)[-1]
    assert (last.status, last.sources[-1]) == ("resolved", SourceRecord("orders", 0, 2))
    assert len(published(desk, LedgerEntry)) == 2


def test_a_row_without_money_is_dropped_when_its_order_does_not_come():
    desk = bench()
    send(desk, closed(), cancelled(), shipped())
    desk.tick(desk.now_at + WAIT_MS)
    assert desk.rows["ledgers"] == {}
    assert desk.emitted == []


def test_an_order_in_time_leaves_no_alert():
    desk = told(SETTLED, placed())
    desk.tick(desk.now_at + WAIT_MS)
    assert published(desk, ReconciliationAlert) == []


@pytest.mark.parametrize("repeat", [*GOLDEN, closed()])
def test_a_repeat_changes_nothing(repeat):
    desk = balanced()
    send(desk, repeat)
    desk.tick(desk.now_at + GRACE_MS)
    assert desk.emitted == []


def test_a_second_cancel_changes_nothing():
    desk = told(placed(), cancelled())
    desk.take()
    send(desk, cancelled())
    assert desk.emitted == []
    assert not any(kind == "ledger.reconcile" for _, kind, _ in desk.timers)


@pytest.mark.parametrize("impossible", [placed(total=-1), placed(currency="euro"), placed(currency="XXX")])
def test_an_order_that_the_orders_stage_refuses_is_ignored(impossible):
    desk = bench()
    send(desk, impossible)
    assert desk.rows == {}


@pytest.mark.parametrize("missing", [{"order_id": None}, {"order_id": ""}, {"source": None}])
def test_a_financial_record_without_order_or_source_is_refused(missing):
    record = msgspec.structs.replace(SETTLED, **missing)
    assert bench().send("order-events", ORDER, record) == Reason.MISSING_FIELD


def test_a_late_entry_resolves_the_alert_it_explains_and_is_named_by_it():
    desk = told(*GOLDEN[:2], SHIPPING, FEE, SUPPLIER, closed())
    assert alerts(desk) == {("MISSING_SETTLEMENT", ORDER, 24_800, 0)}
    desk.take()
    send(desk, SETTLED)
    posted, margin, result = desk.take("ledger-entries")
    assert (posted.kind, margin.kind) == ("settlement", "margin")
    assert margin.source == posted.source == SETTLED.source
    assert (result.margin_minor, result.balanced, result.round) == (8_650, True, 2)
    (resolved,) = desk.take("reconciliation-alerts")
    assert (resolved.kind, resolved.status) == ("MISSING_SETTLEMENT", "resolved")
    assert resolved.sources[-1] == SETTLED.source


def test_a_late_entry_that_explains_a_part_restates_the_alert():
    desk = told(placed(), money("settlement", 10_000, 1), closed())
    desk.take()
    send(desk, money("settlement", 10_000, 2, reference="acme|charge|1"))
    (restated,) = published(desk, ReconciliationAlert)
    assert (restated.kind, restated.status, restated.actual_minor) == ("AMOUNT_MISMATCH", "open", 20_000)


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        # It changes the balanced margin, and no other alert names it.
        (money("refund", 1_000, 9), {("LATE_ENTRY", f"{M}#r9", 8_650, 7_650)}),
        (money("fee", 50, 9), {("LATE_ENTRY", f"{M}#r9", 8_650, 8_600)}),
        # Another alert names it.
        (money("chargeback", 24_800, 9), {("UNEXPECTED_ENTRY", f"{M}#r9", 0, 24_800)}),
        (money("settlement", 24_800, 9), {("DUPLICATE", f"{M}#r9", 24_800, 49_600)}),
        (money("shipping", 1, 9, shipment="s1"), {("SHIPPING_OVERCHARGE", "s1", 1_490, 1_491)}),
        (money("settlement", 1, 9), {("AMOUNT_MISMATCH", ORDER, 24_800, 24_801)}),
        (money("refund", 1, 9, currency="CHF"), {("CURRENCY_MISMATCH", f"{M}#r9", 0, 1)}),
        # It changes no margin.
        (money("payment", 24_800, 9), set()),
    ],
)
def test_late_after_a_balanced_result(late, expected):
    desk = balanced()
    send(desk, late)
    assert alerts(desk) == expected


def test_late_after_a_result_that_was_not_balanced_is_no_alert_of_its_own():
    desk = told(placed(), shipped(supplier=0), closed())
    send(desk, SHIPPING)
    assert alerts(desk) == {("MISSING_SETTLEMENT", ORDER, 24_800, 0)}
    assert published(desk, OrderReconciled)[-1].margin_minor == -1_490


def test_each_late_entry_is_named_even_after_another():
    desk = balanced()
    send(desk, money("refund", 1_000, 9), money("refund", 2_000, 10))
    assert alerts(desk) == {("LATE_ENTRY", f"{M}#r9", 8_650, 7_650), ("LATE_ENTRY", f"{M}#r10", 7_650, 5_650)}


def test_past_the_late_window_even_an_explaining_entry_is_named():
    desk = told(*GOLDEN[:2], SHIPPING, FEE, SUPPLIER, closed(), late_window_ms=1_000)
    desk.tick(desk.now_at + 1_000)
    send(desk, SETTLED)
    assert alerts(desk) == {("LATE_ENTRY", f"{M}#r1", -16_150, 8_650)}


def test_a_later_close_accepts_the_books_as_they_stand():
    desk = balanced()
    send(desk, money("refund", 1_000, 9), closed(at=1))
    desk.tick(desk.now_at + GRACE_MS)
    assert len(alerts(desk)) == 1  # the same close again accepts nothing
    send(desk, closed(at=2))
    desk.tick(desk.now_at + GRACE_MS)
    assert alerts(desk) == set()
    assert [result.balanced for result in published(desk, OrderReconciled)] == [False, True]


def test_a_late_shipment_fact_reconciles_again():
    desk = told(placed(), SETTLED, SHIPPING, closed())
    assert {alert[0] for alert in alerts(desk)} == {"UNEXPECTED_ENTRY"}
    send(desk, shipped(supplier=0))
    assert alerts(desk) == set()


def test_a_cancelled_order_that_turns_out_shipped_is_open_again_until_it_is_closed():
    desk = told(placed(), cancelled())
    desk.take()
    send(desk, shipped(supplier=0), SHIPPING)
    assert published(desk, OrderReconciled) == []
    send(desk, closed(), SETTLED)
    desk.tick(desk.now_at + GRACE_MS)
    assert alerts(desk) == set()
    assert published(desk, OrderReconciled)[-1].margin_minor == 24_800 - 1_490


def test_the_row_is_forgotten_400_days_after_the_first_round():
    desk = balanced()
    desk.tick(desk.now_at + KEEP_MS - 1)
    assert ORDER in desk.rows["ledgers"]
    desk.tick(desk.now_at + 1)
    assert desk.rows["ledgers"] == {}


def test_money_that_was_never_claimed_is_forgotten_too():
    desk = bench()
    send(desk, SETTLED)
    desk.tick(desk.now_at + WAIT_MS)
    desk.tick(desk.now_at + KEEP_MS)
    assert desk.rows["ledgers"] == {}


@pytest.mark.parametrize("closes", [False, True])
def test_an_order_that_came_very_late_outlives_the_timer_of_its_wait(closes):
    desk = bench()
    send(desk, SETTLED)
    desk.tick(desk.now_at + WAIT_MS)
    desk.tick(desk.now_at + KEEP_MS - 2 * GRACE_MS)
    send(desk, placed(), *([closed()] if closes else []))
    desk.tick(desk.now_at + 2 * GRACE_MS)
    assert ORDER in desk.rows["ledgers"]


@pytest.mark.parametrize("kind", sorted(STAGE.timers))
def test_a_timer_without_a_row_does_nothing(kind):
    desk = bench()
    STAGE.timers[kind](ORDER, desk)
    assert desk.emitted == []
