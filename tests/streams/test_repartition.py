"""Where records and rows go when a run is carried to another number of partitions."""

from collections import Counter
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsn.declaration import load_topology
from processors.step import Stage, Table, prefixes
from streams.errors import RepartitionError
from streams.machine import Instant, Raw
from streams.partitioner import Partitioner
from streams.repartition import Cut, Move, carried, read_cut
from streams.store import timer_key
from tests.streams import tally

TALLY = "tests/streams/tally.yaml"
KEYS = [f"acme|v{number}".encode() for number in range(12)]


@cache
def topology(partitions):
    return load_topology(Path(TALLY), partitions=partitions)


def cut(partition, *, deltas=0, ticks=0, now=None, timers_from=0, network=None, transactions=0):
    offsets = {"stock-deltas": deltas, "network-changes": 0, "clock": ticks}
    return Cut(partition, offsets, now, timers_from, network, transactions)


@st.composite
def runs(draw):
    """(old count, new count, partition → its stock-deltas, cuts): keys mostly on their own partition."""
    old, new = draw(st.integers(1, 5)), draw(st.integers(1, 13))
    partition_of = Partitioner(old)
    logs = {number: [] for number in range(old)}
    for number in range(draw(st.integers(0, 40))):
        key = draw(st.one_of(st.sampled_from(KEYS), st.none()))
        astray = key is None or draw(st.integers(0, 9)) == 0
        where = draw(st.integers(0, old - 1)) if astray else partition_of(key)
        log = logs[where]
        log.append(Raw("stock-deltas", where, len(log), draw(st.integers(0, 30)), key, str(number).encode()))
    cuts = [cut(number, deltas=draw(st.integers(0, len(log)))) for number, log in logs.items()]
    return old, new, logs, cuts


def moved(old, new, logs, cuts):
    move = Move(topology(old), topology(new), [tally.STAGE], cuts)
    spec = topology(old).topics["stock-deltas"]
    return list(move.records(spec, lambda number, start: iter(logs[number][start:])))


@given(runs())
def test_every_record_is_carried_once_and_unchanged(run):
    old, new, logs, cuts = run
    found = moved(old, new, logs, cuts)
    assert Counter(one.raw for one in found) == Counter(raw for log in logs.values() for raw in log)


@given(runs())
def test_a_keys_records_keep_their_order_and_lie_on_its_own_partition(run):
    old, new, logs, cuts = run
    was, now = Partitioner(old), Partitioner(new)
    found = moved(old, new, logs, cuts)
    for key in KEYS:
        at_home = [one for one in found if one.raw.key == key and one.raw.partition == was(key)]
        assert {one.partition for one in at_home} <= {now(key)}
        assert [one.raw.offset for one in at_home] == sorted(one.raw.offset for one in at_home)


@given(runs())
def test_what_was_processed_comes_before_what_was_not(run):
    old, new, logs, cuts = run
    found = moved(old, new, logs, cuts)
    assert [one.processed for one in found] == sorted((one.processed for one in found), reverse=True)
    assert all(
        one.processed == (one.raw.offset < cuts[one.raw.partition].next_offsets["stock-deltas"]) for one in found
    )


@given(runs())
def test_a_record_on_a_wrong_partition_is_on_a_wrong_one_again(run):
    """Its forwarded copy is carried too: on its own partition it would count twice."""
    old, new, logs, cuts = run
    was, now = Partitioner(old), Partitioner(new)
    for one in moved(old, new, logs, cuts):
        if one.raw.key is not None and one.raw.partition != was(one.raw.key) and new > 1:
            assert one.partition != now(one.raw.key)


@given(runs())
def test_the_order_is_the_same_each_time(run):
    """So an attempt that broke off can go on behind what it has written."""
    assert moved(*run) == moved(*run)


def test_broadcasts_come_from_the_task_that_is_furthest_back_to_every_partition():
    cuts = [cut(0, ticks=3, now=30), cut(1, ticks=2, now=20), cut(2, ticks=3, now=30)]
    move = Move(topology(3), topology(5), [tally.STAGE], cuts)
    logs = {n: [Raw("clock", n, at, at * 10, b"0", b"%d of %d" % (at, n)) for at in range(4)] for n in range(3)}
    found = list(move.records(topology(3).topics["clock"], lambda number, start: iter(logs[number][start:])))
    assert Counter(one.partition for one in found) == dict.fromkeys(range(5), 4)
    assert {one.raw.partition for one in found} == {1}
    assert [one.processed for one in found] == [True] * 10 + [False] * 10


def engine_rows(cuts, new=2):
    move = Move(topology(len(cuts)), topology(new), [tally.STAGE], cuts)
    rows = move.engine_rows([{"stock-deltas": 10 + number} for number in range(new)])
    return {(place, key.decode()): msgspec.msgpack.decode(value, type=Instant).value for place, key, value in rows}


def test_time_is_that_of_the_task_furthest_back_and_reference_data_the_latest():
    cuts = [cut(0, now=50, timers_from=50, network=7), cut(1, now=40, timers_from=40, network=9)]
    rows = engine_rows(cuts)
    assert rows[0, "engine|now"] == rows[1, "engine|now"] == 40
    assert rows[0, "engine|network"] == 9
    assert (0, "engine|timers") not in rows
    assert rows[1, "engine|next|stock-deltas"] == 11


def test_no_timer_of_any_task_is_passed_over():
    cuts = [cut(0, now=50, timers_from=20, network=7), cut(1, now=40, timers_from=40, network=7)]
    assert engine_rows(cuts)[0, "engine|timers"] == 20


def test_a_task_that_has_seen_no_tick_keeps_time_from_beginning():
    rows = engine_rows([cut(0, now=50, timers_from=50, network=7), cut(1)])
    assert (0, "engine|now") not in rows
    assert rows[0, "engine|network"] == 7


def test_transactions_are_counted_on():
    rows = engine_rows([cut(0, transactions=5), cut(1, transactions=3)], new=3)
    assert [rows.get((number, "engine|manifest")) for number in range(3)] == [5, 3, None]


def test_where_a_task_stopped_is_what_its_rows_say_and_else_what_its_group_committed():
    pack = msgspec.msgpack.encode
    rows = {
        b"engine|next|clock": pack(Instant(4)),
        b"engine|now": pack(Instant(90)),
        b"engine|network": pack(Instant(2)),
    }
    found = read_cut(1, topology(4), rows.get, {"stock-deltas": 8, "clock": 3})
    assert found.next_offsets == {"stock-deltas": 8, "network-changes": 0, "clock": 4}
    assert (found.now, found.timers_from, found.network, found.transactions) == (90, 90, 2, 0)


# whose rows they are ----------------------------------------------------------------------------------------------


class Row(msgspec.Struct, frozen=True, array_like=True):
    owner: str = ""


CERTAIN = Table("certain", Row, owners=lambda key, row: () if row is None else (row.owner,))
OPEN = Table("open", Row, owners=prefixes("|", parts=2))
OWN = Table("own", Row, shared=True)
STAGE = Stage(
    name="tally",
    handlers={"stock-deltas": {}},
    tables=(CERTAIN, OPEN, OWN),
    timers={"tally.close": lambda key, ctx: None, "tally.later": lambda key, ctx: None},
    timer_tables={"tally.later": CERTAIN},
)


def places(rows, partition, old=4, new=12):
    move = Move(topology(old), topology(new), [STAGE], [cut(number) for number in range(old)])
    packed = {key.encode(): msgspec.msgpack.encode(row) for key, row in rows.items() if not key.startswith("~")}
    packed |= {key.encode(): b"1" for key in rows if key.startswith("~")}
    return [(place, key.decode()) for place, key, _ in move.rows(partition, packed.items, packed.get)]


@given(st.sets(st.text("abc|", min_size=1, max_size=6), max_size=12), st.integers(1, 6), st.integers(1, 13))
def test_a_row_goes_where_its_owners_records_go(owners, old, new):
    was, now = Partitioner(old), Partitioner(new)
    for partition in range(old):
        here = [owner for owner in owners if was(owner.encode()) == partition]
        rows = {f"certain|{owner}|x": Row(owner) for owner in here}
        assert sorted(places(rows, partition, old, new)) == sorted(
            (now(owner.encode()), f"certain|{owner}|x") for owner in here
        )


def test_an_owner_that_other_rows_name_settles_what_a_key_leaves_open():
    """Both readings of the key lie on this partition; only one of them is somebody's key."""
    was = Partitioner(1)
    assert was(b"acme|v1") == was(b"acme|v1|x") == 0
    rows = {"open|acme|v1|x|f": Row(), "certain|1": Row("acme|v1|x")}
    assert (Partitioner(12)(b"acme|v1|x"), "open|acme|v1|x|f") in places(rows, 0, old=1)


def test_a_timer_follows_the_row_that_it_is_about():
    owner = "acme|v1"
    partition, there = Partitioner(4)(owner.encode()), Partitioner(12)(owner.encode())
    later, close = timer_key(5, "tally.later", "id-1").decode(), timer_key(5, "tally.close", owner).decode()
    found = places({"certain|id-1": Row(owner), later: None, close: None}, partition)
    assert set(found) == {(there, "certain|id-1"), (there, later), (there, close)}


def test_a_timer_whose_row_is_gone_is_left_out():
    assert places({timer_key(5, "tally.later", "id-1").decode(): None}, 0) == []


def test_a_shared_row_goes_to_every_partition():
    assert sorted(places({"own|acme|dhl|X9": Row()}, 2)) == [(number, "own|acme|dhl|X9") for number in range(12)]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("lost|x", "row lost|x of task 0 is of no stage: run the version that wrote it"),
        (timer_key(5, "tally.gone", "x").decode(), "is of no stage: run the version that set it"),
        ("certain|x", "certain|x of task 0 belongs to acme|v0, whose records lie on another partition"),
    ],
)
def test_a_row_that_cannot_be_placed_stops_the_move(key, words):
    partition = Partitioner(4)(b"acme|v0")
    assert partition != 0
    with pytest.raises(RepartitionError) as raised:
        places({key: Row("acme|v0")}, 0)
    assert words in str(raised.value)


def test_a_carried_record_says_where_it_lay():
    raw = Raw("orders", 3, 17, 5, b"k", b"v", (("ce_id", b"1"),))
    assert carried(raw) == (("ce_id", b"1"), ("fsn-origin", b"3@17"))
