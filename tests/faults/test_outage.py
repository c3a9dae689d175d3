"""The broker is away for longer than any feed may be silent and any offer may stand, while time is the leader's.

Feeds and partners go on meanwhile and keep what they have to say, as Kafka's clients do. No feed may be called stale and
no offer may expire for that; and once feeds are silent by themselves, they must be. The published run takes 5 minutes.
"""

import threading
import time

import msgspec
import pytest

from fsn.declaration import load_topology
from fsn.processes import WorkerProcess
from fsn.world.world import World
from ops.kafka.cluster import Cluster
from schemas.records.assignments import AssignmentAccepted, AssignmentClosed, AssignmentOffered, ItemQuantity
from schemas.records.operations import FeedHeartbeat, FeedStatusChanged
from schemas.records.stock import StockCount
from streams.admin import apply
from tests.e2e.workers import CODEC, producer, read_committed
from tests.faults.battle import TOPOLOGY
from tests.faults.tally import KILLS, PUBLISHED_KILLS, SEED

OUTAGE_S = 300 if KILLS >= PUBLISHED_KILLS else 45
LIMIT_S = OUTAGE_S * 2 // 3
WITHIN_S = 90
UNITS = 100

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(1_200)]


class Upstream:
    """Everybody who speaks to FSN: a thread of heartbeats, and what the test has to say; nothing of it is given up."""

    def __init__(self, brokers, network):
        self.network, self.silent = network, threading.Event()  # set to let the feeds fall silent
        self.client = producer(brokers, **{"delivery.timeout.ms": 1_200_000, "log_level": 0})
        self.feeds = {feed.location_id: feed for feed in network.feeds}
        self.thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        """Nothing of it may outlive the test: another's broker may listen on the same port next."""
        self.silent.set()
        if self.thread.is_alive():
            self.thread.join()
        self.client.purge()

    def publish(self):
        for entity_id, record in self.network.keyed():
            self.send("network", entity_id, record, partition=0)
        assert self.client.flush(60) == 0

    def send(self, topic, key, record, **settings):
        self.client.produce(topic, CODEC.encode(record), key, **settings)
        self.client.poll(0)

    def count(self, variants):
        for feed in self.feeds.values():
            for variant in variants:
                record = StockCount(
                    feed.feed_id, feed.location_id, variant, None, f"sku-{variant}",
                    None if feed.sequences == "none" else 0, f"count-{variant}" if feed.sequences == "none" else None,
                    UNITS, now(),
                )  # fmt: skip
                self.send("stock-deltas", variant, record)

    def _beat(self):
        while not self.silent.wait(1.0):
            for feed in self.network.feeds:
                self.send("feed-heartbeats", feed.location_id, FeedHeartbeat(feed.feed_id, feed.location_id, now()))


def now():
    return int(time.time() * 1000)


def quick(network):
    """The network with short limits."""
    limit_ms = LIMIT_S * 1000
    return msgspec.structs.replace(
        network,
        partners=tuple(msgspec.structs.replace(one, freshness_limit_ms=limit_ms) for one in network.partners),
        feeds=tuple(msgspec.structs.replace(one, freshness_limit_ms=None) for one in network.feeds),
        locations=tuple(msgspec.structs.replace(one, accept_within_ms=limit_ms) for one in network.locations),
    )


def heard(brokers, topic, kind):
    partitions = load_topology(TOPOLOGY).partitions
    records = [CODEC.decode(message.value()) for message in read_committed(brokers, topic, partitions)]
    return [record for record in records if isinstance(record, kind)]


def wait_for(brokers, topic, kind, wanted):
    deadline = time.monotonic() + WITHIN_S + LIMIT_S
    while not (found := [record for record in heard(brokers, topic, kind) if wanted(record)]):
        assert time.monotonic() < deadline, f"no such {kind.__name__} on {topic}"
        time.sleep(1.0)
    return found[0]


def offer_for(brokers, order):
    return wait_for(brokers, "assignments", AssignmentOffered, lambda one: one.order_id == order.order_id)


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path / "kafka", brief=True)
    made.start()
    yield made
    made.kill()


def test_an_outage_makes_no_feed_stale_and_lets_no_offer_expire(cluster, tmp_path):
    world = World(SEED, orders=200, deltas=2_000, hours=6)
    template = next(order.placed for order in world.orders if order.routable and len(order.placed.lines) == 1)
    first, second = (
        msgspec.structs.replace(template, order_id=f"{template.order_id}-{name}", promised_at=None)
        for name in ("before", "after")
    )
    topology = load_topology(TOPOLOGY)
    assert topology.clock == "leader"
    brokers = cluster.bootstrap
    apply(topology, brokers)
    worker = WorkerProcess(
        topology=TOPOLOGY, log_path=tmp_path / "worker.log", brokers=brokers, state_dir=tmp_path, log_format="text"
    )
    with worker, Upstream(brokers, quick(world.network)) as upstream:
        upstream.publish()
        worker.wait_until_ready()
        upstream.thread.start()
        upstream.count([line.variant_id for line in template.lines])
        upstream.send("orders", first.order_id, first)
        offer = offer_for(brokers, first)

        for broker in cluster.brokers:
            broker.kill()
        items = tuple(ItemQuantity(line.line_no, line.quantity) for line in offer.lines)
        accepted = AssignmentAccepted(offer.assignment_id, offer.order_id, offer.location_id, items, now())
        upstream.send("partner-responses", offer.location_id, accepted)
        time.sleep(OUTAGE_S)
        for broker in cluster.brokers:
            broker.start()
        cluster.wait_until_ready()

        upstream.send("orders", second.order_id, second)
        offer_for(brokers, second)
        wait_for(brokers, "order-events", AssignmentAccepted, lambda one: one.assignment_id == offer.assignment_id)
        returned_at = now()
        wait_for(brokers, "feed-status", FeedStatusChanged, lambda one: one.as_of > returned_at)
        assert not [status for status in heard(brokers, "feed-status", FeedStatusChanged) if status.stale]
        closed = heard(brokers, "assignments", AssignmentClosed)
        assert [one for one in closed if one.order_id == first.order_id] == []

        upstream.silent.set()
        wait_for(brokers, "feed-status", FeedStatusChanged, lambda one: one.stale)
