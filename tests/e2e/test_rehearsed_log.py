"""`fsn schemas rehearse` against a broker that holds a recorded run of the true worker."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from fsn import schemas as schema_commands
from fsn.processes import WorkerProcess
from schemas.codec import Codec
from schemas.records.engine import Tick
from schemas.records.stock import StockDelta
from schemas.registry import bundled
from schemas.topology import load
from streams.registry_ids import registry_for
from tests.e2e.workers import CODEC, create_topics, producer, read_committed, wait_until
from tests.streams.registry_server import serving

TALLY = "tests/streams/tally.yaml"

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, start_broker):
    """600 deltas of 40 variants, one piece of garbage, and time passing: as the worker recorded it."""
    folder = tmp_path_factory.mktemp("recorded")
    broker = start_broker()
    brokers = broker.bootstrap
    create_topics(brokers, TALLY)
    client = producer(brokers)
    for number in range(600):
        variant = f"acme|v{number % 40}"
        record = StockDelta("f", variant, variant, None, "s", number, None, 1, "receipt", None, number)
        client.produce("stock-deltas", CODEC.encode(record), variant, timestamp=1_700_000_000_000 + number)
    client.produce("stock-deltas", b"garbage", "acme|v0", timestamp=1_700_000_000_700)
    for at in (1_700_000_001_000, 1_700_000_100_000):
        for partition in range(4):
            client.produce("clock", CODEC.encode(Tick(at)), str(partition), partition, timestamp=at)
    client.flush()
    worker = WorkerProcess(topology=TALLY, log_path=folder / "worker.log", brokers=brokers, state_dir=folder / "state")
    with worker:
        worker.wait_until_ready()
        while len(read_committed(brokers, "operational-alerts")) < 40:
            worker.check()
    yield brokers
    broker.kill()


NEXT = bundled().latest(StockDelta).version + 1


def rehearse(brokers, folder, *options):
    return CliRunner().invoke(
        schema_commands.app,
        ["rehearse", "--schemas", str(folder), "--file", TALLY, "--brokers", brokers, *options],
        env={"COLUMNS": "200"},
    )


def propose(folder, record, change):
    """The committed schemas, and the newest version of one changed as its next."""
    shutil.copytree(schema_commands.avro_folder(), folder)
    newest = len(list(folder.glob(f"{record}.v*.avsc")))
    schema = json.loads((folder / f"{record}.v{newest}.avsc").read_text("utf-8"))
    change(schema["fields"])
    (folder / f"{record}.v{newest + 1}.avsc").write_text(json.dumps(schema), "utf-8")
    return folder


def test_a_harmless_change_is_told_as_what_it_is(recorded, tmp_path):
    def describe(fields):
        fields[0]["doc"] = "Another way to say it."

    result = rehearse(recorded, propose(tmp_path / "avro", "stock_delta", describe))
    assert result.exit_code == 0, result.output
    assert f"StockDelta v{NEXT}: 601 records read" in result.output
    assert "Nothing differs." in result.output


def test_every_difference_is_listed_and_counted(recorded, tmp_path):
    def drop_revision(fields):
        fields.remove(next(field for field in fields if field["name"] == "revision"))
        fields.append({"name": "unit", "type": "string", "default": "piece"})

    folder = propose(tmp_path / "avro", "stock_snapshot", drop_revision)
    result = rehearse(recorded, folder, "--json", "--examples", "1")
    assert result.exit_code == 1
    found = json.loads(result.output)
    shown = len(read_committed(recorded, "stock-snapshots"))
    assert found["incompatible"] == []
    assert {(group["kind"], group["place"], group["path"]): group["count"] for group in found["groups"]} == {
        (kind, "stock-snapshots", path): shown for kind in ("read", "output") for path in ("revision", "unit")
    }
    example = found["groups"][0]["examples"]
    assert len(example) == 1 and example[0]["where"].startswith("stock-snapshots|") and example[0]["new"] == "(absent)"


def test_a_change_that_old_data_does_not_survive_is_told_with_its_mend(recorded, tmp_path):
    folder = propose(tmp_path / "avro", "stock_delta", lambda fields: fields.append({"name": "box", "type": "string"}))
    result = rehearse(recorded, folder)
    assert result.exit_code == 1
    assert "StockDelta.box is new and has no default: give it one" in " ".join(result.output.split())
    assert "records that the proposed schema cannot read" in result.output
    assert "stock-deltas|0|0" in result.output


def test_a_run_under_the_ids_of_another_registry_is_read_by_them(start_broker, tmp_path, monkeypatch):
    broker = start_broker()
    brokers = broker.bootstrap
    create_topics(brokers, TALLY)
    with serving() as remote:
        worker = WorkerProcess(
            topology=TALLY,
            log_path=tmp_path / "worker.log",
            brokers=brokers,
            state_dir=tmp_path / "state",
            schema_registry=remote.url,
        )
        with worker:
            worker.wait_until_ready()
            codec = Codec(registry_for(remote.url, load(TALLY), register=False))
            client = producer(brokers)
            for number in range(5):
                record = StockDelta("f", "acme|v1", "acme|v1", None, "s", number, None, 1, "receipt", None, number)
                client.produce("stock-deltas", codec.encode(record), "acme|v1", timestamp=1_700_000_000_000 + number)
            client.flush()
            wait_until(lambda: read_committed(brokers, "stock-snapshots"))
        folder = propose(
            tmp_path / "avro", "stock_delta", lambda fields: fields[0].update(doc="Another way to say it.")
        )
        monkeypatch.setenv("FSN_SCHEMA_REGISTRY", remote.url)
        result = rehearse(brokers, folder)
    broker.kill()
    assert result.exit_code == 0, result.output
    assert f"StockDelta v{NEXT}: 5 records read" in result.output
