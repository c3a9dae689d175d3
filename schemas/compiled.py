"""The two hot functions of a record type, generated from its Avro schema: values to bytes, and bytes to values.

In: a writer's schema, and the record type with its own schema. Out: `encode(record) -> bytes` and
`decode(data) -> record`, straight Python without a loop over fields: measured (`bench/codec.py`) two to three times as
fast as fastavro with dicts, because most fields are a short string or a small number, whose length or value is one
byte and one table look-up. A decoder of an older version fills in the defaults of what that version did not know.

Generated code checks as it goes: each length against the bytes that are there, each value against its width, each
union branch, and at the end that nothing is left over. It raises IndexError or ValueError when reading, OverflowError,
TypeError, AttributeError or ValueError when writing; `schemas.codec` turns them into errors with names.
"""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, cast

import msgspec

from schemas import varints
from schemas.evolution import full_name, named_records
from schemas.records.base import Record
from schemas.registry import AvroSchema

HEADER_BYTES = 5
"""Confluent wire format: a zero byte and the schema id as big-endian int32."""

Encoder = Callable[[Any], bytes]
Decoder = Callable[[bytes], Record]

_WRITE_NAMES: dict[str, Any] = {
    "SMALL": varints.SMALL_BYTES.get,
    "write_int": varints.write_int,
    "write_long": varints.write_long,
    "write_count": varints.write_count,
    "join": b"".join,
}
_READ_NAMES: dict[str, Any] = {
    "SIZE": varints.BYTE_SIZE,
    "VALUE": varints.BYTE_VALUE,
    "read_int": varints.read_int,
    "read_long": varints.read_long,
    "read_size": varints.read_size,
    "read_count": varints.read_count,
    "ITEMS_MAX": varints.ITEMS_MAX,
}


def encoder(schema: dict[str, Any], header: bytes) -> Encoder:
    """The function that writes records of this schema behind this header."""
    writing = _Writing(schema)
    writing.fields(schema, "record")
    return cast(Encoder, _run(writing.source(), "encode", {**_WRITE_NAMES, "HEADER": header}))


def decoder(writer: dict[str, Any], reader: dict[str, Any], structs: Mapping[str, type[msgspec.Struct]]) -> Decoder:
    """The function that reads data of `writer` as the record type of `reader`; `structs` holds that type and its parts
    by Avro full name.
    """
    reading = _Reading(writer, reader, structs)
    reading.record(writer, reader, "record")
    source = [
        "def decode(data):",
        f" at = {HEADER_BYTES}",
        *reading.lines,
        " if at != len(data): raise ValueError(f'{len(data) - at} bytes are left over')",
        " return record",
    ]
    return cast(Decoder, _run(source, "decode", _READ_NAMES | reading.names))


def _run(source: list[str], name: str, names: dict[str, Any]) -> Any:
    exec("\n".join(source), names)  # noqa: S102 -- our own schemas' field names, which are Python identifiers
    return names[name]


class _Lines:
    """Generated lines at a growing indentation, and fresh names."""

    def __init__(self, schema: AvroSchema) -> None:
        self.lines: list[str] = []
        self._indent = 1
        self._numbers = count(1)
        self._writers = named_records(schema)

    def emit(self, *lines: str) -> None:
        self.lines += [" " * self._indent + line for line in lines]

    def fresh(self) -> str:
        return f"v{next(self._numbers)}"

    def resolve(self, schema: AvroSchema) -> AvroSchema:
        """The definition behind a name that the schema has defined before."""
        return self._writers.get(schema, schema) if isinstance(schema, str) else schema


class _Writing(_Lines):
    """Emits the lines that put a value's bytes behind those in `parts`.

    Neighbouring values stand in one tuple, which costs half of appending them one by one; only a list, or a part that
    may be missing, ends it.
    """

    def __init__(self, schema: AvroSchema) -> None:
        super().__init__(schema)
        self._together: list[str] = ["HEADER"]

    def source(self) -> list[str]:
        """The whole function."""
        if not self.lines:
            return ["def encode(record):", f" return join(({', '.join(self._together)},))"]
        self.flush()
        return ["def encode(record):", " parts = []", *self.lines, " return join(parts)"]

    def flush(self) -> None:
        if self._together:
            self.emit(f"parts += ({', '.join(self._together)},)")
            self._together = []

    def fields(self, schema: AvroSchema, holder: str) -> None:
        for field in schema["fields"]:
            self.value(field["type"], f"{holder}.{field['name']}")

    def value(self, schema: AvroSchema, expression: str) -> None:
        schema = self.resolve(schema)
        kind = schema["type"] if isinstance(schema, dict) else schema
        if kind == "record":
            name = self.fresh()
            self.flush()
            self.emit(f"{name} = {expression}")
            self.fields(schema, name)
        elif isinstance(kind, list):
            self._union(kind, expression)
        elif kind == "array":
            self._array(schema["items"], expression)
        else:
            self._together += self._scalar(kind, expression)

    def _scalar(self, kind: str, expression: str) -> list[str]:
        """Expressions of a value's bytes."""
        if kind == "boolean":
            return [f"b'\\1' if {expression} else b'\\0'"]
        if kind in ("string", "bytes"):
            value = f"{expression}.encode()" if kind == "string" else expression
            return [f"SMALL(len(v := {value})) or write_long(len(v))", "v"]
        return [f"SMALL(v := {expression}) or write_{kind}(v)"]

    def _union(self, branches: list[AvroSchema], expression: str) -> None:
        null = branches.index("null")
        inner = self.resolve(branches[1 - null])
        kind = inner["type"] if isinstance(inner, dict) else inner
        name = self.fresh()
        if kind not in ("record", "array"):
            some = " + ".join((f"b'\\{(1 - null) * 2}'", *(f"({part})" for part in self._scalar(kind, name))))
            self._together.append(f"b'\\{null * 2}' if ({name} := {expression}) is None else {some}")
            return
        self.flush()
        self.emit(f"{name} = {expression}", f"if {name} is None: parts += (b'\\{null * 2}',)", "else:")
        self._indent += 1
        self._together = [f"b'\\{(1 - null) * 2}'"]
        self.value(inner, name)
        self.flush()
        self._indent -= 1

    def _array(self, items: AvroSchema, expression: str) -> None:
        array, item = self.fresh(), self.fresh()
        self.flush()
        self.emit(f"{array} = {expression}", f"if {array}:")
        self._indent += 1
        self.emit(f"parts += (SMALL(len({array})) or write_count(len({array})),)", f"for {item} in {array}:")
        self._indent += 1
        self.value(items, item)
        self.flush()
        self._indent -= 2
        self._together = ["b'\\0'"]


class _Reading(_Lines):
    """Emits the lines that read a value at `at` and assign it to a name."""

    def __init__(self, writer: AvroSchema, reader: AvroSchema, structs: Mapping[str, type[msgspec.Struct]]) -> None:
        super().__init__(writer)
        self.names: dict[str, Any] = {}
        self._structs = structs
        self._readers = named_records(reader)

    def record(self, writer: AvroSchema, reader: AvroSchema, target: str) -> None:
        """Read every written field; build the struct of those it knows, with defaults for those it does not find."""
        wanted = {field["name"]: field["type"] for field in reader["fields"]} if reader is not None else {}
        written = {}
        for field in writer["fields"]:
            written[field["name"]] = self.fresh()
            self.value(field["type"], wanted.get(field["name"]), written[field["name"]])
        if reader is None:  # a part that only the writer knew: its bytes are read past
            self.emit(f"{target} = None")
            return
        struct = self._structs[full_name(reader)]
        arguments = []
        for info in msgspec.structs.fields(struct):
            value = written.get(info.name) or self._default(info)
            arguments.append(value if info.name in struct.__match_args__ else f"{info.name}={value}")
        self.names[struct.__name__] = struct
        self.emit(f"{target} = {struct.__name__}({', '.join(arguments)})")

    def value(self, writer: AvroSchema, reader: AvroSchema, target: str) -> None:
        writer = self.resolve(writer)
        kind = writer["type"] if isinstance(writer, dict) else writer
        if isinstance(kind, list):
            self._union(kind, reader, target)
            return
        if isinstance(reader, list):  # a union that the writer's type is one branch of
            reader = reader[1 - reader.index("null")]
        reader = self._readers.get(reader, reader) if isinstance(reader, str) else reader
        if kind == "record":
            self.record(writer, reader, target)
        elif kind == "array":
            self._array(writer["items"], None if reader is None else reader["items"], target)
        elif kind in ("string", "bytes"):
            self._sized(target, ".decode()" if (reader or kind) == "string" else "")
        elif kind == "boolean":
            self.emit(f"{target} = data[at] == 1", f"if data[at] > 1: raise ValueError('{target}: no boolean')")
            self.emit("at += 1")
        else:
            self.emit(f"{target} = VALUE[data[at]]", f"if {target} is None: {target}, at = read_{kind}(data, at)")
            self.emit("else: at += 1")

    def _sized(self, target: str, decode: str) -> None:
        self.emit("size = SIZE[data[at]]", "if size < 0: size, at = read_size(data, at)", "else: at += 1")
        self.emit("end = at + size", f"{target} = data[at:end]{decode}", "at = end")

    def _union(self, branches: list[AvroSchema], reader: AvroSchema, target: str) -> None:
        null = branches.index("null")
        self.emit("branch = data[at]", "at += 1", f"if branch == {null * 2}: {target} = None")
        self.emit(f"elif branch == {(1 - null) * 2}:")
        self._indent += 1
        self.value(branches[1 - null], reader, target)
        self._indent -= 1
        self.emit("else: raise ValueError(f'no branch {branch} of a union')")

    def _array(self, writer: AvroSchema, reader: AvroSchema, target: str) -> None:
        items, left, item = self.fresh(), self.fresh(), self.fresh()
        next_block = (
            f"{left} = SIZE[data[at]]",
            f"if {left} < 0: {left}, at = read_count(data, at)",
            "else: at += 1",
        )
        self.emit(f"{items} = []", *next_block, f"while {left}:", f" for _ in range({left}):")
        self._indent += 2
        self.value(writer, reader, item)
        self.emit(f"{items}.append({item})")
        self._indent -= 1
        self.emit(f"if len({items}) > ITEMS_MAX: raise ValueError('an array has too many items')", *next_block)
        self._indent -= 1
        self.emit(f"{target} = tuple({items})")

    def _default(self, info: msgspec.structs.FieldInfo) -> str:
        """A name for the value of a field that the writer did not know."""
        value = info.default_factory() if info.default_factory is not msgspec.NODEFAULT else info.default
        name = f"default_{self.fresh()}"
        self.names[name] = None if value is msgspec.NODEFAULT else value
        return name
