"""Scan: what every carrier's message becomes, and the checks that every payload passes before it is read.

In: a carrier's bytes, personal data already redacted. Out: a `ParsedMessage`, scans in order of time, in our own
vocabulary; the carrier's code and text stay beside it. Scans of the same instant keep the order of the document.
A code that no table knows is `unknown`, never a guess: the tracking stage keeps it and asks an operator.
Refused whole, as `PayloadRefused`: bytes that are too large, in the wrong encoding, truncated, malformed or too deeply
nested, documents of another shape, dates outside 2000 … 2099, and documents that name no parcel.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

Document = TypeVar("Document")

PAYLOAD_BYTES_MAX: Final = 1024 * 1024
DEPTH_MAX: Final = 64  # the deepest documented format has 8 levels

_COUNTRY_CHARACTERS: Final = 2
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_EARLIEST_AT: Final = 946_684_800_000  # 2000-01-01: before the oldest of the carriers' interfaces
_LATEST_AT: Final = 4_102_444_800_000  # 2100-01-01
_STRINGS_AND_BRACKETS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


class Status(StrEnum):
    """Where a parcel stands, in the order in which a parcel usually gets there."""

    LABEL_CREATED = "label_created"
    PICKED_UP = "picked_up"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    READY_FOR_PICKUP = "ready_for_pickup"
    DELIVERY_ATTEMPTED = "delivery_attempted"
    DELIVERED = "delivered"
    ON_HOLD = "on_hold"
    DELAYED = "delayed"
    RETURN_TO_SENDER = "return_to_sender"
    LOST = "lost"
    DAMAGED = "damaged"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class IncidentReason(StrEnum):
    """Why a parcel does not go its usual way."""

    ADDRESS = "address"  # wrong, incomplete, unknown, moved, no access
    AUTHORITY = "authority"  # police, court, airport security
    CAPACITY = "capacity"
    CLOSED = "closed"  # business closed, holidays
    CORRECTED = "corrected"  # the carrier withdraws the scan before
    CUSTOMS = "customs"
    DAMAGED = "damaged"
    DISPOSED = "disposed"  # destroyed by the carrier
    DOCUMENTS = "documents"  # papers, data or label missing or unreadable
    FORCE_MAJEURE = "force_majeure"
    GOODS = "goods"  # contents or packing not accepted
    HELD = "held"
    IDENTITY = "identity"  # age or identity check failed, adult signature required
    LOST = "lost"
    MISSING = "missing"  # expected, not there; or pieces of a shipment missing
    MISSORTED = "missorted"
    NOT_COLLECTED = "not_collected"
    NOT_HOME = "not_home"
    PAYMENT = "payment"
    REDIRECTED = "redirected"
    REFUSED = "refused"
    REQUESTED = "requested"  # by sender or consignee
    RESCHEDULED = "rescheduled"
    TIME = "time"  # driver out of time, cut-off missed
    VEHICLE = "vehicle"  # vehicle, equipment, crew, traffic
    WEATHER = "weather"


Meaning = tuple[Status, IncidentReason | None]
"""What one carrier code says."""

UNKNOWN: Final[Meaning] = (Status.UNKNOWN, None)


class Scan(msgspec.Struct, frozen=True, gc=False):
    """One event of a parcel's way.

    code and text are the carrier's own. place is a town, never a street. occurred_local is ISO 8601 as the carrier
    meant it; without an offset the carrier named no zone, and occurred_at took the time for UTC.
    """

    tracking_number: str
    carrier: str
    code: str
    status: Status
    reason: IncidentReason | None
    text: str
    place: str
    country: str | None
    occurred_at: int
    occurred_local: str


class ParsedMessage(msgspec.Struct, frozen=True):
    """Scans in order of time, and (tracking_number, code, message) per parcel the carrier would not answer for.

    The tracking number of a refusal is empty where the carrier's answer does not repeat it.
    """

    scans: tuple[Scan, ...]
    refusals: tuple[tuple[str, str, str], ...] = ()


class Fault(StrEnum):
    """What is wrong with a payload, in the order in which it is found: the first is the answer."""

    UNKNOWN_FORMAT = "UNKNOWN_FORMAT"
    TOO_LARGE = "TOO_LARGE"
    WRONG_ENCODING = "WRONG_ENCODING"
    XML_ENTITIES = "XML_ENTITIES"
    TRUNCATED = "TRUNCATED"
    MALFORMED = "MALFORMED"
    UNEXPECTED_SHAPE = "UNEXPECTED_SHAPE"
    TOO_DEEP = "TOO_DEEP"
    ABSURD_DATE = "ABSURD_DATE"
    NO_TRACKING_NUMBER = "NO_TRACKING_NUMBER"


class PayloadRefused(Exception):
    """A payload nothing can be read from: it belongs in `dead-letters` with its reason, and is never retried."""

    retriable = False

    def __init__(self, reason: Fault, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def in_order(scans: Iterable[Scan], refusals: Iterable[tuple[str, str, str]] = ()) -> ParsedMessage:
    """Sort the scans by time. Ties keep the order of the document."""
    return ParsedMessage(tuple(sorted(scans, key=_occurred_at)), tuple(refusals))


def _occurred_at(scan: Scan) -> int:
    return scan.occurred_at


def read_json(decoder: msgspec.json.Decoder[Document], payload: bytes) -> Document:
    """Decode JSON into the decoder's type, or say why not."""
    # The decoder checks no encoding inside fields it skips: one payload must not be fine here and wrong elsewhere.
    read_text(payload)
    try:
        document = decoder.decode(payload)
    except RecursionError:
        raise PayloadRefused(Fault.TOO_DEEP, f"nested deeper than {DEPTH_MAX}") from None
    except msgspec.ValidationError as error:
        raise PayloadRefused(Fault.UNEXPECTED_SHAPE, str(error)) from None
    except msgspec.DecodeError as error:
        fault = Fault.TRUNCATED if "truncated" in str(error) else Fault.MALFORMED
        raise PayloadRefused(fault, str(error)) from None
    _check_depth(payload)
    return document


def read_text(payload: bytes, encoding: str = "utf-8") -> str:
    """Decode a payload of a size that carriers send, before any parser sees it."""
    check_size(payload)
    try:
        return str(payload, encoding)
    except UnicodeDecodeError as error:
        fault = Fault.TRUNCATED if error.reason == "unexpected end of data" else Fault.WRONG_ENCODING
        raise PayloadRefused(fault, f"byte {error.start} is not {encoding}") from None


def check_size(payload: bytes) -> None:
    """Refuse what no carrier sends."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise PayloadRefused(Fault.TOO_LARGE, f"{len(payload)} bytes, at most {PAYLOAD_BYTES_MAX}")


def _check_depth(payload: bytes) -> None:
    # The decoder's own limit moves with the caller's stack, so a replay could answer differently. Valid JSON only: on
    # an unclosed string the pattern would start over at every quote.
    if payload.count(b"{") + payload.count(b"[") <= DEPTH_MAX:
        return
    depth = 0
    for token in _STRINGS_AND_BRACKETS.findall(payload):
        if token in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise PayloadRefused(Fault.TOO_DEEP, f"nested deeper than {DEPTH_MAX}")
        elif token in b"]}":
            depth -= 1


def instant(written: str) -> tuple[int, str]:
    """Read ISO 8601 into epoch ms and the local time; without an offset it is taken for UTC."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise PayloadRefused(Fault.ABSURD_DATE, f"{written[:40]!r} is no date and time") from None
    return epoch_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC)), moment.isoformat()


def epoch_ms(moment: datetime) -> int:
    """Turn an aware time into epoch ms; refused outside the years in which parcels are tracked."""
    at = (moment - _EPOCH) // _MILLISECOND
    if not _EARLIEST_AT <= at < _LATEST_AT:
        raise PayloadRefused(Fault.ABSURD_DATE, f"{moment.isoformat()} is outside 2000 … 2099")
    return at


def town(written: str) -> str:
    """Find the town in a place as a carrier writes it: no street, house number or postal code. Idempotent."""
    if written.isalpha():
        return written
    for part in written.split(","):
        words = part.split()
        if words and not words[-1][0].isdigit():  # a last word with a digit first is a house number
            return " ".join(word for word in words if not word[0].isdigit())
    return ""


def country_code(written: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code, when it is written as one."""
    is_code = len(written) == _COUNTRY_CHARACTERS and written.isascii() and written.isalpha()
    return written.upper() if is_code else None
