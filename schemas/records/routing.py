"""Decisions and their audits.

`routing-decisions` and `routing-audits` are keyed by order_id. A decision is locked: its id derives from
(order_id, attempt), and a later decision of the same order names the one it supersedes. Scores and ratings are
integers 0 … 1,000,000; distances integer metres.
"""

from schemas.records.base import Int32, Part, Record


class PlanLine(Part):
    """Units of one order line at one location.

    line_no: the order's line
    variant_id: the variant
    quantity: units
    attempt: the attempt whose reservation these units stand on, where it is not the part's own; else 0
    """

    line_no: Int32
    variant_id: str
    quantity: Int32
    attempt: Int32 = 0


class PlanPart(Part):
    """What one location does for the order.

    location_id: the location
    account_id: the carrier account chosen for cost
    carrier: that account's carrier
    service: service level
    lines: what it ships
    score: this candidate's score, 0 … 1,000,000
    cost_minor: landed cost in the merchant's currency
    distance_m: great-circle distance to the destination
    ready_at: when it can be handed over
    deliver_at: when it should arrive
    attempt: the attempt whose reservation it stands on (older than the decision's when a part is kept)
    """

    location_id: str
    account_id: str
    carrier: str
    service: str
    lines: tuple[PlanLine, ...]
    score: Int32
    cost_minor: int
    distance_m: int
    ready_at: int
    deliver_at: int
    attempt: Int32


class RoutingPlan(Part):
    """Parts that together cover what has to be covered.

    parts: one per location, sorted by location_id
    score: the plan's score
    cost_minor: sum of the parts' costs
    """

    parts: tuple[PlanPart, ...]
    score: Int32
    cost_minor: int


class RoutingDecision(Record):
    """Where an order goes: published once per attempt, when every unit of it is reserved.

    decision_id: derived from (order_id, attempt)
    order_id: the order
    attempt: counts the order's attempts from 1
    merchant_id: who sells
    rule_set_id: the rules that decided
    rule_version: their version
    network_offset: the reference data that was in force
    plan: parts, kept ones included
    supersedes: the earlier decision this one replaces
    candidates: how many locations were evaluated
    inputs_digest: sha1 of all inputs of the evaluation
    decided_at: the task's time
    """

    decision_id: str
    order_id: str
    attempt: Int32
    merchant_id: str
    rule_set_id: str
    rule_version: Int32
    network_offset: int
    plan: RoutingPlan
    supersedes: str | None
    candidates: Int32
    inputs_digest: str
    decided_at: int


class RoutingAudit(Record):
    """Why: every step and every candidate, packed.

    decision_id: the decision it explains; null when no plan stood
    order_id: the order
    attempt: the attempt
    outcome: routed, unroutable or denied (a plan stood, its reservation did not)
    audit: packed (`processors.routing.audit` documents the layout and unpacks it)
    """

    decision_id: str | None
    order_id: str
    attempt: Int32
    outcome: str
    audit: bytes


class ShadowDecided(Record):
    """What a merchant's shadow rules would have decided where its active ones did; nothing follows from it.

    order_id: the order
    attempt: the attempt that was evaluated
    merchant_id: who sells
    rule_set_id: the rule set
    active_version: the version that decided
    shadow_version: the version that did not
    outcome: agrees (the same units, places and carrier accounts), differs, or unknown (the shadow would have asked
        locations that nobody asked)
    active_plan: what was found; null when no plan stood
    active_reason: routed, or what left no plan
    shadow_plan: what the shadow found among the locations asked; null when no plan stood
    shadow_reason: the same, of the shadow
    decided_at: the task's time
    """

    order_id: str
    attempt: Int32
    merchant_id: str
    rule_set_id: str
    active_version: Int32
    shadow_version: Int32
    outcome: str
    active_plan: RoutingPlan | None
    active_reason: str
    shadow_plan: RoutingPlan | None
    shadow_reason: str
    decided_at: int


class OrderParked(Record):
    """The order has no plan for now and waits, or has ended without one, or could not be cancelled.

    order_id: the order
    attempt: the attempt that failed
    status: unmapped (a line has no variant yet), waiting, review, expired, cancelled or cancel_refused (goes on; the
        reason names each location that refused and its status there)
    reason: why
    retry_at: when it is tried again at the latest; null when it is not
    expected_at: when what it waits for should arrive; null when nothing is announced
    """

    order_id: str
    attempt: Int32
    status: str
    reason: str
    retry_at: int | None
    expected_at: int | None = None
