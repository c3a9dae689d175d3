"""Each role on a real, secured broker reads and writes exactly what the topology says, and nothing else."""

import time
from pathlib import Path

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AclOperation, AdminClient
from typer.testing import CliRunner

from fsn.letters import Filter, Letters
from fsn.topology import app
from processors.reasons import Reason
from schemas.topology import load
from streams.acls import ROLES, WORKER, acls, replay_id, role_group, transactional_prefix
from streams.deadletters import DeadLetterSealer, position_of
from streams.machine import DEAD_LETTERS, Raw
from streams.settings import read_settings
from tests.e2e.secured import EVERY_ACL
from tests.e2e.workers import CODEC, read_committed

TOPOLOGY_FILE = Path(__file__).parents[2] / "topology.yaml"
TOPOLOGY = load(TOPOLOGY_FILE)
DENIED = KafkaError.TOPIC_AUTHORIZATION_FAILED
SECONDS = 30

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster(secured):
    """The secured cluster with this topology's topics and permissions."""
    with secured.prepared(TOPOLOGY_FILE):
        yield secured


def client(cluster, role, **settings):
    return {"bootstrap.servers": cluster.bootstrap, "log_level": 0, **cluster.client_settings(role), **settings}


def written(cluster, role):
    """The topics that take a record of this role."""
    refusals = {}
    producer = Producer(client(cluster, role, **{"message.timeout.ms": SECONDS * 1000}))
    for topic in TOPOLOGY.topics:
        producer.produce(
            topic, b"", "key", 0, on_delivery=lambda error, message: refusals.update({message.topic(): error})
        )
    assert producer.flush(SECONDS) == 0
    assert {error.code() for error in refusals.values() if error} <= {DENIED}, refusals
    return {topic for topic, error in refusals.items() if error is None}


def read(cluster, role):
    """The topics whose records, or whose end, this role is shown."""
    left, shown = described(cluster, role), set()
    group = role_group(TOPOLOGY.app, role)
    settings = {"group.id": group, "enable.partition.eof": True, "enable.auto.commit": False}
    consumer = Consumer(client(cluster, role, **settings))
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in left])
    deadline = time.monotonic() + SECONDS
    while left and time.monotonic() < deadline:
        for message in consumer.consume(500, 0.2):
            if message.error() is None or message.error().code() == KafkaError._PARTITION_EOF:
                shown.add(message.topic())
            left.discard(message.topic())
    consumer.close()
    assert not left, "neither shown nor refused"
    return shown


def described(cluster, role):
    """The topics that this role is told of at all."""
    admin = AdminClient(client(cluster, role))
    answers = admin.describe_topics(TopicCollection(list(TOPOLOGY.topics)), request_timeout=SECONDS)
    return {topic for topic, answer in answers.items() if allowed(answer, DENIED)}


def allowed(answer, denied):
    error = answer.exception(SECONDS)
    return error is None or error.args[0].code() != denied


@pytest.mark.parametrize("role", ROLES)
def test_a_role_writes_its_own_topics_and_no_other(cluster, role):
    declared = {name for name, topic in TOPOLOGY.topics.items() if role in topic.written_by}
    assert written(cluster, role) == (TOPOLOGY.worker_writes if role == WORKER else declared)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_its_own_topics_and_no_other(cluster, role):
    declared = {name for name, topic in TOPOLOGY.topics.items() if role in topic.read_by}
    assert read(cluster, role) == (TOPOLOGY.worker_reads if role == WORKER else declared)


def joins(cluster, role, group):
    admin = AdminClient(client(cluster, role))
    answer = admin.describe_consumer_groups([group], request_timeout=SECONDS)[group]
    return allowed(answer, KafkaError.GROUP_AUTHORIZATION_FAILED)


def test_a_role_has_its_own_groups_and_only_workers_have_theirs(cluster):
    assert [role for role in ROLES if joins(cluster, role, TOPOLOGY.app)] == [WORKER]
    readers = {role for role in ROLES if any(role in topic.read_by for topic in TOPOLOGY.topics.values())}
    assert {role for role in ROLES if joins(cluster, role, f"{role_group(TOPOLOGY.app, role)}-1")} == readers
    assert not joins(cluster, "auditor", role_group(TOPOLOGY.app, "operator"))


def begins(cluster, role, transactional_id):
    producer = Producer(client(cluster, role, **{"transactional.id": transactional_id}))
    try:
        producer.init_transactions(SECONDS)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            raise
        return False
    return True


def test_nobody_but_a_worker_can_fence_a_task_and_operators_replay(cluster):
    task = f"{transactional_prefix(TOPOLOGY.app)}0"
    assert [role for role in ROLES if begins(cluster, role, task)] == [WORKER]
    assert [role for role in ROLES if begins(cluster, role, replay_id(TOPOLOGY.app))] == [WORKER, "operator"]


def test_an_operator_sends_a_dead_letter_again(cluster):
    lost = Raw("orders", 0, 0, 1_700_000_000_000, b"acme|web|1", b"once more")
    letter = CODEC.encode(DeadLetterSealer(None).seal(lost, Reason.FORGED, "no key"))
    worker = Producer(client(cluster, WORKER))
    worker.produce(DEAD_LETTERS, letter, position_of(lost), 0)
    assert worker.flush(SECONDS) == 0
    letters = Letters(TOPOLOGY, read_settings(brokers=cluster.bootstrap, security=cluster.security("operator")))
    report = letters.replay(Filter.of(["FORGED"], None), dry_run=False, again=False)
    assert report.sent == {("orders", "FORGED"): 1}
    orders = read_committed(cluster.bootstrap, "orders", **cluster.client_settings())
    assert b"once more" in [message.value() for message in orders]


def command(cluster, *words, user="admin", name="acls"):
    environment = {"FSN_BROKERS": cluster.bootstrap, "FSN_SECURITY": cluster.security(user)}
    done = CliRunner().invoke(app, [name, "-f", str(TOPOLOGY_FILE), *words], env=environment)
    return done.exit_code, done.output


def test_topics_are_applied_with_the_same_credentials(cluster):
    total = len(TOPOLOGY.topics)
    assert command(cluster, name="apply") == (0, f"0 created, 0 settings changed, {total} as they were\n")


def everything(cluster):
    admin = cluster.admin()  # kept until the answer is in: a dropped client cancels its requests
    return set(admin.describe_acls(EVERY_ACL).result(SECONDS))


def test_applying_is_idempotent_and_pruning_leaves_what_belongs(cluster):
    total = len(acls(TOPOLOGY))
    assert command(cluster, "--apply") == (0, f"0 added, 0 removed, {total} as they were\n")
    before = everything(cluster)
    cluster.allow("User:auditor", AclOperation.ALTER, "orders")
    assert "left     User:auditor ALTER topic orders: not of this topology" in command(cluster, "--apply")[1]
    assert "removed  User:auditor ALTER topic orders" in command(cluster, "--apply", "--prune")[1]
    assert everything(cluster) == before


def test_a_role_may_play_under_another_principal(cluster):
    before = everything(cluster)
    code, said = command(cluster, "--principal", "upstream=User:CN=shop", "--apply")
    assert (code, said.count("added    User:CN=shop WRITE topic ")) == (
        0,
        len([a for a in acls(TOPOLOGY) if a.principal == "User:upstream"]),
    )
    cluster.forget(everything(cluster) - before)


def test_who_may_not_change_acls_is_told_so(cluster):
    code, said = command(cluster, "--apply", user="operator")
    assert (code, "may not see or change ACLs: name one of super.users" in said) == (1, True)
