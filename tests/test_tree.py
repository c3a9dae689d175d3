"""The tree's police: sizes, docstrings, empty packages, and the purity that import-linter cannot see.

Each test collects every offence and asserts that there is none, so that one run shows all of them.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("connectors", "fsn", "processors", "schemas", "streams")
LINES_PER_MODULE = 350
LINES_PER_FUNCTION = 70
LEFTOVERS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b")  # split, or this file would name itself
IMPURE = ("aiokafka", "asyncio", "confluent_kafka", "faust", "prometheus_client", "pydantic", "rocksdict", "yaml")


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def nodes(path: Path, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, kinds))


def test_the_packages_are_all_there():
    assert [package for package in PACKAGES if not (ROOT / package / "__init__.py").is_file()] == []


def test_no_module_is_longer_than_a_sitting():
    lengths = {name(path): len(path.read_text("utf-8").splitlines()) for path in modules(*PACKAGES, "bench")}
    assert {module: lines for module, lines in lengths.items() if lines > LINES_PER_MODULE} == {}


def test_no_function_is_longer_than_a_page():
    lengths = {
        f"{name(path)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in modules(*PACKAGES, "bench", "tests")
        for node in nodes(path, ast.FunctionDef, ast.AsyncFunctionDef)
    }
    assert {function: lines for function, lines in lengths.items() if lines > LINES_PER_FUNCTION} == {}


def test_every_module_opens_with_what_it_is():
    silent = [name(path) for path in modules(*PACKAGES) if tree(path).body and not ast.get_docstring(tree(path))]
    assert silent == []


def test_importing_a_package_does_nothing():
    busy = [name(path) for path in modules(*PACKAGES) if path.name == "__init__.py" and path.stat().st_size > 0]
    assert busy == []


def test_processors_neither_hash_nor_float():
    """`hash()` differs from run to run for text; `float()` loses money. Ids are sha1, amounts integers."""
    calls = [
        f"{name(path)}:{node.lineno} {node.func.id}()"
        for path in modules("processors")
        for node in nodes(path, ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id in {"hash", "float"}
    ]
    assert calls == []


def test_nothing_is_left_for_later():
    left = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in [*modules(*PACKAGES, "bench", "tests"), ROOT / "topology.yaml", ROOT / "Makefile"]
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if LEFTOVERS.search(line)
    ]
    assert left == []


def test_the_rules_load_no_engine_and_no_outside_world():
    if not (ROOT / "processors" / "pipeline.py").is_file():
        pytest.skip("processors/pipeline.py, the table of contents, does not exist yet")
    program = (
        "import sys; before = set(sys.modules); import processors.pipeline; "
        "print(*sorted({module.partition('.')[0] for module in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & set(IMPURE) == set()
