"""Evaluations: what `route()` was given once, small enough to keep by the hundred thousand, and given again.

In: `Inputs` heard in a replay. Out: an `Evaluation` beside tables of what many evaluations share; and, from these, offers and
knowledge as `route()` takes them. What was known of feeds and loads is kept whole, of every location: other rules may want others.
"""

from collections.abc import Mapping, Sequence

import msgspec

from processors.routing.changes import Inputs
from processors.routing.facts import Known, Offer, Offers, OrderFacts, Shortlist
from schemas.records.operations import FeedStatusChanged, LocationLoadChanged
from schemas.records.routing import RoutingPlan

Packed = tuple[list[FeedStatusChanged], list[LocationLoadChanged], list[tuple[list[int], list[int], list[str]]]]
"""Distinct feed states, distinct loads, and per picture the numbers of both and the full accounts."""

OfferRow = tuple[int, int, bool, bool]
"""(available, updated_at, stocked, gapped)"""


class Evaluation(msgspec.Struct, frozen=True, array_like=True):
    """One evaluation. offers: by variant, one for each location of the shortlist; known: the number of what was known"""

    facts: OrderFacts
    shortlist: Shortlist
    offers: dict[str, list[OfferRow]]
    network_version: int
    known: int
    now_at: int
    plan: RoutingPlan | None
    reason: str


class Shared(msgspec.Struct, frozen=True, array_like=True):
    """What the evaluations of one run share.

    evaluations: how many there are; left_out: of transactions that today's code does not repeat; unproven: that gave
        another audit once they were unpacked
    network: (offset, timestamp, bytes) of the reference data
    """

    evaluations: int
    left_out: int
    unproven: int
    network: list[tuple[int, int, bytes]]
    known: Packed


class Pictures:
    """What partitions had heard of feeds and loads: each value, and each whole picture of them, kept once."""

    def __init__(self) -> None:
        self._statuses: dict[FeedStatusChanged, int] = {}
        self._loads: dict[LocationLoadChanged, int] = {}
        self._pictures: dict[tuple[tuple[int, ...], tuple[int, ...], tuple[str, ...]], int] = {}

    def note(self, inputs: Inputs) -> int:
        """The number of the picture that an evaluation saw."""
        names = list(inputs.network.locations)
        statuses = [found for name in names if (found := inputs.known.feed_status(name)) is not None]
        loads = [load for name in names if (load := inputs.known.load(name)) is not None]
        picture = (
            tuple(self._statuses.setdefault(one, len(self._statuses)) for one in statuses),
            tuple(self._loads.setdefault(one, len(self._loads)) for one in loads),
            tuple(sorted(inputs.known.full)),
        )
        return self._pictures.setdefault(picture, len(self._pictures))

    def packed(self) -> Packed:
        """As `Shared` keeps them."""
        pictures = [(list(statuses), list(loads), list(full)) for statuses, loads, full in self._pictures]
        return list(self._statuses), list(self._loads), pictures


def picture_of(packed: Packed, number: int) -> Known:
    """One of them, as `route()` asks for it."""
    statuses, loads, pictures = packed
    of_feeds = {statuses[index].location_id: statuses[index] for index in pictures[number][0]}
    of_loads = {loads[index].location_id: loads[index] for index in pictures[number][1]}
    return Known(of_feeds.get, of_loads.get, frozenset(pictures[number][2]))


def packed_offers(inputs: Inputs) -> dict[str, list[OfferRow]]:
    """The offers in the order of the shortlist."""
    names = inputs.shortlist.location_ids
    return {variant_id: [_row(at[name]) for name in names] for variant_id, at in inputs.offers.items()}


def offers_of(packed: Mapping[str, Sequence[OfferRow]], shortlist: Shortlist) -> Offers:
    """The offers again."""
    names = shortlist.location_ids
    return {
        variant_id: {name: Offer(*row) for name, row in zip(names, rows, strict=True)}
        for variant_id, rows in packed.items()
    }


def _row(offer: Offer) -> OfferRow:
    return offer.available, offer.updated_at, offer.stocked, offer.gapped
