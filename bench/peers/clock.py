"""The clock of a contender that times itself: it starts with the first record after the warm-up.

In: how many records arrived, told before they are worked on. Out: one line of JSON with the records timed, the seconds
they took, and the processor time of the whole process meanwhile, its libraries' threads included.
"""

import json
import time


class Clock:
    """Counts records, and seconds from the first one that is timed."""

    def __init__(self, warm_up: int) -> None:
        self.records = 0
        self._warm_up = warm_up
        self._timed_from = 0
        self._started = 0.0
        self._cpu = 0.0

    def take(self, records: int = 1) -> None:
        """So many arrived."""
        if not self._started and records and self.records >= self._warm_up:
            self._timed_from, self._started, self._cpu = self.records, time.perf_counter(), time.process_time()
        self.records += records

    def result(self) -> str:
        """What the bench reads."""
        took, cpu = time.perf_counter() - self._started, time.process_time() - self._cpu
        return json.dumps({"records": self.records - self._timed_from, "seconds": took, "cpu_seconds": cpu})
