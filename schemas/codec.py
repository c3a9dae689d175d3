"""Records to the bytes on a topic and back: Confluent wire format around Avro.

    0x00 | schema id, big-endian int32 | Avro

In: typed records, or bytes of anybody. Out: bytes in the latest schema of the record's type, or a record of the
latest type whatever version wrote it. Refused are bytes that are no record (`UndecodableError`), ids nobody gave out
(`UnknownSchemaError`) and values that do not fit their schema (`EncodeError`); no input makes it raise anything else,
nor work or allocate out of proportion to its length.
"""

from typing import Any

import msgspec

from schemas import compiled
from schemas.errors import EncodeError, EvolutionError, UndecodableError
from schemas.evolution import derive, same_data, struct_types
from schemas.records.base import Record
from schemas.registry import Registry, SchemaVersion, bundled, record_types


class Codec:
    """Encodes and decodes records by the schemas of a registry; the functions of a type are made at its first use."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = bundled() if registry is None else registry
        self._encoders: dict[type[Record], compiled.Encoder] = {}
        self._decoders: dict[bytes, compiled.Decoder] = {}

    def encode(self, record: Record) -> bytes:
        """The record as bytes, in its type's latest schema."""
        try:
            encode = self._encoders.get(type(record)) or self._make_encoder(type(record))
            return encode(record)
        except (OverflowError, TypeError, AttributeError, ValueError) as error:
            raise EncodeError(f"{type(record).__name__}: {_misfit(record) or error}") from error

    def decode(self, data: bytes) -> Record:
        """The record these bytes stand for, as its latest type."""
        decode = self._decoders.get(data[: compiled.HEADER_BYTES]) or self._make_decoder(data)
        try:
            return decode(data)
        except IndexError as error:
            raise UndecodableError(f"{self.record_type_of(data).__name__} is cut short ({len(data)} bytes)") from error
        except ValueError as error:
            raise UndecodableError(f"{self.record_type_of(data).__name__}: {error}") from error

    def record_type_of(self, data: bytes) -> type[Record]:
        """The type of the record in these bytes, read from their first five."""
        return _record_type(self.registry.by_id(_schema_id(data)))

    def _make_encoder(self, record_type: type[Record]) -> compiled.Encoder:
        version = self.registry.latest(record_type)
        _check_committed(record_type, version)
        made = compiled.encoder(version.schema, _header(version.id))
        self._encoders[record_type] = made
        return made

    def _make_decoder(self, data: bytes) -> compiled.Decoder:
        version = self.registry.by_id(_schema_id(data))
        record_type = _record_type(version)
        latest = self.registry.latest(record_type)
        _check_committed(record_type, latest)
        made = compiled.decoder(version.schema, latest.schema, struct_types(record_type))
        self._decoders[_header(version.id)] = made
        return made


def _header(schema_id: int) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big")


def _schema_id(data: bytes) -> int:
    if len(data) < compiled.HEADER_BYTES:
        raise UndecodableError(f"{len(data)} bytes are too few for a record: the header alone takes 5")
    if data[0] != 0:
        raise UndecodableError(f"the first byte is 0x{data[0]:02x}, not 0x00: not in Confluent wire format")
    return int.from_bytes(data[1 : compiled.HEADER_BYTES], "big")


def _record_type(version: SchemaVersion) -> type[Record]:
    record_type = record_types().get(version.record)
    if record_type is None:
        raise EvolutionError(f"schema id {version.id} is {version.record}, which schemas/records has lost: restore it")
    return record_type


def _check_committed(record_type: type[Record], version: SchemaVersion) -> None:
    """The class and its committed schema must agree, or data would be written that nobody can read."""
    if not same_data(derive(record_type), version.schema):
        raise EvolutionError(
            f"{record_type.__name__} has changed since {version.record} v{version.version} was committed: "
            "run `fsn schemas write`"
        )


def _misfit(record: Any) -> str:
    """Which field does not fit, as msgspec words it."""
    try:
        plain = msgspec.to_builtins(record, builtin_types=(bytes,))
        msgspec.convert(plain, type(record))
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        return str(error)
    return ""
