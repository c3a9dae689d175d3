"""The command line starts fast, lists every command, and fails in one line when the mistake is not a bug."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fsn import cli
from fsn.broker import BrokerError


def test_version_is_the_packages():
    done = CliRunner().invoke(cli.app, ["--version"])
    assert (done.exit_code, done.output) == (0, "0.1.0\n")


def test_help_lists_every_command():
    shown = CliRunner().invoke(cli.app, ["--help"]).output
    assert [command for command in ("broker", *cli.COMMANDS) if command not in shown] == []


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_listed_command_loads(command):
    done = CliRunner().invoke(cli.app, [command, "--help"])
    assert done.exit_code == 0, done.output


def test_an_unknown_command_is_a_usage_error():
    done = CliRunner().invoke(cli.app, ["no-such-command"])
    assert done.exit_code == 2
    assert "No such command" in done.output


def test_starting_loads_nothing_heavy():
    program = "import sys, fsn.cli; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) & {"confluent_kafka", "faust", "aiokafka", "pydantic", "rocksdict", "fastavro", "yaml"} == set()


def fail_with(monkeypatch, error):
    def app():
        raise error

    monkeypatch.setattr(cli, "app", app)
    monkeypatch.delenv("FSN_TRACEBACK", raising=False)


def test_an_error_of_ours_is_one_line_and_exit_code_2(monkeypatch, capsys):
    fail_with(monkeypatch, BrokerError("no broker [here]\nat all"))
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "no broker [here] at all\n"


def test_where_an_error_of_ours_came_from_can_be_asked_for(monkeypatch):
    fail_with(monkeypatch, BrokerError("no broker"))
    monkeypatch.setenv("FSN_TRACEBACK", "1")
    with pytest.raises(BrokerError):
        cli.main()


def test_a_bug_keeps_its_traceback(monkeypatch):
    fail_with(monkeypatch, KeyError("bug"))
    with pytest.raises(KeyError):
        cli.main()
