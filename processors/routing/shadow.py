"""Shadow: what other rules would have decided on the same inputs. Nothing follows from it.

In: what `route()` was given, and what it found. Out: ShadowDecided, or None for a merchant without shadow rules. Other rules
are asked about the locations that the active rules asked: of others no stock is known. Where their own shortlist names such
a location, the comparison is `unknown`, which says more than a guess. A back-test asks the same of recorded inputs.
"""

from collections.abc import Mapping
from typing import Final

from processors.network import MAPS, Network, RuleSet
from processors.routing.facts import Known, Offers, OrderFacts, Outcome, Shortlist
from processors.routing.pipeline import route
from processors.routing.shortlist import shortlist
from schemas.records.routing import RoutingPlan, ShadowDecided

AGREES: Final = "agrees"
DIFFERS: Final = "differs"
UNKNOWN: Final = "unknown"


def compare(
    facts: OrderFacts,
    asked: Shortlist,
    offers: Offers,
    network: Network,
    known: Known,
    now_at: int,
    *,
    found: Outcome,
) -> ShadowDecided | None:
    """Evaluate the shadow beside what was found."""
    shadow = network.shadow_of(facts.merchant_id)
    if shadow is None:
        return None
    outcome, unasked = evaluate(facts, asked, offers, _under(network, shadow), known, now_at)
    same = substance(outcome.plan) == substance(found.plan)
    return ShadowDecided(
        order_id=facts.order_id,
        attempt=facts.attempt,
        merchant_id=facts.merchant_id,
        rule_set_id=shadow.rule_set_id,
        active_version=network.rules_of(facts.merchant_id).version,
        shadow_version=shadow.version,
        outcome=UNKNOWN if unasked else AGREES if same else DIFFERS,
        active_plan=found.plan,
        active_reason=found.reason,
        shadow_plan=outcome.plan,
        shadow_reason=outcome.reason,
        decided_at=now_at,
    )


def evaluate(
    facts: OrderFacts, asked: Shortlist, offers: Offers, other: Network, known: Known, now_at: int
) -> tuple[Outcome, bool]:
    """What other rules find among the locations asked, and whether they would have asked further ones."""
    own = shortlist(facts, other, known, now_at)
    unasked = not set(own.location_ids) <= set(asked.location_ids)
    return route(facts, asked if unasked else own, offers, other, known, now_at), unasked


def under(network: Network, rule_sets: Mapping[str, RuleSet]) -> Network:
    """The same reference data with other rule sets in force: a version of its own, for nothing derived may be shared."""
    other = Network(network.version)
    for name in MAPS:
        setattr(other, name, getattr(network, name))
    other.rule_sets = {**network.rule_sets, **rule_sets}
    other.variants_cache = network.variants_cache
    return other


def substance(plan: RoutingPlan | None) -> object:
    """Who ships what, and on which account: scores differ with every weight."""
    return None if plan is None else [(part.location_id, part.account_id, part.lines) for part in plan.parts]


def _under(network: Network, shadow: RuleSet) -> Network:
    """Made once a version."""
    made: dict[str, Network] = network.cache.setdefault("under_shadow", {})
    other = made.get(shadow.rule_set_id)
    if other is None:
        other = made[shadow.rule_set_id] = under(network, {shadow.rule_set_id: shadow})
    return other
