"""Expecting: what a scenario says must be true, held against what the topology wrote.

In: an `Expect` and the driver after some steps. Out: one line per difference, `key: expected …, is …`. An audit is told as
`fsn explain` tells it: per location the verdict it ended with, per step how many passed or were rejected.
"""

from collections.abc import Mapping
from typing import Any

from fsn.scenarios.building import name_of
from fsn.scenarios.reading import Expect
from processors.location.inbox import ASSIGNMENTS, Assignment
from processors.routing.audit import AuditTrace, unpack
from processors.routing.words import RATED
from schemas.records.routing import OrderParked, RoutingAudit, RoutingDecision
from streams.testing import TopologyDriver

PASSING = ("ok", "chosen", "lower_score")


def differences(expect: Expect, driver: TopologyDriver, *, order_id: str, lines: Mapping[str, int]) -> list[str]:
    """What is not as expected."""
    seen = Seen(driver, order_id, lines)
    found = []
    for key in sorted(expect.model_fields_set - {"order"} | {"refused"}):
        wanted, actual = getattr(expect, key), getattr(seen, key)()
        if isinstance(wanted, dict) and isinstance(actual, dict) and key != "ships":
            actual = _narrowed(wanted, actual)
        if wanted != actual:
            found.append(f"{key}: expected {_shown(wanted)}, is {_shown(actual)}")
    return found


class Seen:
    """What happened to one order, key by key as `Expect` names it."""

    def __init__(self, driver: TopologyDriver, order_id: str, lines: Mapping[str, int]) -> None:
        self._driver = driver
        self._order_id = order_id
        self._keys = {number: key for key, number in lines.items()}
        self._decided: list[RoutingDecision] = self._read("routing-decisions", order_id)
        self._parked: list[OrderParked] = self._read("order-status", order_id)
        self._audits: list[RoutingAudit] = self._read("routing-audits", order_id)
        packed = self._audits[-1].audit if self._audits else b""
        self._trace: AuditTrace | None = unpack(packed) if packed else None

    def status(self) -> str:
        """Routed, or the last that `order-status` says of it; nothing before either."""
        ends = [(one.attempt, 0, "routed") for one in self._decided[-1:]]
        ends += [(one.attempt, 1, one.status) for one in self._parked[-1:]]
        return max(ends)[2] if ends else "none"

    def because(self) -> str | None:
        """The reason `order-status` gave last."""
        return self._parked[-1].reason if self._parked else None

    def outcomes(self) -> list[str]:
        """How every evaluation of the order ended: routed, unroutable or denied."""
        return [one.outcome for one in self._audits]

    def reason(self) -> str | None:
        """How the last evaluation ended."""
        return None if self._trace is None else self._trace.reason

    def fallback(self) -> str | None:
        """What step 10 recommended."""
        return None if self._trace is None else self._trace.fallback

    def attempt(self) -> int:
        """The last attempt that was decided or parked."""
        return max([0, *[one.attempt for one in self._decided], *[one.attempt for one in self._parked]])

    def ships(self) -> dict[str, dict[str, int]]:
        """Per location of the last decision, units by line."""
        return {
            name_of(part.location_id): {self._keys[line.line_no]: line.quantity for line in part.lines}
            for part in self._parts()
        }

    def accounts(self) -> dict[str, str]:
        """Per location of the last decision, the carrier account."""
        return {name_of(part.location_id): name_of(part.account_id) for part in self._parts()}

    def costs(self) -> dict[str, int]:
        """Per location of the last decision, the landed cost in minor units."""
        return {name_of(part.location_id): part.cost_minor for part in self._parts()}

    def distances(self) -> dict[str, int]:
        """Per location of the last decision, metres to the customer."""
        return {name_of(part.location_id): part.distance_m for part in self._parts()}

    def scores(self) -> dict[str, int | None]:
        """Per candidate of the last evaluation, its score."""
        return {} if self._trace is None else {name_of(name): score for name, score in self._trace.scores}

    def plan_score(self) -> int | None:
        """The score of the last plan."""
        return None if self._trace is None else self._trace.plan_score

    def candidates(self) -> int:
        """How many locations the last evaluation compared."""
        return 0 if self._trace is None else len(self._trace.scores)

    def verdicts(self) -> dict[str, str]:
        """Per location, where the last evaluation left it."""
        if self._trace is None:
            return {}
        told = {name_of(name): verdict for name, verdict in self._trace.left_out}
        for step in self._trace.steps:
            told.update({name_of(one.location_id): one.verdict for one in step.candidates})
        return told

    def passed(self) -> dict[str, int]:
        """Per step of the last evaluation, how many passed."""
        return {} if self._trace is None else {step.name: step.candidates_out for step in self._trace.steps}

    def rejected(self) -> dict[str, int]:
        """Per step of the last evaluation, how many it excluded."""
        steps = () if self._trace is None else self._trace.steps
        return {step.name: sum(one.verdict not in PASSING for one in step.candidates) for step in steps}

    def ratings(self) -> dict[str, dict[str, int | None]]:
        """Per candidate, the ratings by step."""
        told: dict[str, dict[str, int | None]] = {}
        for step in () if self._trace is None else self._trace.steps:
            for one in step.candidates if step.name in RATED else ():
                told.setdefault(name_of(one.location_id), {})[step.name] = one.rating
        return told

    def assignments(self) -> dict[str, str]:
        """Per location, the status of the order's assignment that it was asked for last."""
        return {name: row.status.value for name, row in self._asked().items()}

    def queues(self) -> dict[str, str]:
        """Per location, the queue that this assignment is in."""
        return {name: row.queue.value for name, row in self._asked().items()}

    def _asked(self) -> dict[str, Assignment]:
        rows = self._driver.rows(ASSIGNMENTS)
        asked = [
            (name_of(one.location_id), one.assignment_id) for one in self._read("location-requests", self._order_id)
        ]
        return {name: rows[assignment_id] for name, assignment_id in asked if assignment_id in rows}

    def available(self) -> dict[str, dict[str, int]]:
        """Per location and variant, units available to promise."""
        told: dict[str, dict[str, int]] = {}
        for one in self._read("stock-snapshots", None):
            told.setdefault(name_of(one.location_id), {})[name_of(one.variant_id)] = one.available_to_promise
        return told

    def on_its_way(self) -> dict[str, dict[str, int]]:
        """Per location and variant, units in transit and expected."""
        told: dict[str, dict[str, int]] = {}
        for one in self._read("stock-snapshots", None):
            told.setdefault(name_of(one.location_id), {})[name_of(one.variant_id)] = one.in_transit + one.expected
        return told

    def shadow(self) -> str:
        """How the shadow rules compared with the active ones in the last evaluation."""
        told = self._read("shadow-decisions", self._order_id)
        return told[-1].outcome if told else "none"

    def shadow_ships(self) -> dict[str, dict[str, int]]:
        """Per location of the shadow's last plan, units by line."""
        plan = (self._read("shadow-decisions", self._order_id) or [None])[-1].shadow_plan
        return {
            name_of(part.location_id): {self._keys[line.line_no]: line.quantity for line in part.lines}
            for part in (() if plan is None else plan.parts)
        }

    def refused(self) -> list[str]:
        """Why records were put into `dead-letters`, of all orders, in time's order within a partition."""
        return [letter.reason for letter in self._read("dead-letters", None)]

    def _parts(self) -> tuple[Any, ...]:
        return self._decided[-1].plan.parts if self._decided else ()

    def _read(self, topic: str, order_id: str | None) -> list[Any]:
        """Records of a topic, all or of one order."""
        logs = self._driver.logs
        records: list[Any] = [
            self._driver.codec.decode(raw.value or b"")
            for (name, _), log in logs.items()
            if name == topic
            for raw in log
        ]
        return [record for record in records if order_id is None or record.order_id == order_id]


def _narrowed(wanted: Mapping[str, Any], actual: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is, only the keys that were asked for, level by level."""
    told = {}
    for key, value in wanted.items():
        own = actual.get(key)
        told[key] = _narrowed(value, own) if isinstance(value, Mapping) and isinstance(own, Mapping) else own
    return told


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(own)}" for key, own in value.items()) + "}"
    return "nothing" if value is None else str(value)
