"""Headers of what outsiders read: CloudEvents 1.0 in Kafka's binary mode, and W3C trace context.

In: the record that caused an output (or the timer, or the batch whose changed rows are shown), the output's number in
its batch, type and timestamp. Out: `ce_*`, `content-type` and `traceparent`, the same bytes whenever the same batch is
computed: no clock, no chance. A valid incoming `traceparent` is continued; one that is malformed or comes twice is
ignored, as the standard asks, and a trace derived from the cause begins instead. Nothing is ever refused for its headers.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from schemas.records.base import Record
from schemas.registry import Registry

TRACEPARENT: Final = "traceparent"
CONTENT_TYPE: Final = "application/avro"
NOT_SAMPLED: Final = "00"
_SPEC_VERSION: Final = ("ce_specversion", b"1.0")
_CONTENT: Final = ("content-type", CONTENT_TYPE.encode())
_VALID_TRACE: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]([0-9a-f])(-.*)?"
)

Headers = tuple[tuple[str, bytes], ...]
Envelope = tuple[Headers, int]
"""Headers, and what they add to a record's size."""

BARE: Final[Envelope] = ((), 0)


class Cause(NamedTuple):
    """What the outputs of one cause share.

    position: `topic|partition|offset|timestamp|` of the record that was being processed
    trace: version, trace id and the first half of a span id, as `traceparent` writes them
    flags: whether whoever began the trace records it
    """

    position: bytes
    trace: bytes
    flags: bytes


class Envelopes:
    """Makes the headers of one app's records; what those of one type, or of one instant, share is made once."""

    def __init__(self, app: str, registry: Registry) -> None:
        self._registry = registry
        self._source = ("ce_source", source_of(app).encode())
        self._kinds: dict[type[Record], Envelope] = {}
        self._timestamp: int | None = None
        self._second = -1
        self._second_text = b""
        self._time: Envelope = BARE

    def wrap(self, record_type: type[Record], cause: Cause, *, number: int, timestamp: int) -> Envelope:
        """The headers of a batch's output number so-and-so, counted from 0."""
        kind, size = self._kinds.get(record_type) or self._of_kind(record_type)
        if timestamp != self._timestamp:
            self._time, self._timestamp = self._at(timestamp), timestamp
        time, time_size = self._time
        event_id = b"%b%d" % (cause.position, number)
        trace = b"%b%08x-%b" % (cause.trace, number + 1, cause.flags)
        headers = (*kind, *time, ("ce_id", event_id), (TRACEPARENT, trace))
        return headers, size + time_size + len(event_id) + len(trace)

    def _of_kind(self, record_type: type[Record]) -> Envelope:
        kind = ("ce_type", self._registry.latest(record_type).full_name.encode())
        headers = (_SPEC_VERSION, self._source, kind, _CONTENT)
        self._kinds[record_type] = headers, size_of((*headers, ("ce_id", b""), (TRACEPARENT, b"")))
        return self._kinds[record_type]

    def _at(self, timestamp: int) -> Envelope:
        """`ce_time` of a Kafka timestamp; none where that is no instant of our calendar (producers write what they like)."""
        second, millisecond = divmod(timestamp, 1000)
        if second != self._second:
            try:
                self._second_text = (
                    datetime.fromtimestamp(second, UTC).isoformat()[:19].encode() if second >= 0 else b""
                )
            except (ValueError, OverflowError, OSError):
                self._second_text = b""
            self._second = second
        if not self._second_text:
            return BARE
        time = b"%b.%03dZ" % (self._second_text, millisecond)
        return (("ce_time", time),), len("ce_time") + len(time)


def source_of(app: str) -> str:
    """The `ce_source` of what an app's workers write."""
    return f"/{app}"


def cause_of(raw: Any, occasion: object = None) -> Cause:
    """The cause of outputs while this record is processed; an occasion names what else than the record caused them."""
    # Offsets begin again where a run is carried to another cluster, so that only with its timestamp a position is unique.
    position = f"{raw.topic}|{raw.partition}|{raw.offset}|{raw.timestamp}|"
    digest = hashlib.sha1(f"{position}{occasion}".encode(), usedforsecurity=False).hexdigest()
    trace, flags = digest[:32], NOT_SAMPLED
    if occasion is None and raw.headers:
        trace, flags = _continued(raw.headers) or (trace, flags)
    return Cause(position.encode(), f"00-{trace}-{digest[32:]}".encode(), flags.encode())


def size_of(headers: Iterable[tuple[str, bytes]]) -> int:
    """What headers add to a record's size."""
    return sum(len(name) + len(value or b"") for name, value in headers)


def _continued(headers: Iterable[tuple[str, bytes | None]]) -> tuple[str, str] | None:
    """Trace id and flags of the one valid `traceparent`; None without, or with several."""
    found = [value for name, value in headers if name == TRACEPARENT]
    match = _VALID_TRACE.fullmatch(found[0] or b"") if len(found) == 1 else None
    if match is None or (match[3] is not None and match[0].startswith(b"00")):
        return None
    return match[1].decode(), f"{int(match[2], 16) & 1:02x}"  # of the flags, only `sampled` is ours to pass on
