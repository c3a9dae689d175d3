"""Items: the one place where a changed item is kept, and what its change entails.

In: an item as a delta, count, reservation or hold has changed it. Out: the item with its next revision; an alert
NEGATIVE_ON_HAND while on-hand is below 0, which is never clamped; RevocationAsked to the newest reservations for
units that on-hand no longer covers; an alert SHORTFALL for what has not come back after a while (rule): either the
location would not withdraw it, or nobody answers. Each ends by itself with its cause.
"""

from typing import Final

import msgspec

from processors.rules import DEFAULT_RULES
from processors.step import ABSENT, Context
from processors.stock.chain import change_line, newest_first
from processors.stock.notices import alert
from processors.stock.rows import INBOUND, STOCK_ITEMS, Item, short, with_inbound
from schemas.records.reservations import RevocationAsked

SHORTFALL_TIMER: Final = "stock.shortfall"


def keep(ctx: Context, key: str, item: Item, *, on_hand_before: int) -> Item:
    """Keep a changed item as its next revision; a new one finds what was already on its way to it."""
    if not item.revision:
        inbound = ctx.get(INBOUND, key)
        item = item if inbound is ABSENT else with_inbound(item, inbound)
    # A delta can be ahead only of units that are still reserved: once the others are released or confirmed, no
    # confirmation will come for what it took.
    ahead = max(item.ahead, -item.reserved)
    item = msgspec.structs.replace(item, revision=item.revision + 1, ahead=ahead)
    if (on_hand_before < 0) is not (item.on_hand < 0):
        _tell_negative(ctx, key, item.on_hand)
    uncovered = short(item)
    if uncovered:
        item = _call_back(ctx, key, item, uncovered)
    elif item.short_since is not None:
        item = _stand_down(ctx, key, item, short_since=item.short_since)
    ctx.put(STOCK_ITEMS, key, item)
    return item


def shortfall_due(key: str, ctx: Context) -> None:
    """Timer: what is still short after a while was refused, or nobody answers for it."""
    item = ctx.get(STOCK_ITEMS, key)
    if item is ABSENT or item.short_since is None or item.shortfall:
        return
    if item.short_since + DEFAULT_RULES.shortfall_alert_ms > ctx.now_at:
        return
    _tell_shortfall(ctx, key, item, uncovered=short(item))
    ctx.put(STOCK_ITEMS, key, msgspec.structs.replace(item, revision=item.revision + 1, shortfall=True))


def _call_back(ctx: Context, key: str, item: Item, uncovered: int) -> Item:
    """On-hand fell below reserved: ask the newest reservations for what nobody was asked for yet."""
    if item.short_since is None:
        ctx.wake(ctx.now_at + DEFAULT_RULES.shortfall_alert_ms, SHORTFALL_TIMER, key)
        item = msgspec.structs.replace(item, short_since=ctx.now_at)
    wanted = uncovered - item.asked
    if wanted <= 0:
        return item
    for reservation_key, reservation, line in newest_first(ctx, item):
        if not wanted:
            break
        units = min(wanted, line.remaining - line.asked)
        if units:
            change_line(ctx, reservation_key, item.location_id, asked=line.asked + units)
            order_id = reservation.order_id
            asked = RevocationAsked(order_id, reservation.attempt, reservation.variant_id, item.location_id, units)
            ctx.emit("stock-offers", order_id, asked)
            wanted -= units
    return msgspec.structs.replace(item, asked=uncovered)


def _stand_down(ctx: Context, key: str, item: Item, *, short_since: int) -> Item:
    """On-hand covers the reservations again: who was asked and still holds units may keep them."""
    left = item.asked
    for reservation_key, _, line in newest_first(ctx, item):
        if not left:
            break
        change_line(ctx, reservation_key, item.location_id, asked=0)
        left -= line.asked
    ctx.unwake(short_since + DEFAULT_RULES.shortfall_alert_ms, SHORTFALL_TIMER, key)
    covered = msgspec.structs.replace(item, asked=0, short_since=None, shortfall=False)
    if item.shortfall:
        _tell_shortfall(ctx, key, covered, uncovered=0)
    return covered


def _tell_negative(ctx: Context, key: str, on_hand: int) -> None:
    if on_hand < 0:
        detail = "more has left than was ever reported to be here: have it counted"
        alert(ctx, "NEGATIVE_ON_HAND", key, expected=0, actual=on_hand, detail=detail, status="open")
    else:
        alert(ctx, "NEGATIVE_ON_HAND", key, expected=0, actual=on_hand, detail="not negative", status="resolved")


def _tell_shortfall(ctx: Context, key: str, item: Item, *, uncovered: int) -> None:
    reserved, on_hand = item.reserved, item.on_hand
    if uncovered:
        detail = f"{uncovered} reserved units are not there: bring more, or cancel orders"
        alert(ctx, "SHORTFALL", key, expected=reserved, actual=on_hand, detail=detail, status="open")
    else:
        alert(ctx, "SHORTFALL", key, expected=reserved, actual=on_hand, detail="covered again", status="resolved")
