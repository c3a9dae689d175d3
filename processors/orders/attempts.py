"""Attempts: each plan is one attempt, and the one before leaves nothing behind.

In: an order with open units. Out: RouteStock (one variant: routed and reserved in one hop) or AskStock per variant
with the order's shortlist; then ReserveStock per variant of the plan that `route()` finds. When no plan stands: the
next tier of locations, then parking. Before attempt n+1 starts, everything that attempt n left unanswered or does not
keep is released (design §5 a); a denied plan keeps its grants while one other plan is tried (c).
"""

import msgspec

from processors.orders.holdings import by_reservation, release, release_all
from processors.orders.locking import audit
from processors.orders.parking import park
from processors.orders.planning import (
    asked_shortlist,
    evaluate,
    facts_of,
    offers_of,
    short_variants,
    shortlist_for,
    wanted,
)
from processors.orders.rows import Effort, Grant, Offered, OrderRow, Part, PartLine, Phase
from processors.routing.facts import OrderFacts, Outcome, Shortlist
from processors.step import Context, stable_id
from schemas.records.reservations import AskStock, ReserveLine, ReserveStock, RouteStock
from schemas.records.routing import RoutingPlan


def begin(row: OrderRow, ctx: Context, *, reason: str = "superseded", tier: int = 1) -> OrderRow:
    """Start the next attempt for all open units, from the first tier unless fallback says otherwise."""
    row = leave(row, ctx, reason=reason)
    row = msgspec.structs.replace(row, attempt=row.attempt + 1, tier=tier)
    facts = facts_of(row)
    chosen = shortlist_for(facts, ctx)
    while not chosen.location_ids and chosen.more_tiers:
        row = msgspec.structs.replace(row, tier=row.tier + 1)
        facts = facts_of(row)
        chosen = shortlist_for(facts, ctx)
    if not chosen.location_ids:
        outcome = evaluate(facts, chosen, {}, ctx)
        audit(row, "unroutable", outcome.audit, ctx)
        return park(row, ctx, reason=outcome.reason, short={}, location_ids=())
    units = wanted(facts)
    effort = Effort(tuple(units), ctx.now_at)
    if len(units) == 1:
        route_in_one_hop(facts, chosen, ctx)
        return msgspec.structs.replace(row, phase=Phase.ROUTING, effort=effort)
    effort = msgspec.structs.replace(effort, shortlist=msgspec.msgpack.encode(chosen))
    ask(facts, chosen, effort.awaiting, ctx)
    return msgspec.structs.replace(row, phase=Phase.ASKING, effort=effort)


def route_in_one_hop(facts: OrderFacts, chosen: Shortlist, ctx: Context) -> None:
    """Let the variant's own task route and reserve."""
    variant_id = facts.lines[0].variant_id
    packed, shortlisted = msgspec.msgpack.encode(facts), msgspec.msgpack.encode(chosen)
    request = RouteStock(facts.order_id, facts.attempt, variant_id, packed, shortlisted)
    ctx.emit("stock-requests", variant_id, request)


def ask(facts: OrderFacts, chosen: Shortlist, variants: tuple[str, ...], ctx: Context) -> None:
    """Ask each variant once, for all its units."""
    units = wanted(facts)
    for variant_id in variants:
        request = AskStock(facts.order_id, facts.attempt, variant_id, units[variant_id], chosen.location_ids)
        ctx.emit("stock-requests", variant_id, request)


def leave(row: OrderRow, ctx: Context, *, reason: str) -> OrderRow:
    """End the attempt under way: what it reserved, or may still be granted, is released."""
    effort = row.effort
    if effort is None:
        return row
    if row.phase is not Phase.ASKING:
        for variant_id in effort.awaiting:
            release_all(row, row.attempt, variant_id, ctx, reason=reason)
    bury_denied(row, effort, ctx)
    release(row, list(effort.grants), row.grants, ctx, reason=reason)
    return msgspec.structs.replace(row, effort=None)


def bury_denied(row: OrderRow, effort: Effort, ctx: Context) -> None:
    """A request that was repeated may be answered twice: what was denied first could still be granted, unless buried."""
    if effort.repeats:
        for variant_id in effort.denied:
            release_all(row, row.attempt, variant_id, ctx, reason="denied")


def plan(row: OrderRow, effort: Effort, ctx: Context) -> OrderRow:
    """All variants have answered: find a plan and reserve it."""
    facts = facts_of(row)
    chosen = asked_shortlist(effort)
    outcome = evaluate(facts, chosen, offers_of(effort, chosen), ctx)
    if outcome.plan is None:
        audit(row, "unroutable", outcome.audit, ctx)
        return give_up(row, effort, ctx, reason=outcome.reason)
    return _reserve(row, effort, outcome, outcome.plan, ctx)


def give_up(row: OrderRow, effort: Effort, ctx: Context, *, reason: str) -> OrderRow:
    """No plan stands among those asked: nothing is held any longer."""
    facts = facts_of(row)
    chosen = asked_shortlist(effort)
    short = short_variants(facts, offers_of(effort, chosen))
    row = leave(msgspec.structs.replace(row, effort=effort), ctx, reason="denied")
    return fall_back(row, ctx, reason=reason, short=short, chosen=chosen)


def fall_back(row: OrderRow, ctx: Context, *, reason: str, short: dict[str, int], chosen: Shortlist) -> OrderRow:
    """The next tier of locations, then wait."""
    if chosen.more_tiers:
        return begin(row, ctx, tier=row.tier + 1)
    return park(row, ctx, reason=reason, short=short, location_ids=_asked_by_all_tiers(row, chosen, ctx))


def _asked_by_all_tiers(row: OrderRow, chosen: Shortlist, ctx: Context) -> tuple[str, ...]:
    """Every location that would do: beyond the highest tier a shortlist names only the next nearest ones."""
    if row.tier == 1:
        return chosen.location_ids
    facts = [facts_of(msgspec.structs.replace(row, tier=tier)) for tier in range(1, row.tier + 1)]
    return tuple(dict.fromkeys(name for each in facts for name in shortlist_for(each, ctx).location_ids))


def try_other_plan(row: OrderRow, effort: Effort, ctx: Context) -> OrderRow:
    """The plan was denied: one other is tried, as the next attempt, while its grants are kept."""
    audit(row, "denied", effort.audit, ctx)
    if effort.second:
        return give_up(row, effort, ctx, reason="denied")
    bury_denied(row, effort, ctx)
    row = msgspec.structs.replace(row, attempt=row.attempt + 1)
    return plan(row, msgspec.structs.replace(effort, denied=(), repeats=0, second=True), ctx)


def _reserve(row: OrderRow, effort: Effort, outcome: Outcome, found: RoutingPlan, ctx: Context) -> OrderRow:
    parts = parts_of(row, found)
    awaiting = send_reserves(row, parts, effort.grants, ctx)
    effort = msgspec.structs.replace(
        effort,
        awaiting=awaiting,
        asked_at=ctx.now_at,
        repeats=0,
        plan=parts,
        score=found.score,
        candidates=outcome.candidates,
        inputs_digest=outcome.inputs_digest,
        audit=outcome.audit,
    )
    return msgspec.structs.replace(row, phase=Phase.RESERVING, effort=effort)


def send_reserves(
    row: OrderRow, parts: tuple[Part, ...], kept: tuple[Grant, ...], ctx: Context, *, only: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Reserve, per variant, what the plan needs beyond the grants kept; returns the variants asked."""
    held = _places(kept)
    needed: dict[str, dict[str, int]] = {}
    for part in parts:
        for line in part.lines:
            places = needed.setdefault(line.variant_id, {})
            places[part.location_id] = places.get(part.location_id, 0) + line.quantity
    asked: list[str] = []
    for variant_id, places in needed.items():
        lines = tuple(
            ReserveLine(location_id, quantity - held.get((variant_id, location_id), 0))
            for location_id, quantity in places.items()
            if quantity > held.get((variant_id, location_id), 0)
        )
        if lines and (not only or variant_id in only):
            asked.append(variant_id)
            request = ReserveStock(row.placed.order_id, row.attempt, variant_id, lines)
            ctx.emit("stock-requests", variant_id, request)
    return tuple(asked)


def _places(grants: tuple[Grant, ...]) -> dict[tuple[str, str], int]:
    units: dict[tuple[str, str], int] = {}
    for (_, variant_id), places in by_reservation(list(grants)).items():
        for location_id, quantity in places.items():
            units[variant_id, location_id] = units.get((variant_id, location_id), 0) + quantity
    return units


def parts_of(row: OrderRow, found: RoutingPlan) -> tuple[Part, ...]:
    """A plan's parts as the order keeps them."""
    return tuple(
        Part(
            assignment_id=stable_id("as", row.placed.order_id, row.attempt, part.location_id),
            location_id=part.location_id,
            account_id=part.account_id,
            carrier=part.carrier,
            service=part.service,
            lines=tuple(PartLine(line.line_no, line.variant_id, line.quantity) for line in part.lines),
            score=part.score,
            cost_minor=part.cost_minor,
            distance_m=part.distance_m,
            ready_at=part.ready_at,
            deliver_at=part.deliver_at,
            attempt=row.attempt,
        )
        for part in found.parts
    )


def heard(effort: Effort, variant_id: str, offered: Offered | None = None) -> Effort:
    """The attempt with one answer more."""
    awaiting = tuple(other for other in effort.awaiting if other != variant_id)
    offers = effort.offers if offered is None else (*effort.offers, offered)
    return msgspec.structs.replace(effort, awaiting=awaiting, offers=offers)
