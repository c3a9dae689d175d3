"""Which schema id stands for which version of which record type.

In: `avro/ids.json`, an append-only list whose n-th entry is schema id n, and the `avro/<record>.v<n>.avsc` beside it.
Out: a `Registry` that maps an id to (record type, version, schema) and a record type to its latest version. A
Confluent-compatible registry may give out other ids: hand them to `bundled(ids=...)`, keyed by (record, version), and
the same bundled schemas travel under those ids, without those it has none for. What it refuses: an id nobody gave out (`UnknownSchemaError`), and a
record type no schema was written for.
"""

import importlib
import json
import pkgutil
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

import schemas.records
from schemas.errors import EvolutionError, SchemaError, UnknownSchemaError
from schemas.records.base import Record

AvroSchema = Any
"""A JSON value: a type's name, a union (list) or a complex type (dict)."""


class SchemaVersion(msgspec.Struct, frozen=True):
    """One version of one record's schema.

    id: what stands on the wire
    record: name of the record type
    version: counts from 1
    schema: the Avro schema as parsed JSON
    """

    id: int
    record: str
    version: int
    schema: dict[str, Any]

    @property
    def full_name(self) -> str:
        """The Avro name with its namespace."""
        return f"{self.schema['namespace']}.{self.schema['name']}"

    @property
    def text(self) -> str:
        """The schema as a registry hands it out: compact JSON."""
        return json.dumps(self.schema, separators=(",", ":"), ensure_ascii=False)


class Registry:
    """Schema versions by id, and the latest one by record type."""

    def __init__(self, versions: Iterable[SchemaVersion]) -> None:
        self.versions = tuple(versions)
        self._by_id = {version.id: version for version in self.versions}
        self._latest: dict[str, SchemaVersion] = {}
        for version in self.versions:
            known = self._latest.get(version.record)
            if known is None or known.version < version.version:
                self._latest[version.record] = version
        if len(self._by_id) != len(self.versions):
            raise SchemaError("two schema versions share an id: ids.json is append-only, each id stands for one schema")

    def by_id(self, schema_id: int) -> SchemaVersion:
        """The version that travels under this id."""
        version = self._by_id.get(schema_id)
        if version is None:
            raise UnknownSchemaError(schema_id)
        return version

    def latest(self, record_type: type[Record]) -> SchemaVersion:
        """The version that records of this type are written with."""
        version = self._latest.get(record_type.__name__)
        if version is None:
            raise EvolutionError(f"{record_type.__name__} has no committed schema: run `fsn schemas write`")
        return version

    def is_latest(self, version: SchemaVersion) -> bool:
        """Whether records are still written with this version."""
        return self._latest[version.record] is version

    def by_subject(self, carried: Mapping[str, Collection[str]]) -> dict[str, list[SchemaVersion]]:
        """Subject → its versions, oldest first; `carried` says which record types each topic carries."""
        found: dict[str, list[SchemaVersion]] = {}
        for topic, records in carried.items():
            for version in sorted(self.versions, key=lambda known: known.version):
                if version.record in records:
                    found.setdefault(subject(topic, version), []).append(version)
        return found


def bundled(ids: Mapping[tuple[str, int], int] | None = None) -> Registry:
    """The committed schemas, under their own ids; or those another registry gave an id, under that."""
    versions = read_versions(files("schemas") / "avro")
    if ids is not None:
        versions = [
            msgspec.structs.replace(known, id=ids[known.record, known.version])
            for known in versions
            if (known.record, known.version) in ids
        ]
    return Registry(versions)


def read_versions(folder: Traversable) -> list[SchemaVersion]:
    """The versions that `ids.json` in this folder lists, in the order of their ids."""
    listed = folder / "ids.json"
    if not listed.is_file():
        return []
    return [
        SchemaVersion(schema_id, record, version, json.loads((folder / file_name(record, version)).read_text("utf-8")))
        for schema_id, (record, version) in enumerate(json.loads(listed.read_text("utf-8")), start=1)
    ]


def file_name(record: str, version: int) -> str:
    """Where a version is committed: `StockDelta`, 1 → `stock_delta.v1.avsc`."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in record).lstrip("_")
    return f"{snake}.v{version}.avsc"


def subject(topic: str, version: SchemaVersion) -> str:
    """The registry subject under TopicRecordNameStrategy: a topic may carry several record types."""
    return f"{topic}-{version.full_name}"


@cache
def record_types() -> Mapping[str, type[Record]]:
    """Every record type of `schemas.records` by name: modules in alphabetical order, types as declared."""
    found: dict[str, type[Record]] = {}
    for module_info in pkgutil.iter_modules(schemas.records.__path__):
        module = importlib.import_module(f"schemas.records.{module_info.name}")
        for value in vars(module).values():
            if not isinstance(value, type) or not issubclass(value, Record) or value is Record:
                continue
            if value.__module__ != module.__name__:
                continue
            if value.__name__ in found:
                raise EvolutionError(
                    f"two record types are called {value.__name__} ({found[value.__name__].__module__} and "
                    f"{value.__module__}): rename one, a record's name is its contract"
                )
            found[value.__name__] = value
    return found
