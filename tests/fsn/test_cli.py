"""The command line starts fast, lists every command, and fails in one line when the mistake is not a bug."""

import re
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


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_help_gives_every_command_its_name_and_its_sentence(command):
    """typer names an `app` of several commands after nothing: it stood as an empty line."""
    shown = CliRunner().invoke(cli.app, ["--help"], terminal_width=120).output
    (line,) = [line for line in shown.splitlines() if re.match(rf"\W*{command}\b", line)]
    loaded = cli.LazyCommands(name="fsn").get_command(None, command)
    assert loaded.name == command
    assert line.strip("│ ").startswith(f"{command} ")
    assert loaded.get_short_help_str(limit=40).removesuffix("...") in " ".join(line.split())


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_a_commands_usage_names_it_and_its_options_are_its_own(command):
    shown = CliRunner().invoke(cli.app, [command, "--help"], terminal_width=120, prog_name="fsn").output
    assert f"Usage: fsn {command} [OPTIONS]" in shown
    assert "completion" not in shown, "typer's completion belongs to fsn as a whole"


def test_completion_can_be_installed_for_all_of_fsn():
    assert "--install-completion" in CliRunner().invoke(cli.app, ["--help"]).output


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
