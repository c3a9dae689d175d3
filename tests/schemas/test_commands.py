import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fsn import schemas as schema_commands
from fsn import topology as topology_commands
from schemas.registry import read_versions

ROOT = Path(__file__).parents[2]
FILE = str(ROOT / "topology.yaml")


def run(app, *arguments):
    return CliRunner().invoke(app, list(arguments), env={"FSN_BROKERS": ""})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the committed schemas."""
    copy = tmp_path / "avro"
    shutil.copytree(schema_commands.avro_folder(), copy)
    monkeypatch.setattr(schema_commands, "avro_folder", lambda: copy)
    return copy


def rewrite(folder, record, change):
    """Commit another schema for a record's first version."""
    path = next(folder.glob(f"{record}.v1.avsc"))
    schema = json.loads(path.read_text("utf-8"))
    change(schema)
    path.write_text(json.dumps(schema), "utf-8")


def test_the_committed_schemas_pass(folder):
    result = run(schema_commands.app, "check")
    assert result.exit_code == 0, result.output


def test_a_changed_file_fails_by_name(folder):
    rewrite(folder, "tick", lambda schema: schema.update(doc="other words"))
    result = run(schema_commands.app, "check")
    assert result.exit_code == 1
    assert "tick.v1.avsc: not what the record types say; run `fsn schemas write`" in result.output


def test_a_broken_promise_fails_by_record_and_field(folder):
    rewrite(folder, "tick", lambda schema: schema["fields"][0].update(type="string"))
    for command in ("check", "write"):
        result = run(schema_commands.app, command)
        assert result.exit_code == 1
        assert "Tick.at was string and is long now: keep the old type" in result.output


def test_a_field_marked_as_personal_fails(folder):
    rewrite(folder, "tick", lambda schema: schema["fields"][0].update(pii=True))
    result = run(schema_commands.app, "check")
    assert result.exit_code == 1


def test_write_adds_a_version_beside_the_old_one(folder):
    before = read_versions(folder)
    rewrite(folder, "tick", lambda schema: schema["fields"][0].update(type="int"))
    result = run(schema_commands.app, "write")
    assert result.exit_code == 0, result.output
    after = read_versions(folder)
    assert len(before) + 1 == len(after)
    assert (after[-1].record, after[-1].version) == ("Tick", 2)
    assert run(schema_commands.app, "check").exit_code == 0


def test_write_changes_nothing_the_second_time(folder):
    run(schema_commands.app, "write")
    assert "0 files changed" in run(schema_commands.app, "write").output


def test_rewrite_starts_at_one_again(folder):
    rewrite(folder, "tick", lambda schema: schema["fields"][0].update(type="string"))
    assert run(schema_commands.app, "write", "--rewrite").exit_code == 0
    assert {1} == {version.version for version in read_versions(folder)}
    assert run(schema_commands.app, "check").exit_code == 0


def test_the_version_is_that_of_the_checkout():
    assert f'version = "{schema_commands.package_version()}"' in (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("version", ["0.0.9", "0.1.0.dev3", "0.1.0a1", "0.1.0rc2", "0.1.0"])
def test_rewrite_is_allowed_up_to_the_first_release(folder, monkeypatch, version):
    monkeypatch.setattr(schema_commands, "package_version", lambda: version)
    assert run(schema_commands.app, "write", "--rewrite").exit_code == 0


@pytest.mark.parametrize("version", ["0.1.1.dev0", "0.1.1", "0.2.0rc1", "1.0.0rc1", "1.0.0", "1.2", "10.0.0", "main"])
def test_rewrite_is_refused_after_it_and_changes_nothing(folder, monkeypatch, version):
    monkeypatch.setattr(schema_commands, "package_version", lambda: version)
    rewrite(folder, "tick", lambda schema: schema.update(doc="other words"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    refused = run(schema_commands.app, "write", "--rewrite")
    assert refused.exit_code == 1
    assert f"FSN is at {version}" in refused.output
    assert "Run `fsn schemas write`" in refused.output
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert run(schema_commands.app, "write").exit_code == 0, "the way that the refusal names"


def test_show_prints_fields_and_meanings():
    result = run(schema_commands.app, "show", "RoutingDecision")
    assert result.exit_code == 0
    assert "decision_id" in result.output
    assert "RoutingPlan" in result.output
    assert "fsn.routing.RoutingDecision v" in result.output


def test_show_of_no_record_names_those_there_are():
    result = run(schema_commands.app, "show", "Nonsense")
    assert result.exit_code == 1
    assert "the records are AssignmentRequested" in result.output


def test_topology_check_passes_on_names():
    result = run(topology_commands.app, "check", "--names-only", "-f", FILE)
    assert result.exit_code == 0, result.output
    assert "source topics of 4 partitions" in result.output


def test_topology_check_passes_against_the_code():
    result = run(topology_commands.app, "check", "-f", FILE)
    assert result.exit_code == 0, result.output


def test_topology_check_tells_every_problem(tmp_path):
    wrong = tmp_path / "topology.yaml"
    wrong.write_text(Path(FILE).read_text("utf-8").replace("OrderPlaced,", "Nonsense,"), "utf-8")
    result = run(topology_commands.app, "check", "-f", str(wrong))
    assert result.exit_code == 1
    assert "Nonsense is no record type" in result.output


def test_draw_writes_and_verifies(tmp_path):
    arguments = ("draw", "-f", FILE, "-o", str(tmp_path))
    assert run(topology_commands.app, *arguments, "--verify").exit_code == 1
    assert run(topology_commands.app, *arguments).exit_code == 0
    assert {"topology.mmd", "topology.svg"} == {path.name for path in tmp_path.iterdir()}
    assert run(topology_commands.app, *arguments, "--verify").exit_code == 0
    (tmp_path / "topology.svg").write_text("", "utf-8")
    result = run(topology_commands.app, *arguments, "--verify")
    assert "topology.svg is outdated: run `fsn topology draw`" in result.output


def test_apply_without_a_broker_says_how_to_name_one():
    result = run(topology_commands.app, "apply", "-f", FILE)
    assert result.exit_code == 1
    assert "no broker is named: give --brokers" in result.output


def test_the_commands_load_nothing_heavy_until_they_run():
    code = (
        "import sys, fsn.topology, fsn.schemas; "
        "print([name for name in ('pydantic', 'yaml', 'confluent_kafka', 'schemas.registry') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
