"""Versions: whether the next record of a rule set or a catalogue fits what was published of it before.

In: the records of `network` that are usable by themselves, in offset order. Out: for each, nothing, or a reason and a
sentence; what was in force stays so. Whoever folds reference data keeps one `Versions` and asks it, so that all agree.

A version of rules says one thing for good, and moves one way: draft → shadow → active, skipping what it likes; a draft or a
shadow may be retired instead. A new version is higher than every one before it, and what is lower than the active one stays
as it is: who wants old rules back publishes them as the next version. A catalogue's releases rise likewise; a merchant asks
for one that is out (pending), and its node imports what was asked for. The same record again changes nothing.
"""

from typing import Final

import msgspec

from processors.reasons import Reason
from schemas.records.base import Record
from schemas.records.catalogues import CatalogueActivated, CatalogueReleased
from schemas.records.network import RuleSetPublished

STATUSES: Final = ("draft", "shadow", "active", "retired")
FOLLOWS: Final = {
    "draft": ("draft", "shadow", "active", "retired"),
    "shadow": ("shadow", "active", "retired"),
    "active": ("active",),
    "retired": ("retired",),
}


ACTIVATION_STATES: Final = ("pending", "imported", "withdrawn")

Why = tuple[Reason, str]


class _Version(msgspec.Struct):
    compiled: bytes
    status: str


class Versions:
    """What each rule set has published."""

    __slots__ = ("_activated", "_known", "_released")

    def __init__(self) -> None:
        self._known: dict[str, dict[int, _Version]] = {}
        self._released: dict[str, CatalogueReleased] = {}
        self._activated: dict[tuple[str, str], CatalogueActivated] = {}

    def why_out_of_turn(self, record: Record) -> Why | None:
        """Why this record does not follow those before it; None where it does, and then it is one of them."""
        match record:
            case RuleSetPublished():
                return self._of_rules(record)
            case CatalogueReleased():
                return self._of_release(record)
            case CatalogueActivated():
                return self._of_activation(record)
            case _:
                return None

    def _of_rules(self, record: RuleSetPublished) -> Why | None:
        known = self._known.setdefault(record.rule_set_id, {})
        why = _why(record, known)
        if why is None:
            known[record.version] = _Version(record.compiled, record.status)
            return None
        reason, problem = why
        return reason, f"rule set {record.rule_set_id} version {record.version}: {problem}; what was in force stays so"

    def _of_release(self, record: CatalogueReleased) -> Why | None:
        before = self._released.get(record.catalogue_id)
        if before is not None and before != record:
            name = f"catalogue {record.catalogue_id} version {record.version}"
            if record.supplier_id != before.supplier_id:
                problem = f"it is {before.supplier_id}'s, not {record.supplier_id}'s: name another catalogue"
                return Reason.RECORD_DIFFERS, f"{name}: {problem}; what was in force stays so"
            if record.version <= before.version:
                problem = f"version {before.version} is out: release version {before.version + 1}"
                return Reason.ILLEGAL_TRANSITION, f"{name}: {problem}; what was in force stays so"
        self._released[record.catalogue_id] = record
        return None

    def _of_activation(self, record: CatalogueActivated) -> Why | None:
        key = record.merchant_id, record.catalogue_id
        before, release = self._activated.get(key), self._released.get(record.catalogue_id)
        problem = ""
        if release is None or record.version > release.version:
            out = "it was never released" if release is None else f"version {release.version} is the last one out"
            problem = f"{out}: activate what is released"
        elif record.state != "pending" and before is None:
            problem = f"nothing is pending: ask for it before it is {record.state}"
        elif before is not None and record.version < before.version:
            problem = f"version {before.version} is {before.state}: activate no older one"
        elif record.state == "imported" and before not in (record, msgspec.structs.replace(record, state="pending")):
            problem = "it is not pending: ask for it before it is imported"
        elif record.state == "pending" and before == msgspec.structs.replace(record, state="imported"):
            problem = "it is imported already: ask for the next version"
        if problem:
            name = f"activation of {record.catalogue_id} version {record.version} by {record.merchant_id}"
            return Reason.ILLEGAL_TRANSITION, f"{name}: {problem}; what was in force stays so"
        self._activated[key] = record
        return None


def _why(record: RuleSetPublished, known: dict[int, _Version]) -> Why | None:
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
