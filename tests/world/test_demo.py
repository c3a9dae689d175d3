"""`fsn demo`, whole, on a very small day: broker, worker, world, report, and the exit code that says all is well."""

from typer.testing import CliRunner

from fsn.cli import app


def test_a_small_demo_keeps_every_promise(tmp_path):
    size = ["--orders", "40", "--deltas", "2000", "--hours", "3", "--seed", "3"]
    result = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path / "demo"), *size])
    assert result.exit_code == 0, result.output
    assert "Every promise was kept" in result.output
    assert "worker.log" in result.output
