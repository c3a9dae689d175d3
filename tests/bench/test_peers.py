"""The contenders do the work they are timed for."""

import io
from collections import Counter

import fastavro
import pytest
from confluent_kafka import Consumer

from bench import stock_deltas
from bench.harness import Positions, run_peer, send
from bench.peers.clock import Clock
from bench.peers.kafka_streams import GROUP, PROJECT, KafkaStreams
from bench.peers.wire import HEADER_BYTES, SNAPSHOT_HEADER, SNAPSHOT_SCHEMA, decode_delta
from bench.world import World
from schemas.records.stock import StockDelta, StockSnapshot
from schemas.registry import bundled
from streams.admin import apply


def test_a_clock_starts_behind_the_warm_up():
    clock = Clock(10)
    clock.take(10)
    started = clock._started
    clock.take(5)
    assert started == 0.0
    assert clock._started > 0.0
    assert '"records": 5,' in clock.result()


def test_kafka_streams_is_built_for_the_schemas_in_force():
    """Its own test needs Maven; a new version of a record must be seen before."""
    pom = (PROJECT / "pom.xml").read_text("utf-8")
    for record, snake in ((StockDelta, "stock_delta"), (StockSnapshot, "stock_snapshot")):
        assert f"<include>{snake}.v{bundled().latest(record).version}.avsc</include>" in pom, "and see Stock.java"


@pytest.mark.kafka
@pytest.mark.timeout(600)  # Maven may have to bring its jars first
def test_kafka_streams_says_of_every_delta_what_the_item_has_afterwards(start_broker, tmp_path):
    bootstrap, deltas = fed(start_broker)
    with (
        KafkaStreams(bootstrap, tmp_path) as peer,
        Positions(bootstrap, GROUP, "stock-deltas", stock_deltas.topology().partitions) as taken,
    ):
        taken.wait_for(len(deltas), peer)
    assert Counter(said(bootstrap, len(deltas))) == after_each(deltas)


@pytest.mark.parametrize(
    ("module", "guarantee"),
    [
        ("bench.peers.faust_table", ()),
        ("bench.peers.quix", ("at-least-once",)),
        ("bench.peers.quix", ("exactly-once",)),
    ],
)
def test_so_do_the_others(start_broker, tmp_path, module, guarantee):
    bootstrap, deltas = fed(start_broker)
    run_peer(module, bootstrap, str(len(deltas)), "500", str(tmp_path), *guarantee)
    found = said(bootstrap, len(deltas), forwards_headers="quix" in module)  # as it does unless told otherwise
    assert Counter(found) == after_each(deltas)


def fed(start_broker):
    """A broker of its own with deltas, of which some items have many."""
    world = World(locations=3, variants=50)
    deltas = [*world.deltas(150, quantity=7), *world.deltas(2_850)]
    bootstrap = start_broker().bootstrap
    apply(stock_deltas.topology(), bootstrap)
    send(bootstrap, deltas)
    return bootstrap, deltas


def after_each(deltas):
    """(variant, location, revision, on hand) after each delta, counted here."""
    stock, wanted = Counter(), Counter()
    for delta in (decode_delta(message.value) for message in deltas):
        item = delta["variant_id"], delta["location_id"]
        stock[item] += delta["quantity"]
        wanted[*item, delta["sequence"], stock[item]] += 1
    return wanted


def said(bootstrap, count, *, forwards_headers=False):
    """(variant, location, revision, on hand) of every committed snapshot; one more would show as well."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "checker",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe(["stock-snapshots"])
    found = []
    while len(found) < count or (late := consumer.consume(1, 1.0)):
        found += consumer.consume(count, 1.0) if len(found) < count else late
    consumer.close()
    for message in found:
        assert message.value().startswith(SNAPSHOT_HEADER)
        assert forwards_headers or message.headers() is None
        snapshot = fastavro.schemaless_reader(io.BytesIO(message.value()[HEADER_BYTES:]), SNAPSHOT_SCHEMA, None)
        yield snapshot["variant_id"], snapshot["location_id"], snapshot["revision"], snapshot["on_hand"]
