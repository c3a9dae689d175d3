"""Golden scenarios: each file of this folder, one test per scenario."""

from pathlib import Path

import pytest

from fsn.declaration import load_topology
from fsn.scenarios.reading import scenarios_of
from fsn.scenarios.running import run

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TOPOLOGY = load_topology(ROOT / "topology.yaml", clock="external", partitions=1)
SCENARIOS = [(path.stem, scenario) for path in sorted(HERE.glob("*.yaml")) for scenario in scenarios_of(path)]


@pytest.mark.parametrize(
    "scenario", [pytest.param(one, id=f"{stem}-{one.name}".replace(" ", "-")) for stem, one in SCENARIOS]
)
def test_scenario(scenario):
    assert run(scenario, TOPOLOGY) == []
