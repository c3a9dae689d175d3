"""Fault points: where a test may have this process killed, between any two steps of a transaction or an assignment.

`FSN_FAULT_POINT=rows:17` ends the process with SIGKILL when it reaches the step `rows` for the 17th time, whichever
task does; `rows:17:block` blocks the thread there for ever, as librdkafka may (streams/blocking.py), `restoring:1:pause`
for a few seconds. Without the setting a point costs one call of an empty function. For tests only.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from streams.errors import ConfigurationError

TRANSACTION_STEPS: Final = ("computed", "begun", "sent", "rows", "offsets", "committed", "stored")
"""Reached when that is done: the batch computed, the transaction begun, outputs queued, changelog rows queued, offsets
added, commit acknowledged, local store written."""
ASSIGNMENT_STEPS: Final = ("producer", "positions", "restoring", "restored", "sought")
"""Reached when that is done: the predecessor fenced, committed offsets known, the next piece of a table restored (in the
thread that restores it; the others on the event loop), all of it, consumer sought."""
PAUSE_S: Final = 5.0

Reach = Callable[[str], None]

log = logging.getLogger(__name__)


def fault_point(setting: str) -> Reach:
    """What to call at each step; `setting` is `step:count`, with `:block` or `:pause`, or empty for nothing to happen.

    Raises:
        ConfigurationError: no such step, or no count of 1 or more
    """
    if not setting:
        return _nothing
    wanted, count, fate = [*setting.split(":", 2), "", ""][:3]
    steps = (*TRANSACTION_STEPS, *ASSIGNMENT_STEPS)
    if wanted not in steps or not count.isdecimal() or int(count) < 1 or fate not in _FATES:
        raise ConfigurationError(
            f"FSN_FAULT_POINT is {setting!r}: it must be step:count, step:count:block or step:count:pause, with a step of "
            f"{steps}"
        )
    left, happens = int(count), _FATES[fate]

    def reach(step: str) -> None:
        nonlocal left
        if step == wanted:
            left -= 1
            if left == 0:
                log.warning("fault point %s is reached", setting)
                happens()

    return reach


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _block() -> None:
    threading.Event().wait()


def _pause() -> None:
    time.sleep(PAUSE_S)


def _nothing(_: str) -> None:
    return


_FATES: Final[dict[str, Callable[[], None]]] = {"": _die, "block": _block, "pause": _pause}
