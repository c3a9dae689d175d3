"""What people see of a restore: a bar per partition on a terminal, a line now and then elsewhere.

In: positions in the changelog, each told in the thread of its restoring task. Out: bars on the console that is given,
or log lines, at most one every 5 s and partition. A store that is up to date shows nothing. A restore that ends early
takes its bar away, for the partition has gone to another worker or is tried again.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

log = logging.getLogger(__name__)

LINE_EVERY_S: Final = 5.0
DRAW_EVERY_S: Final = 0.1

Tell = Callable[[int, int], None]
"""tell(position, end); first where the restore begins"""

Restoring = Callable[[int], AbstractContextManager[Tell]]
"""`with restoring(partition) as tell`"""


def shown_restores(console: Console, clock: Callable[[], float], *, for_people: bool) -> Restoring:
    """Bars where somebody watches, lines elsewhere; clock counts seconds."""
    return Bars(console, clock).restoring if for_people and console.is_interactive else Lines(clock).restoring


class Lines:
    """Restores in the log."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    @contextmanager
    def restoring(self, partition: int) -> Iterator[Tell]:
        """One restore."""
        said_at = 0.0
        is_whole = True

        def tell(position: int, end: int) -> None:
            nonlocal said_at, is_whole
            now = self._clock()
            was_whole, is_whole = is_whole, position >= end
            if is_whole != was_whole or (not is_whole and now - said_at >= LINE_EVERY_S):
                log.info("partition %d: restored %s of %s changelog offsets", partition, f"{position:,}", f"{end:,}")
                said_at = now

        yield tell


class Bars:
    """Restores on a terminal. The display exists only while there is a bar: standard error is its own until it ends."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._display: RichProgress | None = None
        self._bars: dict[int, TaskID] = {}
        self._drawn_at = 0.0

    @contextmanager
    def restoring(self, partition: int) -> Iterator[Tell]:
        """One restore."""
        try:
            yield lambda position, end: self._show(partition, position, end)
        finally:
            self._remove(partition)

    def _show(self, partition: int, position: int, end: int) -> None:
        with self._lock:
            bar = self._bars.get(partition)
            if bar is None:
                if position < end:
                    display = self._opened()
                    bar = display.add_task(f"restoring partition {partition}", completed=position, total=end)
                    self._bars[partition] = bar
                return
            display = self._opened()
            display.update(bar, completed=min(position, end), total=end)
            now = self._clock()
            if now - self._drawn_at >= DRAW_EVERY_S:
                self._drawn_at = now
                display.refresh()

    def _remove(self, partition: int) -> None:
        with self._lock:
            bar = self._bars.pop(partition, None)
            if bar is None:
                return
            display = self._opened()
            if self._bars:
                display.remove_task(bar)
                display.refresh()
            else:
                self._display = None
                display.stop()

    def _opened(self) -> RichProgress:
        # Not used again once stopped: it would count the lines of its last drawing as still there, and wipe others.
        if self._display is None:
            self._display = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:,.0f} of {task.total:,.0f} rows"),
                TimeRemainingColumn(),
                console=self._console,
                auto_refresh=False,
                transient=True,
                get_time=self._clock,
            )
            self._display.start()
        return self._display
