"""A schema registry's reading calls, as its own documentation words them."""

import json

import pytest

from schemas.evolution import derive
from schemas.registry import Registry, SchemaVersion, bundled
from schemas.topology import load
from streams.registry_pages import RegistryPages
from tests.schemas.making import record

CANCELLED, TICK = (
    next(known for known in bundled().versions if known.record == name) for name in ("OrderCancelled", "Tick")
)
PAGES = RegistryPages(bundled(), load("topology.yaml"))
ORDERS = "orders-fsn.orders.OrderCancelled"


def said(answer):
    return answer.status, json.loads(answer.body)


def asks(schema):
    return json.dumps({"schema": schema if isinstance(schema, str) else json.dumps(schema)}).encode()


def test_an_id_stands_for_one_schema():
    status, answer = said(PAGES.schema(str(CANCELLED.id)))
    assert (status, json.loads(answer["schema"])) == (200, CANCELLED.schema)


def test_all_schemas_are_avro():
    assert said(PAGES.types()) == (200, ["AVRO"])


def test_every_record_of_every_topic_has_its_subject():
    status, subjects = said(PAGES.subjects())
    carried = sum(len(spec.records) for spec in load("topology.yaml").topics.values())
    assert (status, len(subjects)) == (200, carried)
    assert {ORDERS, "clock-fsn.engine.Tick", "order-facts-fsn.orders.OrderClosed"} <= set(subjects)
    assert subjects == sorted(subjects)


def test_an_id_names_every_subject_it_stands_under():
    closed = next(known for known in bundled().versions if known.record == "OrderClosed")
    assert said(PAGES.places(str(closed.id))) == (
        200,
        [
            {"subject": "orders-fsn.orders.OrderClosed", "version": 1},
            {"subject": "order-facts-fsn.orders.OrderClosed", "version": 1},
        ],
    )


def test_a_version_is_found_by_number_and_as_the_latest():
    expected = {"subject": ORDERS, "version": 1, "id": CANCELLED.id, "schema": CANCELLED.text}
    for number in ("1", "latest", "-1"):
        assert said(PAGES.version(ORDERS, number)) == (200, expected)


def test_the_latest_of_several_versions_is_the_highest():
    schema, wider = (derive(record("OrderPlaced", *fields)) for fields in ([("a", int)], [("a", int), ("b", int, 0)]))
    newer, older = SchemaVersion(5, "OrderPlaced", 2, wider), SchemaVersion(9, "OrderPlaced", 1, schema)
    pages = RegistryPages(Registry([newer, older]), load("topology.yaml"))
    (name,) = said(pages.subjects())[1]
    assert said(pages.versions(name)) == (200, [1, 2])
    assert said(pages.version(name, "latest"))[1]["id"] == 5
    assert said(pages.version(name, "1"))[1]["id"] == 9


def test_a_schema_is_looked_up_however_it_is_spaced():
    assert said(PAGES.look_up(ORDERS, asks(json.dumps(CANCELLED.schema, indent=4))))[1]["id"] == CANCELLED.id


def test_a_schema_is_had_alone():
    for answer in (PAGES.plain_schema(str(CANCELLED.id)), PAGES.version_schema(ORDERS, "latest")):
        assert said(answer) == (200, CANCELLED.schema)
    assert said(PAGES.plain_schema("0"))[1]["error_code"] == 40403
    assert said(PAGES.version_schema(ORDERS, "2"))[1]["error_code"] == 40402


def test_who_registers_what_is_known_gets_its_id_and_nothing_new_is_taken():
    assert said(PAGES.register(ORDERS, asks(CANCELLED.schema))) == (200, {"id": CANCELLED.id})
    for subject, body, code in (
        (ORDERS, asks(TICK.schema), 42205),
        ("no-such-subject", asks(CANCELLED.schema), 40401),
        (ORDERS, b"no schema", 42201),
    ):
        status, answer = said(PAGES.register(subject, body))
        assert (status, answer["error_code"]) == (code // 100, code)
    assert said(PAGES.versions(ORDERS)) == (200, [1])


def test_other_ids_are_shown_where_another_registry_gave_them_out():
    ids = {(known.record, known.version): known.id + 700 for known in bundled().versions}
    pages = RegistryPages(bundled(ids), load("topology.yaml"))
    assert said(pages.version(ORDERS, "latest"))[1]["id"] == CANCELLED.id + 700
    assert pages.schema(str(CANCELLED.id + 700)).status == 200


@pytest.mark.parametrize("schema_id", ["0", "-1", "9999", "x", "", "٣", "9" * 5_000])
def test_an_unknown_id_is_40403(schema_id):
    for answer in (PAGES.schema(schema_id), PAGES.places(schema_id)):
        assert said(answer) == (404, {"error_code": 40403, "message": f"Schema {schema_id} not found"})


def test_an_unknown_subject_is_40401():
    refusal = (404, {"error_code": 40401, "message": "Subject 'orders-value' not found."})
    assert said(PAGES.versions("orders-value")) == refusal
    assert said(PAGES.version("orders-value", "latest")) == refusal
    assert said(PAGES.look_up("orders-value", asks(CANCELLED.schema))) == refusal


def test_an_unknown_version_is_40402():
    assert said(PAGES.version(ORDERS, "2")) == (404, {"error_code": 40402, "message": "Version 2 not found."})


@pytest.mark.parametrize("number", ["0", "-2", "x", "", "²", "2147483648", "9" * 5_000])
def test_what_is_no_version_number_is_42202(number):
    status, answer = said(PAGES.version(ORDERS, number))
    assert (status, answer["error_code"]) == (422, 42202)


def test_a_schema_of_another_subject_is_40403():
    assert said(PAGES.look_up(ORDERS, asks(TICK.schema))) == (404, {"error_code": 40403, "message": "Schema not found"})


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"schema":1}', b"\xff", asks("{"), b"[" * 100_000])
def test_what_is_no_schema_is_42201(body):
    status, answer = said(PAGES.look_up(ORDERS, body))
    assert (status, answer["error_code"]) == (422, 42201)
