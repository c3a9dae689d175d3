"""Brokers die, freeze and all go away at once, under load, with replication 3 and two replicas in sync to take a write."""

import time

import pytest
from confluent_kafka.admin import AdminClient

from tests.faults.battle import fight
from tests.faults.test_kills import SEED

FROZEN_S = 20.0
"""Longer than any call waits, and than the cluster waits for a silent broker."""
ALL_DOWN_S = 30.0

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(1_800)]


def leader_of(battle, topic, partition):
    """The broker that leads a partition now."""
    admin = AdminClient({"bootstrap.servers": battle.cluster.bootstrap, "log_level": 0})
    leaders = {broker.node_id: broker for broker in battle.cluster.brokers}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        partitions = admin.list_topics(timeout=20).topics[topic].partitions
        if partition in partitions and partitions[partition].leader in leaders:
            return leaders[partitions[partition].leader]
        time.sleep(0.2)
    raise AssertionError(battle.story(f"{topic}/{partition} has no leader: {partitions}"))


def a_leader_dies(battle):
    broker = leader_of(battle, "stock-deltas", 0)
    broker.kill()
    battle.tell(f"kill broker {broker.node_id}, the leader of stock-deltas/0")
    battle.wait(5.0, 10.0)
    broker.start()
    battle.cluster.wait_until_ready()


def a_coordinator_freezes(battle):
    """The leader of a partition of the transaction log: the coordinator of some task's transactions."""
    broker = leader_of(battle, "__transaction_state", 0)
    broker.freeze()
    battle.tell(f"freeze broker {broker.node_id}, a transaction coordinator")
    time.sleep(FROZEN_S)
    broker.thaw()
    battle.cluster.wait_until_ready()


def a_leader_and_a_worker_die_together(battle):
    name, broker = battle.any(), leader_of(battle, "orders", 1)
    broker.kill()
    battle.kill(name)
    battle.wait(1.0, 3.0)
    battle.start(name)
    battle.wait(1.0, 3.0)
    broker.start()
    battle.cluster.wait_until_ready()


def all_brokers_are_gone_for_a_while(battle):
    """Between two sends of the world: a producer whose brokers all forget what it sent may send some of it again, and
    would be blamed on FSN by the count of what is there.
    """
    with battle.feeder.sending:
        for broker in battle.cluster.brokers:
            broker.kill()
        battle.tell("kill every broker")
        time.sleep(ALL_DOWN_S)
        for broker in battle.cluster.brokers:
            broker.start()
        battle.cluster.wait_until_ready()
        battle.tell("every broker is back")


FAULTS = (
    a_leader_dies,
    a_coordinator_freezes,
    a_leader_and_a_worker_die_together,
    all_brokers_are_gone_for_a_while,
)


def test_whatever_happens_to_brokers_the_books_are_right(tmp_path):
    fight(tmp_path, FAULTS, seed=SEED * 1_000 + 700, workers=2, brokers=3, orders=500, deltas=8_000)
