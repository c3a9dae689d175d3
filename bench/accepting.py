"""A partner that accepts whatever it is offered, as a process of its own: what `bench.chain` needs to get to labels.

Argument: broker. It says `ready` once it reads, and goes on until it is killed. It sees what a partner sees: committed offers
only, signed answers back.
"""

import sys
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.harness import topology
from bench.world import World
from schemas.codec import Codec
from schemas.records.assignments import AssignmentOffered

AT_ONCE: Final = 500


def accept(bootstrap: str) -> None:
    """Accept for ever."""
    world, decode = World(locations=1, variants=1), Codec().decode
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 2})
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-partner",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 5,
        }
    )
    partitions = range(topology().partitions)
    ends = [consumer.get_watermark_offsets(TopicPartition("assignments", number))[1] for number in partitions]
    consumer.assign([TopicPartition("assignments", number, end) for number, end in zip(partitions, ends, strict=True)])
    print("ready", flush=True)
    while True:
        for message in consumer.consume(AT_ONCE, timeout=0.05):
            record = decode(message.value())
            if isinstance(record, AssignmentOffered):
                answer = world.accepted(record)
                producer.produce(answer.topic, answer.value, answer.key, headers=answer.headers)
        producer.poll(0)


if __name__ == "__main__":
    accept(sys.argv[1])
