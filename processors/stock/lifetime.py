"""Lifetime: how a reservation is remembered, and watched until its order has done something with it.

In: ConfirmReservation (the plan is locked and its assignments are requested) and timers. Out: an alert
RESERVATION_ORPHANED when a reservation is still whole after an hour (rule) and no assignment is known, resolved when
it ends or is confirmed. The stock task never ends a reservation by itself: expiry is decided where the assignment is.
"""

from typing import Final

import msgspec

from processors.rules import DEFAULT_RULES
from processors.step import ABSENT, Context
from processors.stock.admission import require_key
from processors.stock.notices import alert
from processors.stock.rows import RESERVATIONS, STOCK_ANSWERS, Reservation, Status, reservation_key
from processors.tenants import shortest_kept_ms, tenant_of
from schemas.records.reservations import ConfirmReservation

ORPHAN_TIMER: Final = "stock.orphan"
PURGE_TIMER: Final = "stock.purge"


def confirm(record: ConfirmReservation, ctx: Context) -> None:
    """An assignment is known: the reservation is no orphan."""
    require_key(record.variant_id, ctx)
    key = reservation_key(record.order_id, record.attempt, record.variant_id)
    known = ctx.get(RESERVATIONS, key)
    if known is ABSENT or known.status is not Status.LIVE or known.assigned:
        return
    _found(ctx, key, known)
    ctx.put(RESERVATIONS, key, msgspec.structs.replace(known, assigned=True, orphaned=False))


def begin(ctx: Context, key: str, reservation: Reservation) -> None:
    """Keep a granted reservation, and look after it."""
    ctx.put(RESERVATIONS, key, reservation)
    orphan_ms = shortest_kept_ms(ctx.network, tenant_of(key), "orphan_alert_ms")
    ctx.wake(ctx.now_at + orphan_ms, ORPHAN_TIMER, key)


def end(ctx: Context, key: str, reservation: Reservation, status: Status) -> Reservation:
    """Keep a reservation that holds nothing any more, for as long as a late request might name it."""
    _found(ctx, key, reservation)
    ended = msgspec.structs.replace(reservation, status=status, ended_at=ctx.now_at, orphaned=False)
    ctx.put(RESERVATIONS, key, ended)
    ctx.wake(ctx.now_at + _memory_ms(status), PURGE_TIMER, key)
    return ended


def orphan_due(key: str, ctx: Context) -> None:
    """Timer: still whole, and nobody has said what became of it?"""
    known = ctx.get(RESERVATIONS, key)
    if known is ABSENT or known.status is not Status.LIVE or known.assigned:
        return
    if any(line.remaining < line.quantity for line in known.lines):
        return
    units = sum(line.remaining for line in known.lines)
    detail = "granted, and no assignment is known: look the order up, and cancel it if it is gone"
    alert(ctx, "RESERVATION_ORPHANED", key, expected=0, actual=units, detail=detail, status="open")
    ctx.put(RESERVATIONS, key, msgspec.structs.replace(known, orphaned=True))


def purge(key: str, ctx: Context) -> None:
    """Timer: no request names this reservation any more."""
    known = ctx.get(RESERVATIONS, key)
    if known is ABSENT or known.status is Status.LIVE or known.ended_at + _memory_ms(known.status) > ctx.now_at:
        return
    ctx.delete(RESERVATIONS, key)
    ctx.delete(STOCK_ANSWERS, key)


def _found(ctx: Context, key: str, reservation: Reservation) -> None:
    if reservation.orphaned:
        detail = "ended, or its assignment is known"
        alert(ctx, "RESERVATION_ORPHANED", key, expected=0, actual=0, detail=detail, status="resolved")


def _memory_ms(status: Status) -> int:
    """A denial is remembered while its request may still be repeated; an end, while one may still be replayed."""
    return DEFAULT_RULES.orphan_alert_ms if status is Status.DENIED else DEFAULT_RULES.stock_memory_ms
