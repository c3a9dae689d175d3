"""Schemas that are proposed, not committed: what the codec would do if they were.

In: a folder of `.avsc` files named like those of `schemas/avro/` (`stock_delta.v2.avsc`); files that equal a committed
version are no proposals, so a whole copy of the folder with one file added will do. Out: `SchemaVersion`s under ids
that nobody has given out, why they cannot read earlier data, and a `ProposedCodec`.

That codec stands for a worker of tomorrow with the rules of today. It reads a record by Avro's resolution (writer: the
schema it was written with, reader: the proposed one), by fastavro rather than by our own generated code, and hands
today's rules what is left of it: a new field is invisible to them, a dropped one takes its default, and where it has none
the record is refused (`UndecodableError`). It writes a record by the proposed schema, new fields with their defaults.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fastavro
import msgspec
from fastavro.read import SchemaResolutionError

from schemas import compiled
from schemas.codec import Codec
from schemas.errors import EvolutionError, UndecodableError
from schemas.evolution import broken_promises, same_data
from schemas.records.base import Record
from schemas.registry import Registry, SchemaVersion, bundled, file_name

_KINDS = {"array", "boolean", "bytes", "int", "long", "null", "record", "string"}


def read_proposals(folder: Path, registry: Registry) -> list[SchemaVersion]:
    """The proposed versions in a folder, in the order of their file names, under the next free ids."""
    paths = sorted(folder.glob("*.avsc"))
    if not paths:
        raise EvolutionError(
            f"{folder}: no .avsc file there; write proposed schemas like schemas/avro/<record>.v<n>.avsc"
        )
    # All of them: a registry of other ids holds only what a topology carries, and a whole copy of the folder will do.
    committed = {file_name(known.record, known.version): known for known in bundled().versions}
    latest = {known.record: known for known in registry.versions if registry.is_latest(known)}
    free_id = max(known.id for known in registry.versions) + 1
    proposals: list[SchemaVersion] = []
    for path in paths:
        schema = _schema(path)
        known = committed.get(path.name)
        if known is not None:
            if not same_data(schema, known.schema):
                wanted = file_name(known.record, latest[known.record].version + 1)
                raise EvolutionError(
                    f"{path}: differs from the committed {path.name}; records lie on topics under it: name the file {wanted}"
                )
            continue
        record = str(schema["name"])
        if record not in latest:
            raise EvolutionError(
                f"{path}: no record is called {record}; a rehearsal is about records that were written"
            )
        version = latest[record].version + 1
        if path.name != file_name(record, version):
            raise EvolutionError(
                f"{path}: holds {record}, whose next version is {file_name(record, version)}; rename the file"
            )
        proposals.append(SchemaVersion(free_id + len(proposals), record, version, schema))
    if not proposals:
        raise EvolutionError(
            f"{folder}: every schema there is committed already; change one and give it the next version"
        )
    return proposals


def problems_of(proposals: Sequence[SchemaVersion], registry: Registry) -> list[str]:
    """Why proposed schemas cannot read what earlier versions wrote, a line each with its mend; empty when they can."""
    return [
        problem
        for proposal in proposals
        for problem in broken_promises(
            proposal.schema, [known for known in registry.versions if known.record == proposal.record]
        )
    ]


class ProposedCodec(Codec):
    """The codec of a worker to which the proposed schemas are the latest, above today's record types."""

    def __init__(self, registry: Registry, proposals: Sequence[SchemaVersion]) -> None:
        super().__init__(Registry((*registry.versions, *proposals)))
        self._today = Codec(registry)
        self._proposals = {proposal.record: proposal for proposal in proposals}
        self._parsed = {
            known.id: _parsed(known.schema) for known in self.registry.versions if known.record in self._proposals
        }

    def is_proposed(self, data: bytes) -> bool:
        """Whether these bytes are of a record type that a proposal changes; raises SchemaError for no record."""
        return self.record_type_of(data).__name__ in self._proposals

    def plain(self, data: bytes) -> Any:
        """The record as plain values, by the schema a worker of tomorrow would read it with."""
        if not self.is_proposed(data):
            return plain(self._today.decode(data))
        written = self.registry.by_id(int.from_bytes(data[1 : compiled.HEADER_BYTES], "big"))
        if written is not self._proposals[written.record]:
            self._today.decode(data)  # it refuses any garbage, at a cost in proportion to its length; fastavro need not
        return self._resolved(data, written)

    def _resolved(self, data: bytes, written: SchemaVersion) -> Any:
        proposed = self._proposals[written.record]
        body = io.BytesIO(data[compiled.HEADER_BYTES :])
        try:
            return fastavro.schemaless_reader(body, self._parsed[written.id], self._parsed[proposed.id])
        except (SchemaResolutionError, EOFError, IndexError, KeyError, TypeError, ValueError) as error:
            detail = f"{written.record} v{written.version} cannot be read as the proposed v{proposed.version}: {error}"
            raise UndecodableError(detail) from error

    def _make_encoder(self, record_type: type[Record]) -> compiled.Encoder:
        proposed = self._proposals.get(record_type.__name__)
        if proposed is None:
            return super()._make_encoder(record_type)
        today = self._today.registry.latest(record_type)
        header = b"\0" + proposed.id.to_bytes(4, "big")

        def encode(record: Any) -> bytes:
            try:
                value = self._resolved(self._today.encode(record), today)
            except UndecodableError as error:
                raise ValueError(str(error)) from error
            body = io.BytesIO()
            fastavro.schemaless_writer(body, self._parsed[proposed.id], value)
            return header + body.getvalue()

        return encode

    def _make_decoder(self, data: bytes) -> compiled.Decoder:
        record_type = self.record_type_of(data)
        if record_type.__name__ not in self._proposals:
            return super()._make_decoder(data)

        def decode(data: bytes) -> Record:
            try:
                return msgspec.convert(self.plain(data), record_type)
            except msgspec.ValidationError as error:
                raise UndecodableError(
                    f"today's rules cannot take a {record_type.__name__} so changed: {error}"
                ) from error

        self._decoders[data[: compiled.HEADER_BYTES]] = decode
        return decode


def plain(value: Any) -> Any:
    """A record or row as dicts by field name, lists and scalars."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def _schema(path: Path) -> dict[str, Any]:
    try:
        schema = json.loads(path.read_text("utf-8"))
        fastavro.parse_schema(schema)
    except (OSError, ValueError, fastavro.schema.SchemaParseException) as error:
        raise EvolutionError(f"{path}: is no Avro schema ({error}); mend the file") from error
    if not isinstance(schema, dict) or schema.get("type") != "record" or "namespace" not in schema:
        raise EvolutionError(f"{path}: is no record with a namespace; start from the committed schema")
    if foreign := sorted(_kinds(schema) - _KINDS):
        raise EvolutionError(f"{path}: FSN's codec knows no {foreign[0]}; use {', '.join(sorted(_KINDS))}")
    return schema


def _kinds(schema: Any) -> set[str]:
    """The kinds of type that a schema uses; a name of something defined before is none."""
    if isinstance(schema, list):
        return set().union(*map(_kinds, schema))
    if isinstance(schema, str):
        return set() if "." in schema else {schema}
    if schema["type"] == "array":
        return {"array"} | _kinds(schema["items"])
    return {str(schema["type"])}.union(*(_kinds(field["type"]) for field in schema.get("fields", ())))


def _parsed(schema: Any) -> Any:
    """The schema as fastavro wants it. It hands out a default of bytes as the text that JSON has for it: mended here."""
    parsed = fastavro.parse_schema(schema)
    pending: list[Any] = [parsed]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending += part
        elif isinstance(part, dict):
            pending += [part.get("items"), *(field["type"] for field in part.get("fields", ()))]
            for field in part.get("fields", ()):
                first = field["type"][0] if isinstance(field["type"], list) else field["type"]
                if first == "bytes" and isinstance(field.get("default"), str):
                    field["default"] = field["default"].encode("latin-1")
    return parsed
