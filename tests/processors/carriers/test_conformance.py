"""The parsers against payloads nobody here wrote, where those lie beside the checkout (../shared/data).

Expected results use karrio's vocabulary and contain karrio's known errors: VOCABULARY translates the one, DEVIATIONS
names the others, each with the vendor's word that we follow instead.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from processors.carriers.dhl_parcel_de import ICE_CODES, RIC_CODES, meaning
from processors.carriers.redaction import contains_personal_data, redact
from processors.carriers.registry import parse
from processors.carriers.scan import IncidentReason, ParsedMessage, Scan, Status

CARRIERS = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "carriers"
FORMATS = {
    "dhl_parcel_de": "dhl-parcel-de-xml",
    "gls": "gls-track-json",
    "gls_group": "gls-track-json",
    "ups": "ups-track-json",
}
VOCABULARY = {"delivery_failed": "delivery_attempted", "delivery_delayed": "delayed", "pending": "label_created"}
DEVIATIONS = {
    ("dhl_parcel_de/01", "SHRCU.PCKST"): (Status.PICKED_UP, "ICE 'Shipment Received from customer'"),
    ("dhl_parcel_de/01", "PCKDU.PUBCR"): (Status.PICKED_UP, "ICE 'Picked up'"),
    ("dhl_parcel_de/01", "SRTED.NRQRD"): (Status.OUT_FOR_DELIVERY, "standard event PO 'In delivery process'"),
    ("ups/01", "SR"): (Status.IN_TRANSIT, "text 'released by the customs agency'; karrio holds every X"),
}

present = sorted(
    path for name in FORMATS for path in (CARRIERS / name).glob("[0-9][0-9].*") if "expected" not in path.name
)
pytestmark = pytest.mark.skipif(
    not present, reason=f"NOT CHECKED AGAINST REAL PAYLOADS: {CARRIERS} is missing beside this checkout"
)
samples = pytest.mark.parametrize("path", present, ids=lambda path: f"{path.parent.name}/{path.stem}")


def read(path: Path) -> ParsedMessage:
    return parse(FORMATS[path.parent.name], path.read_bytes())


def expected(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.with_suffix(".expected.json").read_text())
    return result


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def minute_of(event: dict[str, Any]) -> str:
    """Digits of local date, hour and minute, however karrio or the vendor writes them."""
    written = event.get("timestamp") or event["date"] + event.get("time", "")
    return re.sub(r"\D", "", written)[:12]


def allowed(path: Path, scan: Scan, status: str | None) -> bool:
    if status is None:
        return True
    deviation = DEVIATIONS.get((name_of(path), scan.code))
    return scan.status == (deviation[0] if deviation else VOCABULARY.get(status, status))


@samples
def test_every_parcel_and_every_event_is_found(path: Path) -> None:
    message, trackers = read(path), expected(path)["trackers"]
    assert {scan.tracking_number for scan in message.scans} == {tracker["tracking_number"] for tracker in trackers}
    for tracker in trackers:
        scans = [scan for scan in message.scans if scan.tracking_number == tracker["tracking_number"]]
        events = sorted(tracker["events"], key=minute_of)
        assert [re.sub(r"\D", "", scan.occurred_local)[:12] for scan in scans] == [minute_of(event) for event in events]
        if len({minute_of(event) for event in events}) == len(events):
            for scan, event in zip(scans, events, strict=True):
                assert scan.text == event["description"]
                assert scan.place in event.get("location", scan.place)
                assert scan.code == event["code"] or path.suffix == ".xml"  # karrio gives the standard event
                assert allowed(path, scan, event.get("status"))


@samples
def test_every_parcel_has_the_expected_status(path: Path) -> None:
    message = read(path)
    for tracker in expected(path)["trackers"]:
        latest = [scan for scan in message.scans if scan.tracking_number == tracker["tracking_number"]][-1]
        assert allowed(path, latest, tracker["status"])
        assert latest.status is not Status.UNKNOWN
        if tracker["delivered"] is not None:
            assert (latest.status is Status.DELIVERED) == tracker["delivered"]


@samples
def test_every_refusal_is_found(path: Path) -> None:
    result = expected(path)
    # A warning beside data is no refusal of the data.
    messages = [said for said in result["messages"] if said.get("level") != "warning" or not result["trackers"]]
    assert [refusal[1:] for refusal in read(path).refusals] == [(said["code"], said["message"]) for said in messages]


@samples
def test_redaction_keeps_the_scans(path: Path) -> None:
    format_name = FORMATS[path.parent.name]
    redacted = redact(format_name, path.read_bytes())
    assert parse(format_name, redacted) == read(path)
    assert redact(format_name, redacted) == redacted
    assert not contains_personal_data(format_name, redacted)


def test_every_documented_dhl_combination_has_a_meaning() -> None:
    with (CARRIERS / "dhl_parcel_de" / "ref_ice_ric_codes.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table, delimiter=";"))
    assert {row["ice_event_code"] for row in rows} == set(ICE_CODES)
    assert {row["ice_ric_code"] for row in rows} == set(RIC_CODES)
    for row in rows:
        status, reason = meaning(row["ice_event_code"], row["ice_ric_code"], row["ttpro_event_code"])
        assert status is not Status.UNKNOWN or reason is IncidentReason.CORRECTED


def test_every_documented_gls_event_code_has_a_meaning() -> None:
    documented = json.loads((CARRIERS / "gls" / "ref_event_codes_example.json").read_text())["eventsCodes"]
    events = [{"code": word["code"], "eventDateTime": "2024-05-02T09:15:00Z"} for word in documented]
    scans = parse("gls-track-json", json.dumps({"parcels": [{"unitno": "1", "events": events}]}).encode()).scans
    assert [scan.code for scan in scans if scan.status is Status.UNKNOWN] == []
