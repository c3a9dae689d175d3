"""Ids from another schema registry, asked over HTTP by confluent-kafka's own client."""

import pytest

from fsn.children import free_port
from schemas.codec import Codec
from schemas.records.engine import Tick
from schemas.records.orders import OrderPlaced
from schemas.registry import bundled
from schemas.topology import load
from streams.errors import ConfigurationError
from streams.registry_ids import registry_for
from streams.settings import read_settings
from tests.streams.registry_server import FIRST_ID, serving

TALLY = load("tests/streams/tally.yaml")
FSN = load("topology.yaml")


@pytest.fixture
def remote():
    with serving() as registry:
        yield registry


def test_without_a_registry_the_bundled_ids_stand():
    assert registry_for(None, TALLY, register=True).versions == bundled().versions


def test_what_is_missing_is_registered_and_travels_under_the_ids_it_got(remote):
    registry = registry_for(remote.url, TALLY, register=True)
    assert set(remote.subjects) == set(bundled().by_subject(TALLY.records_by_topic))
    assert sorted(known.id for known in registry.versions) == sorted(remote.ids.values())
    tick = Codec(registry).encode(Tick(7))
    assert int.from_bytes(tick[1:5], "big") == remote.ids[bundled().latest(Tick).text] >= FIRST_ID
    assert Codec(registry).decode(tick) == Tick(7)


def test_the_whole_topology_has_an_id_for_every_record_it_carries(remote):
    registry = registry_for(remote.url, FSN, register=True)
    carried = {name for spec in FSN.topics.values() for name in spec.records}
    assert {known.record for known in registry.versions} == carried


def test_a_second_worker_and_a_reader_find_the_same_ids(remote):
    first = registry_for(remote.url, TALLY, register=True)
    remote.read_only = True
    for register in (True, False):
        assert registry_for(remote.url, TALLY, register=register).versions == first.versions


def test_records_no_topic_carries_have_no_id(remote):
    registry = registry_for(remote.url, TALLY, register=True)
    assert "OrderPlaced" not in {known.record for known in registry.versions}
    assert bundled().latest(OrderPlaced).record == "OrderPlaced"


def test_a_reader_registers_nothing(remote):
    with pytest.raises(
        ConfigurationError, match=r"has no StockDelta v1 under subject stock-deltas-fsn\.stock\.StockDelta: start a w"
    ):
        registry_for(remote.url, TALLY, register=False)
    assert remote.subjects == {}


def test_a_refusal_names_schema_subject_and_mend(remote):
    remote.read_only = True
    with pytest.raises(ConfigurationError) as refused:
        registry_for(remote.url, TALLY, register=True)
    for said in (
        f"at {remote.url} has no StockDelta v1 under subject stock-deltas-fsn.stock.StockDelta",
        "refused to register it (User is denied operation Write on Subject (HTTP status code 403, SR code 40301))",
        "register schemas/avro/stock_delta.v1.avsc there",
    ):
        assert said in str(refused.value)


def test_one_schema_under_two_ids_is_refused(remote):
    remote.one_id_per_subject = True
    with pytest.raises(
        ConfigurationError, match=r"knows StockDelta v1 as id .* and, under subject mapped-stock-.*, as id"
    ):
        registry_for(remote.url, FSN, register=True)


def test_nobody_there_is_said_with_the_mend_and_without_the_password():
    url = f"http://worker:hidden@127.0.0.1:{free_port()}/ccompat"
    with pytest.raises(
        ConfigurationError, match=r"no schema registry answers at http://127.0.0.1:.*/ccompat.*mend FSN_S"
    ) as error:
        registry_for(url, TALLY, register=True)
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize("answer", [(200, []), (200, {"id": "seven"}), (200, {}), (200, 1)])
def test_an_answer_no_registry_gives_is_said(remote, monkeypatch, answer):
    monkeypatch.setattr(remote, "answer", lambda path, body: answer)
    with pytest.raises(ConfigurationError, match=r"no schema registry answers at"):
        registry_for(remote.url, TALLY, register=True)


@pytest.mark.parametrize("answer", [(401, {"error_code": 40101, "message": "who?"}), (404, ["a page"])])
def test_a_look_up_that_is_refused_is_not_taken_for_a_missing_schema(remote, monkeypatch, answer):
    monkeypatch.setattr(remote, "answer", lambda path, body: answer)
    with pytest.raises(
        ConfigurationError, match=r"would not look up subject .*: mend the rights there, or FSN_SCHEMA_REGISTRY"
    ):
        registry_for(remote.url, TALLY, register=True)


@pytest.mark.parametrize("url", ["registry:8081", "ftp://registry", "http://", "http://a:1,b:2"])
def test_what_is_no_url_fails_by_the_name_of_its_variable(url):
    with pytest.raises(ConfigurationError, match=r"FSN_SCHEMA_REGISTRY: .*must be a URL such as"):
        read_settings(schema_registry=url)


def test_an_empty_variable_is_none():
    assert read_settings(schema_registry="").schema_registry is None
