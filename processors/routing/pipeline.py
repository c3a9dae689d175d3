"""Pipeline: all eleven steps, every order, every time.

In: an order's facts, its shortlist, the offers of the stock tasks, the reference data, what is known of feeds and
loads, and the time. Out: an `Outcome`: the best plan or the reason there is none, with the packed audit of every step.
The same inputs give the same bytes, in whatever order candidates and mappings come. Nothing is refused and nothing
raises: odd reference data is a fence's verdict.
"""

from typing import Any, Final, NamedTuple

import msgspec

from processors.network import Network
from processors.routing import audit
from processors.routing.candidate import Candidate, Wanted, lanes_of, wanted_of
from processors.routing.facts import Known, Offers, OrderFacts, Outcome, Shortlist
from processors.routing.geo import distance_m
from processors.routing.judge import Row, judge
from processors.routing.plan import Limits, Plan, Takes, best_plan
from processors.routing.shortlist import reason_of
from processors.routing.steps import audit as lock
from processors.routing.steps import cost, fallback
from processors.routing.steps.carrier import cheapest
from processors.routing.words import OK, STEPS, WORD, Verdict
from schemas.records.routing import PlanLine, PlanPart, RoutingPlan

PASSED: Final = bytes(len(STEPS) - 1)
CHOSEN: Final = PASSED + bytes((lock.verdict(chosen=True),))
LOWER_SCORE: Final = PASSED + bytes((lock.verdict(chosen=False),))
NOT_REACHED: Final = bytes((Verdict.NOT_REACHED,)) * len(STEPS)

BEYOND_M: Final = 1 << 40
"""Where locations are sorted whose place nobody knows: after all others."""


def route(
    facts: OrderFacts, shortlist: Shortlist, offers: Offers, network: Network, known: Known, now_at: int
) -> Outcome:
    """The best plan for the order, or why there is none."""
    judged = _judged(facts, shortlist, offers, network=network, known=known, now_at=now_at)
    rows = judged.rows
    rule_set = network.rules_of(facts.merchant_id)
    read = [row.read for row in rows]
    known_rules = (network.version, rule_set.rule_set_id, rule_set.version)
    digest = lock.digest((_told(facts), now_at, known_rules, shortlist.left_out, shortlist.more_tiers, read))
    header = audit.Header(
        network_version=network.version,
        rule_set_id=rule_set.rule_set_id,
        rule_version=rule_set.version,
        evaluated_at=now_at,
        inputs_digest=digest,
        reason=judged.reason,
        fallback=fallback.move(
            judged.reason, more_tiers=shortlist.more_tiers, widened=judged.widened, rules=rule_set.rules
        ),
    )
    packed = audit.pack(header, _columns(rows), shortlist=shortlist, plan=judged.plan)
    return Outcome(judged.plan, WORD[judged.reason], packed, digest.hex(), len(rows))


def decide(
    facts: OrderFacts, shortlist: Shortlist, offers: Offers, network: Network, known: Known, now_at: int
) -> tuple[RoutingPlan | None, str]:
    """The plan and the reason of `route()`, for who wants no audit: a shadow, a back-test."""
    judged = _judged(facts, shortlist, offers, network=network, known=known, now_at=now_at)
    return judged.plan, WORD[judged.reason]


class _Judged(NamedTuple):
    rows: list[Row]
    plan: RoutingPlan | None
    reason: Verdict
    widened: bool


def _judged(
    facts: OrderFacts, shortlist: Shortlist, offers: Offers, *, network: Network, known: Known, now_at: int
) -> _Judged:
    """Ten steps: every candidate judged, and the best plan among those left."""
    wanted = wanted_of(facts, offers, network=network, now_at=now_at)
    rows = _rows(wanted, shortlist, network=network, known=known)
    ranked = sorted(
        [row.candidate for row in rows if row.candidate is not None],
        key=lambda one: (-one.score, one.cost_minor, one.distance_m, one.location_id),
    )
    found, widened = _search(ranked, wanted, more_tiers=shortlist.more_tiers)
    if found is None:
        return _Judged(rows, None, _reason(rows, ranked, wanted=wanted, shortlist=shortlist), widened)
    for rank, _ in found.chosen:
        rows[ranked[rank].index].chosen = True
    return _Judged(rows, _plan(found, ranked, wanted=wanted), Verdict.ROUTED, widened)


def _told(facts: OrderFacts) -> OrderFacts | tuple[Any, ...]:
    """The facts, without the last one where it says nothing: what was decided before there was one has its digest still."""
    return facts if facts.carrier_preference else msgspec.structs.astuple(facts)[:-1]


def _rows(wanted: Wanted, shortlist: Shortlist, *, network: Network, known: Known) -> list[Row]:
    """Every candidate judged, nearest first, so that the order they came in leaves no trace."""
    if wanted.units == 0:
        return []
    lanes = lanes_of(network, wanted.facts)
    near: list[tuple[int, str]] = []
    for location_id in dict.fromkeys(shortlist.location_ids):
        lane = lanes.get(location_id)
        distance = BEYOND_M if lane is None else distance_m(wanted.destination, lane.point)
        near.append((distance, location_id))
    near.sort()
    return [
        judge(lanes.get(location_id), Row(index, location_id, distance_m=distance), wanted=wanted, known=known)
        for index, (distance, location_id) in enumerate(near)
    ]


def _search(ranked: list[Candidate], wanted: Wanted, *, more_tiers: bool) -> tuple[Plan | None, bool]:
    """The best plan, and whether it stands only because the split was widened."""
    if not ranked:
        return None, False
    rules, used = wanted.rules, wanted.facts.shipments_used
    usual = fallback.shipments_left(rules, used, wide=False)
    found = _best(ranked, wanted, shipments=usual, ceiling_minor=wanted.ceiling_minor)
    wide = fallback.shipments_left(rules, used, wide=True)
    if found is not None or more_tiers or wide == usual:
        return found, False
    found = _best(ranked, wanted, shipments=wide, ceiling_minor=wanted.ceiling_minor)
    return found, found is not None


def _best(ranked: list[Candidate], wanted: Wanted, *, shipments: int, ceiling_minor: int | None) -> Plan | None:
    def cost_of(rank: int, takes: Takes) -> int:
        return cost.landed(wanted.bill, takes, in_time=ranked[rank].in_time, handling=ranked[rank].lane.handling)

    limits = Limits(
        shipments=shipments,
        used=wanted.facts.shipments_used,
        penalty=wanted.rules.split_penalty,
        ceiling_minor=ceiling_minor,
    )
    return best_plan(ranked, wanted.quantities, limits=limits, cost_of=cost_of)


def _reason(rows: list[Row], ranked: list[Candidate], *, wanted: Wanted, shortlist: Shortlist) -> Verdict:
    """What step 10 goes by when no plan stands."""
    if wanted.units == 0:
        return Verdict.NOTHING_WANTED
    if not rows:
        return reason_of(shortlist.left_out)
    short = fallback.reason(
        [(row.stopped, row.verdict) for row in rows],
        [row.before for row in rows],
        after=[row.after for row in rows],
        wanted=wanted.quantities,
        splitting=wanted.rules.splitting_allowed,
    )
    if short is not OK:
        return short
    shipments = fallback.shipments_left(wanted.rules, wanted.facts.shipments_used, wide=not shortlist.more_tiers)
    dear = _best(ranked, wanted, shipments=shipments, ceiling_minor=None) is not None
    return Verdict.OVER_COST_CEILING if dear else Verdict.TOO_MANY_SHIPMENTS


def _plan(found: Plan, ranked: list[Candidate], *, wanted: Wanted) -> RoutingPlan:
    """The plan as a record: units become lines again, in the order of the lines, best candidate first."""
    left = [max(demand.quantity, 0) for demand in wanted.facts.lines]
    parts: list[PlanPart] = []
    for rank, takes in found.chosen:
        lines: list[PlanLine] = []
        available = dict(zip(wanted.variants, takes, strict=True))
        for index, demand in enumerate(wanted.facts.lines):
            units = min(left[index], available.get(demand.variant_id, 0))
            if units > 0:
                left[index] -= units
                available[demand.variant_id] -= units
                lines.append(PlanLine(demand.line_no, demand.variant_id, units))
        parts.append(_part(ranked[rank], takes, lines=tuple(lines), wanted=wanted))
    parts.sort(key=lambda part: part.location_id)
    return RoutingPlan(tuple(parts), max(found.score, 0), sum([part.cost_minor for part in parts]))


def _part(candidate: Candidate, takes: Takes, *, lines: tuple[PlanLine, ...], wanted: Wanted) -> PlanPart:
    bill, handling = wanted.bill, candidate.lane.handling
    shipping_minor, arrives_at, tariff = cheapest(candidate.in_time, cost.parcel(bill, takes))
    return PlanPart(
        location_id=candidate.location_id,
        account_id=tariff.account_id,
        carrier=tariff.carrier,
        service=wanted.facts.service,
        lines=lines,
        score=candidate.score,
        cost_minor=shipping_minor + handling[0] + handling[1] * sum(takes) + cost.total(bill.supplier_minor, takes),
        distance_m=candidate.distance_m,
        ready_at=candidate.departs_at,
        deliver_at=arrives_at,
        attempt=wanted.facts.attempt,
    )


def _columns(rows: list[Row]) -> audit.Rows:
    """The rows as the audit packs them."""
    ratings: list[int] = []
    measures: list[int] = []
    for row in rows:
        ratings += row.ratings
        measures += row.measures
    verdicts = b"".join([_verdicts(row) for row in rows])
    scores = [-1 if row.candidate is None else row.candidate.score for row in rows]
    return audit.Rows([row.location_id for row in rows], verdicts, ratings, measures, scores)


def _verdicts(row: Row) -> bytes:
    """All eleven steps' verdicts of a candidate."""
    if row.stopped == len(STEPS):
        return CHOSEN if row.chosen else LOWER_SCORE
    return PASSED[: row.stopped - 1] + bytes((row.verdict,)) + NOT_REACHED[row.stopped :]
