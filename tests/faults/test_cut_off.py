"""A broker is cut off from its peers and from everybody else while it goes on, for longer than a transaction may last.

It runs in a network namespace whose link loses everything in both directions; where none can be made, behind a TCP proxy
that holds everything. It leads partitions and coordinates transactions, and goes on believing so; then it comes back,
with what nobody else has. The published run does it both ways.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest
from confluent_kafka import ElectionType
from confluent_kafka.admin import AdminClient

from ops.kafka.cluster import Place
from ops.kafka.gate import Gate
from ops.kafka.namespace import Namespace, why_not
from tests.faults.battle import TRANSACTION_TIMEOUT_S, Battle
from tests.faults.coordinators import leaders, transactions_of
from tests.faults.tally import KILLS, PUBLISHED_KILLS, SEED

CUT_OFF_S = 2.5 * TRANSACTION_TIMEOUT_S

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(900)]


class Apart(NamedTuple):
    """Where three brokers run, of which the last can be cut off."""

    places: list[Place]
    cut_off: Callable[[], None]
    reconnect: Callable[[], None]


@pytest.fixture(params=["namespace", "gate"])
def apart(request):
    reason = why_not()
    if request.param == "namespace":
        if reason is not None:
            pytest.skip(f"no network namespace: {reason}")
        with Namespace() as made:
            places = [Place(made.host), Place(made.host), Place(made.guest, made.entry)]
            yield Apart(places, made.cut_off, made.reconnect)
    else:
        if reason is None and KILLS < PUBLISHED_KILLS:
            pytest.skip("a namespace does it better")
        with Gate() as gate:
            yield Apart([Place(), Place(), Place(gate=gate)], gate.cut_off, gate.reconnect)


def names():
    """Namespaces that are here now."""
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()


def admin_of(battle):
    """A client of the two that stay together: what the third believes is not asked."""
    together = ",".join(broker.address for broker in battle.cluster.brokers[:-1])
    return AdminClient({"bootstrap.servers": together, "log_level": 0})


def wait_until_it_leads(battle, broker):
    """Until a broker leads what it should, of which it may have lost some while the cluster started."""
    admin, deadline, among = admin_of(battle), time.monotonic() + 60, battle.cluster.brokers[:-1]
    while not (broker in leaders(battle, "orders", among=among) and transactions_of(battle, broker, among=among)):
        assert time.monotonic() < deadline, battle.story(f"broker {broker.node_id} leads nothing that matters")
        admin.elect_leaders(ElectionType.PREFERRED).result()
        time.sleep(0.5)
    battle.tell(f"broker {broker.node_id} coordinates {', '.join(transactions_of(battle, broker, among=among))}")


def test_a_broker_that_goes_on_while_it_is_cut_off_spoils_nothing(tmp_path, apart, tally):
    # One partition of the log for each broker: tasks' ids, which follow each other, then lie on all of them.
    cluster = {"places": apart.places, "settings": {"transaction.state.log.num.partitions": len(apart.places)}}
    with Battle(
        tmp_path,
        seed=SEED * 1_000 + 800,
        workers=2,
        brokers=3,
        cluster=cluster,
        orders=250,
        deltas=4_000,
        hours=3,
        settings={"transaction_timeout_s": TRANSACTION_TIMEOUT_S},
    ) as battle:
        alone = battle.cluster.brokers[-1]
        wait_until_it_leads(battle, alone)
        assert battle.is_fed, battle.story("the world has ended before the broker was cut off")
        apart.cut_off()
        battle.tell(f"broker {alone.node_id} is cut off")
        time.sleep(CUT_OFF_S)
        assert alone.is_alive, battle.story(f"it has not gone on: {alone.said()}")
        for topic in ("orders", "stock-deltas", "__transaction_state"):
            assert alone not in leaders(battle, topic, among=battle.cluster.brokers[:-1])
        battle.faults += 1
        apart.reconnect()
        battle.tell(f"broker {alone.node_id} is back")
        battle.cluster.wait_until_ready()
        battle.settle(tally)


def test_what_a_killed_run_left_is_removed_by_the_next():
    if (reason := why_not()) is not None:
        pytest.skip(f"no network namespace: {reason}")
    dies = "import os; from ops.kafka.namespace import Namespace as N; m = N().__enter__(); print(m.name, flush=True); os._exit(9)"
    done = subprocess.run([sys.executable, "-c", dies], capture_output=True, text=True, check=False)
    left = done.stdout.strip()
    assert left in names(), done.stderr
    assert why_not() is None
    assert left not in names()
