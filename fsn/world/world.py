"""World: a simulated day of the whole network, slice of time by slice of time.

In: a seed and a size; then, as the day goes on, what FSN tells partners. Out: per slice, the messages of all upstream
systems in order of time, and the ticks that end it. Everything upstream is drawn in advance from one Random(seed);
reactions depend on the seed and the assignment's id. So two worlds of one seed differ only where FSN decided otherwise.

    world = World(seed=7, orders=50, deltas=2_000, hours=4)
    publish(world.network.keyed())
    while (part := world.advance()) is not None:
        send(part.messages); tick(part.ticks)
        for at, record in read("assignments", "order-status"):
            world.hear(record, at)

After the day the merchants cancel what was not shipped, parcels arrive, bills come, orders are closed; `advance` ends
when nothing is left to do and every grace of the rules has passed.
"""

from random import Random
from typing import Final

import msgspec

from fsn.world.agenda import Agenda, Message, Post
from fsn.world.books import Books
from fsn.world.keys import KeyBook
from fsn.world.network import HOUR_MS, MINUTE_MS, WorldNetwork, build_network
from fsn.world.noise import Noise
from fsn.world.orders import Customers, Order
from fsn.world.parcels import Parcels
from fsn.world.partners import Partners
from fsn.world.shelves import HEARTBEAT_MS, Shelf, Shelves
from fsn.world.skus import name_by_skus
from fsn.world.truth import Truth
from schemas.codec import Codec
from schemas.records.base import Record
from schemas.records.mapping import AliasDefined

START_AT: Final = 1_773_705_600_000
"""2026-03-17 00:00 UTC, a Tuesday."""


class Pace(msgspec.Struct, frozen=True):
    """How finely time is cut, and how far the world may be ahead of what the worker has committed."""

    slice_ms: int
    tick_ms: int
    lead_ms: int


DAY: Final = Pace(3 * MINUTE_MS, 30_000, 7 * MINUTE_MS)
EVENING: Final = Pace(6 * MINUTE_MS, MINUTE_MS, 10 * MINUTE_MS)
"""No order comes any more; what was rejected is still routed anew."""
LATER: Final = Pace(30 * MINUTE_MS, 5 * MINUTE_MS, 45 * MINUTE_MS)
"""Nothing is routed any more; hours in which nothing happens pass in one slice."""
LONGEST_SLICE_MS: Final = 3 * HOUR_MS

STOCKING_MS: Final = 15 * MINUTE_MS
QUIET_BEFORE_GIVING_UP_MS: Final = 3 * HOUR_MS
GRACES_MS: Final = 150 * MINUTE_MS
"""After the last deed: longer than the rules' grace of reconciliation."""
LONGEST_MS: Final = 48 * HOUR_MS
"""After the day: by then whatever was not answered never will be."""
DELTAS_PER_VARIANT: Final = 50
DISCREPANCY_SHARE: Final = 0.02
NOISE_SHARE: Final = 0.001
REPEATED_DELTAS_SHARE: Final = 0.005
OVERTAKEN_DELTAS_SHARE: Final = 0.002
LOST_GOODS_SHARE: Final = 0.0002
COUNTS_SHARE: Final = 0.03


class Slice(msgspec.Struct, frozen=True):
    """A part of the day: messages, oldest first, then the instants of its ticks."""

    from_at: int
    to_at: int
    messages: list[Message]
    ticks: list[int]
    lead_ms: int


class World:
    """One simulated day. `hours` shortens it; the network keeps its size, what it stocks follows `deltas`."""

    def __init__(
        self,
        seed: int,
        *,
        orders: int = 5_000,
        deltas: int = 100_000,
        hours: int = 24,
        discrepancies: int | None = None,
        start_at: int = START_AT,
        codec: Codec | None = None,
    ) -> None:
        random = Random(seed)
        self.seed: Final = seed
        self.start_at: Final = start_at
        self.day_ends_at: Final = start_at + hours * HOUR_MS
        self.give_up_at: Final = self.day_ends_at + QUIET_BEFORE_GIVING_UP_MS
        self.network: Final[WorldNetwork] = build_network(seed)
        self.keys: Final = KeyBook(self.network, seed)
        self.truth: Final = Truth(seed, start_at, self.day_ends_at)
        self.agenda: Final = Agenda(start_at)
        self.codec: Final = Codec() if codec is None else codec
        self.post: Final = Post(self.agenda, self.keys, self.codec)
        self.shelves: Final = Shelves(self.network, self.agenda, self.post, self.truth)
        stocked = min(len(self.network.variants), max(40, deltas // DELTAS_PER_VARIANT))
        self.shelves.furnish(random, self.network, self.network.variants[:stocked])
        customers = Customers(random, self.network, self.shelves.all)
        self.orders: Final = customers.draw(
            orders,
            start_at + 2 * STOCKING_MS,
            self.day_ends_at - 90 * MINUTE_MS,
            discrepancies=round(orders * DISCREPANCY_SHARE) if discrepancies is None else discrepancies,
        )
        books = Books(self.network, self.agenda, self.post, self.truth)
        parcels = Parcels(self.agenda, self.post, self.truth, silent_until=self.day_ends_at - 4 * HOUR_MS)
        self.partners: Final = Partners(
            self.network, self.agenda, self.post, self.truth, shelves=self.shelves, parcels=parcels, books=books,
            orders={order.order_id: order for order in self.orders}, seed=seed, give_up_at=self.give_up_at,
        )  # fmt: skip
        self._books = books
        self._random = random
        self._quiet_since = start_at
        self._plan_feeds(deltas)
        self._plan_orders()
        self._plan_aliases()
        self._plan_noise(round((orders + deltas) * NOISE_SHARE))

    # the simulation ---------------------------------------------------------------------------------------------

    def advance(self, slice_ms: int | None = None) -> Slice | None:
        """The next slice of time, as long as it is best or as is said; None when nothing is left to do."""
        from_at = self.agenda.now
        if self._is_over(from_at):
            self.truth.finished_at = from_at
            self.truth.messages = dict(sorted(self.post.sent.items()))
            return None
        pace = DAY if from_at < self.day_ends_at else EVENING if from_at < self.give_up_at + HOUR_MS else LATER
        to_at = from_at + (slice_ms or pace.slice_ms)
        if pace is LATER and not slice_ms:
            idle_to = from_at + LONGEST_SLICE_MS if self.agenda.next_at is None else self.agenda.next_at
            to_at += max(0, min(idle_to, from_at + LONGEST_SLICE_MS) - to_at) // pace.tick_ms * pace.tick_ms
        self.agenda.run_until(to_at)
        if len(self.agenda):
            self._quiet_since = to_at
        ticks = list(range(from_at + pace.tick_ms, to_at + 1, pace.tick_ms))
        return Slice(from_at, to_at, self.post.collect(), ticks, pace.lead_ms)

    def hear(self, record: Record, at: int) -> None:
        """FSN wrote this on `assignments` or `order-status`, dated so."""
        self.partners.hear(record, at)

    @property
    def progress(self) -> float:
        """How much of the simulated time has passed, roughly, in [0, 1]."""
        whole = self.give_up_at + 20 * HOUR_MS - self.start_at
        return min(1.0, (self.agenda.now - self.start_at) / whole)

    @property
    def unanswered(self) -> list[str]:
        """Orders whose end FSN has not let come: none, unless something is wrong."""
        return [order.order_id for order in self.orders if not order.ended]

    def _is_over(self, now: int) -> bool:
        if now >= self.day_ends_at + LONGEST_MS:
            return True
        return not len(self.agenda) and not self.unanswered and now >= self._quiet_since + GRACES_MS

    # what is drawn in advance -----------------------------------------------------------------------------------

    def _plan_feeds(self, deltas: int) -> None:
        """Stock, heartbeats, silences, and what comes and goes all day, so many records in all."""
        random, plan = self._random, self.agenda.plan
        for shelf in self.shelves.all:
            plan(self.start_at + random.randrange(STOCKING_MS), self.shelves.stock_up, shelf)
        for state in self.shelves.feeds:
            plan(self.start_at + random.randrange(HEARTBEAT_MS), self.shelves.beat, state, self.give_up_at)
        beats = len(self.shelves.feeds) * (self.give_up_at - self.start_at) // HEARTBEAT_MS
        for _ in range(max(0, deltas - beats - len(self.shelves.all))):
            at = random.randrange(self.start_at + 2 * STOCKING_MS, self.day_ends_at)
            self._plan_delta(at, random.choice(self.shelves.all))
        self._plan_silences()

    def _plan_delta(self, at: int, shelf: Shelf) -> None:
        random, plan, draw = self._random, self.agenda.plan, self._random.random()
        if draw < COUNTS_SHARE:
            plan(at, self.shelves.count, shelf)
        elif draw < COUNTS_SHARE + REPEATED_DELTAS_SHARE:
            plan(at, self.shelves.repeat, shelf, random.randint(1, 4))
        elif draw < COUNTS_SHARE + REPEATED_DELTAS_SHARE + OVERTAKEN_DELTAS_SHARE:
            plan(at, self.shelves.overtake, shelf, random.randint(1, 4), random.randrange(MINUTE_MS, 5 * MINUTE_MS))
        elif draw > 1 - LOST_GOODS_SHARE:
            plan(at, self.shelves.lose, shelf, random.randint(1, 3))
        else:
            plan(at, self.shelves.move, shelf, random.random(), random.random())

    def _plan_silences(self) -> None:
        hours = (self.day_ends_at - self.start_at) // HOUR_MS
        for state in self._random.sample(self.shelves.feeds, max(2, hours // 3)):
            at = self.start_at + HOUR_MS + self._random.randrange((hours - 2) * HOUR_MS)
            self.agenda.plan(at, self.shelves.fall_silent, state, HOUR_MS)

    def _plan_orders(self) -> None:
        for order in self.orders:
            self.agenda.plan(order.at, self._place, order)
            if order.cancel_at is not None:
                self.agenda.plan(order.cancel_at, self._cancel, order)
        self.agenda.plan(self.give_up_at, self._give_up)

    def _plan_aliases(self) -> None:
        random = Random(f"skus|{self.seed}")
        for alias in name_by_skus(self.orders, self.network, random, open_at=self.start_at + STOCKING_MS):
            record = AliasDefined(alias.alias_id, alias.variant_id, 1, 1, alias.merchant_id, alias.at)
            self.agenda.plan(alias.at, self.post.send, "aliases", alias.alias_id, record, alias.merchant_id)

    def _plan_noise(self, count: int) -> None:
        noise = Noise(
            self.network, self.agenda, self.post, self.truth, orders=self.orders, shelves=self.shelves.all,
            random=Random(f"noise|{self.seed}"),
        )  # fmt: skip
        first_at = self.orders[len(self.orders) // 4].at if self.orders else self.day_ends_at
        for number in range(max(count, len(noise.kinds))):
            self.agenda.plan(self._random.randrange(first_at, self.day_ends_at), noise.make, number)
        self.agenda.plan((first_at + self.day_ends_at) // 2, noise.huge)

    def _place(self, order: Order) -> None:
        message = self.post.send("orders", order.order_id, order.sent, order.placed.merchant_id)
        self.truth.orders_placed.append(order.order_id)
        self.truth.units_ordered += order.units
        if order.is_repeated:
            self.truth.orders_repeated += 1
            self.agenda.plan(self.agenda.now + 5 * MINUTE_MS, self.post.repeat, message)
        self._books.placed(order, self._random)

    def _cancel(self, order: Order) -> None:
        self.truth.orders_cancelled.append(order.order_id)
        self.partners.cancel(order)

    def _give_up(self) -> None:
        """The morning after, merchants cancel what has not been shipped."""
        for order in self.orders:
            if not order.is_complete and not order.cancel_sent:
                self.truth.orders_given_up.append(order.order_id)
                self.partners.cancel(order)
