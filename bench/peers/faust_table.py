"""Plain Faust over the same deltas: an agent, a table on rocksdict with its changelog, an output topic; no transaction.

As its documentation would: what is sent is not waited for, offsets are committed every few seconds. Arguments: broker,
records, warm-up, folder.
"""

import os
import sys
from typing import Any

import faust

from bench.harness import topology
from bench.peers.clock import Clock
from bench.peers.wire import decode_delta, encode_snapshot, snapshot_after


def make_app(bootstrap: str, records: int, folder: str, *, warm_up: int) -> faust.App:
    """The app, which ends its process after so many records."""
    app = faust.App(
        "faust-table",
        broker=f"kafka://{bootstrap}",
        store="rocksdb://?driver=rocksdict",
        datadir=folder,
        topic_partitions=topology().partitions,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id="faust-table-1",
        web_enabled=False,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
    )
    deltas = app.topic("stock-deltas", key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    snapshots = app.topic(
        "stock-snapshots", key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )
    items = app.Table("items", default=lambda: (0, 0, 0), partitions=topology().partitions)
    clock = Clock(warm_up)

    @app.agent(deltas)
    async def stock(stream: Any) -> None:
        async for value in stream:
            clock.take()
            delta = decode_delta(value)
            key = f"{delta['variant_id']}|{delta['location_id']}"
            on_hand, sequence, revision = items[key]
            if delta["sequence"] > sequence:
                on_hand, revision = on_hand + delta["quantity"], revision + 1
                items[key] = (on_hand, delta["sequence"], revision)
            await snapshots.send(key=key.encode(), value=encode_snapshot(snapshot_after(delta, on_hand, revision)))
            if clock.records >= records:
                await app.producer.flush()
                sys.__stdout__.write(clock.result() + "\n")  # Faust redirects print
                sys.__stdout__.flush()
                os._exit(0)  # a worker has no end of its own, and its shutdown is not what is measured

    return app


if __name__ == "__main__":
    app = make_app(sys.argv[1], int(sys.argv[2]), sys.argv[4], warm_up=int(sys.argv[3]))
    sys.argv[1:] = ["worker", "-l", "error"]
    app.main()
