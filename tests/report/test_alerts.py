"""Alerts against what was planted: precision, recall, amounts and proof; false and missed ones are named."""

import pytest

from fsn.report.alerts import check_alerts, check_operations
from fsn.report.reader import Counted
from fsn.report.truth import Discrepancy, Drift, Truth
from tests.report.making import BERLIN, ORDER, SHOE, broken, reads

OTHER = "acme|shop|2"
THERE = {"settlements": Counted({0: [0, 1, 2]}, 0)}


def alert(kind="AMOUNT_MISMATCH", order_id=ORDER, status="open", expected=100, actual=99, alert_id=None, **changes):
    fields = {
        "alert_id": alert_id or f"ra_{kind}_{order_id}",
        "order_id": order_id,
        "kind": kind,
        "subject": order_id,
        "expected_minor": expected,
        "actual_minor": actual,
        "difference_minor": actual - expected,
        "sources": [{"topic": "settlements", "partition": 0, "offset": 1}],
        "status": status,
    }
    return "ReconciliationAlert", {**fields, **changes}


PLANTED = (Discrepancy(ORDER, "AMOUNT_MISMATCH", "a cent short", 100, 99),)


def check(*alerts, planted=PLANTED):
    return check_alerts(reads(*alerts), planted, THERE)


def test_what_was_planted_was_found():
    found = check(alert(), planted=PLANTED)
    assert found.checked.faults == ()
    assert (found.total.precision, found.total.recall) == (1.0, 1.0)
    assert [(one.kind, one.planted, one.raised, one.right) for one in found.kinds] == [("AMOUNT_MISMATCH", 1, 1, 1)]


def test_a_missed_one_says_what_was_done():
    assert "a cent short" in check().checked.faults[0].detail


def test_precision_and_recall():
    planted = (*PLANTED, Discrepancy(OTHER, "DUPLICATE"), Discrepancy(ORDER, "DUPLICATE"))
    found = check(alert(), alert("DUPLICATE"), alert("FEE_MISMATCH"), planted=planted)
    assert (found.total.right, found.total.raised, found.total.planted) == (2, 3, 3)
    by_kind = {one.kind: (one.precision, one.recall) for one in found.kinds}
    assert by_kind == {"AMOUNT_MISMATCH": (1.0, 1.0), "DUPLICATE": (1.0, 0.5), "FEE_MISMATCH": (0.0, 1.0)}


def test_what_was_resolved_is_neither_false_nor_missed():
    missing = alert("MISSING_SETTLEMENT"), alert("MISSING_SETTLEMENT", status="resolved")
    found = check(*missing, alert())
    assert found.checked.faults == ()
    assert found.total.resolved == 1


def test_an_alert_that_grows_is_one_alert():
    assert check(alert(actual=90), alert()).checked.faults == ()


def test_without_a_truth_alerts_are_only_held_against_themselves():
    assert check(alert("FEE_MISMATCH"), planted=None).checked.faults == ()
    assert broken(check(alert(sources=[]), planted=None).checked) == ["alerts carry proof"]


@pytest.mark.parametrize(
    ("alerts", "promise"),
    [
        ([], "alerts = planted"),
        ([alert(), alert(order_id=OTHER)], "alerts = planted"),
        ([alert(), alert(status="resolved")], "alerts = planted"),
        ([alert(), alert(alert_id="ra_2")], "alerts = planted"),
        ([alert(actual=98)], "alerts to the minor unit"),
        ([alert(difference_minor=1)], "alerts add up"),
        ([alert(sources=[])], "alerts carry proof"),
        ([alert(sources=[{"topic": "settlements", "partition": 0, "offset": 3}])], "alerts carry proof"),
        ([alert(sources=[{"topic": "nowhere", "partition": 0, "offset": 0}])], "alerts carry proof"),
        ([alert(), alert("DUPLICATE", status="resolved")], "alerts open before they resolve"),
    ],
)
def test_a_broken_promise_is_named(alerts, promise):
    assert broken(check(*alerts).checked) == [promise]


def operational(kind, entity_id, status="open", expected=5, actual=3):
    fields = {"kind": kind, "entity_id": entity_id, "status": status, "expected": expected, "actual": actual}
    return "OperationalAlert", {**fields, "detail": "why"}


ITEM = f"{SHOE}|{BERLIN}"
DONE = Truth(
    stock_drifts=(Drift(SHOE, BERLIN, -2),),
    silent_parcels=("acme|gls|1",),
    cancels_of_unknown_orders=(OTHER,),
    unlinked_references=("acme|invoice|7",),
)
TOLD = [operational("STOCK_DRIFT", ITEM), operational("SHIPMENT_SILENT", "acme|gls|1", "resolved")]
ASKED = [operational("ORDER_UNKNOWN", OTHER), operational("UNLINKED_REFERENCE", "acme|invoice|7")]


def operations(alerts=TOLD, reviews=ASKED, truth=DONE):
    return check_operations(reads(*alerts), reads(*reviews), truth)


def test_operators_were_told_what_was_done():
    found = operations()
    assert found.checked.faults == ()
    assert (found.alerts.counts, found.reviews.total) == ({"STOCK_DRIFT": 1}, 2)
    assert [one.kind for one in found.kinds] == [
        "ORDER_UNKNOWN", "SHIPMENT_SILENT", "STOCK_DRIFT", "UNLINKED_REFERENCE",
    ]  # fmt: skip


def test_what_nobody_plants_is_only_counted():
    told = [*TOLD, operational("SHORTFALL", ITEM)]
    assert operations(told, [*ASKED, operational("UNROUTABLE", ORDER)]).checked.faults == ()
    assert operations([operational("STOCK_DRIFT", "x")], [], truth=None).checked.faults == ()


@pytest.mark.parametrize(
    ("alerts", "reviews", "promise"),
    [
        (TOLD[:1], ASKED, "alerts = planted"),
        (TOLD, ASKED[1:], "alerts = planted"),
        ([*TOLD, operational("STOCK_DRIFT", "other")], ASKED, "alerts = planted"),
        ([operational("STOCK_DRIFT", ITEM, actual=4), TOLD[1]], ASKED, "alerts to the unit"),
        ([*TOLD, operational("RESERVATION_ORPHANED", "r")], ASKED, "a healthy day"),
    ],
)
def test_what_operators_should_have_heard_is_named(alerts, reviews, promise):
    assert broken(operations(alerts, reviews).checked) == [promise]
