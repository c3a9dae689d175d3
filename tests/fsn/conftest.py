"""A broker with every topic, for commands that speak to one."""

import os

import pytest

from streams.admin import apply
from tests.fsn.desk import TOPOLOGY, Desk


@pytest.fixture
def open_desk(start_broker, tmp_path, monkeypatch):
    """open_desk(app): a command before an empty broker; what the machine says in FSN_… is not heard."""
    for name in [name for name in os.environ if name.startswith("FSN_")]:
        monkeypatch.delenv(name)
    brokers = start_broker().bootstrap
    apply(TOPOLOGY, brokers)
    return lambda app: Desk(app, brokers, tmp_path / "keys.json")
