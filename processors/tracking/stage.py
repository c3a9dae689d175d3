"""Tracking: whatever carriers send, in whatever order, becomes one history per parcel.

In: CarrierMessage on `tracking`, ShipmentLinked on `shipment-links`, timers. Out: one TrackingEvent per scan on
`tracking-events`, Tracked on `order-events` when the parcel's status changes, both under the order; and what `watch`
raises. A scan known already says nothing. Scans of a number that no shipment has claimed wait for the claim and are
told then, oldest first. A code nobody mapped becomes the review item UNKNOWN_CARRIER_CODE, once per partition; a scan
the carrier withdraws becomes SCAN_WITHDRAWN.

Refused, in this order: FORGED; KEY_MISMATCH (of key, carrier field or the payload's own number); INVALID_PAYLOAD
(what the carrier's parser refuses, or more scans than any parcel has); INVALID_VALUE (a number that too many
shipments claim is a placeholder, not a number).
"""

from collections.abc import Collection
from typing import Final

import msgspec

from processors.carriers.registry import parse
from processors.carriers.scan import IncidentReason, ParsedMessage, PayloadRefused, Status
from processors.reasons import Reason
from processors.senders import require_sender
from processors.step import ABSENT, Context, Refused, Stage, stable_id
from processors.tenants import tenant_of
from processors.tracking.parcel import (
    PARCELS,
    UNKNOWN_CODES,
    Link,
    Parcel,
    Seen,
    UnknownCode,
    carrier_of,
    in_order,
    parcel_of,
    seen,
    weightiest,
)
from processors.tracking.watch import alert_silence, forget, keep, look_for_link, look_for_silence, review
from schemas.records.shipments import CarrierMessage, ShipmentLinked, Tracked, TrackingEvent

SCANS_MAX: Final = 1_000
"""No parcel has a tenth of it; what goes on beyond is a loop or an attack, and must not fill the changelog."""

LINKS_MAX: Final = 32


def join_scans(record: CarrierMessage, ctx: Context) -> None:
    """Join the scans of a carrier's message to the parcel's history."""
    message = _read(record, ctx)
    number = record.tracking_number
    parcel = parcel_of(number, ctx)
    scans = {scan.identity: scan for scan in parcel.scans}
    fresh: dict[tuple[int, str, str], Seen] = {}
    for scan in map(seen, message.scans):
        known = scans.get(scan.identity)
        # One scan may come with two meanings (a return flag set later): the weightier stays, whichever came first.
        if known is None or scan.weight > known.weight:
            scans[scan.identity] = fresh[scan.identity] = scan
    if len(scans) > SCANS_MAX:
        detail = f"parcel {number} would have {len(scans)} scans, at most {SCANS_MAX}: see what repeats them"
        raise Refused(Reason.INVALID_PAYLOAD, detail)
    answer = "; ".join(f"{code} {words}".strip() for _, code, words in message.refusals) or parcel.answer
    if fresh:
        for scan in fresh.values():
            _ask_about(number, scan, ctx)
        _publish(number, parcel, fresh.values(), links=parcel.links, ctx=ctx)
        if parcel.silent:
            alert_silence(number, parcel, status="resolved", ctx=ctx)
        history = in_order(tuple(scans.values()))
        heard = msgspec.structs.replace(parcel, scans=history, heard_at=ctx.now_at, answer=answer, silent=False)
        keep(number, heard, ctx)
    elif answer != parcel.answer:
        keep(number, msgspec.structs.replace(parcel, answer=answer), ctx)


def join_shipment(record: ShipmentLinked, ctx: Context) -> None:
    """Tell a shipment's order what is known of its parcel, and from now on what comes."""
    number = record.tracking_number
    parcel = parcel_of(number, ctx)
    claim = Link(record.order_id, record.shipment_id)
    if claim in parcel.links:
        return
    if len(parcel.links) >= LINKS_MAX:
        detail = f"{number} is claimed by {LINKS_MAX} shipments already: give each parcel its own tracking number"
        raise Refused(Reason.INVALID_VALUE, detail)
    if parcel.unlinked:
        review("UNLINKED_PARCEL", number, f"claimed by {claim.order_id}", status="resolved", ctx=ctx)
    _publish(number, Parcel(), parcel.scans, links=(claim,), ctx=ctx)
    linked = msgspec.structs.replace(parcel, links=(*parcel.links, claim), heard_at=ctx.now_at, unlinked=False)
    keep(number, linked, ctx)


def _read(record: CarrierMessage, ctx: Context) -> ParsedMessage:
    """The scans of a message that is about the parcel it claims to be about."""
    number = record.tracking_number
    tenant, _, rest = number.partition("|")
    carrier, _, bare = rest.partition("|")
    require_sender(ctx, number, f"{tenant}|{carrier}")
    if ctx.key != number or not (tenant and bare) or carrier != record.carrier:
        detail = f"key {ctx.key}, tracking_number {number}, carrier {record.carrier}: all say tenant | carrier | number"
        raise Refused(Reason.KEY_MISMATCH, detail)
    try:
        message = parse(record.format, record.payload)
    except PayloadRefused as refused:
        detail = f"{record.format} of {number}: {refused.reason}: {refused.detail}"
        raise Refused(Reason.INVALID_PAYLOAD, detail) from refused
    about = {(carrier, refusal[0]) for refusal in message.refusals if refusal[0]}
    about.update((scan.carrier, scan.tracking_number) for scan in message.scans)
    others = sorted(about - {(carrier, bare)})
    if others:
        named = ", ".join("|".join(other) for other in others[:3])
        detail = f"the payload is about {named}, the record about {carrier}|{bare}: send one record per parcel"
        raise Refused(Reason.KEY_MISMATCH, detail)
    return message


def _publish(number: str, before: Parcel, fresh: Collection[Seen], *, links: tuple[Link, ...], ctx: Context) -> None:
    """Tell these shipments' orders what is fresh, oldest first, and how the parcel stands after it."""
    best = weightiest(before.scans)
    newest_at = before.scans[-1].occurred_at if before.scans else 0
    for scan in in_order(tuple(fresh)):
        best = scan if best is None or scan.weight > best.weight else best
        for link in links:
            event = _event(number, scan, link, status=best.status, late=scan.occurred_at < newest_at)
            ctx.emit("tracking-events", link.order_id, event)
    if best is None or best.status is before.status:
        return
    scans = len({scan.identity for scan in (*before.scans, *fresh)})
    for link in links:
        tracked = Tracked(link.order_id, link.shipment_id, number, best.status.value, best.occurred_at, scans)
        ctx.emit("order-events", link.order_id, tracked)


def _event(number: str, scan: Seen, link: Link, *, status: Status, late: bool) -> TrackingEvent:
    return TrackingEvent(
        event_id=stable_id("te", number, scan.code, scan.occurred_at, scan.place),
        order_id=link.order_id,
        shipment_id=link.shipment_id,
        tracking_number=number,
        carrier=carrier_of(number),
        status=scan.status.value,
        shipment_status=status.value,
        reason=None if scan.reason is None else scan.reason.value,
        code=scan.code,
        text=scan.text,
        place=scan.place,
        country=scan.country,
        occurred_at=scan.occurred_at,
        occurred_local=scan.occurred_local,
        late=late,
    )


def _ask_about(number: str, scan: Seen, ctx: Context) -> None:
    """Queue what a person must decide: a withdrawn scan each time, a code nobody mapped once."""
    if scan.reason is IncidentReason.CORRECTED:
        detail = f"code {scan.code} at {scan.occurred_local}: the carrier withdraws an earlier scan; decide which"
        review("SCAN_WITHDRAWN", number, detail, cause=f"{scan.code}|{scan.occurred_at}|{scan.place}", ctx=ctx)
    elif scan.status is Status.UNKNOWN:
        code = f"{tenant_of(number)}|{carrier_of(number)}|{scan.code}"
        if ctx.get(UNKNOWN_CODES, code) is ABSENT:
            ctx.put(UNKNOWN_CODES, code, UnknownCode(ctx.now_at))
            review("UNKNOWN_CARRIER_CODE", code, f"first seen on {number}, text {scan.text!r}: map it", ctx=ctx)


STAGE: Final = Stage(
    name="tracking",
    handlers={
        "tracking": {CarrierMessage: join_scans},
        "shipment-links": {ShipmentLinked: join_shipment},
    },
    timers={
        "tracking.silent": look_for_silence,
        "tracking.unlinked": look_for_link,
        "tracking.forget": forget,
    },
    tables=(PARCELS, UNKNOWN_CODES),
)
