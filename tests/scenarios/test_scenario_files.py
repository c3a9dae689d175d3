"""Files of scenarios: what is wrong with one is told with line and mend, and a broken expectation is seen."""

import re

import pytest
from typer.testing import CliRunner

from fsn.scenario import app
from fsn.scenarios.reading import ScenarioError, scenarios_of
from fsn.scenarios.running import run
from processors.routing.words import BY_WORD
from tests.scenarios.test_scenarios import ROOT, SCENARIOS, TOPOLOGY

UNREACHABLE = {
    "unknown_location",
    "unknown_variant",
    "nothing_wanted",
    "not_reached",
    "ok",
    "next_tier",
    "unknown_timezone",
}
"""Reference data never vanishes and names no time zone that is none, an order has units, and the next tier is asked at once: no trace ends with these."""


def written(folder, text):
    path = folder / "mine.yaml"
    path.write_text(text, "utf-8")
    return path


def problems_of(folder, text):
    with pytest.raises(ScenarioError) as caught:
        scenarios_of(written(folder, text))
    return caught.value.problems


def test_there_are_scenarios_for_every_verdict_that_can_be_reached():
    expected = [step.expect for _, scenario in SCENARIOS for step in scenario.steps if step.expect]
    told = {verdict for expect in expected for verdict in (expect.verdicts or {}).values()}
    told |= {word for expect in expected for word in (expect.because, expect.reason, expect.fallback)}
    assert sorted(set(BY_WORD) - told - UNREACHABLE) == []
    assert len(SCENARIOS) >= 80


def test_the_example_of_the_page_runs(tmp_path):
    example = re.search(r"```yaml\n(.*?)```", (ROOT / "docs/scenarios.md").read_text("utf-8"), re.DOTALL)
    (scenario,) = scenarios_of(written(tmp_path, example[1]))
    assert run(scenario, TOPOLOGY) == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("scenarios:\n  a:\n    ordr: {}\n    expect: {}\n", 3, "scenarios.a.ordr: is no key here"),
        ("scenarios:\n  a:\n    order: {lines: {shirt: x}}\n    expect: {}\n", 3, "'x' does not do"),
        ("scenarios:\n  a:\n    order: {lines: {shirt: 1}}\n", 2, "expects nothing; add `expect:`"),
        (
            "scenarios:\n  a:\n    steps:\n    - wait: 5\n    expect: {}\n",
            4,
            "a duration is a number with s, m, h or d",
        ),
        ("scenarios:\n  a:\n    steps:\n    - {wait: 5s, cancel: a}\n    expect: {}\n", 4, "one thing per step"),
        ("given:\n  locations:\n    b: {teir: 1}\nscenarios: {a: {expect: {}}}\n", 3, "did you mean tier?"),
        ("given:\n  locations:\n    b: {tier: x}\nscenarios: {a: {expect: {}}}\n", 3, "given.locations.b.tier"),
        ("given:\n  locations:\n    b: {km: .nan}\nscenarios: {a: {expect: {}}}\n", 3, "is no distance"),
        ("given:\n  rules:\n    weight_stok: 1\nscenarios: {a: {expect: {}}}\n", 3, "did you mean weight_stock?"),
        ("given: {stock: {moon: {shirt: 1}}}\nscenarios:\n  a: {expect: {}}\n", 3, "moon, which is no location"),
        ("scenarios:\n  a:\n    order: {lines: {shirt: 99999999999}}\n    expect: {}\n", 3, "less than or equal"),
        ("scenarios:\n  a:\n    steps:\n    - wait: -5h\n    expect: {}\n", 4, "a duration is a number"),
        ("base: none.yaml\nscenarios: {a: {expect: {}}}\n", 1, "none.yaml is no file"),
        ("base: [1]\nscenarios: {a: {expect: {}}}\n", 1, "is no name of a file"),
        ("given: {}\n", 1, "write at least one scenario"),
        ("scenarios:\n  a: {expect: {}}\n  a: {expect: {}}\n", 3, "is declared twice"),
        ("scenarios: [\n", 2, "mend the YAML"),
        ("- a\n", 1, "start from `scenarios:`"),
    ],
)
def test_a_problem_is_told_with_its_line_and_its_mend(tmp_path, text, line, words):
    problems = problems_of(tmp_path, text)
    assert any(problem.startswith(f"mine.yaml:{line}:") and words in problem for problem in problems), problems


def test_the_command_shows_a_difference_and_fails(tmp_path):
    text = (
        "given: {locations: {b: {}}, stock: {b: {shirt: 1}}}\n"
        "scenarios:\n  right: {order: {lines: {shirt: 1}}, expect: {ships: {b: {shirt: 1}}}}\n"
        "  wrong: {order: {lines: {shirt: 2}}, expect: {ships: {b: {shirt: 2}}}}\n"
    )
    topology = str(ROOT / "topology.yaml")
    done = CliRunner().invoke(app, ["run", str(written(tmp_path, text)), "--file", topology])
    assert done.exit_code == 1
    assert "passed mine.yaml: right" in done.output
    assert "failed mine.yaml: wrong" in done.output
    assert "step 2: ships: expected {b: {shirt: 2}}, is {}" in done.output
    assert "1 passed, 1 failed" in done.output


def test_an_answer_to_what_was_never_offered_is_told(tmp_path):
    text = "given: {locations: {b: {}}}\nscenarios:\n  a:\n    steps: [{accept: {at: b}}]\n    expect: {}\n"
    (scenario,) = scenarios_of(written(tmp_path, text))
    with pytest.raises(ScenarioError, match=r"acme\|loc_b was offered nothing"):
        run(scenario, TOPOLOGY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            (
                "scenarios:\n  a:\n    steps:\n    - change: {rules: {distance_best_m: 999}}\n"
                "    - change: {rules: {distance_worst_m: 10}}\n    expect: {}\n"
            ),
            "a: change.rules.distance_best_m: must be below",
        ),
        ("given: {locations: {b: {timezone: X/Y}}, loads: {b: 1}}\nscenarios: {a: {expect: {}}}\n", "no time zone"),
    ],
)
def test_what_only_the_run_shows_is_told_with_the_scenario(tmp_path, text, words):
    (scenario,) = scenarios_of(written(tmp_path, text))
    with pytest.raises(ScenarioError, match=words):
        run(scenario, TOPOLOGY)
