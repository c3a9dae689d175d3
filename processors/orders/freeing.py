"""Freeing: units come back from a location, and the order goes on without it.

In: units of a part that will not be shipped. Out: ReleaseStock for exactly those units, the part shrunk or gone, its
location excluded; then the next attempt for what came free, or a person once it was rerouted too often. A cancelled
order is not rerouted: it ends as cancelled, or as `cancel_refused` naming the locations that go on.
"""

import msgspec

from processors.orders.attempts import begin, leave
from processors.orders.holdings import draw_part, release
from processors.orders.labelling import give_label_back
from processors.orders.parking import exhaust, report, resolve, stop_waiting
from processors.orders.planning import rules_for
from processors.orders.rows import OrderRow, Part, Phase, all_shipped, with_part
from processors.step import Context


def free(row: OrderRow, part: Part, units: dict[int, int], ctx: Context, *, reason: str) -> OrderRow:
    """Give units of a part back to stock."""
    grants, drawn = draw_part(row.grants, part, units)
    release(row, drawn, grants, ctx, reason=reason)
    lines = tuple(
        msgspec.structs.replace(line, quantity=line.quantity - units.get(line.line_no, 0))
        for line in part.lines
        if line.quantity > units.get(line.line_no, 0)
    )
    row = msgspec.structs.replace(row, grants=grants)
    if lines:
        return with_part(row, msgspec.structs.replace(part, lines=lines))
    give_label_back(part, ctx)
    parts = tuple(other for other in row.parts if other.assignment_id != part.assignment_id)
    return msgspec.structs.replace(row, parts=parts)


def go_on_without(row: OrderRow, location_id: str, ctx: Context, *, reason: str) -> OrderRow:
    """Find another place for what a location gave back."""
    if row.cancelled:
        return settle_cancel(row, ctx)
    if location_id not in row.excluded:
        row = msgspec.structs.replace(row, excluded=(*row.excluded, location_id))
    if row.phase is Phase.REVIEW:
        return row
    if row.reroutes >= rules_for(row, ctx).max_reroutes:
        return exhaust(leave(row, ctx, reason=reason), ctx)
    return begin(msgspec.structs.replace(row, reroutes=row.reroutes + 1), ctx, reason=reason)


def settle_cancel(row: OrderRow, ctx: Context) -> OrderRow:
    """A cancel ends when every location asked has answered."""
    if any(part.withdrawing for part in row.parts):
        return msgspec.structs.replace(row, phase=Phase.CANCELLING)
    if not row.parts:
        row = stop_waiting(resolve(row, ctx), ctx)
        report(row, "cancelled", "cancelled", ctx)
        return msgspec.structs.replace(row, phase=Phase.CANCELLED, refusals=())
    if row.refusals:
        report(row, "cancel_refused", "; ".join(row.refusals), ctx)
    phase = Phase.FULFILLED if all_shipped(row) else Phase.ASSIGNED
    return msgspec.structs.replace(row, phase=phase, refusals=())
