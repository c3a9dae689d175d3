"""Redaction: a payload leaves the connector without the people in it.

In: a carrier's payload as it came. Out: the same document in the same shape, which parses to the same scans.
What is not known to be harmless is blanked, so that a field the carrier adds tomorrow is blanked as well, with all that
it holds: strings become "", numbers 0. Towns lose streets and numbers, postal codes keep two characters (the area), and
free texts lose e-mail addresses, telephone numbers, and every name or street that the same document gives in a field of
its own. A name that stands in a free text only cannot be told from other words, and stays.
Refused: what the parsers refuse as bytes (size, encoding, syntax, depth, entities), and formats nobody reads.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec
from defusedxml.ElementTree import tostring

from processors.carriers.dhl_parcel_de import read_xml
from processors.carriers.scan import Fault, PayloadRefused, read_json, town

REDACTED: Final = "[redacted]"

_NAME_CHARACTERS_MIN: Final = 4  # shorter names would blank syllables of ordinary words
_NAMES_MAX: Final = 128  # searching every text for more of them takes seconds: the texts go instead
_AREA_CHARACTERS: Final = 2
_TOP: Final = "\0"  # the document itself, which has no name

# Bounded repetition: an unbounded one makes a megabyte of one letter cost minutes.
_E_MAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}")
_DATE: Final = r"\d\d-\d\d-\d{4}"
_TELEPHONE: Final = re.compile(rf"(?<![\w+])(?!{_DATE})(?:\+|00?)[1-9](?:[ /()-]{{0,2}}\d){{5,14}}(?!\d)", re.ASCII)
_ANYTHING: Final = re.compile(".+", re.DOTALL)


class Fields(msgspec.Struct, frozen=True):
    """What to do with a format's fields. A field in none of these sets is blanked, with all that it holds."""

    opened: frozenset[str]
    """Objects and lists, gone through field by field."""
    kept: frozenset[str]
    texts: frozenset[str]
    towns: frozenset[str]
    areas: frozenset[str]
    personal: frozenset[str]
    """Blanked, and searched for in the texts."""


def _named(names: str) -> frozenset[str]:
    return frozenset(names.split())


_UPS: Final = Fields(
    opened=_named(
        "trackResponse shipment package activity location address status currentStatus service weight deliveryDate "
        "deliveryTime warnings response errors activityLocation activityStatus"
    ),
    kept=_named(
        "trackingNumber inquiryNumber code type statusCode descriptionCode country countryCode slic "
        "date time gmtDate gmtTime gmtOffset localActivityDate localActivityTime gmtActivityDate gmtActivityTime "
        "scheduledDeliveryDate actualDeliveryDate actualDeliveryTime deliveryStartTime deliveryEndTime "
        "deliveryTimeDescription startTime endTime weight unitOfMeasurement packageCount"
    ),
    texts=_named("description message simplifiedTextDescription statusDescription"),
    towns=_named("city"),
    areas=_named("postalCode"),
    personal=_named("name attentionName receivedBy addressLine1 addressLine2 addressLine3"),
)

_GLS: Final = Fields(
    opened=_named("parcels events location fault detail"),
    kept=_named(
        "requested unitno status statusDateTime code country eventDateTime errorCode errorcode "
        "trackingNumber timestamp product weight estimatedDelivery"
    ),
    texts=_named("description errorMessage title detail faultstring"),
    towns=_named("city"),
    areas=_named("postalCode"),
    personal=_named("name street receivedBy signedBy recipient"),
)

_DHL_PARCEL_DE: Final = Fields(
    opened=frozenset(),
    kept=_named(
        "name code error-status request-id status-liste piece-code searched-piece-code status-timestamp "
        "event-timestamp event-country ice ric standard-event-code ruecksendung product-code product-name division "
        "dest-country origin-country delivery-event-flag international-flag shipment-length shipment-width "
        "shipment-height shipment-weight"
    ),
    texts=_named("error status short-status event-status event-text event-short-status"),
    towns=_named("event-location"),
    areas=_named("pan-recipient-postalcode"),
    personal=_named(
        "recipient-name recipient-street pan-recipient-name pan-recipient-street shipper-name shipper-street"
    ),
)

_JSON: Final = msgspec.json.Decoder(Any)

_TRACES_IN_JSON: Final = tuple(
    (literal, re.compile(literal + rb"\w{0,20}\"\s{0,20}:\s{0,20}\"" + filled))
    for literal, filled in (
        (b'"name', b'[^"]'),
        (b'"attentionName', b'[^"]'),
        (b'"receivedBy', b'[^"]'),
        (b'"signedBy', b'[^"]'),
        (b'"addressLine', b'[^"]'),
        (b'"street', b'[^"]'),
        (b'"phone', b'[^"]'),
        (b'"email', b'[^"]'),
        (b'"image', b'[^"]'),
        (b'"photo', b'[^"]'),
        (b'"postalCode', b'[^"]{3}'),
    )
)
_TRACES_IN_XML: Final = tuple(
    (literal, re.compile(literal + rb"\s{0,20}=\s{0,20}[\"']" + filled))
    for literal, filled in (
        (b"recipient-name", b"[^\"']"),
        (b"recipient-street", b"[^\"']"),
        (b"recipient-city", b"[^\"']"),
        (b"recipient-address", b"[^\"']"),
        (b"shipper-name", b"[^\"']"),
        (b"shipper-street", b"[^\"']"),
        (b"shipper-city", b"[^\"']"),
        (b"shipper-address", b"[^\"']"),
        (b"leitcode", b"[^\"']"),  # postal code, street and house number in digits
        (b"routing-code-ean", b"[^\"']"),
        (b"-postalcode", b"[^\"']{3}"),
    )
)
_E_MAIL_TRACE: Final = re.compile(rb"@[\w-]{1,64}\.\w")


def redact(format_name: str, payload: bytes, /) -> bytes:
    """Return the payload without personal data. Redacting twice changes nothing more."""
    redactor = _REDACTORS.get(format_name)
    if redactor is None:
        raise PayloadRefused(Fault.UNKNOWN_FORMAT, f"{format_name[:40]!r} is none of {', '.join(sorted(_REDACTORS))}")
    return redactor(payload)


def contains_personal_data(format_name: str, payload: bytes, /) -> bool:
    """Tell whether a known personal field is filled: a tripwire of some microseconds, no proof of the contrary."""
    traces = _TRACES_IN_XML if format_name == "dhl-parcel-de-xml" else _TRACES_IN_JSON
    if any(literal in payload and filled.search(payload) for literal, filled in traces):
        return True
    return b"@" in payload and _E_MAIL_TRACE.search(payload) is not None


def _redact_dhl_parcel_de(payload: bytes) -> bytes:
    root = read_xml(payload)
    elements = list(root.iter())
    searched = _searched(
        value for element in elements for name, value in element.items() if name in _DHL_PARCEL_DE.personal
    )
    for element in elements:
        for name, value in element.items():
            element.set(name, _redacted(_DHL_PARCEL_DE, name, value, searched))
        element.text = element.tail = None  # the format has no text: nobody vouches for what stands there
    redacted: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return redacted


def _redact_gls(payload: bytes) -> bytes:
    return _redact_json(_GLS, payload)


def _redact_ups(payload: bytes) -> bytes:
    return _redact_json(_UPS, payload)


_REDACTORS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "dhl-parcel-de-xml": _redact_dhl_parcel_de,
    "gls-track-json": _redact_gls,
    "ups-track-json": _redact_ups,
}


def _redact_json(fields: Fields, payload: bytes) -> bytes:
    document = read_json(_JSON, payload)
    searched = _searched(_personal(fields, _TOP, document))
    return msgspec.json.encode(_walked(fields, _TOP, document, searched, sealed=False))


def _personal(fields: Fields, name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _personal(fields, key, held)
    elif isinstance(value, list):
        for held in value:
            yield from _personal(fields, name, held)
    elif isinstance(value, str) and name in fields.personal:
        yield value


def _walked(fields: Fields, name: str, value: Any, searched: re.Pattern[str] | None, *, sealed: bool) -> Any:
    if isinstance(value, dict | list):
        sealed = sealed or (name != _TOP and name not in fields.opened)
        if isinstance(value, list):
            return [_walked(fields, name, held, searched, sealed=sealed) for held in value]
        return {key: _walked(fields, key, held, searched, sealed=sealed) for key, held in value.items()}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return "" if sealed and name not in fields.areas else _redacted(fields, name, value, searched)
    return value if name in fields.kept and not sealed else 0


def _searched(values: Iterable[str]) -> re.Pattern[str] | None:
    """Build a pattern of the document's own names and streets; longer first, so that no part of one is left over."""
    found = {value.strip() for value in values if len(value.strip()) >= _NAME_CHARACTERS_MIN}
    if not found:
        return None
    if len(found) > _NAMES_MAX:
        return _ANYTHING
    names = "|".join(re.escape(value) for value in sorted(found, key=lambda value: (-len(value), value)))
    return re.compile(rf"(?<!\w)(?:{names})(?!\w)", re.IGNORECASE)


def _redacted(fields: Fields, name: str, value: str, searched: re.Pattern[str] | None) -> str:
    if name in fields.kept:
        return value
    if name in fields.texts:
        text = _TELEPHONE.sub(REDACTED, _E_MAIL.sub(REDACTED, value))
        return searched.sub(REDACTED, text) if searched else text
    if name in fields.towns:
        return town(value)
    return value[:_AREA_CHARACTERS] if name in fields.areas else ""
