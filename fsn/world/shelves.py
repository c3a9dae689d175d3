"""Shelves: what lies where, and what the feeds of the locations report of it.

In: deeds of the day (receipts, transfers, sales elsewhere, counts), shipments, a feed's silence. Out: StockDelta,
StockCount, StockExpected and FeedHeartbeat, numbered as each feed declares, signed by its partner. A shelf's `book` is
what its feed has on record; a feed that reports no shipments takes them off its book when the goods leave. What a
silent feed would have said is said afterwards, in order. `error` is what FSN must have computed beyond the book,
because a delta was overtaken or goods went missing: the next count says so, and the truth expects STOCK_DRIFT.
"""

from random import Random
from typing import Final

import msgspec

from fsn.world.agenda import Agenda, Message, Post
from fsn.world.network import MINUTE_MS, WorldNetwork
from fsn.world.truth import Drift, Silence, Truth
from schemas.records.network import FeedDefined, VariantDefined
from schemas.records.operations import FeedHeartbeat
from schemas.records.stock import StockCount, StockDelta, StockExpected

HEARTBEAT_MS: Final = 6 * MINUTE_MS
QUIET_MS: Final = 60 * MINUTE_MS
"""After a movement that the feed's counts and FSN learn in different ways, no count of the shelf for so long."""
TASKS_APART_MS: Final = 10 * MINUTE_MS
"""So far apart the simulated clocks of two tasks may be, at the speed of the demo."""
KEPT_BACK: Final = 12
"""Units never sold elsewhere: FSN may have promised them while the feed does not know."""
TRANSFERS_SHARE: Final = 0.1
"""Of all refills; likewise those that a supplier announced."""
ANNOUNCED_SHARE: Final = 0.1
TRANSFER_MS: Final = 40 * MINUTE_MS
DELIVERY_MS: Final = 90 * MINUTE_MS
LOCATIONS_PER_VARIANT: Final = (4, 8)
HUBS_PER_VARIANT: Final = 3
"""Of them in Germany, from where the whole network is served."""


class FeedState(msgspec.Struct):
    """A feed, and when it last spoke."""

    feed: FeedDefined
    said_at: int = 0
    silent_until: int = -1
    shelves: list["Shelf"] = []


class Shelf(msgspec.Struct):
    """One variant at one location.

    assigned: units offered to the partner, not shipped yet; picked: those of them that are accepted
    """

    state: FeedState
    variant_id: str
    sku: str
    usual: int
    sequence: int = 0
    book: int = 0
    assigned: int = 0
    picked: int = 0
    error: int = 0
    gapped: bool = False
    quiet_until: int = 0

    @property
    def location_id(self) -> str:
        """Where it stands."""
        return self.state.feed.location_id

    @property
    def free(self) -> int:
        """Units nobody was promised, as far as the location knows."""
        return self.book - self.assigned


class Shelves:
    """All shelves of the network."""

    def __init__(self, network: WorldNetwork, agenda: Agenda, post: Post, truth: Truth) -> None:
        self._agenda = agenda
        self._post = post
        self._truth = truth
        self._limits = {partner.partner_id: partner.freshness_limit_ms for partner in network.partners}
        self.feeds: Final = [FeedState(feed) for feed in network.feeds]
        self.all: Final[list[Shelf]] = []
        self.at: Final[dict[tuple[str, str], Shelf]] = {}
        """By (location_id, variant_id)."""
        self._of: dict[str, list[Shelf]] = {}
        self._transfers = 0

    # the assortment ---------------------------------------------------------------------------------------------

    def furnish(self, random: Random, network: WorldNetwork, variants: tuple[VariantDefined, ...]) -> None:
        """Give each variant its locations: those able to keep it, a handful of them."""
        by_location: dict[str, list[FeedState]] = {}
        for state in self.feeds:
            by_location.setdefault(state.feed.location_id, []).append(state)
        for variant in variants:
            able = [
                location.location_id
                for location in network.locations
                if all(need in location.capabilities for need in variant.needs)
            ]
            hubs = [
                location_id for location_id in able if len(network.location[location_id].ships_to) > HUBS_PER_VARIANT
            ]
            chosen = random.sample(hubs, min(len(hubs), HUBS_PER_VARIANT))
            others = [location_id for location_id in able if location_id not in chosen]
            more = random.randint(*LOCATIONS_PER_VARIANT) - len(chosen)
            for location_id in chosen + random.sample(others, min(len(others), more)):
                state = random.choice(by_location[location_id])
                usual = random.randint(15, 70) if random.random() > 0.08 else random.randint(0, 3)
                sku = f"{state.feed.location_id[-4:].upper()}-{variant.variant_id[-9:]}"
                shelf = Shelf(state, variant.variant_id, sku, usual)
                state.shelves.append(shelf)
                self.all.append(shelf)
                self._of.setdefault(variant.variant_id, []).append(shelf)
                self.at[location_id, variant.variant_id] = shelf

    # what a day brings ------------------------------------------------------------------------------------------

    def stock_up(self, shelf: Shelf) -> None:
        """The first word of a shelf: a count."""
        shelf.book = shelf.usual
        self._count(shelf)

    def move(self, shelf: Shelf, draw: float, size: float) -> None:
        """A receipt or a sale elsewhere, whichever the shelf can bear; both numbers in [0, 1)."""
        sold = 1 + int(size * 3)
        if draw < (0.75 if shelf.book > shelf.usual else 0.45) and shelf.free - sold >= KEPT_BACK:
            self.delta(shelf, -sold, "sale")
        elif draw > 0.97 and shelf.free - 1 >= KEPT_BACK:
            self.delta(shelf, -1, "damage")
        elif shelf.usual > 3 or draw < 0.2:
            self._refill(shelf, size)
        else:
            self.delta(shelf, 1, "return_restock")

    def _refill(self, shelf: Shelf, size: float) -> None:
        """Goods come: from another location, from a supplier who said so before, or just like that."""
        now, units = self._agenda.now, 1 + int(size * 6)
        others = self._of[shelf.variant_id] if size > 1 - TRANSFERS_SHARE else ()
        source = next((other for other in others if other is not shelf and other.free - units >= KEPT_BACK), None)
        if source is not None:
            self._transfers += 1
            number = f"TR-{self._transfers}"
            self.delta(source, -units, "transfer_out", number, shelf.location_id)
            self._agenda.plan(now + TRANSFER_MS, self.delta, shelf, units, "transfer_in", number, source.location_id)
        elif size < ANNOUNCED_SHARE and not self._is_silent(shelf.state):
            number, feed = f"PO-{shelf.sku}-{now}", shelf.state.feed
            announced = StockExpected(
                feed.feed_id, feed.location_id, shelf.variant_id, shelf.sku, number, units, now + DELIVERY_MS, now
            )
            self._post.send("stock-deltas", shelf.variant_id, announced, feed.partner_id)
            self._agenda.plan(now + DELIVERY_MS, self.delta, shelf, units, "receipt", number)
        else:
            self.delta(shelf, units, "receipt")

    def delta(
        self, shelf: Shelf, quantity: int, reason: str, reference: str | None = None, counterpart: str | None = None
    ) -> Message:
        """Move the book and report it."""
        message = self._delta(shelf, quantity, reason, reference, counterpart)
        self._say(shelf.state, message)
        return message

    def repeat(self, shelf: Shelf, quantity: int) -> None:
        """Report one receipt twice: it must count once."""
        message = self.delta(shelf, quantity, "receipt")
        self._say(shelf.state, message)

    def overtake(self, shelf: Shelf, quantity: int, late_ms: int) -> None:
        """Report a receipt after the one that followed it; have the shelf counted where that loses the first."""
        feed = shelf.state.feed
        if (
            self._is_silent(shelf.state)
            or shelf.gapped
            or (feed.sequences == "monotonic" and (feed.counts_exclude_picked or shelf.error))
        ):
            return
        first = self._delta(shelf, quantity, "receipt", None)
        self.delta(shelf, 1, "receipt")
        self._agenda.plan(self._agenda.now + late_ms, self._say, shelf.state, first)
        if feed.sequences == "none":
            return
        shelf.gapped = feed.sequences == "contiguous"
        shelf.error -= quantity
        self._agenda.plan(self._agenda.now + late_ms + 10 * MINUTE_MS, self.count_surely, shelf)

    def count(self, shelf: Shelf) -> bool:
        """Count a shelf, unless goods are just moving or the feed says nothing."""
        if self._agenda.now < self._countable_at(shelf):
            return False
        self._count(shelf)
        return True

    def count_surely(self, shelf: Shelf) -> None:
        """Count a shelf, as soon as it is quiet."""
        if not self.count(shelf):
            self._agenda.plan(self._countable_at(shelf), self.count_surely, shelf)

    def lose(self, shelf: Shelf, units: int) -> None:
        """Goods go missing; the next count shows it."""
        masked = shelf.state.feed.counts_exclude_picked or shelf.gapped or shelf.error
        if not masked and shelf.free - units >= KEPT_BACK:
            shelf.book -= units
            shelf.error += units
            self.count_surely(shelf)

    # shipments --------------------------------------------------------------------------------------------------

    def ship(self, shelf: Shelf, units: int, assignment_id: str, *, delta_in_ms: int) -> None:
        """Goods leave; the feed says so as it declared, a while later."""
        shelf.assigned -= units
        shelf.picked -= units
        declared = shelf.state.feed.shipment_deltas
        if declared == "none":
            shelf.book -= units
            shelf.quiet_until = max(shelf.quiet_until, self._agenda.now + QUIET_MS)
            return
        reference = assignment_id if declared == "referenced" else None
        self._agenda.plan(self._agenda.now + delta_in_ms, self.delta, shelf, -units, "shipment", reference)

    # feeds ------------------------------------------------------------------------------------------------------

    def beat(self, state: FeedState, until_at: int) -> None:
        """Say that everything was said, every few minutes."""
        now = self._agenda.now
        if not self._is_silent(state):
            self.beat_once(state)
        if now + HEARTBEAT_MS <= until_at:
            self._agenda.plan(now + HEARTBEAT_MS, self.beat, state, until_at)

    def beat_once(self, state: FeedState) -> None:
        """One heartbeat."""
        feed, now = state.feed, self._agenda.now
        state.said_at = now
        heartbeat = FeedHeartbeat(feed.feed_id, feed.location_id, now)
        self._post.send("feed-heartbeats", feed.location_id, heartbeat, feed.partner_id)

    def fall_silent(self, state: FeedState, duration_ms: int) -> None:
        """Say nothing for a while."""
        feed, from_at = state.feed, state.said_at
        state.silent_until = self._agenda.now + duration_ms
        self._agenda.plan(state.silent_until, self.beat_once, state)
        if sum(other.feed.location_id == feed.location_id for other in self.feeds) == 1:
            limit_ms = feed.freshness_limit_ms or self._limits[feed.partner_id]
            # A task may hear the first word while its own clock is still behind it.
            until_at = state.silent_until - TASKS_APART_MS
            silence = Silence(feed.feed_id, feed.location_id, from_at, from_at + limit_ms, until_at)
            self._truth.silences.append(silence)

    def _countable_at(self, shelf: Shelf) -> int:
        return max(shelf.quiet_until, shelf.state.silent_until + 1)

    def _is_silent(self, state: FeedState) -> bool:
        return self._agenda.now <= state.silent_until

    def _say(self, state: FeedState, message: Message) -> None:
        """Send it now, or when the feed speaks again; planned for one instant, messages keep their order."""
        if self._is_silent(state):
            self._agenda.plan(state.silent_until, self._send, state, message)
        else:
            self._send(state, message)

    def _send(self, state: FeedState, message: Message) -> None:
        state.said_at = self._agenda.now
        self._post.repeat(message)

    def _delta(
        self, shelf: Shelf, quantity: int, reason: str, reference: str | None, counterpart: str | None = None
    ) -> Message:
        shelf.book += quantity
        feed, number = shelf.state.feed, self._number(shelf)
        record = StockDelta(
            feed_id=feed.feed_id,
            location_id=feed.location_id,
            variant_id=shelf.variant_id,
            namespace=feed.partner_id,
            sku=shelf.sku,
            sequence=number,
            idempotency_key=None if number is not None else f"{shelf.sku}#{shelf.sequence}",
            quantity=quantity,
            reason=reason,
            reference=reference,
            occurred_at=self._agenda.now,
            counterpart_location_id=counterpart,
        )
        return self._written(shelf, record)

    def _count(self, shelf: Shelf) -> None:
        """Report what is there; numbered as the last delta it includes."""
        feed, numbered = shelf.state.feed, shelf.state.feed.sequences != "none"
        if not numbered:
            shelf.sequence += 1
        counted = shelf.book - (shelf.picked if feed.counts_exclude_picked else 0)
        record = StockCount(
            feed_id=feed.feed_id,
            location_id=feed.location_id,
            variant_id=shelf.variant_id,
            namespace=feed.partner_id,
            sku=shelf.sku,
            sequence=shelf.sequence if numbered else None,
            idempotency_key=None if numbered else f"{shelf.sku}#{shelf.sequence}",
            quantity=max(counted, 0),
            occurred_at=self._agenda.now,
        )
        if shelf.error and not shelf.gapped:
            drift = Drift(shelf.variant_id, feed.location_id, -shelf.error, self._agenda.now)
            self._truth.stock_drifts.append(drift)
        shelf.error, shelf.gapped = 0, False
        self._say(shelf.state, self._written(shelf, record))

    def _number(self, shelf: Shelf) -> int | None:
        shelf.sequence += 1
        return shelf.sequence if shelf.state.feed.sequences != "none" else None

    def _written(self, shelf: Shelf, record: StockDelta | StockCount) -> Message:
        self._truth.deltas += 1
        return self._post.write("stock-deltas", shelf.variant_id, record, shelf.state.feed.partner_id)
