"""The checker shares nothing with what it checks: neither code that decides, nor code that made the records."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "fsn" / "report"
OURS = ("bench", "connectors", "fsn", "processors", "schemas", "streams")


def test_it_imports_nothing_of_ours_but_itself():
    foreign = [
        f"{path.name}:{node.lineno} {name}"
        for path in sorted(REPORT.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in names_of(node)
        if name.partition(".")[0] in OURS and not name.startswith("fsn.report")
    ]
    assert foreign == []


def names_of(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""] if node.level == 0 else [f"fsn.report.{node.module}"]
    return []


def test_importing_it_loads_nothing_of_ours_but_itself():
    program = (
        "import sys, fsn.report.summary, fsn.report.latency; "
        f"print(*sorted(name for name in sys.modules if name.partition('.')[0] in {OURS!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.split() if not name.startswith("fsn.report") and name != "fsn"] == []
