"""What every partition knows of feeds and loads: the newest word on each location."""

import pytest

from processors.reference import STAGE
from schemas.records.operations import FeedStatusChanged, LocationLoadChanged
from tests.processors.harness import Bench

BERLIN = "acme|berlin"


def status(as_of, *, stale=False):
    return FeedStatusChanged("acme|berlin|feed", BERLIN, as_of, stale, as_of)


def load(as_of, used=0):
    return LocationLoadChanged(BERLIN, "2026-11-27", used, 9, as_of)


@pytest.mark.parametrize(
    ("topic", "table", "older", "newer"),
    [
        ("feed-status", "feed_status", status(1), status(2, stale=True)),
        ("location-load", "location_load", load(1), load(2, used=3)),
    ],
)
def test_the_newest_word_stays_in_whatever_order_they_come(topic, table, older, newer):
    for records in ((older, newer), (newer, older), (newer, newer, older)):
        stage = Bench(STAGE)
        for record in records:
            stage.send(topic, BERLIN, record)
        assert stage.rows[table] == {BERLIN: newer}


def test_a_later_word_of_the_same_instant_counts():
    stage = Bench(STAGE)
    stage.send("location-load", BERLIN, load(1, used=1))
    stage.send("location-load", BERLIN, load(1, used=2))
    assert stage.rows["location_load"][BERLIN].used == 2
