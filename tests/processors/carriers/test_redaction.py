"""What redaction removes, one line each; then that the scans stay and that no seeded name survives."""

from collections.abc import Callable
from contextlib import suppress
from html import escape
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.carriers.redaction import REDACTED, contains_personal_data, redact
from processors.carriers.registry import parse
from processors.carriers.scan import PayloadRefused

NAME, STREET, PHONE, MAIL = "Jutta Ahrens", "Domstrasse 7", "+49 221 5550123", "jutta@example.org"


def ups(name: str = NAME, street: str = STREET, text: str = "Delivered", **package: Any) -> bytes:
    address = {"addressLine1": street, "city": "Koeln", "postalCode": "50667", "countryCode": "DE"}
    activity = {
        "date": "20240502",
        "time": "091500",
        "location": {"address": address, "slic": "8566"},
        "status": {"type": "D", "code": "FS", "description": text, "statusCode": "011"},
    }
    held = {
        "trackingNumber": "1Z1",
        "activity": [activity],
        "packageAddress": [{"type": "DESTINATION", "name": name, "attentionName": name, "address": address}],
        "deliveryInformation": {"receivedBy": name, "signature": {"image": "aGVsbG8="}, "location": "Front Door"},
        "referenceNumber": [{"type": "SHIPMENT", "number": name}],
        "packageCount": 2,
    }
    return encode(trackResponse={"shipment": [{"inquiryNumber": "1Z1", "package": [held | package]}]})


def gls(name: str = NAME, street: str = STREET, text: str = "Delivered", **more: Any) -> bytes:
    event = {"code": "DELIVD.NORMAL", "city": "Koeln", "postalCode": "50667", "country": "DE", "description": text}
    when = {"eventDateTime": "2024-05-02T09:15:00+0200"}
    parcel = {"requested": "1", "unitno": "1", "events": [event | when], "receivedBy": name, "street": street}
    return encode(parcels=[parcel | more])


def dhl(name: str = NAME, street: str = STREET, text: str = "Zugestellt", more: str = "") -> bytes:
    people = f'recipient-name="{escape(name)}" recipient-street="{escape(street)}" recipient-city="50667 Köln"'
    coded = f'pan-recipient-postalcode="50667" leitcode="5066700700" {more}'
    event = 'event-timestamp="02.05.2024 09:15" ice="DLVRD" ric="ACCPT" event-location="Köln" event-country="DE"'
    events = f'<data name="piece-event" {event} event-text="{escape(text)}"/>'
    shipment = f'<data name="piece-shipment" piece-code="1" {people} {coded}>{events}</data>'
    return f'<?xml version="1.0" encoding="UTF-8"?><data name="piece-shipment-list">{shipment}</data>'.encode()


def encode(**document: Any) -> bytes:
    return msgspec.json.encode(document)


FORMATS: list[tuple[str, Callable[..., bytes]]] = [
    ("ups-track-json", ups),
    ("gls-track-json", gls),
    ("dhl-parcel-de-xml", dhl),
]


def package_of(payload: bytes) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(payload)
    package: dict[str, Any] = document["trackResponse"]["shipment"][0]["package"][0]
    return package


def test_the_shape_stays_and_the_people_go() -> None:
    package = package_of(redact("ups-track-json", ups(alternateTrackingNumber=[{"number": 17, "type": "X"}])))
    address = {"addressLine1": "", "city": "Koeln", "postalCode": "50", "countryCode": "DE"}
    assert package["activity"][0]["location"] == {"address": address, "slic": "8566"}
    assert package["deliveryInformation"] == {"receivedBy": "", "signature": {"image": ""}, "location": ""}
    assert package["referenceNumber"] == [{"type": "", "number": ""}]
    assert package["alternateTrackingNumber"] == [{"number": 0, "type": ""}]
    (held,) = package["packageAddress"]
    assert held["address"] == {"addressLine1": "", "city": "", "postalCode": "50", "countryCode": ""}
    assert package["packageCount"] == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("x", ""),
        (17, 0),
        (1.5, 0),
        (True, True),
        (None, None),
        (["x", 1], ["", 0]),
        ({"code": "x", "postalCode": "50667"}, {"code": "", "postalCode": "50"}),
    ],
)
def test_what_the_carrier_adds_tomorrow_is_blanked(given: Any, expected: Any) -> None:
    redacted = redact("gls-track-json", gls(newField=given))
    assert msgspec.json.decode(redacted)["parcels"][0]["newField"] == expected


def test_what_dhl_adds_tomorrow_is_blanked() -> None:
    redacted = redact("dhl-parcel-de-xml", dhl(more='new-field="x"').replace(b"</data></data>", b"x</data>y</data>"))
    assert b'new-field=""' in redacted
    assert b"x</data>" not in redacted
    assert b"y</data>" not in redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Left with Jutta Ahrens", f"Left with {REDACTED}"),
        ("Left with JUTTA AHRENS at Domstrasse 7.", f"Left with {REDACTED} at {REDACTED}."),
        (f"Call {PHONE} or {MAIL}!", f"Call {REDACTED} or {REDACTED}!"),
        ("Call 0221/5550123", f"Call {REDACTED}"),
        ("Call 0049 221 5550123", f"Call {REDACTED}"),
        ("Ahrensburg, 02.05.2024 09:15", "Ahrensburg, 02.05.2024 09:15"),
        ("expected 02-05-2024", "expected 02-05-2024"),
        ("parcel 00340434999900000017", "parcel 00340434999900000017"),
        ("1Z12345E0205271688 @ depot", "1Z12345E0205271688 @ depot"),
    ],
)
def test_texts(text: str, expected: str) -> None:
    for format_name, document in FORMATS:
        (scan,) = parse(format_name, redact(format_name, document(text=text))).scans
        assert scan.text == expected


def test_a_document_of_very_many_names_loses_its_texts() -> None:
    people = [{"name": f"Person {number:03}"} for number in range(200)]
    (scan,) = parse("ups-track-json", redact("ups-track-json", ups(packageAddress=people))).scans
    assert scan.text == REDACTED


def test_short_names_do_not_eat_words() -> None:
    (scan,) = parse("gls-track-json", redact("gls-track-json", gls(name="De", street=" "))).scans
    assert scan.text == "Delivered"


seeded = st.text(st.characters(codec="utf-8", categories=("L", "Nd")), min_size=6, max_size=20).map(lambda x: "Zq" + x)


@given(st.sampled_from(FORMATS), seeded, seeded)
def test_scans_stay_and_seeded_names_go(sample: tuple[str, Callable[..., bytes]], name: str, street: str) -> None:
    format_name, document = sample
    original = document(name=name, street=street)
    redacted = redact(format_name, original)
    assert parse(format_name, redacted) == parse(format_name, original)
    for value in (name, street, "50667", "aGVsbG8="):
        assert value not in redacted.decode()
    assert redact(format_name, redacted) == redacted
    assert contains_personal_data(format_name, original)
    assert not contains_personal_data(format_name, redacted)


@given(st.sampled_from(FORMATS), st.text(max_size=60), seeded)
def test_redacting_twice_changes_nothing_more(sample: tuple[str, Callable[..., bytes]], text: str, name: str) -> None:
    format_name, document = sample
    with suppress(PayloadRefused):  # XML holds no control characters
        redacted = redact(format_name, document(text=f"{text} {name}", name=name))
        assert redact(format_name, redacted) == redacted
        assert name not in redacted.decode()


@pytest.mark.parametrize(
    ("format_name", "payload", "found"),
    [
        ("ups-track-json", b'{"name": "Jutta"}', True),
        ("ups-track-json", b'{"name" : ""}', False),
        ("ups-track-json", b'{"attentionName":"J"}', True),
        ("ups-track-json", b'{"addressLine2":"x"}', True),
        ("ups-track-json", b'{"postalCode":"506"}', True),
        ("ups-track-json", b'{"postalCode":"50"}', False),
        ("ups-track-json", b'{"phoneNumber":"1"}', True),
        ("gls-track-json", b'{"description":"jutta@example.org"}', True),
        ("gls-track-json", b'{"description":"@ depot"}', False),
        ("gls-track-json", b'{"signedBy":"J"}', True),
        ("dhl-parcel-de-xml", b"<data recipient-name='J'/>", True),
        ("dhl-parcel-de-xml", b'<data pan-recipient-street = "x"/>', True),
        ("dhl-parcel-de-xml", b'<data shipper-city="50667 K"/>', True),
        ("dhl-parcel-de-xml", b'<data name="piece-event" recipient-name=""/>', False),
    ],
)
def test_tripwire(format_name: str, payload: bytes, *, found: bool) -> None:
    assert contains_personal_data(format_name, payload) is found
