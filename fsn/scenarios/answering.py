"""Answering: what a partner, its ERP or an operator says of an assignment, as the record it would send.

In: the kind of a step, the step, the offer it speaks of, and units by item. Out: one record of `partner-responses`.
"""

from collections.abc import Mapping
from typing import Final

from fsn.scenarios.building import id_of
from fsn.scenarios.reading import Answer
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentOffered,
    AssignmentRejected,
    ItemQuantity,
    Shipped,
    Track,
)
from schemas.records.base import Record
from schemas.records.partner_work import (
    AllocationConfirmed,
    AllocationFailed,
    Invoiced,
    InvoicingFailed,
    JobReported,
    PartialsSet,
)

KINDS: Final = (
    "accept",
    "reject",
    "ship",
    "allocate",
    "fail_allocation",
    "invoice",
    "fail_invoice",
    "work",
    "set_partials",
)
"""Steps that are said of an assignment."""


def record_of(kind: str, answer: Answer, offer: AssignmentOffered, units: Mapping[int, int], at: int) -> Record:
    """The record that says so.

    Args:
        units: by item; all that was offered where the step names none
        at: when it is said
    """
    location_id = id_of("locations", answer.at)
    ids = offer.assignment_id, offer.order_id, location_id
    items = tuple(ItemQuantity(*item) for item in units.items())
    named = () if answer.items is None and answer.item_ids is None else items
    match kind:
        case "accept":
            return AssignmentAccepted(*ids, items, at)
        case "reject":
            return AssignmentRejected(*ids, named, answer.reason, at)
        case "ship":
            track = Track("dhl_parcel_de", "DHL", f"00340{answer.shipment}")
            return Shipped(f"{location_id}|{answer.shipment}", *ids, items, (track,), None, None, at)
        case "allocate":
            return AllocationConfirmed(*ids, named, at)
        case "fail_allocation":
            return AllocationFailed(*ids, named, answer.reason, at)
        case "invoice":
            return Invoiced(*ids, answer.number, at)
        case "fail_invoice":
            return InvoicingFailed(*ids, answer.reason, at)
        case "work":
            return JobReported(*ids, answer.number, answer.job, answer.state, named, at)
        case _:
            return PartialsSet(*ids, answer.partials, "scenario", at)
