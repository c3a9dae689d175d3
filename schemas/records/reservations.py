"""Between order and stock: ask, route, reserve, release, consume, wait, and the answers.

`stock-requests` are keyed by variant_id, `stock-offers` by order_id. Requests are imperative, answers past tense. A
request names (order_id, attempt); a reservation's id is (order_id, attempt, variant_id). Every grant, denial and
release carries the item's `revision` (counts each change of that item) with on_hand, reserved and held *after* it, as
snapshots do, so that anyone can recompute from the topics that nothing was oversold.
"""

from schemas.records.base import Int32, Part, Record
from schemas.records.routing import RoutingPlan


class ItemState(Part):
    """One item (variant at a location) right after a change.

    location_id: the location
    revision: counts every change of the item
    on_hand: units on hand
    reserved: units reserved for orders
    held: units kept for woken waiting orders
    """

    location_id: str
    revision: int
    on_hand: Int32
    reserved: Int32
    held: Int32


class ReserveLine(Part):
    """Units wanted from one location.

    location_id: where
    quantity: how many, at least 1
    """

    location_id: str
    quantity: Int32


class AskStock(Record):
    """order → stock: what can these locations promise of this variant?

    order_id: who asks
    attempt: the asking attempt
    variant_id: of what
    quantity: units the order wants in all, summed over its lines
    location_ids: the order's shortlist, nearest first
    """

    order_id: str
    attempt: Int32
    variant_id: str
    quantity: Int32
    location_ids: tuple[str, ...]


class StockOffered(Record):
    """stock → order: the answer to AskStock; the three arrays run in parallel with the asked locations.

    order_id: who asked
    attempt: the asking attempt
    variant_id: of what
    location_ids: as asked
    available: packed little-endian int32 per location: units available to promise (0 when none or not stocked)
    updated_at: packed little-endian int64 per location: last change of the item, epoch ms (0 when unknown)
    flags: one byte per location: 1 = stocked, 2 = gapped
    """

    order_id: str
    attempt: Int32
    variant_id: str
    location_ids: tuple[str, ...]
    available: bytes
    updated_at: bytes
    flags: bytes


class RouteStock(Record):
    """order → stock, the one-hop path: route this single-variant order over your own items and reserve the winner.

    order_id: who asks
    attempt: the attempt
    variant_id: the one variant of the order
    order: the order's facts as MessagePack (`processors.routing.candidate.OrderFacts`)
    shortlist: shortlisted locations and what steps 2, 4, 5 and 8 said of all (`processors.routing.shortlist.Shortlist`)
    """

    order_id: str
    attempt: Int32
    variant_id: str
    order: bytes
    shortlist: bytes


class StockRouted(Record):
    """stock → order: the plan found and reserved in one hop.

    order_id: who asked
    attempt: the attempt
    variant_id: of what
    plan: the plan granted
    items: the reserved items after the grant
    audit: the packed audit of the evaluation
    candidates: how many locations were evaluated
    inputs_digest: sha1 of all inputs of the evaluation
    network_offset: the reference data the evaluation used
    rule_set_id: the rules that decided
    rule_version: their version
    shadow: ShadowDecided as MessagePack; empty when the merchant has no shadow rules
    """

    order_id: str
    attempt: Int32
    variant_id: str
    plan: RoutingPlan
    items: tuple[ItemState, ...]
    audit: bytes
    candidates: Int32 = 0
    inputs_digest: str = ""
    network_offset: int = -1
    rule_set_id: str = ""
    rule_version: Int32 = 0
    shadow: bytes = b""


class StockUnroutable(Record):
    """stock → order: no plan stands in one hop; nothing was reserved.

    order_id: who asked
    attempt: the attempt
    variant_id: of what
    audit: the packed audit of the evaluation
    reason: the fence that left no plan (`processors.routing.facts.Outcome.reason`)
    shadow: ShadowDecided as MessagePack; empty when the merchant has no shadow rules
    """

    order_id: str
    attempt: Int32
    variant_id: str
    audit: bytes
    reason: str = ""
    shadow: bytes = b""


class ReserveStock(Record):
    """order → stock: reserve all of these, or none.

    order_id: for whom
    attempt: the attempt; reservation id = (order_id, attempt, variant_id)
    variant_id: of what
    lines: units per location
    """

    order_id: str
    attempt: Int32
    variant_id: str
    lines: tuple[ReserveLine, ...]


class ReservationGranted(Record):
    """stock → order: all lines of the reservation are reserved.

    order_id: for whom
    attempt: the attempt
    variant_id: of what
    items: the items after the grant, in the order of the lines
    lines: what was reserved
    """

    order_id: str
    attempt: Int32
    variant_id: str
    items: tuple[ItemState, ...]
    lines: tuple[ReserveLine, ...]


class ReservationDenied(Record):
    """stock → order: nothing was reserved.

    order_id: for whom
    attempt: the attempt
    variant_id: of what
    reason: stock_short, gapped, released_before (a release came first) or unknown_item
    items: the items as they stand
    """

    order_id: str
    attempt: Int32
    variant_id: str
    reason: str
    items: tuple[ItemState, ...]


class ReleaseStock(Record):
    """order → stock: give back what this reservation still holds, at these locations or at all.

    order_id: for whom
    attempt: the attempt
    variant_id: of what
    lines: units per location to give back; empty gives back all, and leaves a tombstone that refuses a later reserve
    reason: why (denied_elsewhere, cancelled, declined, rejected, expired, superseded …)
    release_id: names a release of some units, unique within the reservation; repeats change nothing
    """

    order_id: str
    attempt: Int32
    variant_id: str
    lines: tuple[ReserveLine, ...]
    reason: str
    release_id: str | None = None


class ReservationReleased(Record):
    """stock → order: what was given back.

    order_id: for whom
    attempt: the attempt
    variant_id: of what
    lines: units given back per location (empty when there was nothing)
    items: the items after the release
    """

    order_id: str
    attempt: Int32
    variant_id: str
    lines: tuple[ReserveLine, ...]
    items: tuple[ItemState, ...]


class ConsumeStock(Record):
    """order → stock: these reserved units left the location.

    order_id: for whom
    attempt: the attempt that reserved them
    variant_id: of what
    location_id: where they left
    quantity: how many
    shipment_id: the shipment; repeated requests with the same id change nothing
    """

    order_id: str
    attempt: Int32
    variant_id: str
    location_id: str
    quantity: Int32
    shipment_id: str


class ReservationConsumed(Record):
    """stock → order: units of a reservation ended by leaving.

    order_id: for whom
    attempt: the attempt
    variant_id: of what
    shipment_id: the shipment
    quantity: units consumed
    items: the item after the consumption
    """

    order_id: str
    attempt: Int32
    variant_id: str
    shipment_id: str
    quantity: Int32
    items: tuple[ItemState, ...]


class ConfirmReservation(Record):
    """order → stock: the plan is locked and its assignments are requested, so this reservation is no orphan.

    order_id: for whom
    attempt: the attempt that reserved
    variant_id: of what
    """

    order_id: str
    attempt: Int32
    variant_id: str


class WaitForStock(Record):
    """order → stock: wake me when this many units can be promised.

    order_id: who waits
    attempt: the attempt that failed
    variant_id: for what
    quantity: units wanted
    location_ids: locations that would do
    """

    order_id: str
    attempt: Int32
    variant_id: str
    quantity: Int32
    location_ids: tuple[str, ...]


class StopWaiting(Record):
    """order → stock: I wait no more; what is held for me is free.

    order_id: who waited
    variant_id: for what
    """

    order_id: str
    variant_id: str


class StockWoken(Record):
    """stock → order: units came free and are held for you for a few seconds.

    order_id: who waited
    variant_id: for what
    location_id: where
    quantity: units held
    """

    order_id: str
    variant_id: str
    location_id: str
    quantity: Int32


class RevocationAsked(Record):
    """stock → order: on-hand fell below reserved; please give these units back if you can.

    order_id: whose reservation is the newest
    attempt: the attempt
    variant_id: of what
    location_id: where
    quantity: units that are short
    """

    order_id: str
    attempt: Int32
    variant_id: str
    location_id: str
    quantity: Int32
