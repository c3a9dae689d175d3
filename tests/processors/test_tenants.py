"""Whose an id is, and how patient a tenant is."""

from processors.network import Network, RuleSet
from processors.rules import DEFAULT_RULES, Rules
from processors.tenants import shortest_kept_ms, shortest_ms, tenant_of


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


def test_what_every_order_asks_is_worked_out_once_per_version():
    network = Network()
    network.rule_sets["acme|a"] = RuleSet("acme|a", 1, Rules(hold_ms=700))
    assert [shortest_kept_ms(network, tenant, "hold_ms") for tenant in ("acme", "other")] == [700, 5_000]
    network.rule_sets.clear()
    assert shortest_kept_ms(network, "acme", "hold_ms") == 700
    assert shortest_kept_ms(network, "acme", "orphan_alert_ms") == DEFAULT_RULES.orphan_alert_ms
