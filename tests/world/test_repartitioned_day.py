"""A day of the whole network, carried from 4 to 12 partitions in the middle of it: the checker finds nothing off.

The checker shares no code with the engine. It is shown one log: what the old tasks had processed or written, at its old
positions, and everything else at its new ones; so a position that meant two records would show.
"""

from pathlib import Path

import msgspec
import pytest

from fsn.declaration import load_topology
from fsn.report import collect
from fsn.report.reader import Log, MemorySource
from fsn.report.reader import load_topology as load_for_report
from fsn.report.truth import load_truth
from fsn.report.wire import partition_of
from fsn.world.feeding import HEARD, _partition
from fsn.world.world import World
from processors.pipeline import STAGES
from streams.partitioner import Partitioner
from streams.repartition import ORIGIN_HEADER, Move
from streams.signatures import KeyRing
from streams.testing import TopologyDriver
from tests.streams.carrying import carry, cuts_of, rows_of

SHARED = ("feed_status", "location_load", "unknown_codes")


def play(world, driver, slices=10_000, *, run=True):
    """Some slices of the day; without `run` they only lie on their topics."""
    partition_of_key = Partitioner(driver.topology.partitions)
    heard = {place: len(log) for place, log in driver.logs.items() if place[0] in HEARD}
    for _ in range(slices):
        part = world.advance()
        if part is None:
            return
        for message in part.messages:
            where, headers = _partition(message, partition_of_key), message.headers
            driver.send_raw(
                message.topic, message.key, message.value, at=message.at, partition=where, headers=headers, run=False
            )
        for at in part.ticks if run else ():
            driver.tick(at, run=False)
        if run:
            driver.run()
        for place, start in heard.items():
            log = driver.logs[place]
            heard[place] = len(log)
            for raw in log[start:]:
                world.hear(driver.codec.decode(raw.value or b""), raw.timestamp)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repartitioned")
    world = World(7, orders=120, deltas=3_000, hours=4)
    world.keys.write(folder / "keys.json")
    keys = KeyRing.load(folder / "keys.json")
    old = TopologyDriver(load_topology(clock="external"), STAGES, start_at=world.start_at, keys=keys)
    old.publish(*(record for _, record in world.network.keyed()))
    play(world, old, 30)
    play(world, old, 3, run=False)
    cuts = cuts_of(old)
    new = carry(old, load_topology(clock="external", partitions=12))
    carried = rows_of(new)
    starts = [dict(task.inbox.processed_offsets()) for task in new._tasks]
    play(world, new)
    world.truth.write(folder / "truth.json")
    return world, old, cuts, carried, new, starts, folder


def test_every_row_and_timer_is_carried_once(day):
    _, old, _, carried, _, _, _ = day
    before = rows_of(old)
    assert len(before) > 1_500
    own = {key: values for key, values in before.items() if not key.decode().startswith(SHARED)}
    assert {key: values for key, values in carried.items() if not key.decode().startswith(SHARED)} == own
    assert carried.keys() == before.keys()


def test_in_four_partitions_every_row_lies_where_its_owners_key_says(day):
    _, old, cuts, _, _, _, _ = day
    move = Move(old.topology, old.topology, STAGES, cuts)
    for number, task in enumerate(old._tasks):
        for place, key, _ in move.rows(number, task.store.rows.items, task.store.get):
            assert place == number or key.decode().startswith(SHARED)


def test_some_records_were_still_to_be_processed(day):
    _, old, cuts, _, _, _, _ = day
    left = sum(
        len(old.logs[topic, cut.partition]) - offset for cut in cuts for topic, offset in cut.next_offsets.items()
    )
    assert left > 20


def test_nothing_is_lost_nothing_is_twice_and_nothing_oversold(day, monkeypatch):
    world, old, cuts, _, new, starts, folder = day
    logs = {place: list(log) for place, log in old.logs.items()}
    for cut in cuts:
        for topic, offset in cut.next_offsets.items():
            del logs[topic, cut.partition][offset:]
    for (topic, number), log in new.logs.items():
        start = starts[number].get(topic) if number < len(starts) else None
        fresh = [
            raw
            for raw in log
            if raw is not None
            and (raw.offset >= start if start is not None else ORIGIN_HEADER not in dict(raw.headers))
        ]
        logs[topic, number] = logs.get((topic, number), []) + fresh

    def is_taken(read, topic, topology, dead):
        before = read.partition < 4 and read.offset < len(old.logs[topic, read.partition])
        right = partition_of(read.key.encode(), 4 if before else 12) == read.partition
        return bool(read.type) and right and (topic, read.partition, read.offset) not in dead

    monkeypatch.setattr(collect, "_is_taken", is_taken)
    topology = msgspec.structs.replace(load_for_report(Path("topology.yaml")), partitions=12)
    found = collect.examine(Log(MemorySource(logs)), topology, load_truth(folder / "truth.json"))
    assert [str(fault) for fault in found.faults] == []
    assert found.decisions.states["routed"] > 90
    assert world.unanswered == []
