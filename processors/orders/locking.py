"""Locking: every unit is reserved, so the decision is published and the locations are asked.

In: an order whose attempt holds a grant for each unit of its plan. Out: RoutingDecision (kept parts included, naming
the decision it supersedes), RoutingAudit, AssignmentRequested per new part, ConfirmReservation for what they stand on
(the stock task alerts on reservations that nobody claims); ReleaseStock for units kept from a denied plan that this
one does not use; StopWaiting where the order stood in a list. Once per attempt, never twice.
"""

import msgspec

from processors.orders.holdings import Grants, plan_lines, release
from processors.orders.parking import stop_waiting
from processors.orders.planning import rules_for
from processors.orders.rows import Effort, Grant, OrderRow, Part, Phase
from processors.step import Context, stable_id
from schemas.records.assignments import AssignmentRequested
from schemas.records.reservations import ConfirmReservation
from schemas.records.routing import PlanLine, PlanPart, RoutingAudit, RoutingDecision, RoutingPlan


class Basis(msgspec.Struct, frozen=True):
    """Which rules and reference data a plan rests on."""

    network_offset: int
    rule_set_id: str
    rule_version: int


def own_basis(row: OrderRow, ctx: Context) -> Basis:
    """What is in force for this task now."""
    rule_set = ctx.network.rules_of(row.placed.merchant_id)
    return Basis(ctx.network.version, rule_set.rule_set_id, rule_set.version)


def audit(row: OrderRow, outcome: str, packed: bytes, ctx: Context, *, decision_id: str | None = None) -> None:
    """Say why."""
    order_id = row.placed.order_id
    ctx.emit("routing-audits", order_id, RoutingAudit(decision_id, order_id, row.attempt, outcome, packed))


def lock(row: OrderRow, effort: Effort, basis: Basis, ctx: Context) -> OrderRow:
    """Publish the decision of this attempt and hand its parts to the locations."""
    order_id = row.placed.order_id
    kept, surplus = _split_surplus(effort) if effort.second else (effort.grants, [])
    grants = row.grants + kept
    release(row, surplus, grants, ctx, reason="superseded")
    decision_id = stable_id("rd", order_id, row.attempt)
    asked = tuple(_dated(row, part, ctx) for part in effort.plan)
    decision = RoutingDecision(
        decision_id=decision_id,
        order_id=order_id,
        attempt=row.attempt,
        merchant_id=row.placed.merchant_id,
        rule_set_id=basis.rule_set_id,
        rule_version=basis.rule_version,
        network_offset=basis.network_offset,
        plan=_plan(row, effort, grants, ctx),
        supersedes=row.decision_id or None,
        candidates=effort.candidates,
        inputs_digest=effort.inputs_digest,
        decided_at=ctx.now_at,
    )
    ctx.emit("routing-decisions", order_id, decision)
    audit(row, "routed", effort.audit, ctx, decision_id=decision_id)
    for part in asked:
        request_assignment(row, part, decision_id, ctx)
    for attempt, variant_id in dict.fromkeys((grant.attempt, grant.variant_id) for grant in kept):
        ctx.emit("stock-requests", variant_id, ConfirmReservation(order_id, attempt, variant_id))
    row = stop_waiting(row, ctx)
    return msgspec.structs.replace(
        row, phase=Phase.ASSIGNED, decision_id=decision_id, parts=row.parts + asked, grants=grants, effort=None
    )


def _dated(row: OrderRow, part: Part, ctx: Context) -> Part:
    """The partner's time to accept begins when it is asked."""
    accept_ms = rules_for(row, ctx).acceptance_expiry_ms
    location = ctx.network.locations.get(part.location_id)
    if location is not None:
        accept_ms = min(accept_ms, location.accept_within_ms)
    return msgspec.structs.replace(part, accept_by=ctx.now_at + accept_ms, asked_at=ctx.now_at)


def request_assignment(row: OrderRow, part: Part, decision_id: str, ctx: Context) -> None:
    """Ask the location to offer a part to its partner; asked again, it changes nothing."""
    location = ctx.network.locations.get(part.location_id)
    partner = None if location is None else ctx.network.partners.get(location.partner_id)
    allowed = rules_for(row, ctx).partials_allowed or (partner is not None and partner.partials_allowed)
    request = AssignmentRequested(
        assignment_id=part.assignment_id,
        order_id=row.placed.order_id,
        attempt=part.attempt,
        decision_id=decision_id,
        location_id=part.location_id,
        account_id=part.account_id,
        service=part.service,
        lines=tuple(PlanLine(line.line_no, line.variant_id, line.quantity) for line in part.lines),
        partials=row.placed.partial_consent or allowed,
        accept_by=part.accept_by,
    )
    ctx.emit("location-requests", part.location_id, request)


def _split_surplus(effort: Effort) -> tuple[Grants, list[Grant]]:
    """What the plan needs of the grants, newest first (those were asked for it), and what it does not need."""
    needed: dict[tuple[str, str], int] = {}
    for part in effort.plan:
        for line in part.lines:
            place = line.variant_id, part.location_id
            needed[place] = needed.get(place, 0) + line.quantity
    kept: list[Grant] = []
    surplus: list[Grant] = []
    for grant in sorted(effort.grants, key=lambda grant: -grant.attempt):
        place = grant.variant_id, grant.location_id
        used = min(grant.quantity, needed.get(place, 0))
        needed[place] = needed.get(place, 0) - used
        if used:
            kept.append(msgspec.structs.replace(grant, quantity=used))
        if used < grant.quantity:
            surplus.append(msgspec.structs.replace(grant, quantity=grant.quantity - used))
    return tuple(kept), surplus


def _plan(row: OrderRow, effort: Effort, grants: Grants, ctx: Context) -> RoutingPlan:
    """All parts, kept ones included, as the decision names them."""
    shown: list[PlanPart] = []
    for part in row.parts + effort.plan:
        grants, lines = plan_lines(grants, part)
        shown.append(
            PlanPart(
                location_id=part.location_id,
                account_id=part.account_id,
                carrier=part.carrier,
                service=part.service,
                lines=lines,
                score=part.score,
                cost_minor=part.cost_minor,
                distance_m=part.distance_m,
                ready_at=part.ready_at,
                deliver_at=part.deliver_at,
                attempt=part.attempt,
            )
        )
    shown.sort(key=lambda part: (part.location_id, part.attempt))
    score = effort.score if not row.parts else _merged_score(shown, rules_for(row, ctx).split_penalty)
    return RoutingPlan(tuple(shown), score, sum(part.cost_minor for part in shown))


def _merged_score(parts: list[PlanPart], split_penalty: int) -> int:
    """A plan with kept parts is scored as routing scores any plan: unit-weighted mean less the split penalty."""
    units = [sum(line.quantity for line in part.lines) for part in parts]
    mean = sum(part.score * count for part, count in zip(parts, units, strict=True)) // sum(units)
    return max(0, mean - split_penalty * (len(parts) - 1))
