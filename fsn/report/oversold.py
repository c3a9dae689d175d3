"""Oversold: from the topics alone, that no unit was ever promised twice.

In: `stock-offers` and `stock-snapshots`. Each answer of the stock task carries the item (variant at a location) with
its revision, which counts every change of the item. Ordered by revision, an item's answers are its whole history of
reservations; snapshots and denials say in between how it stood. Out: how many units were granted beyond what was there,
and as faults: a revision that shows the item in two states, or stands for two changes; reserved units that are not the
sum of the reservations alive at that revision; a grant that moved on-hand stock; a reservation granted twice, given
back twice, or given back beyond what it held.

An answer that is repeated word for word is one answer: the order had asked twice.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from fsn.report.findings import Checked, Fault
from fsn.report.reader import Read

GRANT: Final = "grant"
RELEASE: Final = "release"
CONSUME: Final = "consume"


class State(NamedTuple):
    """An item at one revision."""

    on_hand: int
    reserved: int
    held: int


class Change(NamedTuple):
    """What one revision did to an item's reservations; units are positive."""

    kind: str
    order_id: str
    attempt: int
    variant_id: str
    units: int
    shipment_id: str = ""

    @property
    def reservation(self) -> str:
        """The reservation's id."""
        return f"{self.order_id}|{self.attempt}|{self.variant_id}"


ItemKey = tuple[str, str]
"""(variant_id, location_id)"""


class ItemHistory:
    """All that was said of one item."""

    __slots__ = ("changes", "faults", "name", "states")

    def __init__(self, key: ItemKey) -> None:
        self.name = f"{key[0]} at {key[1]}"
        self.states: dict[int, State] = {}
        self.changes: dict[int, Change] = {}
        self.faults: list[Fault] = []

    def shown(self, revision: int, state: State) -> None:
        """The item was shown like this."""
        known = self.states.setdefault(revision, state)
        if known != state:
            detail = f"revision {revision} is shown as {_words(known)} and as {_words(state)}"
            self.faults.append(Fault("one revision, one state", self.name, detail, duplicated=1))

    def changed(self, revision: int, change: Change) -> None:
        """A revision was answered to an order."""
        known = self.changes.setdefault(revision, change)
        if known != change:
            detail = f"revision {revision} is {_told(known)} and {_told(change)}"
            self.faults.append(Fault("one revision, one change", self.name, detail, duplicated=1))


class StockFindings(msgspec.Struct, frozen=True):
    """What the stock task answered, recomputed.

    oversold: units granted beyond on hand − reserved − held
    grants: item lines granted; consumed: reserved units that left
    granted: units by reservation and location, as granted
    live: units that reservations hold in the end, by reservation and location
    last: the newest state of each item, with its revision
    """

    checked: Checked
    oversold: int
    grants: int
    consumed: int
    granted: dict[tuple[str, str], int]
    live: dict[tuple[str, str], int]
    last: dict[ItemKey, tuple[int, State]]


def check_stock(offers: Iterable[Read], snapshots: Iterable[Read]) -> StockFindings:
    """Recompute every item from what was said of it."""
    items: dict[ItemKey, ItemHistory] = {}
    for read in offers:
        _hear(read, items)
    for read in snapshots:
        fields = read.fields
        _item(items, fields["variant_id"], fields["location_id"]).shown(fields["revision"], _state(fields))
    faults: list[Fault] = []
    granted: dict[tuple[str, str], int] = {}
    live: dict[tuple[str, str], int] = {}
    for key, item in items.items():
        faults += item.faults
        faults += _recompute(item, key[1], granted=granted, live=live)
    changes = [change for item in items.values() for change in item.changes.values()]
    grants = sum(change.kind == GRANT for change in changes)
    consumed = sum(change.units for change in changes if change.kind == CONSUME)
    last = {key: max(item.states.items()) for key, item in items.items() if item.states}
    oversold = sum(fault.oversold for fault in faults)
    checked = Checked("no unit promised twice", len(items), tuple(faults))
    return StockFindings(checked, oversold, grants, consumed, granted, live, last)


def _hear(read: Read, items: dict[ItemKey, ItemHistory]) -> None:
    fields = read.fields
    match read.type:
        case "ReservationGranted":
            _answered(items, fields, GRANT, _by_location(fields["lines"]))
        case "StockRouted":
            parts = fields["plan"]["parts"]
            lines = [{**line, "location_id": part["location_id"]} for part in parts for line in part["lines"]]
            _answered(items, fields, GRANT, _by_location(lines))
        case "ReservationReleased":
            _answered(items, fields, RELEASE, _by_location(fields["lines"]))
        case "ReservationConsumed":
            _answered(items, fields, CONSUME, {item["location_id"]: fields["quantity"] for item in fields["items"]})
        case "ReservationDenied":
            _answered(items, fields, "", {})


def _answered(items: dict[ItemKey, ItemHistory], fields: dict[str, Any], kind: str, units: dict[str, int]) -> None:
    """An answer about one variant: how its items stand, and what was done to them."""
    variant_id = fields["variant_id"]
    for shown in fields["items"]:
        location_id, revision = shown["location_id"], shown["revision"]
        item = _item(items, variant_id, location_id)
        item.shown(revision, _state(shown))
        if units.get(location_id):
            order = fields["order_id"], fields["attempt"]
            change = Change(kind, *order, variant_id, units[location_id], fields.get("shipment_id", ""))
            item.changed(revision, change)
    unshown = units.keys() - {shown["location_id"] for shown in fields["items"]}
    for location_id in sorted(unshown):
        item = _item(items, variant_id, location_id)
        detail = f"{kind} of {units[location_id]} for {fields['order_id']} does not show the item after it"
        item.faults.append(Fault("every answer shows its items", item.name, detail, lost=1))


def _recompute(
    item: ItemHistory, location_id: str, *, granted: dict[tuple[str, str], int], live: dict[tuple[str, str], int]
) -> list[Fault]:
    """Walk an item's history: reserved must be the sum of what its reservations hold, and every grant must fit."""
    faults: list[Fault] = []
    reserved, before, last_told = 0, -1, 0
    for revision in sorted(item.states):
        state, change = item.states[revision], item.changes.get(revision)
        if change is not None:
            faults += _apply(item, change, revision, (change.reservation, location_id), granted=granted, live=live)
            reserved += change.units if change.kind == GRANT else -change.units
        if change is not None and change.kind == GRANT:
            faults += _fits(item, change, revision, state=state, reserved=reserved)
            known = item.states.get(revision - 1) if before == revision - 1 else None
            if known is not None and known.on_hand != state.on_hand:
                detail = f"revision {revision} granted units and moved on hand {known.on_hand} → {state.on_hand}"
                faults.append(Fault("a grant moves no stock", item.name, detail))
        if state.reserved != reserved and state.reserved - reserved != last_told:
            detail = f"revision {revision} shows {state.reserved} reserved; its live reservations hold {reserved}"
            faults.append(Fault("reserved = live reservations", item.name, detail))
            last_told = state.reserved - reserved  # one lost answer is told once, not at every later revision
        if state.held < 0 or state.reserved < 0:
            faults.append(Fault("never below zero", item.name, f"revision {revision}: {_words(state)}"))
        before = revision
    return faults


def _apply(
    item: ItemHistory,
    change: Change,
    revision: int,
    where: tuple[str, str],
    *,
    granted: dict[tuple[str, str], int],
    live: dict[tuple[str, str], int],
) -> list[Fault]:
    """Move one reservation's units; what it cannot do is told."""
    if change.kind == GRANT:
        again = where in granted
        granted[where] = granted.get(where, 0) + change.units
        live[where] = live.get(where, 0) + change.units
        if not again:
            return []
        detail = f"{change.reservation} was granted again at revision {revision}"
        return [Fault("one grant per reservation", item.name, detail, duplicated=1)]
    left = live.get(where, 0) - change.units
    live[where] = left
    if left >= 0:
        return []
    detail = f"revision {revision}: {_told(change)}, {-left} more than it still held"
    return [Fault("each reservation ends once", item.name, detail, duplicated=1)]


def _fits(item: ItemHistory, change: Change, revision: int, *, state: State, reserved: int) -> list[Fault]:
    beyond = reserved + state.held - state.on_hand
    if beyond <= 0:
        return []
    units = min(beyond, change.units)
    detail = f"revision {revision}: {_told(change)}, {beyond} more than was there ({_words(state)})"
    return [Fault("nothing is oversold", item.name, detail, oversold=units)]


def _item(items: dict[ItemKey, ItemHistory], variant_id: str, location_id: str) -> ItemHistory:
    key = variant_id, location_id
    item = items.get(key)
    if item is None:
        item = items[key] = ItemHistory(key)
    return item


def _by_location(lines: Iterable[dict[str, Any]]) -> dict[str, int]:
    units: dict[str, int] = {}
    for line in lines:
        units[line["location_id"]] = units.get(line["location_id"], 0) + line["quantity"]
    return units


def _state(shown: dict[str, Any]) -> State:
    return State(shown["on_hand"], shown["reserved"], shown["held"])


def _words(state: State) -> str:
    return f"on hand {state.on_hand}, reserved {state.reserved}, held {state.held}"


def _told(change: Change) -> str:
    return f"{change.kind} of {change.units} for {change.reservation}"
