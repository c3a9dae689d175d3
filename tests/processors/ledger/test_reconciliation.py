"""Every alert kind, one line each: what was recorded for the golden order, and the differences that are named.

The golden order: 248.00 EUR by otto, one shipment s1 on account acme|dhl with 14.90 shipping and 142.10 supplier cost.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.ledger.posting import first_broken, is_balanced
from schemas.records.finance import LedgerEntry, OrderReconciled, ReconciliationAlert, SourceRecord
from tests.processors.ledger.books import (
    FEE,
    GOLDEN,
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
INVOICE = "acme|invoice|77"
TWO = (shipped("s1", 600, 5_000, "acme|dhl"), shipped("s2", 700, 9_210, "acme|ups"))
SAME = (shipped("s1", 600, 5_000), shipped("s2", 700, 9_210))
COSTS = (SUPPLIER,)
NO_SUPPLIER = shipped(supplier=0)


def test_golden():
    """248.00 settlement - 19.40 shipping and fees - 142.10 supplier = 86.50 EUR, balanced."""
    desk = told(*GOLDEN, closed())
    (result,) = published(desk, OrderReconciled)
    assert result.settlement_minor == 24_800
    assert result.shipping_minor + result.fees_minor == 1_940
    assert result.supplier_cost_minor == 14_210
    assert (result.margin_minor, result.currency, result.balanced, result.round) == (8_650, "EUR", True, 1)
    assert alerts(desk) == set()
    entries = published(desk, LedgerEntry)
    assert [entry.kind for entry in entries] == ["settlement", "shipping", "fee", "supplier_cost", "margin"]
    assert first_broken(entries) is None
    sums = {}
    for posting in (posting for entry in entries for posting in entry.postings):
        sums[posting.account] = sums.get(posting.account, 0) + posting.credit_minor - posting.debit_minor
    assert sums["margin"] == 8_650
    assert sums["settlement"] == sums["shipping"] == sums["fees"] == sums["supplier_cost"] == 0
    assert sum(sums.values()) == 0


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        # settlement
        ((NO_SUPPLIER,), {("MISSING_SETTLEMENT", ORDER, 24_800, 0)}),
        ((NO_SUPPLIER, money("settlement", 24_700, 1)), {("AMOUNT_MISMATCH", ORDER, 24_800, 24_700)}),
        ((NO_SUPPLIER, money("settlement", 24_801, 1)), {("AMOUNT_MISMATCH", ORDER, 24_800, 24_801)}),
        ((NO_SUPPLIER, money("settlement", 10_000, 1), money("settlement", 14_800, 2)), set()),
        # payment
        ((NO_SUPPLIER, SETTLED, money("payment", 24_800, 5)), set()),
        (
            (NO_SUPPLIER, SETTLED, money("payment", 24_000, 5)),
            {("AMOUNT_MISMATCH", f"{ORDER}#payment", 24_800, 24_000)},
        ),
        # the same fact told twice
        ((NO_SUPPLIER, SETTLED, money("settlement", 24_800, 9)), {("DUPLICATE", f"{M}#r9", 24_800, 49_600)}),
        ((NO_SUPPLIER, money("settlement", 12_400, 1), money("settlement", 12_400, 2)), set()),  # two halves
        (
            (NO_SUPPLIER, *(money("settlement", 12_400, offset) for offset in (1, 2, 3))),
            {("DUPLICATE", f"{M}#r3", 24_800, 37_200)},  # two halves, and one of them again
        ),
        (
            (NO_SUPPLIER, SETTLED, money("settlement", 24_800, 9, reference="acme|charge|1")),
            {("AMOUNT_MISMATCH", ORDER, 24_800, 49_600)},  # another reference: not surely the same fact
        ),
        ((NO_SUPPLIER, SETTLED, FEE, money("fee", 450, 9)), {("DUPLICATE", f"{M}#r9", 450, 900)}),
        (
            (NO_SUPPLIER, SETTLED, money("refund", 500, 8), money("refund", 500, 9)),
            {("DUPLICATE", f"{M}#r9", 500, 1_000)},
        ),
        (
            (
                shipped(),
                SETTLED,
                SHIPPING,
                SUPPLIER,
                money("supplier_cost", 14_210, 9, shipment="s1", reference=INVOICE),
            ),
            {("DUPLICATE", f"{INVOICE}#r9", 14_210, 28_420)},
        ),
        # shipping
        ((NO_SUPPLIER, SETTLED, money("shipping", 1_000, 2, shipment="s1")), set()),  # cheaper than planned
        (
            (NO_SUPPLIER, SETTLED, money("shipping", 1_500, 2, shipment="s1")),
            {("SHIPPING_OVERCHARGE", "s1", 1_490, 1_500)},
        ),
        ((NO_SUPPLIER, SETTLED, money("shipping", 1_500, 2)), {("SHIPPING_OVERCHARGE", "s1", 1_490, 1_500)}),
        (
            (
                NO_SUPPLIER,
                SETTLED,
                money("shipping", 1_490, 2, shipment="s1", account="acme|dhl"),
                money("shipping", 1_490, 3, shipment="s1", account="acme|ups"),
            ),
            {("SHIPPING_OVERCHARGE", "s1", 1_490, 2_980)},  # several accounts billed one shipment
        ),
        ((NO_SUPPLIER, SETTLED, money("shipping", 9, 2, shipment="s7")), {("UNEXPECTED_ENTRY", f"{M}#r2", 0, 9)}),
        ((SETTLED, money("shipping", 9, 2)), {("UNEXPECTED_ENTRY", f"{M}#r2", 0, 9)}),  # nothing was shipped
        # shipping of a split order: per shipment, then by account, then as a whole
        (
            (*TWO, *COSTS[:0], SETTLED, money("supplier_cost", 14_210, 4), money("shipping", 601, 2, shipment="s1")),
            {("SHIPPING_OVERCHARGE", "s1", 600, 601)},
        ),
        (
            (*TWO, SETTLED, money("supplier_cost", 14_210, 4), money("shipping", 701, 2, account="acme|ups")),
            {("SHIPPING_OVERCHARGE", "s2", 700, 701)},
        ),
        ((*SAME, SETTLED, money("supplier_cost", 14_210, 4), money("shipping", 1_300, 2, account="acme|dhl")), set()),
        (
            (*SAME, SETTLED, money("supplier_cost", 14_210, 4), money("shipping", 1_301, 2)),
            {("SHIPPING_OVERCHARGE", ORDER, 1_300, 1_301)},
        ),
        (
            (
                *SAME,
                SETTLED,
                money("supplier_cost", 14_210, 4),
                money("shipping", 600, 2, shipment="s1"),
                money("shipping", 750, 3),
            ),
            {("SHIPPING_OVERCHARGE", ORDER, 700, 750)},  # what was billed apart is not counted again
        ),
        # supplier cost
        ((shipped(), SETTLED), {("SUPPLIER_COST_MISMATCH", "s1", 14_210, 0)}),
        ((shipped(), SETTLED, money("supplier_cost", 14_211, 4)), {("SUPPLIER_COST_MISMATCH", "s1", 14_210, 14_211)}),
        ((shipped(), SETTLED, money("supplier_cost", 14_209, 4)), {("SUPPLIER_COST_MISMATCH", "s1", 14_210, 14_209)}),
        ((NO_SUPPLIER, SETTLED, money("supplier_cost", 5, 4)), {("SUPPLIER_COST_MISMATCH", "s1", 0, 5)}),
        ((*TWO, SETTLED), {("SUPPLIER_COST_MISMATCH", "s1", 5_000, 0), ("SUPPLIER_COST_MISMATCH", "s2", 9_210, 0)}),
        ((*TWO, SETTLED, money("supplier_cost", 14_000, 4)), {("SUPPLIER_COST_MISMATCH", ORDER, 14_210, 14_000)}),
        (
            (*TWO, SETTLED, money("supplier_cost", 5_000, 4, shipment="s1")),
            {("SUPPLIER_COST_MISMATCH", "s2", 9_210, 0)},
        ),
        ((SETTLED, SUPPLIER), {("UNEXPECTED_ENTRY", f"{INVOICE}#r4", 0, 14_210)}),
        # refunds and chargebacks
        ((NO_SUPPLIER, SETTLED, money("refund", 24_800, 5)), set()),
        ((NO_SUPPLIER, SETTLED, money("refund", 24_801, 5)), {("REFUND_EXCEEDS_ORDER", ORDER, 24_800, 24_801)}),
        (
            (NO_SUPPLIER, SETTLED, money("refund", 20_000, 5), money("chargeback", 24_800, 6)),
            {("REFUND_EXCEEDS_ORDER", ORDER, 24_800, 44_800), ("UNEXPECTED_ENTRY", f"{M}#r6", 0, 24_800)},
        ),
        # currency
        ((NO_SUPPLIER, money("settlement", 24_800, 1, currency="CHF")), {("CURRENCY_MISMATCH", f"{M}#r1", 0, 24_800)}),
        (
            (NO_SUPPLIER, money("settlement", 24_800, 1, currency="CHF"), money("settlement", 9, 2)),
            {("CURRENCY_MISMATCH", f"{M}#r1", 0, 24_800), ("AMOUNT_MISMATCH", ORDER, 24_800, 9)},
        ),
        (
            (shipped(), SETTLED, money("supplier_cost", 14_210, 4, currency="PLN")),
            {("CURRENCY_MISMATCH", f"{M}#r4", 0, 14_210)},
        ),
        ((shipped(currency="PLN"), SETTLED, SHIPPING, SUPPLIER), {("CURRENCY_MISMATCH", "s1", 0, 15_700)}),
    ],
)
def test_a_closed_order(records, expected):
    desk = told(placed(), *records, closed())
    assert alerts(desk) == expected
    assert published(desk, OrderReconciled)[-1].balanced == (not expected)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ((), set()),  # no settlement is expected
        ((money("payment", 24_800, 1), money("refund", 24_800, 2)), set()),
        ((money("payment", 24_800, 1), money("settlement", 24_800, 2), money("refund", 24_800, 3)), set()),
        ((money("payment", 24_800, 1), money("chargeback", 24_800, 2)), set()),
        ((money("payment", 24_800, 1),), {("MISSING_REFUND", ORDER, 24_800, 0)}),
        ((SETTLED,), {("MISSING_REFUND", ORDER, 24_800, 0)}),
        ((SETTLED, money("refund", 20_000, 2)), {("MISSING_REFUND", ORDER, 24_800, 20_000)}),
        ((SETTLED, money("refund", 24_800, 2, currency="CHF")), {("CURRENCY_MISMATCH", f"{M}#r2", 0, 24_800)}),
        (
            (SETTLED, money("settlement", 24_800, 2)),
            {("DUPLICATE", f"{M}#r2", 24_800, 49_600), ("MISSING_REFUND", ORDER, 24_800, 0)},
        ),
        ((SETTLED, money("refund", 25_000, 2)), {("REFUND_EXCEEDS_ORDER", ORDER, 24_800, 25_000)}),
        ((money("shipping", 9, 2),), {("UNEXPECTED_ENTRY", f"{M}#r2", 0, 9)}),
        ((money("supplier_cost", 9, 2),), {("UNEXPECTED_ENTRY", f"{M}#r2", 0, 9)}),
        ((money("fee", 9, 2),), {("UNEXPECTED_ENTRY", f"{M}#r2", 0, 9)}),
    ],
)
@pytest.mark.parametrize("ends", [(cancelled(),), (cancelled(), closed()), (closed(), cancelled())])
def test_a_cancelled_order_of_which_nothing_was_shipped(records, expected, ends):
    assert alerts(told(placed(), *records, *ends)) == expected


def test_a_cancel_that_came_after_shipping_changes_no_expectation():
    desk = told(placed(), NO_SUPPLIER, cancelled())
    assert published(desk, OrderReconciled) == []  # it is open until it is closed
    send(desk, closed())
    desk.tick(desk.now_at + 60_000)
    assert alerts(desk) == {("MISSING_SETTLEMENT", ORDER, 24_800, 0)}


@pytest.mark.parametrize(
    ("fee", "channel_fee_bp", "expected"),
    [
        (None, {}, set()),
        (450, {}, set()),  # no rate, no expectation
        (450, {"ebay": 1_500}, set()),
        (3_720, {"otto": 1_500}, set()),
        (3_719, {"otto": 1_500}, {("FEE_MISMATCH", ORDER, 3_720, 3_719)}),
        (None, {"otto": 1_500}, {("FEE_MISMATCH", ORDER, 3_720, 0)}),
        (1, {"otto": 0}, {("FEE_MISMATCH", ORDER, 0, 1)}),
    ],
)
def test_fees_by_the_rate_of_the_channel(fee, channel_fee_bp, expected):
    fees = () if fee is None else (money("fee", fee, 3),)
    assert alerts(told(placed(), NO_SUPPLIER, SETTLED, *fees, closed(), channel_fee_bp=channel_fee_bp)) == expected


def test_a_fee_in_another_currency_is_not_missing_too():
    desk = told(placed(), SETTLED, money("fee", 3_720, 3, currency="CHF"), closed(), channel_fee_bp={"otto": 1_500})
    assert alerts(desk) == {("CURRENCY_MISMATCH", f"{M}#r3", 0, 3_720)}


@pytest.mark.parametrize(("amount", "found"), [(24_789, 1), (24_790, 0), (24_810, 0), (24_811, 1)])
def test_the_tolerance_is_a_rule(amount, found):
    desk = told(placed(), money("settlement", amount, 1), closed(), reconciliation_tolerance_minor=10)
    assert len(alerts(desk)) == found


def test_an_alert_names_the_exact_records():
    desk = told(*GOLDEN[:4], SUPPLIER, money("shipping", 500, 9, shipment="s1", account="acme|ups"), closed())
    (alert,) = published(desk, ReconciliationAlert)
    assert alert.kind == "SHIPPING_OVERCHARGE"
    assert alert.difference_minor == 500
    assert alert.sources == (
        SourceRecord("order-facts", 0, 1),
        SourceRecord("settlements", 3, 2),
        SourceRecord("settlements", 3, 9),
    )


def test_a_missing_settlement_names_the_order_and_its_close():
    (alert,) = published(told(placed(), closed()), ReconciliationAlert)
    assert alert.sources == (SourceRecord("orders", 0, 0), SourceRecord("orders", 0, 1))


entries = st.builds(
    money,
    st.sampled_from(("settlement", "payment", "shipping", "supplier_cost", "fee", "refund", "chargeback")),
    st.sampled_from((1, 1_490, 7_105, 14_210, 24_800)),
    st.integers(0, 10_000),
    currency=st.sampled_from(("EUR", "EUR", "EUR", "CHF")),
    account=st.sampled_from((None, "acme|dhl", "acme|ups")),
    shipment=st.sampled_from((None, None, "s1", "s2", "s9")),
    reference=st.sampled_from((M, INVOICE)),
)
facts = st.lists(
    st.builds(
        shipped,
        st.sampled_from(("s1", "s2")),
        st.sampled_from((0, 1_490)),
        st.sampled_from((0, 14_210)),
        st.sampled_from(("acme|dhl", "acme|ups")),
        st.sampled_from(("EUR", "EUR", "EUR", "PLN")),
    ),
    unique_by=lambda fact: fact.shipment_id,
    max_size=2,
)
ends = st.sampled_from(((closed(),), (cancelled(),), (closed(), cancelled())))
records = st.lists(entries, max_size=6, unique_by=lambda record: record.source.offset)


@settings(max_examples=200, deadline=None)
@given(facts, records, ends, st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_alerts_and_margin(facts, records, ends, random):
    history = [placed(), *facts, *records, *ends]
    shuffled = random.sample(history, len(history))
    in_order, out_of_order = told(*history), told(*shuffled)
    assert alerts(in_order) == alerts(out_of_order)
    results = [published(desk, OrderReconciled) for desk in (in_order, out_of_order)]
    assert results[0] == results[1]


@settings(max_examples=100, deadline=None)
@given(facts, records, ends, st.randoms(use_true_random=False))
def test_every_entry_balances_and_every_chain_verifies_whatever_comes_when(facts, records, ends, random):
    history = [placed(), *facts, *records, *ends]
    desk = bench()
    for record in random.sample(history, len(history)):
        send(desk, record)
        desk.tick(desk.now_at + random.choice((0, 20_000, 60_000)))
    desk.tick(desk.now_at + 60_000)
    chain = published(desk, LedgerEntry)
    assert first_broken(chain) is None
    assert all(is_balanced(entry) for entry in chain)
    assert sum(entry.kind != "margin" for entry in chain) == len(records)
    for result in published(desk, OrderReconciled)[-1:]:
        moved = sum(
            posting.credit_minor - posting.debit_minor
            for entry in chain
            for posting in entry.postings
            if posting.account == "margin"
        )
        assert moved == result.margin_minor
        if desk.rows["ledgers"][ORDER].reconciled_at is not None:  # else open again: shipped after its cancel
            assert result.balanced == (not alerts(desk))
