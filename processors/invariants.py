"""Invariants: what must always hold between rows, checked at every batch, and told at the first break.

In: the rows that a batch has changed, in tables of other stages. Out: OperationalAlert INVARIANT_BROKEN in the same
transaction as the break, resolved by the batch that makes it good again. As in double-entry bookkeeping, each fact is
kept twice, by different handlers, and both sides are posted to one account with opposite signs: what an account is
moved by in a batch cancels out, or something is wrong with the code or with the rows. What each says:

    stock      on hand = what came in − what left                              by item
    reserved   an item's reserved units = those of its live reservations       by item
    held       an item's held units = those held for woken orders              by item
    oversold   no reservation was granted beyond what was on hand              by item
    plan       each unshipped unit of a plan stands on one live reservation    by order, variant and location
    queues     a location's queues hold just the assignments in them           by location and queue
    routed     the sum of its queues = everything routed there                 by location

An account is named `entity|…|invariant`. Nothing is stopped or mended: whoever reads the alert has the transaction's
manifest, and can replay the task up to it.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from processors.location.inbox import ASSIGNMENTS, Assignment
from processors.location.queues import QUEUES, Queue, Queues
from processors.orders.rows import ORDERS, OrderRow, unshipped
from processors.step import ABSENT, Absent, Context, Gauge, Stage, Table, prefixes, stable_id
from processors.stock.rows import RESERVATIONS, STOCK_ITEMS, WAITING, Item, Reservation, Status, Waiter, item_key
from schemas.records.operations import OperationalAlert

Moves = Iterable[tuple[str, str, int]]
"""(invariant, account, units)"""

NOTHING: Final = Item("", "", "", None, 0, 0, 0, 0, 0)
"""An item that is not there."""

SAYS: Final = {
    "stock": "on hand is not what came in less what left",
    "reserved": "the item's reserved units are not those of its live reservations",
    "held": "the item's held units are not those held for woken orders",
    "oversold": "a reservation was granted beyond what was on hand",
    "plan": "units of the plan do not stand on a live reservation each",
    "queues": "the queue's count is not that of the assignments in it",
    "routed": "the queues together do not hold everything that was routed here",
}
"""By invariant: what its break means."""


class Broken(msgspec.Struct, frozen=True, array_like=True):
    """An account that does not balance: by how much, and since when."""

    units: int
    since: int


BROKEN: Final = Table("broken_invariants", Broken, owners=prefixes("|", parts=2))
"""By account | invariant."""


def item_moves(key: str, before: Item | Absent, after: Item | Absent) -> Moves:
    """What an item says of itself. On the path of every delta: nothing is built while nothing but units came or went."""
    old = NOTHING if before is ABSENT else before
    new = NOTHING if after is ABSENT else after
    unposted = new.on_hand - old.on_hand - new.received + old.received + new.left - old.left
    reserved, held = new.reserved - old.reserved, new.held - old.held
    if not (unposted or reserved or held):
        return ()
    return ("stock", key, unposted), ("reserved", key, reserved), ("held", key, held)


def reservation_moves(key: str, before: Reservation | Absent, after: Reservation | Absent) -> Moves:  # noqa: ARG001
    """What reservations say of the items they draw on."""
    return *_reservation_entries(after, 1), *_reservation_entries(before, -1)


def waiter_moves(key: str, before: Waiter | Absent, after: Waiter | Absent) -> Moves:
    """What woken orders say of the items that are held for them."""
    return *_waiter_entries(key, after, 1), *_waiter_entries(key, before, -1)


def order_moves(key: str, before: OrderRow | Absent, after: OrderRow | Absent) -> Moves:
    """An order's plan against the reservations it stands on."""
    if before is not ABSENT and after is not ABSENT and before.parts == after.parts and before.grants == after.grants:
        return ()
    return *_order_entries(key, after, 1), *_order_entries(key, before, -1)


def assignment_moves(key: str, before: Assignment | Absent, after: Assignment | Absent) -> Moves:  # noqa: ARG001
    """Which queue an assignment is in."""
    return *_assignment_entries(after, 1), *_assignment_entries(before, -1)


def queue_moves(key: str, before: Queues | Absent, after: Queues | Absent) -> Moves:
    """What a location's counts say."""
    old = Queues() if before is ABSENT else before
    new = Queues() if after is ABSENT else after
    counts = [(f"{key}|{queue}", getattr(new, queue) - getattr(old, queue)) for queue in Queue]
    routed = new.routed - old.routed - sum(units for _, units in counts)
    return *(("queues", account, -units) for account, units in counts), ("routed", key, routed)


def settle(invariant: str, account: str, units: int, ctx: Context) -> None:
    """A batch left an account unequal, or equal again."""
    key = f"{account}|{invariant}"
    known = ctx.get(BROKEN, key)
    stands = units if known is ABSENT else known.units + units
    if stands:
        ctx.put(BROKEN, key, Broken(stands, ctx.now_at if known is ABSENT else known.since))
    else:
        ctx.delete(BROKEN, key)
    detail = f"{SAYS[invariant]}: replay the task up to this transaction" if stands else "equal again"
    alert = OperationalAlert(
        alert_id=stable_id("alert", "INVARIANT_BROKEN", key),
        entity_id=key,
        kind="INVARIANT_BROKEN",
        expected=0,
        actual=stands,
        detail=detail,
        status="open" if stands else "resolved",
        raised_at=ctx.now_at,
    )
    ctx.emit("operational-alerts", key, alert)


def _reservation_entries(row: Reservation | Absent, sign: int) -> Iterable[tuple[str, str, int]]:
    if row is ABSENT or row.status is not Status.LIVE:
        return
    for line in row.lines:
        account = item_key(row.variant_id, line.location_id)
        yield "reserved", account, -sign * line.remaining
        granted = line.state  # the item right after the grant
        beyond = 0 if granted is None else granted.reserved + granted.held - granted.on_hand
        yield "oversold", account, sign * max(0, beyond)


def _waiter_entries(key: str, row: Waiter | Absent, sign: int) -> Iterable[tuple[str, str, int]]:
    if row is not ABSENT:
        variant_id = key.removesuffix(f"|{row.order_id}")
        for location_id, units in row.holds:
            yield "held", item_key(variant_id, location_id), -sign * units


def _order_entries(key: str, row: OrderRow | Absent, sign: int) -> Iterable[tuple[str, str, int]]:
    if row is ABSENT:
        return
    for part in row.parts:
        left = unshipped(part)
        for line in part.lines:
            yield "plan", f"{key}|{line.variant_id}|{part.location_id}", sign * left.get(line.line_no, 0)
    for grant in row.grants:
        yield "plan", f"{key}|{grant.variant_id}|{grant.location_id}", -sign * grant.quantity


def _assignment_entries(row: Assignment | Absent, sign: int) -> Iterable[tuple[str, str, int]]:
    if row is not ABSENT:
        yield "queues", f"{row.location_id}|{row.queue}", sign


AUDITS: Final[dict[Table[Any], Any]] = {
    STOCK_ITEMS: item_moves,
    RESERVATIONS: reservation_moves,
    WAITING: waiter_moves,
    ORDERS: order_moves,
    ASSIGNMENTS: assignment_moves,
    QUEUES: queue_moves,
}

STAGE: Final = Stage(
    name="invariants",
    handlers={},
    tables=(BROKEN,),
    gauges={"broken_invariants": Gauge(BROKEN, lambda _: 1)},
    audits={table.name: audit for table, audit in AUDITS.items()},
    settle=settle,
)
