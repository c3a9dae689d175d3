"""The chain of an item's reservations, newest first: who is asked first to give units back.

The item names the newest reservation, each line its two neighbours, so that joining, leaving and finding the newest
cost the same however many orders hold units of a popular item. Only reservations that still hold units are in it.
A neighbour is always another reservation: a reservation has one line per location.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from processors.step import ABSENT, Context
from processors.stock.rows import RESERVATIONS, Item, Line, Reservation


def join(ctx: Context, item: Item, key: str) -> str:
    """Make `key` the newest of the item's reservations; the one that was newest before."""
    older = item.newest
    if older:
        change_line(ctx, older, item.location_id, newer=key)
    return older


def leave(ctx: Context, item: Item, line: Line) -> Item:
    """Take a line out; the item, whose newest reservation may be another now."""
    if line.older:
        change_line(ctx, line.older, item.location_id, newer=line.newer)
    if line.newer:
        change_line(ctx, line.newer, item.location_id, older=line.older)
        return item
    return msgspec.structs.replace(item, newest=line.older)


def newest_first(ctx: Context, item: Item) -> Iterator[tuple[str, Reservation, Line]]:
    """The item's reservations with their lines there."""
    key = item.newest
    while key:
        reservation = existing(ctx, key)
        line = line_at(reservation, item.location_id)
        yield key, reservation, line
        key = line.older


def change_line(ctx: Context, key: str, location_id: str, **changes: Any) -> None:
    """Keep a reservation with its line at a location changed."""
    reservation = existing(ctx, key)
    lines = tuple(
        msgspec.structs.replace(line, **changes) if line.location_id == location_id else line
        for line in reservation.lines
    )
    ctx.put(RESERVATIONS, key, msgspec.structs.replace(reservation, lines=lines))


def existing(ctx: Context, key: str) -> Reservation:
    """A reservation that another row names."""
    reservation = ctx.get(RESERVATIONS, key)
    if reservation is ABSENT:
        raise LookupError(f"reservation {key} is named by another row, and is not there")
    return reservation


def line_at(reservation: Reservation, location_id: str) -> Line:
    """A reservation's line at a location where it has one."""
    return next(line for line in reservation.lines if line.location_id == location_id)
