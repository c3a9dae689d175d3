"""Shadow: what other rules would have decided on the same inputs. Nothing follows from it.

In: what `route()` was given, and what it found. Out: ShadowDecided, or None for a merchant without shadow rules. Other rules
are asked about the locations that the active rules asked: of others no stock is known. Where their own shortlist names such
a location, the comparison is `unknown`, which says more than a guess. A back-test asks the same of recorded inputs.
"""

from collections.abc import Mapping
from typing import Final

from processors.network import Network, RuleSet, changed
from processors.routing.facts import Known, Offers, OrderFacts, Outcome, Shortlist
from processors.routing.pipeline import decide
from processors.routing.shortlist import shortlist
from processors.rules import Rules
from schemas.records.routing import RoutingPlan, ShadowDecided

AGREES: Final = "agrees"
DIFFERS: Final = "differs"
UNKNOWN: Final = "unknown"

ONLY_JUDGED: Final = frozenset(
    (
        "weight_stock", "weight_sla", "weight_workload", "weight_cost", "weight_distance", "weight_freshness",
        "weight_preference", "distance_best_m", "distance_worst_m", "slack_worst_ms", "slack_best_ms", "cost_best_minor",
        "cost_worst_minor", "splitting_allowed", "max_shipments", "max_shipments_fallback", "split_penalty",
        "backorder_allowed", "partials_allowed", "assumed_promise_ms",
    )
)  # fmt: skip
"""Rules that no shortlist depends on. (A test shortlists under others; any rule not named here may matter.)"""

_OF_SHORTLISTS: Final = tuple(name for name in Rules.__struct_fields__ if name not in ONLY_JUDGED)


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
    other = _under(network, shadow)
    alike = same_shortlist(network.rules_of(facts.merchant_id).rules, shadow.rules)
    plan, reason, unasked = evaluate(facts, asked, offers, other, known, now_at, alike=alike)
    same = substance(plan) == substance(found.plan)
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
        shadow_plan=plan,
        shadow_reason=reason,
        decided_at=now_at,
    )


def evaluate(
    facts: OrderFacts,
    asked: Shortlist,
    offers: Offers,
    other: Network,
    known: Known,
    now_at: int,
    *,
    alike: bool,
) -> tuple[RoutingPlan | None, str, bool]:
    """What other rules find among the locations asked, why, and whether they would have asked further ones.

    Args:
        alike: the shortlist is known to be the same under both (`same_shortlist`)
    """
    own = asked if alike else shortlist(facts, other, known, now_at)
    unasked = not alike and not set(own.location_ids) <= set(asked.location_ids)
    return *decide(facts, asked if unasked else own, offers, other, known, now_at), unasked


def same_shortlist(rules: Rules, others: Rules) -> bool:
    """Whether two sets of rules differ in nothing that a shortlist depends on."""
    return all(getattr(rules, name) == getattr(others, name) for name in _OF_SHORTLISTS)


def under(network: Network, rule_sets: Mapping[str, RuleSet]) -> Network:
    """The same reference data with other rule sets in force."""
    return changed(network, rule_sets={**network.rule_sets, **rule_sets})


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
