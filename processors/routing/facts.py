"""What routing is asked and what it answers: the values every step shares.

In: an order's facts, what each partition knows of feeds and loads, the offers of the stock tasks. Out: an `Outcome`.
All values are immutable; scores and ratings are integers 0 … 1,000,000, distances integer metres.
"""

from collections.abc import Callable, Mapping

import msgspec

from schemas.records.operations import FeedStatusChanged, LocationLoadChanged
from schemas.records.routing import RoutingPlan


class Demand(msgspec.Struct, frozen=True, array_like=True):
    """Units of one order line still to be placed."""

    line_no: int
    variant_id: str
    quantity: int


class OrderFacts(msgspec.Struct, frozen=True, array_like=True):
    """All that routing needs to know of an order; travels packed in RouteStock."""

    order_id: str
    attempt: int
    merchant_id: str
    channel: str
    lines: tuple[Demand, ...]
    currency: str
    country: str
    postcode_area: str
    latitude_e6: int
    longitude_e6: int
    service: str
    service_type: str
    business: bool
    promised_at: int | None
    cost_ceiling_minor: int | None
    fixed_location_id: str | None
    excluded: tuple[str, ...] = ()
    """Locations that declined, rejected, let expire or short-picked this order."""
    tier: int = 1
    """The highest tier of locations allowed: fallback raises it."""
    shipments_used: int = 0
    """Shipments of kept parts, which count against max_shipments."""
    carrier_preference: str = ""
    """The carrier the customer asked for; empty when any will do."""


class Offer(msgspec.Struct, frozen=True):
    """What one location can promise of one variant."""

    available: int
    updated_at: int
    stocked: bool
    gapped: bool


Offers = Mapping[str, Mapping[str, Offer]]
"""By variant_id, then location_id."""


class Known(msgspec.Struct, frozen=True):
    """What this partition knows of feeds and loads, by location_id; None when nothing was heard yet.

    full: carrier accounts that have no parcel left today
    """

    feed_status: Callable[[str], FeedStatusChanged | None]
    load: Callable[[str], LocationLoadChanged | None]
    full: frozenset[str] = frozenset()


class Shortlist(msgspec.Struct, frozen=True, array_like=True):
    """Locations that pass the fences which need no stock, nearest first, and who was left out by what."""

    location_ids: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    """(location_id, reason) of every other location: the fence's reason, or `limit`."""
    more_tiers: bool
    """True when a higher tier exists that this shortlist did not ask."""


class Outcome(msgspec.Struct, frozen=True):
    """The answer of `route()`."""

    plan: RoutingPlan | None
    reason: str
    """`routed`, or the fence that left no plan: what step 10 goes by."""
    audit: bytes
    inputs_digest: str
    candidates: int
