import pytest

from fsn.processes import WorkerProcess

SOON_S = 20
"""From the command to the exit code, with the imports in between."""


@pytest.fixture
def refusal(tmp_path):
    """What a worker of the tally says last that may not start with these settings."""

    def start(brokers, **settings):
        made = WorkerProcess(
            topology="tests/streams/tally.yaml",
            log_path=tmp_path / "worker.log",
            brokers=brokers,
            state_dir=tmp_path,
            log_format="text",
            **settings,
        )
        made.start()
        try:
            assert made.wait(SOON_S) == 2
        finally:
            made.kill()
        return made.said()

    return start
