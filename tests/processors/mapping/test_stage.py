"""The mapping stage: every SKU means one variant, or waits visibly; nobody who asked is forgotten."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from processors.mapping.rows import ALIASES, ASKERS, UNMAPPED, by_number, by_order
from processors.mapping.stage import STAGE
from processors.network import Network, RuleSet
from processors.reasons import Reason
from processors.rules import Rules
from schemas.records.mapping import AliasChanged, AliasDefined, LineMapped, MappingAsked
from schemas.records.network import MerchantDefined, VariantDefined
from schemas.records.operations import ReviewItem
from tests.processors.harness import Bench

MERCHANT, OTHER = "acme|nord", "acme|bau"
DRILL, SAW, OLD = "acme|drill", "acme|saw", "acme|old"
GTIN = "04006381333931"
SKU = "acme|merchant:nord|DRL200-BK"
LOOK_MS = Rules().mapping_look_ms


def variant(variant_id, title, *names, gtin=None, retired=False):
    return VariantDefined(variant_id, title, gtin, None, 0, "EUR", 100, (), retired, names)


def network(**rules):
    made = Network(7)
    for merchant_id in (MERCHANT, OTHER):
        made.merchants[merchant_id] = MerchantDefined(merchant_id, "", "EUR", "DE", f"{merchant_id}_rules")
    made.rule_sets[f"{MERCHANT}_rules"] = RuleSet(f"{MERCHANT}_rules", 1, Rules(**rules))
    for one in (
        variant(DRILL, "Drill 18V black", "DRL-200-BLK", gtin="4006381333931"),
        variant(SAW, "Circular saw 12V", "SAW-100"),
        variant(OLD, "Old saw", retired=True),
        variant("other|x", "Of another tenant"),
    ):
        made.variants[one.variant_id] = one
    return made


class Desk(Bench):
    def __init__(self, **rules):
        super().__init__(STAGE, network=network(**rules))

    def define(self, alias_id=SKU, variant_id=DRILL, *, version=1, units=1, signer=None, key=None):
        record = AliasDefined(alias_id, variant_id, units, version, "ann", 5)
        return self.send("aliases", key or alias_id, record, signer)

    def ask(self, order_id, alias_id=SKU, merchant_id=MERCHANT):
        self.send("mapping-requests", alias_id, MappingAsked(alias_id, "order", order_id, merchant_id))

    def told(self):
        return [(one.order_id, one.variant_id, one.units_per_pack, one.version) for one in self.take("order-events")]

    def reviews(self):
        return [(one.kind, one.status) for one in self.take("review-queue")]


def test_an_exact_alias_is_told_at_once_and_locked():
    desk = Desk()
    assert desk.define(units=6) is None
    assert desk.take() == [AliasChanged(SKU, DRILL, 6, 1, "defined", 1_000_000, "ann", desk.now_at)]
    desk.ask("acme|web|1")
    desk.ask("acme|web|2")
    assert desk.told() == [("acme|web|1", DRILL, 6, 1), ("acme|web|2", DRILL, 6, 1)]
    assert desk.define(variant_id=SAW) is Reason.ILLEGAL_TRANSITION


def test_the_next_version_changes_what_later_orders_are_told():
    desk = Desk()
    desk.define()
    desk.ask("acme|web|1")
    assert desk.define(variant_id=SAW, version=2) is None
    desk.ask("acme|web|2")
    assert desk.told() == [("acme|web|1", DRILL, 1, 1), ("acme|web|2", SAW, 1, 2)]


def test_what_nobody_was_told_may_be_mended_and_a_repeat_says_nothing():
    desk = Desk()
    desk.define()
    assert desk.define(variant_id=SAW) is None
    desk.take()
    assert desk.define(variant_id=SAW) is None
    assert desk.take() == []
    desk.ask("acme|web|1")
    assert desk.told() == [("acme|web|1", SAW, 1, 1)]


def test_orders_wait_in_line_until_the_alias_is_defined():
    desk = Desk()
    for number in (3, 1, 2):
        desk.ask(f"acme|web|{number}")
    desk.ask("acme|web|1")
    assert desk.told() == []
    assert desk.reviews() == [("SKU_SUGGESTED", "open")]
    desk.define()
    assert [order_id for order_id, *_ in desk.told()] == ["acme|web|3", "acme|web|1", "acme|web|2"]
    assert desk.reviews() == [("SKU_SUGGESTED", "resolved")]
    assert (desk.rows[UNMAPPED.name], desk.rows[ASKERS.name], desk.timers) == ({}, {}, set())
    assert desk.rows[ALIASES.name][SKU].locked


@pytest.mark.parametrize(
    ("sku", "kind", "candidates"),
    [("DRL200-BK", "SKU_SUGGESTED", [DRILL]), ("Drill 18V", "SKU_AMBIGUOUS", [DRILL]), ("zzz", "SKU_UNKNOWN", [])],
)
def test_a_person_is_shown_what_it_could_mean(sku, kind, candidates):
    desk = Desk()
    desk.ask("acme|web|1", f"acme|merchant:nord|{sku}")
    (item,) = desk.take("review-queue")
    assert isinstance(item, ReviewItem)
    assert (item.kind, item.entity_id, item.status) == (kind, f"acme|merchant:nord|{sku}", "open")
    assert [candidate.entity_id for candidate in item.candidates] == candidates


def test_a_trade_item_number_needs_no_alias():
    desk = Desk()
    desk.ask("acme|web|1", f"acme|gtin|{GTIN}")
    assert desk.told() == [("acme|web|1", DRILL, 1, 1)]
    (changed,) = desk.take("mappings")
    assert (changed.source, changed.author) == ("gtin", "")
    assert desk.reviews() == []


@pytest.mark.parametrize(("accepted_from_e6", "taken"), [(None, False), (940_000, True), (950_000, False)])
def test_a_rule_may_take_a_suggestion(accepted_from_e6, taken):
    desk = Desk(auto_accept_confidence_e6=accepted_from_e6)
    desk.ask("acme|web|1")
    assert bool(desk.told()) is taken
    assert desk.reviews() == [("SKU_SUGGESTED", "open"), ("SKU_SUGGESTED", "resolved")][: 1 + taken]
    if taken:
        (changed,) = desk.take("mappings")
        assert (changed.source, changed.confidence_e6 // 10_000) == ("auto", 94)


def test_the_rule_is_that_of_the_merchant_who_asks():
    desk = Desk(auto_accept_confidence_e6=900_000)
    desk.ask("acme|web|1", merchant_id=OTHER)
    assert desk.told() == []
    desk.ask("acme|web|2")
    assert [order_id for order_id, *_ in desk.told()] == ["acme|web|1", "acme|web|2"]


def test_no_rule_takes_what_is_ambiguous():
    desk = Desk(auto_accept_confidence_e6=0)
    desk.ask("acme|web|1", "acme|merchant:nord|Drill 18V")
    assert desk.told() == []


def test_a_new_catalogue_is_looked_up_by_the_timer():
    desk = Desk()
    desk.ask("acme|web|1", "acme|merchant:nord|HAMMER-1")
    assert desk.reviews() == [("SKU_UNKNOWN", "open")]
    desk.tick(desk.now_at + LOOK_MS)
    assert desk.reviews() == []
    desk.network.variants["acme|hammer"] = variant("acme|hammer", "Hammer 1")
    desk.network.variants_cache.clear()
    desk.network.version += 1
    desk.tick(desk.now_at + LOOK_MS)
    assert desk.reviews() == [("SKU_UNKNOWN", "resolved"), ("SKU_SUGGESTED", "open")]
    desk.network.version += 1  # a change of something else
    desk.tick(desk.now_at + LOOK_MS)
    assert desk.reviews() == []
    desk.define("acme|merchant:nord|HAMMER-1", "acme|hammer")
    assert desk.told() == [("acme|web|1", "acme|hammer", 1, 1)]
    assert desk.timers == set()


def test_a_late_trade_item_number_ends_the_waiting():
    desk = Desk()
    desk.ask("acme|web|1", "acme|gtin|00000096385074")
    desk.network.variants[SAW] = variant(SAW, "Circular saw 12V", gtin="96385074")
    desk.network.variants_cache.clear()
    desk.network.version += 1
    desk.tick(desk.now_at + LOOK_MS)
    assert desk.told() == [("acme|web|1", SAW, 1, 1)]
    assert desk.reviews() == [("SKU_UNKNOWN", "open"), ("SKU_UNKNOWN", "resolved")]


def test_what_was_retired_only_a_person_brings_back():
    desk = Desk(auto_accept_confidence_e6=0)
    alias_id = f"acme|gtin|{GTIN}"
    desk.ask("acme|web|1", alias_id)
    assert desk.define(alias_id, None, version=2) is None
    desk.take()
    desk.ask("acme|web|2", alias_id)
    assert desk.told() == []
    assert desk.reviews() == [("SKU_SUGGESTED", "open")]
    assert desk.define(alias_id, SAW, version=3) is None
    assert desk.told() == [("acme|web|2", SAW, 1, 3)]


def test_an_alias_may_be_retired_while_orders_wait():
    desk = Desk()
    desk.ask("acme|web|1")
    assert desk.define(variant_id=None) is None
    assert desk.told() == []
    assert desk.rows[UNMAPPED.name][SKU].asked == 1


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"signer": "acme|bau"}, Reason.FORGED),
        ({"key": "acme|merchant:nord|other"}, Reason.KEY_MISMATCH),
        ({"alias_id": "acme|shop:nord|1"}, Reason.INVALID_VALUE),
        ({"alias_id": "acme|gtin|4006381333931"}, Reason.INVALID_VALUE),
        ({"units": 0}, Reason.INVALID_VALUE),
        ({"version": 2}, Reason.INVALID_VALUE),
        ({"variant_id": "acme|nothing"}, Reason.UNKNOWN_VARIANT),
        ({"variant_id": "other|x"}, Reason.UNKNOWN_VARIANT),
        ({"variant_id": OLD}, Reason.UNKNOWN_VARIANT),
    ],
)
def test_a_wrong_alias_is_refused_and_changes_nothing(given, reason):
    desk = Desk()
    assert desk.define(**given) is reason
    assert desk.take() == []


@pytest.mark.parametrize("signer", [None, "fsn", "acme", MERCHANT])
def test_the_owner_and_its_tenant_may_define(signer):
    assert Desk().define(signer=signer) is None


@pytest.mark.parametrize(("version", "reason"), [(1, Reason.RECORD_DIFFERS), (4, Reason.INVALID_VALUE)])
def test_versions_follow_each_other(version, reason):
    desk = Desk()
    desk.define()
    desk.ask("acme|web|1")
    desk.define(variant_id=SAW, version=2)
    assert desk.define(version=version) is reason


def test_a_timer_that_comes_late_does_nothing():
    desk = Desk()
    desk.ask("acme|web|1")
    look = STAGE.timers["mapping.look"]
    before = dict(desk.rows[UNMAPPED.name])
    look(SKU, desk)
    desk.define()
    look(SKU, desk)
    assert before[SKU].look_at > desk.now_at


def test_who_waits_belongs_to_the_sku():
    desk = Desk()
    desk.ask("acme|web|1")
    assert {ASKERS.owners(key, row) for key, row in desk.rows[ASKERS.name].items()} == {(SKU,)}
    assert ASKERS.owners("any", None) == ()


def test_no_name_can_stand_for_another_one():
    names = ["a", "a#0", "a@b", "a@b@c", "a#0#1", "1#a", "1@a@b"]
    keys = [by_number(name, number) for name in names for number in (0, 1)]
    keys += [by_order(name, order) for name in names for order in names]
    assert len(set(keys)) == len(keys)


class Asking(RuleBasedStateMachine):
    """Orders ask, aliases come and go: each order hears once what its SKU meant when it was known."""

    def __init__(self):
        super().__init__()
        self.desk = Desk(auto_accept_confidence_e6=930_000)
        self.asked: set[tuple[str, str]] = set()
        self.heard: Counter[tuple[str, str]] = Counter()
        self.orders = 0

    @rule(sku=st.sampled_from(["DRL200-BK", "X", "SAW-10"]), repeat=st.booleans())
    def ask(self, sku, repeat):
        self.orders += 1
        alias_id, order_id = f"acme|merchant:nord|{sku}", f"acme|web|{self.orders}"
        self.desk.ask(order_id, alias_id)
        self.asked.add((order_id, alias_id))
        self._hear()
        if repeat and (order_id, alias_id) not in self.heard:
            self.desk.ask(order_id, alias_id)

    @rule(
        sku=st.sampled_from(["DRL200-BK", "X", "SAW-10"]),
        variant_id=st.sampled_from([DRILL, SAW, None]),
        version=st.integers(1, 4),
    )
    def define(self, sku, variant_id, version):
        self.desk.define(f"acme|merchant:nord|{sku}", variant_id, version=version)

    @rule()
    def time_passes(self):
        self.desk.tick(self.desk.now_at + LOOK_MS)

    def _hear(self):
        for told in self.desk.take("order-events"):
            assert isinstance(told, LineMapped)
            assert told.variant_id in (DRILL, SAW)
            self.heard[told.order_id, told.alias_id] += 1

    @invariant()
    def each_waits_or_has_heard_once(self):
        self._hear()
        assert set(self.heard.values()) <= {1}
        waiting = {(row.order_id, row.alias_id) for row in self.desk.rows.get(ASKERS.name, {}).values()}
        assert waiting == self.asked - set(self.heard)
        for alias_id, row in self.desk.rows.get(UNMAPPED.name, {}).items():
            alias = self.desk.rows.get(ALIASES.name, {}).get(alias_id)
            assert alias is None or alias.variant_id is None
            assert row.asked == len([one for one in waiting if one[1] == alias_id])


TestAsking = Asking.TestCase
TestAsking.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
