"""`fsn rules`: a document proven by line, and its way from draft over shadow to active before a worker that routes by it."""

import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml

from fsn.processes import WorkerProcess
from fsn.rule_desk import agreements, difference
from fsn.rule_documents import BYTES_MAX, DocumentError, document_of, read_document
from fsn.rules import app
from fsn.world.network import rule_document
from fsn.world.world import World
from processors.routing.audit import unpack
from processors.rules import DEFAULT_RULES, Rules
from schemas.records.routing import PlanPart, RoutingPlan, ShadowDecided
from tests.e2e.workers import wait_until
from tests.processors.routing.world import change, network

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "rules.md").read_text("utf-8")
ROW = re.compile(r"^\| `(\w+)` \| `(.*?)` \|", re.MULTILINE)


def test_the_manual_states_every_rule_with_its_default():
    stated = {name: yaml.safe_load(default) for name, default in ROW.findall(DOCUMENT)}
    defaults = json.loads(msgspec.json.encode(DEFAULT_RULES))
    assert stated == defaults


def test_the_manual_s_example_is_a_document():
    example = re.search(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)[1]
    rules = document_of(example, name="near.yaml").rules
    assert (rules.weight_distance, rules.max_shipments) == (8, 2)


@pytest.mark.parametrize("name", ["euro", "fast", "polish", "swiss"])
def test_the_world_s_rules_are_documents(name):
    document = document_of(rule_document(name), name=name)
    assert msgspec.msgpack.decode(document.compiled, type=Rules) == document.rules


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n  \n"])
def test_a_document_that_states_nothing_is_the_defaults(text):
    assert document_of(text, name="r.yaml").rules == DEFAULT_RULES


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("weight_cost: 1\nweigth_sla: 2\n", "r.yaml:2: weigth_sla: no such rule; did you mean weight_sla?; mend the rule"),
        ("# a\n\nmax_shipments: 0\n", "r.yaml:3: max_shipments: Expected `int` >= 1"),
        ("max_shipments: two\n", "r.yaml:1: max_shipments: Expected"),
        ("weight_cost: -1\n", "r.yaml:1: weight_cost: Expected `int` >= 0"),
        ("split_penalty: 1\nchannel_preferences:\n  shop: [a]\n  ebay: [b, b]\n", "r.yaml:4: channel_preferences.ebay: a loc"),
        ("exchange_rates_e6:\n  CHF: 1\n  Euro: 2\n", "r.yaml:3: exchange_rates_e6.Euro"),
        ("allowed_countries:\n- [DE, AT]\n- [DE, Austria]\n", "r.yaml:3: allowed_countries"),
        (
            "allowed_countries: [[BE, NL]]\nforbidden_countries: [[BE, NL]]\n",
            "r.yaml:1: allowed_countries: BE to NL is in forbidden_countries too; keep one",
        ),
        ("distance_best_m: 5\ndistance_worst_m: 5\n", "r.yaml:1: distance_best_m: must be below distance_worst_m (5)"),
        ("park_retry_max_ms: 1\n", "r.yaml:1: park_retry_max_ms: must be at least park_retry_ms"),
        ("weight_cost: 1\nweight_cost: 2\n", "r.yaml:2: weight_cost"),
        ("a: &a [x]\nb: *a\n", "r.yaml:2: an alias stands for something else; write out what is meant"),
        ("- a\n", "r.yaml:1: the file is no mapping; start from a rule"),
        ("a: [", "r.yaml:1"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_document_is_said_by_line(text, problem):
    with pytest.raises(DocumentError) as raised:
        document_of(text, name="r.yaml")
    assert problem in str(raised.value)


def test_a_file_that_is_no_document(tmp_path):
    path = tmp_path / "rules.yaml"
    with pytest.raises(DocumentError, match="cannot be read"):
        read_document(path)
    path.write_bytes(b"\xff")
    with pytest.raises(DocumentError, match="no text in UTF-8"):
        read_document(path)
    path.write_text("#" * (BYTES_MAX + 1))
    with pytest.raises(DocumentError, match="at most"):
        read_document(path)


def plan(*places, account="dhl"):
    parts = [PlanPart(f"acme|{name}", account, "dhl", "standard", (), 1, 100, 1, 1, 1, 1) for name in places]
    return RoutingPlan(tuple(parts), 1, 100 * len(parts))


def shadow(active, other, *, outcome="differs", merchant_id="acme|merchant", shadow_version=2):
    return ShadowDecided("o", 1, merchant_id, "r", 1, shadow_version, outcome, active, "routed", other, "routed", 7)


@pytest.mark.parametrize(
    ("active", "other", "words"),
    [
        (plan("a"), plan("b"), "other places"),
        (plan("a"), plan("a", account="ups"), "other accounts"),
        (plan("a"), None, "only the active"),
        (None, plan("a"), "only the shadow"),
        (None, None, "no plan in either"),
    ],
)
def test_a_difference_in_few_words(active, other, words):
    assert difference(shadow(active, other)) == words


class Topic:
    """As much of a desk as comparisons need."""

    def __init__(self, *records):
        self.records, made = records, network()
        made.merchants["acme|polish"] = change(made.merchants["acme|merchant"], currency="PLN")
        self.network = lambda: made

    def read(self, _):
        return self.records

    def decoded(self, raw):
        return raw


def test_comparisons_are_added_up_by_version_and_money_by_currency():
    near, far, both = plan("a"), plan("b", account="ups"), plan("a", "b")
    found = agreements(
        Topic(
            shadow(near, near, outcome="agrees"),
            shadow(near, far),
            shadow(near, both),
            shadow(near, both, merchant_id="acme|polish"),
            shadow(near, None, outcome="unknown"),
            shadow(None, near),
            shadow(near, far, shadow_version=3),
            None,
        )
    )
    first, second = found
    assert (first.agrees, first.differs, first.unknown, first.rate_e6) == (1, 4, 1, 200_000)
    assert first.cost_minor == {"EUR": 100, "PLN": 100}
    assert first.shipments == 2
    assert first.reasons == {"other places": 3, "only the shadow": 1}
    assert len(first.examples) == 4
    assert (second.shadow_version, second.differs) == (3, 1)
    assert agreements(Topic(), "r") == []
    assert agreements(Topic(shadow(near, far)), "another") == []


@pytest.fixture
def desk(open_desk):
    return open_desk(app)


@pytest.mark.timeout(240)
def test_rules_go_from_draft_over_shadow_to_active(desk, tmp_path):
    world = World(3, orders=6, deltas=100, hours=3)
    world.keys.write(desk.keys)
    desk.publish(*world.network.keyed())
    order = next(one.placed for one in world.orders if one.routable)
    rule_set_id = next(m.rule_set_id for m in world.network.merchants if m.merchant_id == order.merchant_id)
    path = tmp_path / "near.yaml"
    path.write_text("weight_distance: 9\n", "utf-8")
    assert "1 of" in desk("check", str(path))

    assert desk("publish", rule_set_id, str(path), "--author", "ann") == f"{rule_set_id} version 2: draft\n"
    desk("promote", rule_set_id, "2", "--to", "shadow", "--comment", "let us see")
    settings = {"brokers": desk.brokers, "state_dir": tmp_path / "state", "keys": desk.keys}
    topology = ROOT / "topology.yaml"
    with WorkerProcess(topology=topology, log_path=tmp_path / "worker.log", **settings) as worker:
        worker.wait_until_ready()
        desk.send("orders", order.order_id, order, order.merchant_id)  # nothing is in stock: both versions find nothing
        wait_until(lambda: desk.records("shadow-decisions"))
        (first, *_) = desk.records("shadow-decisions")
        assert (first.order_id, first.active_version, first.shadow_version) == (order.order_id, 1, 2)
        told = json.loads(desk("agreement", rule_set_id, "--json"))
        assert (told[0]["shadow_version"], told[0]["differs"], told[0]["unknown"]) == (2, 0, 0)
        assert told[0]["agrees"] >= 1
        assert "100.00 %" in desk("agreement")
        wait_until(lambda: re.search(r'fsn_stage_gauge{name="shadow_agrees",.*} [1-9]', worker.get("/metrics")[1]))

        desk("promote", rule_set_id, "2", "--author", "ben")
        wait_until(lambda: unpack(desk.records("routing-audits")[-1].audit).rule_version == 2)
    assert desk("show", rule_set_id) == "weight_distance: 9\n"
    assert "channel_fee_bp" in desk("show", rule_set_id, "1")
    history = desk("history", rule_set_id)
    assert all(word in history for word in ("ann", "ben", "let us see", "draft", "shadow", "active"))
    assert "it is active and cannot become retired" in desk("retire", rule_set_id, "2", fails=True)
    assert "has no version 7: its versions are 1, 2" in desk("promote", rule_set_id, "7", fails=True)
    assert "was ever published" in desk("history", "acme|nobody", fails=True)
