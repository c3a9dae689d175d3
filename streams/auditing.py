"""Audits: what a batch's rows have moved must cancel out, account by account, as in double-entry bookkeeping.

In: the rows a batch has changed, as they were and as they are, and the stages' audits of them. Out: each account that
the batch left unequal, said to the stage that audits, in the same transaction. A refused record has moved nothing, so
only whole batches are looked at; a batch that changes no audited row costs nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from processors.step import Context, Settle, Stage


class Changed(Context, Protocol):
    """What an audit needs of the unit of work."""

    def changed_rows(self, table: str) -> Iterator[tuple[str, Any, Any]]:
        """Key, row before, row after."""
        ...

    def begin_engine(self) -> None:
        """Set a savepoint."""
        ...

    def rollback(self) -> None:
        """Undo everything since the savepoint."""
        ...


class Auditor:
    """The audits of a task's stages."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        self._stages = [(stage, _settling(stage)) for stage in stages if stage.audits]

    def run(self, unit: Changed) -> Iterator[tuple[str, Exception]]:
        """Audit a batch; yields the stage, with the account where it has one, and the error of what fails."""
        for stage, settle in self._stages:
            try:
                unequal = _unequal(stage, unit)
            except Exception as error:  # noqa: BLE001 - an audit that fails must not stop the partition
                yield stage.name, error
                continue
            for (invariant, account), units in unequal.items():
                unit.begin_engine()
                try:
                    settle(invariant, account, units, unit)
                except Exception as error:  # noqa: BLE001 - nor one that cannot say what it found
                    unit.rollback()
                    yield f"{stage.name}|{invariant}|{account}", error


def _settling(stage: Stage) -> Settle:
    if stage.settle is None:
        raise ValueError(f"stage {stage.name} audits {', '.join(stage.audits)} and hears of nothing: give it `settle`")
    return stage.settle


def _unequal(stage: Stage, unit: Changed) -> dict[tuple[str, str], int]:
    """Accounts whose moves do not cancel out, in the order in which they were first moved."""
    moved: dict[tuple[str, str], int] = {}
    for table, audit in stage.audits.items():
        for key, before, after in unit.changed_rows(table):
            for invariant, account, units in audit(key, before, after):
                moved[invariant, account] = moved.get((invariant, account), 0) + units
    return {account: units for account, units in moved.items() if units}
