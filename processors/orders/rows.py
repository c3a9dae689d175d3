"""Rows of the orders stage: one order, whole, in one compact row.

An order's row holds what was ordered (`Placed`, never changed), the parts of the decision in force, the reservations
they stand on, and, only while one is under way, the attempt that looks for a place for the units in no part. Units
that no part covers are *open*. Rows travel as MessagePack arrays: fields may be added at the end, never moved.
"""

from enum import StrEnum
from typing import Final

import msgspec

from processors.routing.facts import Demand
from processors.step import ABSENT, Absent, Context, Table


class Phase(StrEnum):
    """Where an order's open units stand; the stage's docstring draws the ways between."""

    UNMAPPED = "unmapped"
    ASKING = "asking"
    ROUTING = "routing"
    RESERVING = "reserving"
    WAITING = "waiting"
    ASSIGNED = "assigned"
    REVIEW = "review"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FULFILLED = "fulfilled"


CANCEL: Final = "cancelled"
REVOKE: Final = "revoked"


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One ordered line; variant_id is None, and quantity counts packs, while the SKU that alias_id names is unmapped."""

    line_no: int
    variant_id: str | None
    quantity: int
    alias_id: str = ""


class Placed(msgspec.Struct, frozen=True, array_like=True):
    """What was ordered, and a digest that tells a repeat from a contradiction."""

    order_id: str
    digest: bytes
    merchant_id: str
    channel: str
    lines: tuple[Line, ...]
    currency: str
    country: str
    postcode_area: str
    latitude_e6: int
    longitude_e6: int
    service: str
    service_type: str
    business: bool
    promised_at: int | None
    partial_consent: bool
    cost_ceiling_minor: int | None
    fixed_location_id: str | None
    carrier_preference: str = ""


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """Units of reservation (order, attempt, variant) at one location: granted, and neither released nor consumed."""

    attempt: int
    variant_id: str
    location_id: str
    quantity: int


class PartLine(msgspec.Struct, frozen=True, array_like=True):
    """Units of one line in a part. short_at: when the partner last refused only some of them."""

    line_no: int
    variant_id: str
    quantity: int
    shipped: int = 0
    accepted: bool = False
    short_at: int | None = None


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One location's share of the order: an assignment.

    withdrawing: CANCEL or REVOKE while its withdrawal is asked; asked_at, repeats: of the last request to the location
    label_account: the account that was asked first for its label
    """

    assignment_id: str
    location_id: str
    account_id: str
    carrier: str
    service: str
    lines: tuple[PartLine, ...]
    score: int
    cost_minor: int
    distance_m: int
    ready_at: int
    deliver_at: int
    attempt: int
    accept_by: int = 0
    asked_at: int = 0
    repeats: int = 0
    withdrawing: str = ""
    label_account: str = ""


class Offered(msgspec.Struct, frozen=True, array_like=True):
    """A variant's answer to an ask, still packed, in the order of the shortlist."""

    variant_id: str
    available: bytes
    updated_at: bytes
    flags: bytes


class Effort(msgspec.Struct, frozen=True, array_like=True):
    """What the attempt under way has asked, heard and reserved.

    awaiting: variants that have not answered; denied: variants that said no
    shortlist: packed, as asked (empty in one hop); plan: what is being reserved
    grants: reserved for this plan, or kept from the denied one; second: this is the one other plan
    """

    awaiting: tuple[str, ...]
    asked_at: int
    repeats: int = 0
    shortlist: bytes = b""
    offers: tuple[Offered, ...] = ()
    plan: tuple[Part, ...] = ()
    score: int = 0
    candidates: int = 0
    inputs_digest: str = ""
    audit: bytes = b""
    grants: tuple[Grant, ...] = ()
    denied: tuple[str, ...] = ()
    second: bool = False


class Parking(msgspec.Struct, frozen=True, array_like=True):
    """Waiting for a plan: since when, how often in vain, until when, and in which variants' lists.

    network_version: of the reference data under which no plan stood; silent: locations that would do but for their feed
    expected_at: when the last of what it waits for should arrive, as the stock tasks said; 0: nothing is announced
    wakes: how often freed stock has woken it
    """

    since: int
    parked_at: int
    waits: int
    retry_at: int
    waiting_for: tuple[str, ...] = ()
    network_version: int = -1
    silent: tuple[str, ...] = ()
    expected_at: int = 0
    wakes: int = 0


class Shipment(msgspec.Struct, frozen=True, array_like=True):
    """What left. shipment_id: unique within the order; status: as tracking last said of one of its parcels; parcels:
    tracking numbers; delivered: those of them that have arrived.
    """

    shipment_id: str
    assignment_id: str
    status: str = ""
    parcels: tuple[str, ...] = ()
    delivered: tuple[str, ...] = ()


class OrderRow(msgspec.Struct, frozen=True, array_like=True):
    """An order.

    attempt: the last one started; decision_id: of the decision in force; grants: what `parts` stand on
    parking: kept while a retry runs; cancelled: nothing is routed any more; refusals: who refused the cancel
    review: kind of the open review item; again_at, retry_at, forget_at, close_at: timers that are set (0: none)
    looking: the timer `orders.look` is set; mapping_asked_at, mapping_repeats: of the last question what a SKU means
    """

    placed: Placed
    phase: Phase
    attempt: int = 0
    tier: int = 1
    reroutes: int = 0
    decision_id: str = ""
    parts: tuple[Part, ...] = ()
    grants: tuple[Grant, ...] = ()
    effort: Effort | None = None
    parking: Parking | None = None
    excluded: tuple[str, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    cancelled: bool = False
    refusals: tuple[str, ...] = ()
    review: str = ""
    closed_at: int | None = None
    again_at: int = 0
    retry_at: int = 0
    forget_at: int = 0
    close_at: int = 0
    looking: bool = False
    mapping_asked_at: int = 0
    mapping_repeats: int = 0


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An event that came before its order: its type, who signed it, where it was read, and the record packed."""

    kind: str
    signer: str | None
    source: str
    packed: bytes


class Pending(msgspec.Struct, frozen=True, array_like=True):
    """Events that wait for one order."""

    until: int
    events: tuple[Kept, ...]


class ShadowRow(msgspec.Struct, frozen=True, array_like=True):
    """How often a shadow version of a rule set agreed, differed, or could not be compared, as this partition saw it."""

    version: int
    agrees: int = 0
    differs: int = 0
    unknown: int = 0


ORDERS: Final = Table("orders", OrderRow)
"""By order_id."""

PENDING: Final = Table("pending_events", Pending)
"""By order_id."""


SHADOWS: Final = Table("shadows", ShadowRow, shared=True)
"""By rule_set_id. Carried to more partitions, each goes on from another's numbers: the rate stays, the sum does not."""


def row_of(order_id: str, ctx: Context) -> OrderRow | Absent:
    """The order's row, or ABSENT."""
    return ctx.get(ORDERS, order_id)


def open_demand(row: OrderRow) -> tuple[Demand, ...]:
    """Units of mapped lines that no part covers."""
    placed: dict[int, int] = {}
    for part in row.parts:
        for covered in part.lines:
            placed[covered.line_no] = placed.get(covered.line_no, 0) + covered.quantity
    return tuple(
        Demand(line.line_no, line.variant_id, line.quantity - placed.get(line.line_no, 0))
        for line in row.placed.lines
        if line.variant_id is not None and line.quantity > placed.get(line.line_no, 0)
    )


def all_delivered(row: OrderRow) -> bool:
    """Whether every parcel of a fulfilled order has arrived; a shipment without a tracking number never has."""
    return (
        row.phase is Phase.FULFILLED
        and bool(row.shipments)
        and all(shipment.parcels and set(shipment.parcels) <= set(shipment.delivered) for shipment in row.shipments)
    )


def part_of(row: OrderRow, assignment_id: str) -> Part | Absent:
    """The part that is this assignment, or ABSENT when it is none of the decision in force."""
    for part in row.parts:
        if part.assignment_id == assignment_id:
            return part
    return ABSENT


def with_part(row: OrderRow, part: Part) -> OrderRow:
    """The order with this part in place of its earlier self."""
    parts = tuple(part if other.assignment_id == part.assignment_id else other for other in row.parts)
    return msgspec.structs.replace(row, parts=parts)


def unshipped(part: Part) -> dict[int, int]:
    """By line number, the units that have not left."""
    return {line.line_no: line.quantity - line.shipped for line in part.lines if line.quantity > line.shipped}


def all_shipped(row: OrderRow) -> bool:
    """Whether there is a part, and every unit of every part has left."""
    return bool(row.parts) and not any(unshipped(part) for part in row.parts)
