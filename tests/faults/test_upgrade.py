"""A rolling upgrade that adds a topic and a stage, under load: old and new workers share one group for a while.

Until the upgrade ends, a partition may go back and forth between workers that know the topic and workers that do not.
What was sent to it must be taken once all the same, and what the new stage has put off must come when it is due.
"""

from collections import Counter

import pytest

from schemas.records.operations import OperationalAlert
from streams.admin import apply
from tests.e2e.workers import CODEC, delta, producer, read_committed
from tests.faults import arrivals
from tests.faults.battle import TOPOLOGY, Battle, load_topology
from tests.faults.tally import SEED

ANNOUNCEMENTS = 40
"""Each time, ten a partition."""

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(900)]


class Announcer:
    """Sends announcements, and knows them all."""

    def __init__(self, battle):
        self.battle, self.sent = battle, []
        self.client = producer(battle.cluster.bootstrap, **{"batch.size": 1_000_000})

    def announce(self):
        """Some more of them; the world is at an instant that is returned."""
        at = self.battle.feeder.last_tick_at
        for _ in range(ANNOUNCEMENTS):
            key = f"acme|announced-{len(self.sent)}"
            self.client.produce(arrivals.TOPIC, CODEC.encode(delta(1, key)), key, timestamp=at)
            self.sent.append(key)
        assert self.client.flush(60) == 0
        self.battle.tell(f"{len(self.sent)} announcements")
        return at


def declare(battle):
    """From now on workers start with one more topic, which `apply` has made, and one more stage."""
    battle.declaration = battle.folder / "upgraded.yaml"
    battle.declaration.write_text(arrivals.upgraded(TOPOLOGY.read_text()))
    report = apply(load_topology(battle.declaration, clock="external"), battle.cluster.bootstrap)
    assert set(report.created) == {arrivals.TOPIC, arrivals.ALERTS}


def upgrade(battle, name):
    assert battle.workers[name].stop() == 0, battle.story(f"{name} did not drain")
    battle.start(name)
    battle.workers[name].wait_until_ready()
    battle.tell(f"{name} is upgraded")


def wait_for_time(battle, at):
    """Until the world is past an instant."""
    while battle.is_fed and battle.feeder.last_tick_at < at:
        battle.wait(0.2, 0.4)
    assert battle.is_fed, battle.story("the world has ended before the upgrade")


def alerts(battle):
    """Announcement → how often operators were told."""
    found = [CODEC.decode(message.value()) for message in read_committed(battle.cluster.bootstrap, arrivals.ALERTS)]
    assert all(isinstance(alert, OperationalAlert) and alert.detail == "taken 1 times" for alert in found)
    return Counter(alert.entity_id for alert in found)


def test_an_upgrade_that_adds_a_topic_loses_nothing_of_it(tmp_path, tally):
    battle = Battle(tmp_path, seed=SEED * 1_000 + 900, workers=2, orders=300, deltas=4_000)
    first, second = sorted(battle.workers)
    # Back before the group has missed it: Kafka gives a static member its old plan again, without the new topic.
    battle.settings[second] |= {"membership": "static", "session_timeout_s": 20.0}
    with battle:
        battle.wait(1.0, 2.0)
        declare(battle)
        announcer = Announcer(battle)
        announcer.announce()
        upgrade(battle, first)
        announced_at = announcer.announce()
        wait_for_time(battle, announced_at + arrivals.DUE_AFTER_MS // 2)
        # The old worker has everything for a while, and what the new one put off comes due there.
        battle.kill(first)
        wait_for_time(battle, announced_at + 5 * arrivals.DUE_AFTER_MS)
        battle.start(first)
        battle.workers[first].wait_until_ready()
        announcer.announce()
        upgrade(battle, second)
        assert "asking for a new one" in battle.workers[second].log_path.read_text(), battle.story("")
        announcer.announce()
        findings = battle.settle(tally)
        assert findings.records[arrivals.TOPIC] == len(announcer.sent)
        assert alerts(battle) == Counter(announcer.sent), battle.story("")
