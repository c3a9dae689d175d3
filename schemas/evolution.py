"""From a record type to its Avro schema, and what may change between two versions of it.

In: a record type (annotations, defaults, docstring). Out: its Avro schema, documented field by field, and the
versions to commit: a changed record gets a new version, a changed description only a new text. What it refuses, by
the name of record and field and with the mend: a field nobody documented, a type Avro or FSN has no place for
(floats are no money), a default that does not fit, and a new version that cannot read what any earlier one wrote
(BACKWARD_TRANSITIVE: records stay on the topics for 400 days).

Personal data never enters a topic: a field marked `Annotated[str, msgspec.Meta(extra={"pii": True})]` keeps its mark
in the schema, and fails the build there.
"""

import inspect
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from schemas.errors import EvolutionError
from schemas.records.base import Int32, Part, Record
from schemas.registry import AvroSchema, SchemaVersion

_PRIMITIVES: Mapping[Any, str] = {int: "long", str: "string", bytes: "bytes", bool: "boolean"}
_PROMOTIONS = {
    ("int", "long"),
    ("int", "float"),
    ("int", "double"),
    ("long", "float"),
    ("long", "double"),
    ("float", "double"),
    ("string", "bytes"),
    ("bytes", "string"),
}
"""(written, read): what the Avro specification lets a reader widen."""

_DOCUMENTED = re.compile(r"([a-z][a-z0-9_]*): (.+)")


def derive(record_type: type[Record]) -> dict[str, Any]:
    """The Avro schema of a record type."""
    schema = _record(record_type, set())
    assert isinstance(schema, dict)
    return schema


def struct_types(record_type: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct]]:
    """The record type and every part inside it, by Avro full name."""
    found = {_struct_name(record_type): record_type}
    for field in msgspec.structs.fields(record_type):
        pending = [field.type]
        while pending:
            annotation = pending.pop()
            pending += get_args(annotation)
            if isinstance(annotation, type) and issubclass(annotation, Part):
                found |= struct_types(annotation)
    return found


def plan(
    record_types: Mapping[str, type[Record]], committed: Sequence[SchemaVersion], *, rewrite: bool = False
) -> list[SchemaVersion]:
    """The versions to commit: the known ones, and one more for each record whose schema changed.

    `rewrite` forgets the committed versions and starts again at id 1: only before the first release, for a record
    written under the old ids is lost.
    """
    planned = [] if rewrite else list(committed)
    problems = [] if rewrite else _removed(record_types, committed)
    for name, record_type in record_types.items():
        try:
            schema = derive(record_type)
        except EvolutionError as error:
            problems.append(str(error))
            continue
        earlier = [version for version in planned if version.record == name]
        if not earlier:
            planned.append(SchemaVersion(len(planned) + 1, name, 1, schema))
        elif same_data(earlier[-1].schema, schema):
            planned[planned.index(earlier[-1])] = msgspec.structs.replace(earlier[-1], schema=schema)
        else:
            problems += broken_promises(schema, earlier)
            planned.append(SchemaVersion(len(planned) + 1, name, earlier[-1].version + 1, schema))
    if problems:
        raise EvolutionError("\n".join(problems))
    return planned


def broken_promises(schema: dict[str, Any], earlier: Sequence[SchemaVersion]) -> list[str]:
    """Why this schema cannot read what earlier versions wrote; empty when it can."""
    return [
        f"{problem} (data of v{version.version}, schema id {version.id})"
        for version in earlier
        for problem in incompatibilities(schema, version.schema)
    ]


def incompatibilities(reader: dict[str, Any], writer: dict[str, Any]) -> list[str]:
    """Why a reader's schema cannot read a writer's data, by field, each with its mend; empty when it can."""
    return list(_Resolution(named_records(reader), named_records(writer)).differences(reader, writer, reader["name"]))


def same_data(left: AvroSchema, right: AvroSchema) -> bool:
    """Whether two schemas differ in descriptions at most."""
    return bool(_bare(left) == _bare(right))


def personal_fields(schema: AvroSchema) -> list[str]:
    """Fields marked as personal data, as `Record.field`."""
    return [
        f"{definition['name']}.{field['name']}"
        for definition in named_records(schema).values()
        for field in definition["fields"]
        if field.get("pii")
    ]


def named_records(schema: AvroSchema) -> dict[str, dict[str, Any]]:
    """Every record that a schema defines, by full name."""
    if isinstance(schema, list):
        return {name: found for branch in schema for name, found in named_records(branch).items()}
    if not isinstance(schema, dict):
        return {}
    if schema["type"] == "array":
        return named_records(schema["items"])
    named = {full_name(schema): schema}
    for field in schema["fields"]:
        named |= named_records(field["type"])
    return named


def full_name(schema: Mapping[str, Any]) -> str:
    """A record definition's Avro name with its namespace."""
    return f"{schema['namespace']}.{schema['name']}"


def _record(struct: type[msgspec.Struct], seen: set[str]) -> AvroSchema:
    """The definition of a record, or its name where the same schema has defined it already."""
    name = _struct_name(struct)
    if name in seen:
        return name
    seen.add(name)
    infos = msgspec.structs.fields(struct)
    if not infos:
        # An array of nothing would let a few bytes stand for billions of items.
        raise EvolutionError(f"{struct.__name__} has no fields: a record on a topic says something; add a field")
    summary, meanings = _documentation(struct, [info.name for info in infos])
    fields = [_field(struct.__name__, info, meanings[info.name], seen) for info in infos]
    namespace, _, short = name.rpartition(".")
    return {"type": "record", "name": short, "namespace": namespace, "doc": summary, "fields": fields}


def _field(owner: str, info: msgspec.structs.FieldInfo, meaning: str, seen: set[str]) -> dict[str, Any]:
    where = f"{owner}.{info.name}"
    annotation, personal = _unmark(info.type)
    branch, nullable = _optional(annotation)
    branch, branch_personal = _unmark(branch)
    avro = _type(branch, where, seen)
    field: dict[str, Any] = {"name": info.name, "type": avro, "doc": meaning}
    default = info.default_factory() if info.default_factory is not msgspec.NODEFAULT else info.default
    if nullable:
        default = None if default is msgspec.NODEFAULT else default
        # Avro reads a union's default as its first branch.
        field["type"] = ["null", avro] if default is None else [avro, "null"]
    if default is not msgspec.NODEFAULT:
        field["default"] = _default(default, info.type, where)
    if personal or branch_personal:
        field["pii"] = True
    return field


def _type(annotation: Any, where: str, seen: set[str]) -> AvroSchema:
    if annotation == Int32:
        return "int"
    if annotation in _PRIMITIVES:
        return _PRIMITIVES[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return _record(annotation, seen)
    if get_origin(annotation) is tuple:
        items = get_args(annotation)
        if len(items) == 2 and items[1] is Ellipsis:
            return {"type": "array", "items": _type(items[0], where, seen)}
    raise EvolutionError(
        f"{where}: {annotation!r} has no place in a record; use int, Int32, str, bytes, bool, X | None, "
        "tuple[X, ...] or a Part (money is an int in minor units, a score an int of 1e-6)"
    )


def _optional(annotation: Any) -> tuple[Any, bool]:
    """The type behind `X | None`, and whether it was that."""
    if get_origin(annotation) in (Union, types.UnionType):
        branches = [branch for branch in get_args(annotation) if branch is not type(None)]
        if len(branches) == 1:
            return branches[0], True
    return annotation, False


def _unmark(annotation: Any) -> tuple[Any, bool]:
    """The type without its mark for personal data, and whether it bore one."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        if any(isinstance(mark, msgspec.Meta) and (mark.extra or {}).get("pii") for mark in marks):
            return inner, True
    return annotation, False


def _default(default: Any, annotation: Any, where: str) -> Any:
    """A default as JSON."""
    try:
        msgspec.convert(default, annotation)
    except msgspec.ValidationError as error:
        raise EvolutionError(f"{where}: its default {default!r} does not fit: {error}; mend the default") from error
    if isinstance(default, tuple):
        return [_default(item, Any, where) for item in default]
    if isinstance(default, bytes):
        return default.decode("latin-1")
    if isinstance(default, msgspec.Struct):
        raise EvolutionError(f"{where}: a part cannot be a default; use `| None` with None")
    return default


def _documentation(struct: type[msgspec.Struct], names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The line about the record, and the meaning of each field."""
    summary: list[str] = []
    meanings: dict[str, list[str]] = {}
    current = summary
    for line in inspect.cleandoc(struct.__doc__ or "").splitlines():
        documented = _DOCUMENTED.fullmatch(line)
        if documented and (documented[1] in names or meanings):
            current = meanings.setdefault(documented[1], [])
            current.append(documented[2].strip())
        elif line.strip():
            current.append(line.strip())
    if unknown := [name for name in meanings if name not in names]:
        raise EvolutionError(f"{struct.__name__}: its docstring documents {unknown[0]}, which is no field; remove it")
    if missing := [name for name in names if name not in meanings]:
        raise EvolutionError(
            f"{struct.__name__}.{missing[0]} is undocumented: add a line `{missing[0]}: what it means` to the "
            f"docstring of {struct.__name__}"
        )
    return " ".join(summary), {name: " ".join(lines) for name, lines in meanings.items()}


def _struct_name(struct: type[msgspec.Struct]) -> str:
    return f"fsn.{struct.__module__.rsplit('.', 1)[-1]}.{struct.__name__}"


def _removed(record_types: Mapping[str, type[Record]], committed: Sequence[SchemaVersion]) -> list[str]:
    gone = sorted({version.record for version in committed} - set(record_types))
    return [f"{name} was removed: keep its class, for its records are still on the topics" for name in gone]


def _bare(schema: AvroSchema) -> AvroSchema:
    """The schema without descriptions."""
    if isinstance(schema, dict):
        return {name: _bare(value) for name, value in schema.items() if name != "doc"}
    return [_bare(item) for item in schema] if isinstance(schema, list) else schema


class _Resolution:
    """Avro's schema resolution between one reader and one writer, by field name."""

    def __init__(self, readers: Mapping[str, Any], writers: Mapping[str, Any]) -> None:
        self._readers = readers
        self._writers = writers

    def differences(self, reader: AvroSchema, writer: AvroSchema, path: str) -> Iterator[str]:
        """Why data of `writer` cannot be read as `reader`."""
        reader = self._readers.get(reader, reader) if isinstance(reader, str) else reader
        writer = self._writers.get(writer, writer) if isinstance(writer, str) else writer
        if isinstance(writer, list):
            for branch in writer:
                yield from self.differences(reader, branch, path)
        elif isinstance(reader, list):
            if all(any(self.differences(branch, writer, path)) for branch in reader):
                yield _changed(path, writer, reader)
        elif _kind(reader) != _kind(writer):
            if (_kind(writer), _kind(reader)) not in _PROMOTIONS:
                yield _changed(path, writer, reader)
        elif _kind(reader) == "array":
            yield from self.differences(reader["items"], writer["items"], path)
        elif _kind(reader) == "record":
            yield from self._records(reader, writer, path)

    def _records(self, reader: AvroSchema, writer: AvroSchema, path: str) -> Iterator[str]:
        if reader["name"] != writer["name"]:
            yield f"{path} was a {writer['name']} and is a {reader['name']} now: keep the name"
            return
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            place = f"{path}.{field['name']}"
            if field["name"] in written:
                yield from self.differences(field["type"], written[field["name"]]["type"], place)
            elif "default" not in field:
                yield f"{place} is new and has no default: give it one, or make it `| None`"
            if "default" in field and not _fits(field["type"], field["default"]):
                yield f"{place}: the default {field['default']!r} does not fit its type: mend the default"


def _changed(path: str, writer: AvroSchema, reader: AvroSchema) -> str:
    if writer == "null":
        return f"{path} could be null and cannot be any more: keep `| None`"
    return (
        f"{path} was {_shown(writer)} and is {_shown(reader)} now: keep the old type and add a field of another name "
        "(only int may become long)"
    )


def _kind(schema: AvroSchema) -> str:
    return str(schema["type"]) if isinstance(schema, dict) else str(schema)


def _shown(schema: AvroSchema) -> str:
    return " or ".join(_kind(branch) for branch in schema) if isinstance(schema, list) else _kind(schema)


def _fits(schema: AvroSchema, default: Any) -> bool:
    """Whether a JSON default is a value of the schema (of a union's first branch)."""
    kind = _kind(schema[0]) if isinstance(schema, list) else _kind(schema)
    if kind == "array":
        return isinstance(default, list)
    if kind in ("int", "long"):
        return isinstance(default, int) and not isinstance(default, bool)
    expected: dict[str, type] = {"null": type(None), "boolean": bool, "string": str, "bytes": str, "record": dict}
    return kind in expected and isinstance(default, expected[kind])
