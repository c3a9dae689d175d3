"""Judge: one candidate through steps 1 to 9, in their order, until a fence stops it.

In: a lane (None when the reference data no longer knows the location), the order, what is known of feeds and loads.
Out: the candidate's row: the step that stopped it and what that said, the ratings, the measured values, what was read,
and the candidate with its score when every fence let it pass. The steps themselves decide; this only asks them in
turn. It is the hot path of routing: it makes few objects, and reads each value once.
"""

from typing import Final

from processors.routing.calendars import QUARTER_MS, local_date
from processors.routing.candidate import Candidate, Lane, Wanted
from processors.routing.facts import Known, Offer
from processors.routing.plan import Takes
from processors.routing.score import NOT_RATED, score
from processors.routing.steps import capability, capacity, carrier, cost, freshness, proximity, region, sla, stock
from processors.routing.words import OK, RATED, STEPS, Verdict
from processors.rules import MILLION

STOCK, REGION, SLA, CAPACITY, COST, PROXIMITY, FRESHNESS = range(len(RATED))

NOT_RATED_AT_ALL: Final = (NOT_RATED,) * len(RATED)
NO_MEASURES: Final = [0] * len(RATED)


class Row:
    """What the steps say of one candidate, and what they read to say it; filled in while it is judged."""

    __slots__ = (
        "after",
        "before",
        "candidate",
        "chosen",
        "distance_m",
        "index",
        "location_id",
        "measures",
        "ratings",
        "read",
        "stopped",
        "verdict",
    )

    def __init__(self, index: int, location_id: str, *, distance_m: int) -> None:
        self.index = index
        self.location_id = location_id
        self.distance_m = distance_m
        self.ratings = NOT_RATED_AT_ALL
        self.measures = NO_MEASURES.copy()
        self.read: list[object] = [location_id]
        self.before: Takes = ()
        self.after: Takes = ()
        self.stopped = len(STEPS)
        """The step that excluded the candidate, or the last."""
        self.verdict = OK
        """What that step said; of one that passed, why freshness dropped an item of it."""
        self.candidate: Candidate | None = None
        self.chosen = False

    def stop(self, step: int, verdict: Verdict) -> "Row":
        """A fence excluded the candidate."""
        self.stopped, self.verdict = step, verdict
        return self


def judge(lane: Lane | None, row: Row, *, wanted: Wanted, known: Known) -> Row:
    """Ask the steps in turn."""
    location_id = row.location_id
    measures = row.measures
    rules = wanted.rules
    found = [offers.get(location_id) for offers in wanted.offers]
    row.read.append(found)
    row.before = row.after = takes = tuple(map(stock.promisable, found, wanted.quantities))
    measures[STOCK] = sum(takes)
    if verdict := stock.fence(takes, wanted.quantities, splitting=rules.splitting_allowed):
        return row.stop(1, verdict)
    if lane is None:
        return row.stop(2, Verdict.UNKNOWN_LOCATION)
    shipped = _shipped(lane, row, wanted=wanted, full=known.full)
    if shipped is None:
        return row
    departs_at, in_time = shipped
    used, cap = _load(lane, row, wanted=wanted, known=known)
    if verdict := capacity.fence(used, cap):
        return row.stop(6, verdict)
    shipping_minor, arrives_at, tariff = carrier.cheapest(in_time, wanted.parcel)
    sending_minor = shipping_minor + lane.handling[0] + lane.handling[1] * wanted.units
    measures[COST] = whole_minor = sending_minor + wanted.supplier_minor
    if tariff.terms is not None:
        sending_minor -= tariff.terms.off_minor
    if (
        verdict := lane.cost_verdict
        or wanted.cost_verdict
        or _ceiling_verdict(lane, row, wanted=wanted, in_time=in_time)
    ):
        return row.stop(7, verdict)
    measures[PROXIMITY] = row.distance_m
    if verdict := proximity.fence(row.distance_m, rules.max_distance_m):
        return row.stop(8, verdict)
    age_ms = _age_ms(lane, row, found=found, wanted=wanted, known=known)
    if row.stopped == 9:
        return row
    measures[SLA] = slack_ms = wanted.due_at - arrives_at
    # A fixed location skips rating, not fences: there is nobody to compare it with.
    points = MILLION
    if not wanted.fixed:
        row.ratings = (
            stock.rating(sum(row.after), wanted.units),
            lane.preference,
            sla.rating(slack_ms, rules),
            capacity.rating(used, cap),
            cost.rating(sending_minor, rules),
            proximity.rating(row.distance_m, rules),
            freshness.rating(age_ms, lane.limit_ms or 0),
        )
        points = score(wanted.weights, row.ratings, weight=wanted.weight)
    row.candidate = Candidate(
        lane=lane,
        location_id=location_id,
        index=row.index,
        takes=row.after,
        score=points,
        cost_minor=whole_minor,
        distance_m=row.distance_m,
        departs_at=departs_at,
        in_time=in_time,
    )
    return row


def _shipped(lane: Lane, row: Row, *, wanted: Wanted, full: frozenset[str]) -> tuple[int, carrier.Arrivals] | None:
    """Steps 2 to 5: the cut-off reached, and the accounts that keep the promise."""
    verdict = lane.region_verdict
    if not verdict and lane.postcodes is not None:
        verdict = region.fence_postcode(lane.postcodes, wanted.postcode_area)
    if verdict:
        row.stop(2, verdict)
        return None
    schedule = lane.schedule(lane.ready_at(wanted.now_at))
    if isinstance(schedule, Verdict):
        row.stop(3, schedule)
        return None
    departs_at, earliest_at, latest_at, arrivals = schedule
    account_verdict = lane.account_verdict
    if full and arrivals:
        arrivals = carrier.with_parcels_left(arrivals, full)
        row.read.append([one[1].account_id for one in arrivals])
        earliest_at, latest_at = _span(arrivals, departs_at)
        account_verdict = account_verdict if arrivals else Verdict.ACCOUNT_WITHOUT_SLOTS
    if lane.limited and arrivals:
        arrivals = carrier.carrying(arrivals, cost.largest(wanted.bill, row.before))
        earliest_at, latest_at = _span(arrivals, departs_at)
        account_verdict = account_verdict if arrivals else Verdict.PARCEL_TOO_LARGE
    row.measures[SLA] = wanted.due_at - earliest_at
    if verdict := sla.fence(earliest_at, wanted.promised_at):
        row.stop(3, verdict)
    elif verdict := account_verdict:
        row.stop(4, verdict)
    elif verdict := lane.capability_verdict or capability.fence(wanted.needs, lane.capabilities):
        row.stop(5, verdict)
    elif wanted.promised_at is None or latest_at <= wanted.promised_at:
        return departs_at, arrivals
    else:
        return departs_at, sla.in_time(arrivals, wanted.promised_at)
    return None


def _span(arrivals: carrier.Arrivals, departs_at: int) -> tuple[int, int]:
    """(earliest, latest) arrival."""
    instants = [one[0] for one in arrivals] or [departs_at]
    return min(instants), max(instants)


def _load(lane: Lane, row: Row, *, wanted: Wanted, known: Known) -> tuple[int, int]:
    """Step 6: (used, cap) of today."""
    today = local_date(lane.calendar[0], wanted.now_at // QUARTER_MS)
    used, cap = capacity.today(known.load(row.location_id), today, daily_slots=lane.location.daily_slots)
    row.read += (used, cap)
    row.measures[CAPACITY] = cap - used
    return used, cap


def _ceiling_verdict(lane: Lane, row: Row, *, wanted: Wanted, in_time: carrier.Arrivals) -> Verdict:
    """Step 7, where the order has a ceiling."""
    if wanted.ceiling_minor is None:
        return OK
    if not wanted.rules.splitting_allowed:
        return cost.fence(row.measures[COST], wanted.ceiling_minor)
    variants = range(len(row.before))
    singles = [tuple([int(other == index) for other in variants]) for index in variants if row.before[index]]
    costs = [cost.landed(wanted.bill, units, in_time=in_time, handling=lane.handling) for units in singles]
    return cost.fence(min(costs), wanted.ceiling_minor)


def _age_ms(lane: Lane, row: Row, *, found: list[Offer | None], wanted: Wanted, known: Known) -> int:
    """Step 9: the age of the oldest item that may be promised."""
    status = known.feed_status(row.location_id)
    complete_to_at = 0 if status is None else status.complete_to_at
    row.read.append(complete_to_at)
    ages: list[int] = []
    dropped: dict[int, tuple[Verdict, int]] = {}
    for index, offer in enumerate(found):
        if offer is not None and row.before[index]:
            age_ms = freshness.age_ms(offer, complete_to_at, now_at=wanted.now_at)
            if verdict := freshness.fence(offer, age_ms, limit_ms=lane.limit_ms):
                dropped[index] = verdict, age_ms
            else:
                ages.append(age_ms)
    if dropped:
        row.after = tuple([0 if index in dropped else units for index, units in enumerate(row.before)])
        row.verdict = max([verdict for verdict, _ in dropped.values()])
        if not (any(row.after) if wanted.rules.splitting_allowed else row.after == wanted.quantities):
            row.measures[FRESHNESS] = max([age_ms for _, age_ms in dropped.values()])
            row.stop(9, row.verdict)
            return 0
    row.measures[FRESHNESS] = oldest = max(ages)
    return oldest
