"""Staleness: what a freshness limit costs each partner in decisions, and what it saves from being sold short.

In: a capture of a run's evaluations, and what feeds reported of stock, with when it happened and when it came. Out: per partner, the
decisions it would win if its stock were trusted however old it is; of these, how many it loses at each limit, and how many
would have been wrong: units promised that were gone by then, as reports that came later tell. The limit that trades best has
the least of both, a short pick counted as often as the caller says.

Each evaluation is asked once more with all limits off; gaps stay fences. Goods that leave with an order's own shipment are no
surprise, so that such reports do not count. What was never reported at all is nobody's knowledge.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from fsn.backtesting.capture import Captured, read, shared_of
from fsn.backtesting.evaluations import Evaluation, offers_of, picture_of
from fsn.recording import Recording
from processors.network import Network, changed
from processors.routing.facts import Known, Offers
from processors.routing.pipeline import decide
from processors.routing.tariffs import currency_of
from schemas.codec import Codec
from schemas.records.network import LocationDefined
from schemas.records.stock import StockDelta
from streams.broadcast import NetworkCopy
from streams.machine import Raw

MINUTE_MS: Final = 60_000
LIMITS_MIN: Final = (5, 10, 15, 20, 30, 45, 60, 90, 120, 240)
NO_LIMIT_MS: Final = 1 << 50
TOPICS: Final = ("stock-deltas", "mapped-stock")

Place = tuple[str, str]
"""(variant_id, location_id)."""


class Win(msgspec.Struct, frozen=True):
    """A decision that a location would win if nobody asked how old its stock is.

    age_ms: of the oldest item promised; wrong: something promised was gone; saved_minor: what it would cost less than what was
    decided, in `currency`; None where nothing was
    """

    partner_id: str
    location_id: str
    order_id: str
    age_ms: int
    limit_ms: int
    wrong: bool
    saved_minor: int | None
    currency: str


class AtLimit(msgspec.Struct, frozen=True):
    """At one limit: decisions lost that would have been right, and decisions won that would have been wrong."""

    limit_ms: int
    lost: int
    wrong: int


class Partner(msgspec.Struct, frozen=True):
    """One partner.

    limits_ms: in force at its locations; wins: decisions it would win without a limit; lost: of these, those it lost in the run;
    lost_wrong: of the lost ones, those that would have been wrong; saved_minor: what the others would have cost less than
    what was decided, by currency; unrouted: of the lost ones, those for which nothing was decided
    """

    partner_id: str
    limits_ms: tuple[int, ...]
    wins: int
    lost: int
    lost_wrong: int
    saved_minor: dict[str, int]
    unrouted: int
    at: tuple[AtLimit, ...]
    best_ms: int


class Reports:
    """What feeds reported, by item: when it came, when it had happened, and how much."""

    def __init__(self, deltas: Iterable[tuple[int, StockDelta]]) -> None:
        self._came: dict[Place, list[int]] = {}
        self._said: dict[Place, list[tuple[int, int]]] = {}
        for at, delta in sorted(deltas, key=lambda one: one[0]):
            if delta.variant_id is None or delta.reason == "shipment":
                continue
            place = delta.variant_id, delta.location_id
            self._came.setdefault(place, []).append(at)
            self._said.setdefault(place, []).append((delta.occurred_at, delta.quantity))

    def unknown(self, place: Place, at: int) -> int:
        """Units by which an item had changed by an instant without anybody having said so yet."""
        came = self._came.get(place)
        if came is None:
            return 0
        later = self._said[place][bisect_right(came, at) :]
        return sum(quantity for occurred_at, quantity in later if occurred_at <= at)


def reports_of(recording: Recording) -> Reports:
    """Of a recorded run."""
    return Reports(
        (raw.timestamp, record)
        for topic in TOPICS
        for partition in range(recording.topology.topics[topic].partitions)
        for raw, record in recording.decoded(topic, partition)
        if isinstance(record, StockDelta)
    )


def wins_of(captured: Captured, reports: Reports) -> list[Win]:
    """Every decision that somebody would win without limits."""
    shared = shared_of(captured)
    copy, codec = NetworkCopy(), Codec()
    copy.read([Raw("network", 0, offset, at, b"", value) for offset, at, value in shared.network], codec.decode)
    unlimited: dict[int, Network] = {}
    found: list[Win] = []
    for one in read(captured.path):
        network = copy.at(one.network_version)
        other = unlimited.get(one.network_version)
        if other is None:
            unlimited.clear()  # evaluations come in the order of their partition's log
            other = unlimited[one.network_version] = _without_limits(network)
        known, offers = picture_of(shared.known, one.known), offers_of(one.offers, one.shortlist)
        found += _wins(one, offers, known, network, other, reports)
    return found


def partners_of(wins: Sequence[Win], *, short_costs: int) -> list[Partner]:
    """The partners by how much they lose. short_costs: how many lost decisions one wrong decision is worth"""
    by_partner: dict[str, list[Win]] = {}
    for win in wins:
        by_partner.setdefault(win.partner_id, []).append(win)
    partners = [_partner(name, own, short_costs) for name, own in by_partner.items()]
    return sorted(partners, key=lambda one: (-one.lost, one.partner_id))


def _partner(partner_id: str, wins: Sequence[Win], short_costs: int) -> Partner:
    lost = [win for win in wins if win.age_ms > win.limit_ms]
    saved_minor: Counter[str] = Counter()
    for win in lost:
        if win.saved_minor is not None and not win.wrong:
            saved_minor[win.currency] += win.saved_minor
    limits = [limit * MINUTE_MS for limit in LIMITS_MIN]
    at = tuple(
        AtLimit(
            limit_ms,
            lost=sum(win.age_ms > limit_ms and not win.wrong for win in wins),
            wrong=sum(win.age_ms <= limit_ms and win.wrong for win in wins),
        )
        for limit_ms in limits
    )
    best = min(at, key=lambda one: (one.lost + short_costs * one.wrong, one.limit_ms))
    return Partner(
        partner_id,
        tuple(sorted({win.limit_ms for win in wins})),
        wins=len(wins),
        lost=len(lost),
        lost_wrong=sum(win.wrong for win in lost),
        saved_minor=dict(sorted(saved_minor.items())),
        unrouted=sum(win.saved_minor is None for win in lost),
        at=at,
        best_ms=best.limit_ms,
    )


def _wins(
    one: Evaluation, offers: Offers, known: Known, network: Network, other: Network, reports: Reports
) -> list[Win]:
    plan, _ = decide(one.facts, one.shortlist, offers, other, known, one.now_at)
    if plan is None:
        return []
    found: list[Win] = []
    for part in plan.parts:
        location = network.locations[part.location_id]
        status = known.feed_status(part.location_id)
        complete_to_at = 0 if status is None else status.complete_to_at
        units: dict[str, int] = {}
        for line in part.lines:
            units[line.variant_id] = units.get(line.variant_id, 0) + line.quantity
        asked = {variant_id: offers[variant_id][part.location_id] for variant_id in units}
        known_at = min(max(offer.updated_at, complete_to_at) for offer in asked.values())
        wrong = any(
            offer.available + reports.unknown((variant_id, part.location_id), one.now_at) < units[variant_id]
            for variant_id, offer in asked.items()
        )
        win = Win(
            partner_id=location.partner_id,
            location_id=part.location_id,
            order_id=one.facts.order_id,
            age_ms=max(0, one.now_at - known_at),
            limit_ms=_limit_ms(network, location),
            wrong=wrong,
            saved_minor=None if one.plan is None else one.plan.cost_minor - plan.cost_minor,
            currency=currency_of(network, one.facts),
        )
        found.append(win)
    return found


def _limit_ms(network: Network, location: LocationDefined) -> int:
    """The strictest of its feeds, else its partner's; 0 where nobody knows."""
    known = [
        limit
        for feed in network.feeds.values()
        if feed.location_id == location.location_id and (limit := network.freshness_limit_ms(feed.feed_id)) is not None
    ]
    partner = network.partners.get(location.partner_id)
    return min(known, default=0 if partner is None else partner.freshness_limit_ms)


def _without_limits(network: Network) -> Network:
    """The same reference data, where no stock is ever too old."""
    no_limit = {"freshness_limit_ms": NO_LIMIT_MS}
    return changed(
        network,
        feeds={name: msgspec.structs.replace(feed, **no_limit) for name, feed in network.feeds.items()},
        partners={name: msgspec.structs.replace(partner, **no_limit) for name, partner in network.partners.items()},
    )


def as_json(partners: Sequence[Partner]) -> list[Mapping[str, object]]:
    """The partners as JSON would have them."""
    told: list[Mapping[str, object]] = msgspec.to_builtins(partners)
    return told
