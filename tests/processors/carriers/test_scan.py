"""The shared reading rules, one line each: size, encoding, depth, dates, places, order."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.carriers.scan import (
    DEPTH_MAX,
    PAYLOAD_BYTES_MAX,
    Fault,
    PayloadRefused,
    Scan,
    Status,
    country_code,
    in_order,
    instant,
    read_json,
    town,
)

ANY = msgspec.json.Decoder(Any)
TEXT = msgspec.json.Decoder(dict[str, str])


def scan(code: str, occurred_at: int) -> Scan:
    return Scan("1", "ups", code, Status.IN_TRANSIT, None, "", "", None, occurred_at, "")


@pytest.mark.parametrize(
    ("decoder", "payload", "fault"),
    [
        (ANY, b" " * (PAYLOAD_BYTES_MAX + 1), Fault.TOO_LARGE),
        (ANY, '{"a": "é"}'.encode("latin-1"), Fault.WRONG_ENCODING),
        (ANY, '{"a": 1}'.encode("utf-16"), Fault.WRONG_ENCODING),
        (ANY, '{"a": "é'.encode()[:-1], Fault.TRUNCATED),
        (ANY, b'{"a": "b', Fault.TRUNCATED),
        (ANY, b"", Fault.TRUNCATED),
        (ANY, b"{]", Fault.MALFORMED),
        (ANY, b"{} {}", Fault.MALFORMED),
        (ANY, b"[" * 100_000, Fault.TOO_DEEP),
        (ANY, b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), Fault.TOO_DEEP),
        (TEXT, b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", Fault.UNEXPECTED_SHAPE),
        (TEXT, b"[]", Fault.UNEXPECTED_SHAPE),
    ],
)
def test_json_is_refused(decoder: msgspec.json.Decoder[Any], payload: bytes, fault: Fault) -> None:
    with pytest.raises(PayloadRefused) as refused:
        read_json(decoder, payload)
    assert refused.value.reason is fault
    assert not refused.value.retriable


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * DEPTH_MAX + b"]" * DEPTH_MAX,
        b"[" + b"[]," * 200 + b"0]",  # wide, not deep
        b'["' + b"[{" * 200 + b'", "\\"' + b"[{" * 200 + b'"]',  # brackets in strings nest nothing
        b" " * (PAYLOAD_BYTES_MAX - 1) + b"0",
    ],
)
def test_json_is_read(payload: bytes) -> None:
    assert read_json(ANY, payload) == msgspec.json.decode(payload)


@pytest.mark.parametrize(
    ("written", "occurred_at", "occurred_local"),
    [
        ("2024-10-07T10:46:14+0200", 1_728_290_774_000, "2024-10-07T10:46:14+02:00"),
        ("2024-10-07T10:46:14+02:00", 1_728_290_774_000, "2024-10-07T10:46:14+02:00"),
        ("2025-01-15T10:30:00Z", 1_736_937_000_000, "2025-01-15T10:30:00+00:00"),
        ("20250115T103000", 1_736_937_000_000, "2025-01-15T10:30:00"),  # no offset: none is invented
        ("2025-01-15T10:30:00.250Z", 1_736_937_000_250, "2025-01-15T10:30:00.250000+00:00"),
        ("2000-01-01T00:00:00Z", 946_684_800_000, "2000-01-01T00:00:00+00:00"),
        ("2099-12-31T23:59:59Z", 4_102_444_799_000, "2099-12-31T23:59:59+00:00"),
    ],
)
def test_instant_is_read(written: str, occurred_at: int, occurred_local: str) -> None:
    assert instant(written) == (occurred_at, occurred_local)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "yesterday",
        "2024-02-30T10:00:00Z",
        "2024-01-01T25:00:00Z",
        "1999-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "-1",
    ],
)
def test_absurd_instant_is_refused(written: str) -> None:
    with pytest.raises(PayloadRefused) as refused:
        instant(written)
    assert refused.value.reason is Fault.ABSURD_DATE


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Bonn", "Bonn"),
        ("Frankfurt am Main", "Frankfurt am Main"),
        ("  Bad   Homburg ", "Bad Homburg"),
        ("53113 Bonn", "Bonn"),
        ("Bonn, Filiale 12", "Bonn"),
        ("Hauptstrasse 7, 53113 Bonn", "Bonn"),
        ("Hauptstrasse 7a", ""),
        ("Packstation 145", ""),
        ("IPZ-2 Radefeld", "IPZ-2 Radefeld"),
        ("53113", ""),
        (" , ", ""),
        ("", ""),
    ],
)
def test_town(written: str, expected: str) -> None:
    assert town(written) == expected


@given(st.text())
def test_town_of_a_town_is_the_town(written: str) -> None:
    assert town(town(written)) == town(written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("DE", "DE"), ("de", "DE"), ("Germany", None), ("", None), ("D1", None), ("ÄÖ", None)],
)
def test_country_code(written: str, expected: str | None) -> None:
    assert country_code(written) == expected


def test_scans_are_sorted_by_time_and_ties_keep_the_order_of_the_document() -> None:
    message = in_order([scan("c", 2), scan("a", 1), scan("b", 2)], [("1", "x", "y")])
    assert [found.code for found in message.scans] == ["a", "c", "b"]
    assert message.refusals == (("1", "x", "y"),)
