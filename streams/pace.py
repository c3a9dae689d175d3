"""How the tasks of one worker share its core: whoever waits for a decision goes before bulk.

Urgency is shared by the worker's tasks: when one of them last had records that are not bulk, and how many a second
they are. While it lasts, a batch ends after 20 ms and each task takes bulk only now and then, and then a good piece:
small pieces in every transaction made each of them, and so every hop of an order, twice as long. The busier the
worker is with the others, the rarer; with a few orders a second bulk hardly notices. Times are seconds of one
monotonic clock.
"""

from math import exp
from typing import Final

from streams.inbox import BULK_RECORDS_BESIDE_OTHERS, BULK_RECORDS_MAX, Inbox

BUDGET_S: Final = 0.020
URGENT_FOR_S: Final = 1.0
BULK_EVERY_S: Final = 0.25
"""Measured with 300 orders/s beside 20,000 deltas/s on two cores, p99 of a decision: a piece in every batch 0.8–1.8 s,
every 0.1 s 0.7–1.4 s, every 0.25 s 0.45–1.0 s, none at all 0.44 s.
"""
BUSY_FROM: Final = 1_000.0
"""Records a second that are not bulk (100 orders), from which on bulk is taken as rarely as that; fewer, the oftener."""
WINDOW_S: Final = 1.0


class Urgency:
    """When the tasks of this worker last had records that are not bulk, and how many."""

    __slots__ = ("_last_at", "_rate")

    def __init__(self) -> None:
        self._last_at = float("-inf")
        self._rate = 0.0

    def note(self, records: int, now: float) -> None:
        """A batch has so many records that are not bulk."""
        if records:
            self._rate = self.rate(now) + records / WINDOW_S
            self._last_at = now

    def rate(self, now: float) -> float:
        """Such records a second, of late."""
        return self._rate * exp((self._last_at - now) / WINDOW_S) if self._rate else 0.0

    def lasts(self, now: float) -> bool:
        """Whether somebody on this worker waits for decisions."""
        return now - self._last_at < URGENT_FOR_S

    def budget_s(self, now: float) -> float | None:
        """How long a batch may compute; None for as long as it takes."""
        return BUDGET_S if self.lasts(now) else None


class BulkPace:
    """How much bulk may enter the next batch of one task."""

    def __init__(self, urgency: Urgency) -> None:
        self._urgency = urgency
        self._taken_at = float("-inf")

    def allowed(self, inbox: Inbox, now: float) -> tuple[int, float | None]:
        """(records, seconds): how many records of each bulk topic may enter now; if none although some wait, when."""
        if not self._urgency.lasts(now):
            return BULK_RECORDS_MAX, None
        if inbox.bulk_holds_time or not inbox.has_bulk:
            return BULK_RECORDS_BESIDE_OTHERS, None
        every_s = BULK_EVERY_S * min(1.0, self._urgency.rate(now) / BUSY_FROM)
        due_in = self._taken_at + every_s - now
        if due_in > 0:
            return 0, due_in
        self._taken_at = now
        return BULK_RECORDS_BESIDE_OTHERS, None
