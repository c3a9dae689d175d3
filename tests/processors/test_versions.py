"""Versions of rules: each says one thing for good and moves one way; what does not fit leaves everything as it was."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.network import Network, fold
from processors.reasons import Reason
from processors.rules import Rules
from processors.usable import why_unusable
from processors.versions import STATUSES, Versions
from schemas.records.network import MerchantDefined, RuleSetPublished

MERCHANT = MerchantDefined("acme|m", "M", "EUR", "DE", "acme|rules")
ILLEGAL, DIFFERS = Reason.ILLEGAL_TRANSITION, Reason.RECORD_DIFFERS


def rules(version, status="active", *, says=10, rule_set_id="acme|rules"):
    compiled = msgspec.msgpack.encode(Rules(weight_stock=says))
    return RuleSetPublished(rule_set_id, version, f"weight_stock: {says}", compiled, status, "ann", "spring")


def published(*records):
    """What is in force, and why the last one was not taken."""
    versions, network, why = Versions(), fold(Network(), [(0, MERCHANT)]), None
    for offset, record in enumerate(records, 1):
        why = versions.why_out_of_turn(record)
        if why is None:
            network = fold(network, [(offset, record)])
    return network, why


def in_force(network):
    shadow = network.shadow_of("acme|m")
    return network.rules_of("acme|m").version, None if shadow is None else shadow.version


@pytest.mark.parametrize(
    ("records", "active", "shadow"),
    [
        ([rules(1)], 1, None),
        ([rules(1), rules(2, "draft")], 1, None),
        ([rules(1), rules(2, "draft"), rules(2, "shadow")], 1, 2),
        ([rules(1), rules(2, "shadow"), rules(2, "active")], 2, None),
        ([rules(1), rules(2, "shadow"), rules(2, "retired")], 1, None),
        ([rules(1), rules(2, "draft"), rules(2, "active")], 2, None),
        ([rules(1), rules(2, "shadow"), rules(3, "shadow")], 1, 3),
        ([rules(1), rules(2, "shadow"), rules(3, "shadow"), rules(2, "retired")], 1, 3),
        ([rules(1), rules(2, "shadow"), rules(3, "active")], 3, None),
        ([rules(1), rules(2, "draft"), rules(3, "shadow"), rules(2, "active")], 2, 3),
        ([rules(1, "shadow")], 0, 1),
        ([rules(1), rules(1)], 1, None),
        ([rules(1), rules(3)], 3, None),
    ],
)
def test_a_version_moves_from_draft_over_shadow_to_active(records, active, shadow):
    network, why = published(*records)
    assert (why, in_force(network)) == (None, (active, shadow))


@pytest.mark.parametrize(
    ("records", "reason", "words"),
    [
        ([rules(2), rules(1)], ILLEGAL, "version 1: version 2 is known already: publish version 3"),
        ([rules(2), rules(2, says=9)], DIFFERS, "version 2: it says something else already: publish version 3"),
        ([rules(2), rules(2, "draft")], ILLEGAL, "version 2: it is active and cannot become draft"),
        ([rules(2), rules(2, "retired")], ILLEGAL, "version 2: it is active and cannot become retired"),
        ([rules(2, "shadow"), rules(2, "draft")], ILLEGAL, "version 2: it is shadow and cannot become draft"),
        ([rules(2, "draft"), rules(2, "retired"), rules(2)], ILLEGAL, "it is retired and cannot become active"),
        (
            [rules(1), rules(2, "shadow"), rules(3), rules(2)],
            ILLEGAL,
            "version 2: version 3 is active: publish these rules as version 4",
        ),
    ],
)
def test_what_does_not_follow_is_refused_with_its_mend_and_changes_nothing(records, reason, words):
    before, _ = published(*records[:-1])
    after, why = published(*records)
    assert why is not None
    assert why[0] is reason
    assert words in why[1]
    assert why[1].startswith("rule set acme|rules version ")
    assert why[1].endswith("; what was in force stays so")
    assert in_force(after) == in_force(before)


def test_other_reference_data_has_no_versions():
    assert Versions().why_out_of_turn(MERCHANT) is None


def test_rule_sets_count_by_themselves():
    network, why = published(rules(5), rules(1, rule_set_id="acme|others"))
    assert why is None
    assert network.rule_sets["acme|others"].version == 1


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (rules(0), "version is 0: at least 1 is needed"),
        (rules(1, "live"), "status is 'live': it is one of draft, shadow, active, retired"),
    ],
)
def test_a_version_that_cannot_be_is_unusable(record, problem):
    reason, words = why_unusable(record)
    assert reason is Reason.INVALID_VALUE
    assert problem in words


def test_a_merchant_nobody_defined_has_no_shadow():
    assert Network().shadow_of("acme|nobody") is None


RECORDS = st.builds(rules, st.integers(1, 4), st.sampled_from(STATUSES), says=st.integers(1, 2))


@given(st.lists(RECORDS, max_size=12))
def test_the_active_version_never_goes_back_and_the_same_again_changes_nothing(records):
    versions, network, said = Versions(), fold(Network(), [(0, MERCHANT)]), {}
    for offset, record in enumerate(records, 1):
        before = network.rules_of("acme|m").version
        if versions.why_out_of_turn(record) is not None:
            continue
        network = fold(network, [(offset, record)])
        assert network.rules_of("acme|m").version >= before
        assert said.setdefault(record.version, record.compiled) == record.compiled
        assert versions.why_out_of_turn(record) is None
        assert in_force(fold(network, [(offset, record)])) == in_force(network)
