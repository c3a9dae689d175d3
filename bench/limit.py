"""The limit: what one Python process can do at most. librdkafka consumes, fastavro decodes, a dict is updated.

No output, no state on disk, no transaction, no signature: whoever does more is slower. Arguments: broker, records,
warm-up, folder (unused).
"""

import sys
from io import BytesIO
from typing import Any

import fastavro
from confluent_kafka import Consumer, KafkaException, TopicPartition

from bench.harness import topology
from bench.peers.clock import Clock
from bench.peers.wire import DELTA_SCHEMA, HEADER_BYTES


def run(bootstrap: str, records: int, warm_up: int) -> str:
    """Times from the first record after the warm-up to the last."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "limit",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": 1 << 20,
        }
    )
    consumer.assign([TopicPartition("stock-deltas", number, 0) for number in range(topology().partitions)])
    read, items, clock = fastavro.schemaless_reader, dict[tuple[str, str], tuple[int, int]](), Clock(warm_up)
    while clock.records < records:
        # It waits so long for as many: a long wait would cost the limit its last, smaller helping.
        messages = consumer.consume(5_000, 0.02)
        clock.take(len(messages))
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            source = BytesIO(message.value())
            source.seek(HEADER_BYTES)
            delta: Any = read(source, DELTA_SCHEMA, None)
            key = (delta["variant_id"], delta["location_id"])
            on_hand, _ = items.get(key, (0, 0))
            items[key] = (on_hand + delta["quantity"], delta["sequence"])
    result = clock.result()
    consumer.close()
    return result


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
