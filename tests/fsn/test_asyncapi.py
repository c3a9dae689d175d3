"""The AsyncAPI document: valid by the official schema, up to date, and true to topology and schemas."""

import copy
import io
import json
from pathlib import Path

import fastavro
import msgspec
import pytest
import yaml
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from fsn import topology as commands
from fsn.asyncapi import document, text
from fsn.schemas import package_version
from processors.pipeline import STAGES
from schemas.codec import Codec
from schemas.records.operations import ReviewItem
from schemas.records.orders import OrderCancelled
from schemas.registry import bundled
from schemas.topology import load, parse
from streams.machine import ENGINE_STAGE, Raw
from streams.testing import MemoryStore
from streams.unit import UnitOfWork

ROOT = Path(__file__).parents[2]
TOPOLOGY = load(ROOT / "topology.yaml")
OFFICIAL = Draft7Validator(json.loads((ROOT / "tests/asyncapi/asyncapi-3.0.0.json").read_text("utf-8")))
DOCUMENT = document(TOPOLOGY, bundled(), version=package_version())


def references(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [inner] if key == "$ref" else references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(reference):
    found = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_the_committed_document_is_up_to_date():
    written = (ROOT / "docs" / "asyncapi.yaml").read_text("utf-8")
    assert text(DOCUMENT) == written, "run `fsn topology asyncapi --output docs/asyncapi.yaml`"


def test_it_is_valid_by_the_official_schema():
    assert [error.message for error in OFFICIAL.iter_errors(yaml.safe_load(text(DOCUMENT)))] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda spoilt: spoilt["operations"]["receive-orders"].update(action="read"),
        lambda spoilt: spoilt["channels"]["orders"]["bindings"]["kafka"].update(partitions=0),
        lambda spoilt: spoilt["components"]["schemas"]["OrderPlaced"]["schema"].update(type="order"),
        lambda spoilt: spoilt["servers"]["kafka"].pop("protocol"),
    ],
    ids=["action", "partitions", "avro", "protocol"],
)
def test_the_official_schema_would_refuse(spoil):
    spoilt = copy.deepcopy(DOCUMENT)
    spoil(spoilt)
    assert not OFFICIAL.is_valid(spoilt)


def test_every_reference_leads_somewhere():
    assert all(resolve(reference) for reference in references(DOCUMENT))


def test_channels_are_the_topics_of_outsiders_with_all_their_records():
    shown = {name: tuple(channel["messages"]) for name, channel in DOCUMENT["channels"].items()}
    assert shown == {topic.name: topic.records for topic in TOPOLOGY.topics.values() if not topic.internal}


def test_a_message_says_key_headers_and_schema():
    message = DOCUMENT["channels"]["orders"]["messages"]["OrderPlaced"]
    assert message["bindings"]["kafka"]["key"]["description"] == "order_id"
    assert resolve(message["headers"]["$ref"])["required"] == ["fsn-key-id", "fsn-signature"]
    payload = resolve(message["payload"]["$ref"])
    assert payload["schemaFormat"].startswith("application/vnd.apache.avro")
    assert message["description"] == payload["schema"]["doc"]


def test_the_schema_of_a_payload_reads_what_fsn_writes():
    cancelled = OrderCancelled("acme|web|1", "changed my mind", 1_700_000_000_000)
    schema = copy.deepcopy(DOCUMENT["components"]["schemas"]["OrderCancelled"]["schema"])
    fields = fastavro.schemaless_reader(io.BytesIO(Codec().encode(cancelled)[5:]), schema)
    assert fields == msgspec.structs.asdict(cancelled)


def test_signed_topics_ask_for_headers_and_what_fsn_sends_has_them():
    for topic, channel in DOCUMENT["channels"].items():
        for message in channel["messages"].values():
            if f"send-{topic}" in DOCUMENT["operations"] and TOPOLOGY.topics[topic].carries_events:
                assert message["headers"]["allOf"][0] == {"$ref": "#/components/schemas/CloudEventHeaders"}
            else:
                assert ("headers" in message) is (TOPOLOGY.topics[topic].signed == "required")


def test_the_headers_of_what_a_worker_writes_are_those_described():
    unit = UnitOfWork(TOPOLOGY, (ENGINE_STAGE, *STAGES), Codec(), MemoryStore())
    unit.begin_record(Raw("orders", 0, 1, 1_700_000_000_000, b"k", b"v"))
    unit.emit("review-queue", "acme|web|1", ReviewItem("id", "acme|web|1", "SKU_UNKNOWN", "why", "open", 1))
    headers = {name: value.decode() for name, value in unit.outputs[0].headers}
    described = copy.deepcopy(DOCUMENT["channels"]["review-queue"]["messages"]["ReviewItem"]["headers"]["allOf"])
    schema = {"allOf": [resolve(described[0]["$ref"]), described[1]], "additionalProperties": True}
    assert [error.message for error in Draft7Validator(schema).iter_errors(headers)] == []
    assert set(headers) == set(resolve(described[0]["$ref"])["properties"])
    assert not Draft7Validator(schema).is_valid({**headers, "ce_type": "fsn.orders.OrderPlaced"})


def test_fsn_receives_what_stages_read_and_sends_what_they_emit():
    operations = DOCUMENT["operations"]
    assert operations["receive-orders"]["action"] == "receive"
    assert operations["send-routing-decisions"]["action"] == "send"
    assert {"receive-network", "send-dead-letters"} <= set(operations)
    for topic in DOCUMENT["channels"]:
        assert {f"receive-{topic}", f"send-{topic}"} & set(operations), f"{topic}: nobody writes or reads it"


def test_a_compacted_topic_says_so():
    binding = DOCUMENT["channels"]["stock-snapshots"]["bindings"]["kafka"]
    assert binding["topicConfiguration"]["cleanup.policy"] == ["compact"]
    assert "Compacted" in DOCUMENT["channels"]["stock-snapshots"]["description"]


def test_with_an_external_clock_nothing_goes_by_time():
    day = parse((ROOT / "topology.yaml").read_text("utf-8").replace("clock: leader", "clock: external"))
    channel = document(day, bundled(), version="1")["channels"]["orders"]
    assert channel["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] == -1
    assert "kept without limit" in channel["description"]


def test_servers_are_the_brokers_that_are_named_or_a_variable():
    assert DOCUMENT["servers"]["kafka"]["host"] == "{brokers}"
    named = document(TOPOLOGY, bundled(), version="1", brokers="a:1,b:2", security="security.protocol=SASL_SSL")
    assert named["servers"] == {
        "broker-1": {"host": "a:1", "protocol": "kafka-secure"},
        "broker-2": {"host": "b:2", "protocol": "kafka-secure"},
    }
    assert OFFICIAL.is_valid(named)


def test_the_command_prints_or_writes(tmp_path):
    arguments = ["asyncapi", "--file", str(ROOT / "topology.yaml")]
    environment = {"FSN_BROKERS": "", "FSN_SECURITY": ""}
    assert CliRunner().invoke(commands.app, arguments, env=environment).output == text(DOCUMENT)
    environment["FSN_BROKERS"] = "kafka.example:9092"
    result = CliRunner().invoke(commands.app, [*arguments, "--output", str(tmp_path / "it.yaml")], env=environment)
    assert result.exit_code == 0
    assert "kafka.example:9092" in (tmp_path / "it.yaml").read_text("utf-8")
