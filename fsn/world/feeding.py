"""Feeding: a world sent through the topology in memory, or through real topics at full speed.

In: a world, and a driver or a broker's address. Out: the world's messages and ticks, in its order; back come offers
and statuses. On a broker the world runs only so far ahead of what the worker has committed, as each slice says,
which it sees from the group's committed offsets on `clock`: partners would otherwise answer hours late.
"""

import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from fsn.world.agenda import Message
from fsn.world.listening import Listener
from fsn.world.world import Slice, World
from schemas.records.engine import Tick
from schemas.topology import Topology
from streams.partitioner import Partitioner
from streams.testing import TopologyDriver

HEARD: Final = ("assignments", "order-status")
LIVE_SLICE_MS: Final = 1_000
POLL_S: Final = 0.03
PATIENCE_S: Final = 60.0
"""How long the broker may take no record, and the worker commit no tick."""


class FeedError(RuntimeError):
    """The worker does not keep up, or has died."""


def feed_driver(world: World, driver: TopologyDriver) -> None:
    """Run the whole simulation through a topology in memory."""
    driver.publish(*(record for _, record in world.network.keyed()))
    read = {(topic, partition): 0 for topic in HEARD for partition in range(driver.topology.partitions)}
    partition_of = Partitioner(driver.topology.partitions)
    while (part := world.advance()) is not None:
        for message in part.messages:
            driver.send_raw(
                message.topic,
                message.key,
                message.value,
                at=message.at,
                partition=_partition(message, partition_of),
                headers=message.headers,
                run=False,
            )
        for at in part.ticks:
            driver.tick(at, run=False)
        driver.run()
        for place, start in read.items():
            log = driver.logs[place]
            read[place] = len(log)
            for raw in log[start:]:
                world.hear(driver.codec.decode(raw.value or b""), raw.timestamp)


class BrokerFeeder:
    """Sends a world to a broker, and hears what comes back; a context manager."""

    def __init__(
        self, world: World, topology: Topology, client: Mapping[str, Any], *, patience_s: float = PATIENCE_S
    ) -> None:
        self._world = world
        self._patience_s = patience_s
        self._topology = topology
        self._codec = world.codec
        self._partition_of = Partitioner(topology.partitions)
        largest = max(spec.max_record_bytes for spec in topology.topics.values())
        self._producer = Producer(
            {
                **client,
                "enable.idempotence": True,
                "linger.ms": 2,
                "delivery.report.only.error": True,
                "message.max.bytes": largest + 65_536,
                "queue.buffering.max.messages": 1_000_000,
                "delivery.timeout.ms": int(patience_s * 1000),
            }
        )
        self._listener = Listener(client, HEARD, world.codec, partitions=topology.partitions)
        self._group = Consumer({**client, "group.id": topology.app, "enable.auto.commit": False})
        self._clock = [TopicPartition("clock", partition) for partition in range(topology.partitions)]
        self._ticks: list[int] = []
        self._failed: list[str] = []
        self.behind: Final[list[int]] = []
        """Simulated ms between the world and the worker, once per slice."""

    def publish_network(self) -> None:
        """Put the reference data on its topic."""
        at = self._world.start_at - 60_000
        for entity_id, record in self._world.network.keyed():
            self._produce("network", self._codec.encode(record), entity_id.encode(), timestamp=at, partition=0)
        self._flush()

    def run(self, *, is_alive: Callable[[], bool], on_slice: Callable[[Slice], None]) -> None:
        """The whole simulation, as fast as the worker goes."""
        world = self._world
        while (part := world.advance()) is not None:
            self._send(part)
            on_slice(part)
            self._wait_until(part.to_at - part.lead_ms, is_alive)
        self.settle(is_alive)

    def run_live(self) -> None:
        """The day at the pace of the clock; whoever leads the workers writes the ticks. Ends with Ctrl-C."""
        world = self._world
        while (part := world.advance(LIVE_SLICE_MS)) is not None:
            self._send(part, ticks=False)
            while time.time() * 1000 < part.to_at:
                self._hear()
                time.sleep(POLL_S)

    @property
    def behind_mean_s(self) -> float:
        """How far the worker was behind the world, in simulated seconds."""
        return sum(self.behind) / len(self.behind) / 1000 if self.behind else 0.0

    def settle(self, is_alive: Callable[[], bool]) -> None:
        """Wait until the worker has committed every tick, and what it caused."""
        self._wait_until(self._ticks[-1], is_alive)
        for _ in range(2):  # what the last tick caused crosses to other tasks, which tick once more
            self._tick(self._ticks[-1] + 60_000)
            self._flush()
            self._wait_until(self._ticks[-1], is_alive)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._listener.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the broker."""
        self._listener.__exit__()
        self._group.close()

    @property
    def last_tick_at(self) -> int:
        """The last instant the world has ticked."""
        return self._ticks[-1]

    def send_messages(self, messages: list[Message]) -> None:
        """Send, and wait until the broker has all of them."""
        self._hand_over(messages)
        self._flush()

    def _send(self, part: Slice, *, ticks: bool = True) -> None:
        self._hand_over(part.messages)
        # A tick may be processed as soon as every topic was read to its end: the slice must be in the log before it.
        self._flush()
        for at in part.ticks if ticks else ():
            self._tick(at)
        self._producer.poll(0)

    def _hand_over(self, messages: list[Message]) -> None:
        for message in messages:
            self._produce(
                message.topic,
                message.value,
                message.key,
                timestamp=message.at,
                partition=_partition(message, self._partition_of),
                headers=list(message.headers),
            )

    def _tick(self, at: int) -> None:
        value = self._codec.encode(Tick(at=at))
        for partition in range(self._topology.partitions):
            self._produce("clock", value, str(partition).encode(), timestamp=at, partition=partition)
        self._ticks.append(at)

    def _produce(self, topic: str, value: bytes, key: bytes, **settings: Any) -> None:
        try:
            self._producer.produce(topic, value, key, on_delivery=self._delivered, **settings)
        except BufferError:
            self._producer.flush(self._patience_s)
            self._producer.produce(topic, value, key, on_delivery=self._delivered, **settings)

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed.append(f"{message.topic()}: {error.str()}")

    def _flush(self) -> None:
        left = self._producer.flush(self._patience_s)
        if left or self._failed:
            raise FeedError(f"{left} messages were not taken by the broker; {'; '.join(self._failed[:3])}")

    def _wait_until(self, at: int, is_alive: Callable[[], bool]) -> None:
        """Hear what comes back until every task has committed time up to an instant."""
        moved_at, furthest = time.monotonic(), -1
        while True:
            self._hear()
            reached = self._reached_at()
            if reached >= at:
                break
            if reached > furthest:
                moved_at, furthest = time.monotonic(), reached
            if not is_alive():
                raise FeedError("the worker has ended: see its log")
            if time.monotonic() - moved_at > self._patience_s:
                raise FeedError(f"the worker has not moved for {self._patience_s:.0f} s: see its log")
            time.sleep(POLL_S)
        self.behind.append(self._world.agenda.now - reached)

    def _reached_at(self) -> int:
        """Simulated time that every task has committed."""
        try:
            committed = self._group.committed(self._clock, timeout=10)
        except KafkaException:  # nobody answers, or no coordinator yet: the patience ends in time
            return -1
        done = [max(0, found.offset) for found in committed]
        return min(self._ticks[ticks - 1] if ticks else 0 for ticks in done)

    def _hear(self) -> None:
        for record, at in self._listener.heard():
            self._world.hear(record, at)


def _partition(message: Message, partition_of: Partitioner) -> int:
    """The key's partition; of a misplaced message the one that CRC32 gives, or the next where both agree."""
    right = partition_of(message.key)
    if not message.misplaced:
        return right
    wrong = zlib.crc32(message.key) % partition_of.partitions
    return wrong if wrong != right else (right + 1) % partition_of.partitions
