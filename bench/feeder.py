"""Sends prepared records at a steady rate, as a process of its own, so that nothing it does slows who measures.

Open loop: each record has its time, and a late one is still counted from the time it was due. Arguments: broker, file
of records (MessagePack), records per second, file for the due times (epoch seconds). It begins when standard input
closes, so that everything is loaded before.
"""

import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from confluent_kafka import Producer

SLICE_S: Final = 0.005
LINGER_MS: Final = 10
BULK_FROM: Final = 2_000
"""Records a second from which on a sender lets them gather, as any sender of so many does."""


def feed(bootstrap: str, messages: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]], rate: float) -> list[float]:
    """Send all; when each was due."""
    bulk = rate > BULK_FROM
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": LINGER_MS if bulk else 0,
            "batch.size": 1 << 20,
        }
    )
    producer.list_topics(timeout=10)  # connected before the first one is due
    started = time.time()
    due = [started + number / rate for number in range(len(messages))]
    for (topic, key, value, headers), at in zip(messages, due, strict=True):
        left = at - time.time()
        if left > 0:
            producer.poll(0)
            time.sleep(max(left, SLICE_S) if rate > 1 / SLICE_S else left)
        producer.produce(topic, value, key, headers=headers)
    if producer.flush(60):
        raise RuntimeError("the broker did not take all records")
    return due


if __name__ == "__main__":
    wanted = msgspec.msgpack.decode(
        Path(sys.argv[2]).read_bytes(), type=list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]]
    )
    print("ready", flush=True)
    sys.stdin.read()
    Path(sys.argv[4]).write_bytes(msgspec.msgpack.encode(feed(sys.argv[1], wanted, float(sys.argv[3]))))
