"""Whose rows a table holds: what must stay together when rows move to other partitions."""

import pytest

from processors.finance import RECEIVED
from processors.labels.rows import LABELS, Label
from processors.labels.rows import Status as LabelStatus
from processors.location.inbox import ASSIGNMENTS, Assignment
from processors.location.inbox import Status as AssignmentStatus
from processors.orders.rows import ORDERS
from processors.pipeline import STAGES
from processors.step import prefixes
from processors.stock.rows import (
    RESERVATIONS,
    SEQUENCES,
    STOCK_ANSWERS,
    STOCK_ITEMS,
    STOCK_KEYS,
    WAITING,
    Item,
    Reservation,
    Status,
    Waiter,
)

ITEM = Item("acme|berlin", "f", "s", None, 1, 0, 0, 1, 0)
LABEL = Label("acme|web|7", "acme|gls", "gls", "acme|berlin", LabelStatus.REQUESTED)
ASSIGNMENT = Assignment("acme|web|7", "acme|berlin", False, 0, "", AssignmentStatus.PENDING_ACCEPT, ())


@pytest.mark.parametrize(
    ("table", "key", "row", "owner"),
    [
        (ORDERS, "acme|web|7", None, "acme|web|7"),
        (STOCK_ITEMS, "acme|v|1|acme|berlin", ITEM, "acme|v|1"),
        (RESERVATIONS, "acme|web|7|2|acme|v1", Reservation("acme|web|7", 2, "acme|v1", Status.LIVE), "acme|v1"),
        (WAITING, "acme|v1|acme|web|7", Waiter("acme|web|7", 1, 1, (), "", ""), "acme|v1"),
        (WAITING, "acme|v1", Waiter("", 0, 0, (), "", ""), "acme|v1"),
        (ASSIGNMENTS, "as_1f3a", ASSIGNMENT, "acme|berlin"),
        (LABELS, "lb_1f3a|acme|gls", LABEL, "acme|gls"),
    ],
)
def test_a_row_says_whose_it_is(table, key, row, owner):
    assert table.owners(key, row) == (owner,)


@pytest.mark.parametrize(
    ("table", "key", "likeliest"),
    [
        (SEQUENCES, "acme|v1|acme|f|sku", "acme|v1"),
        (STOCK_KEYS, "acme|v1|acme|f|sku|once", "acme|v1"),
        (STOCK_ANSWERS, "acme|web|7|2|acme|v1", "acme|v1"),
        (RECEIVED, "acme|charge|ch_1#payment-1", "acme|charge|ch_1"),
        # rows that are gone, of which a timer is left
        (STOCK_ITEMS, "acme|v1|acme|berlin", "acme|v1"),
        (RESERVATIONS, "acme|web|7|2|acme|v1", "acme|v1"),
        (WAITING, "acme|v1|acme|web|7", "acme|v1"),
    ],
)
def test_where_only_the_key_is_there_its_likeliest_reading_comes_first(table, key, likeliest):
    assert table.owners(key, None)[0] == likeliest


def test_other_readings_of_a_key_follow():
    assert prefixes("|", parts=2)("acme|v1|acme|f", None) == ("acme|v1", "acme", "acme|v1|acme", "acme|v1|acme|f")
    assert STOCK_ANSWERS.owners("acme|web|7|2|acme|v1", None) == ("acme|v1", "2|acme|v1")


def test_an_assignments_id_alone_tells_nothing():
    assert ASSIGNMENTS.owners("as_1f3a", None) == ()


def test_timers_are_about_rows_of_their_own_stage():
    for stage in STAGES:
        assert set(stage.timer_tables) <= set(stage.timers)
        assert set(stage.timer_tables.values()) <= set(stage.tables)
