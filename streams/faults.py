"""Fault points: where a test may have this process killed, between any two steps of a transaction or an assignment.

`FSN_FAULT_POINT=rows:17` ends the process with SIGKILL when it reaches the step `rows` for the 17th time, whichever
task does; `rows:17:block` blocks the thread there for ever, as librdkafka may (streams/blocking.py). Without the
setting a point costs one call of an empty function. For tests only.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Final

from streams.errors import ConfigurationError

TRANSACTION_STEPS: Final = ("computed", "begun", "sent", "rows", "offsets", "committed", "stored")
"""Reached when that is done: the batch computed, the transaction begun, outputs queued, changelog rows queued, offsets
added, commit acknowledged, local store written."""
ASSIGNMENT_STEPS: Final = ("producer", "positions", "restored", "sought")
"""Reached when that is done: the predecessor fenced, committed offsets known, tables restored, consumer sought."""

Reach = Callable[[str], None]


def fault_point(setting: str) -> Reach:
    """What to call at each step; `setting` is `step:count` or `step:count:block`, or empty for nothing to happen.

    Raises:
        ConfigurationError: no such step, or no count of 1 or more
    """
    if not setting:
        return _nothing
    wanted, count, fate = [*setting.split(":", 2), "", ""][:3]
    steps = (*TRANSACTION_STEPS, *ASSIGNMENT_STEPS)
    if wanted not in steps or not count.isdecimal() or int(count) < 1 or fate not in {"", "block"}:
        raise ConfigurationError(
            f"FSN_FAULT_POINT is {setting!r}: it must be step:count or step:count:block, with a step of {steps}"
        )
    left, happens = int(count), _block if fate else _die

    def reach(step: str) -> None:
        nonlocal left
        if step == wanted:
            left -= 1
            if left == 0:
                happens()

    return reach


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _block() -> None:
    threading.Event().wait()


def _nothing(_: str) -> None:
    return
