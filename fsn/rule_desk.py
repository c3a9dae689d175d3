"""Rule sets on a broker: what was published of them, and how shadows compared; for `fsn rules`.

In: the topics `network` and `shadow-decisions`. Out: histories and agreements.
"""

from collections import Counter
from typing import Final

import msgspec

from fsn.network_desk import NetworkDesk, Published
from schemas.records.network import RuleSetPublished
from schemas.records.routing import RoutingPlan, ShadowDecided

SHADOWS: Final = "shadow-decisions"
EXAMPLES_MAX: Final = 10


class RuleSetError(RuntimeError):
    """A rule set, or a version of one, that is not there."""


class Agreement(msgspec.Struct):
    """How a shadow compared with the version that decided, over the evaluations it saw."""

    rule_set_id: str
    active_version: int
    shadow_version: int
    agrees: int = 0
    differs: int = 0
    unknown: int = 0
    cost_minor: Counter[str] = msgspec.field(default_factory=Counter)
    """What the shadow's plans would have cost more, by currency, over the evaluations in which both found one."""
    shipments: int = 0
    """How many more shipments they would have made."""
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    """Of the differences: another place, another account, a plan only here or only there."""
    examples: list[ShadowDecided] = msgspec.field(default_factory=list)

    @property
    def rate_e6(self) -> int | None:
        """Millionths of the comparable evaluations that agreed; None before the first."""
        comparable = self.agrees + self.differs
        return self.agrees * 1_000_000 // comparable if comparable else None


def history(desk: NetworkDesk, rule_set_id: str | None = None) -> list[Published[RuleSetPublished]]:
    """Everything published of a rule set, or of all of them, oldest first."""
    return [
        Published(record, offset, at, refused)
        for record, offset, at, refused in desk.published()
        if isinstance(record, RuleSetPublished) and rule_set_id in (None, record.rule_set_id)
    ]


def agreements(desk: NetworkDesk, rule_set_id: str | None = None) -> list[Agreement]:
    """How each shadow compared with each version that decided beside it, the newest last."""
    merchants = desk.network().merchants
    found: dict[tuple[str, int, int], Agreement] = {}
    for raw in desk.read(SHADOWS):
        record = desk.decoded(raw)
        if isinstance(record, ShadowDecided) and rule_set_id in (None, record.rule_set_id):
            key = record.rule_set_id, record.active_version, record.shadow_version
            merchant = merchants.get(record.merchant_id)
            _add(found.setdefault(key, Agreement(*key)), record, "" if merchant is None else merchant.currency)
    return [found[key] for key in sorted(found)]


def newest(history: list[Published[RuleSetPublished]]) -> dict[int, Published[RuleSetPublished]]:
    """By version, the last record of it that counts."""
    return {one.record.version: one for one in history if one.refused is None}


def difference(record: ShadowDecided) -> str:
    """In what a shadow's plan differs, in few words."""
    active, shadow = record.active_plan, record.shadow_plan
    if active is None or shadow is None:
        return "no plan in either" if active is shadow else "only the shadow" if active is None else "only the active"
    if _places(active) != _places(shadow):
        return "other places"
    if [part.lines for part in active.parts] != [part.lines for part in shadow.parts]:
        return "other units"
    return "other accounts"


def _places(plan: RoutingPlan) -> list[str]:
    return [part.location_id for part in plan.parts]


def _add(agreement: Agreement, record: ShadowDecided, currency: str) -> None:
    if record.outcome == "agrees":
        agreement.agrees += 1
        return
    if record.outcome != "differs":
        agreement.unknown += 1
        return
    agreement.differs += 1
    agreement.reasons[difference(record)] += 1
    if record.active_plan is not None and record.shadow_plan is not None:
        agreement.cost_minor[currency] += record.shadow_plan.cost_minor - record.active_plan.cost_minor
        agreement.shipments += len(record.shadow_plan.parts) - len(record.active_plan.parts)
    if len(agreement.examples) < EXAMPLES_MAX:
        agreement.examples.append(record)
