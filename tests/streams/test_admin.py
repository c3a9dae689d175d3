from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource

from schemas.topology import load, parse
from streams import admin, connection
from streams.admin import MESSAGE_OVERHEAD_BYTES, Change, apply, topic_config
from streams.errors import ConfigurationError
from tests.e2e.workers import wait_until

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "topology.yaml").read_text("utf-8")
TOPOLOGY = load(ROOT / "topology.yaml")
DAY_MS = 86_400_000


def test_every_setting_follows_the_declaration():
    orders = topic_config(TOPOLOGY, TOPOLOGY.topics["orders"])
    assert str(400 * DAY_MS) == orders["retention.ms"]
    assert str(10 * 1024 * 1024 + MESSAGE_OVERHEAD_BYTES) == orders["max.message.bytes"]
    assert orders["cleanup.policy"] == "delete"
    assert "min.compaction.lag.ms" not in orders
    assert topic_config(TOPOLOGY, TOPOLOGY.topics["network"])["retention.ms"] == "-1"


def test_the_changelog_is_compacted_and_remembers_deletions():
    changelog = topic_config(TOPOLOGY, TOPOLOGY.topics["changelog"])
    assert changelog["cleanup.policy"] == "compact"
    assert str(admin.CHANGELOG_DELETE_RETENTION_MS) == changelog["delete.retention.ms"]
    assert "min.compaction.lag.ms" in changelog


def test_three_brokers_keep_three_copies_of_which_two_must_answer():
    assert topic_config(TOPOLOGY, TOPOLOGY.topics["orders"], replicas=3)["min.insync.replicas"] == "2"
    assert "min.insync.replicas" not in topic_config(TOPOLOGY, TOPOLOGY.topics["orders"], replicas=1)


def test_with_an_external_clock_records_may_be_dated_ahead():
    external = parse(TEXT.replace("clock: leader", "clock: external"))
    config = topic_config(external, external.topics["orders"])
    assert str(2**63 - 1) == config["message.timestamp.after.max.ms"]
    assert config["retention.ms"] == "-1"


def test_a_broker_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(connection, "PATIENCE_S", 0.5)
    with pytest.raises(ConfigurationError, match=r"no broker answers at 127.0.0.1:1 .*mend FSN_BROKERS"):
        apply(TOPOLOGY, "127.0.0.1:1", client={"log_level": 0})


@pytest.fixture
def brokers(start_broker):
    broker = start_broker()
    yield broker.bootstrap
    broker.kill()


def settings(brokers, topic):
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    client = AdminClient({"bootstrap.servers": brokers})  # held until the answer is there
    (future,) = client.describe_configs([resource]).values()
    return {name: entry.value for name, entry in future.result().items()}


@pytest.mark.broker
def test_apply_against_a_broker(brokers):
    """One story, in order: create, leave alone, change, refuse, insist."""
    report = apply(TOPOLOGY, brokers)
    assert {*TOPOLOGY.topics, "fsn-__assignor-__leader"} == set(report.created)
    found = AdminClient({"bootstrap.servers": brokers}).list_topics(timeout=10).topics
    assert {name: topic.partitions for name, topic in TOPOLOGY.topics.items()} == {
        name: len(found[name].partitions) for name in TOPOLOGY.topics
    }

    again = apply(TOPOLOGY, brokers)
    assert ((), (), tuple(TOPOLOGY.topics), ()) == (again.created, again.changed, again.unchanged, again.not_changed)

    longer = parse(TEXT.replace("retention_days: 30,", "retention_days: 50,"))
    changed = apply(longer, brokers).changed
    assert (Change("dead-letters", "retention.ms", str(30 * DAY_MS), str(50 * DAY_MS)),) == changed
    wait_until(lambda: settings(brokers, "dead-letters")["retention.ms"] == str(50 * DAY_MS))  # Kafka takes a moment
    kept = settings(brokers, "dead-letters")
    assert (
        str(TOPOLOGY.topics["dead-letters"].max_record_bytes + MESSAGE_OVERHEAD_BYTES) == kept["max.message.bytes"]
    ), "others stay as they were"

    with pytest.raises(ConfigurationError, match="dead-letters: retention of 2592000000 ms is wanted and 4320000000"):
        apply(TOPOLOGY, brokers)
    assert str(50 * DAY_MS) == settings(brokers, "dead-letters")["retention.ms"], "a refusal changes nothing"
    assert len(apply(TOPOLOGY, brokers, records_may_go=True).changed) == 1


@pytest.mark.broker
@pytest.mark.parametrize("count", [2, 12])
def test_apply_never_repartitions(brokers, count):
    apply(TOPOLOGY, brokers)
    wrong = parse(TEXT.replace("\npartitions: 4", f"\npartitions: {count}"))
    with pytest.raises(
        ConfigurationError, match=f"orders: {count} partitions are wanted and 4 were found; .*back to 4"
    ):
        apply(wrong, brokers, records_may_go=True)
    found = AdminClient({"bootstrap.servers": brokers}).list_topics(timeout=10).topics
    assert len(found["orders"].partitions) == 4


@pytest.mark.broker
def test_apply_does_not_change_cleanup_unasked(brokers):
    apply(TOPOLOGY, brokers)
    compacted = parse(TEXT.replace("records: [RoutingDecision]", "records: [RoutingDecision], cleanup: compact"))
    with pytest.raises(ConfigurationError, match="routing-decisions: cleanup compact is wanted and delete was found"):
        apply(compacted, brokers)
