"""Quix Streams over the same deltas: its own state (RocksDB, changelog topic) and an output topic, one process.

Written as its documentation would: a StreamingDataFrame with a stateful function, fastavro at both ends, the settings
it ships with. State is kept under the message key (the variant), one entry per location: on hand, sequence, revision.
It checks no signature and knows no reservation. Arguments: broker, records, warm-up, folder, guarantee.
"""

import sys
from pathlib import Path
from typing import Any

from quixstreams import Application
from quixstreams.models import Deserializer, Serializer
from quixstreams.state import State

from bench.peers.clock import Clock
from bench.peers.wire import decode_delta, encode_snapshot, snapshot_after


class DeltaDeserializer(Deserializer):
    """Wire format and fastavro; Quix's own AvroDeserializer does the same behind a schema registry."""

    def __call__(self, value: bytes, ctx: Any) -> Any:
        """Bytes to dict."""
        return decode_delta(value)


class SnapshotSerializer(Serializer):
    """Likewise."""

    def __call__(self, value: Any, ctx: Any) -> bytes:
        """Dict to bytes."""
        return encode_snapshot(value)


def apply_delta(delta: dict[str, Any], state: State, clock: Clock) -> dict[str, Any]:
    """Move an item's stock, once; what it is afterwards."""
    clock.take()
    location_id = delta["location_id"]
    on_hand, sequence, revision = state.get(location_id, (0, 0, 0))
    if delta["sequence"] > sequence:
        on_hand, revision = on_hand + delta["quantity"], revision + 1
        state.set(location_id, (on_hand, delta["sequence"], revision))
    return snapshot_after(delta, on_hand, revision)


def run(bootstrap: str, records: int, folder: Path, *, warm_up: int, guarantee: Any) -> str:
    """Times from the first record after the warm-up until the last is processed and its checkpoint committed."""
    clock = Clock(warm_up)
    app = Application(
        broker_address=bootstrap,
        consumer_group="quix",
        auto_offset_reset="earliest",
        processing_guarantee=guarantee,
        state_dir=folder,
        loglevel="WARNING",
    )
    deltas = app.topic("stock-deltas", value_deserializer=DeltaDeserializer(), key_deserializer="str")
    snapshots = app.topic("stock-snapshots", value_serializer=SnapshotSerializer(), key_serializer="str")
    frame = app.dataframe(deltas).apply(lambda delta, state: apply_delta(delta, state, clock), stateful=True)
    frame.to_topic(snapshots)
    # It stops after so many outputs, commits its last checkpoint and leaves: 0.1 s that count as its own.
    app.run(count=records, timeout=30, collect=False)
    result = clock.result()
    if clock.records != records:
        raise RuntimeError(f"Quix processed {clock.records} of {records} records")
    return result


if __name__ == "__main__":
    brokers, total, untimed, state_dir, wanted = sys.argv[1:]
    print(run(brokers, int(total), Path(state_dir), warm_up=int(untimed), guarantee=wanted))
