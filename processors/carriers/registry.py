"""Registry: which parser reads which format.

In: a format's name, as connectors write it on every CarrierMessage, and the payload. Out: a `ParsedMessage`.
Refused: a format nobody reads, and whatever the format's own parser refuses. A format names a carrier and a document,
not a version: a parser reads all documented versions, so that recorded messages can be replayed.
"""

from collections.abc import Callable
from typing import Final

from processors.carriers import dhl_parcel_de, gls, ups
from processors.carriers.scan import Fault, ParsedMessage, PayloadRefused

PARSERS: Final[dict[str, Callable[[bytes], ParsedMessage]]] = {
    "dhl-parcel-de-xml": dhl_parcel_de.parse,
    "gls-track-json": gls.parse,
    "ups-track-json": ups.parse,
}


def parse(format_name: str, payload: bytes, /) -> ParsedMessage:
    """Read a payload in the given format."""
    parser = PARSERS.get(format_name)
    if parser is None:
        raise PayloadRefused(Fault.UNKNOWN_FORMAT, f"{format_name[:40]!r} is none of {', '.join(sorted(PARSERS))}")
    return parser(payload)
