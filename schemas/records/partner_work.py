"""What happens to an assignment at its partner between acceptance and the end: allocation, picking, packing, invoicing.

All but AssignmentUpdated travel on `partner-responses`, keyed by location_id and signed by the location's partner,
whose ERP and warehouse they come from; PartialsSet is the tenant's own. AssignmentUpdated answers each of them on
`assignments`, a repeat that changes nothing too.
"""

from schemas.records.assignments import ItemQuantity
from schemas.records.base import Int32, Part, Record


class ItemState(Part):
    """One item of an assignment, in units: ordered = accepted + rejected + what is undecided.

    item_id: the order's line number
    ordered: asked for
    accepted: the partner will ship or has shipped
    rejected: the partner will not ship
    allocated: of the accepted ones, those that the ERP has confirmed
    shipped: of the accepted ones, those that have left
    """

    item_id: Int32
    ordered: Int32
    accepted: Int32
    rejected: Int32
    allocated: Int32
    shipped: Int32


class JobState(Part):
    """One stage of the work on an assignment.

    job_id: the partner's own number of it
    kind: pick, pack, parcel or handover
    state: open, in_progress or closed
    batch_id: the batch it is done with; empty when it is done alone
    """

    job_id: str
    kind: str
    state: str
    batch_id: str


class AssignmentUpdated(Record):
    """location → partner: where the assignment stands now, at every change and for every decision that was repeated.

    assignment_id: the assignment
    order_id: the order
    location_id: where
    status: pending_accept, partially_accepted, accepted, partially_shipped, shipped, invoiced, invoice_failed, rejected,
        expired, withdrawn or declined
    queue: pending_accept, pending_allocation, pending_shipment, pending_invoice, completed or failed
    items: units by item
    jobs: stages the partner has reported
    partials: whether part of it may be accepted or shipped
    reason: why it was declined, or could not be invoiced; else empty
    invoice_number: the ERP's number, once it is invoiced
    updated_at: the task's time
    """

    assignment_id: str
    order_id: str
    location_id: str
    status: str
    queue: str
    items: tuple[ItemState, ...]
    jobs: tuple[JobState, ...]
    partials: bool
    reason: str
    invoice_number: str
    updated_at: int


class AllocationConfirmed(Record):
    """ERP → location: these units are set aside for the assignment and may be shipped.

    assignment_id: the assignment
    order_id: the order
    location_id: who answers
    items: per item, the units allocated in all; empty means all that was accepted
    occurred_at: when the sender says so
    """

    assignment_id: str
    order_id: str
    location_id: str
    items: tuple[ItemQuantity, ...]
    occurred_at: int


class AllocationFailed(Record):
    """ERP → location: these accepted units cannot be set aside; they go back to the order, which is routed elsewhere.

    assignment_id: the assignment
    order_id: the order
    location_id: who answers
    items: per item, the units accepted and not allocated; empty means all of them
    reason: why, in the ERP's words
    occurred_at: when the sender says so
    """

    assignment_id: str
    order_id: str
    location_id: str
    items: tuple[ItemQuantity, ...]
    reason: str
    occurred_at: int


class Invoiced(Record):
    """ERP → location: what was shipped is invoiced.

    assignment_id: the assignment
    order_id: the order
    location_id: who answers
    invoice_number: the ERP's number; bills that name it find the order
    occurred_at: when the sender says so
    """

    assignment_id: str
    order_id: str
    location_id: str
    invoice_number: str
    occurred_at: int


class InvoicingFailed(Record):
    """ERP → location: what was shipped could not be invoiced; it stays in the queue `failed` until it is.

    assignment_id: the assignment
    order_id: the order
    location_id: who answers
    reason: why, in the ERP's words
    occurred_at: when the sender says so
    """

    assignment_id: str
    order_id: str
    location_id: str
    reason: str
    occurred_at: int


class JobReported(Record):
    """partner → location: a stage of the work has come this far.

    assignment_id: the assignment
    order_id: the order
    location_id: who reports
    job_id: the partner's own number of the job, parcel or handover; one kind for good
    kind: pick, pack, parcel or handover
    state: open, in_progress or closed; never back
    items: with a pick that closes, the units picked of the items it names; fewer than accepted is a short pick
    occurred_at: when the sender says so
    """

    assignment_id: str
    order_id: str
    location_id: str
    job_id: str
    kind: str
    state: str
    items: tuple[ItemQuantity, ...]
    occurred_at: int


class PickBatchReported(Record):
    """partner → location: several assignments are picked in one walk, which has come this far.

    location_id: who reports
    batch_id: the partner's own number of the batch; each of its assignments has a pick job of this number
    state: open, in_progress or closed; never back
    assignment_ids: the assignments of the batch; all of them move, or none does
    occurred_at: when the sender says so
    """

    location_id: str
    batch_id: str
    state: str
    assignment_ids: tuple[str, ...]
    occurred_at: int


class PartialsSet(Record):
    """operator → location: allow or forbid partial work on one assignment, whatever tenant and customer have said.

    assignment_id: the assignment
    order_id: the order
    location_id: where
    partials: whether part of it may be accepted or shipped from now on
    comment: why, in the operator's words
    occurred_at: when the sender says so
    """

    assignment_id: str
    order_id: str
    location_id: str
    partials: bool
    comment: str
    occurred_at: int
