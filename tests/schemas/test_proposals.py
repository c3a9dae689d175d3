"""Proposed schemas: what the codec would do if they were committed."""

import json

import pytest

from schemas.codec import Codec
from schemas.errors import EncodeError, EvolutionError, UndecodableError
from schemas.proposals import ProposedCodec, problems_of, read_proposals
from schemas.records.engine import Tick
from schemas.records.stock import StockDelta
from schemas.registry import bundled

REGISTRY = bundled()
TODAY = Codec(REGISTRY)
DELTA = StockDelta("f", "acme|v1", "acme|berlin", None, "s", 7, "once", 3, "receipt", None, 1_000)


def schema_of(record_type):
    return json.loads(REGISTRY.latest(record_type).text)


def propose(folder, record_type, change, name=None):
    schema = schema_of(record_type)
    change(schema)
    version = REGISTRY.latest(record_type).version + 1
    snake = {"StockDelta": "stock_delta", "Tick": "tick"}[record_type.__name__]
    (folder / (name or f"{snake}.v{version}.avsc")).write_text(json.dumps(schema), "utf-8")
    return folder


def codec_of(folder):
    return ProposedCodec(REGISTRY, read_proposals(folder, REGISTRY))


def added(name, kind, **default):
    return lambda schema: schema["fields"].append({"name": name, "type": kind, **default})


def without(name):
    def change(schema):
        schema["fields"] = [field for field in schema["fields"] if field["name"] != name]

    return change


def retyped(name, kind, **default):
    def change(schema):
        next(field for field in schema["fields"] if field["name"] == name).update(type=kind, **default)

    return change


@pytest.mark.parametrize(
    ("kind", "default", "value"),
    [
        ("string", "unit", "unit"),
        ("long", 5, 5),
        ("bytes", "\u00ff\u0000", b"\xff\x00"),
        (["null", "string"], None, None),
        ({"type": "array", "items": "string"}, [], []),
    ],
)
def test_a_new_field_is_there_by_its_default_and_todays_rules_do_not_see_it(tmp_path, kind, default, value):
    codec = codec_of(propose(tmp_path, StockDelta, added("packaging", kind, default=default)))
    old = TODAY.encode(DELTA)
    assert codec.plain(old)["packaging"] == value
    assert codec.decode(old) == DELTA
    new = codec.encode(DELTA)
    assert new != old
    assert codec.plain(new) == codec.plain(old)
    assert codec.decode(new) == DELTA


def test_a_new_field_without_a_default_is_incompatible_and_reads_no_record(tmp_path):
    folder = propose(tmp_path, StockDelta, added("packaging", "string"))
    problem = (
        "StockDelta.packaging is new and has no default: give it one, or make it `| None` (data of v{}, schema id {})"
    )
    committed = [version for version in REGISTRY.versions if version.record == "StockDelta"]
    assert problems_of(read_proposals(folder, REGISTRY), REGISTRY) == [
        problem.format(version.version, version.id) for version in committed
    ]
    newest = committed[-1].version
    with pytest.raises(UndecodableError, match=f"StockDelta v{newest} cannot be read as the proposed v{newest + 1}"):
        codec_of(folder).decode(TODAY.encode(DELTA))
    with pytest.raises(EncodeError, match="packaging"):
        codec_of(folder).encode(DELTA)


def test_a_dropped_field_without_a_default_is_one_that_todays_rules_miss(tmp_path):
    codec = codec_of(propose(tmp_path, StockDelta, without("quantity")))
    old = TODAY.encode(DELTA)
    assert "quantity" not in codec.plain(old)
    with pytest.raises(UndecodableError, match=r"today's rules cannot take a StockDelta so changed.*quantity"):
        codec.decode(old)


def test_int_may_become_long(tmp_path):
    codec = codec_of(propose(tmp_path, StockDelta, retyped("quantity", "long")))
    assert codec.decode(TODAY.encode(DELTA)) == DELTA


def test_a_field_that_may_be_null_no_longer_fails_only_where_it_was_null(tmp_path):
    codec = codec_of(propose(tmp_path, StockDelta, retyped("sequence", "long", default=0)))
    assert codec.plain(TODAY.encode(DELTA))["sequence"] == 7
    unnumbered = StockDelta("f", "acme|v1", "acme|berlin", None, "s", None, "once", 3, "receipt", None, 1_000)
    with pytest.raises(UndecodableError):
        codec.plain(TODAY.encode(unnumbered))


def test_what_is_no_record_today_is_none_tomorrow(tmp_path):
    codec = codec_of(propose(tmp_path, StockDelta, added("packaging", "string", default="")))
    good = TODAY.encode(DELTA)
    for bad in (b"", b"\xff" + good[1:], good[:-1], good + b"\0", good[:5] + b"\xff" * 40):
        with pytest.raises(UndecodableError):
            codec.decode(bad)


def test_record_types_that_nobody_changes_are_as_they_were(tmp_path):
    codec = codec_of(propose(tmp_path, StockDelta, added("packaging", "string", default="")))
    assert codec.encode(Tick(5)) == TODAY.encode(Tick(5))
    assert codec.plain(TODAY.encode(Tick(5))) == {"at": 5}


def test_a_copy_of_the_committed_folder_proposes_only_what_was_added(tmp_path):
    (tmp_path / "tick.v1.avsc").write_text(json.dumps(schema_of(Tick)), "utf-8")
    with pytest.raises(EvolutionError, match="every schema there is committed already"):
        read_proposals(tmp_path, REGISTRY)
    propose(tmp_path, StockDelta, added("packaging", "string", default=""))
    following = REGISTRY.latest(StockDelta).version + 1
    assert [(found.record, found.version) for found in read_proposals(tmp_path, REGISTRY)] == [
        ("StockDelta", following)
    ]


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (
            retyped("at", "string"),
            "tick.v1.avsc",
            "differs from the committed tick.v1.avsc.*name the file tick.v2.avsc",
        ),
        (added("zone", "string"), "tick.v3.avsc", "holds Tick, whose next version is tick.v2.avsc"),
        (lambda schema: schema.update(name="Tock"), "tock.v2.avsc", "no record is called Tock"),
        (added("zone", "no such type"), "tick.v2.avsc", "is no Avro schema"),
        (added("share", "double", default=0.5), "tick.v2.avsc", "FSN's codec knows no double"),
    ],
)
def test_a_proposal_that_cannot_be_meant_is_refused_with_its_mend(tmp_path, change, name, words):
    with pytest.raises(EvolutionError, match=words):
        read_proposals(propose(tmp_path, Tick, change, name), REGISTRY)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(EvolutionError, match=r"no \.avsc file there"):
        read_proposals(tmp_path, REGISTRY)
