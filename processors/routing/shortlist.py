"""Shortlist, step 0: which locations are asked for stock at all?

In: an order's facts and the reference data. Out: the locations that pass the fences which need no stock (region,
carrier, capability, proximity) and are not retired, excluded, of a higher tier or of another tenant; nearest first
(ties: location_id), at most `shortlist_max`. Everybody else of the tenant is told with the reason. Fallback asks for
more by raising `facts.tier`: first tier by tier, then, beyond the highest tier, the next nearest ones the limit had
left out. Nothing here is ever an error: an empty shortlist says by its reasons why.
"""

from typing import Final

from processors.network import Network
from processors.routing.candidate import Lane, lanes_of, needs_of
from processors.routing.facts import Known, OrderFacts, Shortlist
from processors.routing.geo import distance_m, point
from processors.routing.steps import capability, proximity, region
from processors.routing.words import BY_WORD, OK, WORD, Verdict
from processors.rules import Rules

LEFT_BY_CHOICE: Final = (Verdict.TIER, Verdict.EXCLUDED)
"""Left out although they could serve: of several reasons these say most about what to do next."""

NEVER_ASKED: Final = (Verdict.RETIRED, Verdict.MARKETPLACE_STOCK)

Near = tuple[int, str, int]
"""(distance, location_id, tier) of a location that passed every fence."""


def shortlist(facts: OrderFacts, network: Network, known: Known, now_at: int) -> Shortlist:  # noqa: ARG001  the contract
    """The locations to ask. (What is known of loads and feeds changes by the second: steps 6 and 9 judge it later.)"""
    rules = network.rules_of(facts.merchant_id).rules
    left_out: list[tuple[str, str]] = []
    passed: list[Near] = []
    here = point(facts.latitude_e6, facts.longitude_e6)
    needs = needs_of(tuple([demand.variant_id for demand in facts.lines]), facts, network=network, rules=rules)
    for location_id, lane in lanes_of(network, facts).items():
        verdict = _asked(lane, facts) or _fence(lane, facts, needs=needs)
        distance = 0
        if not verdict:
            distance = distance_m(here, lane.point)
            verdict = proximity.fence(distance, rules.max_distance_m)
        if verdict:
            left_out.append((location_id, WORD[verdict]))
        else:
            passed.append((distance, location_id, lane.tier))
    return _cut(sorted(passed), left_out, tier=facts.tier, rules=rules)


def reason_of(left_out: tuple[tuple[str, str], ...]) -> Verdict:
    """Why a shortlist is empty: what the location said that came furthest."""
    verdicts = {BY_WORD.get(reason, Verdict.NO_LOCATION) for _, reason in left_out}
    for verdict in LEFT_BY_CHOICE:
        if verdict in verdicts:
            return verdict
    return max(verdicts, default=Verdict.NO_LOCATION)


def _asked(lane: Lane, facts: OrderFacts) -> Verdict:
    """Whether the location may be asked at all."""
    if lane.region_verdict in NEVER_ASKED:
        return lane.region_verdict
    if facts.fixed_location_id is not None and facts.fixed_location_id != lane.location_id:
        return Verdict.NOT_THE_FIXED_LOCATION
    return Verdict.EXCLUDED if facts.excluded and lane.location_id in facts.excluded else OK


def _fence(lane: Lane, facts: OrderFacts, *, needs: tuple[str, ...] | Verdict) -> Verdict:
    """What steps 2, 4 and 5 say."""
    verdict = lane.region_verdict
    if not verdict and lane.postcodes is not None:
        verdict = region.fence_postcode(lane.postcodes, facts.postcode_area)
    verdict = verdict or lane.account_verdict or lane.capability_verdict
    return capability.fence(needs, lane.capabilities) if not verdict and needs != () else verdict


def _cut(passed: list[Near], left_out: list[tuple[str, str]], *, tier: int, rules: Rules) -> Shortlist:
    """The part of those who passed that this tier asks."""
    highest = min(max([near[2] for near in passed], default=1), rules.max_tier)
    reached = [near for near in passed if near[2] <= min(tier, highest)]
    left_out += [(near[1], WORD[Verdict.TIER]) for near in passed if near[2] > min(tier, highest)]
    first = max(tier - highest, 0) * rules.shortlist_max
    end = first + rules.shortlist_max
    left_out += [(near[1], WORD[Verdict.LIMIT]) for near in reached[:first] + reached[end:]]
    return Shortlist(
        location_ids=tuple(near[1] for near in reached[first:end]),
        left_out=tuple(sorted(left_out)),
        more_tiers=tier < highest or end < len(reached),
    )
