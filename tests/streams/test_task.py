"""What a task takes into a batch, and when; transactions and kills are in tests/e2e."""

import asyncio
from itertools import pairwise
from time import perf_counter
from types import SimpleNamespace

import pytest

from schemas.codec import Codec
from schemas.records.network import NetworkChanged
from streams import pace
from streams.broadcast import NetworkCopy
from streams.inbox import BULK_RECORDS_BESIDE_OTHERS, BULK_RECORDS_MAX
from streams.machine import CLOCK, NETWORK_CHANGES, Instant, Raw
from streams.pace import BUSY_FROM, Urgency
from streams.task import Task

EVERY_S = 0.05
CODEC = Codec()


class Recording(Task):
    """Takes every batch as processed, and closes itself after so many."""

    def __init__(self, urgency, batches):
        runtime = SimpleNamespace(
            source_names=("orders", "deltas", NETWORK_CHANGES, CLOCK),
            bulk_topics=frozenset({"deltas"}),
            urgency=urgency,
            network=NetworkCopy(),
            codec=CODEC,
        )
        super().__init__(0, runtime, source=None)
        self._unit = SimpleNamespace(get=lambda table, key: Instant(1))
        self._batches_wanted = batches
        self.batches = []

    async def _process(self, chosen):
        batch = list(self._up_to_unknown_network(chosen))
        self.batches.append((perf_counter(), [raw.topic for raw in batch]))
        self.inbox.take(batch)
        if len(self.batches) == self._batches_wanted:
            self._closed.set()

    def run(self):
        asyncio.run(asyncio.wait_for(self._process_until_closed(), 10))
        return self.batches


def records(topic, count, start=0):
    return [Raw(topic, 0, start + number, 1_000 + number, b"k", b"v") for number in range(count)]


@pytest.fixture
def busy(monkeypatch):
    """Somebody waits for decisions, many a second."""
    monkeypatch.setattr(pace, "BULK_EVERY_S", EVERY_S)
    urgency = Urgency()
    urgency.note(int(10 * BUSY_FROM), perf_counter())
    return urgency


def test_while_somebody_waits_bulk_comes_in_pieces_with_pauses_between(busy):
    task = Recording(busy, batches=3)
    task.inbox.add("deltas", records("deltas", 3 * BULK_RECORDS_BESIDE_OTHERS), 1)
    batches = task.run()
    assert [len(topics) for _, topics in batches] == [BULK_RECORDS_BESIDE_OTHERS] * 3
    instants = [at for at, _ in batches]
    assert min(later - earlier for earlier, later in pairwise(instants)) >= EVERY_S * 0.9


def test_an_order_does_not_wait_for_the_turn_of_bulk(busy):
    task = Recording(busy, batches=2)
    task.inbox.add("deltas", records("deltas", 2 * BULK_RECORDS_BESIDE_OTHERS), 1)
    task.inbox.add("orders", records("orders", 1), 1)
    first, second = task.run()
    assert first[1].count("orders") == 1
    assert set(second[1]) == {"deltas"}
    task = Recording(busy, batches=2)
    task.inbox.add("deltas", records("deltas", 2 * BULK_RECORDS_BESIDE_OTHERS), 1)

    async def order_comes_in():
        await asyncio.sleep(EVERY_S / 5)
        task.inbox.add("orders", records("orders", 1), 1)
        task.wake()

    async def both():
        await asyncio.wait_for(asyncio.gather(task._process_until_closed(), order_comes_in()), 10)

    asyncio.run(both())
    assert task.batches[1][1] == ["orders"]


def test_while_nobody_waits_bulk_comes_in_large_batches():
    task = Recording(Urgency(), batches=2)
    task.inbox.add("deltas", records("deltas", BULK_RECORDS_MAX + 100), 1)
    assert [len(topics) for _, topics in task.run()] == [BULK_RECORDS_MAX, 100]


def network_changed(offset, *, wanted, at):
    value = CODEC.encode(NetworkChanged(network_offset=wanted))
    return Raw(NETWORK_CHANGES, 0, offset, at, b"0", value)


def test_a_batch_ends_before_reference_data_that_this_worker_has_not_read_yet():
    task = Recording(Urgency(), batches=2)
    network = task._runtime.network
    network.add([(3, 1, None)])
    task.inbox.add("orders", records("orders", 3), 1)
    task.inbox.add(NETWORK_CHANGES, [network_changed(0, wanted=3, at=1_000), network_changed(1, wanted=7, at=1_001)], 1)

    async def network_is_read():
        await asyncio.sleep(EVERY_S)
        assert len(task.batches) == 1, "the second batch begins with a version that is not there"
        network.add([(7, 2, None)])

    async def both():
        await asyncio.wait_for(asyncio.gather(task._process_until_closed(), network_is_read()), 10)

    asyncio.run(both())
    first, second = [topics for _, topics in task.batches]
    assert first == ["orders", NETWORK_CHANGES, "orders"]
    assert second == [NETWORK_CHANGES, "orders"]


def test_reference_data_that_cannot_be_decoded_holds_nothing_up():
    """It goes to `dead-letters` when it is processed."""
    task = Recording(Urgency(), batches=1)
    task.inbox.add(NETWORK_CHANGES, [Raw(NETWORK_CHANGES, 0, 0, 1_000, b"0", b"garbage")], 1)
    task.inbox.add("orders", records("orders", 1), 1)
    assert [topics for _, topics in task.run()] == [["orders", NETWORK_CHANGES]]
