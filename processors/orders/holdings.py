"""Holdings: which reservation each unit stands on, and how units are given back.

In: the grants an order holds. Out: the grants left and ReleaseStock for what goes. Units of one variant at one
location are alike: a part draws on the reservation of its own attempt first, then on the oldest. A release that
empties a reservation names no lines: the stock task then leaves a tombstone, and a reserve that comes late is refused.
"""

import msgspec

from processors.orders.rows import Grant, OrderRow, Part
from processors.step import Context, Source
from schemas.records.reservations import ReleaseStock, ReserveLine
from schemas.records.routing import PlanLine

Grants = tuple[Grant, ...]


def draw(
    grants: Grants, *, variant_id: str, location_id: str, quantity: int, prefer: int
) -> tuple[Grants, list[Grant]]:
    """Take units out: what is left, and from which reservations they came."""
    fitting = sorted(
        (grant.attempt != prefer, grant.attempt, index)
        for index, grant in enumerate(grants)
        if grant.variant_id == variant_id and grant.location_id == location_id
    )
    left, drawn = list(grants), []
    for _, _, index in fitting:
        took = min(quantity, left[index].quantity)
        if took:
            drawn.append(msgspec.structs.replace(left[index], quantity=took))
            left[index] = msgspec.structs.replace(left[index], quantity=left[index].quantity - took)
            quantity -= took
    return tuple(grant for grant in left if grant.quantity), drawn


def draw_part(grants: Grants, part: Part, units: dict[int, int]) -> tuple[Grants, list[Grant]]:
    """Take units of a part's lines (by line number) out."""
    drawn: list[Grant] = []
    for line in part.lines:
        quantity = units.get(line.line_no, 0)
        if quantity:
            grants, took = draw(
                grants,
                variant_id=line.variant_id,
                location_id=part.location_id,
                quantity=quantity,
                prefer=part.attempt,
            )
            drawn += took
    return grants, drawn


def by_reservation(drawn: list[Grant]) -> dict[tuple[int, str], dict[str, int]]:
    """Units per location, for each reservation (attempt, variant), in the order in which they were drawn."""
    grouped: dict[tuple[int, str], dict[str, int]] = {}
    for grant in drawn:
        units = grouped.setdefault((grant.attempt, grant.variant_id), {})
        units[grant.location_id] = units.get(grant.location_id, 0) + grant.quantity
    return grouped


def release(row: OrderRow, drawn: list[Grant], left: Grants, ctx: Context, *, reason: str) -> None:
    """Give back what was drawn; `left` is all that the order still holds."""
    for (attempt, variant_id), units in by_reservation(drawn).items():
        emptied = not any(grant.attempt == attempt and grant.variant_id == variant_id for grant in left)
        lines = () if emptied else tuple(ReserveLine(location, quantity) for location, quantity in units.items())
        release_all(row, attempt, variant_id, ctx, reason=reason, lines=lines)


def release_all(
    row: OrderRow, attempt: int, variant_id: str, ctx: Context, *, reason: str, lines: tuple[ReserveLine, ...] = ()
) -> None:
    """Give a whole reservation back, granted or not: nothing of it can be granted afterwards."""
    request = ReleaseStock(
        order_id=row.placed.order_id,
        attempt=attempt,
        variant_id=variant_id,
        lines=lines,
        reason=reason,
        release_id=_release_id(ctx.source) if lines else None,
    )
    ctx.emit("stock-requests", variant_id, request)


def _release_id(cause: Source) -> str:
    """Two releases may look alike: the record that caused one names it. (It releases of one reservation at most once.)"""
    return f"{cause.topic}|{cause.partition}|{cause.offset}"


def plan_lines(grants: Grants, part: Part) -> tuple[Grants, tuple[PlanLine, ...]]:
    """A part's lines as a decision names them: units that stand on another attempt than the part's say which."""
    lines: list[PlanLine] = []
    for line in part.lines:
        grants, drawn = draw(
            grants,
            variant_id=line.variant_id,
            location_id=part.location_id,
            quantity=line.quantity - line.shipped,
            prefer=part.attempt,
        )
        own = line.quantity
        for grant in drawn:
            if grant.attempt != part.attempt:
                own -= grant.quantity
                lines.append(PlanLine(line.line_no, line.variant_id, grant.quantity, grant.attempt))
        if own:
            lines.append(PlanLine(line.line_no, line.variant_id, own))
    return grants, tuple(lines)
