"""Versions: whether a rule set's next record fits what was published of it before.

In: the records of `network` that are usable by themselves, in offset order. Out: for each, nothing, or a reason and a
sentence; what was in force stays so. Whoever folds reference data keeps one `Versions` and asks it, so that all agree.

A version says one thing for good, and moves one way: draft → shadow → active, skipping what it likes; a draft or a shadow may
be retired instead. A new version is higher than every one before it, and what is lower than the active one stays as it
is: who wants old rules back publishes them as the next version. The same record again changes nothing.
"""

from typing import Final

import msgspec

from processors.reasons import Reason
from schemas.records.base import Record
from schemas.records.network import RuleSetPublished

STATUSES: Final = ("draft", "shadow", "active", "retired")
FOLLOWS: Final = {
    "draft": ("draft", "shadow", "active", "retired"),
    "shadow": ("shadow", "active", "retired"),
    "active": ("active",),
    "retired": ("retired",),
}


class _Version(msgspec.Struct):
    compiled: bytes
    status: str


class Versions:
    """What each rule set has published."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, dict[int, _Version]] = {}

    def why_out_of_turn(self, record: Record) -> tuple[Reason, str] | None:
        """Why this record does not follow those before it; None where it does, and then it is one of them."""
        if not isinstance(record, RuleSetPublished):
            return None
        known = self._known.setdefault(record.rule_set_id, {})
        why = _why(record, known)
        if why is None:
            known[record.version] = _Version(record.compiled, record.status)
            return None
        reason, problem = why
        return reason, f"rule set {record.rule_set_id} version {record.version}: {problem}; what was in force stays so"


def _why(record: RuleSetPublished, known: dict[int, _Version]) -> tuple[Reason, str] | None:
    before = known.get(record.version)
    newest = max(known, default=0)
    if before is None:
        if record.version < newest:
            return Reason.ILLEGAL_TRANSITION, f"version {newest} is known already: publish version {newest + 1}"
        return None
    if before.compiled != record.compiled:
        return Reason.RECORD_DIFFERS, f"it says something else already: publish version {newest + 1}"
    if record.status not in FOLLOWS[before.status]:
        return Reason.ILLEGAL_TRANSITION, f"it is {before.status} and cannot become {record.status}"
    active = max((version for version, one in known.items() if one.status == "active"), default=0)
    if record.status == "active" and record.version < active:
        return Reason.ILLEGAL_TRANSITION, f"version {active} is active: publish these rules as version {newest + 1}"
    return None
