"""The bytes that all contenders read and write, for those that use bare fastavro: FSN's own schemas, parsed once."""

from io import BytesIO
from typing import Any, Final

import fastavro

from schemas.codec import Codec
from schemas.records.stock import StockDelta, StockSnapshot

HEADER_BYTES: Final = 5
"""Confluent wire format: 0x00 and the schema id."""

_REGISTRY: Final = Codec().registry
DELTA_SCHEMA: Final[Any] = fastavro.parse_schema(_REGISTRY.latest(StockDelta).schema)
SNAPSHOT_SCHEMA: Final[Any] = fastavro.parse_schema(_REGISTRY.latest(StockSnapshot).schema)
SNAPSHOT_HEADER: Final = b"\x00" + _REGISTRY.latest(StockSnapshot).id.to_bytes(4, "big")


def decode_delta(value: bytes) -> Any:
    """A delta as a dict."""
    source = BytesIO(value)
    source.seek(HEADER_BYTES)
    return fastavro.schemaless_reader(source, DELTA_SCHEMA, None)


def encode_snapshot(snapshot: dict[str, Any]) -> bytes:
    """A snapshot from a dict."""
    out = BytesIO()
    out.write(SNAPSHOT_HEADER)
    fastavro.schemaless_writer(out, SNAPSHOT_SCHEMA, snapshot)
    return out.getvalue()


def snapshot_after(delta: dict[str, Any], on_hand: int, revision: int) -> dict[str, Any]:
    """What an item is after a delta, where nobody reserves."""
    return {
        "variant_id": delta["variant_id"],
        "location_id": delta["location_id"],
        "revision": revision,
        "on_hand": on_hand,
        "reserved": 0,
        "held": 0,
        "available_to_promise": max(0, on_hand),
        "gapped": False,
        "updated_at": delta["occurred_at"],
    }
