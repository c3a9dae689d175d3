"""Notes when each record of a topic becomes visible to a read-committed reader, as a process of its own.

It reads from the topic's end on; `ready` on standard output says that it is there. It ends after so many records, or
when nothing came for a while. Arguments: broker, topic, records, file for (key, epoch seconds) in MessagePack.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from aiokafka import TopicPartition

from streams.fetcher import PatientConsumer

FETCH_MAX_WAIT_MS: Final = 5
SILENCE_MAX_S: Final = 20.0


async def observe(bootstrap: str, topic: str, records: int) -> list[tuple[bytes, float]]:
    """Keys and times of visibility. The patience of its fetcher adds up to 10 ms to what it sees."""
    consumer = PatientConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        check_crcs=False,
    )
    await consumer.start()
    seen: list[tuple[bytes, float]] = []
    try:
        partitions = await consumer._client.fetch_all_metadata()
        consumer.assign([TopicPartition(topic, number) for number in sorted(partitions.partitions_for_topic(topic))])
        await consumer.seek_to_end()
        print("ready", flush=True)
        heard_at = time.monotonic()
        while len(seen) < records and time.monotonic() - heard_at < SILENCE_MAX_S:
            fetched = await consumer.getmany(timeout_ms=200)
            now = time.time()
            for batch in fetched.values():
                seen.extend((record.key, now) for record in batch)
                heard_at = time.monotonic()
    finally:
        await consumer.stop()
    return seen


if __name__ == "__main__":
    found = asyncio.run(observe(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    Path(sys.argv[4]).write_bytes(msgspec.msgpack.encode(found))
