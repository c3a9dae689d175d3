"""The true worker and schema registries: its web port is one, and another one may give it its ids."""

import json
import urllib.error
import urllib.request

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry import topic_record_subject_name_strategy as by_topic_and_record
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from fsn.children import free_port
from fsn.letters import Letters
from fsn.processes import WorkerProcess
from schemas.codec import Codec
from schemas.records.stock import StockDelta
from schemas.registry import bundled
from schemas.topology import load
from streams.registry_ids import registry_for
from streams.settings import read_settings
from tests.e2e.workers import CODEC, create_topics, producer, read_committed, wait_until
from tests.streams.registry_server import FIRST_ID, serving

TALLY = "tests/streams/tally.yaml"
DELTAS = "stock-deltas-fsn.stock.StockDelta"


@pytest.fixture
def brokers(start_broker):
    broker = start_broker()
    create_topics(broker.bootstrap, TALLY)
    yield broker.bootstrap
    broker.kill()


def make_worker(brokers, state, **settings):
    return WorkerProcess(
        topology=TALLY, log_path=state / "worker.log", brokers=brokers, state_dir=state, log_format="text", **settings
    )


@pytest.fixture
def worker(brokers, tmp_path):
    made = make_worker(brokers, tmp_path / "state")
    made.start()
    made.wait_until_ready()
    yield made
    made.kill()


def client_of(worker):
    return SchemaRegistryClient({"url": f"http://127.0.0.1:{worker.web_port}"})


def test_a_standard_client_writes_what_the_worker_reads_and_reads_what_it_writes(brokers, worker):
    delta = StockDelta("f", "acme|v1", "acme|v1", None, "s", 1, None, 7, "receipt", None, 1)
    fields = {name: getattr(delta, name) for name in delta.__struct_fields__}
    with client_of(worker) as registry:
        encode = AvroSerializer(
            registry,
            registry.get_latest_version(DELTAS).schema.schema_str,
            conf={"auto.register.schemas": False, "subject.name.strategy": by_topic_and_record},
        )
        value = encode(fields, SerializationContext("stock-deltas", MessageField.VALUE))
        assert value == CODEC.encode(delta)
        client = producer(brokers)
        client.produce("stock-deltas", value, "acme|v1", timestamp=1_700_000_000_000)
        client.flush()
        wait_until(lambda: read_committed(brokers, "stock-snapshots"), 30)
        (message,) = read_committed(brokers, "stock-snapshots")
        decode = AvroDeserializer(registry)
        snapshot = decode(message.value(), SerializationContext("stock-snapshots", MessageField.VALUE))
    assert (snapshot["revision"], snapshot["on_hand"]) == (1, 7)
    assert snapshot == {name: snapshot[name] for name in CODEC.decode(message.value()).__struct_fields__}


def test_every_reading_call_answers(worker):
    version = bundled().latest(StockDelta)
    number = version.version
    with client_of(worker) as registry:
        assert registry.get_schema_types() == ["AVRO"]
        assert DELTAS in registry.get_subjects()
        assert registry.get_versions(DELTAS) == list(range(1, number + 1))
        assert json.loads(registry.get_schema(version.id).schema_str) == version.schema
        assert [place.subject for place in registry.get_schema_versions(version.id)] == [DELTAS]
        latest = registry.get_latest_version(DELTAS)
        assert registry.get_version(DELTAS, number).schema_id == latest.schema_id == version.id
        assert registry.lookup_schema(DELTAS, Schema(version.text, "AVRO")).schema_id == version.id


def test_a_worker_is_registry_enough_for_another_one(worker):
    found = registry_for(f"http://127.0.0.1:{worker.web_port}", load(TALLY), register=True)
    assert {(known.record, known.id) for known in found.versions} < {
        (known.record, known.id) for known in bundled().versions
    }


def test_refusals_are_the_registrys_own(worker):
    with client_of(worker) as registry:
        for code, ask in (
            (40403, lambda: registry.get_schema(9_999)),
            (40401, lambda: registry.get_latest_version("no-such-subject")),
            (40402, lambda: registry.get_version(DELTAS, 99)),
        ):
            with pytest.raises(SchemaRegistryError) as refused:
                ask()
            assert (refused.value.http_status_code, refused.value.error_code) == (404, code)
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(f"http://127.0.0.1:{worker.web_port}/subjects/none/versions")
    assert answer.value.headers["Content-Type"] == "application/vnd.schemaregistry.v1+json"
    answer.value.close()


def test_records_travel_under_the_ids_of_another_registry(brokers, tmp_path):
    with serving() as remote, make_worker(brokers, tmp_path / "state", schema_registry=remote.url) as worker:
        worker.wait_until_ready()
        codec = Codec(registry_for(remote.url, load(TALLY), register=False))
        client = producer(brokers)
        for number, reason in enumerate(("receipt", "damage")):
            delta = StockDelta("f", "acme|v1", "acme|v1", None, "s", number, None, 7, reason, None, 1)
            client.produce("stock-deltas", codec.encode(delta), "acme|v1", timestamp=1_700_000_000_000 + number)
        client.flush()
        wait_until(lambda: read_committed(brokers, "dead-letters"), 30)
        (message,) = read_committed(brokers, "stock-snapshots")
        (found,) = Letters(load(TALLY), read_settings(brokers=brokers, schema_registry=remote.url)).read()
        with client_of(worker) as registry:
            snapshot = AvroDeserializer(registry)(
                message.value(), SerializationContext("stock-snapshots", MessageField.VALUE)
            )
    assert int.from_bytes(message.value()[1:5], "big") >= FIRST_ID
    assert snapshot["on_hand"] == codec.decode(message.value()).on_hand == 7
    assert (found.letter.reason, codec.decode(found.letter.value).reason) == ("INVALID_VALUE", "damage")


def test_a_worker_whose_registry_is_not_there_says_so_and_ends(brokers, tmp_path):
    worker = make_worker(brokers, tmp_path / "state", schema_registry=f"http://127.0.0.1:{free_port()}")
    worker.start()
    assert worker.wait(60) == 2
    assert "no schema registry answers at http://127.0.0.1:" in worker.said()
    assert "mend FSN_SCHEMA_REGISTRY" in worker.said()
    worker.stop()
