"""The rows of stock, and the arithmetic that reads nothing but one row.

An *item* is a variant at a location. Its `reserved` is the sum of what its reservations' lines still hold, its `held`
the sum of what is held there for woken orders. Neither can drift: a line or a hold is changed in one place only
(`reserving.py`, `waiting.py`), which moves the item by the same units in the same savepoint, so both rows are kept
or neither. `processors.invariants` compares the two sides of every batch, and what came in and left with `on_hand`; a
property test recomputes every item from its reservation and waiting rows after every step.

`ahead` settles who deducts a shipment: units confirmed as shipped whose delta has not come (above 0), or units a
delta has taken whose confirmation has not come (below 0). Whichever comes second finds its units already deducted.
The item also begins the chain of its reservations, newest first; each line knows its two neighbours.
"""

from enum import StrEnum
from typing import Any, Final

import msgspec

from processors.network import promises_nothing
from processors.step import Context, Table, prefixes
from schemas.records.reservations import ItemState
from schemas.records.routing import RoutingPlan

UNITS_MAX: Final = 2**31 - 1
"""Units travel as Avro ints."""


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One variant at one location. Built by position on the hot path: a new field goes last."""

    location_id: str
    feed_id: str
    """The feed that was first to report it; `sku` likewise. Their sequence is kept here, not in `sequences`."""
    sku: str
    sequence: int | None
    on_hand: int
    reserved: int
    held: int
    revision: int
    updated_at: int
    gapped: tuple[str, ...] = ()
    """Sequences (their keys) with an open gap."""
    ahead: int = 0
    newest: str = ""
    """The reservation granted last of those that hold units here."""
    asked: int = 0
    """Units that orders have been asked to give back and still hold."""
    short_since: int | None = None
    """Since when on-hand has not covered the reservations."""
    shortfall: bool = False
    drifted: bool = False
    received: int = 0
    """Units that came in since the item was first reported, corrections by counts included; `left` likewise went out."""
    left: int = 0
    in_transit: int = 0
    """Units on their way here from another location; `expected` from elsewhere. Sums over the item's `Inbound`."""
    expected: int = 0


class Sequence(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one feed's numbering of one SKU of one variant."""

    last: int | None
    missing: int | None = None
    """The first sequence that never came; a count is wanted that includes it. None without a gap."""
    kept: tuple[tuple[int, int], ...] = ()
    """Since the gap: (sequence, quantity) of what was applied."""
    counted: int | None = None
    """The sequence of the last count, and when its sender says it was counted."""
    counted_at: int = 0
    ignored: int = 0


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """An idempotency key that was used, and how often it came again."""

    seen_at: int
    ignored: int


class Status(StrEnum):
    """Where a reservation stands. LIVE holds units; the others never will again."""

    LIVE = "live"
    CONSUMED = "consumed"
    RELEASED = "released"
    DENIED = "denied"


class State(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An item right after a change, as every answer about it says."""

    location_id: str
    revision: int
    on_hand: int
    reserved: int
    held: int


class Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Units of a reservation at one location."""

    location_id: str
    quantity: int
    remaining: int
    state: State | None
    """The item right after the answer; None when a denied line named no item."""
    older: str = ""
    newer: str = ""
    """The neighbouring reservations at this item, by time of grant."""
    asked: int = 0
    """Units of `remaining` that the order has been asked to give back."""


class Consumed(msgspec.Struct, frozen=True, array_like=True):
    """A consumption that was answered."""

    shipment_id: str
    location_id: str
    """Beside the shipment's number, which is the partner's own: two partners may both have a shipment 1."""
    quantity: int
    states: tuple[State, ...]


class Released(msgspec.Struct, frozen=True, array_like=True):
    """The release of all that was left."""

    lines: tuple[tuple[str, int], ...]
    states: tuple[State, ...]


class Reservation(msgspec.Struct, frozen=True, array_like=True):
    """What one attempt of an order holds of one variant, and everything it was answered."""

    order_id: str
    attempt: int
    variant_id: str
    status: Status
    lines: tuple[Line, ...] = ()
    reason: str = ""
    ended_at: int = 0
    consumed: tuple[Consumed, ...] = ()
    released: Released | None = None
    assigned: bool = False
    orphaned: bool = False


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What a RouteStock was answered, beside its reservation."""

    plan: RoutingPlan | None
    reason: str
    audit: bytes
    candidates: int
    inputs_digest: str
    network_offset: int
    rule_set_id: str
    rule_version: int
    shadow: bytes = b""
    """ShadowDecided, packed."""


class Waiter(msgspec.Struct, frozen=True, array_like=True):
    """An order that waits for a variant, or for which units are held right now.

    The row under the bare variant_id is the list's own: its `after` is the first in line, its `before` the last.
    """

    order_id: str
    attempt: int
    quantity: int
    location_ids: tuple[str, ...]
    before: str
    after: str
    wakes: int = 0
    not_before: int = 0
    """Not woken again before: doubles with every wake that led to no reservation."""
    holds: tuple[tuple[str, int], ...] = ()
    held_until: int = 0


class Expectation(msgspec.Struct, frozen=True, array_like=True):
    """Units on their way to an item under one reference."""

    reference: str
    transfer: bool
    announced: int
    arrived: int = 0
    expected_at: int = 0
    """0: nobody knows."""
    said_at: int = 0
    """When the sender of the last announcement says it was made; 0 for what a transfer's own deltas said."""
    since: int = 0
    overdue: bool = False

    @property
    def units(self) -> int:
        """Units that have not arrived."""
        return max(0, self.announced - self.arrived)

    @property
    def settled(self) -> bool:
        """Whether both ends of a transfer say the same, or all that was announced has come."""
        return self.arrived == self.announced if self.transfer else not self.units


class Inbound(msgspec.Struct, frozen=True, array_like=True):
    """All that is on its way to an item, and announcements that have come true not long ago."""

    expectations: tuple[Expectation, ...] = ()

    @property
    def next_at(self) -> int | None:
        """When the next units should arrive."""
        return min((one.expected_at for one in self.expectations if one.units and one.expected_at), default=None)


def _variant_of_item(key: str, row: Item | None) -> tuple[str, ...]:
    return _BY_VARIANT(key, row) if row is None else (key.removesuffix(f"|{row.location_id}"),)


def _variant_of_reservation(key: str, row: Reservation | None) -> tuple[str, ...]:
    return _variant_after_attempt(key, row) if row is None else (row.variant_id,)


def _variant_after_attempt(key: str, row: Any) -> tuple[str, ...]:  # noqa: ARG001 - an answer does not name its variant
    """What stands behind a number, the attempt; an order's own number, tenant | source | number, comes before it."""
    words = key.split("|")
    places = [place for place, word in enumerate(words[:-1]) if word.isdigit()]
    return tuple("|".join(words[place + 1 :]) for place in sorted(places, key=lambda place: (place != 3, place)))


def _variant_of_waiter(key: str, row: Waiter | None) -> tuple[str, ...]:
    return _BY_VARIANT(key, row) if row is None else (key.removesuffix(f"|{row.order_id}"),)


_BY_VARIANT: Final = prefixes("|", parts=2)

STOCK_ITEMS: Final = Table("stock_items", Item, owners=_variant_of_item)
"""By variant_id | location_id."""

SEQUENCES: Final = Table("sequences", Sequence, owners=_BY_VARIANT)
"""By variant_id | feed_id | source SKU."""

STOCK_KEYS: Final = Table("stock_keys", Seen, owners=_BY_VARIANT)
"""By variant_id | feed_id | source SKU | idempotency key."""

RESERVATIONS: Final = Table("reservations", Reservation, owners=_variant_of_reservation)
"""By order_id | attempt | variant_id."""

STOCK_ANSWERS: Final = Table("stock_answers", Answer, owners=_variant_after_attempt)
"""By order_id | attempt | variant_id, as long as the reservation is known."""

INBOUND: Final = Table("inbound", Inbound, owners=_BY_VARIANT)
"""By variant_id | location_id, where something is on its way."""

WAITING: Final = Table("waiting", Waiter, owners=_variant_of_waiter)
"""By variant_id | order_id, and the list's own row by variant_id."""


def item_key(variant_id: str, location_id: str) -> str:
    """Where an item is kept."""
    return f"{variant_id}|{location_id}"


def reservation_key(order_id: str, attempt: int, variant_id: str) -> str:
    """A reservation's id."""
    return f"{order_id}|{attempt}|{variant_id}"


def promisable(item: Item, ctx: Context) -> int:
    """Available to promise; below 0 when more is promised, held or kept back than lies there."""
    free = item.on_hand - item.reserved - item.held
    location = ctx.network.locations.get(item.location_id)
    if location is not None and promises_nothing(location):
        return min(free, 0)
    return free - (0 if location is None else max(0, location.safety_stock))


def short(item: Item) -> int:
    """Reserved units that on-hand does not cover. Units a shipment delta has taken already need no cover."""
    return max(0, item.reserved + min(0, item.ahead) - max(0, item.on_hand))


def confirmed(item: Item, quantity: int) -> tuple[int, int]:
    """(on_hand, ahead) after a ship confirmation: what a delta has taken already is not deducted again."""
    deducted = quantity - min(quantity, max(0, -item.ahead))
    return item.on_hand - deducted, item.ahead + quantity


def reported(item: Item, quantity: int) -> tuple[int, int]:
    """(on_hand, ahead) after a shipment delta: what a confirmation has taken already is not deducted again."""
    deducted = quantity - min(quantity, max(0, item.ahead))
    return item.on_hand - deducted, item.ahead - quantity


def posted(item: Item, units: int) -> dict[str, int]:
    """What came in and what left in all, after `units` came in (above 0) or left (below 0)."""
    if units > 0:
        return {"received": item.received + units, "left": item.left}
    return {"received": item.received, "left": item.left - units}


def with_inbound(item: Item, inbound: Inbound) -> Item:
    """The item with the sums of what is on its way to it; at most what a snapshot can say."""
    in_transit = sum(one.units for one in inbound.expectations if one.transfer)
    expected = sum(one.units for one in inbound.expectations if not one.transfer)
    return msgspec.structs.replace(item, in_transit=min(in_transit, UNITS_MAX), expected=min(expected, UNITS_MAX))


def state_of(item: Item) -> State:
    """The item as answers show it."""
    return State(item.location_id, item.revision, item.on_hand, item.reserved, item.held)


def shown(states: tuple[State, ...]) -> tuple[ItemState, ...]:
    """States as they stand in a record."""
    return tuple(ItemState(s.location_id, s.revision, s.on_hand, s.reserved, s.held) for s in states)
