"""What happened to an order, as the topics keyed by it say: its attempts, and everything else in short.

In: a recording and an order_id. Out: a `Story`: events in the order of their timestamps, and per attempt every
evaluation that was published, with the decision where one was locked. Refused (`UnknownOrder`): an order of which no
topic says anything.
"""

from typing import Any, Final

import msgspec

from fsn.recording import Recording
from schemas.records.base import Record
from schemas.records.orders import OrderPlaced
from schemas.records.reservations import StockRouted, StockUnroutable
from schemas.records.routing import RoutingAudit, RoutingDecision

TOPICS: Final = (
    "orders",
    "order-events",
    "stock-offers",
    "routing-audits",
    "routing-decisions",
    "order-status",
    "order-facts",
)
"""All keyed by order_id; in the order of what causes what, for what follows from a record has its timestamp."""

TOLD: Final = {
    "OrderPlaced": ("merchant_id", "channel", "country", "service"),
    "OrderCancelled": ("reason",),
    "OrderClosed": (),
    "OrderFulfilled": (),
    "ReservationDenied": ("attempt", "variant_id", "reason"),
    "RevocationAsked": ("attempt", "variant_id"),
    "RoutingAudit": ("attempt", "outcome"),
    "RoutingDecision": ("attempt", "decision_id", "supersedes"),
    "OrderParked": ("attempt", "status", "reason"),
    "AssignmentAccepted": ("location_id",),
    "AssignmentRejected": ("location_id", "reason"),
    "AssignmentDeclined": ("location_id", "reason"),
    "AssignmentExpired": ("location_id",),
    "AssignmentWithdrawn": ("location_id",),
    "AssignmentWithdrawalRefused": ("location_id", "status"),
    "Shipped": ("location_id", "shipment_id"),
}
"""Which records belong to the story, and what of them is told."""


class UnknownOrder(RuntimeError):
    """No topic says anything of this order."""


class Event(msgspec.Struct, frozen=True):
    """One thing that happened: when, what, and its few telling fields."""

    at: int
    what: str
    fields: dict[str, str]


class Evaluation(msgspec.Struct, frozen=True):
    """One published evaluation.

    outcome: routed, unroutable or denied
    variant_id: whose task made it; None where it was the order's own
    """

    attempt: int
    outcome: str
    packed: bytes
    decision: RoutingDecision | None
    variant_id: str | None


class Story(msgspec.Struct, frozen=True):
    """An order's events, and its evaluations in the order they were published."""

    order_id: str
    placed: OrderPlaced | None
    events: tuple[Event, ...]
    evaluations: tuple[Evaluation, ...]

    def evaluation(self, attempt: int | None) -> Evaluation | None:
        """The last one of this attempt; of all, that of the last decision, else the last."""
        # A reservation denied before anything was evaluated is an attempt without an audit.
        of_attempt = [one for one in self.evaluations if one.packed and attempt in (None, one.attempt)]
        decided = [one for one in of_attempt if one.decision is not None] if attempt is None else []
        found = decided or of_attempt
        return found[-1] if found else None


def read_story(recording: Recording, order_id: str) -> Story:
    """All that was recorded of an order."""
    found: list[tuple[int, Record]] = []
    for topic in TOPICS:
        found += recording.of_key(topic, order_id)
    if not found:
        raise UnknownOrder(
            f"no order {order_id!r} on the topics: an order_id is tenant|source|number, as in 'acme|shop|48372'"
        )
    found.sort(key=lambda timed: timed[0])  # stable: at one instant, the order of TOPICS
    records = [record for _, record in found]
    events = [_event(at, record) for at, record in found if _told(record)]
    placed = next((record for record in records if isinstance(record, OrderPlaced)), None)
    return Story(order_id, placed, tuple(events), tuple(_evaluations(records)))


def _evaluations(records: list[Record]) -> list[Evaluation]:
    decisions = {record.decision_id: record for record in records if isinstance(record, RoutingDecision)}
    by_variant = {
        record.audit: record.variant_id for record in records if isinstance(record, StockRouted | StockUnroutable)
    }
    return [
        Evaluation(
            attempt=record.attempt,
            outcome=record.outcome,
            packed=record.audit,
            decision=decisions.get(record.decision_id or ""),
            variant_id=by_variant.get(record.audit),
        )
        for record in records
        if isinstance(record, RoutingAudit)
    ]


def _told(record: Record) -> bool:
    """An audit of what was routed stands beside its decision, and says nothing more here."""
    if isinstance(record, RoutingAudit) and record.decision_id is not None:
        return False
    return type(record).__name__ in TOLD


def _event(at: int, record: Record) -> Event:
    name = type(record).__name__
    values: list[tuple[str, Any]] = [(field, getattr(record, field, None)) for field in TOLD[name]]
    return Event(at, name, {field: str(value) for field, value in values if value is not None})
