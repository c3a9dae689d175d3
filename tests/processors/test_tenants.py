"""Whose an id is, and how patient a tenant is."""

from processors.network import Network, RuleSet
from processors.rules import DEFAULT_RULES, Rules
from processors.tenants import shortest_ms, tenant_of


def test_the_tenant_is_what_stands_before_the_first_bar():
    assert tenant_of("acme|marketplace|303|1") == "acme"


def test_the_most_impatient_rule_set_of_the_tenant_decides():
    network = Network()
    for rule_set_id, wait in (("acme|a", 900), ("acme|b", 500), ("other|c", 100)):
        network.rule_sets[rule_set_id] = RuleSet(rule_set_id, 1, Rules(unlinked_reference_ms=wait))
    assert shortest_ms(network, "acme", lambda rules: rules.unlinked_reference_ms) == 500
    assert (
        shortest_ms(network, "nobody", lambda rules: rules.unlinked_reference_ms) == DEFAULT_RULES.unlinked_reference_ms
    )
