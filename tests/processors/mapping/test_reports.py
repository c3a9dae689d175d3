"""Stock under a partner's own SKU: passed on in units once the SKU means a variant, and counted anew from there."""

import msgspec
import pytest

from processors.mapping.rows import REPORTS, UNMAPPED
from processors.mapping.stage import STAGE
from processors.reasons import Reason
from processors.stock.rows import STOCK_ITEMS
from processors.stock.stage import STAGE as STOCK
from schemas.records.mapping import AliasDefined, MappingAsked, ReportMapped
from schemas.records.network import FeedDefined
from schemas.records.operations import ReviewItem
from schemas.records.stock import StockCount, StockDelta, StockReported
from tests.processors.harness import Bench
from tests.processors.mapping.test_stage import DRILL, GTIN, LOOK_MS, SAW, network
from tests.processors.stock.world import location

PARTNER, BERLIN = "acme|depot", "acme|berlin"
FEED = "acme|depot|berlin|wms"
SKU = "D-200"
REPORT = f"{FEED}|{SKU}"
ALIAS = f"acme|partner:depot|{SKU}"
INTERNAL = ("mapping-requests", "report-mappings", "mapped-stock")


class Desk(Bench):
    """Mapping and stock in one task: what one says, the other hears."""

    def __init__(self):
        super().__init__(STAGE, STOCK, network=network())
        self.network.feeds[FEED] = FeedDefined(FEED, PARTNER, BERLIN, "monotonic", "none")
        self.network.locations[BERLIN] = msgspec.structs.replace(location(BERLIN), partner_id=PARTNER)
        self.said = []

    def hear(self, topic, key, record, signer=None):
        refused = self.send(topic, key, record, signer)
        while self.emitted:
            topic, key, record = self.emitted.pop(0)
            self.said.append(record)
            if topic in INTERNAL:
                assert self.send(topic, key, record) is None
        return refused

    def report(self, quantity, sequence, *, sku=SKU, counted=False, feed_id=FEED, key=None, signer=None):
        reason = "" if counted else "receipt"
        record = StockReported(feed_id, BERLIN, sku, counted, sequence, None, quantity, reason, None, 5)
        return self.hear("stock-reports", key or f"{feed_id}|{sku}", record, signer)

    def define(self, variant_id=DRILL, *, version=1, units=1, alias_id=ALIAS):
        return self.hear("aliases", alias_id, AliasDefined(alias_id, variant_id, units, version, "ann", 5))

    def of(self, kind):
        found = [record for record in self.said if isinstance(record, kind)]
        self.said = [record for record in self.said if not isinstance(record, kind)]
        return found

    def on_hand(self, variant_id):
        return self.rows[STOCK_ITEMS.name][f"{variant_id}|{BERLIN}"].on_hand

    def reviews(self):
        return [(one.kind, one.entity_id, one.status) for one in self.of(ReviewItem)]


def test_a_known_sku_is_passed_on_in_units():
    desk = Desk()
    desk.define(units=6)
    desk.report(2, 1)
    assert desk.of(StockDelta) == []
    desk.report(2, 2)
    desk.report(10, 3, counted=True)
    (delta,), (count,) = desk.of(StockDelta), desk.of(StockCount)
    assert (delta.variant_id, delta.sku, delta.sequence, delta.quantity, delta.reason) == (DRILL, SKU, 2, 12, "receipt")
    assert (count.variant_id, count.quantity, count.sequence) == (DRILL, 60, 3)
    assert desk.on_hand(DRILL) == 60


def test_an_unmapped_sku_is_asked_once_and_its_feed_counts_it_when_it_is_known():
    desk = Desk()
    for sequence in (1, 2, 3):
        assert desk.report(5, sequence) is None
    assert desk.of(MappingAsked) == [MappingAsked(ALIAS, "report", REPORT, None)]
    assert (desk.rows[REPORTS.name][REPORT].unmapped, desk.rows[UNMAPPED.name][ALIAS].asked) == (3, 0)
    assert desk.reviews() == [("SKU_AMBIGUOUS", ALIAS, "open")]
    desk.define()
    assert desk.of(ReportMapped) == [ReportMapped(REPORT, ALIAS, DRILL, 1, 1)]
    assert sorted(desk.reviews()) == [("COUNT_WANTED", REPORT, "open"), ("SKU_AMBIGUOUS", ALIAS, "resolved")]
    desk.report(-1, 4)
    assert desk.reviews() == []
    desk.report(14, 5, counted=True)
    assert desk.reviews() == [("COUNT_WANTED", REPORT, "resolved")]
    assert desk.on_hand(DRILL) == 14


def test_another_meaning_moves_what_comes_next():
    desk = Desk()
    desk.define()
    desk.report(1, 1)
    desk.report(9, 2, counted=True)
    desk.define(SAW, version=2)
    desk.report(4, 3, counted=True)
    assert [(one.variant_id, one.quantity) for one in desk.of(StockCount)] == [(DRILL, 9), (SAW, 4)]


def test_another_pack_asks_for_no_count():
    desk = Desk()
    desk.define()
    desk.report(1, 1)
    desk.report(9, 2, counted=True)
    desk.reviews()
    desk.define(units=2, version=2)
    assert desk.reviews() == []
    desk.report(1, 3)
    assert [one.quantity for one in desk.of(StockDelta)] == [2]


def test_a_meaning_that_changes_before_the_count_asks_once():
    desk = Desk()
    desk.report(1, 1)
    desk.define()
    desk.define(SAW, version=2)
    assert [one for one in desk.reviews() if one[0] == "COUNT_WANTED"] == [("COUNT_WANTED", REPORT, "open")]


def test_a_retired_alias_stops_its_reports_until_a_person_says_more():
    desk = Desk()
    desk.define()
    desk.report(1, 1)
    desk.define(None, version=2)
    desk.report(5, 2)
    assert desk.of(StockDelta) == []
    desk.define(SAW, version=3)
    desk.report(5, 3)
    assert [one.variant_id for one in desk.of(StockDelta)] == [SAW]


def test_a_feed_that_asks_for_a_retired_sku_waits():
    desk = Desk()
    desk.define(None)
    desk.report(1, 1)
    assert desk.of(ReportMapped) == [ReportMapped(REPORT, ALIAS, None, 1, 1)]
    assert ("SKU_AMBIGUOUS", ALIAS, "open") in desk.reviews()


def test_a_lost_question_is_asked_again_by_a_later_report():
    desk = Desk()
    desk.report(1, 1)
    desk.now_at += LOOK_MS - 1
    desk.report(1, 2)
    assert len(desk.of(MappingAsked)) == 1
    desk.now_at += 1
    desk.report(1, 3)
    assert len(desk.of(MappingAsked)) == 1


def test_a_trade_item_number_needs_nobody():
    desk = Desk()
    desk.report(3, 1, sku=GTIN)
    desk.report(3, 2, sku=GTIN)
    assert [one.variant_id for one in desk.of(StockDelta)] == [DRILL]


def test_an_answer_that_is_old_or_to_nobody_changes_nothing():
    desk = Desk()
    told = ReportMapped(REPORT, ALIAS, DRILL, 1, 1)
    desk.hear("report-mappings", REPORT, told)
    assert REPORTS.name not in desk.rows
    desk.report(1, 1)
    desk.hear("report-mappings", REPORT, told)
    before = desk.rows[REPORTS.name][REPORT]
    desk.hear("report-mappings", REPORT, msgspec.structs.replace(told, variant_id=SAW))
    assert desk.rows[REPORTS.name][REPORT] == before


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"signer": "acme|other"}, Reason.FORGED),
        ({"key": "acme|depot|berlin|till|D-200"}, Reason.KEY_MISMATCH),
        ({"sku": ""}, Reason.MISSING_FIELD),
        ({"feed_id": "acme|depot|nowhere|wms"}, Reason.UNKNOWN_FEED),
        ({"quantity": 2**30}, Reason.INVALID_VALUE),
    ],
)
def test_a_report_that_cannot_be_taken_is_refused(given, reason):
    desk = Desk()
    desk.define(units=6)
    desk.report(1, 1)
    assert desk.report(**{"quantity": 1, "sequence": 2, **given}) is reason
