"""The examples of docs/contracts.md: each runs as it stands against a true worker, which takes what it wrote.

The Python one needs nothing else and runs in the ordinary suite; Java and JavaScript want Maven, a JDK, npm and their
jars and packages, and a real Kafka: they are marked `kafka`.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fsn.processes import WorkerProcess
from ops.kafka.jars import class_path, java
from schemas.records.network import FeedDefined, PartnerDefined
from schemas.topology import load
from streams.admin import apply
from tests.e2e.workers import CODEC, producer, read_committed, wait_until
from tests.processors.stock.world import location

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
SHOWN = {
    "python/stock_delta.py": "python",
    "java/StockDelta.java": "java",
    "java/Snapshots.java": "java",
    "javascript/stock-delta.js": "javascript",
}
SECRET = secrets.token_bytes(32).hex()
SECONDS = 120

pytestmark = pytest.mark.timeout(400)


def network():
    """What the examples speak of: a partner's depot, whose feed numbers nothing."""
    partner, place, feed = "acme|depot", "acme|berlin", "acme|depot|berlin|wms"
    yield partner, PartnerDefined(partner, "Depot", "DE", 900_000)
    yield place, msgspec.structs.replace(location(place), partner_id=partner)
    yield feed, FeedDefined(feed, partner, place, sequences="none", shipment_deltas="none")


@pytest.fixture(scope="module")
def place(start_broker, tmp_path_factory):
    """A broker and a worker that checks signatures, as the examples' environment names them."""
    folder = tmp_path_factory.mktemp("examples")
    broker = start_broker()
    apply(load(ROOT / "topology.yaml"), broker.bootstrap)
    client = producer(broker.bootstrap)
    for key, record in network():
        client.produce("network", CODEC.encode(record), key, 0)
    assert client.flush(30) == 0
    (folder / "keys.json").write_text(json.dumps({"depot.1": {"owner": "acme|depot", "secret": SECRET}}))
    with WorkerProcess(
        topology=ROOT / "topology.yaml",
        log_path=folder / "worker.log",
        brokers=broker.bootstrap,
        state_dir=folder / "state",
        keys=folder / "keys.json",
    ) as worker:
        worker.wait_until_ready()
        yield {
            "FSN_BROKERS": broker.bootstrap,
            "FSN_REGISTRY": f"http://127.0.0.1:{worker.web_port}",
            "FSN_KEY_ID": "depot.1",
            "FSN_SECRET": SECRET,
        }
    broker.kill()


def run(command, place, **settings):
    environment = {**os.environ, **place, **settings}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_java(program, place, *arguments):
    jars = class_path(EXAMPLES / "java" / "pom.xml", ROOT / ".fsn" / "examples")
    return run([java(), "-cp", jars, str(EXAMPLES / "java" / program), *arguments], place)


def snapshots(place):
    return read_committed(place["FSN_BROKERS"], "stock-snapshots")


def headers(message):
    return dict(message.headers() or ())


def is_taken(place, write, units):
    """Run a producer; its units are on hand then and nothing is a dead letter."""
    before = len(snapshots(place))
    write()
    wait_until(lambda: len(snapshots(place)) > before or dead(place))
    assert dead(place) == []
    sent = read_committed(place["FSN_BROKERS"], "stock-deltas")[-1]
    assert headers(sent)["ce_type"] == b"fsn.stock.StockDelta"
    assert CODEC.decode(sent.value()).quantity == units
    levels = sorted((shown.revision, shown.on_hand) for shown in map(CODEC.decode, values(snapshots(place))))
    assert levels[-1][1] - (levels[-2][1] if before else 0) == units


def values(messages):
    return [message.value() for message in messages]


def dead(place):
    return [
        (letter.reason, letter.detail)
        for letter in map(CODEC.decode, values(read_committed(place["FSN_BROKERS"], "dead-letters")))
    ]


def test_the_worker_takes_what_the_python_producer_writes(place):
    is_taken(place, lambda: run([sys.executable, str(EXAMPLES / "python/stock_delta.py")], place), 1)


@pytest.mark.kafka
def test_the_worker_takes_what_the_javascript_producer_writes(place, tmp_path):
    shutil.copytree(
        EXAMPLES / "javascript", tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules")
    )
    run(["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--prefix", str(tmp_path)], place)
    is_taken(place, lambda: run(["node", str(tmp_path / "stock-delta.js")], place), 2)


@pytest.mark.kafka
def test_the_worker_takes_what_the_java_producer_writes(place):
    is_taken(place, lambda: run_java("StockDelta.java", place), 4)


@pytest.mark.kafka
def test_a_java_consumer_reads_what_the_worker_writes(place):
    expected = [CODEC.decode(value) for value in values(snapshots(place))]
    printed = [json.loads(line) for line in run_java("Snapshots.java", place, "10").splitlines()]
    assert len(printed) == len(expected) > 0
    for shown, snapshot in zip(sorted(printed, key=lambda each: each["revision"]), expected, strict=True):
        assert shown == {name: getattr(snapshot, name) for name in snapshot.__struct_fields__}


def test_a_record_under_another_secret_is_refused(place):
    known = len(dead(place))
    run([sys.executable, str(EXAMPLES / "python/stock_delta.py")], place, FSN_SECRET="00" * 32)
    wait_until(lambda: len(dead(place)) > known)
    assert dead(place)[-1][0] == "FORGED"


@pytest.mark.parametrize(("name", "language"), SHOWN.items())
def test_the_contracts_show_what_runs(name, language):
    shown = f"```{language}\n{(EXAMPLES / name).read_text('utf-8')}```\n"
    assert shown in (ROOT / "docs" / "contracts.md").read_text("utf-8"), f"docs/contracts.md differs from {name}"
