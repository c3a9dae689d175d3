"""Stock: the single writer of every item, one task per variant, so that nothing is ever oversold.

In: what feeds report (`stock-deltas`, or `mapped-stock` where they knew no variant) and what orders ask (`stock-requests`). Out: answers on `stock-offers`, every one
of them with the items after it; snapshots; alerts; questions for people. What each refuses stands in its own module:

    deltas, counts      what feeds report          sequences    is it new, is anything missing?
    granting, ending    reservations               lifetime     how long they are remembered, and watched
    asking              offers, the one-hop path   waiting      who gets units that come free
    inbound             what is on its way: transfers, announced deliveries
    items, chain        keeping a changed item, and whom to ask when on-hand does not cover what is reserved
"""

from typing import Final

from processors.step import Stage
from processors.stock.asking import ask, route_and_reserve
from processors.stock.counts import apply_count
from processors.stock.deltas import apply_delta
from processors.stock.ending import consume, release
from processors.stock.granting import reserve
from processors.stock.inbound import INBOUND_TIMER, expect, overdue
from processors.stock.items import SHORTFALL_TIMER, shortfall_due
from processors.stock.lifetime import ORPHAN_TIMER, PURGE_TIMER, confirm, orphan_due, purge
from processors.stock.rows import INBOUND, RESERVATIONS, SEQUENCES, STOCK_ANSWERS, STOCK_ITEMS, STOCK_KEYS, WAITING
from processors.stock.sequences import FORGET_TIMER, forget_key
from processors.stock.snapshots import project
from processors.stock.waiting import HOLD_TIMER, RETRY_TIMER, hold_over, retry, stop_waiting, wait
from schemas.records.reservations import (
    AskStock,
    ConfirmReservation,
    ConsumeStock,
    ReleaseStock,
    ReserveStock,
    RouteStock,
    StopWaiting,
    WaitForStock,
)
from schemas.records.stock import StockCount, StockDelta, StockExpected

STAGE: Final = Stage(
    name="stock",
    handlers={
        "stock-deltas": {StockDelta: apply_delta, StockCount: apply_count, StockExpected: expect},
        "mapped-stock": {StockDelta: apply_delta, StockCount: apply_count},
        "stock-requests": {
            AskStock: ask,
            RouteStock: route_and_reserve,
            ReserveStock: reserve,
            ReleaseStock: release,
            ConsumeStock: consume,
            ConfirmReservation: confirm,
            WaitForStock: wait,
            StopWaiting: stop_waiting,
        },
    },
    tables=(STOCK_ITEMS, RESERVATIONS, STOCK_ANSWERS, SEQUENCES, STOCK_KEYS, INBOUND, WAITING),
    timers={
        HOLD_TIMER: hold_over,
        RETRY_TIMER: retry,
        ORPHAN_TIMER: orphan_due,
        PURGE_TIMER: purge,
        FORGET_TIMER: forget_key,
        SHORTFALL_TIMER: shortfall_due,
        INBOUND_TIMER: overdue,
    },
    timer_tables={
        HOLD_TIMER: WAITING,
        RETRY_TIMER: WAITING,
        ORPHAN_TIMER: RESERVATIONS,
        PURGE_TIMER: RESERVATIONS,
        FORGET_TIMER: STOCK_KEYS,
        SHORTFALL_TIMER: STOCK_ITEMS,
        INBOUND_TIMER: INBOUND,
    },
    projections={STOCK_ITEMS.name: project},
)
