"""What carriers say in these tests, as they would say it: GLS's flat document, in short words."""

import json

import msgspec

from processors.network import Network, RuleSet
from processors.rules import DEFAULT_RULES
from processors.tracking.parcel import PARCELS
from processors.tracking.stage import STAGE
from schemas.records.shipments import CarrierMessage, ShipmentLinked
from tests.processors.harness import Bench

HOUR = 3_600_000
NOON = 1_764_590_400_000  # 2025-12-01 12:00 UTC
NUMBER, BARE = "acme|gls|90210", "90210"
ORDER, SHIPMENT = "acme|shop|48372", "sh_1"

STATUS = {
    "picked_up": "COLLECTED",
    "in_transit": "IN_TRANSIT",
    "out_for_delivery": "OUT_FOR_DELIVERY",
    "ready_for_pickup": "READY_FOR_PICKUP",
    "delivery_attempted": "DELIVERY_FAILED",
    "delivered": "DELIVERED",
    "delayed": "DELAYED",
    "on_hold": "ON_HOLD",
    "damaged": "DAMAGED",
    "unknown": "TELEPORTED",
}


def event(hour, status, place="Kassel"):
    return {
        "timestamp": f"2025-12-{1 + hour // 24:02}T{hour % 24:02}:00:00Z",
        "status": STATUS[status],
        "description": f"{status} at {place}",
        "location": {"city": place, "country": "DE"},
    }


def message(*events, number=NUMBER, bare=None, payload=None, carrier=None):
    _, named, own = number.split("|")
    document = {"trackingNumber": bare or own, "events": [event(*entry) for entry in events]}
    return CarrierMessage(
        tracking_number=number,
        carrier=carrier or named,
        format="gls-track-json",
        payload=json.dumps(document).encode() if payload is None else payload,
        raw_ref=None,
        received_at=NOON,
    )


def not_found(words="no data yet", number=BARE):
    parcel = {"requested": number, "errorCode": "E100", "errorMessage": words}
    return message(payload=json.dumps({"parcels": [parcel]}).encode())


def linked(order_id=ORDER, shipment_id=SHIPMENT, number=NUMBER):
    return ShipmentLinked(number, order_id, shipment_id, "acme|loc_berlin")


def network(**rules):
    found = Network()
    if rules:
        found.rule_sets["acme|rules"] = RuleSet("acme|rules", 1, msgspec.structs.replace(DEFAULT_RULES, **rules))
    return found


def post(**rules):
    return Bench(STAGE, network=network(**rules), now_at=NOON)


def say(bench, record, signer=None):
    topic = "shipment-links" if isinstance(record, ShipmentLinked) else "tracking"
    return bench.send(topic, record.tracking_number, record, signer)


def parcel(bench, number=NUMBER):
    return bench.rows[PARCELS.name][number]
