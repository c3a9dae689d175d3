"""The rules of DHL Parcel DE, one line each: what every ICE code says, then the documents around them."""

import pytest

from processors.carriers.dhl_parcel_de import ICE_CODES, RIC_CODES, meaning, parse
from processors.carriers.scan import Fault, IncidentReason, PayloadRefused, Scan, Status

NUMBER = "00340434999900000017"

ICE_RULES = [  # ICE code, a documented RIC code, status, reason
    ("ADVIS", "MSGST", Status.LABEL_CREATED, None),
    ("ALERT", "DLVTM", Status.LABEL_CREATED, None),
    ("ASMVT", "NRQRD", Status.IN_TRANSIT, None),
    ("CANCL", "NRQRD", Status.CANCELLED, None),
    ("CHECK", "SVCHG", Status.IN_TRANSIT, None),
    ("CNFSC", "LEGAT", Status.ON_HOLD, IncidentReason.AUTHORITY),
    ("CNRFC", "PCKST", Status.READY_FOR_PICKUP, None),
    ("DLVRD", "NGHBR", Status.DELIVERED, None),
    ("DLVRF", "OTHER", Status.DELIVERY_ATTEMPTED, IncidentReason.REFUSED),
    ("DMGDS", "NRQRD", Status.DAMAGED, IncidentReason.DAMAGED),
    ("DSPSD", "MOVED", Status.LOST, IncidentReason.DISPOSED),
    ("DTNPC", "NPRPF", Status.DELAYED, IncidentReason.MISSING),
    ("EXPHD", "NRQRD", Status.ON_HOLD, IncidentReason.HELD),
    ("FWDCF", "SERPT", Status.IN_TRANSIT, None),
    ("HLDCC", "SERPT", Status.READY_FOR_PICKUP, None),
    ("HLDCP", "NORSN", Status.ON_HOLD, IncidentReason.CUSTOMS),
    ("HLDCU", "NORSN", Status.ON_HOLD, IncidentReason.CUSTOMS),
    ("HNDDE", "SERPT", Status.IN_TRANSIT, None),
    ("HNDND", "CUSTM", Status.IN_TRANSIT, IncidentReason.CUSTOMS),
    ("ICPRC", "NRQRD", Status.IN_TRANSIT, IncidentReason.CUSTOMS),
    ("INFCL", "NRQRD", Status.ON_HOLD, IncidentReason.HELD),
    ("ITBAR", "FWEXH", Status.IN_TRANSIT, IncidentReason.CUSTOMS),
    ("LDEXC", "OVRLD", Status.DELAYED, IncidentReason.CAPACITY),
    ("LDTHU", "NRQRD", Status.IN_TRANSIT, None),
    ("LDTMV", "MVMTV", Status.IN_TRANSIT, None),
    ("MSRTD", "NRQRD", Status.DELAYED, IncidentReason.MISSORTED),
    ("MVARR", "NRQRD", Status.IN_TRANSIT, None),
    ("MVDEX", "FRMJR", Status.DELAYED, IncidentReason.FORCE_MAJEURE),
    ("MVDPT", "NRQRD", Status.IN_TRANSIT, None),
    ("MVTEX", "TCHBD", Status.DELAYED, IncidentReason.VEHICLE),
    ("NTADT", "NPRPF", Status.DELAYED, IncidentReason.MISSING),
    ("NTDEL", "NHOME", Status.DELIVERY_ATTEMPTED, IncidentReason.NOT_HOME),
    ("NTPUP", "CLOSD", Status.DELAYED, IncidentReason.CLOSED),
    ("OFWRD", "NRQRD", Status.IN_TRANSIT, IncidentReason.REDIRECTED),
    ("PARCV", "NRQRD", Status.LABEL_CREATED, None),
    ("PBNDT", "NDRFC", Status.IN_TRANSIT, IncidentReason.DOCUMENTS),
    ("PCKDU", "PUBCR", Status.PICKED_UP, None),
    ("PMTCR", "NRQRD", Status.IN_TRANSIT, None),
    ("PMTCS", "NRQRD", Status.IN_TRANSIT, None),
    ("PURCR", "BOOKN", Status.LABEL_CREATED, None),
    ("RCCLS", "LOSTX", Status.LOST, IncidentReason.LOST),
    ("RELBL", "NRQRD", Status.IN_TRANSIT, None),
    ("REPCK", "DMGPC", Status.IN_TRANSIT, IncidentReason.DAMAGED),
    ("RETRN", "RFUSD", Status.RETURN_TO_SENDER, IncidentReason.REFUSED),
    ("ROUCR", "PKBOX", Status.IN_TRANSIT, IncidentReason.REDIRECTED),
    ("RSDCP", "OARRV", Status.IN_TRANSIT, None),
    ("SECHK", "CCPSD", Status.IN_TRANSIT, None),
    ("SHRCU", "PCKST", Status.PICKED_UP, None),
    ("SRTED", "NRQRD", Status.IN_TRANSIT, None),
    ("STORN", "NRQRD", Status.UNKNOWN, IncidentReason.CORRECTED),
    ("TRBCR", "NRQRD", Status.IN_TRANSIT, None),
    ("ULFMV", "UNLDD", Status.IN_TRANSIT, None),
]


@pytest.mark.parametrize(("ice", "ric", "status", "reason"), ICE_RULES)
def test_ice_code(ice: str, ric: str, status: Status, reason: IncidentReason | None) -> None:
    assert meaning(ice, ric, "") == (status, reason)


def test_every_documented_ice_code_has_a_rule() -> None:
    assert [rule[0] for rule in ICE_RULES] == sorted(ICE_CODES)
    assert (len(ICE_CODES), len(RIC_CODES)) == (52, 136)


@pytest.mark.parametrize(
    ("ice", "ric", "standard", "status", "reason"),
    [
        # the combination says something else than its ICE code
        ("ALERT", "BDADD", "BV", Status.ON_HOLD, IncidentReason.ADDRESS),
        ("DSPSD", "DMGED", "ZU", Status.DAMAGED, IncidentReason.DISPOSED),
        ("EXPHD", "LOSTX", "BV", Status.LOST, IncidentReason.LOST),
        ("EXPHD", "RTTSP", "ZN", Status.RETURN_TO_SENDER, None),
        ("HLDCC", "NTCCN", "ZF", Status.ON_HOLD, IncidentReason.NOT_COLLECTED),
        ("INFCL", "FWEXH", "BV", Status.IN_TRANSIT, None),
        ("OFWRD", "RTSCR", "PO", Status.RETURN_TO_SENDER, IncidentReason.REQUESTED),
        ("RCCLS", "GHSTP", "BV", Status.CANCELLED, IncidentReason.MISSING),
        ("SECHK", "INSPT", "BV", Status.ON_HOLD, IncidentReason.HELD),
        # the standard event says which of two situations it is
        ("SRTED", "NRQRD", "PO", Status.OUT_FOR_DELIVERY, None),
        ("SRTED", "NRQRD", "ES", Status.PICKED_UP, None),
        ("LDTMV", "MVMTV", "AA", Status.IN_TRANSIT, None),
        ("LDTMV", "MVMTV", "PO", Status.OUT_FOR_DELIVERY, None),
        ("LDTMV", "SECDA", "ZN", Status.DELIVERY_ATTEMPTED, None),
        ("ULFMV", "UNLDD", "PO", Status.IN_TRANSIT, None),
        ("DMGDS", "LDMGD", "AA", Status.IN_TRANSIT, IncidentReason.DAMAGED),
        ("ADVIS", "STBSD", "ZN", Status.ON_HOLD, IncidentReason.REQUESTED),
        # the RIC code is the reason, the ICE code's own reason stands in for it
        ("DLVRF", "DMGED", "ZN", Status.DELIVERY_ATTEMPTED, IncidentReason.DAMAGED),
        ("DLVRD", "ACCDM", "ZU", Status.DELIVERED, IncidentReason.DAMAGED),
        ("EXPHD", "PWMFD", "BV", Status.ON_HOLD, IncidentReason.DOCUMENTS),
        ("NTDEL", "BDADD", "ZN", Status.DELIVERY_ATTEMPTED, IncidentReason.ADDRESS),
        ("NTDEL", "CRROT", "PO", Status.DELIVERY_ATTEMPTED, IncidentReason.TIME),
        ("RETRN", "CLREF", "ZO", Status.RETURN_TO_SENDER, IncidentReason.CUSTOMS),
        # codes that are new, missing or unknown
        ("NTDEL", "XXXXX", "ZN", Status.DELIVERY_ATTEMPTED, None),
        ("DLVRD", "", "ZU", Status.DELIVERED, None),
        ("XXXXX", "NRQRD", "ZU", Status.UNKNOWN, None),
        ("", "", "ZU", Status.DELIVERED, None),
        ("", "", "XX", Status.UNKNOWN, None),
        ("", "", "", Status.UNKNOWN, None),
    ],
)
def test_refinement(ice: str, ric: str, standard: str, status: Status, reason: IncidentReason | None) -> None:
    assert meaning(ice, ric, standard) == (status, reason)


def answer(*pieces: str, code: str = "0", error: str = "") -> bytes:
    head = f'<data name="piece-shipment-list" code="{code}" error="{error}" request-id="r">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{"".join(pieces)}</data>'.encode()


def piece(*events: str, number: str = f'piece-code="{NUMBER}"', attributes: str = 'error-status="0"') -> str:
    listed = f'<data name="piece-event-list">{"".join(events)}</data>'
    return f'<data name="piece-shipment" {number} {attributes}>{listed}</data>'


def event(time: str = "02.05.2024 09:15", ice: str = "SRTED", ric: str = "NRQRD", more: str = "") -> str:
    return f'<data name="piece-event" event-timestamp="{time}" ice="{ice}" ric="{ric}" event-text="Sortiert" {more}/>'


def only(payload: bytes) -> Scan:
    (scan,) = parse(payload).scans
    return scan


def test_an_event_in_full() -> None:
    more = 'event-location="Bonn" event-country="Deutschland" standard-event-code="PO" ruecksendung="false"'
    assert only(answer(piece(event(more=more)))) == Scan(
        tracking_number=NUMBER,
        carrier="dhl_parcel_de",
        code="SRTED.NRQRD",
        status=Status.OUT_FOR_DELIVERY,
        reason=None,
        text="Sortiert",
        place="Bonn",
        country="DE",
        occurred_at=1_714_634_100_000,
        occurred_local="2024-05-02T09:15:00+02:00",
    )


@pytest.mark.parametrize(
    ("written", "occurred_local"),
    [
        ("17.03.2016 11:44", "2016-03-17T11:44:00+01:00"),
        ("17.07.2016 11:44:30", "2016-07-17T11:44:30+02:00"),
        (" 17.07.2016 11:44 ", "2016-07-17T11:44:00+02:00"),
        ("27.10.2024 02:30", "2024-10-27T02:30:00+02:00"),  # twice that night: the first is meant
        ("31.03.2024 02:30", "2024-03-31T02:30:00+01:00"),  # never that night
    ],
)
def test_times_are_german(written: str, occurred_local: str) -> None:
    assert only(answer(piece(event(written)))).occurred_local == occurred_local


@pytest.mark.parametrize(
    "written", ["", "2024-05-02T09:15", "31.02.2024 10:00", "01.01.1900 00:00", "02.01.2100 00:00", "01.01.2024 24:00"]
)
def test_absurd_times_are_refused(written: str) -> None:
    with pytest.raises(PayloadRefused) as refused:
        parse(answer(piece(event(written))))
    assert refused.value.reason is Fault.ABSURD_DATE


@pytest.mark.parametrize(
    ("attributes", "place", "country"),
    [
        ('event-location="Bonn" event-country="Germany"', "Bonn", "DE"),
        ('event-location="" event-country="DE"', "", "DE"),
        ('event-location="53113 Bonn" event-country=""', "Bonn", None),
        ('event-location="" event-country="Neuland"', "Neuland", None),  # better a country as place than nothing
        ("", "", None),
    ],
)
def test_places(attributes: str, place: str, country: str | None) -> None:
    scan = only(answer(piece(event(more=attributes))))
    assert (scan.place, scan.country) == (place, country)


@pytest.mark.parametrize(
    ("ice", "status"),
    [
        ("LDTMV", Status.RETURN_TO_SENDER),
        ("DLVRD", Status.RETURN_TO_SENDER),
        ("HLDCU", Status.ON_HOLD),
        ("DMGDS", Status.DAMAGED),
        ("XXXXX", Status.UNKNOWN),
    ],
)
def test_a_returning_parcel_is_not_delivered(ice: str, status: Status) -> None:
    assert only(answer(piece(event(ice=ice, more='ruecksendung="true"')))).status is status


def test_codes_as_the_carrier_writes_them() -> None:
    events = (event(ric=""), event(ice="", ric="", more='standard-event-code="ZU"'), event(ice="NEWCO", ric="NEWRE"))
    scans = parse(answer(piece(*events))).scans
    assert [(scan.code, scan.status) for scan in scans] == [
        ("SRTED", Status.IN_TRANSIT),
        ("ZU", Status.DELIVERED),
        ("NEWCO.NEWRE", Status.UNKNOWN),
    ]
    assert scans[2].text == "Sortiert"


def test_a_piece_without_events_speaks_for_itself() -> None:
    silent = 'status-timestamp="02.05.2024 09:15" status="" short-status="Zugestellt" ice="DLVRD" ric="ACCPT"'
    payload = answer(
        piece(attributes=silent),
        piece(event(), number='piece-code="2"', attributes=silent),
        piece(number='piece-code="3"', attributes='status-timestamp=""'),
        piece(number='piece-code="" searched-piece-code=""', attributes=silent),
        piece(number='searched-piece-code="4"', attributes=silent),
    )
    found = [(scan.tracking_number, scan.code, scan.text) for scan in parse(payload).scans]
    assert found == [
        (NUMBER, "DLVRD.ACCPT", "Zugestellt"),
        ("2", "SRTED.NRQRD", "Sortiert"),
        ("4", "DLVRD.ACCPT", "Zugestellt"),
    ]


def test_older_answers_put_the_events_beside_the_piece() -> None:
    inner = '<data name="pieceshipment" piece-code="7"/><data name="pieceeventlist"><data name="pieceevent" '
    payload = (
        f'<data name="pieceshipmentlist" code="0">{inner}event-timestamp="14.03.2012 00:00" ice="LDTMV"/></data></data>'
    )
    scan = only(payload.encode())
    assert (scan.tracking_number, scan.code, scan.text) == ("7", "LDTMV", "")


def test_errors_are_refusals() -> None:
    assert parse(answer(code="100", error="No data found")).refusals == (("", "100", "No data found"),)
    broken = piece(attributes='error-status="100" status="Keine Daten" status-timestamp="02.05.2024 09:15"')
    message = parse(answer(broken, piece(event(), number='piece-code="2"')))
    assert message.refusals == ((NUMBER, "100", "Keine Daten"),)
    assert [scan.tracking_number for scan in message.scans] == ["2"]


BOMB = '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><data name="x">&b;</data>'


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (BOMB.encode(), Fault.XML_ENTITIES),
        (b'<!DOCTYPE d SYSTEM "http://example.org/d.dtd"><data/>', Fault.XML_ENTITIES),
        (answer(piece(event()))[:-8], Fault.TRUNCATED),
        (answer(piece(event()))[:100], Fault.TRUNCATED),
        (b"", Fault.TRUNCATED),
        (b"<data><piece></data>", Fault.MALFORMED),
        (b'{"parcels": []}', Fault.MALFORMED),
        ('<data name="ü"/>'.encode("latin-1"), Fault.WRONG_ENCODING),
        ('<data name="ü"/>'.encode("utf-16"), Fault.WRONG_ENCODING),
        (b'<?xml version="1.0" encoding="unicode_escape"?><data/>', Fault.WRONG_ENCODING),
        (b"<data>" * 17 + b"</data>" * 17, Fault.TOO_DEEP),
        (b"<data>" + b" " * 1024 * 1024 + b"</data>", Fault.TOO_LARGE),
        (b"<html/>", Fault.UNEXPECTED_SHAPE),
        (answer(), Fault.NO_TRACKING_NUMBER),
        (answer(piece(event(), number="")), Fault.NO_TRACKING_NUMBER),
        (answer(event()), Fault.NO_TRACKING_NUMBER),
    ],
)
def test_document_is_refused(payload: bytes, fault: Fault) -> None:
    with pytest.raises(PayloadRefused) as refused:
        parse(payload)
    assert refused.value.reason is fault


def test_declared_encodings_are_read() -> None:
    text = answer(piece(event(more='event-location="Köln"'))).decode()
    for encoding in ("UTF-8", "ISO-8859-1", "windows-1252"):
        assert only(text.replace("UTF-8", encoding).encode(encoding)).place == "Köln"
    assert only(b"\xef\xbb\xbf" + text.encode()).place == "Köln"
