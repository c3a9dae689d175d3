"""Orders: gathers what each order needs to know, decides where it goes, and follows it until it has left.

In: `orders` (upstream), `stock-offers` (answers of the variants' tasks), `order-events` (answers of locations, scans),
and timers. Out: requests to stock and locations, decisions and audits, the order's status, links and expected costs.
Only this stage writes `stock-requests` and `location-requests`, and only it publishes RoutingDecision and
RoutingAudit: one writer per order makes each attempt one decision at most.

The life of an order. Left of each arrow: the phase; on it: what moves the order. *begin* starts the next attempt for
all open units, *fall back* begins with the next tier of locations, or parks when there is none:

    OrderPlaced   ──a line has no variant──────────────► UNMAPPED
    UNMAPPED      ──the last LineMapped───────► begin
                  ──else────────────────────► begin
    begin         ──one variant is open──────────────────► ROUTING
                  ──several are──────────────────────────► ASKING
                  ──nobody to ask, in any tier───────────► WAITING
    ROUTING       ──StockRouted──────────────────────────► ASSIGNED    (RoutingDecision)
                  ──StockUnroutable─────────► fall back ─► ROUTING or WAITING
    ASKING        ──all StockOffered, a plan stands──────► RESERVING
                  ──all StockOffered, none──► fall back ─► ASKING or WAITING
    RESERVING     ──all ReservationGranted───────────────► ASSIGNED    (RoutingDecision)
                  ──first plan denied────────────────────► RESERVING   (one other plan, grants kept)
                  ──second denied, no other─► fall back ─► ASKING or WAITING   (all released)
    WAITING       ──StockWoken, back-off over, other
                    rules, a silent feed speaks─► begin
                  ──waited 8 h───────────────────────────► REVIEW      (UNROUTABLE)
    ASSIGNED      ──all units Shipped────────────────────► FULFILLED
    any of the five above
                  ──units declined, rejected, expired,
                    withdrawn for a revocation──► begin
                  ──the same, once too often─────────────► REVIEW      (REROUTES_EXHAUSTED)
    any but FULFILLED
                  ──OrderCancelled, nothing assigned─────► CANCELLED
                  ──OrderCancelled, parts are assigned───► CANCELLING
    CANCELLING    ──all parts withdrawn──────────────────► CANCELLED
                  ──some refused─────────────────────────► ASSIGNED or FULFILLED   (cancel_refused)

A phase tells where the order's *open* units stand, those in no part of the decision in force. Parts that stand are
accepted, shipped, withdrawn or freed in every phase; REVIEW ends the search, not the parts. OrderClosed is a mark
that changes no phase. The modules: `checks intake late mapping` let an order in; `attempts planning` begin, plan, reserve and
fall back; `asking reserving` take the stock tasks' answers; `locking` publishes; `assigning cancelling shipping` take
the locations'; `freeing` gives units back; `parking waking` wait and try again; `holdings` knows which reservation
each unit stands on; `keeping` writes the row and sets its timers.
"""

from typing import Final

from processors.orders.asking import offered, routed, unroutable
from processors.orders.assigning import accepted, declined, expired, rejected
from processors.orders.cancelling import cancelled, refused, revocation_asked, withdrawn
from processors.orders.intake import placed
from processors.orders.keeping import forget
from processors.orders.late import overdue
from processors.orders.mapping import mapped
from processors.orders.reserving import denied, granted, noted
from processors.orders.rows import ORDERS, PENDING, SHADOWS
from processors.orders.shipping import close_itself, closed, shipped, tracked
from processors.orders.waking import expected, look, retry, unanswered, woken
from processors.step import Gauge, Stage
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentDeclined,
    AssignmentExpired,
    AssignmentRejected,
    AssignmentWithdrawalRefused,
    AssignmentWithdrawn,
    Shipped,
)
from schemas.records.mapping import LineMapped
from schemas.records.orders import OrderCancelled, OrderClosed, OrderPlaced
from schemas.records.reservations import (
    ReservationConsumed,
    ReservationDenied,
    ReservationGranted,
    ReservationReleased,
    RevocationAsked,
    StockOffered,
    StockRouted,
    StockUnroutable,
    StockWoken,
)
from schemas.records.shipments import Tracked
from schemas.records.stock import StockAwaited

STAGE: Final = Stage(
    name="orders",
    handlers={
        "orders": {OrderPlaced: placed, OrderCancelled: cancelled, OrderClosed: closed},
        "stock-offers": {
            StockOffered: offered,
            StockRouted: routed,
            StockUnroutable: unroutable,
            ReservationGranted: granted,
            ReservationDenied: denied,
            ReservationReleased: noted,
            ReservationConsumed: noted,
            StockWoken: woken,
            StockAwaited: expected,
            RevocationAsked: revocation_asked,
        },
        "order-events": {
            AssignmentAccepted: accepted,
            AssignmentRejected: rejected,
            AssignmentDeclined: declined,
            AssignmentExpired: expired,
            AssignmentWithdrawn: withdrawn,
            AssignmentWithdrawalRefused: refused,
            Shipped: shipped,
            Tracked: tracked,
            LineMapped: mapped,
        },
    },
    timers={
        "orders.unanswered": unanswered,
        "orders.retry": retry,
        "orders.look": look,
        "orders.pending": overdue,
        "orders.close": close_itself,
        "orders.forget": forget,
    },
    tables=(ORDERS, PENDING, SHADOWS),
    gauges={
        "pending_events": Gauge(PENDING, lambda row: len(row.events)),
        "shadow_agrees": Gauge(SHADOWS, lambda row: row.agrees),
        "shadow_differs": Gauge(SHADOWS, lambda row: row.differs),
        "shadow_unknown": Gauge(SHADOWS, lambda row: row.unknown),
    },
)
