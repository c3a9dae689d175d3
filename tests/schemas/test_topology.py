import re
import sys
import types
from pathlib import Path

import pytest

from fsn.declaration import load_topology
from schemas.topology import TopologyError, load, parse

ROOT = Path(__file__).parents[2]
DAY_MS = 86_400_000

SMALL = """\
app: shop
partitions: 4
clock: leader
defaults: {retention_days: 400, max_record_bytes: 1000}
topics:
  orders: {key: order_id, records: [OrderPlaced, OrderCancelled], signed: required, max_record_bytes: 5000}
  stock-deltas: {key: variant_id, records: [StockDelta], bulk: true}
  network: {key: entity_id, records: [VariantDefined], partitions: 1, retention_days: unlimited}
  network-changes: {key: partition, records: [NetworkChanged], broadcast: true, retention_days: 7}
  clock: {key: partition, records: [Tick], broadcast: true, internal: true, retention_days: 7}
  routing-decisions: {key: order_id, records: [RoutingDecision]}
  dead-letters: {key: source, records: [DeadLetter], max_record_bytes: 80000}
  task-manifests: {key: partition, records: [TaskManifest]}
  changelog: {key: row, records: [], cleanup: compact}
stages:
  stock:
    module: processors.stock
    reads: [stock-deltas]
    tables: [stock_items]
  orders:
    module: processors.orders
    reads: [orders]
    tables: [orders]
    emits: [routing-decisions]
"""


def test_the_topology_of_this_repository_holds():
    topology = load(ROOT / "topology.yaml")
    assert topology.app == "fsn"
    assert list(range(len(topology.topics))) == [topic.position for topic in topology.topics.values()]
    assert all(name == topic.name for name, topic in topology.topics.items())


def test_defaults_fill_in_what_a_topic_leaves_out():
    topics = parse(SMALL).topics
    assert (
        topics["orders"].partitions,
        topics["orders"].retention_days,
        topics["orders"].max_record_bytes,
    ) == (4, 400, 5000)
    assert (
        topics["network"].partitions,
        topics["network"].max_record_bytes,
        topics["network"].retention_ms,
    ) == (1, 1000, None)
    assert topics["clock"].retention_ms == 7 * DAY_MS
    assert topics["changelog"].retention_ms is None
    assert (topics["orders"].signed, topics["clock"].signed) == ("required", "none")
    assert (topics["orders"].cleanup, topics["changelog"].cleanup) == ("delete", "compact")


def test_source_topics_are_what_tasks_read_in_declaration_order():
    assert parse(SMALL).source_topics == ("orders", "stock-deltas", "network-changes", "clock")


def test_whoever_meets_a_public_topic_of_this_repository_has_a_role():
    topics = [topic for topic in load(ROOT / "topology.yaml").topics.values() if topic.name != "changelog"]
    assert [topic.name for topic in topics if not topic.internal and not topic.read_by + topic.written_by] == []
    assert [topic.name for topic in topics if "upstream" in topic.written_by and topic.signed != "required"] == []


def test_what_a_worker_may_follows_from_the_stages():
    topology = parse(SMALL)
    assert topology.worker_reads == {"orders", "stock-deltas", "network-changes", "clock", "network", "changelog"}
    assert topology.worker_writes == topology.topics.keys() - {"network"}


def test_readers_and_writers_are_known():
    topology = parse(SMALL)
    assert [stage.name for stage in topology.readers_of("stock-deltas")] == ["stock"]
    assert [stage.name for stage in topology.writers_of("routing-decisions")] == ["orders"]
    assert topology.readers_of("routing-decisions") == ()


def test_with_an_external_clock_nothing_is_deleted_by_time():
    topology = parse(SMALL.replace("clock: leader", "clock: external"))
    assert {None} == {topic.retention_ms for topic in topology.topics.values()}


def test_the_model_is_frozen():
    topology = parse(SMALL)
    with pytest.raises(ValueError, match="frozen"):
        topology.partitions = 5
    with pytest.raises(ValueError, match="frozen"):
        topology.topics["orders"].bulk = True


WRONG = [
    # YAML and keys
    ("app: shop", "app: [shop", r"topology.yaml:2: while parsing a flow sequence \(from line 1\), expected ',' or ']', but got ':'; mend the YAML"),
    ("clock: leader", "clock: 'leader", r"topology.yaml:25: while scanning a quoted scalar \(from line 3\), found unexpected end of stream; mend the YAML"),
    ("clock: leader", "clock: lead: er", "topology.yaml:3: mapping values are not allowed here; mend the YAML"),
    ("clock: leader", "clock: *leader", "topology.yaml:3: found undefined alias 'leader'; mend the YAML"),
    ("clock: leader", "---", r"topology.yaml:3: expected a single document in the stream \(from line 1\), but found another document; mend the YAML"),
    ("clock: leader", "clock: lea\x01der", r"topology.yaml:3: the character U\+0001 has no place in YAML; remove it"),
    ("clock: leader", r'clock: "\UFFFFFFFF"', "topology.yaml:3: an escape names no character; mend the YAML"),
    ("clock: leader", "clock: " + "[" * 3000, "topology.yaml:3: lies too deep in brackets; mend the YAML"),
    ("clock: leader", "? [clock]\n: leader", r"topology.yaml:3: \?: a key is a word in one line; write one before the colon"),
    ("bulk: true", "? {a: b} : true", r"topology.yaml:7: topics.stock-deltas.\?: a key is a word in one line; write one"),
    ("bulk: true", "'': true", r"topology.yaml:7: topics.stock-deltas.\?: a key is a word in one line; write one"),
    ("clock: leader", r'"\uD800": leader', r"topology.yaml:3: \?: a key is a word in one line; write one"),
    ("clock: leader", r'"clo\nck": leader', r"topology.yaml:3: \?: a key is a word in one line; write one"),
    (SMALL, "2026-13-45", "topology.yaml:1: the file is no mapping"),
    (SMALL, "- &a [*a]", "topology.yaml:1: the file is no mapping"),
    # scalars, tags, aliases
    ("app: shop", "app: 2026-13-45", "topology.yaml:1: app: '2026-13-45' is no timestamp; put text into quotes, or mend the value"),
    ("partitions: 4", "partitions: !!int x", "topology.yaml:2: partitions: 'x' is no int; put text into quotes, or mend the value"),
    ("partitions: 4", "partitions: !!int ''", "topology.yaml:2: partitions: '' is no int; put text"),
    ("partitions: 4", "partitions: 0b_", "topology.yaml:2: partitions: '0b_' is no int; put text"),
    ("partitions: 4", "partitions: !!bool x", "topology.yaml:2: partitions: 'x' is no bool; put text"),
    ("partitions: 4", "partitions: !!timestamp x", "topology.yaml:2: partitions: 'x' is no timestamp; put text"),
    ("partitions: 4", "partitions: !!binary ä", "topology.yaml:2: partitions: 'ä' is no binary; put text"),
    ("    reads: [orders]", "    reads:\n      - orders\n      - 2026-02-30", "topology.yaml:24: stages.orders.reads: '2026-02-30' is no timestamp; put text"),
    ("clock: leader", "clock: !foo leader", "topology.yaml:3: clock: the tag !foo means nothing here; remove it, or put text into quotes"),
    ("clock: leader", "clock: !!python/name:os.system leader", "topology.yaml:3: clock: the tag !!python/name:os.system means nothing here; remove it"),
    ("bulk: true", "bulk: !foo {}", "topology.yaml:7: topics.stock-deltas.bulk: the tag !foo means nothing here; remove it"),
    ("app: shop", "app: shop\na: &a [*a]", "topology.yaml:2: a: an alias stands inside what it names; write out what is meant"),
    ("    tables: [orders]", "    tables: &a\n      - orders\n      - {b: [*a]}", "topology.yaml:23: stages.orders.tables.b: an alias stands inside what it names; write"),
    ("  orders:\n    module", "  orders: &a\n    reads: *a\n    module", "topology.yaml:21: stages.orders.reads: an alias stands inside what it names; write"),
    (SMALL, "just words", "topology.yaml:1: the file is no mapping"),
    (SMALL, "", "topology.yaml:1: the file is no mapping"),
    ("bulk: true", "bulky: true", "topology.yaml:7: topics.stock-deltas.bulky: is no key here; did you mean bulk?"),
    ("bulk: true", "name: x", "topology.yaml:7: topics.stock-deltas.name: is no key here; known keys are key, records"),
    ("    tables: [orders]", "    table: [orders]", "topology.yaml:23: stages.orders.table: is no key here; did you mean tables?"),
    ("app: shop", "app: shop\nregion: eu", "topology.yaml:2: region: is no key here; known keys are app,"),
    ("{retention_days: 400,", "{retention: 1, retention_days: 400,", "topology.yaml:4: defaults.retention: is no key here; did you mean retention_days"),
    ("app: shop\n", "", "app: is missing; add `app: …`"),
    ("key: variant_id, ", "", "topology.yaml:7: topics.stock-deltas.key: is missing; add `key: …`"),
    ("    module: processors.stock\n", "", "topology.yaml:16: stages.stock.module: is missing"),
    ("  stock-deltas: {", "  orders: {", r"topology.yaml:7: topics.orders: is declared twice \(first in line 6\)"),
    ("  orders:\n    module: processors.orders", "  stock:\n    module: processors.orders", "topology.yaml:20: stages.stock: is declared twice"),
    ("  changelog: {key: row, records: [], cleanup: compact}", "  changelog:", "topology.yaml:14: topics.changelog: says nothing"),
    ("  orders:\n    module: processors.orders\n    reads: [orders]\n    tables: [orders]\n    emits: [routing-decisions]\n", "  orders: 5\n", "topology.yaml:20: stages.orders: says nothing"),
    # values
    ("partitions: 4", "partitions: four", "topology.yaml:2: partitions: 'four' does not do"),
    ("partitions: 4", "partitions: 0", "topology.yaml:2: partitions: 0 does not do: .*greater than 0"),
    ("clock: leader", "clock: wall", "topology.yaml:3: clock: 'wall' does not do: .*'leader' or 'external'"),
    ("signed: required", "signed: maybe", "topology.yaml:6: topics.orders.signed: 'maybe' does not do"),
    ("retention_days: unlimited", "retention_days: -1", "topology.yaml:8: topics.network.retention_days"),
    ("    reads: [orders]", "    reads: []", "topology.yaml:20: stages.orders: has nothing to do; name topics under `reads`, or tables under `audits`"),
    ("bulk: true", "bulk: true, read_by: [worker]", "topology.yaml:7: topics.stock-deltas.read_by: 'worker' does not do: .*'upstream', 'gateway'"),
    # roles
    ("bulk: true", "bulk: true, internal: true, written_by: [upstream]", "topology.yaml:7: topics.stock-deltas.written_by: the topic is internal, only workers use it; remove `written_by`"),
    ("bulk: true", "bulk: true, read_by: [auditor, auditor]", "topology.yaml:7: topics.stock-deltas.read_by: auditor is named twice; remove one"),
    ("[RoutingDecision]", "[RoutingDecision], written_by: [upstream]", "topology.yaml:11: topics.routing-decisions.written_by: no stage reads it, so only workers may write it"),
    # names
    ("app: shop", "app: my shop", "topology.yaml:1: app: 'my shop' is no name for Kafka's groups and topics; call it by 1 to 229 of the characters a-z A-Z 0-9 . _ -"),
    ("app: shop", "app: ''", "topology.yaml:1: app: '' is no name for Kafka's groups and topics; call it"),
    ("app: shop", "app: shöp", "topology.yaml:1: app: 'shöp' is no name for Kafka's groups and topics; call it"),
    ("app: shop", "app: a/b", "topology.yaml:1: app: 'a/b' is no name for Kafka's groups and topics; call it"),
    ("app: shop", r'app: "shop\n"', "topology.yaml:1: app: 'shop.n' is no name for Kafka's groups and topics; call it"),
    ("app: shop", f"app: {'x' * 230}", "topology.yaml:1: app: 'x{230}' is no name for Kafka's groups and topics; call it"),
    ("module: processors.stock", "module: ''", "topology.yaml:17: stages.stock.module: '' is no module's name; write it like processors.stock"),
    ("module: processors.stock", "module: .stock", "topology.yaml:17: stages.stock.module: '.stock' is no module's name; write it like processors.stock"),
    ("  stock-deltas: {", "  stockDeltas: {", "topology.yaml:7: topics.stockDeltas: a topic's name is kebab-case; call it stock-deltas"),
    ("  routing-decisions: {", "  Routing_Decisions: {", "topology.yaml:11: topics.Routing_Decisions: .* call it routing-decisions"),
    ("  stock:\n", "  Stock:\n", "topology.yaml:16: stages.Stock: a stage is called like its module, in snake_case"),
    ("  stock:\n", "  stock-items:\n", "topology.yaml:16: stages.stock-items: a stage is called"),
    ("[stock_items]", "[stock-items]", "topology.yaml:19: stages.stock.tables: stock-items: a table's name is snake_case"),
    ("[stock_items]", "[StockItems]", "topology.yaml:19: stages.stock.tables: StockItems: a table's name is snake_case"),
    ("OrderPlaced,", "OrderPlacd,", "topology.yaml:6: topics.orders.records: OrderPlacd is no record type; did you mean OrderPlaced?"),
    ("[Tick]", "[Xyzzy]", "topology.yaml:10: topics.clock.records: Xyzzy is no record type; define it in schemas/records"),
    ("[OrderPlaced, OrderCancelled]", "[OrderPlaced, OrderPlaced]", "topology.yaml:6: topics.orders.records: OrderPlaced is named twice"),
    ("reads: [stock-deltas]", "reads: [stock-deltas, stock-deltas]", "topology.yaml:18: stages.stock.reads: stock-deltas is named twice"),
    # edges
    ("reads: [stock-deltas]", "reads: [stock-delta]", "topology.yaml:18: stages.stock.reads: stock-delta is no declared topic; did you mean stock-deltas?"),
    ("reads: [orders]", "reads: [orders, zebra]", "topology.yaml:22: stages.orders.reads: zebra is no declared topic; declare it under `topics`"),
    ("emits: [routing-decisions]", "emits: [routing-decision]", "topology.yaml:24: stages.orders.emits: routing-decision is no declared topic; did you mean"),
    ("emits: [routing-decisions]", "emits: [zebra]", "topology.yaml:24: stages.orders.emits: zebra is no declared topic; declare"),
    ("reads: [orders]", "reads: [orders, network]", "topology.yaml:22: stages.orders.reads: every worker reads network whole; read ctx.network"),
    ("reads: [stock-deltas]", "reads: [stock-deltas, network]", "topology.yaml:18: stages.stock.reads: every worker reads network whole"),
    # partitions and limits
    ("bulk: true", "bulk: true, partitions: 12", "topology.yaml:7: topics.stock-deltas.partitions: has 12 partitions and the other source topics 4"),
    ("broadcast: true, internal: true", "broadcast: true, partitions: 1", "topology.yaml:10: topics.clock.partitions: has 1 partitions"),
    ("max_record_bytes: 80000", "max_record_bytes: 70535", "topology.yaml:12: topics.dead-letters.max_record_bytes: 70535 cannot hold a record of orders; make it 70536 or more"),
    (", max_record_bytes: 80000", "", "topology.yaml:12: topics.dead-letters.max_record_bytes: 1000 cannot hold"),
    ("[RoutingDecision]", "[RoutingDecision], bulk: true", "topology.yaml:11: topics.routing-decisions.bulk: no stage reads it"),
    ("[TaskManifest]", "[TaskManifest], bulk: true", "topology.yaml:13: topics.task-manifests.bulk: no stage reads it"),
    (", cleanup: compact", "", "topology.yaml:14: topics.changelog: rows would be lost by age; add `cleanup: compact`"),
    ("cleanup: compact", "cleanup: delete", "topology.yaml:14: topics.changelog: rows would be lost by age"),
    # owners
    ("tables: [orders]", "tables: [stock_items]", "topology.yaml:23: stages.orders.tables: stock_items is stock's already; a table has one writer"),
    ("[stock_items]", "[stock_items, stock_items]", "topology.yaml:19: stages.stock.tables: stock_items is stock's already"),
    ("module: processors.orders", "module: processors.stock", "topology.yaml:21: stages.orders.module: processors.stock is the stage stock already"),
    ("  task-manifests: {key: partition, records: [TaskManifest]}\n", "", "topology.yaml:5: topics: task-manifests is missing; the engine needs it"),
    ("  changelog: {key: row, records: [], cleanup: compact}\n", "", "topology.yaml:5: topics: changelog is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "message"), WRONG, ids=[case[2][:70] for case in WRONG])
def test_what_does_not_hold_is_told_with_line_and_mend(right, wrong, message):
    assert right in SMALL
    with pytest.raises(TopologyError, match=message) as error:
        parse(SMALL.replace(right, wrong, 1))
    for problem in error.value.problems:
        assert re.match(r"topology\.yaml:\d+: .+; .+", problem), "each problem names its line and its mend"


def test_any_legal_name_of_an_application_will_do():
    for app in ("fsn", "Shop_2.eu-west", "x" * 229):
        assert parse(SMALL.replace("app: shop", f"app: {app}")).app == app


def test_an_alias_beside_what_it_names_repeats_it():
    text = SMALL.replace("signed: required, max", "signed: &s required, max").replace("bulk: true", "signed: *s")
    assert parse(text).topics["stock-deltas"].signed == "required"


def test_a_topology_that_reads_nothing_is_told_what_is_missing():
    head = SMALL[: SMALL.index("  orders: {")]
    with pytest.raises(TopologyError, match=r"topology\.yaml:5: topics: clock is missing; the engine needs it"):
        parse(f"{head}  dead-letters: {{key: source, records: [DeadLetter]}}\nstages: {{}}\n")


def test_network_alone_may_have_its_own_partition_count():
    assert parse(SMALL.replace("partitions: 1,", "partitions: 3,")).topics["network"].partitions == 3


def test_all_problems_are_told_at_once():
    text = (
        SMALL.replace("OrderPlaced,", "Nonsense,")
        .replace("[stock_items]", "[Items]")
        .replace("[orders]\n", "[order]\n", 1)
    )
    with pytest.raises(TopologyError) as error:
        parse(text)
    assert len(error.value.problems) == 3


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TopologyError, match=r"nothing.yaml: No such file or directory; name an existing file"):
        load(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SMALL.replace("leader", "Führung").encode("latin-1"), "shop.yaml:3: the byte 0xfc is no UTF-8; save the file as UTF-8"),
        (SMALL.encode("utf-16"), "shop.yaml:1: the byte 0xff is no UTF-8; save the file as UTF-8"),
        (SMALL.encode()[:-3] + b"\xc3", "shop.yaml:24: the byte 0xc3 is no UTF-8; save the file as UTF-8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("loaded", [load, load_topology])
def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path, loaded, content, message):
    (tmp_path / "shop.yaml").write_bytes(content)
    with pytest.raises(TopologyError) as error:
        loaded(tmp_path / "shop.yaml")
    assert error.value.problems == (message,)


@pytest.fixture
def stage_of(monkeypatch):
    """Puts a stage of one's own in the place of a module; stock and orders are right until changed."""
    from schemas.records.orders import OrderCancelled, OrderPlaced
    from schemas.records.stock import StockDelta

    def put(module, name, handlers, tables):
        made = types.ModuleType(module)
        tables = tuple(types.SimpleNamespace(name=table) for table in tables)
        made.STAGE = types.SimpleNamespace(name=name, handlers=handlers, tables=tables, audits=())
        monkeypatch.setitem(sys.modules, module, made)
        return made

    put("processors.stock", "stock", {"stock-deltas": {StockDelta: print}}, ["stock_items"])
    put("processors.orders", "orders", {"orders": {OrderPlaced: print, OrderCancelled: print}}, ["orders"])
    return put


@pytest.fixture
def only_small_records(monkeypatch):
    """No record type but those that SMALL declares."""
    from schemas import topology_checks

    declared = {record for topic in parse(SMALL).topics.values() for record in topic.records}
    known = topology_checks.record_types()
    monkeypatch.setattr(topology_checks, "record_types", lambda: {name: known[name] for name in declared})


def test_code_that_is_as_declared_holds(stage_of, only_small_records):
    assert parse(SMALL) == parse(SMALL, code=True)


def test_a_record_type_that_no_topic_carries_is_named(stage_of):
    with pytest.raises(TopologyError) as error:
        parse(SMALL, code=True)
    problems = error.value.problems
    assert (
        "topology.yaml:5: topics: no topic carries the record OrderClosed; add it to one, or remove its class"
        in problems
    )
    assert any("StockCount" in problem for problem in problems)
    assert not any("StockDelta;" in problem for problem in problems)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            "processors.nowhere",
            r"topology.yaml:17: stages.stock.module: processors.nowhere cannot be imported \(No module",
        ),
        ("no.such.package", "topology.yaml:17: stages.stock.module: no.such.package cannot be imported"),
        ("processors.step", "topology.yaml:17: stages.stock.module: processors.step has no STAGE; end it with"),
        ("schemas.errors", "topology.yaml:17: stages.stock.module: schemas.errors has no STAGE"),
    ],
)
def test_a_module_without_a_stage_is_refused(stage_of, only_small_records, module, message):
    with pytest.raises(TopologyError, match=message):
        parse(SMALL.replace("processors.stock", module), code=True)


@pytest.mark.parametrize(
    ("name", "handlers", "tables", "message"),
    [
        ("stocks", {"stock-deltas": {}}, ["stock_items"], ":16: stages.stock: processors.stock calls its stage stocks"),
        ("Stock", {"stock-deltas": {}}, ["stock_items"], ":16: stages.stock: processors.stock calls its stage Stock"),
        ("stock", {}, ["stock_items"], ":18: stages.stock.reads: stock-deltas is declared and the code has it not"),
        ("stock", {"stock-deltas": {}, "orders": {}}, ["stock_items"], ":18: stages.stock.reads: the code has orders, which"),
        ("stock", {"stock-deltas": {}}, [], ":19: stages.stock.tables: stock_items is declared and the code has it not"),
        ("stock", {"stock-deltas": {}}, ["stock_items", "b"], ":19: stages.stock.tables: the code has b, which is not"),
        ("stock", {"stock-deltas": {int: print}}, ["stock_items"], ":7: topics.stock-deltas.records: the stage stock handles int"),
        ("stock", {"stock-deltas": {str: print}}, ["stock_items"], ":7: topics.stock-deltas.records: .*add the record here, or"),
    ],
)  # fmt: skip
def test_code_that_is_not_as_declared_is_refused(stage_of, only_small_records, name, handlers, tables, message):
    stage_of("processors.stock", name, handlers, tables)
    with pytest.raises(TopologyError, match=message):
        parse(SMALL, code=True)
