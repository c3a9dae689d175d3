"""`fsn explain` against a broker that holds a recorded run."""

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from fsn import explain as explain_command
from fsn.declaration import load_topology
from fsn.recorded import RecordedError
from streams.admin import apply
from tests.fsn.explained import ONE_HOP, REJECTED, recorded

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def brokers(start_broker):
    """The run's logs, record by record at the offsets the manifests name."""
    broker = start_broker()
    apply(load_topology(clock="external"), broker.bootstrap)
    client = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
    for (topic, partition), log in recorded().logs.items():
        for raw in log:
            client.produce(topic, raw.value, raw.key, partition, timestamp=raw.timestamp, headers=list(raw.headers))
    assert client.flush(30) == 0
    yield broker.bootstrap
    broker.kill()


def explain(brokers, order_id, *options):
    arguments = [order_id, "--brokers", brokers, *options]
    return CliRunner().invoke(explain_command.app, arguments, env={"COLUMNS": "160"})


def test_a_decision_is_explained_with_what_would_flip_it(brokers):
    result = explain(brokers, ONE_HOP)
    assert result.exit_code == 0, result.output
    assert "3.37 EUR cheaper to send from there" in result.output


def test_as_json_with_an_earlier_attempt(brokers):
    result = explain(brokers, REJECTED, "--attempt", "1", "--json")
    found = json.loads(result.output)
    assert (found["replay"], found["attempt"]) == ("found", 1)
    assert [one["attempt"] for one in found["attempts"]] == [1, 2]


def test_another_number_of_partitions_is_told(brokers, tmp_path):
    other = tmp_path / "topology.yaml"
    other.write_text(Path("topology.yaml").read_text("utf-8").replace("partitions: 4", "partitions: 8"), "utf-8")
    result = explain(brokers, ONE_HOP, "--file", str(other))
    assert isinstance(result.exception, RecordedError)
    assert "has 4 partitions" in str(result.exception)
    assert "and 8 by the topology" in str(result.exception)


def test_an_unknown_order_is_told(brokers):
    result = explain(brokers, "acme|shop|nobody")
    assert result.exit_code == 1
    assert "no order 'acme|shop|nobody'" in result.output
