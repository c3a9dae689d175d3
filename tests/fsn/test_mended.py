"""`fsn dlq replay` once the cause is mended: signed deltas of a feed that nobody had defined pass, and have their effect."""

import os
import secrets
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from fsn.deadletters import app
from fsn.processes import WorkerProcess
from schemas.records.network import FeedDefined, PartnerDefined
from schemas.records.stock import StockDelta
from schemas.topology import load
from streams.admin import apply
from streams.signatures import KeyRing, SigningKey
from tests.e2e.workers import CODEC, producer, read_committed, wait_until
from tests.processors.stock.world import location

TOPOLOGY = Path(__file__).parents[2] / "topology.yaml"
PARTNER, PLACE, FEED, VARIANT = "acme|depot", "acme|berlin", "acme|depot|berlin|wms", "acme|drill_18v"
UNITS = {sequence: sequence for sequence in range(5, 17)}
KEYS = {"depot.1": SigningKey(PARTNER, secrets.token_hex(32))}

pytestmark = pytest.mark.timeout(240)


def define(client, entity_id, record):
    client.produce("network", CODEC.encode(record), entity_id, 0)
    assert client.flush(30) == 0


def send_deltas(client):
    for sequence, units in UNITS.items():
        value = CODEC.encode(StockDelta(FEED, PLACE, VARIANT, None, "DRILL", sequence, None, units, "receipt", None, 1))
        headers = KeyRing(KEYS).sign("depot.1", "stock-deltas", VARIANT.encode(), value)
        client.produce("stock-deltas", value, VARIANT, headers=headers)
    assert client.flush(30) == 0


def decoded(brokers, topic):
    return [CODEC.decode(message.value()) for message in read_committed(brokers, topic) if message.value()]


def in_force(brokers, offset):
    """Whether every task has gone on under `network` up to here: a record is judged by what its task knows."""
    known = {made.partition: made.network_offset for made in decoded(brokers, "task-manifests")}
    return len(known) == load(TOPOLOGY).partitions and min(known.values()) >= offset


def test_what_an_unknown_feed_said_counts_once_the_feed_is_defined_and_its_letters_are_replayed(
    start_broker, tmp_path, monkeypatch
):
    for name in [name for name in os.environ if name.startswith("FSN_")]:
        monkeypatch.delenv(name)
    broker = start_broker()
    brokers = broker.bootstrap
    apply(load(TOPOLOGY), brokers)
    (tmp_path / "keys.json").write_bytes(msgspec.json.encode(KEYS))
    client = producer(brokers, log_level=0)
    define(client, PARTNER, PartnerDefined(PARTNER, "Depot", "DE", 900_000))
    define(client, PLACE, msgspec.structs.replace(location(PLACE), partner_id=PARTNER))
    with WorkerProcess(
        topology=TOPOLOGY,
        log_path=tmp_path / "worker.log",
        brokers=brokers,
        state_dir=tmp_path / "state",
        keys=tmp_path / "keys.json",
    ) as worker:
        worker.wait_until_ready()
        send_deltas(client)
        wait_until(lambda: len(decoded(brokers, "dead-letters")) == len(UNITS))
        assert {letter.reason for letter in decoded(brokers, "dead-letters")} == {"UNKNOWN_FEED"}
        assert decoded(brokers, "stock-snapshots") == []
        define(client, FEED, FeedDefined(FEED, PARTNER, PLACE, sequences="monotonic", shipment_deltas="none"))
        wait_until(lambda: in_force(brokers, 2))
        said = CliRunner().invoke(app, ["replay", "--all", "--file", str(TOPOLOGY), "--brokers", brokers])
        assert (said.exit_code, f"{len(UNITS)} sent" in said.output) == (0, True), said.output
        # A monotonic feed's delta behind a later one is taken for a repetition: all of it is there only in order.
        wait_until(
            lambda: [shown.on_hand for shown in decoded(brokers, "stock-snapshots")[-1:]] == [sum(UNITS.values())]
        )
        assert len(decoded(brokers, "dead-letters")) == len(UNITS), "and nothing was refused anew"
    broker.kill()
