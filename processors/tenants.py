"""Tenants: whose an id is, and what holds for a whole tenant.

Every id and key starts with its tenant (`acme|marketplace|303-118`). In: ids, the network. Out: plain answers. Some state belongs to a tenant before its merchant is known (a financial record that still looks for its
order): there the most impatient rule set of the tenant decides, so that no merchant is told later than it asked for.
"""

from collections.abc import Callable
from typing import Final

from processors.network import Network
from processors.rules import DEFAULT_RULES, Rules

WORKER: Final = "fsn"
"""The signer of what FSN's own tasks write: it may speak for every tenant."""


def tenant_of(identifier: str) -> str:
    """The tenant that an id or key belongs to."""
    return identifier.partition("|")[0]


def shortest_ms(network: Network, tenant: str, rule: Callable[[Rules], int]) -> int:
    """The shortest duration that any rule set of the tenant states; the default when it has none."""
    stated = (rule(found.rules) for rule_set_id, found in network.rule_sets.items() if tenant_of(rule_set_id) == tenant)
    return min(stated, default=rule(DEFAULT_RULES))


def shortest_kept_ms(network: Network, tenant: str, name: str) -> int:
    """The same by the rule's name, worked out once per version of the reference data: for what every order asks."""
    kept: dict[tuple[str, str], int] = network.cache.setdefault("shortest_ms", {})
    found = kept.get((tenant, name))
    if found is None:
        found = kept[tenant, name] = shortest_ms(network, tenant, lambda rules: int(getattr(rules, name)))
    return found
