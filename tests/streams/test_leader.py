"""The leader's clock against a broker that goes away: time rests until everybody could send again."""

import time

import pytest

from schemas.codec import Codec
from schemas.topology import load
from streams import leader as leaders
from streams.broadcast import NetworkCopy
from streams.leader import TICK_MS, Leader
from tests.e2e.workers import create_topics, read_committed

TALLY = "tests/streams/tally.yaml"
CODEC = Codec()
OUTAGE_S = 3.0


@pytest.fixture
def broker(start_broker):
    """One of its own, for it is frozen."""
    made = start_broker()
    create_topics(made.bootstrap, TALLY)
    yield made
    made.kill()


@pytest.fixture
def leader(broker):
    topology = load(TALLY).model_copy(update={"clock": "leader"})
    made = Leader(topology, {"bootstrap.servers": broker.bootstrap, "log_level": 0}, CODEC, NetworkCopy())
    yield made
    made.close()


def serve(leader, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        leader.serve(leading=True)
        time.sleep(0.05)


def ticks(broker):
    """Ticked instants of each partition."""
    found = {number: [] for number in range(4)}
    for message in read_committed(broker.bootstrap, "clock"):
        found[message.partition()].append(CODEC.decode(message.value()).at)
    return found


def test_every_partition_hears_every_second(broker, leader):
    serve(leader, 3.2)
    leader.close()
    told = ticks(broker)
    assert len(told[0]) >= 3 and all(instants == told[0] for instants in told.values())
    assert {instant % TICK_MS for instant in told[0]} == {0}


def test_who_does_not_lead_says_nothing(broker, leader):
    leader.serve(leading=False)
    leader.close()
    assert not any(ticks(broker).values())


def test_after_an_outage_time_rests_and_nothing_was_kept_for_later(broker, leader, monkeypatch):
    monkeypatch.setattr(leaders, "OUTAGE_MS", 1_500)
    monkeypatch.setattr(leaders, "GRACE_MS", 2_500)
    serve(leader, 2.2)
    broker.freeze()
    frozen_at = time.time() * 1000
    serve(leader, OUTAGE_S)
    broker.thaw()
    thawed_at = time.time() * 1000
    serve(leader, 4.2)
    leader.close()
    for instants in ticks(broker).values():
        late = [instant for instant in instants if instant > frozen_at - TICK_MS]
        before = [instant for instant in late if instant <= thawed_at]
        assert len(before) <= 2, "no more than the tick that was on its way"
        assert min(instant for instant in late if instant > thawed_at) > thawed_at + 2_500 - TICK_MS


def test_the_loss_of_every_broker_is_an_outage_for_who_takes_over(broker, leader, monkeypatch):
    monkeypatch.setattr(leaders, "GRACE_MS", 3_000)
    leader.serve(leading=False)
    broker.kill()
    lost_at = time.time() * 1000
    deadline = time.monotonic() + 20
    while leader._rests_until < lost_at:
        assert time.monotonic() < deadline
        leader.serve(leading=False)
        time.sleep(0.05)
