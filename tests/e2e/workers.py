"""What end-to-end tests send to a real broker, and read from it independently of the engine."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from fsn.world.feeding import BrokerFeeder
from schemas.codec import Codec
from schemas.records.stock import StockDelta
from schemas.topology import load
from streams.admin import apply

CODEC = Codec()


def create_topics(brokers: str, path: Path) -> None:
    apply(load(path), brokers)


def wait_until(done: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def producer(brokers: str, **settings: object) -> Producer:
    own = {"partitioner": "murmur2_random", "linger.ms": 5, "batch.size": 65_536}  # the tally's topics take no more
    return Producer({"bootstrap.servers": brokers, **own, **settings})


def delta(number: int, variant: str, units: int = 1, reason: str = "receipt") -> StockDelta:
    return StockDelta("f", variant, variant, None, "s", number, None, units, reason, None, number)


def read_committed(brokers: str, topic: str, partitions: int = 4, **settings: object) -> list:
    """Everything a read_committed reader sees of a topic, up to its end now."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "test-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            # The embedded broker repeats aborted transactions in every answer that begins behind them: take it in one.
            "fetch.max.bytes": 1 << 30,
            "max.partition.fetch.bytes": 500_000_000,
            "receive.message.max.bytes": (1 << 30) + 512,
            **settings,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    found, ended = [], set()
    deadline = time.monotonic() + 30
    try:
        while len(ended) < partitions and time.monotonic() < deadline:
            for message in consumer.consume(5_000, 0.2):
                if message.error() is None:
                    found.append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    raise AssertionError(message.error())
    finally:
        consumer.close()
    assert len(ended) == partitions, f"{topic}: only partitions {sorted(ended)} were read to their end"
    return found


class Feeding(threading.Thread):
    """Plays a world while the main thread breaks things (a worker that a thread started would end with that thread)."""

    def __init__(self, feeder: BrokerFeeder, *, pause_s: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.feeder, self.pause_s = feeder, pause_s
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.feeder.run(is_alive=lambda: True, on_slice=lambda _: time.sleep(self.pause_s))
        except Exception as error:  # noqa: BLE001 - shown by the main thread
            self.error = error
