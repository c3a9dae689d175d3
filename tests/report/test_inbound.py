"""On its way, from the records alone."""

import pytest

from fsn.report.conservation import Feed, Fold
from tests.report.making import BERLIN, PARIS, SHOE, broken, reads, snapshot

FEEDS = {f"{place}|feed": Feed() for place in (BERLIN, PARIS)}


def delta(quantity, number, reason, reference="T1", at=PARIS, to=None):
    fields = {
        "feed_id": f"{at}|feed",
        "location_id": at,
        "variant_id": SHOE,
        "sku": "shoe",
        "sequence": number,
        "idempotency_key": None,
        "quantity": quantity,
        "reason": reason,
        "reference": reference,
        "occurred_at": 1,
        "counterpart_location_id": to,
    }
    return "StockDelta", fields


def announced(quantity, at=1, reference="P1"):
    fields = {"feed_id": f"{BERLIN}|feed", "location_id": BERLIN, "variant_id": SHOE, "sku": "shoe"}
    return "StockExpected", {
        **fields,
        "reference": reference,
        "quantity": quantity,
        "expected_at": None,
        "occurred_at": at,
    }


def shows(in_transit, expected, revision=9):
    name, fields = snapshot(revision, 0, 0)
    return name, {**fields, "in_transit": in_transit, "expected": expected}


SENT = delta(-4, 1, "transfer_out", to=BERLIN)
CASES = [
    # records → (in transit, expected) at Berlin
    ([SENT], (4, 0)),
    ([SENT, SENT], (4, 0)),  # a duplicate is sent once
    ([SENT, delta(1, 1, "transfer_in", at=BERLIN)], (3, 0)),
    ([delta(4, 1, "transfer_in", at=BERLIN), SENT], (0, 0)),  # the other end spoke first
    ([delta(-4, 1, "transfer_out")], (0, 0)),  # nobody knows where to
    ([delta(-4, 1, "transfer_out", None, to=BERLIN)], (0, 0)),
    ([announced(5)], (0, 5)),
    ([announced(5), announced(3, 2), announced(9, 1)], (0, 3)),  # the newest counts
    ([announced(5), delta(2, 1, "receipt", "P1", BERLIN), delta(1, 2, "receipt", "P2", BERLIN)], (0, 3)),
    ([delta(2, 1, "receipt", "P1", BERLIN), announced(5)], (0, 5)),
    ([announced(0), delta(2, 1, "receipt", "P1", BERLIN), announced(5, 2)], (0, 5)),  # nothing was announced before
    ([SENT, announced(3, reference="T1")], (3, 0)),  # how many were sent is corrected
    ([announced(5), delta(2, 1, "sale", "P1", BERLIN)], (0, 5)),
]


def checked(records, *snapshots):
    fold = Fold(FEEDS)
    for read in reads(*records):
        fold.apply(read)
    return fold.on_its_way.check(reads(*snapshots))


@pytest.mark.parametrize(("records", "stands"), CASES)
def test_what_is_on_its_way_is_summed_from_the_records(records, stands):
    assert checked(records, shows(*stands)).faults == ()
    assert broken(checked(records, shows(stands[0] + 1, stands[1]))) == ["stock on its way"]
    assert broken(checked(records, shows(stands[0], stands[1] + 1))) == ["stock on its way"]


def test_the_last_revision_counts():
    assert checked([SENT], shows(4, 0, 9), shows(0, 0, 8)).faults == ()
    assert broken(checked([SENT], shows(4, 0, 8), shows(0, 0, 9))) == ["stock on its way"]
