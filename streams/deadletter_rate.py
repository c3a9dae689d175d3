"""The rate of dead letters: past it operators are alerted, and the partition goes on (design §3).

In: how many records of a batch were dead-lettered, and the task's time. Out: one `DEAD_LETTER_RATE` alert per task while
a minute of that time holds more than `PER_MINUTE_MAX`; it resolves itself with the first minute that holds fewer. The
count is rows of the engine's table, so that a restart forgets nothing and a replay says the same; a task without dead
letters writes none.
"""

from typing import Final

from processors.step import ABSENT, stable_id
from schemas.records.operations import OperationalAlert
from streams.machine import ALERTS, ENGINE, Counts, Instant
from streams.unit import UnitOfWork

WINDOW_MS: Final = 60_000
PER_MINUTE_MAX: Final = 50
"""Of one task. A sender whose every record is wrong is past it within a minute; a typing error now and then is not."""

SINCE, DEAD, ALERTED = "dead-since", "dead", "dead-alerted"
"""Rows: the minute's beginning, its dead letters, and whether the alert is open. Gone when there is nothing to count."""


def watch(unit: UnitOfWork, counts: Counts, *, app: str, partition: int) -> None:
    """Add a batch to the minute under way; raise or resolve the alert."""
    dead = sum(counts.dead.values())
    since = unit.get(ENGINE, SINCE)
    if since is ABSENT and not dead:
        return
    unit.begin_engine()
    in_minute = 0 if since is ABSENT else unit.get(ENGINE, DEAD).value
    alerted = unit.get(ENGINE, ALERTED) is not ABSENT
    if since is ABSENT or unit.now_at - since.value >= WINDOW_MS:
        if alerted and in_minute <= PER_MINUTE_MAX:
            _tell(unit, in_minute, app=app, partition=partition, status="resolved")
            unit.delete(ENGINE, ALERTED)
            alerted = False
        in_minute = 0
        if not dead and not alerted:
            unit.delete(ENGINE, SINCE)
            unit.delete(ENGINE, DEAD)
            return
        unit.put(ENGINE, SINCE, Instant(unit.now_at))
    elif not dead:
        return
    in_minute += dead
    unit.put(ENGINE, DEAD, Instant(in_minute))
    if in_minute > PER_MINUTE_MAX and not alerted:
        _tell(unit, in_minute, app=app, partition=partition, status="open")
        unit.put(ENGINE, ALERTED, Instant(unit.now_at))


def _tell(unit: UnitOfWork, dead: int, *, app: str, partition: int, status: str) -> None:
    task = f"{app}|{partition}"
    detail = f"{dead} records of task {task} were dead-lettered within a minute: `fsn dlq list` says which and why"
    alert_id = stable_id("alert", "DEAD_LETTER_RATE", task)
    alert = OperationalAlert(alert_id, task, "DEAD_LETTER_RATE", PER_MINUTE_MAX, dead, detail, status, unit.now_at)
    unit.emit(ALERTS, task, alert)
