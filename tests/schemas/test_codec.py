import io

import fastavro
import msgspec
import pytest
from hypothesis import given, settings

from schemas import codec as codec_module
from schemas.codec import Codec
from schemas.errors import EncodeError, EvolutionError, UndecodableError, UnknownSchemaError
from schemas.evolution import derive
from schemas.records.base import Int32, Record
from schemas.records.orders import OrderLine, OrderPlaced
from schemas.records.reservations import AskStock
from schemas.records.stock import StockDelta
from schemas.registry import Registry, SchemaVersion, bundled
from tests.schemas.making import ANY_RECORD, part, record

CODEC = Codec()

DELTA = StockDelta(
    feed_id="acme|wms",
    location_id="acme|loc_berlin",
    variant_id="acme|var_1",
    namespace=None,
    sku="SKU-1",
    sequence=7,
    idempotency_key=None,
    quantity=-3,
    reason="sale",
    reference=None,
    occurred_at=1_760_000_000_000,
)


@settings(max_examples=300, deadline=None)
@given(ANY_RECORD)
def test_every_record_comes_back_as_it_was(value):
    data = CODEC.encode(value)
    assert value == CODEC.decode(data)
    assert type(value) is CODEC.record_type_of(data)


@settings(max_examples=300, deadline=None)
@given(ANY_RECORD)
def test_the_bytes_are_those_of_fastavro(value):
    version = CODEC.registry.latest(type(value))
    schema = fastavro.parse_schema(version.schema)
    plain = msgspec.to_builtins(value, builtin_types=(bytes,))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, plain)
    data = CODEC.encode(value)
    assert b"\0" + version.id.to_bytes(4, "big") + out.getvalue() == data
    read = fastavro.schemaless_reader(io.BytesIO(data[5:]), schema, None)
    assert value == msgspec.convert(read, type(value))


@pytest.mark.parametrize(
    "value", [0, -1, 1, 63, 64, -64, -65, 8191, 8192, 2**20, 2**21, 2**34, 2**41, 2**41 - 1, 2**48]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_every_width_of_integer_comes_back(value, sign):
    delta = msgspec.structs.replace(DELTA, occurred_at=sign * value)
    assert delta == CODEC.decode(CODEC.encode(delta))


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_the_widest_longs_come_back(value):
    delta = msgspec.structs.replace(DELTA, occurred_at=value)
    assert delta == CODEC.decode(CODEC.encode(delta))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"quantity": 2**31}, "quantity"),
        ({"quantity": -(2**31) - 1}, "quantity"),
        ({"quantity": "3"}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"occurred_at": 2**63}, "64 bits"),
        ({"occurred_at": -(2**63) - 1}, "64 bits"),
        ({"sku": None}, "sku"),
        ({"sku": b"SKU"}, "sku"),
        ({"sku": "\ud800"}, "surrogates"),
        ({"sequence": "7"}, "sequence"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(change, named):
    with pytest.raises(EncodeError, match=named):
        CODEC.encode(msgspec.structs.replace(DELTA, **change))


def test_a_value_that_does_not_fit_inside_a_part_is_refused():
    ask = AskStock(order_id="acme|s|1", attempt=2**31, variant_id="v", quantity=1, location_ids=())
    with pytest.raises(EncodeError, match="attempt"):
        CODEC.encode(ask)
    with pytest.raises(EncodeError, match="location_ids"):
        CODEC.encode(msgspec.structs.replace(ask, attempt=1, location_ids=(1,)))


def test_an_array_beyond_the_limit_is_refused():
    ask = AskStock(order_id="o", attempt=1, variant_id="v", quantity=1, location_ids=("",) * 100_001)
    with pytest.raises(EncodeError, match="limit of 100000"):
        CODEC.encode(ask)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "too few"),
        (b"\0\0\0\0", "too few"),
        (b"\1\0\0\0\1abc", "0x01"),
        (b'{"order_id": "1"}', "0x7b"),
    ],
)
def test_bytes_without_our_header_are_undecodable(data, message):
    with pytest.raises(UndecodableError, match=message):
        CODEC.decode(data)
    with pytest.raises(UndecodableError, match=message):
        CODEC.record_type_of(data)


@pytest.mark.parametrize("schema_id", [0, 65_000, 2**32 - 1])
def test_an_id_nobody_gave_out_is_unknown(schema_id):
    data = b"\0" + schema_id.to_bytes(4, "big") + b"abc"
    with pytest.raises(UnknownSchemaError, match=str(schema_id)):
        CODEC.decode(data)
    with pytest.raises(UnknownSchemaError):
        CODEC.record_type_of(data)


def test_every_cut_is_noticed():
    data = CODEC.encode(DELTA)
    for length in range(len(data)):
        with pytest.raises(UndecodableError):
            CODEC.decode(data[:length])


def test_trailing_bytes_are_an_error():
    with pytest.raises(UndecodableError, match="1 bytes are left over"):
        CODEC.decode(CODEC.encode(DELTA) + b"\0")


def test_an_int_too_wide_is_undecodable():
    header, _, _ = CODEC.encode(DELTA).partition(b"acme|wms")
    good = CODEC.encode(msgspec.structs.replace(DELTA, quantity=2**31 - 1, reason="r"))
    wide = good.replace(b"\xfe\xff\xff\xff\x0f\x02r", b"\x80\x80\x80\x80\x10\x02r")
    assert header[:5] == wide[:5]
    assert good != wide
    with pytest.raises(UndecodableError, match="2147483648 does not fit an Avro int"):
        CODEC.decode(wide)


def versions(name, old, new):
    return [SchemaVersion(1, name, 1, old), SchemaVersion(2, name, 2, new)]


@pytest.fixture
def two_versions(monkeypatch):
    """A codec whose `Thing` once knew other fields, and the old schema."""
    gone = part("Gone", ("a", str), ("b", tuple[int, ...]))
    kept = part("Kept", ("a", Int32), ("b", str | None))
    old = record(
        "Thing",
        ("count", Int32),
        ("gone", gone),
        ("gones", tuple[gone, ...]),
        ("text", str),
        ("kept", tuple[kept, ...]),
        ("always", str),
    )
    later = part("Kept", ("b", str | None), ("a", int), ("c", str, "new"))
    new = record(
        "Thing",
        ("kept", tuple[later, ...]),
        ("first", later | None),
        ("text", bytes),
        ("count", int),
        ("always", str | None),
        ("flag", bool, True),
        ("names", tuple[str, ...], ("x",)),
    )
    monkeypatch.setattr(codec_module, "record_types", lambda: {"Thing": new})
    registry = Registry(versions("Thing", derive(old), derive(new)))
    return Codec(registry), old, gone, kept, new, later


def test_an_old_version_is_read_as_the_latest_type(two_versions):
    codec, old, gone, kept, new, later = two_versions
    written = old(3, gone("x", (1, 2)), (gone("y", ()),), "straße", (kept(1, None), kept(-70, "b")), "always")
    plain = msgspec.to_builtins(written)
    schema = codec.registry.by_id(1).schema
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, plain)
    read = codec.decode(b"\0\0\0\0\1" + out.getvalue())
    assert (
        new(
            kept=(later(None, 1, "new"), later("b", -70, "new")),
            first=None,
            text="straße".encode(),
            count=3,
            always="always",
            flag=True,
            names=("x",),
        )
        == read
    )
    out.seek(0)
    resolved = fastavro.schemaless_reader(out, schema, codec.registry.by_id(2).schema)
    assert msgspec.convert(resolved, new) == read


def test_records_are_written_in_the_latest_version(two_versions):
    codec, _, _, _, new, _ = two_versions
    assert codec.encode(new((), None, b"", 1, None))[:5] == b"\0\0\0\0\2"


def test_a_record_that_changed_after_its_schema_was_committed_is_refused(monkeypatch):
    before, after = record("Thing", ("a", int)), record("Thing", ("a", int), ("b", str | None))
    registry = Registry([SchemaVersion(1, "Thing", 1, derive(before))])
    with pytest.raises(EvolutionError, match="fsn schemas write"):
        Codec(registry).encode(after(1, None))
    monkeypatch.setattr(codec_module, "record_types", lambda: {"Thing": after})
    with pytest.raises(EvolutionError, match="fsn schemas write"):
        Codec(registry).decode(b"\0\0\0\0\1\2")


def test_a_record_without_a_committed_schema_is_refused():
    with pytest.raises(EvolutionError, match="Thing has no committed schema"):
        Codec(Registry([])).encode(record("Thing", ("a", int))(1))


def test_a_schema_whose_record_type_is_lost_is_refused():
    registry = Registry([SchemaVersion(1, "Thing", 1, derive(record("Thing", ("a", int))))])
    with pytest.raises(EvolutionError, match="restore it"):
        Codec(registry).decode(b"\0\0\0\0\1\2")


def test_ids_of_another_registry_travel_on_the_wire():
    ids = {(known.record, known.version): known.id + 1000 for known in bundled().versions}
    codec = Codec(bundled(ids))
    data = codec.encode(DELTA)
    assert CODEC.encode(DELTA)[5:] == data[5:]
    assert int.from_bytes(CODEC.encode(DELTA)[1:5]) + 1000 == int.from_bytes(data[1:5])
    assert codec.decode(data) == DELTA


def test_fields_by_keyword_only_come_back(monkeypatch):
    thing = msgspec.defstruct(
        "Thing",
        [("a", int), ("b", str, "x"), ("c", bool)],
        bases=(Record,),
        module="schemas.records.things",
        namespace={"__doc__": "A thing.\n\na: a\nb: b\nc: c"},
        kw_only=True,
    )
    monkeypatch.setattr(codec_module, "record_types", lambda: {"Thing": thing})
    codec = Codec(Registry([SchemaVersion(1, "Thing", 1, derive(thing))]))
    value = thing(a=1, b="y", c=True)
    assert value == codec.decode(codec.encode(value))


def test_parts_are_parts_again():
    line = OrderLine(1, None, "gtin", "4006381333931", 2, 1999)
    fields = {field.name: "x" for field in msgspec.structs.fields(OrderPlaced)}
    order = OrderPlaced(
        **fields
        | {"lines": (line, line), "business": False, "partial_consent": True}
        | dict.fromkeys(("total_minor", "latitude_e6", "longitude_e6", "occurred_at"), 5)
        | dict.fromkeys(("promised_at", "cost_ceiling_minor"))
    )
    assert order == CODEC.decode(CODEC.encode(order))
