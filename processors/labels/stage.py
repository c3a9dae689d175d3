"""Labels: the single writer of an account's day, and of the labels bought on it.

In: LabelAsked and LabelReleased on `account-slots` (from orders, and from accounts that had nothing left), LabelCreated on
`labels` (from the connector that bought it). Out: LabelRequested, LabelCancelled and the resolver's record LabelResolved on
`label-requests`; ShipmentLinked, so that scans find the order before the goods have left; LabelAsked to the next account of
the chain when today's parcels are used up, and AccountLoadChanged to every partition, which plans without the account until one is
given back; a ReviewItem LABEL_UNRESOLVED when there is no next one, until the chain, asked again every hour (rule), has one.

No day of an account takes more parcels than `daily_slots`, for its task alone counts. Days are days in UTC: an account has
no place. Refused: FORGED (anybody but the account's owner or its tenant), KEY_MISMATCH, UNKNOWN_LABEL (never asked of this
account), ILLEGAL_TRANSITION (bought after it was cancelled, or under another number), INVALID_VALUE (another carrier than the
account's, no number, no link).
"""

from typing import Final

import msgspec

from processors.labels.rows import ACCOUNT_SLOTS, DAYS_KEPT, KEEP_MS, LABELS, ROUNDS_MAX, Days, Label, Status, label_key
from processors.reasons import Reason
from processors.senders import require_sender
from processors.step import ABSENT, Context, Refused, Stage, stable_id
from processors.tenants import tenant_of
from processors.zones import utc_date
from schemas.records.labels import (
    LabelAsked,
    LabelCancelled,
    LabelCreated,
    LabelReleased,
    LabelRequested,
    LabelResolved,
)
from schemas.records.operations import AccountLoadChanged, ReviewItem
from schemas.records.shipments import ShipmentLinked


def asked(record: LabelAsked, ctx: Context) -> None:
    """Carry it, if a parcel of today is left; a label asked again is answered already."""
    account_id = record.account_id
    key = label_key(record.label_id, account_id)
    known = ctx.get(LABELS, key)
    if known is not ABSENT and not (known.status is Status.PASSED_ON and record.round > known.round):
        return
    account = ctx.network.accounts.get(account_id)
    day = utc_date(ctx.now_at)
    used = _used(account_id, day, ctx)
    label = Label(record.order_id, account_id, "", record.location_id, Status.PASSED_ON, round=record.round)
    if account is None or account.retired or account.outage or used >= account.daily_slots:
        if account is not None:
            _tell(account_id, day, account.daily_slots, ctx)
        _pass_on(record, label, ctx)
        return
    _count(account_id, day, used + 1, ctx)
    _tell(account_id, day, account.daily_slots, ctx)
    label = msgspec.structs.replace(label, carrier=account.carrier, status=Status.REQUESTED, day=day)
    _keep(key, label, ctx)
    request = LabelRequested(
        label_id=record.label_id,
        assignment_id=record.assignment_id,
        order_id=record.order_id,
        location_id=record.location_id,
        account_id=account_id,
        carrier=account.carrier,
        service=record.service,
        country=record.country,
        weight_g=record.weight_g,
        requested_at=ctx.now_at,
    )
    ctx.emit("label-requests", record.order_id, request)
    _resolve(record, account_id, (used + 1, account.daily_slots, day), ctx)
    if record.round:
        _review(record, f"{account_id} carries it", "resolved", ctx)


def released(record: LabelReleased, ctx: Context) -> None:
    """Nothing will travel on it: give the parcel back, and tell who buys labels."""
    key = label_key(record.label_id, record.account_id)
    label = ctx.get(LABELS, key)
    if label is ABSENT or label.status is Status.CANCELLED:
        return
    if label.status is Status.PASSED_ON:
        if label.next_id:
            ctx.emit("account-slots", label.next_id, LabelReleased(record.label_id, label.next_id))
        elif label.waiting:
            _review(_waiting(label), "nothing will travel on it", "resolved", ctx)
        _keep(key, msgspec.structs.replace(label, status=Status.CANCELLED, waiting=b""), ctx)
        return
    used = _used(label.account_id, label.day, ctx)
    _count(label.account_id, label.day, max(0, used - 1), ctx)
    account = ctx.network.accounts.get(label.account_id)
    if account is not None:
        _tell(label.account_id, utc_date(ctx.now_at), account.daily_slots, ctx)
    number = label.tracking_number or None
    cancelled = LabelCancelled(record.label_id, label.order_id, label.account_id, number, ctx.now_at)
    ctx.emit("label-requests", label.order_id, cancelled)
    _keep(key, msgspec.structs.replace(label, status=Status.CANCELLED), ctx)


def created(record: LabelCreated, ctx: Context) -> None:
    """The connector has bought it."""
    account = ctx.network.accounts.get(record.account_id)
    require_sender(ctx, record.account_id, None if account is None else account.owner_id)
    if ctx.key != record.account_id:
        raise Refused(Reason.KEY_MISMATCH, f"key {ctx.key}, account_id {record.account_id}: key it by account_id")
    key = label_key(record.label_id, record.account_id)
    label = ctx.get(LABELS, key)
    if label is ABSENT or not label.carrier:
        detail = (
            f"label {record.label_id} was never asked of {record.account_id}: buy only what label-requests asks for"
        )
        raise Refused(Reason.UNKNOWN_LABEL, detail)
    if record.carrier != label.carrier:
        raise _invalid(record, f"carrier is {record.carrier!r}: {record.account_id} is an account of {label.carrier}")
    for name in ("tracking_number", "link"):
        if not getattr(record, name) or "|" in record.tracking_number:
            raise _invalid(record, f"{name} is {getattr(record, name)!r}: it is needed, a number without '|'")
    said = record.tracking_number, record.link
    if label.status is Status.CREATED:
        if said != (label.tracking_number, label.link):
            raise _illegal(record, f"it was bought as {label.tracking_number} already: void this one")
        return
    if label.status is Status.CANCELLED:
        raise _illegal(record, "it is cancelled: void it")
    number = f"{tenant_of(label.order_id)}|{label.carrier}|{record.tracking_number}"
    ctx.emit("shipment-links", number, ShipmentLinked(number, label.order_id, record.label_id, label.location_id))
    _keep(key, msgspec.structs.replace(label, status=Status.CREATED, tracking_number=said[0], link=said[1]), ctx)


def forget(key: str, ctx: Context) -> None:
    """The timer: a label of long ago."""
    ctx.delete(LABELS, key)


def again(key: str, ctx: Context) -> None:
    """The timer: ask the whole chain once more, from its first account on."""
    label = ctx.get(LABELS, key)
    if label is ABSENT or not label.waiting:
        return
    record = _waiting(label)
    first = record.chain[0] if record.chain else record.account_id
    ctx.emit("account-slots", first, msgspec.structs.replace(record, account_id=first, round=record.round + 1))


def _pass_on(record: LabelAsked, label: Label, ctx: Context) -> None:
    """To the next account of the chain; where there is none a person hears of it, and the chain is asked again later."""
    key, full = label_key(record.label_id, record.account_id), (*record.full, record.account_id)
    place = record.chain.index(record.account_id) + 1 if record.account_id in record.chain else len(record.chain)
    next_id = record.chain[place] if place < len(record.chain) else ""
    if next_id:
        _keep(key, msgspec.structs.replace(label, next_id=next_id), ctx)
        ctx.emit("account-slots", next_id, msgspec.structs.replace(record, account_id=next_id, full=full))
        return
    label = msgspec.structs.replace(label, waiting=msgspec.msgpack.encode(msgspec.structs.replace(record, full=())))
    if record.round < ROUNDS_MAX:
        retry_ms = ctx.network.rules_of(record.merchant_id).rules.label_retry_ms
        ctx.wake(ctx.now_at + retry_ms, "labels.again", key)
    _keep(key, label, ctx)
    if not record.round:
        _resolve(msgspec.structs.replace(record, full=full), None, (0, 0, utc_date(ctx.now_at)), ctx)
        _review(record, f"no parcel is left today on any of {', '.join(full)}", "open", ctx)


def _waiting(label: Label) -> LabelAsked:
    return msgspec.msgpack.decode(label.waiting, type=LabelAsked)


def _review(record: LabelAsked, what: str, status: str, ctx: Context) -> None:
    detail = f"order {record.order_id} at {record.location_id}: {what}"
    review_id = stable_id("rv", "LABEL_UNRESOLVED", record.label_id)
    item = ReviewItem(review_id, record.assignment_id, "LABEL_UNRESOLVED", detail, status, ctx.now_at)
    ctx.emit("review-queue", record.assignment_id, item)


def _resolve(record: LabelAsked, account_id: str | None, capacity: tuple[int, int, str], ctx: Context) -> None:
    """Publish the resolver's record. capacity: (used, cap, date)"""
    used, cap, day = capacity
    resolved = LabelResolved(
        resolver_id=stable_id("rs", record.label_id),
        label_id=record.label_id,
        assignment_id=record.assignment_id,
        order_id=record.order_id,
        location_id=record.location_id,
        account_id=account_id,
        candidates=record.candidates,
        full=record.full,
        capacity_used=used,
        capacity=cap,
        local_date=day,
        resolved_at=ctx.now_at,
    )
    ctx.emit("label-requests", record.order_id, resolved)


def _keep(key: str, label: Label, ctx: Context) -> None:
    if ctx.get(LABELS, key) is ABSENT:
        ctx.wake(ctx.now_at + KEEP_MS, "labels.forget", key)
    ctx.put(LABELS, key, label)


def _used(account_id: str, day: str, ctx: Context) -> int:
    row = ctx.get(ACCOUNT_SLOTS, account_id)
    return 0 if row is ABSENT else dict(row.days).get(day, 0)


def _count(account_id: str, day: str, used: int, ctx: Context) -> None:
    row = ctx.get(ACCOUNT_SLOTS, account_id)
    days = Days() if row is ABSENT else row
    used_by_day = tuple(sorted({**dict(days.days), day: used}.items()))[-DAYS_KEPT:]
    ctx.put(ACCOUNT_SLOTS, account_id, msgspec.structs.replace(days, days=used_by_day))


def _tell(account_id: str, day: str, cap: int, ctx: Context) -> None:
    """Tell every partition when the day's last parcel is taken, and when there is one again."""
    row = ctx.get(ACCOUNT_SLOTS, account_id)
    days = Days() if row is ABSENT else row
    used = dict(days.days).get(day, 0)
    now = (day, cap) if used >= cap else ("", 0)
    if now != days.told and day in (now[0], days.told[0]):
        ctx.broadcast("account-load", account_id, AccountLoadChanged(account_id, day, used, cap, ctx.now_at))
        ctx.put(ACCOUNT_SLOTS, account_id, msgspec.structs.replace(days, told=now))


def _invalid(record: LabelCreated, detail: str) -> Refused:
    return Refused(Reason.INVALID_VALUE, f"label {record.label_id}: {detail}")


def _illegal(record: LabelCreated, detail: str) -> Refused:
    return Refused(Reason.ILLEGAL_TRANSITION, f"label {record.label_id}: {detail}")


STAGE: Final = Stage(
    name="labels",
    handlers={
        "account-slots": {LabelAsked: asked, LabelReleased: released},
        "labels": {LabelCreated: created},
    },
    timers={"labels.forget": forget, "labels.again": again},
    timer_tables={"labels.forget": LABELS, "labels.again": LABELS},
    tables=(ACCOUNT_SLOTS, LABELS),
)
