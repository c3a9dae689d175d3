"""Record types made for one test, and values of any record type."""

from typing import Any, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from schemas.records.base import Int32, Part, Record
from schemas.registry import record_types

SIMPLE = {
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(max_size=80),
    bytes: st.binary(max_size=80),
    bool: st.booleans(),
    type(None): st.none(),
}


def record(name: str, *fields: tuple[Any, ...], doc: str | None = None, base: type = Record) -> Any:
    """A record type with these (name, annotation[, default]) fields, each documented."""
    meanings = "".join(f"\n{field[0]}: what {field[0]} means" for field in fields)
    text = f"A thing.\n{meanings}" if doc is None else doc
    return msgspec.defstruct(
        name, list(fields), bases=(base,), module="schemas.records.things", namespace={"__doc__": text}, frozen=True
    )


def part(name: str, *fields: tuple[Any, ...]) -> Any:
    return record(name, *fields, base=Part)


def values(annotation: Any) -> st.SearchStrategy[Any]:
    if annotation == Int32:
        return st.integers(-(2**31), 2**31 - 1)
    if annotation in SIMPLE:
        return SIMPLE[annotation]
    if get_origin(annotation) is tuple:
        return st.lists(values(get_args(annotation)[0]), max_size=4).map(tuple)
    if isinstance(annotation, type):
        fields = {field.name: values(field.type) for field in msgspec.structs.fields(annotation)}
        return st.builds(annotation, **fields)
    return st.one_of(*(values(branch) for branch in get_args(annotation)))


ANY_RECORD = st.sampled_from(list(record_types().values())).flatmap(values)
