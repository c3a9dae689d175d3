"""A stage that emits what topology.yaml does not declare of it fails the very test that makes it do so."""

import pytest

from processors.finance import STAGE as FINANCE
from processors.step import Stage, Table
from processors.tracking.stage import STAGE as TRACKING
from schemas.records.operations import LocationLoadChanged, ReviewItem
from schemas.records.orders import OrderClosed
from tests.processors.harness import Bench

KEY = "acme|web|1"
REVIEW = ReviewItem("id", KEY, "SKU_UNKNOWN", "why", "open", 1)
CLOSED = OrderClosed(KEY, 1)
LOAD = LocationLoadChanged("acme|loc_berlin", "2026-01-01", 1, 2, 3)
ROWS = Table("rows", ReviewItem)


def speaker(name, topic, record, how="emit"):
    """A stage that says one thing, however it is made to."""

    def say(*given):
        getattr(given[-1], how)(topic, KEY, record)

    return Stage(name, {"orders": {OrderClosed: say}}, (ROWS,), {"say": say}, projections={ROWS.name: say})


def hear(bench):
    bench.send("orders", KEY, CLOSED)


def wait(bench):
    bench.wake(bench.now_at, "say", KEY)
    bench.tick(bench.now_at + 1)


def change(bench):
    bench.put(ROWS, KEY, REVIEW)
    bench.settle()


@pytest.mark.parametrize("occasion", [hear, wait, change])
@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (speaker("finance", "review-queue", REVIEW), None),
        (speaker("location", "location-load", LOAD, "broadcast"), None),
        (speaker("finance", "order-facts", CLOSED), r"\['finance'\] emits to order-facts"),
        (speaker("reference", "review-queue", REVIEW), r"\['reference'\] emits to review-queue"),
        (speaker("finance", "review-queue", CLOSED), "review-queue carries no OrderClosed"),
        (speaker("location", "location-load", LOAD), "only broadcast reaches all who read location-load"),
        (speaker("finance", "review-queue", REVIEW, "broadcast"), "review-queue is no broadcast topic"),
    ],
)
def test_what_is_emitted_must_be_declared(stage, message, occasion):
    bench = Bench(stage)
    if message is None:
        occasion(bench)
        assert len(bench.take()) == 1
        return
    with pytest.raises(AssertionError, match=message):
        occasion(bench)
    assert bench.take() == []


def test_what_another_stage_on_the_bench_may_emit_does_not_count():
    bench = Bench(FINANCE, speaker("finance", "tracking-events", REVIEW), TRACKING)
    with pytest.raises(AssertionError, match=r"\['finance'\] emits to tracking-events"):
        hear(bench)
