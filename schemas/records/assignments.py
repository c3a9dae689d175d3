"""The partner's inbox: what a location is asked to ship, and what it answers.

`location-requests`, `partner-responses` and `assignments` are keyed by location_id, `order-events` by order_id. An
assignment's id derives from (order_id, attempt, location_id). item_id is the order's line number. What the partner's
ERP and its stages report is in `partner_work`.
"""

from schemas.records.base import Int32, Part, Record
from schemas.records.routing import PlanLine


class ItemQuantity(Part):
    """Units of one item of an assignment.

    item_id: the order's line number
    quantity: units; 0 in an acceptance rejects the item
    """

    item_id: Int32
    quantity: Int32


class Track(Part):
    """One parcel of a shipment.

    carrier: carrier code
    title: what the partner calls the service
    tracking_number: the carrier's number
    """

    carrier: str
    title: str
    tracking_number: str


class AssignmentRequested(Record):
    """order → location: offer this to the partner, if a slot is open today.

    assignment_id: derived from (order_id, attempt, location_id)
    order_id: the order
    attempt: the attempt whose plan it is part of
    decision_id: the decision it follows from
    location_id: who is asked
    account_id: the carrier account planned
    service: service level
    lines: what to ship
    partials: the customer or a rule allows partial work
    accept_by: when the offer expires
    """

    assignment_id: str
    order_id: str
    attempt: Int32
    decision_id: str
    location_id: str
    account_id: str
    service: str
    lines: tuple[PlanLine, ...]
    partials: bool
    accept_by: int


class AssignmentWithdrawalRequested(Record):
    """order → location: withdraw this, if it is not accepted (for a cancel: not shipped) yet.

    assignment_id: the assignment
    order_id: the order
    location_id: where
    reason: cancelled, revoked or superseded
    """

    assignment_id: str
    order_id: str
    location_id: str
    reason: str


class AssignmentOffered(Record):
    """location → partner: decide on this.

    assignment_id: the assignment
    order_id: the order
    location_id: where
    account_id: the carrier account to ship on
    service: service level
    lines: what to ship
    partials: whether part of it may be accepted or shipped
    accept_by: when the offer expires
    erp_allocation: whether an ERP has to confirm what was accepted before it may be shipped
    erp_invoicing: whether an ERP has to invoice what was shipped before it is completed
    """

    assignment_id: str
    order_id: str
    location_id: str
    account_id: str
    service: str
    lines: tuple[PlanLine, ...]
    partials: bool
    accept_by: int
    erp_allocation: bool = False
    erp_invoicing: bool = False


class AssignmentClosed(Record):
    """location → partner: this is no longer yours to do.

    assignment_id: the assignment
    order_id: the order
    location_id: where
    status: expired, withdrawn, rejected or completed
    """

    assignment_id: str
    order_id: str
    location_id: str
    status: str


class AssignmentAccepted(Record):
    """partner → location, and then location → order: these items will be shipped; quantity 0 rejects an item.

    assignment_id: the assignment
    order_id: the order
    location_id: who answers
    items: per item, the quantity accepted
    occurred_at: when the sender says so
    """

    assignment_id: str
    order_id: str
    location_id: str
    items: tuple[ItemQuantity, ...]
    occurred_at: int


class AssignmentRejected(Record):
    """partner → location, and then location → order: none of these items will be shipped.

    assignment_id: the assignment
    order_id: the order
    location_id: who answers
    items: items rejected; empty means all
    reason: why, in the partner's words
    occurred_at: when the sender says so
    """

    assignment_id: str
    order_id: str
    location_id: str
    items: tuple[ItemQuantity, ...]
    reason: str
    occurred_at: int


class Shipped(Record):
    """partner → location, and then location → order: these items left.

    shipment_id: the partner's own number of the shipment; repeats change nothing
    assignment_id: the assignment
    order_id: the order
    location_id: who shipped
    items: what left
    tracks: the parcels
    cash_on_delivery_minor: amount to collect, when any
    package_value_minor: declared value, when any
    occurred_at: when the sender says so
    """

    shipment_id: str
    assignment_id: str
    order_id: str
    location_id: str
    items: tuple[ItemQuantity, ...]
    tracks: tuple[Track, ...]
    cash_on_delivery_minor: int | None
    package_value_minor: int | None
    occurred_at: int


class AssignmentDeclined(Record):
    """location → order: no slot is open today (or the location is unknown or retired).

    assignment_id: the assignment
    order_id: the order
    location_id: where
    reason: capacity_full, unknown_location or retired
    """

    assignment_id: str
    order_id: str
    location_id: str
    reason: str


class AssignmentExpired(Record):
    """location → order: the partner did not answer in time.

    assignment_id: the assignment
    order_id: the order
    location_id: where
    """

    assignment_id: str
    order_id: str
    location_id: str


class AssignmentWithdrawn(Record):
    """location → order: taken back; its units are free.

    assignment_id: the assignment
    order_id: the order
    location_id: where
    """

    assignment_id: str
    order_id: str
    location_id: str


class AssignmentWithdrawalRefused(Record):
    """location → order: too late to take it back.

    assignment_id: the assignment
    order_id: the order
    location_id: where
    status: its status that forbids it
    """

    assignment_id: str
    order_id: str
    location_id: str
    status: str
