import io
import json
import re
from typing import Annotated

import fastavro
import msgspec
import pytest

from schemas.errors import EvolutionError
from schemas.evolution import derive, incompatibilities, personal_fields, plan, same_data
from schemas.records.base import Int32
from schemas.registry import SchemaVersion
from tests.schemas.making import part, record

FASTAVRO_FAILS = (fastavro.read.SchemaResolutionError, TypeError, ValueError)
PII = msgspec.Meta(extra={"pii": True})


@pytest.mark.parametrize(
    ("annotation", "avro"),
    [
        (int, "long"),
        (Int32, "int"),
        (str, "string"),
        (bytes, "bytes"),
        (bool, "boolean"),
        (tuple[str, ...], {"type": "array", "items": "string"}),
        (tuple[Int32, ...], {"type": "array", "items": "int"}),
        (tuple[tuple[int, ...], ...], {"type": "array", "items": {"type": "array", "items": "long"}}),
    ],
)
def test_each_annotation_has_one_avro_type(annotation, avro):
    (field,) = derive(record("Thing", ("a", annotation)))["fields"]
    assert {"name": "a", "type": avro, "doc": "what a means"} == field
    (field,) = derive(record("Thing", ("a", annotation | None)))["fields"]
    assert {"name": "a", "type": ["null", avro], "doc": "what a means", "default": None} == field


@pytest.mark.parametrize(
    ("annotation", "default", "avro", "shown"),
    [
        (bool, False, "boolean", False),
        (int, 0, "long", 0),
        (str, "", "string", ""),
        (bytes, b"\0\xff", "bytes", "\0\xff"),
        (tuple[int, ...], (), {"type": "array", "items": "long"}, []),
        (tuple[str, ...], ("a",), {"type": "array", "items": "string"}, ["a"]),
        (int | None, None, ["null", "long"], None),
        (int | None, 5, ["long", "null"], 5),
    ],
)
def test_defaults_are_kept(annotation, default, avro, shown):
    schema = derive(record("Thing", ("a", annotation, default)))
    assert [{"name": "a", "type": avro, "doc": "what a means", "default": shown}] == schema["fields"]
    fastavro.parse_schema(json.loads(json.dumps(schema)))


def test_a_part_is_defined_once_and_then_named():
    inner = part("Inner", ("a", int))
    outer = part("Outer", ("one", inner), ("more", tuple[inner, ...]))
    schema = derive(record("Thing", ("outer", outer), ("inner", inner | None)))
    assert schema["namespace"] == "fsn.things"
    outer_fields = schema["fields"][0]["type"]["fields"]
    assert outer_fields[0]["type"]["name"] == "Inner"
    assert outer_fields[1]["type"] == {"type": "array", "items": "fsn.things.Inner"}
    assert schema["fields"][1]["type"] == ["null", "fsn.things.Inner"]
    fastavro.parse_schema(schema)


def test_descriptions_come_from_the_docstring_wrapped_or_not():
    doc = """A thing
    of two lines.

    first: what it is: a word
        and another
    second: the other
    """
    schema = derive(record("Thing", ("first", int), ("second", int), doc=doc))
    assert schema["doc"] == "A thing of two lines."
    assert [field["doc"] for field in schema["fields"]] == ["what it is: a word and another", "the other"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (record("Thing", ("a", int), doc="A thing."), "Thing.a is undocumented: add a line `a: what it means`"),
        (record("Thing", ("a", int), ("b", int), doc="A.\n\na: x"), "Thing.b is undocumented"),
        (record("Thing", ("a", int), doc="A.\n\na: x\nold: y"), "documents old, which is no field; remove it"),
        (record("Thing", ("price", float)), "Thing.price: .*money is an int in minor units"),
        (record("Thing", ("a", list[int])), "Thing.a: .*tuple"),
        (record("Thing", ("a", dict[str, int])), "Thing.a: "),
        (record("Thing", ("a", int | str)), "Thing.a: "),
        (record("Thing", ("a", tuple[int, str])), "Thing.a: "),
        (record("Thing", ("a", Annotated[int, msgspec.Meta(ge=0)])), "Thing.a: "),
        (record("Thing", ("a", int, "x")), "Thing.a: its default 'x' does not fit"),
        (record("Thing", ("a", Int32, 2**31)), "Thing.a: its default 2147483648 does not fit"),
        (record("Thing", ("a", part("Empty"))), "Empty has no fields"),
    ],
)
def test_what_has_no_schema_is_refused_by_record_and_field(made, message):
    with pytest.raises(EvolutionError, match=message):
        derive(made)


def test_personal_data_keeps_its_mark():
    inner = part("Inner", ("street", Annotated[str, PII]))
    thing = record("Thing", ("name", Annotated[str, PII]), ("mail", Annotated[str, PII] | None), ("inner", inner))
    assert personal_fields(derive(thing)) == ["Thing.name", "Thing.mail", "Inner.street"]
    assert personal_fields(derive(record("Thing", ("recipient_ref", str)))) == []


ITEM = part("Item", ("a", int))
WIDER_ITEM = part("Item", ("a", int), ("b", str, ""))
OTHER_ITEM = part("Other", ("a", int))
BROKEN_ITEM = part("Item", ("a", int), ("b", str))

BACKWARD = {
    "the same": ([("a", int)], [("a", int)], {"a": 1}),
    "another order": ([("a", int), ("b", str)], [("b", str), ("a", int)], {"a": 1, "b": "x"}),
    "a field with a default": ([("a", int)], [("a", int), ("b", str, "x")], {"a": 1}),
    "a nullable field": ([("a", int)], [("a", int), ("b", str | None)], {"a": 1}),
    "a field less": ([("a", int), ("b", str)], [("a", int)], {"a": 1, "b": "x"}),
    "int to long": ([("a", Int32)], [("a", int)], {"a": 1}),
    "int or null to long or null": ([("a", Int32 | None)], [("a", int | None)], {"a": 1}),
    "string to bytes": ([("a", str)], [("a", bytes)], {"a": "x"}),
    "becomes nullable": ([("a", str)], [("a", str | None)], {"a": "x"}),
    "a default more": ([("a", int)], [("a", int, 5)], {"a": 1}),
    "items int to long": ([("a", tuple[Int32, ...])], [("a", tuple[int, ...])], {"a": [1, 2]}),
    "a part with one field more": ([("a", tuple[ITEM, ...])], [("a", tuple[WIDER_ITEM, ...])], {"a": [{"a": 1}]}),
}

BROKEN = {
    "a field without a default": (
        [("a", int)],
        [("a", int), ("b", str)],
        {"a": 1},
        r"Thing.b is new and has no default: give it one, or make it `\| None`",
    ),
    "long to int": ([("a", int)], [("a", Int32)], {"a": 1}, "Thing.a was long and is int now: keep the old type"),
    "long to string": ([("a", int)], [("a", str)], {"a": 1}, "Thing.a was long and is string now"),
    "long to bool": ([("a", int)], [("a", bool)], {"a": 1}, "Thing.a was long and is boolean now"),
    "no longer nullable": (
        [("a", str | None)],
        [("a", str)],
        {"a": None},
        r"Thing.a could be null and cannot be any more: keep `\| None`",
    ),
    "value to list": ([("a", str)], [("a", tuple[str, ...])], {"a": "x"}, "Thing.a was string and is array now"),
    "other items": ([("a", tuple[int, ...])], [("a", tuple[str, ...])], {"a": [1]}, "Thing.a was long and is string"),
    "long or null to string or null": (
        [("a", int | None)],
        [("a", str | None)],
        {"a": 1},
        "Thing.a was long and is null or string now",
    ),
    "another part": ([("a", ITEM)], [("a", OTHER_ITEM)], {"a": {"a": 1}}, "Thing.a was a Item and is a Other now"),
    "a part with a field and no default": (
        [("a", ITEM)],
        [("a", BROKEN_ITEM)],
        {"a": {"a": 1}},
        "Thing.a.b is new and has no default",
    ),
}


def resolved(old, new, value):
    """What fastavro, which knows nothing of our rule, reads."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, old, value)
    out.seek(0)
    return fastavro.schemaless_reader(out, old, new)


@pytest.mark.parametrize(("before", "after", "value"), BACKWARD.values(), ids=BACKWARD)
def test_a_backward_change_is_allowed_and_fastavro_reads_it(before, after, value):
    old, new = derive(record("Thing", *before)), derive(record("Thing", *after))
    assert incompatibilities(new, old) == []
    msgspec.convert(resolved(old, new, value), record("Thing", *after))


@pytest.mark.parametrize(("before", "after", "value", "message"), BROKEN.values(), ids=BROKEN)
def test_a_breaking_change_is_refused_and_fastavro_fails_too(before, after, value, message):
    old, new = derive(record("Thing", *before)), derive(record("Thing", *after))
    (problem,) = incompatibilities(new, old)
    assert re.match(message, problem)
    with pytest.raises(FASTAVRO_FAILS):
        resolved(old, new, value)


def test_a_committed_default_that_does_not_fit_is_found():
    old = derive(record("Thing", ("a", int)))
    new = derive(record("Thing", ("a", int), ("b", int, 5), ("c", str | None, None)))
    new["fields"][1]["default"] = "five"
    new["fields"][2]["default"] = "not null"
    assert len(incompatibilities(new, old)) == 2
    assert all("does not fit its type: mend the default" in problem for problem in incompatibilities(new, old))


def committed(*schemas):
    return [SchemaVersion(number, "Thing", number, schema) for number, schema in enumerate(schemas, start=1)]


def test_a_new_record_gets_the_next_id():
    first = {"Thing": record("Thing", ("a", int))}
    planned = plan(first, [])
    assert [(version.id, version.record, version.version) for version in planned] == [(1, "Thing", 1)]
    both = plan(first | {"Other": record("Other", ("a", int))}, planned)
    assert [(version.id, version.record) for version in both] == [(1, "Thing"), (2, "Other")]


def test_an_unchanged_record_gets_no_new_version():
    types = {"Thing": record("Thing", ("a", int))}
    assert plan(types, []) == plan(types, plan(types, []))


def test_a_changed_description_changes_the_text_and_not_the_version():
    known = plan({"Thing": record("Thing", ("a", int))}, [])
    (version,) = plan({"Thing": record("Thing", ("a", int), doc="A thing.\n\na: better words")}, known)
    assert (version.id, version.version) == (1, 1)
    assert version.schema["fields"][0]["doc"] == "better words"
    assert same_data(known[0].schema, version.schema)


def test_a_changed_record_gets_a_new_version_under_a_new_id():
    known = committed(derive(record("Thing", ("a", int))))
    planned = plan({"Thing": record("Thing", ("a", int), ("b", str, ""))}, known)
    assert [(version.id, version.version) for version in planned] == [(1, 1), (2, 2)]
    assert known[0] == planned[0]


def test_the_rule_reaches_back_to_every_earlier_version():
    """v3 may follow v2, but v1 wrote a string where v3 reads a long."""
    known = committed(derive(record("Thing", ("a", str), ("b", int))), derive(record("Thing", ("b", int))))
    with pytest.raises(EvolutionError, match=r"Thing.a was string and is long now.*\(data of v1, schema id 1\)"):
        plan({"Thing": record("Thing", ("b", int), ("a", int, 0))}, known)


def test_a_removed_record_is_refused():
    with pytest.raises(EvolutionError, match="Thing was removed: keep its class"):
        plan({}, committed(derive(record("Thing", ("a", int)))))


def test_a_rewrite_starts_again():
    known = committed(derive(record("Thing", ("a", str))), derive(record("Thing", ("a", str), ("b", str, ""))))
    (version,) = plan({"Thing": record("Thing", ("a", int))}, known, rewrite=True)
    assert (version.id, version.version) == (1, 1)


def test_all_problems_are_told_at_once():
    types = {"One": record("One", ("a", float)), "Two": record("Two", ("a", float))}
    with pytest.raises(EvolutionError, match=r"One.a: .*\nTwo.a: "):
        plan(types, [])
