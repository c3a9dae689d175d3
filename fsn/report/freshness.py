"""Freshness: what stale stock was kept out of, and that none of it came into a plan.

In: `routing-audits`, `routing-decisions`, the feeds and partners of `network`, and the silences of the truth. Out: how
often a candidate was fenced off because its feed or item was stale or gapped, at how many locations, for how many
orders. As faults: a decision without its audit, or with one that tells of other inputs or another plan; a chosen
location whose stock was older than its limit; and one that had fallen silent, by the truth, when it was chosen.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fsn.report.audits import CHOSEN, FRESHNESS, STALE, STEPS, Audit, AuditError, unpack
from fsn.report.findings import Checked, Fault, Tally, tally
from fsn.report.reader import Read
from fsn.report.truth import Silence


class FreshnessFindings(msgspec.Struct, frozen=True):
    """What the freshness fence did.

    evaluations: audits read; candidates: looked at in them
    blocked: candidates fenced off, by reason; locations: how many of them at how many places; orders: for how many
    silent_blocked: locations that had fallen silent by the truth, and were fenced off while they were
    outcomes: audits by outcome
    """

    checked: Checked
    evaluations: int
    candidates: int
    blocked: Tally
    locations: int
    orders: int
    silent_blocked: int
    outcomes: Tally


def limits_of(network: Iterable[Read]) -> dict[str, int]:
    """By location, how old its stock may be: the most patient of its feeds."""
    partners: dict[str, int] = {}
    feeds: dict[str, dict[str, Any]] = {}
    for read in network:
        if read.type == "PartnerDefined":
            partners[read.fields["partner_id"]] = read.fields["freshness_limit_ms"]
        elif read.type == "FeedDefined":
            feeds[read.fields["feed_id"]] = read.fields
    limits: dict[str, int] = {}
    for feed in feeds.values():
        own = feed["freshness_limit_ms"]
        limit = partners.get(feed["partner_id"], 0) if own is None else own
        limits[feed["location_id"]] = max(limit, limits.get(feed["location_id"], 0))
    return limits


def check_freshness(
    audits: Iterable[Read], decisions: Iterable[Read], *, limits: Mapping[str, int], silences: Sequence[Silence]
) -> FreshnessFindings:
    """Read every evaluation."""
    faults: list[Fault] = []
    explained = {read.fields["decision_id"]: read.fields for read in decisions}
    silent: dict[str, list[Silence]] = {}
    for silence in silences:
        silent.setdefault(silence.location_id, []).append(silence)
    evaluations = candidates = 0
    reasons: list[str] = []
    outcomes: list[str] = []
    locations: set[str] = set()
    orders: set[str] = set()
    silent_blocked: set[str] = set()
    for read in audits:
        fields = read.fields
        name = f"{fields['order_id']} attempt {fields['attempt']}"
        outcomes.append(fields["outcome"])
        try:
            audit = unpack(fields["audit"])
        except AuditError as error:
            faults.append(Fault("every decision is explained", name, str(error)))
            continue
        evaluations += 1
        candidates += len(audit.location_ids)
        verdicts = audit.verdicts[FRESHNESS :: len(STEPS)]
        for location_id, verdict in zip(audit.location_ids, verdicts, strict=True):
            if verdict in STALE:
                reasons.append(STALE[verdict])
                locations.add(location_id)
                orders.add(fields["order_id"])
                if _is_silent(silent.get(location_id, ()), audit.evaluated_at):
                    silent_blocked.add(location_id)
        faults += _fresh(name, audit, limits=limits, silent=silent)
        if fields["decision_id"] is not None:
            faults += _explains(fields, audit, explained.pop(fields["decision_id"], None))
    for decision_id, decision in explained.items():
        detail = f"{decision_id} of attempt {decision['attempt']} has no audit"
        faults.append(Fault("every decision is explained", decision["order_id"], detail, lost=1))
    return FreshnessFindings(
        Checked("no stale stock is promised", evaluations, tuple(faults)),
        evaluations=evaluations,
        candidates=candidates,
        blocked=tally(reasons),
        locations=len(locations),
        orders=len(orders),
        silent_blocked=len(silent_blocked),
        outcomes=tally(outcomes),
    )


def _fresh(
    name: str, audit: Audit, *, limits: Mapping[str, int], silent: Mapping[str, Sequence[Silence]]
) -> Iterator[Fault]:
    """What was chosen was fresh."""
    for candidate, location_id in enumerate(audit.location_ids):
        if audit.verdict(candidate, len(STEPS) - 1) != CHOSEN:
            continue
        rated = audit.rated(candidate, FRESHNESS)
        age_ms = 0 if rated is None else rated[1]
        limit_ms = limits.get(location_id, 0)
        if audit.verdict(candidate, FRESHNESS) != 0 or age_ms > limit_ms:
            detail = f"{location_id} was chosen with stock {age_ms} ms old, its limit is {limit_ms} ms"
            yield Fault("no stale stock is promised", name, detail)
        if _is_silent(silent.get(location_id, ()), audit.evaluated_at):
            yield Fault("no stale stock is promised", name, f"{location_id} was chosen while its feed was silent")


def _is_silent(silences: Sequence[Silence], at: int) -> bool:
    return any(silence.stale_from_at < at < silence.until_at for silence in silences)


def _explains(told: Mapping[str, Any], audit: Audit, decision: Mapping[str, Any] | None) -> Iterator[Fault]:
    """The audit tells of the very evaluation that the decision rests on."""
    name = f"{told['order_id']} attempt {told['attempt']}"
    if decision is None:
        yield Fault(
            "every decision is explained", name, f"a second audit of {told['decision_id']}, or of none there is"
        )
        return
    if decision["inputs_digest"] != audit.inputs_digest:
        yield Fault("every decision is explained", name, "its audit tells of other inputs")
    new = decision["attempt"]
    planned = sorted(part["location_id"] for part in decision["plan"]["parts"] if part["attempt"] == new)
    if planned != sorted(part.location_id for part in audit.parts):
        yield Fault("every decision is explained", name, f"its audit tells of another plan than {', '.join(planned)}")
