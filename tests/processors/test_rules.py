"""Rule documents: what they state, what they leave at its default, and how they are refused."""

import msgspec
import pytest

from processors.network import Network, fold
from processors.rules import DAY_MS, DEFAULT_RULES, HOUR_MS, RuleError, Rules, rules_from
from schemas.records.network import RuleSetPublished


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("weight_stock", 10),
        ("weight_distance", 2),
        ("weight_workload", 2),
        ("weight_sla", 4),
        ("weight_cost", 6),
        ("weight_freshness", 1),
        ("split_penalty", 100_000),
        ("splitting_allowed", True),
        ("max_shipments", 3),
        ("shortlist_max", 24),
        ("max_reroutes", 5),
        ("distance_worst_m", 1_000_000),
        ("slack_best_ms", 48 * HOUR_MS),
        ("cost_worst_minor", 2_000),
        ("max_distance_m", None),
        ("hold_ms", 5_000),
        ("park_expiry_ms", 8 * HOUR_MS),
        ("acceptance_expiry_ms", DAY_MS),
        ("park_look_ms", 10_000),
        ("orphan_alert_ms", HOUR_MS),
        ("reconciliation_tolerance_minor", 0),
    ],
)
def test_default(name, default):
    assert getattr(DEFAULT_RULES, name) == default


def test_a_document_states_only_what_differs():
    rules = rules_from({"weight_stock": 3, "allowed_countries": [["BE", "NL"]], "channel_preferences": {"otto": ["a"]}})
    assert rules == Rules(weight_stock=3, allowed_countries=(("BE", "NL"),), channel_preferences={"otto": ("a",)})
    assert rules_from({}) == DEFAULT_RULES


@pytest.mark.parametrize(
    ("document", "path", "detail"),
    [
        ([], "$", "a rule document is a mapping"),
        ({"weight_stok": 1}, "weight_stok", "no such rule; did you mean weight_stock?"),
        ({"colour": 1}, "colour", "no such rule"),
        ({7: 1}, "7", "no such rule"),
        ({"weight_stock": "10"}, "weight_stock", "Expected `int`, got `str`"),
        ({"weight_stock": -1}, "weight_stock", "Expected `int` >= 0"),
        ({"weight_cost": 1.5}, "weight_cost", "Expected `int`, got `float`"),
        ({"split_penalty": 1_000_001}, "split_penalty", "<= 1000000"),
        ({"max_shipments": 0}, "max_shipments", ">= 1"),
        ({"max_distance_m": 0}, "max_distance_m", ">= 1"),
        ({"shortlist_max": 201}, "shortlist_max", "<= 200"),
        ({"delivery_weekdays": [1, 8]}, "delivery_weekdays[1]", "<= 7"),
        ({"delivery_weekdays": []}, "delivery_weekdays", "at least one"),
        ({"allowed_countries": [["NL", "be"]]}, "allowed_countries[0][1]", "regex"),
        ({"exchange_rates_e6": {"CHF": 1, "chf": 1}}, "exchange_rates_e6.chf", "regex"),
        ({"exchange_rates_e6": {"CHF": 0}}, "exchange_rates_e6.CHF", ">= 1"),
        ({"exchange_rates_e6": 5}, "exchange_rates_e6", "Expected `object`"),
        ({"channel_preferences": {"otto": ["a"], "ebay": ["b", 3]}}, "channel_preferences.ebay[1]", "Expected `str`"),
        ({"channel_preferences": {"otto": ["a", "a"]}}, "channel_preferences.otto", "twice"),
        (
            {name: 0 for name in Rules.__struct_fields__ if name.startswith("weight_")},
            "weight_stock",
            "at least one weight",
        ),
        ({"distance_best_m": 5, "distance_worst_m": 5}, "distance_best_m", "below distance_worst_m (5)"),
        ({"slack_best_ms": 0}, "slack_worst_ms", "below slack_best_ms"),
        ({"cost_best_minor": 2_000}, "cost_best_minor", "below cost_worst_minor"),
        ({"max_shipments_fallback": 2}, "max_shipments_fallback", "at least max_shipments (3)"),
        ({"park_retry_max_ms": 1}, "park_retry_max_ms", "at least park_retry_ms"),
        (
            {"allowed_countries": [["BE", "NL"]], "forbidden_countries": [["BE", "NL"]]},
            "allowed_countries",
            "BE to NL is in forbidden_countries too",
        ),
        ({"zones": {"Isles": ["DE:18"]}}, "zones.Isles", "regex"),
        ({"zones": {"isles": ["DE:18", "DE-25"]}}, "zones.isles[1]", "zone 'DE-25' is neither a country nor"),
        ({"allowed_zones": [["BE", "limburg"]]}, "allowed_zones[0][1]", "nor the name of one in `zones`"),
        ({"forbidden_zones": [["ZZ", "NL:6"]]}, "forbidden_zones[0][0]", "country 'ZZ'"),
        ({"forbidden_zones": [["BE", "ZZ:6"]]}, "forbidden_zones[0][1]", "country 'ZZ' of zone"),
        (
            {"allowed_zones": [["BE", "NL:1"], ["BE", "NL:60"]], "forbidden_zones": [["DE", "NL:1"], ["BE", "NL:6"]]},
            "allowed_zones[1]",
            "BE to NL:60 lies in NL:6, which is forbidden from there: keep one",
        ),
        (
            {
                "zones": {"south": ["NL:5", "NL:6"]},
                "allowed_zones": [["BE", "south"]],
                "forbidden_countries": [["BE", "NL"]],
            },
            "allowed_zones[0]",
            "BE to NL:5 lies in NL, which is forbidden from there",
        ),
        ({"forbidden_countries": [["DE", "AT"], ["ZZ", "DE"]]}, "forbidden_countries[1][0]", "'ZZ' is none of ISO"),
    ],
)
def test_refused_with_its_path(document, path, detail):
    with pytest.raises(RuleError) as refused:
        rules_from(document)
    assert refused.value.path == path
    assert detail in refused.value.detail


def test_a_forbidden_part_of_an_allowed_zone_is_an_exception():
    document = {"allowed_zones": [["BE", "NL:6"]], "forbidden_zones": [["BE", "NL:60"]]}
    assert rules_from(document).forbidden_zones == (("BE", "NL:60"),)


def test_rules_survive_the_log():
    rules = rules_from({"exchange_rates_e6": {"CHF": 1_050_000}, "forbidden_countries": [["BE", "NL"]]})
    published = RuleSetPublished("acme|rules", 4, "…", msgspec.msgpack.encode(rules))
    assert fold(Network(), [(0, published)]).rule_sets["acme|rules"].rules == rules


def test_a_new_rule_does_not_stop_an_old_worker():
    encoded = msgspec.msgpack.encode({"weight_stock": 3, "rule_of_next_year": 1})
    assert msgspec.msgpack.decode(encoded, type=Rules) == Rules(weight_stock=3)
