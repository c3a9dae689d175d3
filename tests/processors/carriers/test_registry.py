"""What holds for every format: known formats only, no crash on broken payloads, any order of events."""

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.carriers.redaction import redact
from processors.carriers.registry import PARSERS, parse
from processors.carriers.scan import Fault, ParsedMessage, PayloadRefused, Status

MINUTE_MS = 60_000


def dhl_parcel_de(minutes: list[int]) -> bytes:
    events = "".join(
        f'<data name="piece-event" event-timestamp="02.05.2024 {minute // 60:02}:{minute % 60:02}" ice="LDTMV" '
        f'ric="MVMTV" event-text="Abgang" event-location="Köln" event-country="DE" standard-event-code="AA"/>'
        for minute in minutes
    )
    shipment = f'<data name="piece-shipment" piece-code="1" recipient-name="Jutta Ahrens">{events}</data>'
    return f'<?xml version="1.0" encoding="UTF-8"?><data name="piece-shipment-list">{shipment}</data>'.encode()


def ups(minutes: list[int]) -> bytes:
    activities = [
        {
            "date": "20240502",
            "time": f"{minute // 60:02}{minute % 60:02}00",
            "gmtOffset": "+02:00",
            "location": {"address": {"city": "Köln", "countryCode": "DE", "addressLine1": "Domstr. 7"}},
            "status": {"type": "I", "code": "AR", "description": "Arrived", "statusCode": "005"},
        }
        for minute in minutes
    ]
    package = {"trackingNumber": "1", "activity": activities, "packageAddress": [{"name": "Jutta Ahrens"}]}
    return msgspec.json.encode({"trackResponse": {"shipment": [{"inquiryNumber": "1", "package": [package]}]}})


def ups_alert(minutes: list[int]) -> bytes:
    hour, minute = divmod(minutes[0], 60)
    when = {"localActivityDate": "20240502", "localActivityTime": f"{hour:02}{minute:02}00"}
    status = {"type": "I", "code": "AR", "description": "Arrived", "descriptionCode": "005"}
    return msgspec.json.encode({"trackingNumber": "1", "activityStatus": status} | when)


def gls(minutes: list[int]) -> bytes:
    events = [
        {
            "code": "INBOUD.NORMAL",
            "city": "Köln",
            "postalCode": "50667",
            "country": "DE",
            "description": "Reached",
            "eventDateTime": f"2024-05-02T{minute // 60:02}:{minute % 60:02}:00+0200",
        }
        for minute in minutes
    ]
    return msgspec.json.encode({"parcels": [{"requested": "1", "unitno": "1", "status": "X", "events": events}]})


DOCUMENTS: list[tuple[str, Callable[[list[int]], bytes]]] = [
    ("dhl-parcel-de-xml", dhl_parcel_de),
    ("ups-track-json", ups),
    ("ups-track-json", ups_alert),
    ("gls-track-json", gls),
]
MANY = [(format_name, document) for format_name, document in DOCUMENTS if document is not ups_alert]


def test_every_format_is_read() -> None:
    assert {format_name for format_name, _ in DOCUMENTS} == set(PARSERS)
    for format_name, document in DOCUMENTS:
        scans = parse(format_name, document([600])).scans
        assert [(scan.tracking_number, scan.status) for scan in scans] == [("1", Status.IN_TRANSIT)]


@pytest.mark.parametrize("reader", [parse, redact])
def test_an_unknown_format_is_refused(reader: Callable[[str, bytes], object]) -> None:
    with pytest.raises(PayloadRefused, match="dhl-parcel-de-xml, gls-track-json, ups-track-json") as refused:
        reader("hermes-json", b"{}")
    assert refused.value.reason is Fault.UNKNOWN_FORMAT


@pytest.mark.parametrize("read_as", sorted(PARSERS))
@pytest.mark.parametrize(("format_name", "document"), DOCUMENTS)
def test_another_carriers_payload_is_refused(
    read_as: str, format_name: str, document: Callable[[list[int]], bytes]
) -> None:
    # A UPS event names a parcel at the top, and so does a flat GLS document: without events it says nothing.
    if read_as == format_name:
        return
    with suppress(PayloadRefused):
        assert parse(read_as, document([600])) == ParsedMessage(())
        assert document is ups_alert


@given(st.sampled_from(MANY), st.permutations(range(0, 1200, 150)))
def test_the_order_of_events_is_irrelevant(
    sample: tuple[str, Callable[[list[int]], bytes]], minutes: list[int]
) -> None:
    format_name, document = sample
    parsed = parse(format_name, document(minutes))
    assert parsed == parse(format_name, document(sorted(minutes)))
    gaps = [later.occurred_at - earlier.occurred_at for earlier, later in pairwise(parsed.scans)]
    assert gaps == [150 * MINUTE_MS] * 7


edits = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "delete", "cut", "repeat"]), st.integers(0, 2_000), st.integers(0, 255)
    ),
    min_size=1,
    max_size=8,
)


def edited(payload: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    data = bytearray(payload)
    for change, where, byte in changes:
        at = where % (len(data) + 1)
        if change == "cut":
            del data[at:]
        elif change == "delete":
            del data[at : at + 1 + byte % 8]
        elif change == "repeat":
            data[at:at] = data[at : at + byte]
        else:
            data[at : at + (change == "set")] = bytes([byte])
    return bytes(data)


@given(st.sampled_from(DOCUMENTS), edits)
def test_a_broken_payload_is_read_or_refused(
    sample: tuple[str, Callable[[list[int]], bytes]], changes: list[tuple[str, int, int]]
) -> None:
    format_name, document = sample
    payload = edited(document([600, 620]), changes)
    for reader in (parse, redact):
        with suppress(PayloadRefused):
            reader(format_name, payload)


@given(st.sampled_from(sorted(PARSERS)), st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(format_name: str, payload: bytes) -> None:
    with suppress(PayloadRefused):
        parse(format_name, payload)


names = st.one_of(
    st.sampled_from(["trackResponse", "shipment", "package", "activity", "status", "location", "address", "date"]),
    st.sampled_from(["time", "gmtDate", "trackingNumber", "localActivityDate", "localActivityTime", "activityStatus"]),
    st.sampled_from(["response", "errors", "warnings", "parcels", "events", "requested", "statusDateTime", "fault"]),
    st.sampled_from(["eventDateTime", "detail", "title", "timestamp"]),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=20,
)


@given(st.sampled_from(["ups-track-json", "gls-track-json"]), values)
def test_any_json_is_read_or_refused(format_name: str, document: Any) -> None:
    payload = msgspec.json.encode(document)
    redact(format_name, payload)
    with suppress(PayloadRefused):
        parse(format_name, payload)
