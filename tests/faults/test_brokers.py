"""Brokers die, freeze and all go away at once, under load, with replication 3 and two replicas in sync to take a write."""

import time

import pytest

from tests.faults.battle import fight
from tests.faults.coordinators import leader_of, transactions_of
from tests.faults.tally import SEED

FROZEN_S = 20.0
"""Longer than any call waits, and than the cluster waits for a silent broker."""
ALL_DOWN_S = 30.0

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(1_800)]


def a_leader_dies(battle):
    broker = leader_of(battle, "stock-deltas", 0)
    broker.kill()
    battle.tell(f"kill broker {broker.node_id}, the leader of stock-deltas/0")
    battle.wait(5.0, 10.0)
    broker.start()
    battle.cluster.wait_until_ready()


def a_coordinator_freezes(battle):
    """The one of most tasks: their transactions stand still until another broker has taken over."""
    tasks = {broker: transactions_of(battle, broker) for broker in battle.cluster.brokers}
    broker = max(tasks, key=lambda one: len(tasks[one]))
    assert tasks[broker], battle.story("nobody coordinates any task's transactions")
    broker.freeze()
    battle.tell(f"freeze broker {broker.node_id}, the coordinator of {', '.join(tasks[broker])}")
    time.sleep(FROZEN_S)
    rest = [one for one in battle.cluster.brokers if one is not broker]
    assert transactions_of(battle, broker, among=rest) == [], battle.story("nobody has taken over")
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


def test_whatever_happens_to_brokers_the_books_are_right(tmp_path, tally):
    fight(tmp_path, FAULTS, tally, seed=SEED * 1_000 + 700, workers=2, brokers=3, orders=500, deltas=8_000)
