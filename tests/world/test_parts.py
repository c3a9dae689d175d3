"""The parts of the world on their own: its agenda, its shelves, what carriers write, and the upstream day."""

import json
from random import Random

import pytest
from typer.testing import CliRunner

from fsn.cli import app
from fsn.declaration import load_topology
from fsn.world.agenda import Agenda, Message
from fsn.world.feeding import _partition
from fsn.world.network import MINUTE_MS
from fsn.world.parcels import tracking_number
from fsn.world.payloads import DHL_WORDS, FORMATS, GLS_WORDS, UPS_WORDS, Stop, payload
from fsn.world.world import START_AT, World
from processors.carriers.redaction import redact
from processors.carriers.registry import parse
from schemas.codec import Codec
from schemas.errors import SchemaError
from schemas.records.assignments import AssignmentClosed, AssignmentOffered, AssignmentRejected
from schemas.records.routing import PlanLine
from schemas.topology import TopologyError
from streams.partitioner import Partitioner

VOCABULARIES = {"dhl_parcel_de": DHL_WORDS, "ups": UPS_WORDS, "gls": GLS_WORDS}


def test_deeds_are_done_in_order_of_time_and_of_planning():
    agenda, done = Agenda(100), []
    for at, name in ((300, "c"), (200, "a"), (200, "b"), (50, "past"), (400, "later")):
        agenda.plan(at, done.append, name)
    agenda.run_until(400)
    assert (done, agenda.now, agenda.next_at) == (["past", "a", "b", "c"], 400, 400)


def test_a_deed_may_plan_another_in_the_same_run():
    agenda, done = Agenda(0), []
    agenda.plan(1, lambda: agenda.plan(2, done.append, "second"))
    agenda.run_until(3)
    assert done == ["second"]


@pytest.mark.parametrize(
    ("carrier", "status"), [(carrier, status) for carrier, words in VOCABULARIES.items() for status in words]
)
def test_every_scan_reads_back_as_what_it_was(carrier, status):
    number = tracking_number(carrier, Random(1))
    stop = Stop(START_AT + 5 * MINUTE_MS, status, "Köln", "DE", "Europe/Berlin")
    (scan,) = parse(FORMATS[carrier], payload(carrier, number, [stop])).scans
    read = scan.tracking_number, scan.carrier, scan.status, scan.occurred_at, scan.place, scan.country
    assert read == (number, carrier, status, stop.at, "Köln", "DE")


@pytest.mark.parametrize("carrier", FORMATS)
def test_payloads_are_redacted_already(carrier):
    stops = [Stop(START_AT, status, "Gent", "BE", "Europe/Brussels") for status in VOCABULARIES[carrier]]
    written = payload(carrier, tracking_number(carrier, Random(2)), stops)
    assert parse(FORMATS[carrier], redact(FORMATS[carrier], written)) == parse(FORMATS[carrier], written)


def test_a_misplaced_message_is_never_on_its_own_partition():
    partition_of = Partitioner(4)
    for number in range(200):
        key = f"acme|key_{number}".encode()
        assert _partition(Message(0, "t", key, b""), partition_of) == partition_of(key)
        assert _partition(Message(0, "t", key, b"", misplaced=True), partition_of) != partition_of(key)


def upstream(world):
    messages = []
    while world.agenda.now < world.day_ends_at:
        messages += world.advance().messages
    return messages


@pytest.fixture(scope="module")
def day():
    world = World(4, orders=40, deltas=6_000, hours=3)
    return world, upstream(world)


def test_a_day_is_sent_in_order_of_time(day):
    _, messages = day
    instants = [message.at for message in messages]
    assert instants == sorted(instants)


def test_one_seed_sends_one_day(day):
    _, messages = day
    assert upstream(World(4, orders=40, deltas=6_000, hours=3)) == messages
    assert upstream(World(5, orders=40, deltas=6_000, hours=3)) != messages


def test_a_silent_feed_has_no_heartbeat(day):
    world, messages = day
    beats = [message for message in messages if message.topic == "feed-heartbeats" and _proves(world, message)]
    for silence in world.truth.silences:
        partner = world.network.location[silence.location_id].partner_id
        own = [
            message.at
            for message in beats
            if message.key == silence.location_id.encode() and _key_id(message) == f"{partner.replace('|', '.')}.1"
        ]
        assert any(at < silence.stale_from_at for at in own)
        assert not any(silence.from_at < at < silence.until_at for at in own)


def _proves(world, message):
    owner = _key_id(message).rpartition(".")[0].replace(".", "|")
    return world.keys.headers(owner, message.topic, message.key, message.value) == message.headers


def _key_id(message):
    return dict(message.headers)["fsn-key-id"].decode()


def test_contiguous_feeds_skip_no_number_for_good(day):
    """Every number between a shelf's first and last was sent, whatever overtook it."""
    world, messages = day
    codec, seen = Codec(), {}
    feeds = {feed.feed_id: feed for feed in world.network.feeds}
    for message in messages:
        if message.topic != "stock-deltas" or not message.headers or not _proves(world, message):
            continue
        try:
            record = codec.decode(message.value)
        except SchemaError:
            continue
        feed = feeds.get(getattr(record, "feed_id", ""))
        if feed is not None and feed.sequences == "contiguous" and type(record).__name__ == "StockDelta":
            seen.setdefault((record.feed_id, record.sku), set()).add(record.sequence)
    gaps = [key for key, numbers in seen.items() if numbers != set(range(1, max(numbers) + 1))]
    planted = sum(letter.topic == "stock-deltas" for letter in world.truth.dead_letters)
    assert len(gaps) <= planted


def test_generate_writes_the_day_as_files(tmp_path):
    options = ["--out", str(tmp_path / "day"), "--seed", "2", "--orders", "10", "--deltas", "1500", "--hours", "3"]
    result = CliRunner().invoke(app, ["generate", *options])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (tmp_path / "day" / "day.jsonl").read_text().splitlines()]
    assert {line.get("type") for line in lines} >= {"OrderPlaced", "StockDelta", "StockCount", "FeedHeartbeat", None}
    assert len((tmp_path / "day" / "network.jsonl").read_text().splitlines()) > 2_000
    assert json.loads((tmp_path / "day" / "truth.json").read_text())["seed"] == 2
    assert json.loads((tmp_path / "day" / "keys.json").read_text())["acme.1"]["owner"] == "acme"


def test_generate_wants_one_destination():
    assert CliRunner().invoke(app, ["generate"]).exit_code == 2


def test_the_clock_of_a_topology_can_be_replaced(tmp_path):
    assert load_topology().clock == "leader"
    topology = load_topology(clock="external")
    assert topology.clock == "external"
    assert all(topic.retention_ms is None for topic in topology.topics.values())
    (tmp_path / "t.yaml").write_text("app: fsn\n")
    with pytest.raises(TopologyError, match="which clock"):
        load_topology(tmp_path / "t.yaml", clock="external")
    with pytest.raises(TopologyError, match="--file"):
        load_topology(tmp_path / "none.yaml")


def _offered_what_is_gone():
    """A world just before its answer to an offer that crosses with the damage of everything there."""
    world = World(3, orders=20, deltas=400, hours=4)
    while world.agenda.now < START_AT + 30 * MINUTE_MS:
        world.advance()
    order = next(one for one in world.orders if one.routable)
    line = order.placed.lines[0]
    shelf = next(one for one in world.shelves.all if one.variant_id == line.variant_id and one.book)
    lines = (PlanLine(line.line_no, line.variant_id, 1),)
    at, location = world.agenda.now, shelf.location_id
    world.shelves.delta(shelf, -shelf.book, "damage")
    world.hear(
        AssignmentOffered("asg-1", order.placed.order_id, location, "acme|gls_de", "standard", lines, False, at), at
    )
    return world, order, location


def _answers(world, until):
    told = []
    while world.agenda.now < until:
        told += [world.codec.decode(one.value) for one in world.advance().messages if one.topic == "partner-responses"]
    return [one for one in told if one.assignment_id == "asg-1"]


def test_what_is_on_no_shelf_any_more_is_not_shipped():
    world, _, _ = _offered_what_is_gone()
    told = _answers(world, world.agenda.now + 6 * 60 * MINUTE_MS)
    assert [type(one) for one in told] == [AssignmentRejected]


def test_a_rejection_that_crosses_with_the_end_of_its_offer_is_known_to_be_refused():
    """FSN has withdrawn what the partner rejects meanwhile: each of its answers will be a dead letter."""
    world, order, location = _offered_what_is_gone()
    told = _answers(world, world.agenda.now + 20 * MINUTE_MS)
    world.hear(AssignmentClosed("asg-1", order.placed.order_id, location, "withdrawn"), world.agenda.now)
    planted = [one.topic for one in world.truth.dead_letters if "asg-1" in one.what]
    assert planted == ["partner-responses"] * len(told)
    assert told
