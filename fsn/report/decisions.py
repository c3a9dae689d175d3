"""Decisions: every order sent has exactly one decision in force, or a state that says why not.

In: the records of `orders` that were taken, `routing-decisions`, `order-status`, and what each reservation was granted.
Out: where each order stands (routed, split, waiting, unmapped, expired, review, cancelled). As faults: an order of
which nothing is known (lost), two decisions of one attempt (duplicated), a decision that does not name the one before
it, a plan that does not cover the order's lines exactly (of a line that names a SKU: what an alias of it meant), a plan that stands on units nobody granted, and a cancel that
was never answered.

An order stands where it was last told to stand: a decision and a status both carry the attempt they speak of.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from fsn.report.findings import Checked, Fault, Tally, tally
from fsn.report.reader import Read

CANCEL_ANSWERS: Final = ("cancelled", "cancel_refused")
NAMED_STATES: Final = ("waiting", "unmapped", "expired", "review", "cancelled")


Line = tuple[str | None, int, str]
"""(variant_id, quantity, the SKU that stands for a variant)"""

Meanings = Mapping[str, set[tuple[str, int]]]
"""By SKU (tenant | namespace | sku): every (variant, units in one of it) that it ever meant."""


class Order(msgspec.Struct):
    """What was said of one order, in the order of its partition."""

    lines: dict[int, Line]
    """By line number."""
    placed_at: int = 0
    cancelled: bool = False
    decisions: list[Read] = []
    statuses: list[Read] = []

    @property
    def current(self) -> dict[str, Any] | None:
        """The last decision."""
        return self.decisions[-1].fields if self.decisions else None


class DecisionFindings(msgspec.Struct, frozen=True):
    """Where the orders stand.

    sent: orders taken; decisions: published; shipments: parts of the decisions in force
    states: orders by where they stand
    routed: order_id → decision_id in force
    """

    checked: Checked
    sent: int
    decisions: int
    shipments: int
    states: Tally
    split: int
    rerouted: int
    routed: dict[str, str]


def check_decisions(
    orders: Iterable[Read],
    decisions: Iterable[Read],
    statuses: Iterable[Read],
    granted: Mapping[tuple[str, str], int],
    meanings: Meanings,
) -> DecisionFindings:
    """Hold what was decided against what was sent.

    Args:
        orders: without those that were dead-lettered; granted: units by (reservation, location)
    """
    faults: list[Fault] = []
    known = _placed(orders, faults)
    _gather(known, decisions, statuses, faults=faults)
    states: list[str] = []
    routed: dict[str, str] = {}
    split = shipments = rerouted = 0
    for order_id, order in known.items():
        state, current = _state(order), order.current
        states.append(state)
        faults += _one_decision(order_id, order)
        for decision in order.decisions:
            faults += _covers(order_id, order, decision.fields, meanings)
            faults += _granted(order_id, decision.fields, granted)
        if state == "lost":
            faults.append(Fault("no order is lost", order_id, "neither a decision nor a status tells of it", lost=1))
        if order.cancelled and not any(status.fields["status"] in CANCEL_ANSWERS for status in order.statuses):
            faults.append(Fault("every cancel is answered", order_id, f"no answer; it stands as {state}", lost=1))
        if state == "routed" and current is not None:
            routed[order_id] = current["decision_id"]
            locations = {part["location_id"] for part in current["plan"]["parts"]}
            shipments += len(locations)
            split += len(locations) > 1
            rerouted += len(order.decisions) > 1
    return DecisionFindings(
        Checked("one decision per attempt", len(known), tuple(faults)),
        sent=len(known),
        decisions=sum(len(order.decisions) for order in known.values()),
        shipments=shipments,
        states=tally(states),
        split=split,
        rerouted=rerouted,
        routed=routed,
    )


def _placed(orders: Iterable[Read], faults: list[Fault]) -> dict[str, Order]:
    """Orders by id; the same order sent again is the same order."""
    known: dict[str, Order] = {}
    cancelled: list[str] = []
    for read in orders:
        fields = read.fields
        if read.type == "OrderCancelled":
            cancelled.append(fields["order_id"])
        if read.type != "OrderPlaced":
            continue
        lines = {line["line_no"]: _line(line, fields["order_id"]) for line in fields["lines"]}
        order = known.setdefault(fields["order_id"], Order(lines, read.timestamp))
        if order.lines != lines:
            detail = "was taken twice with different lines"
            faults.append(Fault("an order is one order", fields["order_id"], detail, duplicated=1))
    for order_id in cancelled:
        if order_id in known:
            known[order_id].cancelled = True
    return known


def _gather(
    known: Mapping[str, Order], decisions: Iterable[Read], statuses: Iterable[Read], *, faults: list[Fault]
) -> None:
    ids: dict[str, str] = {}
    for read in decisions:
        order_id, decision_id = read.fields["order_id"], read.fields["decision_id"]
        order = known.get(order_id)
        if order is None:
            faults.append(Fault("only orders sent are decided", order_id, f"{decision_id} is of an order nobody sent"))
        else:
            order.decisions.append(read)
        other = ids.setdefault(decision_id, order_id)
        if other != order_id:
            detail = f"is the decision of {other} and of {order_id}"
            faults.append(Fault("a decision has one order", decision_id, detail, duplicated=1))
    for read in statuses:
        if read.fields["order_id"] in known:
            known[read.fields["order_id"]].statuses.append(read)


def _state(order: Order) -> str:
    """Where an order stands."""
    decided = -1 if order.current is None else order.current["attempt"]
    for status in reversed(order.statuses):
        fields = status.fields
        if fields["status"] == "cancel_refused":
            continue
        # A waiting order speaks of the attempt that found no plan; an end, of the last one that was started.
        latest = fields["attempt"] > decided or (fields["attempt"] == decided and fields["status"] != "waiting")
        return fields["status"] if latest and fields["status"] in NAMED_STATES else "routed" if decided > 0 else "lost"
    return "routed" if decided > 0 else "lost"


def _one_decision(order_id: str, order: Order) -> Iterator[Fault]:
    """At most one decision per attempt, each naming the one before."""
    before: dict[str, Any] | None = None
    for read in order.decisions:
        fields = read.fields
        attempt, named = fields["attempt"], fields["supersedes"]
        if before is not None and attempt <= before["attempt"]:
            detail = f"attempt {attempt} was decided as {before['decision_id']} and as {fields['decision_id']}"
            if attempt < before["attempt"]:
                detail = f"attempt {attempt} was decided after attempt {before['attempt']}"
            yield Fault("one decision per attempt", order_id, detail, duplicated=1)
        expected = None if before is None else before["decision_id"]
        if named != expected:
            detail = f"attempt {attempt} supersedes {named or 'nothing'}, but the one before it is {expected or 'none'}"
            yield Fault("a decision names the one before", order_id, detail)
        before = fields


def meanings_of(changes: Iterable[Read]) -> Meanings:
    """What each SKU meant, from `mappings`."""
    meant: dict[str, set[tuple[str, int]]] = {}
    for read in changes:
        if read.fields["variant_id"] is not None:
            meaning = read.fields["variant_id"], read.fields["units_per_pack"]
            meant.setdefault(read.fields["alias_id"], set()).add(meaning)
    return meant


def _line(line: dict[str, Any], order_id: str) -> Line:
    namespace, sku = line.get("namespace"), (line.get("sku") or "").strip()
    if namespace == "gtin":
        sku = sku.zfill(14)
    return line["variant_id"], line["quantity"], f"{order_id.partition('|')[0]}|{namespace}|{sku}"


def _covers(order_id: str, order: Order, decision: dict[str, Any], meanings: Meanings) -> Iterator[Fault]:
    """A plan's units are the order's units, line by line."""
    planned: dict[int, int] = {}
    wanted = {number: quantity for number, (_, quantity, _) in order.lines.items()}
    for part in decision["plan"]["parts"]:
        for line in part["lines"]:
            number = line["line_no"]
            planned[number] = planned.get(number, 0) + line["quantity"]
            variant_id, packs, sku = order.lines.get(number, (None, 0, ""))
            if variant_id is None:  # a line in two parts has one meaning in both
                for meant, units in meanings.get(sku, ()):
                    if meant == line["variant_id"]:
                        variant_id, wanted[number] = meant, packs * units
            if line["quantity"] < 1 or variant_id != line["variant_id"]:
                detail = f"{decision['decision_id']} plans {line['quantity']} of {line['variant_id']} as line {number}"
                yield Fault("a plan covers its order", order_id, detail)
    if planned != wanted:
        detail = f"{decision['decision_id']} plans {_units(planned)}, the order wants {_units(wanted)}"
        yield Fault("a plan covers its order", order_id, detail)


def _granted(order_id: str, decision: dict[str, Any], granted: Mapping[tuple[str, str], int]) -> Iterator[Fault]:
    """Each unit of a plan stands on a reservation that was granted.

    A kept part may have shipped: its units have no reservation any more, and stood on one of any attempt before.
    """
    needed: dict[tuple[str, str, tuple[int, ...]], int] = {}
    for part in decision["plan"]["parts"]:
        own = (part["attempt"],) if part["attempt"] == decision["attempt"] else tuple(range(1, decision["attempt"]))
        for line in part["lines"]:
            where = line["variant_id"], part["location_id"], (line["attempt"],) if line["attempt"] else own
            needed[where] = needed.get(where, 0) + line["quantity"]
    for (variant_id, location_id, attempts), units in needed.items():
        held = sum(granted.get((f"{order_id}|{attempt}|{variant_id}", location_id), 0) for attempt in attempts)
        if held < units:
            detail = f"{decision['decision_id']} needs {units} of {variant_id} at {location_id}, granted were {held}"
            yield Fault("a plan stands on grants", order_id, detail)


def _units(lines: Mapping[int, int]) -> str:
    return ", ".join(f"{quantity} of line {number}" for number, quantity in sorted(lines.items())) or "nothing"
