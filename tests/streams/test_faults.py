"""Fault points: named steps at which a test may end the worker, and nobody else."""

import multiprocessing
import signal
import threading
import time

import pytest

from streams import faults
from streams.errors import ConfigurationError
from streams.faults import ASSIGNMENT_STEPS, TRANSACTION_STEPS, fault_point

STEPS = (*TRANSACTION_STEPS, *ASSIGNMENT_STEPS)


def test_without_a_setting_nothing_happens():
    reach = fault_point("")
    assert [reach(step) for step in STEPS] == [None] * len(STEPS)


@pytest.mark.parametrize(
    "setting", ["rows", "rows:", "rows:0", "rows:-1", "rows:x", "nowhere:1", ":3", "rows:1:sleep", "rows:1:block:x"]
)
def test_a_wrong_setting_is_named(setting):
    with pytest.raises(ConfigurationError, match=f"FSN_FAULT_POINT is '{setting}'"):
        fault_point(setting)


@pytest.mark.parametrize("step", STEPS)
def test_the_process_ends_when_it_reaches_the_step_so_many_times(step):
    child = multiprocessing.get_context("spawn").Process(target=walk, args=(step,))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL


def test_or_its_thread_blocks_there_and_no_other():
    reach = fault_point("rows:2:block")
    thread = threading.Thread(target=lambda: [reach("rows"), reach("rows")], daemon=True)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    reach("rows")


def test_or_it_goes_on_after_a_pause(monkeypatch):
    monkeypatch.setattr(faults, "PAUSE_S", 0.3)
    reach, started = fault_point("restoring:1:pause"), time.monotonic()
    reach("restoring")
    reach("restoring")
    assert 0.3 <= time.monotonic() - started < 0.6


def walk(step):
    reach = fault_point(f"{step}:2")
    for one in STEPS:
        reach(one)
    for one in STEPS:
        reach(one)
        assert one != step, "it was reached twice"
