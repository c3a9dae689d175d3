"""What every partition knows of feeds, locations and accounts: the newest word on each."""

import msgspec
import pytest

from processors.network import Network
from processors.reference import STAGE, full_accounts
from schemas.records.operations import AccountLoadChanged, FeedStatusChanged, LocationLoadChanged
from tests.processors.harness import Bench
from tests.processors.routing.world import ACCOUNT

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


# carrier accounts


DHL, GLS, GONE = "acme|dhl", "acme|gls", "acme|gone"
NOON, DAY_MS = 1_764_590_400_000, 86_400_000
TODAY, TOMORROW = "2025-12-01", "2025-12-02"


def account_load(account_id, used, *, cap=9, date=TODAY):
    return AccountLoadChanged(account_id, date, used, cap, NOON)


def full_after(*records, now_at=NOON, cap=9):
    network = Network()
    network.accounts = {name: msgspec.structs.replace(ACCOUNT, account_id=name, daily_slots=cap) for name in (DHL, GLS)}
    stage = Bench(STAGE, network=network, now_at=now_at)
    for record in records:
        assert stage.send("account-load", record.account_id, record) is None
    return full_accounts(stage)


@pytest.mark.parametrize(
    ("records", "full"),
    [
        ((), set()),
        ((account_load(DHL, 9),), {DHL}),
        ((account_load(DHL, 9), account_load(GLS, 9)), {DHL, GLS}),
        ((account_load(DHL, 9), account_load(DHL, 9)), {DHL}),
        ((account_load(DHL, 9), account_load(DHL, 8)), set()),  # one was given back
        ((account_load(GLS, 9), account_load(DHL, 9), account_load(GLS, 8)), {DHL}),
        ((account_load(GONE, 9),), set()),  # the reference data does not know it
        ((account_load(DHL, 9), account_load(GLS, 9, date=TOMORROW)), set()),  # the day is over somewhere
        ((account_load(GLS, 9, date=TOMORROW), account_load(DHL, 9)), set()),
    ],
)
def test_which_accounts_have_no_parcel_left_today(records, full):
    assert full_after(*records) == full


def test_an_account_is_full_for_its_day_only():
    assert full_after(account_load(DHL, 9), now_at=NOON + DAY_MS) == set()
    assert full_after(account_load(DHL, 9, date=TOMORROW), now_at=NOON + DAY_MS) == {DHL}


def test_a_cap_that_was_raised_leaves_parcels():
    assert full_after(account_load(DHL, 9), cap=10) == set()
    assert full_after(account_load(DHL, 9), cap=8) == {DHL}
