"""Reserving: a plan stands only when every variant grants its part of it.

In: ReservationGranted and ReservationDenied of the attempt under way. Out, once all have answered: the decision when
all granted; the one other plan when one denied; else everything is released and the order falls back.
ReservationReleased and ReservationConsumed need no answer: what was released or consumed left this row when asked.
"""

import msgspec

from processors.orders.asking import under_way
from processors.orders.attempts import heard, try_other_plan
from processors.orders.keeping import keep
from processors.orders.locking import lock, own_basis
from processors.orders.planning import corrected
from processors.orders.rows import Effort, Grant, OrderRow, Phase
from processors.step import Context
from schemas.records.reservations import ReservationConsumed, ReservationDenied, ReservationGranted, ReservationReleased


def granted(record: ReservationGranted, ctx: Context) -> None:
    """One variant reserved its part of the plan."""
    found = under_way(record, Phase.RESERVING, ctx)
    if found is None:
        return
    row, effort = found
    grants = tuple(Grant(record.attempt, record.variant_id, line.location_id, line.quantity) for line in record.lines)
    effort = heard(msgspec.structs.replace(effort, grants=effort.grants + grants), record.variant_id)
    keep(_settle(row, effort, ctx), ctx)


def denied(record: ReservationDenied, ctx: Context) -> None:
    """One variant could not: the plan falls, but what others granted is kept for the one other plan."""
    found = under_way(record, Phase.RESERVING, ctx)
    if found is None:
        return
    row, effort = found
    offers = corrected(effort, record, ctx)
    effort = msgspec.structs.replace(effort, offers=offers, denied=(*effort.denied, record.variant_id))
    keep(_settle(row, heard(effort, record.variant_id), ctx), ctx)


def noted(record: ReservationReleased | ReservationConsumed, ctx: Context) -> None:
    """Nothing to do."""


def _settle(row: OrderRow, effort: Effort, ctx: Context) -> OrderRow:
    if effort.awaiting:
        return msgspec.structs.replace(row, effort=effort)
    if effort.denied:
        return try_other_plan(row, effort, ctx)
    return lock(row, effort, own_basis(row, ctx), ctx)
