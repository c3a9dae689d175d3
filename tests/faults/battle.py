"""A battle: a Kafka cluster, workers, and a world that plays against them while a test breaks what it likes.

Everything random comes from the seed. A worker is started by the main thread only (it ends with the thread that started
it); the world plays in a thread of its own. `verdict` lets the world end, stops the workers, and reads everything back
by the report's checker, which shares no code with processors, engine or generator.
"""

import random
import signal
import threading
import time
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from fsn.declaration import load_topology
from fsn.processes import WorkerProcess
from fsn.report.collect import collect
from fsn.world.feeding import BrokerFeeder
from fsn.world.world import World
from ops.kafka.cluster import Cluster
from streams.admin import apply
from tests.e2e.workers import Feeding

TOPOLOGY = Path("topology.yaml")
PATIENCE_S = 600.0
SESSION_S = 6.0
TRANSACTION_TIMEOUT_S = 10
"""For those who are to be away for longer than a transaction may last; a worker's own is longer than any outage."""
RETIREMENTS_MAX = 3
WORD_WITHIN_S = 60.0
CLIENT = {"topic.metadata.refresh.interval.ms": 10_000, "socket.timeout.ms": 20_000}
"""The world hears of another leader as soon as workers do, and waits no minute for a broker that has fallen silent."""


class WorldEnded(Exception):
    """Nothing more is sent, so a fault cannot be seen to happen: another world is needed."""


class Battle:
    """One cluster and one world; a context manager."""

    def __init__(
        self,
        folder,
        *,
        seed,
        workers,
        brokers=1,
        cluster=None,
        membership="dynamic",
        settings=None,
        orders=800,
        deltas=12_000,
        hours=6,
    ):
        self.folder, self.chance = folder, random.Random(seed)
        self.declaration = TOPOLOGY
        """What a worker is started with from now on."""
        self.topology = load_topology(TOPOLOGY, clock="external")
        self.cluster = Cluster(folder / "kafka", brokers=brokers, brief=True, **(cluster or {}))
        self.world = World(seed, orders=orders, deltas=deltas, hours=hours)
        self.workers = {f"worker-{number + 1}": None for number in range(workers)}
        self.settings = {
            name: {
                "membership": membership,
                "session_timeout_s": SESSION_S,
                "log_format": "text",
                **(settings or {}),
            }
            for name in self.workers
        }
        """What each worker is always started with."""
        self.kills = self.faults = 0
        self.told = []
        """What was done, in order; shown when the verdict is bad."""

    def __enter__(self):
        self.cluster.start()
        apply(self.topology, self.cluster.bootstrap)
        self.world.keys.write(self.folder / "keys.json")
        client = {"bootstrap.servers": self.cluster.bootstrap, "log_level": 2, **CLIENT}
        self.feeder = Sender(self.world, self.topology, client, patience_s=PATIENCE_S)
        self.feeder.__enter__()
        self.feeder.publish_network()
        for name in self.workers:
            self.start(name)
        for worker in self.workers.values():
            worker.wait_until_ready()
        self.feeding = Feeding(self.feeder)
        self.feeding.start()
        return self

    def __exit__(self, *_):
        for worker in self.workers.values():
            worker.kill()
        self.feeder.__exit__()
        self.cluster.kill()

    # what may be done -------------------------------------------------------------------------------------------

    def start(self, name, **settings):
        """Start a worker, perhaps with settings of its own."""
        self.workers[name] = WorkerProcess(
            topology=self.declaration,
            clock="external",
            log_path=self.folder / f"{name}.log",
            brokers=self.cluster.bootstrap,
            state_dir=self.folder / "state",
            keys=self.folder / "keys.json",
            instance_id=name,
            **self.settings[name],
            **settings,
        )
        self.workers[name].start()
        self.tell(f"start {name} {settings or ''}")

    def kill(self, name):
        """SIGKILL."""
        self.workers[name].kill()
        self.count_kill()
        self.tell(f"kill {name}")

    def died(self, name, step):
        """A worker has ended itself where it was told to."""
        said, code = self.workers[name].said(), self.workers[name].kill()
        assert step and code == -signal.SIGKILL, self.story(f"{name} has ended by itself with {code}: {said}")
        self.count_kill()
        self.tell(f"{name} died at {step}")

    def count_kill(self):
        self.kills += 1
        self.faults += 1

    def bury(self, name):
        """SIGKILL, and it does not come back in this battle."""
        self.kill(name)
        del self.workers[name]

    def tables(self, name):
        """Where a worker keeps its local tables, one folder a partition."""
        return self.folder / "state" / name

    def wait(self, low_s, high_s):
        """Some time passes."""
        time.sleep(low_s + self.chance.random() * (high_s - low_s))

    def any(self):
        """The name of some worker."""
        return self.chance.choice(sorted(self.workers))

    def mark(self, *names):
        """Where each of these workers' logs ends now, for `wait_for_word`."""
        return {name: len(self.log_of(name)) for name in names}

    def wait_for_word(self, marks, *words, within_s=WORD_WITHIN_S):
        """Until a worker's log says one of these words behind its mark: the proof that a fault has happened."""
        deadline = time.monotonic() + within_s
        while not any(word in self.log_of(name)[mark:] for name, mark in marks.items() for word in words):
            if time.monotonic() > deadline:
                said = self.story(f"none of {sorted(marks)} has said any of {words}")
                raise AssertionError(said) if self.is_fed else WorldEnded(said)
            time.sleep(0.1)
        self.tell(f"said by {', '.join(marks)}: {words[0]}")

    def log_of(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def tell(self, what):
        self.told.append(f"{time.strftime('%H:%M:%S')} {what}")

    # how it ends ------------------------------------------------------------------------------------------------

    @property
    def is_fed(self):
        """Whether the world still plays."""
        return self.feeding.is_alive()

    def settle(self, tally):
        """The battle's findings, counted whatever they are; none of them may be a fault."""
        findings = self.verdict()
        tally.add(findings, kills=self.kills, faults=self.faults)
        assert not findings.faults, self.story("\n".join(map(str, findings.faults)))
        return findings

    def verdict(self):
        """Everything that was found, once the world has ended and every worker has committed its end."""
        for name, worker in self.workers.items():
            if not worker.is_alive:
                self.start(name)
        self.feeding.join(PATIENCE_S)
        assert self.feeding.error is None, self.story(self.feeding.error)
        assert not self.is_fed, self.story("the world has not come to its end")
        self.retire()
        self.world.truth.write(self.folder / "truth.json")
        return collect(self.cluster.bootstrap, self.declaration, self.folder / "truth.json")

    def retire(self):
        """Stop every worker. The leader announces the network again every 30 s, perhaps just when nobody reads it any
        more: then they work once more, for whatever was never consumed counts as lost.
        """
        for _ in range(RETIREMENTS_MAX):
            for worker in self.workers.values():
                worker.stop()
            if self.announcements_are_read():
                return
            for name in self.workers:
                self.start(name)
            for worker in self.workers.values():
                worker.wait_until_ready()
            time.sleep(SESSION_S)

    def announcements_are_read(self):
        asking = Consumer({"bootstrap.servers": self.cluster.bootstrap, "group.id": self.topology.app})
        read = [found.offset for found in asking.committed(self.places("network-changes"), timeout=30)]
        asking.close()
        return read == self.ends("network-changes")

    def ends(self, topic):
        """Where each partition of a topic ends now."""
        asking = Consumer({"bootstrap.servers": self.cluster.bootstrap, "group.id": self.topology.app})
        ends = [asking.get_watermark_offsets(place, timeout=30)[1] for place in self.places(topic)]
        asking.close()
        return ends

    def places(self, topic):
        return [TopicPartition(topic, number) for number in range(self.topology.partitions)]

    def story(self, end):
        """What was done, for whoever has to find out why it ended so."""
        return "\n".join([*self.told, str(end), f"logs: {self.folder}"])


def fight(folder, faults, tally, *, seed, **settings):
    """Let faults happen one after the other, in as many worlds as that takes; each world's books must be right."""
    waiting, number = list(faults), 0
    while waiting:
        with Battle(folder / f"world-{number}", seed=seed + number, **settings) as battle:
            left = len(waiting)
            battle.wait(3.0, 8.0)
            while waiting and battle.is_fed:
                kills = battle.kills
                try:
                    waiting[0](battle)
                except WorldEnded:
                    break
                waiting.pop(0)
                battle.faults += battle.kills == kills  # a fault with a kill is counted by that
                battle.wait(3.0, 8.0)
            assert len(waiting) < left, battle.story(
                f"the world has ended before anything happened: {battle.feeding.error}"
            )
            battle.settle(tally)
        number += 1


class Sender(BrokerFeeder):
    """Sends while it holds a lock, so that a test can make sure that nothing is on its way."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.sending = threading.Lock()

    def _send(self, part, *, ticks=True):
        with self.sending:
            super()._send(part, ticks=ticks)
            self._flush()
