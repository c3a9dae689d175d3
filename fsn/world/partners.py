"""Partners: the reactive half of the world. They read what they are offered, and answer as partners do.

In: AssignmentOffered and AssignmentClosed from `assignments`, OrderParked from `order-status`. Out, after a while:
AssignmentAccepted (some of it only, for a few), AssignmentRejected, silence until the offer expires, what the partner's
ERP allocates where it has one (a few things it cannot), Shipped (in two goes, for a few); and then what follows from a
shipment: deltas as the feed declares, parcels, bills, the ERP's invoice.

What a partner does depends on the assignment's id alone, so it does not matter when the offer is read. While a cancel
is out, the partners of that order wait for its outcome: whoever answered meanwhile would rightly be refused.
"""

from random import Random
from typing import Final

import msgspec

from fsn.world.agenda import Agenda, Deed, Post
from fsn.world.books import Books
from fsn.world.network import MINUTE_MS, WorldNetwork
from fsn.world.orders import Order
from fsn.world.parcels import Parcels, tracking_number
from fsn.world.shelves import QUIET_MS, Shelf, Shelves
from fsn.world.truth import Truth
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentClosed,
    AssignmentOffered,
    AssignmentRejected,
    ItemQuantity,
    Shipped,
    Track,
)
from schemas.records.base import Record
from schemas.records.orders import OrderCancelled
from schemas.records.partner_work import AllocationConfirmed, AllocationFailed, Invoiced
from schemas.records.routing import OrderParked

BROKEN_SHARE: Final = 0.003
SILENT_SHARE: Final = 0.005
REJECTED_SHARE: Final = 0.03
PARTIAL_SHARE: Final = 0.02
SPLIT_SHARE: Final = 0.04
REPEATED_SHARE: Final = 0.01
DELTA_FIRST_SHARE: Final = 0.15
UNALLOCATED_SHARE: Final = 0.03
PAUSE_MS: Final = 12 * MINUTE_MS
"""Before a cancel, partners do nothing: what they say reaches FSN before the cancel does."""


Answer = AssignmentAccepted | AssignmentRejected | AllocationConfirmed | AllocationFailed | Shipped | Invoiced


class Work(msgspec.Struct):
    """One assignment at a partner."""

    offered: AssignmentOffered
    order: Order
    random: Random
    shelves: dict[int, Shelf]
    open: dict[int, int]
    """Units by item: neither refused nor shipped."""
    accepted: bool = False
    ended: bool = False
    said: int = 0
    """Answers sent."""


class Partners:
    """All partners of the network."""

    def __init__(
        self, network: WorldNetwork, agenda: Agenda, post: Post, truth: Truth, *, shelves: Shelves, parcels: Parcels,
        books: Books, orders: dict[str, Order], seed: int, give_up_at: int,
    ) -> None:  # fmt: skip
        self._network = network
        self._agenda = agenda
        self._post = post
        self._truth = truth
        self._shelves = shelves
        self._parcels = parcels
        self._books = books
        self._orders = orders
        self._seed = seed
        self._give_up_at = give_up_at
        self._work: dict[str, Work] = {}

    # what they read ---------------------------------------------------------------------------------------------

    def hear(self, record: Record, at: int) -> None:
        """Take note of a record that was written at an instant."""
        match record:
            case AssignmentOffered():
                self._offered(record, at)
            case AssignmentClosed() if record.status in ("expired", "withdrawn"):
                self._closed(record)
            case OrderParked() if record.status in ("cancelled", "cancel_refused"):
                self._cancel_answered(record)
            case _:
                pass

    def _offered(self, offered: AssignmentOffered, at: int) -> None:
        order = self._orders.get(offered.order_id)
        if order is None or offered.assignment_id in self._work:
            return
        random = Random(f"{self._seed}|{offered.assignment_id}")
        items = {line.line_no: line.quantity for line in offered.lines}
        shelves = {line.line_no: self._shelves.at[offered.location_id, line.variant_id] for line in offered.lines}
        work = Work(offered, order, random, shelves, items)
        self._work[offered.assignment_id] = work
        order.open_assignments.add(offered.assignment_id)
        for number, units in items.items():
            shelves[number].assigned += units
        self._agenda.plan(at + random.randrange(MINUTE_MS, 18 * MINUTE_MS), self._answer, work)

    def _closed(self, closed: AssignmentClosed) -> None:
        work = self._work.get(closed.assignment_id)
        if work is None:
            return
        if work.said and not work.order.cancel_sent:
            for _ in range(work.said):  # our answer, a rejection of everything too, and its end have crossed
                what = f"an answer to assignment {closed.assignment_id}, {closed.status} meanwhile"
                self._truth.plant("ILLEGAL_TRANSITION", "partner-responses", closed.location_id, what)
        if work.ended:
            return
        for number in list(work.open):
            self._drop(work, number)
        self._end(work)

    def _cancel_answered(self, record: OrderParked) -> None:
        order = self._orders.get(record.order_id)
        if order is None or not order.held:
            return
        order.held = False
        waiting, order.waiting = order.waiting, []
        if record.status == "cancelled":
            self._books.unshipped(order)
            return
        for deed, arguments in waiting:
            self._agenda.plan(self._agenda.now + MINUTE_MS, deed, *arguments)
        self._agenda.plan(self._agenda.now + 30 * MINUTE_MS, self._look_whether_done, order)

    # what they do -----------------------------------------------------------------------------------------------

    def cancel(self, order: Order) -> None:
        """The customer, or the merchant in the end, wants the order no more."""
        if order.cancel_sent:
            return
        order.cancel_sent = order.held = True
        for assignment_id in order.open_assignments:
            for shelf in self._work[assignment_id].shelves.values():
                shelf.quiet_until = max(shelf.quiet_until, self._agenda.now + QUIET_MS)
        record = OrderCancelled(order.order_id, "the customer changed their mind", self._agenda.now)
        self._post.send("orders", order.order_id, record, order.placed.merchant_id)

    def _answer(self, work: Work) -> None:
        if self._must_wait(work.order, self._answer, work) or work.ended:
            return
        random, offered = work.random, work.offered
        draw = random.random()
        if draw < BROKEN_SHARE and self._breaks(work):
            return
        if draw < BROKEN_SHARE + SILENT_SHARE:
            return
        refused = self._refused(work, draw - BROKEN_SHARE - SILENT_SHARE)
        ids = (offered.assignment_id, offered.order_id, offered.location_id)
        items = tuple(
            ItemQuantity(number, units - refused.get(number, 0)) for number, units in sorted(work.open.items())
        )
        for number, units in refused.items():
            self._drop(work, number, units)
        if not work.open:
            self._say(work, AssignmentRejected(*ids, (), random.choice(("damaged", "not found", "no time")), self._now))
            self._end(work)
            return
        self._say(work, AssignmentAccepted(*ids, items, self._now))
        work.accepted = True
        for number, units in work.open.items():
            work.shelves[number].picked += units
        if offered.erp_allocation:
            self._agenda.plan(self._now + random.randrange(2, 10) * MINUTE_MS, self._allocate, work)
        else:
            self._plan_shipments(work)

    def _allocate(self, work: Work) -> None:
        """The ERP sets aside what was accepted, or finds that it is promised to somebody else."""
        if self._must_wait(work.order, self._allocate, work) or work.ended:
            return
        offered = work.offered
        ids = (offered.assignment_id, offered.order_id, offered.location_id)
        if work.random.random() < UNALLOCATED_SHARE:
            self._say(work, AllocationFailed(*ids, (), "reserved for another customer", self._now))
            for number in list(work.open):
                self._drop(work, number)
            self._end(work)
            return
        self._say(work, AllocationConfirmed(*ids, (), self._now))
        self._plan_shipments(work)

    def _invoice(self, work: Work) -> None:
        """The ERP bills what was shipped."""
        offered = work.offered
        ids = (offered.assignment_id, offered.order_id, offered.location_id)
        self._say(work, Invoiced(*ids, f"RE-{offered.assignment_id}", self._now))

    def _refused(self, work: Work, draw: float) -> dict[int, int]:
        """Units by item that the partner will not ship."""
        items = work.open
        if draw < REJECTED_SHARE:
            return dict(items)
        if draw < REJECTED_SHARE + PARTIAL_SHARE and sum(items.values()) > 1:
            number = max(items, key=lambda each: (items[each], each))
            return {number: 1 if work.offered.partials else items[number]}
        return self._missing(work)

    def _missing(self, work: Work) -> dict[int, int]:
        """Units by item that lie on no shelf: the offer has crossed with the damage that the feed tells of."""
        missing: dict[int, int] = {}
        for number, units in work.open.items():
            shelf = work.shelves[number]
            there = max(0, shelf.book - shelf.picked)
            if there < units:
                missing[number] = units - there if work.offered.partials else units
        return missing

    def _breaks(self, work: Work) -> bool:
        """All of an item turns out to be broken: the feed says so, and the partner waits to be asked no more."""
        shelf = next(iter(work.shelves.values()))
        alone = shelf.assigned == next(iter(work.open.values()))
        if not alone or shelf.gapped or shelf.error or self._now <= shelf.state.silent_until or len(work.shelves) > 1:
            return False
        self._shelves.delta(shelf, -shelf.book, "damage")
        return True

    def _plan_shipments(self, work: Work) -> None:
        random, units = work.random, dict(work.open)
        first_at = self._now + random.randrange(20, 150) * MINUTE_MS
        if work.offered.partials and sum(units.values()) > 1 and random.random() < SPLIT_SHARE:
            number = max(units, key=lambda each: (units[each], each))
            units[number] -= 1
            if not units[number]:
                del units[number]
            self._agenda.plan(first_at + 25 * MINUTE_MS, self._ship, work, {number: 1})
        self._agenda.plan(first_at, self._ship, work, units)

    def _ship(self, work: Work, items: dict[int, int]) -> None:
        if self._must_wait(work.order, self._ship, work, items) or work.ended:
            return
        random, offered = work.random, work.offered
        delta_first = random.random() < DELTA_FIRST_SHARE
        delta_in_ms = 0 if delta_first else random.randrange(10 * MINUTE_MS)
        for number, units in items.items():
            shelf = work.shelves[number]
            self._shelves.ship(shelf, units, offered.assignment_id, delta_in_ms=delta_in_ms)
            work.open[number] -= units
            if not work.open[number]:
                del work.open[number]
        account = self._network.account.get(offered.account_id)
        carrier = "" if account is None else account.carrier
        parcels = 0 if not carrier else 2 if sum(items.values()) > 3 and random.random() < 0.5 else 1
        tracks = [tracking_number(carrier, random) for _ in range(parcels)]
        if delta_first and work.shelves[next(iter(items))].state.feed.shipment_deltas != "none":
            self._agenda.plan(self._now + 2 * MINUTE_MS, self._confirm, work, items, carrier, tracks)
        else:
            self._confirm(work, items, carrier, tracks)

    def _confirm(self, work: Work, items: dict[int, int], carrier: str, tracks: list[str]) -> None:
        """Tell FSN what left; parcels and bills follow."""
        offered, order, random = work.offered, work.order, work.random
        location = self._network.location[offered.location_id]
        shipment_id = f"{location.postcode[:2]}{random.getrandbits(40):010x}".upper()
        record = Shipped(
            shipment_id=shipment_id,
            assignment_id=offered.assignment_id,
            order_id=offered.order_id,
            location_id=offered.location_id,
            items=tuple(ItemQuantity(number, units) for number, units in sorted(items.items())),
            tracks=tuple(Track(carrier, offered.service, number) for number in tracks),
            cash_on_delivery_minor=None,
            package_value_minor=None,
            occurred_at=self._now,
        )
        self._say(work, record)
        for number, units in items.items():
            order.shipped[number] = order.shipped.get(number, 0) + units
            self._truth.units_shipped += units
        for track in tracks:
            last_at = self._parcels.send_off(order, location, carrier, track, random)
            order.last_event_at = max(order.last_event_at, last_at)
        self._books.shipped(order, offered.account_id, shipment_id, tracks=tracks, items=items, random=random)
        if not work.open:
            self._end(work)
            if offered.erp_invoicing:
                self._agenda.plan(self._now + random.randrange(5, 60) * MINUTE_MS, self._invoice, work)
        if order.is_complete:
            self._books.complete(order, random)

    def _look_whether_done(self, order: Order) -> None:
        """After a refused cancel: once nothing more will leave, the books are settled."""
        if any(self._work[assignment_id].accepted for assignment_id in order.open_assignments):
            self._agenda.plan(self._now + 30 * MINUTE_MS, self._look_whether_done, order)
        elif order.shipped:
            self._books.complete(order, Random(f"{self._seed}|{order.order_id}"))

    # helpers ----------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> int:
        return self._agenda.now

    def _must_wait(self, order: Order, deed: Deed, *arguments: object) -> bool:
        """Whether a cancel is out or near; then the deed waits for its outcome."""
        near = not order.cancel_sent and (
            (order.cancel_at is not None and self._now >= order.cancel_at - PAUSE_MS)
            or self._now >= self._give_up_at - PAUSE_MS
        )
        if order.held or near:
            order.waiting.append((deed, arguments))
        return order.held or near

    def _say(self, work: Work, record: Answer) -> None:
        location = self._network.location[record.location_id]
        message = self._post.send("partner-responses", record.location_id, record, location.partner_id)
        work.said += 1
        if work.random.random() < REPEATED_SHARE:
            work.said += 1
            self._post.repeat(message)

    def _drop(self, work: Work, number: int, units: int | None = None) -> None:
        """Units that will not leave."""
        dropped = work.open[number] if units is None else units
        shelf = work.shelves[number]
        shelf.assigned -= dropped
        if work.accepted:
            shelf.picked -= dropped
        work.open[number] -= dropped
        if not work.open[number]:
            del work.open[number]

    def _end(self, work: Work) -> None:
        work.ended = True
        work.order.open_assignments.discard(work.offered.assignment_id)
