"""A whole day's flows through the true worker, killed five times mid-load; and the log replayed afterwards.

Nothing lost, nothing twice, no oversell, ledger balanced, alerts and dead letters as planted: by the report's checker,
which shares no code with processors, engine or generator. Then every task is replayed from its manifests.
"""

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from fsn.declaration import load_topology
from fsn.processes import WorkerProcess
from fsn.report.collect import collect
from fsn.world.feeding import BrokerFeeder
from fsn.world.world import World
from processors.pipeline import STAGES
from schemas.codec import Codec
from streams.admin import apply
from streams.broadcast import NetworkCopy
from streams.machine import Raw
from streams.replay import replay
from streams.signatures import KeyRing
from tests.e2e.workers import Feeding, read_committed

TOPOLOGY_FILE = Path("topology.yaml")
KILLS = 5


def kill_and_restart(worker, feeding):
    """SIGKILL at random moments, five times, while the day is played."""
    chance, kills = random.Random(11), 0
    while kills < KILLS and feeding.is_alive():
        time.sleep(0.4 + chance.random())
        worker.kill()
        worker.start()
        worker.wait_until_ready()
        kills += 1
    return kills


@pytest.fixture(scope="module")
def killed_day(tmp_path_factory, start_broker):
    folder = tmp_path_factory.mktemp("day")
    topology = load_topology(TOPOLOGY_FILE, clock="external")
    broker = start_broker()
    brokers = broker.bootstrap
    apply(topology, brokers)
    world = World(5, orders=250, deltas=3_000, hours=6)
    world.keys.write(folder / "keys.json")
    worker = WorkerProcess(
        topology=TOPOLOGY_FILE,
        clock="external",
        log_path=folder / "worker.log",
        brokers=brokers,
        state_dir=folder / "state",
        keys=folder / "keys.json",
    )
    with BrokerFeeder(world, topology, {"bootstrap.servers": brokers, "log_level": 3}) as feeder:
        feeder.publish_network()
        with worker:
            worker.wait_until_ready()
            feeding = Feeding(feeder, pause_s=0.05)
            feeding.start()
            kills = kill_and_restart(worker, feeding)
            feeding.join(120)
            assert feeding.error is None and not feeding.is_alive()
    world.truth.write(folder / "truth.json")
    assert kills == KILLS
    yield brokers, folder, topology
    broker.kill()


def test_nothing_is_lost_nothing_is_twice_and_nothing_oversold(killed_day):
    brokers, folder, _ = killed_day
    findings = collect(brokers, TOPOLOGY_FILE, folder / "truth.json")
    assert [str(fault) for fault in findings.faults] == []
    assert findings.decisions.states["routed"] > 150


def raws(brokers, topic, partitions):
    by_partition = {partition: [] for partition in range(partitions)}
    for message in read_committed(brokers, topic, partitions):
        raw = Raw(
            topic,
            message.partition(),
            message.offset(),
            message.timestamp()[1],
            message.key(),
            message.value(),
            tuple(message.headers() or ()),
        )
        by_partition[raw.partition].append(raw)
    return by_partition


def test_every_task_replays_byte_for_byte_from_its_manifests(killed_day):
    brokers, folder, topology = killed_day
    codec, network = Codec(), NetworkCopy()
    network.read(raws(brokers, "network", 1)[0], codec.decode)
    logs = {topic: raws(brokers, topic, topology.partitions) for topic in topology.source_topics}
    manifests = raws(brokers, "task-manifests", topology.partitions)
    shown = {name for name in topology.worker_writes - topology.worker_reads if not topology.topics[name].internal}
    replayed = Counter()
    for partition in range(topology.partitions):
        outcome = list(
            replay(
                topology,
                STAGES,
                partition=partition,
                logs={topic: log[partition] for topic, log in logs.items()},
                manifests=[codec.decode(raw.value) for raw in manifests[partition]],
                network=network,
                keys=KeyRing.load(folder / "keys.json"),
            )
        )
        assert len(outcome) > 20
        differing = [transaction.recorded.number for transaction in outcome if not transaction.matches]
        assert differing == []
        replayed.update(
            (output.topic, output.key, output.value, output.timestamp, output.headers)
            for transaction in outcome
            for output in transaction.computed.outputs
            if output.topic in shown
        )
    written = [raw for topic in shown for log in raws(brokers, topic, topology.partitions).values() for raw in log]
    events = [dict(raw.headers) for raw in written if topology.topics[raw.topic].carries_events]
    assert len({said["ce_id"] for said in events}) == len(events) > 1_000
    assert replayed == Counter((raw.topic, raw.key, raw.value, raw.timestamp, raw.headers) for raw in written)
