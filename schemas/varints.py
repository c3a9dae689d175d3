"""Avro's integers as Python writes and reads them fastest: zigzag varints, with limits.

Out: tables for the small values that nearly all fields hold, and functions for the others. Each refuses what does not
fit: an int of more than 32 bits, a long of more than 64, a negative length, an array too long to be meant. A reading
function takes the bytes and a place, and returns the value and the place behind it; it never reads, nor allocates, more
than the bytes that are there.
"""

from functools import lru_cache
from typing import Final

ITEMS_MAX: Final = 100_000
"""Items of one array. Ten times what any record needs: an array beyond it is an attack or a bug."""

SMALL: Final = range(-4096, 8192)


def _zigzag(value: int) -> bytes:
    zigzag = (value << 1) ^ (value >> 63)
    out = bytearray()
    while zigzag > 127:
        out.append(zigzag & 127 | 128)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


SMALL_BYTES: Final = {value: _zigzag(value) for value in SMALL}
"""The bytes of small values."""

BYTE_SIZE: Final = tuple(byte >> 1 if byte < 128 and byte % 2 == 0 else -1 for byte in range(256))
"""The length a single byte stands for, or -1 when it is negative or goes on."""

BYTE_VALUE: Final = tuple((byte >> 1) ^ -(byte & 1) for byte in range(128)) + (None,) * 128
"""The value a single byte stands for, or None when it goes on."""

_TWO_BYTES: Final = 1 << 14
_PAIRS: Final = tuple(bytes((bits & 127 | 128, bits >> 7 | 128)) for bits in range(_TWO_BYTES))
_LAST_PAIRS: Final = tuple(bytes((bits & 127 | 128, bits >> 7)) for bits in range(_TWO_BYTES))
"""Fourteen bits as two bytes of a longer number, and as its last two."""

_SIX_BYTES_FROM: Final = 1 << 35
_SIX_BYTES_TO: Final = 1 << 42
_SIX_MARKS: Final = 0x80 * (1 + (1 << 7) + (1 << 14) + (1 << 21) + (1 << 28))


@lru_cache(maxsize=4096, typed=True)
def write_long(value: int) -> bytes:
    """A long's bytes; OverflowError beyond 64 bits. Remembered: most records of a batch name the same instant."""
    zigzag = (value << 1) ^ (value >> 63)
    if _SIX_BYTES_FROM <= zigzag < _SIX_BYTES_TO:  # today's instants in milliseconds, 1987 to 2039
        return _PAIRS[zigzag & 16383] + _PAIRS[zigzag >> 14 & 16383] + _LAST_PAIRS[zigzag >> 28]
    if not -(1 << 63) <= value < 1 << 63:
        raise OverflowError(f"{value} does not fit an Avro long (64 bits)")
    return _zigzag(value)


def write_int(value: int) -> bytes:
    """An int's bytes; OverflowError beyond 32 bits."""
    if not -(1 << 31) <= value < 1 << 31:
        raise OverflowError(f"{value} does not fit an Avro int (32 bits)")
    return _zigzag(value)


def write_count(count: int) -> bytes:
    """The bytes of an array's block count; OverflowError beyond the limit."""
    if count > ITEMS_MAX:
        raise OverflowError(f"an array of {count} items is longer than the limit of {ITEMS_MAX}")
    return _zigzag(count)


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """A long."""
    first = data[at]
    if first < 128:
        return (first >> 1) ^ -(first & 1), at + 1
    second = data[at + 1]
    if second < 128:
        zigzag = first + (second << 7) - 0x80
        return (zigzag >> 1) ^ -(zigzag & 1), at + 2
    third = data[at + 2]
    if third < 128:
        zigzag = first + (second << 7) + (third << 14) - 0x4080
        return (zigzag >> 1) ^ -(zigzag & 1), at + 3
    rest = data[at + 3 : at + 6]
    if len(rest) == 3:
        fourth, fifth, sixth = rest
        if sixth < 128 <= fourth & fifth:
            zigzag = first + (second << 7) + (third << 14) + (fourth << 21) + (fifth << 28) + (sixth << 35) - _SIX_MARKS
            return (zigzag >> 1) ^ -(zigzag & 1), at + 6
    return _read_any(data, at)


def read_int(data: bytes, at: int) -> tuple[int, int]:
    """An int; ValueError beyond 32 bits."""
    first = data[at]
    second = data[at + 1] if first > 127 else 128
    if second < 128:
        zigzag = first + (second << 7) - 0x80
        return (zigzag >> 1) ^ -(zigzag & 1), at + 2
    value, at = read_long(data, at)
    if not -(1 << 31) <= value < 1 << 31:
        raise ValueError(f"{value} does not fit an Avro int (32 bits)")
    return value, at


def _read_any(data: bytes, at: int) -> tuple[int, int]:
    """A long of any length, byte by byte."""
    zigzag = shift = 0
    while True:
        byte = data[at]
        at += 1
        zigzag |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 63:
            raise ValueError("an integer goes on beyond ten bytes")
    if zigzag >> 64:
        raise ValueError("an integer has more than 64 bits")
    return (zigzag >> 1) ^ -(zigzag & 1), at


def read_size(data: bytes, at: int) -> tuple[int, int]:
    """The length of a string or of bytes; ValueError when that many bytes are not there."""
    size, at = read_long(data, at)
    if not 0 <= size <= len(data) - at:
        raise ValueError(f"a length of {size} where {len(data) - at} bytes are left")
    return size, at


def read_count(data: bytes, at: int) -> tuple[int, int]:
    """The items in an array's block; ValueError when the bytes left cannot hold them."""
    count, at = read_long(data, at)
    if count < 0:  # then the block's size in bytes follows, for readers that skip
        count = -count
        _, at = read_long(data, at)
    if count > min(ITEMS_MAX, len(data) - at):
        raise ValueError(f"an array of {count} items where {len(data) - at} bytes are left (limit {ITEMS_MAX})")
    return count, at
