"""Slots: how many assignments a location takes on its local day, counted hard, and told to every partition.

In: a slot taken or freed by the inbox, and the timer `location.load`. Out: LocationLoadChanged on `location-load`.
The cap is `LocationDefined.daily_slots`; the day is the location's own. A location whose time zone nobody knows
counts its days in UTC: the cap still holds.

Others learn of a change on the next tick, at most once a second; half a minute later, when nothing changed since,
the load is said once more, and once at local midnight, when a used-up location has its slots back.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from processors.routing.calendars import EPOCH, MILLISECOND
from processors.step import ABSENT, Context, Table
from processors.zones import zone
from schemas.records.network import LocationDefined
from schemas.records.operations import LocationLoadChanged

TELL_EVERY_MS: Final = 1_000
WATERMARK_MS: Final = 30_000
DAYS_KEPT: Final = 3
"""A slot may be freed after midnight; earlier days interest nobody."""


class Slots(msgspec.Struct, frozen=True, array_like=True):
    """Assignments per local day, and what others were told of it."""

    days: tuple[tuple[str, int], ...] = ()
    """(local date, used), oldest first."""
    told: tuple[str, int, int] = ("", 0, 0)
    """(local date, used, cap) as last told."""
    told_at: int = 0
    wake_at: int = 0
    """When `location.load` fires next; 0 when it does not."""


SLOTS: Final = Table("slots", Slots)
"""By location_id."""


def take_slot(location: LocationDefined, ctx: Context) -> str | None:
    """Use a slot of today; the local date it belongs to, or None when none is open."""
    slots = _slots_of(location.location_id, ctx)
    today = local_date(ctx.now_at, location.timezone).isoformat()
    used = dict(slots.days).get(today, 0)
    if used >= location.daily_slots:
        return None
    _count(location.location_id, slots, today, used + 1, ctx)
    return today


def free_slot(location_id: str, day: str, ctx: Context) -> None:
    """Give a slot back to the day it was taken from."""
    slots = _slots_of(location_id, ctx)
    used = dict(slots.days).get(day, 0)
    if used:
        _count(location_id, slots, day, used - 1, ctx)


def tell_load(location_id: str, ctx: Context) -> None:
    """The timer: tell every partition how many of today's slots are used."""
    slots = _slots_of(location_id, ctx)
    location = ctx.network.locations[location_id]
    today = local_date(ctx.now_at, location.timezone)
    used = dict(slots.days).get(today.isoformat(), 0)
    load = (today.isoformat(), used, location.daily_slots)
    ctx.broadcast("location-load", location_id, LocationLoadChanged(location_id, *load, ctx.now_at))
    if load != slots.told:
        wake_at = ctx.now_at + WATERMARK_MS
    else:
        wake_at = midnight_after(today, location.timezone) if used else 0
    if wake_at:
        ctx.wake(wake_at, "location.load", location_id)
    ctx.put(SLOTS, location_id, Slots(slots.days, told=load, told_at=ctx.now_at, wake_at=wake_at))


def local_date(at: int, timezone: str) -> date:
    """The calendar day of an instant in a time zone."""
    return (EPOCH + at * MILLISECOND).astimezone(zone(timezone) or UTC).date()


def midnight_after(day: date, timezone: str) -> int:
    """The instant at which the next local day begins."""
    following = day + timedelta(days=1)
    midnight = datetime(following.year, following.month, following.day, tzinfo=zone(timezone) or UTC)
    return (midnight - EPOCH) // MILLISECOND


def _slots_of(location_id: str, ctx: Context) -> Slots:
    slots = ctx.get(SLOTS, location_id)
    return Slots() if slots is ABSENT else slots


def _count(location_id: str, slots: Slots, day: str, used: int, ctx: Context) -> None:
    days = tuple(sorted({**dict(slots.days), day: used}.items()))[-DAYS_KEPT:]
    wake_at = max(slots.told_at + TELL_EVERY_MS, ctx.now_at + 1)
    if slots.wake_at > wake_at:
        ctx.unwake(slots.wake_at, "location.load", location_id)
    if 0 < slots.wake_at <= wake_at:
        wake_at = slots.wake_at
    else:
        ctx.wake(wake_at, "location.load", location_id)
    ctx.put(SLOTS, location_id, msgspec.structs.replace(slots, days=days, wake_at=wake_at))
