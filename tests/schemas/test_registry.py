import json

import fastavro
import pytest

from schemas.errors import EvolutionError, SchemaError, UnknownSchemaError
from schemas.evolution import broken_promises, derive, personal_fields, same_data
from schemas.records.stock import StockDelta
from schemas.registry import Registry, SchemaVersion, bundled, file_name, read_versions, record_types, subject
from tests.schemas.making import record

REGISTRY = bundled()


@pytest.mark.parametrize("record_type", record_types().values(), ids=record_types())
def test_the_committed_schema_is_that_of_the_record_type(record_type):
    assert same_data(derive(record_type), REGISTRY.latest(record_type).schema), "run `fsn schemas write`"


@pytest.mark.parametrize("version", REGISTRY.versions, ids=lambda version: f"{version.record}.v{version.version}")
def test_a_committed_version_is_sound(version):
    """It is Avro, reads all earlier data, and holds no personal data."""
    fastavro.parse_schema(json.loads(version.text))
    earlier = [known for known in REGISTRY.versions if known.record == version.record and known.id < version.id]
    assert broken_promises(version.schema, earlier) == []
    assert personal_fields(version.schema) == []


def test_ids_count_from_one_and_versions_of_a_record_too():
    assert list(range(1, len(REGISTRY.versions) + 1)) == [version.id for version in REGISTRY.versions]
    seen = {}
    for version in REGISTRY.versions:
        assert seen.get(version.record, 0) + 1 == version.version
        seen[version.record] = version.version


def test_the_latest_version_is_found_by_type_and_by_id():
    latest = REGISTRY.latest(StockDelta)
    assert latest.record == "StockDelta"
    assert latest is REGISTRY.by_id(latest.id)
    assert REGISTRY.is_latest(latest)


def test_an_earlier_version_is_not_the_latest():
    schema = derive(record("Thing", ("a", int)))
    first, second = SchemaVersion(1, "Thing", 1, schema), SchemaVersion(2, "Thing", 2, schema)
    assert not Registry([first, second]).is_latest(first)


@pytest.mark.parametrize("schema_id", [0, -1, 10_000])
def test_an_unknown_id_names_itself(schema_id):
    with pytest.raises(UnknownSchemaError, match=f"schema id {schema_id} is unknown") as error:
        REGISTRY.by_id(schema_id)
    assert schema_id == error.value.schema_id


def test_a_type_without_a_schema_names_the_command():
    with pytest.raises(EvolutionError, match="Thing has no committed schema: run `fsn schemas write`"):
        REGISTRY.latest(record("Thing", ("a", int)))


def test_one_id_for_two_schemas_is_refused():
    schema = derive(record("Thing", ("a", int)))
    with pytest.raises(SchemaError, match="share an id"):
        Registry([SchemaVersion(1, "Thing", 1, schema), SchemaVersion(1, "Thing", 2, schema)])


def test_subjects_name_topic_and_record():
    assert subject("stock-deltas", REGISTRY.latest(StockDelta)) == "stock-deltas-fsn.stock.StockDelta"


def test_files_are_called_after_record_and_version():
    assert file_name("StockDelta", 1) == "stock_delta.v1.avsc"
    assert file_name("Tick", 12) == "tick.v12.avsc"


def test_a_folder_without_a_list_has_no_versions(tmp_path):
    assert read_versions(tmp_path) == []


def test_a_subject_holds_its_versions_oldest_first():
    schema = derive(record("Thing", ("a", int)))
    second, first = SchemaVersion(1, "Thing", 2, schema), SchemaVersion(2, "Thing", 1, schema)
    registry = Registry([second, first])
    assert registry.by_subject({"a": ("Thing",), "b": ()}) == {subject("a", first): [first, second]}
