"""The limit: what one Python process can do at most. librdkafka consumes, fastavro decodes, a dict is updated.

No output, no state on disk, no transaction, no signature: whoever does more is slower. Arguments: broker, records,
folder (unused).
"""

import json
import sys
import time
from io import BytesIO
from typing import Any

import fastavro
from confluent_kafka import Consumer, KafkaException, TopicPartition

from bench.harness import topology
from bench.peers.wire import DELTA_SCHEMA, HEADER_BYTES


def run(bootstrap: str, records: int) -> float:
    """Seconds from the first record to the last."""
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
    read, items, seen, started = fastavro.schemaless_reader, dict[tuple[str, str], tuple[int, int]](), 0, 0.0
    while seen < records:
        # It waits so long for as many: a long wait would cost the limit its last, smaller helping.
        messages = consumer.consume(5_000, 0.02)
        started = started or (time.perf_counter() if messages else 0.0)
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            source = BytesIO(message.value())
            source.seek(HEADER_BYTES)
            delta: Any = read(source, DELTA_SCHEMA, None)
            key = (delta["variant_id"], delta["location_id"])
            on_hand, _ = items.get(key, (0, 0))
            items[key] = (on_hand + delta["quantity"], delta["sequence"])
        seen += len(messages)
    took = time.perf_counter() - started
    consumer.close()
    return took


if __name__ == "__main__":
    total = int(sys.argv[2])
    print(json.dumps({"records": total, "seconds": run(sys.argv[1], total)}))
