"""Watch: what a parcel's silence means, and what a person is asked to decide.

In: parcels that changed, timers. Out: SHIPMENT_SILENT on `operational-alerts` when a claimed parcel had no scan for
the rule's time (per carrier where the rule says so), resolved by the next scan; review items. A parcel nobody claims
for `pending_event_keep_ms` is UNLINKED_PARCEL, resolved when a shipment comes. Rules are a merchant's, and a tracking
number names no merchant: the most impatient rule set of the tenant decides.

Timers are not moved with every scan: one that finds its parcel heard of since sets itself anew.
"""

from typing import Final

import msgspec

from processors.rules import HOUR_MS
from processors.step import ABSENT, Context, stable_id
from processors.tenants import shortest_ms, tenant_of
from processors.tracking.parcel import FINAL, PARCELS, Parcel, carrier_of, parcel_of
from schemas.records.operations import OperationalAlert, ReviewItem

KEEP_MS: Final = 400 * 24 * HOUR_MS
"""A parcel is kept for as long as the topics after its last word (design §6)."""


def keep(number: str, parcel: Parcel, ctx: Context) -> None:
    """Keep a parcel that changed, with the timers it needs."""
    if ctx.get(PARCELS, number) is ABSENT:
        ctx.wake(ctx.now_at + KEEP_MS, "tracking.forget", number)
        if not parcel.links:
            wait_ms = shortest_ms(ctx.network, tenant_of(number), lambda rules: rules.pending_event_keep_ms)
            ctx.wake(ctx.now_at + wait_ms, "tracking.unlinked", number)
    if parcel.links and not parcel.watched and not parcel.silent and parcel.status not in FINAL:
        ctx.wake(parcel.heard_at + silence_ms(number, ctx), "tracking.silent", number)
        parcel = msgspec.structs.replace(parcel, watched=True)
    ctx.put(PARCELS, number, parcel)


def look_for_silence(number: str, ctx: Context) -> None:
    """The timer: alert when the carrier has said nothing for too long, else look again when that could be."""
    parcel = parcel_of(number, ctx)
    if not parcel.links:  # forgotten, for the rule waits longer than parcels are kept
        return
    if parcel.status in FINAL:
        ctx.put(PARCELS, number, msgspec.structs.replace(parcel, watched=False))
        return
    due_at = parcel.heard_at + silence_ms(number, ctx)
    if due_at > ctx.now_at:
        ctx.wake(due_at, "tracking.silent", number)
        return
    ctx.put(PARCELS, number, msgspec.structs.replace(parcel, watched=False, silent=True))
    alert_silence(number, parcel, status="open", ctx=ctx)


def look_for_link(number: str, ctx: Context) -> None:
    """The timer: a parcel that nobody has claimed for so long is for a person to look at."""
    parcel = ctx.get(PARCELS, number)
    if parcel is ABSENT or parcel.links:
        return
    known = f"{len(parcel.scans)} scans, {parcel.status.value}{_said(parcel)}"
    review("UNLINKED_PARCEL", number, f"no shipment has this tracking number: {known}", ctx=ctx)
    ctx.put(PARCELS, number, msgspec.structs.replace(parcel, unlinked=True))


def forget(number: str, ctx: Context) -> None:
    """The timer: keep no parcel longer than its topics after its last word."""
    forget_at = parcel_of(number, ctx).heard_at + KEEP_MS
    if forget_at > ctx.now_at:
        ctx.wake(forget_at, "tracking.forget", number)
    else:
        ctx.delete(PARCELS, number)


def alert_silence(number: str, parcel: Parcel, *, status: str, ctx: Context) -> None:
    """Open or resolve SHIPMENT_SILENT; expected and actual are hours."""
    alert = OperationalAlert(
        alert_id=stable_id("alert", "SHIPMENT_SILENT", number),
        entity_id=number,
        kind="SHIPMENT_SILENT",
        expected=silence_ms(number, ctx) // HOUR_MS,
        actual=(ctx.now_at - parcel.heard_at) // HOUR_MS,
        detail=f"hours without a scan; last status {parcel.status.value}{_said(parcel)}",
        status=status,
        raised_at=ctx.now_at,
    )
    ctx.emit("operational-alerts", number, alert)


def review(kind: str, entity_id: str, detail: str, *, cause: str = "", status: str = "open", ctx: Context) -> None:
    """Ask a person, or take the question back; cause tells questions of one kind about one entity apart."""
    review_id = stable_id("review", kind, entity_id, cause)
    ctx.emit("review-queue", entity_id, ReviewItem(review_id, entity_id, kind, detail, status, ctx.now_at))


def silence_ms(number: str, ctx: Context) -> int:
    """How long the carrier of a parcel may say nothing."""
    carrier = carrier_of(number)
    return shortest_ms(
        ctx.network,
        tenant_of(number),
        lambda rules: rules.silent_shipment_carrier_ms.get(carrier, rules.silent_shipment_ms),
    )


def _said(parcel: Parcel) -> str:
    return f"; the carrier said: {parcel.answer}" if parcel.answer else ""
