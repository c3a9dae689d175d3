"""Assigning: what a location says of its part.

In, from the location's task only: AssignmentAccepted, -Rejected, -Declined, -Expired. Out: units that will not be
shipped are freed and rerouted. The location reports each unit once: what is accepted in an acceptance, what is
refused in a rejection; 0 in an acceptance refuses the item. A repeat, and word of a part that is no longer part of
the decision in force, changes nothing.
"""

import msgspec

from processors.orders.freeing import free, go_on_without
from processors.orders.keeping import keep
from processors.orders.labelling import label
from processors.orders.late import keep_event
from processors.orders.rows import OrderRow, Part, part_of, row_of, unshipped, with_part
from processors.step import ABSENT, Context
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentDeclined,
    AssignmentExpired,
    AssignmentRejected,
    AssignmentWithdrawalRefused,
    AssignmentWithdrawn,
)

Answer = (
    AssignmentAccepted
    | AssignmentRejected
    | AssignmentDeclined
    | AssignmentExpired
    | AssignmentWithdrawn
    | AssignmentWithdrawalRefused
)


def order_and_part(record: Answer, ctx: Context) -> tuple[OrderRow, Part] | None:
    """The order and the part an answer is about; None for an order never seen and a part that is gone."""
    row = row_of(record.order_id, ctx)
    if row is ABSENT:
        keep_event(record.order_id, record, ctx)
        return None
    part = part_of(row, record.assignment_id)
    return None if part is ABSENT else (row, part)


def accepted(record: AssignmentAccepted, ctx: Context) -> None:
    """The partner will ship these items; those set to 0 it will not."""
    found = order_and_part(record, ctx)
    if found is None:
        return
    row, part = found
    named = {item.item_id: item.quantity for item in record.items}
    lines = tuple(
        msgspec.structs.replace(line, accepted=True) if named.get(line.line_no) else line for line in part.lines
    )
    part = msgspec.structs.replace(part, lines=lines)
    refused = {no: units for no, units in unshipped(part).items() if named.get(no) == 0}
    _free_and_go_on(with_part(row, part), part, refused, ctx, reason="rejected")


def rejected(record: AssignmentRejected, ctx: Context) -> None:
    """The partner will not ship these units (of all items, when it names none)."""
    found = order_and_part(record, ctx)
    if found is None:
        return
    row, part = found
    left = unshipped(part)
    named = {item.item_id: min(item.quantity, left.get(item.item_id, 0)) for item in record.items}
    refused = {
        line.line_no: units
        for line in part.lines
        if (units := (named or left).get(line.line_no, 0)) and line.short_at != record.occurred_at
    }
    # A whole refusal heard twice finds no line; one of some units finds the line and must know itself.
    lines = tuple(
        msgspec.structs.replace(line, short_at=record.occurred_at) if line.line_no in refused else line
        for line in part.lines
    )
    part = msgspec.structs.replace(part, lines=lines)
    _free_and_go_on(with_part(row, part), part, refused, ctx, reason="rejected")


def declined(record: AssignmentDeclined, ctx: Context) -> None:
    """No slot was open: the partner never saw it."""
    found = order_and_part(record, ctx)
    if found is not None:
        row, part = found
        _free_and_go_on(row, part, unshipped(part), ctx, reason="declined")


def expired(record: AssignmentExpired, ctx: Context) -> None:
    """The partner did not answer in time, for what it has not accepted."""
    found = order_and_part(record, ctx)
    if found is not None:
        row, part = found
        open_lines = {line.line_no for line in part.lines if not line.accepted}
        late = {no: units for no, units in unshipped(part).items() if no in open_lines}
        _free_and_go_on(row, part, late, ctx, reason="expired")


def _free_and_go_on(row: OrderRow, part: Part, units: dict[int, int], ctx: Context, *, reason: str) -> None:
    """Free what will not be shipped, look for another place for it, and ask for the label of what is left, if it is time."""
    if units:
        row = free(row, part, units, ctx, reason=reason)
        row = go_on_without(row, part.location_id, ctx, reason=reason)
    left = part_of(row, part.assignment_id)
    keep(row if left is ABSENT else label(row, left, ctx), ctx)
