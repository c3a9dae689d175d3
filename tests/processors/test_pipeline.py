"""The stages are what topology.yaml says they are, and importing them loads nothing but rules."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from processors.pipeline import STAGES

TOPOLOGY = yaml.safe_load(Path(__file__).parents[2].joinpath("topology.yaml").read_text("utf-8"))
by_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)


def test_the_stages_are_those_of_the_topology_in_its_order():
    assert [stage.name for stage in STAGES] == list(TOPOLOGY["stages"])


@by_stage
def test_a_stage_is_the_one_its_module_exports(stage):
    assert import_module(TOPOLOGY["stages"][stage.name]["module"]).STAGE is stage


@by_stage
def test_a_stage_reads_and_keeps_what_the_topology_says(stage):
    declared = TOPOLOGY["stages"][stage.name]
    assert sorted(stage.handlers) == sorted(declared.get("reads", ()))
    assert sorted(stage.audits) == sorted(declared.get("audits", ()))
    assert sorted(table.name for table in stage.tables) == sorted(declared["tables"])
    assert set(stage.projections) <= {table.name for table in stage.tables}


@by_stage
def test_every_timer_names_its_stage(stage):
    assert all(kind.startswith(f"{stage.name}.") for kind in stage.timers)


def test_every_record_of_a_topic_that_is_read_has_a_handler_and_no_other():
    for topic in {topic for stage in STAGES for topic in stage.handlers}:
        handled = {kind.__name__ for stage in STAGES for kind in stage.handlers.get(topic, {})}
        assert handled == set(TOPOLOGY["topics"][topic]["records"]), topic


def test_no_two_stages_keep_one_table():
    names = [table.name for stage in STAGES for table in stage.tables]
    assert len(names) == len(set(names))


def test_importing_the_pipeline_loads_no_engine():
    outside = [
        "faust",
        "aiokafka",
        "confluent_kafka",
        "rocksdict",
        "prometheus_client",
        "pydantic",
        "yaml",
        "asyncio",
        "fastavro",
    ]
    code = f"import sys, processors.pipeline; print([name for name in {outside!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"
