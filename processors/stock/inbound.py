"""Inbound: units on their way to an item, which everyone may see and nobody is promised.

In: StockExpected; deltas that name a reference (transfer_out at one location, receipt and transfer_in at the other) and
timers. Out: the item with its units in transit and expected; ReviewItem INBOUND_OVERDUE for what has not come a week
(rule) after it should have, resolved when it comes, or when its sender corrects what was announced. Refused: see
`admission.py`, and more than 200 announced references at one item. Transfers beyond that, and with references longer
than an article number may be, move on-hand and are not followed.

The two ends of a transfer are two feeds', whose deltas come in either order: what arrives before it left is kept until
the other end speaks. A transfer that does not say where it goes leaves, and is in transit nowhere.
"""

from typing import Final

import msgspec

from processors.reasons import Reason
from processors.step import ABSENT, Context, Refused
from processors.stock.admission import REFERENCE_MAX, admit_expected
from processors.stock.items import keep
from processors.stock.notices import review
from processors.stock.rows import INBOUND, STOCK_ITEMS, Expectation, Inbound, Item, item_key, with_inbound
from processors.stock.sequences import fresh_item
from processors.tenants import shortest_kept_ms, tenant_of
from schemas.records.stock import StockDelta, StockExpected

INBOUND_TIMER: Final = "stock.inbound"
OPEN_MAX: Final = 200
"""Of each kind at one item: its row is read and written whole."""

TRANSFER_IN: Final = "transfer_in"
TRANSFER_OUT: Final = "transfer_out"
MOVES_INBOUND: Final = ("receipt", TRANSFER_IN, TRANSFER_OUT)
"""Reasons of deltas that something on its way may hear of."""


def expect(record: StockExpected, ctx: Context) -> None:
    """Units are announced, or what was announced is corrected."""
    admit_expected(record, ctx)
    key = item_key(ctx.key, record.location_id)
    inbound = _inbound(ctx, key)
    known = _find(inbound, record.reference)
    if known is None:
        if not record.quantity:
            return
        if _is_full(inbound, transfer=False):
            detail = f"{OPEN_MAX} references are on their way to {key} already: take back what will not come"
            raise Refused(Reason.INVALID_VALUE, detail)
        known = Expectation(record.reference, transfer=False, announced=0, since=ctx.now_at)
    elif record.occurred_at <= known.said_at:
        return
    said = msgspec.structs.replace(
        known, announced=record.quantity, expected_at=record.expected_at or 0, said_at=record.occurred_at
    )
    inbound = _keep(ctx, key, inbound, said)
    found = ctx.get(STOCK_ITEMS, key)
    item = fresh_item(record) if found is ABSENT else found
    keep(ctx, key, with_inbound(item, inbound), on_hand_before=item.on_hand)


def move(ctx: Context, key: str, item: Item, record: StockDelta) -> Item:
    """What a delta with a reference means for what is on its way; the delta's own item, to be kept by the caller."""
    if record.reference is None or record.reason not in MOVES_INBOUND or len(record.reference) > REFERENCE_MAX:
        return item
    if record.reason == TRANSFER_OUT:
        if record.counterpart_location_id is not None:
            _depart(ctx, record, record.reference, item_key(ctx.key, record.counterpart_location_id))
        return item
    inbound = _inbound(ctx, key)
    known = _find(inbound, record.reference)
    if known is None:
        if record.reason != TRANSFER_IN or _is_full(inbound, transfer=True):
            return item
        known = Expectation(record.reference, transfer=True, announced=0, since=ctx.now_at)
    arrived = msgspec.structs.replace(known, arrived=known.arrived + record.quantity)
    return with_inbound(item, _keep(ctx, key, inbound, arrived))


def overdue(key: str, ctx: Context) -> None:
    """Timer: what should have come long ago is for a person to look into, and stays visible; what has come is forgotten."""
    kept: list[Expectation] = []
    inbound = _inbound(ctx, key)
    for one in inbound.expectations:
        due_at = _due_at(ctx, key, one)
        if due_at > ctx.now_at:
            ctx.wake(due_at, INBOUND_TIMER, key)
            kept.append(one)
        elif not one.settled:
            if not one.overdue:
                detail = (
                    f"{one.reference}: {one.announced} units sent or announced, {one.arrived} arrived: have them traced"
                )
                review(ctx, "INBOUND_OVERDUE", f"{key}|{one.reference}", detail=detail, status="open")
            kept.append(msgspec.structs.replace(one, overdue=True))
    _put(ctx, key, Inbound(tuple(kept)))


def _depart(ctx: Context, record: StockDelta, reference: str, key: str) -> None:
    """Units left another location for this item."""
    inbound = _inbound(ctx, key)
    known = _find(inbound, reference)
    if known is None:
        if _is_full(inbound, transfer=True):
            return
        known = Expectation(reference, transfer=True, announced=0, since=ctx.now_at)
    sent = msgspec.structs.replace(known, transfer=True, announced=max(0, known.announced - record.quantity))
    inbound = _keep(ctx, key, inbound, sent)
    item = ctx.get(STOCK_ITEMS, key)
    if item is not ABSENT:
        keep(ctx, key, with_inbound(item, inbound), on_hand_before=item.on_hand)


def _keep(ctx: Context, key: str, inbound: Inbound, changed: Expectation) -> Inbound:
    """Keep an expectation until it is settled; an announcement for a while longer, so that its repeat is known as one."""
    due_at = _due_at(ctx, key, changed)
    if changed.settled and changed.overdue:
        review(ctx, "INBOUND_OVERDUE", f"{key}|{changed.reference}", detail="settled", status="resolved")
    others = tuple(one for one in inbound.expectations if one.reference != changed.reference)
    if changed.settled and (due_at <= ctx.now_at or not changed.said_at):
        return _put(ctx, key, Inbound(others))
    if due_at > ctx.now_at:
        ctx.wake(due_at, INBOUND_TIMER, key)
    return _put(ctx, key, Inbound((*others, changed)))


def _put(ctx: Context, key: str, inbound: Inbound) -> Inbound:
    if inbound.expectations:
        ctx.put(INBOUND, key, inbound)
    else:
        ctx.delete(INBOUND, key)
    return inbound


def _due_at(ctx: Context, key: str, one: Expectation) -> int:
    return max(one.since, one.expected_at) + shortest_kept_ms(ctx.network, tenant_of(key), "inbound_overdue_ms")


def _inbound(ctx: Context, key: str) -> Inbound:
    row = ctx.get(INBOUND, key)
    return Inbound() if row is ABSENT else row


def _is_full(inbound: Inbound, *, transfer: bool) -> bool:
    """Counted by kind: whoever sends transfers cannot keep a location from announcing what it expects."""
    return sum(one.transfer is transfer for one in inbound.expectations) >= OPEN_MAX


def _find(inbound: Inbound, reference: str) -> Expectation | None:
    return next((one for one in inbound.expectations if one.reference == reference), None)
