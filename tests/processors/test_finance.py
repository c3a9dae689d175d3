"""Finance intake: the rules one line each, then: every record reaches exactly one order, once, whatever the order."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.finance import KEEP_MS, RECEIVED, REFERENCES, STAGE
from processors.network import Network, RuleSet
from processors.reasons import Reason
from processors.rules import DEFAULT_RULES, Rules
from schemas.records.finance import FinancialRecorded, ReferenceLinked, SourceRecord
from tests.processors.harness import Bench

REFERENCE, ORDER, OTHER = "acme|marketplace|303-118", "acme|shop|48372", "acme|shop|48373"
SETTLED = FinancialRecorded(
    reference=REFERENCE,
    record_id="stl-1",
    kind="settlement",
    amount_minor=24_800,
    currency="EUR",
    order_id=None,
    account_id=None,
    shipment_id=None,
    source=None,
    occurred_at=5,
)
WAIT_MS = DEFAULT_RULES.unlinked_reference_ms


def but(**changes):
    return msgspec.structs.replace(SETTLED, **changes)


def settle(bench, record, signer=None):
    return bench.send("settlements", record.reference, record, signer)


def link(bench, order_id=ORDER, reference=REFERENCE):
    return bench.send("reference-links", reference, ReferenceLinked(reference, order_id))


def forwarded(bench):
    return [(key, record) for topic, key, record in bench.emitted if topic == "order-events"]


@pytest.mark.parametrize(
    ("record", "key", "signer", "reason"),
    [
        (SETTLED, REFERENCE, None, None),
        (SETTLED, REFERENCE, "fsn", None),
        (SETTLED, REFERENCE, "acme", None),
        (SETTLED, REFERENCE, "acme|channel_otto", None),
        (SETTLED, REFERENCE, "rival", Reason.FORGED),
        (SETTLED, REFERENCE, "rival|acme", Reason.FORGED),
        (but(order_id="rival|shop|1"), REFERENCE, "acme", Reason.FORGED),
        (but(order_id=""), REFERENCE, "acme", Reason.FORGED),
        (SETTLED, "acme|marketplace|1", None, Reason.KEY_MISMATCH),
        (but(record_id=""), REFERENCE, None, Reason.MISSING_FIELD),
        (but(reference="acme|marketplace|"), "acme|marketplace|", None, Reason.INVALID_VALUE),
        (but(reference="acme"), "acme", None, Reason.INVALID_VALUE),
        (but(reference="|charge|1"), "|charge|1", None, Reason.INVALID_VALUE),
        (but(kind="tip"), REFERENCE, None, Reason.INVALID_VALUE),
        (but(amount_minor=0), REFERENCE, None, Reason.INVALID_VALUE),
        (but(amount_minor=-1), REFERENCE, None, Reason.INVALID_VALUE),
        (but(currency="euro"), REFERENCE, None, Reason.CURRENCY_INVALID),
        (but(currency="XXX"), REFERENCE, None, Reason.CURRENCY_INVALID),
        (but(record_id="", amount_minor=0), REFERENCE, "rival", Reason.FORGED),  # first reason wins
        (but(record_id="", amount_minor=0), REFERENCE, None, Reason.MISSING_FIELD),
    ],
)
def test_refusals_in_order_of_precedence(record, key, signer, reason):
    bench = Bench(STAGE)
    assert bench.send("settlements", key, record, signer) == reason
    assert bool(bench.rows) == (reason is None)


def test_a_record_that_names_its_order_goes_on_at_once_with_its_source():
    bench = Bench(STAGE)
    settle(bench, but(order_id=ORDER))
    assert forwarded(bench) == [(ORDER, but(order_id=ORDER, source=SourceRecord("settlements", 0, 0)))]
    assert bench.get(REFERENCES, REFERENCE).__class__.__name__ == "Absent"  # says nothing of the reference


def test_a_record_of_a_known_reference_goes_on_at_once():
    bench = Bench(STAGE)
    link(bench)
    settle(bench, SETTLED)
    assert forwarded(bench) == [(ORDER, but(order_id=ORDER, source=SourceRecord("settlements", 0, 1)))]


@pytest.mark.parametrize("link_first", [True, False])
@pytest.mark.parametrize(
    ("named", "order_id", "shipment"), [(None, None, "s1"), ("s2", None, "s2"), (None, OTHER, None)]
)
def test_the_link_of_a_parcel_tells_its_shipment_unless_the_sender_did(link_first, named, order_id, shipment):
    bench = Bench(STAGE)
    parcel = ReferenceLinked("acme|tracking|00340", ORDER, "s1")
    billed = but(reference=parcel.reference, kind="shipping", shipment_id=named, order_id=order_id)
    for record in (parcel, billed) if link_first else (billed, parcel):
        topic = "reference-links" if record is parcel else "settlements"
        bench.send(topic, parcel.reference, record)
    assert [(key, record.shipment_id) for key, record in forwarded(bench)] == [(order_id or ORDER, shipment)]


def test_a_record_that_finds_no_order_waits_is_alerted_once_and_goes_on_when_the_link_comes():
    bench = Bench(STAGE)
    settle(bench, SETTLED)
    settle(bench, but(record_id="stl-2"))
    bench.tick(bench.now_at + WAIT_MS - 1)
    assert bench.emitted == []
    bench.tick(bench.now_at + 1)
    bench.tick(bench.now_at + 10 * WAIT_MS)
    (item,) = bench.take("review-queue")
    assert (item.kind, item.entity_id, item.status) == ("UNLINKED_REFERENCE", REFERENCE, "open")
    assert item.detail.startswith("2 financial records wait")
    settle(bench, but(record_id="stl-3"))  # still waiting, not alerted again
    bench.tick(bench.now_at + 10 * WAIT_MS)
    assert bench.emitted == []
    link(bench)
    (resolved,) = bench.take("review-queue")
    assert (resolved.review_id, resolved.status) == (item.review_id, "resolved")
    assert [(record.record_id, record.source.offset) for _, record in forwarded(bench)] == [
        ("stl-1", 0),
        ("stl-2", 1),
        ("stl-3", 2),
    ]


def test_a_link_in_time_leaves_no_alert():
    bench = Bench(STAGE)
    settle(bench, SETTLED)
    link(bench)
    bench.tick(bench.now_at + 2 * WAIT_MS)
    assert bench.take("review-queue") == []


def test_a_timer_that_outlived_its_wait_does_nothing():
    bench = Bench(STAGE)
    STAGE.timers["finance.unlinked"](REFERENCE, bench)
    assert bench.emitted == []


def test_how_long_it_waits_is_a_rule():
    network = Network()
    network.rule_sets["acme|fast"] = RuleSet("acme|fast", 1, Rules(unlinked_reference_ms=60_000))
    bench = Bench(STAGE, network=network)
    settle(bench, SETTLED)
    bench.tick(bench.now_at + 60_000)
    assert len(bench.take("review-queue")) == 1


@pytest.mark.parametrize(
    ("first", "again", "reason", "orders"),
    [
        (SETTLED, SETTLED, None, []),  # repeated while it waits
        (but(order_id=ORDER), but(order_id=ORDER), None, [ORDER]),  # repeated after it went on
        (but(order_id=ORDER), SETTLED, None, [ORDER]),  # repeated without the order
        (SETTLED, but(order_id=ORDER), None, [ORDER]),  # repeated with the order it lacked
        (but(order_id=ORDER), but(order_id=OTHER), Reason.RECORD_DIFFERS, [ORDER]),
        (SETTLED, but(amount_minor=1), Reason.RECORD_DIFFERS, []),
        (SETTLED, but(currency="CHF"), Reason.RECORD_DIFFERS, []),
        (SETTLED, but(occurred_at=6), Reason.RECORD_DIFFERS, []),
        (but(order_id=ORDER), but(record_id="stl-2", order_id=ORDER), None, [ORDER, ORDER]),  # a record of its own
    ],
)
def test_a_record_is_locked_when_first_read(first, again, reason, orders):
    bench = Bench(STAGE)
    assert settle(bench, first) is None
    assert settle(bench, again) == reason
    assert [key for key, _ in forwarded(bench)] == orders


def test_sending_each_waiting_record_with_its_order_ends_the_wait():
    bench = Bench(STAGE)
    settle(bench, SETTLED)
    settle(bench, but(record_id="stl-2"))
    bench.tick(bench.now_at + WAIT_MS)
    settle(bench, but(order_id=ORDER))
    assert [item.status for item in bench.take("review-queue")] == ["open"]
    settle(bench, but(record_id="stl-2", order_id=OTHER))
    assert [item.status for item in bench.take("review-queue")] == ["resolved"]
    assert [(key, record.source.offset) for key, record in forwarded(bench)] == [(ORDER, 0), (OTHER, 1)]
    assert bench.rows["references"] == {}


def test_a_reference_claimed_by_a_second_order_keeps_its_first_and_asks_a_person_once():
    bench = Bench(STAGE)
    link(bench, ORDER)
    link(bench, ORDER)
    assert bench.emitted == []
    link(bench, OTHER)
    link(bench, OTHER)
    (item,) = bench.take("review-queue")
    assert (item.kind, item.status) == ("REFERENCE_CONFLICT", "open")
    assert ORDER in item.detail
    assert OTHER in item.detail
    settle(bench, SETTLED)
    assert [key for key, _ in forwarded(bench)] == [ORDER]


def test_rows_are_forgotten_after_400_days_but_never_money_that_waits():
    bench = Bench(STAGE)
    settle(bench, SETTLED)
    settle(bench, but(record_id="inv-1", reference="acme|invoice|7", order_id=ORDER))
    bench.tick(bench.now_at + KEEP_MS)
    assert list(bench.rows["received"]) == [f"{REFERENCE}#stl-1"]
    link(bench)
    assert [record.record_id for _, record in forwarded(bench)] == ["inv-1", "stl-1"]
    bench.tick(bench.now_at + KEEP_MS)
    assert bench.rows == {"received": {}, "references": {}}


REFERENCE_NAMES = ("acme|marketplace|1", "acme|charge|2")
records = st.builds(
    but,
    reference=st.sampled_from(REFERENCE_NAMES),
    record_id=st.sampled_from(("a", "b", "c")),
)
links = st.builds(ReferenceLinked, st.sampled_from(REFERENCE_NAMES), st.sampled_from((ORDER, OTHER)))


@settings(max_examples=200)
@given(st.lists(st.one_of(records, links), max_size=30))
def test_every_record_of_a_linked_reference_goes_on_exactly_once_to_its_first_order(history):
    bench = Bench(STAGE)
    first_order, sent = {}, set()
    for record in history:
        bench.tick(bench.now_at + WAIT_MS // 3)
        if isinstance(record, ReferenceLinked):
            first_order.setdefault(record.reference, record.order_id)
            link(bench, record.order_id, record.reference)
        else:
            sent.add((record.reference, record.record_id))
            settle(bench, record)
    went_on = sorted((record.reference, record.record_id, key) for key, record in forwarded(bench))
    assert went_on == sorted((*name, first_order[name[0]]) for name in sent if name[0] in first_order)
    waiting = [key for key, row in bench.rows.get(RECEIVED.name, {}).items() if row.waiting is not None]
    assert sorted(waiting) == sorted(f"{name}#{number}" for name, number in sent if name not in first_order)
