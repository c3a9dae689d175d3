"""Parcels under way: raw carrier messages in, canonical tracking events out.

`tracking` and `shipment-links` are keyed by tracking_number (tenant | carrier | number), `tracking-events` and the
`order-events` record by order_id.
"""

from schemas.records.base import Int32, Record


class CarrierMessage(Record):
    """What a carrier sent about a parcel, personal data redacted.

    tracking_number: tenant | carrier | number
    carrier: carrier code
    format: which parser reads it (dhl-parcel-de-xml, ups-track-json, gls-track-json)
    payload: the redacted bytes
    raw_ref: where the encrypted original lies in the merchant's vault, when kept
    received_at: when the connector received it
    """

    tracking_number: str
    carrier: str
    format: str
    payload: bytes
    raw_ref: str | None
    received_at: int


class ShipmentLinked(Record):
    """order → tracking: this tracking number belongs to that order.

    tracking_number: tenant | carrier | number
    order_id: the order
    shipment_id: the shipment
    location_id: who shipped it
    """

    tracking_number: str
    order_id: str
    shipment_id: str
    location_id: str


class TrackingEvent(Record):
    """One scan in canonical form.

    event_id: derived from (carrier, number, code, time, place)
    order_id: the order
    shipment_id: the shipment
    tracking_number: tenant | carrier | number
    carrier: carrier code
    status: canonical status of this scan
    shipment_status: status of the parcel with this scan joined to its history; late scans never push it back
    reason: incident reason, when any
    code: the carrier's own code
    text: the carrier's own text
    place: town or depot as the carrier names it
    country: ISO 3166-1 alpha-2, when known
    occurred_at: instant of the scan
    occurred_local: the scan's local time as the carrier means it, ISO 8601
    late: true when a later scan had been published before
    """

    event_id: str
    order_id: str
    shipment_id: str
    tracking_number: str
    carrier: str
    status: str
    shipment_status: str
    reason: str | None
    code: str
    text: str
    place: str
    country: str | None
    occurred_at: int
    occurred_local: str
    late: bool


class Tracked(Record):
    """tracking → order: the parcel's status changed.

    order_id: the order
    shipment_id: the shipment
    tracking_number: tenant | carrier | number
    status: the parcel's canonical status
    occurred_at: instant of the scan that changed it
    scans: scans known of the parcel
    """

    order_id: str
    shipment_id: str
    tracking_number: str
    status: str
    occurred_at: int
    scans: Int32
