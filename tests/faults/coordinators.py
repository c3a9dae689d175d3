"""Who leads what in a battle's cluster, and who coordinates which tasks' transactions."""

import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.acls import transactional_prefix

LEADER_WITHIN_S = 60.0


def leaders(battle, topic, *, among=None):
    """The broker that leads each partition of a topic, as the brokers `among` know; None where nobody does."""
    brokers = among or battle.cluster.brokers
    admin = AdminClient({"bootstrap.servers": ",".join(one.address for one in brokers), "log_level": 0})
    nodes = {broker.node_id: broker for broker in battle.cluster.brokers}
    deadline = time.monotonic() + LEADER_WITHIN_S
    while True:
        try:
            found = admin.list_topics(topic, timeout=20).topics[topic].partitions
            return [nodes.get(partition.leader) for _, partition in sorted(found.items())]
        except KafkaException:
            assert time.monotonic() < deadline, battle.story("no broker answers")


def leader_of(battle, topic, partition):
    """The broker that leads a partition, once one does."""
    deadline = time.monotonic() + LEADER_WITHIN_S
    while (found := leaders(battle, topic)[partition]) is None:
        assert time.monotonic() < deadline, battle.story(f"{topic}/{partition} has no leader")
        time.sleep(0.2)
    return found


def transactions_of(battle, broker, *, among=None):
    """Tasks whose transactions a broker coordinates: the leader of the log partition that the id's hash names."""
    coordinators = leaders(battle, "__transaction_state", among=among)
    ids = [f"{transactional_prefix(battle.topology.app)}{task}" for task in range(battle.topology.partitions)]
    return [one for one in ids if coordinators[java_hash(one) % len(coordinators)] is broker]


def java_hash(text):
    """Java's hash of a string, without its sign, as Kafka takes it."""
    found = 0
    for letter in text:
        found = (found * 31 + ord(letter)) & 0xFFFF_FFFF
    return found if found < 1 << 31 else (1 << 32) - found
