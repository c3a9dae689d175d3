"""Wire: bytes of a topic to plain values, with nothing but the committed schemas and bare fastavro.

    0x00 | schema id, big-endian int32 | Avro

In: the folder with `ids.json` (its n-th entry is schema id n) and `<record>.v<n>.avsc`, and bytes. Out: the record
type's name and its fields as a dict. FSN's own codec is left out on purpose: what it writes wrong must show here.
Refused, as `Unreadable`: bytes that are no record of these schemas; the checker counts them, and never stops for them.

Keys are placed by Kafka's murmur2; a record on another partition was sent wrong, and its forwarded copy counts.
"""

import io
import json
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import fastavro

FOLDER: Final = Path(__file__).parents[2] / "schemas" / "avro"
HEADER_BYTES: Final = 5
_MASK: Final = 0xFFFFFFFF


class Unreadable(ValueError):
    """Bytes that are no record of the committed schemas."""


class Wire:
    """Decodes by the schemas of one folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        listed = json.loads((folder / "ids.json").read_text("utf-8"))
        latest: dict[str, Any] = {}
        written: list[tuple[str, Any]] = []
        for name, version in listed:
            text = (folder / f"{_snake(name)}.v{version}.avsc").read_text("utf-8")
            schema = fastavro.parse_schema(json.loads(text))
            written.append((name, schema))
            latest[name] = schema
        self._by_header = {
            b"\0" + schema_id.to_bytes(4, "big"): (name, schema, None if latest[name] is schema else latest[name])
            for schema_id, (name, schema) in enumerate(written, start=1)
        }

    def decode(self, value: bytes | None) -> tuple[str, dict[str, Any]]:
        """The record type's name and its fields, in the type's latest version."""
        data = value or b""
        known = self._by_header.get(data[:HEADER_BYTES])
        if known is None:
            raise Unreadable(f"{data[:HEADER_BYTES].hex()} is no schema header")
        name, writer, reader = known
        stream = io.BytesIO(data)
        stream.seek(HEADER_BYTES)
        try:
            fields = fastavro.schemaless_reader(stream, writer, reader)
        except Exception as error:  # fastavro raises whatever its parts raise on hostile bytes
            raise Unreadable(f"{name}: {type(error).__name__}: {error}") from error
        if stream.tell() != len(data) or not isinstance(fields, dict):
            raise Unreadable(f"{name}: {len(data) - stream.tell()} bytes are left over")
        return name, fields


@lru_cache(maxsize=200_000)
def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's default partitioner puts a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """Kafka's 32-bit murmur2, unsigned."""
    factor, length = 0x5BD1E995, len(key)
    state = 0x9747B28C ^ length
    for (word,) in struct.iter_unpack("<I", key[: length & ~3]):
        mixed = word * factor & _MASK
        mixed = (mixed ^ mixed >> 24) * factor & _MASK
        state = state * factor & _MASK ^ mixed
    rest = key[length & ~3 :]
    if rest:
        state = (state ^ int.from_bytes(rest, "little")) * factor & _MASK
    state = (state ^ state >> 13) * factor & _MASK
    return state ^ state >> 15


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
