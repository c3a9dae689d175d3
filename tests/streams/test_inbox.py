"""What enters a batch, in which order, and when time may pass."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.inbox import BULK_RECORDS_BESIDE_OTHERS, BULK_RECORDS_MAX, Inbox, merge
from streams.machine import CLOCK, Raw

ORDERS, DELTAS = "orders", "deltas"
TOPICS = (ORDERS, DELTAS, CLOCK)
ORDER = {topic: index for index, topic in enumerate(TOPICS)}


def raw(topic, offset, at):
    return Raw(topic, 0, offset, at, b"k", b"v")


@pytest.fixture
def inbox():
    made = Inbox(TOPICS, frozenset({DELTAS}))
    made.seek(dict.fromkeys(TOPICS, 0))
    return made


def places(batch):
    return [(record.topic, record.offset) for record in batch]


def counted(chosen):
    return len(list(chosen))


def test_records_merge_by_time_then_topic_order_then_offset(inbox):
    inbox.add(DELTAS, [raw(DELTAS, 0, 5), raw(DELTAS, 1, 7)], 1)
    inbox.add(ORDERS, [raw(ORDERS, 0, 5), raw(ORDERS, 1, 6)], 1)
    assert places(inbox.choose()) == [(ORDERS, 0), (DELTAS, 0), (ORDERS, 1), (DELTAS, 1)]


def test_a_topic_whose_timestamps_step_back_keeps_its_own_order(inbox):
    inbox.add(ORDERS, [raw(ORDERS, 0, 9), raw(ORDERS, 1, 2)], 1)
    inbox.add(DELTAS, [raw(DELTAS, 0, 5)], 1)
    assert places(inbox.choose()) == [(DELTAS, 0), (ORDERS, 0), (ORDERS, 1)]


def test_records_are_merged_only_as_far_as_they_are_read():
    """A batch of 20 ms ends after a few dozen records; the thousand that might have followed cost nothing."""

    class Counting(list):
        looked_at = 0

        def __iter__(self):
            for record in super().__iter__():
                Counting.looked_at += 1
                yield record

    chunks = {topic: Counting(raw(topic, number, number) for number in range(500)) for topic in (ORDERS, DELTAS)}
    assert places(islice(merge(chunks, ORDER), 4)) == [(ORDERS, 0), (DELTAS, 0), (ORDERS, 1), (DELTAS, 1)]
    assert Counting.looked_at <= 6


def test_what_was_chosen_reads_the_same_each_time(inbox):
    """A batch that is computed again after an abort has the same records, whatever came in meanwhile."""
    inbox.add(ORDERS, [raw(ORDERS, 0, 5), raw(ORDERS, 1, 6)], 1)
    inbox.add(DELTAS, [raw(DELTAS, 0, 5)], 1)
    chosen = inbox.choose()
    first = places(chosen)
    inbox.add(DELTAS, [raw(DELTAS, 1, 5)], 2)
    assert places(chosen) == first == [(ORDERS, 0), (DELTAS, 0), (ORDERS, 1)]
    assert chosen.count_besides(frozenset({DELTAS})) == 2
    assert DELTAS in chosen and CLOCK not in chosen


def test_nothing_is_chosen_where_nothing_may_enter(inbox):
    assert not inbox.choose()
    assert not inbox.choose(only=ORDERS)
    inbox.add(DELTAS, [raw(DELTAS, 0, 5)], 1)
    assert not inbox.choose(only=ORDERS)
    assert places(inbox.choose(only=DELTAS)) == [(DELTAS, 0)]


def test_records_below_the_next_offset_are_dropped(inbox):
    inbox.seek({ORDERS: 3})
    inbox.add(ORDERS, [raw(ORDERS, number, 1) for number in range(5)], 1)
    assert places(inbox.choose()) == [(ORDERS, 3), (ORDERS, 4)]


def test_bulk_waits_while_others_have_work(inbox):
    inbox.add(DELTAS, [raw(DELTAS, number, number) for number in range(5_000)], 1)
    assert counted(inbox.choose()) == BULK_RECORDS_MAX
    inbox.add(ORDERS, [raw(ORDERS, 0, 99_999)], 1)
    batch = list(inbox.choose())
    assert len(batch) == BULK_RECORDS_BESIDE_OTHERS + 1
    assert places(batch)[-1] == (ORDERS, 0)


def test_bulk_may_be_kept_out_of_a_batch_and_waits(inbox):
    inbox.add(DELTAS, [raw(DELTAS, number, number) for number in range(10)], 1)
    inbox.add(ORDERS, [raw(ORDERS, 0, 99)], 1)
    assert places(inbox.choose(bulk_max=0)) == [(ORDERS, 0)]
    assert counted(inbox.choose(bulk_max=3)) == 4
    assert inbox.has_bulk


def test_a_tick_waits_for_bulk_that_is_kept_out(inbox):
    """Or an hour of time would pass while the hour's deltas wait."""
    inbox.add(DELTAS, [raw(DELTAS, 0, 5)], 1)
    inbox.add(CLOCK, [raw(CLOCK, 0, 9)], 1)
    inbox.ended(ORDERS, 9)
    inbox.ended(DELTAS, 9)
    assert places(inbox.choose(bulk_max=0)) == []
    assert places(inbox.choose()) == [(DELTAS, 0), (CLOCK, 0)]


@pytest.mark.parametrize(
    ("deltas", "ticks", "holds"),
    [(BULK_RECORDS_BESIDE_OTHERS, 1, True), (BULK_RECORDS_BESIDE_OTHERS + 1, 1, False), (1, 0, False)],
)
def test_little_bulk_that_holds_up_time_need_not_wait_for_its_turn(inbox, deltas, ticks, holds):
    inbox.add(DELTAS, [raw(DELTAS, number, number) for number in range(deltas)], 1)
    if ticks:
        inbox.add(CLOCK, [raw(CLOCK, 0, 9_999)], 1)
    assert inbox.bulk_holds_time is holds


class TestTime:
    """A tick of T enters only when every other topic holds a record ≥ T or was read to its end after the tick."""

    def test_a_tick_waits_for_a_topic_that_may_hold_older_records(self, inbox):
        inbox.add(CLOCK, [raw(CLOCK, 0, 100)], 5)
        inbox.ended(ORDERS, 5)
        assert not inbox.choose()

    def test_an_end_found_before_the_tick_was_read_does_not_count(self, inbox):
        inbox.ended(ORDERS, 4)
        inbox.ended(DELTAS, 4)
        inbox.add(CLOCK, [raw(CLOCK, 0, 100)], 5)
        assert not inbox.choose()
        inbox.ended(ORDERS, 5)
        inbox.ended(DELTAS, 5)
        assert places(inbox.choose()) == [(CLOCK, 0)]

    def test_a_later_record_lets_the_tick_pass(self, inbox):
        inbox.add(CLOCK, [raw(CLOCK, 0, 100)], 5)
        inbox.add(ORDERS, [raw(ORDERS, 0, 99), raw(ORDERS, 1, 100)], 5)
        inbox.ended(DELTAS, 6)
        assert places(inbox.choose()) == [(ORDERS, 0), (ORDERS, 1), (CLOCK, 0)]

    def test_a_tick_does_not_pass_older_records_left_out_of_the_batch(self, inbox):
        inbox.add(DELTAS, [raw(DELTAS, number, 50) for number in range(BULK_RECORDS_BESIDE_OTHERS + 1)], 5)
        inbox.add(ORDERS, [raw(ORDERS, 0, 200)], 5)
        inbox.add(CLOCK, [raw(CLOCK, 0, 100)], 5)
        inbox.ended(DELTAS, 9)
        assert CLOCK not in {record.topic for record in inbox.choose()}

    def test_an_outage_is_read_before_its_time_passes(self, inbox):
        """Five minutes of ticks and the heartbeats sent meanwhile come at once: the heartbeats go first."""
        inbox.add(CLOCK, [raw(CLOCK, second, second * 1_000) for second in range(300)], 5)
        assert not inbox.choose()
        inbox.add(ORDERS, [raw(ORDERS, minute, minute * 60_000) for minute in range(5)], 6)
        inbox.ended(ORDERS, 6)
        inbox.ended(DELTAS, 6)
        batch = places(inbox.choose())
        assert batch.index((ORDERS, 4)) < batch.index((CLOCK, 241))
        assert len(batch) == 305


def test_what_was_not_processed_stays(inbox):
    inbox.add(ORDERS, [raw(ORDERS, number, number) for number in range(4)], 1)
    inbox.take(list(inbox.choose())[:2])
    assert places(inbox.choose()) == [(ORDERS, 2), (ORDERS, 3)]
    assert inbox.processed_offsets()[ORDERS] == 2


chunks = st.dictionaries(st.sampled_from(TOPICS), st.lists(st.integers(0, 20), min_size=1, max_size=12), max_size=3)


@given(chunks)
def test_a_merge_is_the_records_sorted_by_the_latest_time_of_their_topic_so_far(times):
    topics = {topic: [raw(topic, offset, at) for offset, at in enumerate(ats)] for topic, ats in times.items()}
    keyed = [
        (max(ats[: offset + 1]), ORDER[topic], offset) for topic, ats in times.items() for offset in range(len(ats))
    ]
    assert [(ORDER[record.topic], record.offset) for record in merge(topics, ORDER)] == [
        (position, offset) for _, position, offset in sorted(keyed)
    ]


@given(chunks)
def test_a_merge_of_a_prefix_is_a_prefix_of_the_merge(times):
    """What a budget cuts off must replay in the same order without the rest."""
    topics = {topic: [raw(topic, offset, at) for offset, at in enumerate(ats)] for topic, ats in times.items()}
    if not topics:
        return
    whole = list(merge(topics, ORDER))
    for cut in range(1, len(whole)):
        part = {}
        for record in whole[:cut]:
            part.setdefault(record.topic, []).append(record)
        assert list(merge(part, ORDER)) == whole[:cut]
