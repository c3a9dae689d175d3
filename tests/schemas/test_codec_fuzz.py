"""No bytes whatever make the codec raise anything but its own errors, take long, or allocate beyond its input."""

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.errors import UndecodableError, UnknownSchemaError
from schemas.records.base import Record
from schemas.registry import bundled
from tests.schemas.making import ANY_RECORD

CODEC = Codec()
IDS = [version.id for version in bundled().versions]

HUGE_LENGTHS = {
    "a length of 2^62": b"\xfe" + b"\xff" * 7 + b"\x7f",
    "a length of 2^63 - 1": b"\xfe" + b"\xff" * 8 + b"\x01",
    "a length of -1": b"\x01",
    "a length of -2^63": b"\xff" * 9 + b"\x01",
    "eleven bytes": b"\xff" * 10 + b"\x01",
    "a million continuations": b"\xff" * 1_000_000,
    "70 bits": b"\xff" * 9 + b"\x7f",
}


def decode(data):
    """The record, or None when the codec refuses in its own words."""
    try:
        return CODEC.decode(data)
    except (UndecodableError, UnknownSchemaError):
        return None


def framed(schema_id, payload):
    return b"\0" + schema_id.to_bytes(4, "big") + payload


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes(data):
    assert decode(data) is None or isinstance(decode(data), Record)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(IDS), st.binary(max_size=300))
def test_arbitrary_bytes_behind_a_known_id(schema_id, payload):
    read = decode(framed(schema_id, payload))
    if read is not None:  # then it is a record like any other: writing and reading it again changes nothing
        assert read == CODEC.decode(CODEC.encode(read))


@settings(max_examples=600, deadline=None)
@given(ANY_RECORD, st.data())
def test_a_record_with_bytes_changed(record, data):
    good = bytearray(CODEC.encode(record))
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(5, max(5, len(good) - 1))) % len(good)] = data.draw(st.integers(0, 255))
    read = decode(bytes(good))
    if read is not None:
        assert read == CODEC.decode(CODEC.encode(read))


@pytest.mark.parametrize("huge", HUGE_LENGTHS.values(), ids=HUGE_LENGTHS)
def test_huge_lengths_cost_nothing(huge):
    """Wherever a field may start: behind no byte, or behind some that read as empty, null and zero."""
    decode(framed(IDS[0], b""))
    tracemalloc.start()
    started = time.perf_counter()
    for schema_id in IDS:
        for before in (b"", b"\0", b"\0\0", b"\0" * 5, b"\2\2", b"\2\2\2", b"\2\2a\2", b"\2a\2\2"):
            decode(framed(schema_id, before + huge + b"\0" * 40))
    seconds = time.perf_counter() - started
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4 * (len(huge) + 100) + 2_000_000  # the generated decoders themselves, and copies of the input
    assert seconds < 10


def test_an_array_of_the_smallest_items_is_limited():
    ids = {version.record: version.id for version in bundled().versions}
    before = b"\2o\2\2v\2"  # order_id, attempt, variant_id, quantity
    blocks = (b"\x7e" + b"\0" * 63) * 20_000  # 1,260,000 empty strings in blocks of 63
    with pytest.raises(UndecodableError, match="too many items"):
        CODEC.decode(framed(ids["AskStock"], before + blocks + b"\0"))


def test_a_block_with_its_size_is_read():
    """Negative counts are legal Avro: the block's size in bytes follows."""
    ids = {version.record: version.id for version in bundled().versions}
    read = CODEC.decode(framed(ids["AskStock"], b"\2o\2\2v\2" + b"\3\x08\2a\2b" + b"\2\2c" + b"\0"))
    assert read.location_ids == ("a", "b", "c")
