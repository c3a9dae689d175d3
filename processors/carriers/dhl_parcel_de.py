"""DHL Parcel DE: answers of the parcel tracking interface (`d-get-piece-detail` and its kin).

In: XML of nested `<data name="piece-…">` elements. Out: one scan per `piece-event`, or one from the `piece-shipment`
itself where no events came along; a refusal per piece, or for the whole request, that DHL answers with an error.
An event's ICE code says what happened, its RIC code why; the standard event (TTPRO) decides where one ICE code covers
two situations. RIC codes that DHL adds later cost the reason, not the status; an ICE code not in the table is unknown.
Events flagged `ruecksendung` move a parcel back to its sender, whatever else they say.
Times are German local time without a zone; an hour that occurs twice in autumn is taken for its first occurrence.
Refused: documents with a DTD or entities, documents that are no such XML, dates that are none, no parcel and no error.

Source: DHL, ICE event / RIC combinations of Parcel DE, July 2024 (52 ICE and 136 RIC codes, 338 combinations).
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from processors.carriers.scan import (
    UNKNOWN,
    Fault,
    IncidentReason,
    Meaning,
    ParsedMessage,
    PayloadRefused,
    Scan,
    Status,
    check_size,
    country_code,
    epoch_ms,
    in_order,
    read_text,
    town,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CARRIER: Final = "dhl_parcel_de"

_BERLIN: Final = ZoneInfo("Europe/Berlin")
_WRITTEN_TIME: Final = re.compile(r"(\d{2})\.(\d{2})\.(\d{4}) (\d{2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_LEVELS_MAX: Final = 16  # the format has four
_CUT_SHORT: Final = frozenset({3, 5, 20})  # expat: no element found, unclosed token, unclosed CDATA section
# Decoded here, not by expat: expat would run any codec of Python's that a document names.
_DECLARED_ENCODING: Final = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]+)""", re.ASCII)
_ENCODINGS: Final = ("utf-8", "iso-8859-1", "windows-1252", "us-ascii")

ICE_CODES: Final[dict[str, Meaning]] = {
    # What only informs must not move a parcel: it has the lowest status.
    "ADVIS": (Status.LABEL_CREATED, None), "ALERT": (Status.LABEL_CREATED, None),
    "PARCV": (Status.LABEL_CREATED, None), "PURCR": (Status.LABEL_CREATED, None),
    "CANCL": (Status.CANCELLED, None), "NTPUP": (Status.DELAYED, None),
    "PCKDU": (Status.PICKED_UP, None), "SHRCU": (Status.PICKED_UP, None),
    "ASMVT": (Status.IN_TRANSIT, None), "CHECK": (Status.IN_TRANSIT, None), "FWDCF": (Status.IN_TRANSIT, None),
    "HNDDE": (Status.IN_TRANSIT, None), "LDTHU": (Status.IN_TRANSIT, None), "LDTMV": (Status.IN_TRANSIT, None),
    "MVARR": (Status.IN_TRANSIT, None), "MVDPT": (Status.IN_TRANSIT, None), "PMTCR": (Status.IN_TRANSIT, None),
    "PMTCS": (Status.IN_TRANSIT, None), "RELBL": (Status.IN_TRANSIT, None), "REPCK": (Status.IN_TRANSIT, None),
    "RSDCP": (Status.IN_TRANSIT, None), "SECHK": (Status.IN_TRANSIT, None), "SRTED": (Status.IN_TRANSIT, None),
    "TRBCR": (Status.IN_TRANSIT, None), "ULFMV": (Status.IN_TRANSIT, None),
    "HNDND": (Status.IN_TRANSIT, IncidentReason.CUSTOMS), "ICPRC": (Status.IN_TRANSIT, IncidentReason.CUSTOMS),
    "ITBAR": (Status.IN_TRANSIT, IncidentReason.CUSTOMS), "PBNDT": (Status.IN_TRANSIT, IncidentReason.DOCUMENTS),
    "OFWRD": (Status.IN_TRANSIT, IncidentReason.REDIRECTED), "ROUCR": (Status.IN_TRANSIT, IncidentReason.REDIRECTED),
    "CNRFC": (Status.READY_FOR_PICKUP, None), "HLDCC": (Status.READY_FOR_PICKUP, None),
    "NTDEL": (Status.DELIVERY_ATTEMPTED, None), "DLVRF": (Status.DELIVERY_ATTEMPTED, IncidentReason.REFUSED),
    "DLVRD": (Status.DELIVERED, None),
    "EXPHD": (Status.ON_HOLD, IncidentReason.HELD), "INFCL": (Status.ON_HOLD, IncidentReason.HELD),
    "HLDCP": (Status.ON_HOLD, IncidentReason.CUSTOMS), "HLDCU": (Status.ON_HOLD, IncidentReason.CUSTOMS),
    "CNFSC": (Status.ON_HOLD, IncidentReason.AUTHORITY),
    "DTNPC": (Status.DELAYED, IncidentReason.MISSING), "NTADT": (Status.DELAYED, IncidentReason.MISSING),
    "LDEXC": (Status.DELAYED, None), "MSRTD": (Status.DELAYED, IncidentReason.MISSORTED),
    "MVDEX": (Status.DELAYED, IncidentReason.VEHICLE), "MVTEX": (Status.DELAYED, IncidentReason.VEHICLE),
    "RETRN": (Status.RETURN_TO_SENDER, None),
    "DMGDS": (Status.DAMAGED, IncidentReason.DAMAGED),
    "DSPSD": (Status.LOST, IncidentReason.DISPOSED), "RCCLS": (Status.LOST, IncidentReason.LOST),
    "STORN": (Status.UNKNOWN, IncidentReason.CORRECTED),  # the driver withdraws the event before: a person decides
}  # fmt: skip

_ICE_AND_RIC: Final[dict[tuple[str, str], Meaning]] = {
    ("ALERT", "BDADD"): (Status.ON_HOLD, IncidentReason.ADDRESS),
    ("DSPSD", "DMGED"): (Status.DAMAGED, IncidentReason.DISPOSED),
    ("DSPSD", "DMGPC"): (Status.DAMAGED, IncidentReason.DISPOSED),
    ("EXPHD", "LOSTX"): (Status.LOST, IncidentReason.LOST),
    ("EXPHD", "RTTSP"): (Status.RETURN_TO_SENDER, None),
    ("HLDCC", "NTCCN"): (Status.ON_HOLD, IncidentReason.NOT_COLLECTED),
    ("INFCL", "FWEXH"): (Status.IN_TRANSIT, None),
    ("INFCL", "OARRV"): (Status.IN_TRANSIT, None),
    ("OFWRD", "RTSCR"): (Status.RETURN_TO_SENDER, IncidentReason.REQUESTED),
    ("OFWRD", "RTSSA"): (Status.RETURN_TO_SENDER, IncidentReason.REQUESTED),
    ("RCCLS", "GHSTP"): (Status.CANCELLED, IncidentReason.MISSING),
    ("SECHK", "INSPT"): (Status.ON_HOLD, IncidentReason.HELD),
}
"""Combinations that say something else than their ICE code."""

_ICE_AND_STANDARD: Final[dict[tuple[str, str], Status]] = {
    ("ADVIS", "ZN"): Status.ON_HOLD,  # stopped by the sender
    ("DMGDS", "AA"): Status.IN_TRANSIT, ("DMGDS", "EE"): Status.IN_TRANSIT,  # repacked, goes on
    ("LDTMV", "ES"): Status.PICKED_UP, ("LDTMV", "PO"): Status.OUT_FOR_DELIVERY,
    ("LDTMV", "ZN"): Status.DELIVERY_ATTEMPTED, ("MVARR", "PO"): Status.OUT_FOR_DELIVERY,
    ("MVARR", "ZU"): Status.DELIVERED, ("SRTED", "AE"): Status.PICKED_UP, ("SRTED", "ES"): Status.PICKED_UP,
    ("SRTED", "PO"): Status.OUT_FOR_DELIVERY,  # "loaded onto the delivery vehicle"
}  # fmt: skip

_STANDARD_EVENTS: Final[dict[str, Meaning]] = {
    "AA": (Status.IN_TRANSIT, None), "AE": (Status.PICKED_UP, None), "AN": (Status.DELAYED, None),
    "BV": (Status.ON_HOLD, None), "DD": (Status.LABEL_CREATED, None), "EE": (Status.IN_TRANSIT, None),
    "ES": (Status.PICKED_UP, None), "GT": (Status.IN_TRANSIT, None), "LA": (Status.ON_HOLD, IncidentReason.HELD),
    "NB": (Status.IN_TRANSIT, None), "PO": (Status.OUT_FOR_DELIVERY, None), "VA": (Status.LABEL_CREATED, None),
    "ZF": (Status.READY_FOR_PICKUP, None), "ZN": (Status.DELIVERY_ATTEMPTED, None),
    "ZO": (Status.IN_TRANSIT, IncidentReason.CUSTOMS), "ZU": (Status.DELIVERED, None),
}  # fmt: skip
"""For events without an ICE code, as older answers give them."""

RIC_CODES: Final[dict[str, IncidentReason | None]] = {
    ric: reason
    for reason, rics in (
        (None, "ACCPK ACCPT AGENT BOOKN CCPSD CODAR CODRP CSDOC CTCST DGCPS DIDLV DLVTM FAMLY FWAPS FWEXH FWEXP"),
        (None, "HDFCT HNDTC LDPCK MSGER MSGPC MSGST MVMTV NGHBR NRQRD OARRV ORDER OTHER OTHRE PCKAD PCKST PFLOC"),
        (None, "PKBOX POBOX PUBCR REJCT RTTSP SECDA SECPL SERPT SHINF SPOUS SVCHG UDLVR UNLDD WINPL"),
        (IncidentReason.ADDRESS, "BDADD CPUNK MOVED PBNBR WRGPN WRGRI"),
        (IncidentReason.AUTHORITY, "LEGAT"),
        (IncidentReason.CAPACITY, "CAPEX OVRLD"),
        (IncidentReason.CLOSED, "CLOSD HLDAY"),
        (IncidentReason.CUSTOMS, "CLREF CSTBA CUSTM INSPF NORSN"),
        (IncidentReason.DAMAGED, "ACCDM DMGED DMGPC DMPHD LDMGD PUDMG"),
        (IncidentReason.DOCUMENTS, "IDDMG MSDOC MSLBL MSSDT NDRFC NDRFN PLDMG PPQLT PWMFD UDFPC"),
        (IncidentReason.FORCE_MAJEURE, "FRMJR"),
        (IncidentReason.GOODS, "FFTCH FSCCH GDNMS GDNRD NAGTB NEXCH"),
        (IncidentReason.HELD, "INSPT"),
        (IncidentReason.IDENTITY, "AGNEG CTCNI IDNEG WRGDT WRGID"),
        (IncidentReason.LOST, "LOSTX"),
        (IncidentReason.MISSING, "ACCSI GHSTP INCSH NPRPF NTHNG NTIHU SHNCP"),
        (IncidentReason.MISSORTED, "CRRCS CRRFN STPRB WRGTR"),
        (IncidentReason.NOT_COLLECTED, "NTCCN NTCLM"),
        (IncidentReason.NOT_HOME, "CNCNR NHOME SPCNR"),
        (IncidentReason.PAYMENT, "NPYMT RSEXW TRPMT"),
        (IncidentReason.REDIRECTED, "CNRFW CRFRD RDRCR RDRDO ROUCR"),
        (IncidentReason.REFUSED, "NTHND NTORD RFUSD"),
        (IncidentReason.REQUESTED, "CRQST CSREQ HLDSR HNDCA RTSCR RTSSA STBSD"),
        (IncidentReason.RESCHEDULED, "DLVDT"),
        (IncidentReason.TIME, "CLRTE CROAT CRROT MSDLA"),
        (IncidentReason.VEHICLE, "DRCRU EQUBF TCATC TCHBD VHARU"),
    )
    for ric in rics.split()
}
_ICE_IS_THE_REASON: Final = frozenset({"DSPSD", "STORN"})  # why it was destroyed or withdrawn matters less than that

_ON_ITS_WAY: Final = frozenset(
    {
        Status.PICKED_UP, Status.IN_TRANSIT, Status.OUT_FOR_DELIVERY, Status.READY_FOR_PICKUP,
        Status.DELIVERY_ATTEMPTED, Status.DELIVERED, Status.DELAYED,
    }
)  # fmt: skip

_COUNTRIES: Final[dict[str, str]] = {
    name: code
    for code, names in (
        ("AT", "Austria Österreich"), ("BE", "Belgium Belgien"), ("BG", "Bulgaria Bulgarien"),
        ("CH", "Switzerland Schweiz"), ("CY", "Cyprus Zypern"), ("CZ", "Czechia Tschechien"),
        ("DE", "Germany Deutschland"), ("DK", "Denmark Dänemark"), ("EE", "Estonia Estland"), ("ES", "Spain Spanien"),
        ("FI", "Finland Finnland"), ("FR", "France Frankreich"), ("GR", "Greece Griechenland"),
        ("HR", "Croatia Kroatien"), ("HU", "Hungary Ungarn"), ("IE", "Ireland Irland"), ("IT", "Italy Italien"),
        ("LI", "Liechtenstein"), ("LT", "Lithuania Litauen"), ("LU", "Luxembourg Luxemburg"), ("LV", "Latvia Lettland"),
        ("MT", "Malta"), ("NL", "Netherlands Niederlande"), ("NO", "Norway Norwegen"), ("PL", "Poland Polen"),
        ("PT", "Portugal"), ("RO", "Romania Rumänien"), ("SE", "Sweden Schweden"), ("SI", "Slovenia Slowenien"),
        ("SK", "Slovakia Slowakei"), ("TR", "Turkey Türkei"), ("UA", "Ukraine"), ("US", "USA"),
    )
    for name in names.split()
}  # fmt: skip


def parse(payload: bytes) -> ParsedMessage:
    """Read every piece of an answer, with or without its events."""
    scans: list[Scan] = []
    refusals: list[tuple[str, str, str]] = []
    root = read_xml(payload)
    if root.tag != "data":
        raise PayloadRefused(Fault.UNEXPECTED_SHAPE, "the document is no list of pieces")
    number, numbers, silent = "", 0, None
    if root.get("code", "0") != "0":
        refusals.append(("", root.get("code", ""), root.get("error", "")))
    for element in root.iter("data"):
        kind = element.get("name", "").replace("-", "")  # older answers write "pieceevent"
        if kind == "pieceshipment":
            scans.extend(_from_shipment(number, silent))
            number, silent = _number(element), element
            numbers += bool(number)
            if element.get("error-status", "0") != "0":
                refusals.append((number, element.get("error-status", ""), element.get("status", "")))
                silent = None
        elif kind == "pieceevent":
            if not number:
                raise PayloadRefused(Fault.NO_TRACKING_NUMBER, "an event of no piece")
            scans.append(_scan(number, element, "event-timestamp", ("event-text", "event-status")))
            silent = None
    scans.extend(_from_shipment(number, silent))
    if not numbers and not refusals:
        raise PayloadRefused(Fault.NO_TRACKING_NUMBER, "no piece, no error")
    return in_order(scans, refusals)


def read_xml(payload: bytes) -> "Element":
    """Parse XML without DTD, entities or outside references, or say why not."""
    check_size(payload)
    declared = _DECLARED_ENCODING.match(payload)
    encoding = declared[1].decode("ascii").lower() if declared else "utf-8"
    if encoding not in _ENCODINGS:
        raise PayloadRefused(Fault.WRONG_ENCODING, f"declared as {encoding[:40]!r}, not as {' or '.join(_ENCODINGS)}")
    text = read_text(payload, encoding)
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except DefusedXmlException as error:
        raise PayloadRefused(Fault.XML_ENTITIES, type(error).__name__) from None
    except ParseError as error:
        fault = Fault.TRUNCATED if error.code in _CUT_SHORT else Fault.MALFORMED
        raise PayloadRefused(fault, str(error)) from None
    level = [root]
    for _ in range(_LEVELS_MAX):
        level = [child for element in level for child in element]
    if level:
        raise PayloadRefused(Fault.TOO_DEEP, f"nested deeper than {_LEVELS_MAX}")
    return root


def _number(shipment: "Element") -> str:
    return (shipment.get("piece-code") or shipment.get("searched-piece-code") or "").strip()


def _from_shipment(number: str, shipment: "Element | None") -> Iterator[Scan]:
    """Read the shipment's own status, when it came without events and knows one."""
    if number and shipment is not None and shipment.get("status-timestamp"):
        yield _scan(number, shipment, "status-timestamp", ("status", "short-status"))


def _scan(number: str, element: "Element", time_name: str, text_names: tuple[str, str]) -> Scan:
    ice, ric, standard = element.get("ice", ""), element.get("ric", ""), element.get("standard-event-code", "")
    status, reason = meaning(ice, ric, standard)
    if element.get("ruecksendung") == "true" and status in _ON_ITS_WAY:
        status = Status.RETURN_TO_SENDER
    occurred_at, occurred_local = _when(element.get(time_name, ""))
    country = element.get("event-country", "")
    known_country = country_code(country) or _COUNTRIES.get(country)
    code = f"{ice}.{ric}" if ice and ric else ice or standard
    return Scan(
        tracking_number=number,
        carrier=CARRIER,
        code=code,
        status=status,
        reason=reason,
        text=element.get(text_names[0]) or element.get(text_names[1]) or "",
        place=town(element.get("event-location", "")) or ("" if known_country else town(country)),
        country=known_country,
        occurred_at=occurred_at,
        occurred_local=occurred_local,
    )


def meaning(ice: str, ric: str, standard: str) -> Meaning:
    """Look up status and reason of an event: its ICE code, as RIC code and standard event refine it."""
    if not ice:
        return _STANDARD_EVENTS.get(standard, UNKNOWN)
    if (ice, ric) in _ICE_AND_RIC:
        return _ICE_AND_RIC[ice, ric]
    if ice not in ICE_CODES:
        return UNKNOWN
    status, reason = ICE_CODES[ice]
    if ice not in _ICE_IS_THE_REASON:
        reason = RIC_CODES.get(ric) or reason
    return _ICE_AND_STANDARD.get((ice, standard), status), reason


def _when(written: str) -> tuple[int, str]:
    match = _WRITTEN_TIME.fullmatch(written.strip())
    if match is None:
        raise PayloadRefused(Fault.ABSURD_DATE, f"{written[:40]!r} is no date and time")
    day, month, year, hour, minute, second = (int(digits or 0) for digits in match.groups())
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=_BERLIN)
    except ValueError:
        raise PayloadRefused(Fault.ABSURD_DATE, f"{written[:40]!r} is no date and time") from None
    return epoch_ms(moment), moment.isoformat()
