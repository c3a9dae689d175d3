"""Alerts: what reconciliation and operations raised, against what was planted.

In: `reconciliation-alerts`, `operational-alerts` and `review-queue`, and the truth. Out: per kind, how many were
planted, how many stand open in the end, and how many of those are right: precision and recall. As faults: an alert that
nobody planted a cause for (false), a planted one that does not stand (missed) or stands twice, amounts other than those
planted, a difference that is not actual − expected, an alert without proof, a resolution of what was never open.

A reconciliation alert that was raised and resolved was right when it was raised: it counts as resolved, not as false.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from fsn.report.findings import Checked, Fault, Tally, tally
from fsn.report.reader import Counted, Position, Read
from fsn.report.truth import Discrepancy, Drift, Truth

Cause = tuple[str, str]
"""(kind, order or entity)"""

WATCHED: Final = ("STOCK_DRIFT", "SHIPMENT_SILENT", "ORDER_UNKNOWN", "UNLINKED_REFERENCE")
"""Operational alerts and review items that are planted."""

NEVER: Final = ("DEAD_LETTER_RATE", "INVARIANT_BROKEN", "RESERVATION_ORPHANED")
"""Alerts that a healthy day never raises."""


class KindScore(msgspec.Struct, frozen=True):
    """How one kind of alert did: planted, standing in the end, of those right; and how many resolved before."""

    kind: str
    planted: int
    raised: int
    right: int
    resolved: int = 0

    @property
    def precision(self) -> float:
        """Share of alerts that were right; 1 when none stands."""
        return self.right / self.raised if self.raised else 1.0

    @property
    def recall(self) -> float:
        """Share of planted causes that were found; 1 when none was planted."""
        return self.right / self.planted if self.planted else 1.0


class AlertFindings(msgspec.Struct, frozen=True):
    """All kinds, all of them together, and what operators see."""

    checked: Checked
    kinds: tuple[KindScore, ...]
    total: KindScore


class OperationFindings(msgspec.Struct, frozen=True):
    """Operational alerts and review items by kind, as they stand in the end."""

    checked: Checked
    alerts: Tally
    reviews: Tally
    kinds: tuple[KindScore, ...]


def check_alerts(
    alerts: Iterable[Read], planted: Iterable[Discrepancy] | None, counted: Mapping[str, Counted]
) -> AlertFindings:
    """Compare; without a truth, only what each alert says of itself is checked, and that its proof is there."""
    faults: list[Fault] = []
    latest: dict[Cause, dict[str, Mapping[str, Any]]] = {}
    for read in alerts:
        fields = read.fields
        known = latest.setdefault((fields["kind"], fields["order_id"]), {})
        faults += _sound(fields, known.get(fields["alert_id"]))
        faults += _proven(fields, counted)
        known[fields["alert_id"]] = fields
    standing = {cause: told for cause, known in latest.items() if (told := _open(known))}
    causes = None if planted is None else {(one.kind, one.order_id): one for one in planted}
    if causes is not None:
        faults += _judged(standing, causes)
        faults += _amounts(standing, causes)
    resolved = tally(kind for kind, _ in latest.keys() - standing.keys())
    scores = _scores(standing, standing if causes is None else causes, resolved)
    sums = [sum(getattr(score, name) for score in scores) for name in ("planted", "raised", "right", "resolved")]
    checked = Checked("alerts = planted", len(latest), tuple(faults))
    return AlertFindings(checked, scores, KindScore("all", *sums))


def check_operations(alerts: Iterable[Read], reviews: Iterable[Read], truth: Truth | None) -> OperationFindings:
    """What operators were told, against what was done on purpose."""
    faults: list[Fault] = []
    alerts = list(alerts)
    ever, open_alerts = _by_entity(alerts)
    ever_reviews, open_reviews = _by_entity(reviews)
    for kind, entity_id in sorted(ever):
        if kind in NEVER:
            faults.append(Fault("a healthy day", entity_id, f"{kind}: {ever[kind, entity_id]['detail']}"))
    scores: tuple[KindScore, ...] = ()
    if truth is not None:
        causes: dict[Cause, Any] = {_item_of(one): one for one in truth.stock_drifts}
        causes |= {("SHIPMENT_SILENT", number): number for number in truth.silent_parcels}
        causes |= {("ORDER_UNKNOWN", order_id): order_id for order_id in truth.cancels_of_unknown_orders}
        causes |= {("UNLINKED_REFERENCE", name): name for name in truth.unlinked_references}
        raised = {cause: told for cause, told in (ever | ever_reviews).items() if cause[0] in WATCHED}
        faults += _judged(raised, causes)
        faults += _drifts(alerts, truth)
        scores = _scores(raised, causes, tally(()))
    checked = Checked("operators are told", len(ever) + len(ever_reviews), tuple(faults))
    return OperationFindings(
        checked, tally(kind for kind, _ in open_alerts), tally(kind for kind, _ in open_reviews), scores
    )


def _item_of(drift: Drift) -> Cause:
    return "STOCK_DRIFT", f"{drift.variant_id}|{drift.location_id}"


def _drifts(alerts: Iterable[Read], truth: Truth) -> Iterator[Fault]:
    """Each planted drift is told by its own difference."""
    told = {
        (read.fields["entity_id"], read.fields["actual"] - read.fields["expected"])
        for read in alerts
        if read.fields["kind"] == "STOCK_DRIFT" and read.fields["status"] == "open"
    }
    items = {entity_id for entity_id, _ in told}
    for drift in truth.stock_drifts:
        _, entity_id = _item_of(drift)
        if entity_id in items and (entity_id, drift.difference) not in told:
            detail = f"STOCK_DRIFT does not say the planted difference of {drift.difference:+}"
            yield Fault("alerts to the unit", entity_id, detail)


def _by_entity(reads: Iterable[Read]) -> tuple[dict[Cause, Mapping[str, Any]], list[Cause]]:
    """The first word on each (kind, entity), and those that stand open in the end."""
    first: dict[Cause, Mapping[str, Any]] = {}
    last: dict[Cause, str] = {}
    for read in reads:
        cause = read.fields["kind"], read.fields["entity_id"]
        first.setdefault(cause, read.fields)
        last[cause] = read.fields["status"]
    return first, [cause for cause, status in last.items() if status == "open"]


def _sound(alert: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[Fault]:
    name = f"{alert['kind']} of {alert['order_id']}"
    if alert["difference_minor"] != alert["actual_minor"] - alert["expected_minor"]:
        detail = f"expected {alert['expected_minor']}, actual {alert['actual_minor']}"
        yield Fault("alerts add up", name, f"{detail}, difference {alert['difference_minor']}")
    if alert["status"] == "resolved" and (before is None or before["status"] != "open"):
        yield Fault("alerts open before they resolve", name, f"{alert['alert_id']} resolved, and was not open")


def _proven(alert: Mapping[str, Any], counted: Mapping[str, Counted]) -> Iterator[Fault]:
    """The records an alert names are there."""
    name = f"{alert['kind']} of {alert['order_id']}"
    if not alert["sources"]:
        yield Fault("alerts carry proof", name, "names no source record")
    for source in alert["sources"]:
        position = Position(source["topic"], source["partition"], source["offset"])
        topic = counted.get(position.topic)
        if topic is None or not topic.holds(position.partition, position.offset):
            yield Fault("alerts carry proof", name, f"names {position}, and no record stands there")


def _open(known: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [alert for alert in known.values() if alert["status"] == "open"]


def _judged(raised: Mapping[Cause, Any], causes: Mapping[Cause, Any]) -> Iterator[Fault]:
    for kind, subject in sorted(raised.keys() - causes.keys()):
        yield Fault("alerts = planted", subject, f"{kind} was raised, and nothing was planted")
    for kind, subject in sorted(causes.keys() - raised.keys()):
        what = getattr(causes[kind, subject], "what", "")
        done = f" ({what})" if what else ""
        yield Fault("alerts = planted", subject, f"{kind} was planted{done}, and does not stand", lost=1)


def _amounts(standing: Mapping[Cause, list[Mapping[str, Any]]], causes: Mapping[Cause, Discrepancy]) -> Iterator[Fault]:
    """A planted difference is told once, to the minor unit."""
    for cause in sorted(standing.keys() & causes.keys()):
        kind, order_id = cause
        told, wanted = standing[cause], causes[cause]
        if len(told) > 1:
            detail = f"{kind} stands {len(told)} times: {', '.join(alert['subject'] for alert in told)}"
            yield Fault("alerts = planted", order_id, detail, duplicated=len(told) - 1)
        planted = wanted.expected_minor, wanted.actual_minor
        found = [(alert["expected_minor"], alert["actual_minor"]) for alert in told]
        if None not in planted and planted not in found:
            detail = f"{kind} says expected and actual {found[0]}, planted were {planted}"
            yield Fault("alerts to the minor unit", order_id, detail)


def _scores(raised: Mapping[Cause, Any], causes: Mapping[Cause, Any], resolved: Tally) -> tuple[KindScore, ...]:
    kinds = sorted({kind for kind, _ in (*raised, *causes)} | resolved.counts.keys())
    return tuple(_score(kind, raised, causes, resolved) for kind in kinds)


def _score(kind: str, raised: Mapping[Cause, Any], causes: Mapping[Cause, Any], resolved: Tally) -> KindScore:
    found = {cause for cause in raised if cause[0] == kind}
    planted = {cause for cause in causes if cause[0] == kind}
    return KindScore(kind, len(planted), len(found), len(found & planted), resolved[kind])
