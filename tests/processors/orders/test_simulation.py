"""Orders against a small stock task and a small location task, in any interleaving: what must never happen.

Two orders compete for the same units. Hypothesis chooses what happens next: a request arrives or is lost to the
dead letters, an answer arrives or arrives again much later, partners accept, refuse and ship, offers expire, stock
comes and goes, customers cancel, time passes. After every step the laws that hold always are checked; at the end the
world is left to calm down, and then every reservation must be consumed, released or behind a current part.
"""

import random
import struct
from collections import deque

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.orders import planning
from processors.orders.rows import Phase, open_demand, unshipped
from processors.routing.facts import Offer, OrderFacts, Shortlist
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentDeclined,
    AssignmentExpired,
    AssignmentRejected,
    AssignmentRequested,
    AssignmentWithdrawalRefused,
    AssignmentWithdrawn,
    ItemQuantity,
    Shipped,
    Track,
)
from schemas.records.orders import OrderCancelled
from schemas.records.reservations import (
    AskStock,
    ConfirmReservation,
    ConsumeStock,
    ItemState,
    ReleaseStock,
    ReservationDenied,
    ReservationGranted,
    ReserveStock,
    RevocationAsked,
    RouteStock,
    StockOffered,
    StockRouted,
    StockUnroutable,
    StockWoken,
    StopWaiting,
    WaitForStock,
)
from schemas.records.routing import OrderParked, RoutingDecision
from tests.processors.orders.world import (
    BERLIN,
    LAGER,
    PARIS,
    SHOE,
    SOCK,
    T0,
    WIEN,
    bench,
    line,
    order,
    simple_route,
)

FIRST, SECOND = "acme|shop|1", "acme|shop|2"
ORDERS = {
    FIRST: order(line(1, SHOE, 2), line(2, SOCK, 1), order_id=FIRST),
    SECOND: order(line(1, SHOE, 1), line(2, SHOE, 1), order_id=SECOND),
}
PLACES = (BERLIN, LAGER, PARIS, WIEN)
HOUR_MS = 3_600_000
LIKELY = (
    *["deliver"] * 30,
    *["answer"] * 30,
    *["decide"] * 8,
    *["ship"] * 5,
    *["repeat"] * 6,
    *["tick"] * 4,
    *["expire", "lose", "shrink", "restock"] * 3,
    "place",
    "cancel",
)
"""What happens, as often as it is likely."""
ENDS = (Phase.FULFILLED, Phase.CANCELLED, Phase.REVIEW)


@pytest.fixture(autouse=True)
def _consolidating(simple_routing, monkeypatch):
    monkeypatch.setattr(planning, "route", consolidating_route)


def consolidating_route(facts, chosen, offers, *others):
    """The first location that has everything, else greedy: so another plan may drop what the first one held."""
    for place in chosen.location_ids:
        only = msgspec.structs.replace(chosen, location_ids=(place,))
        outcome = simple_route(facts, only, offers, *others)
        if outcome.plan is not None:
            return outcome
    return simple_route(facts, chosen, offers, *others)


class Stock:
    """A stock task that is right by sight: one dict of reservations, from which everything else is summed."""

    def __init__(self):
        self.on_hand = {(v, place): 2 if place == BERLIN else 1 for v in (SHOE, SOCK) for place in PLACES}
        self.live: dict[tuple[str, int, str], dict[str, int]] = {}
        self.answers: dict[tuple[str, int, str], object] = {}
        self.buried: set[tuple[str, int, str]] = set()
        self.waiting: dict[tuple[str, str], WaitForStock] = {}
        self.released: set[tuple[object, ...]] = set()
        self.shipped = 0
        self.hears = {
            AskStock: self.ask,
            RouteStock: self.route,
            ReserveStock: self.reserve,
            ReleaseStock: self.release,
            ConsumeStock: self.consume,
            ConfirmReservation: self.confirm,
            WaitForStock: self.wait,
            StopWaiting: self.stop_waiting,
        }

    def reserved(self, variant_id, place):
        return sum(units.get(place, 0) for key, units in self.live.items() if key[2] == variant_id)

    def available(self, variant_id, place):
        # one unit of safety stock in Wien
        return max(0, self.on_hand[variant_id, place] - self.reserved(variant_id, place) - (place == WIEN))

    def hear(self, record):
        return self.hears[type(record)](record) or []

    def ask(self, record):
        units = [self.available(record.variant_id, place) for place in record.location_ids]
        count = len(units)
        packed = struct.pack(f"<{count}i", *units), struct.pack(f"<{count}q", *[T0] * count), b"\1" * count
        return [StockOffered(record.order_id, record.attempt, record.variant_id, record.location_ids, *packed)]

    def route(self, record):
        key = record.order_id, record.attempt, record.variant_id
        if key in self.buried:
            return [ReservationDenied(*key, "released_before", ())]
        if key in self.answers:
            return [self.answers[key]]
        facts = msgspec.msgpack.decode(record.order, type=OrderFacts)
        chosen = msgspec.msgpack.decode(record.shortlist, type=Shortlist)
        assert (facts.order_id, facts.attempt) == key[:2]
        at = {place: Offer(self.available(record.variant_id, place), T0, True, False) for place in chosen.location_ids}
        outcome = simple_route(facts, chosen, {record.variant_id: at})
        if outcome.plan is None:
            return [StockUnroutable(*key, b"", outcome.reason)]  # not remembered: asked again, it may be granted
        self.live[key] = {p.location_id: sum(x.quantity for x in p.lines) for p in outcome.plan.parts}
        self.answers[key] = StockRouted(*key, outcome.plan, (), b"")
        return [self.answers[key]]

    def reserve(self, record):
        key = record.order_id, record.attempt, record.variant_id
        if key in self.buried:
            return [ReservationDenied(*key, "released_before", ())]
        if key in self.answers:
            return [self.answers[key]]
        if any(self.available(record.variant_id, x.location_id) < x.quantity for x in record.lines):
            items = tuple(self.state(record.variant_id, x.location_id) for x in record.lines)
            return [ReservationDenied(*key, "stock_short", items)]  # not remembered either
        self.live[key] = {x.location_id: x.quantity for x in record.lines}
        self.answers[key] = ReservationGranted(*key, (), record.lines)
        return [self.answers[key]]

    def state(self, variant_id, place):
        return ItemState(place, 1, self.on_hand[variant_id, place], self.reserved(variant_id, place), 0)

    def release(self, record):
        key = record.order_id, record.attempt, record.variant_id
        units = self.live.get(key, {})
        if not record.lines:
            self.live.pop(key, None)
            self.buried.add(key)
        elif (name := (*key, record.release_id)) not in self.released:
            self.released.add(name)
            for x in record.lines:
                units[x.location_id] -= x.quantity
                assert units[x.location_id] >= 0, "released more than was held"
        return self.wake()

    def consume(self, record):
        units = self.live[record.order_id, record.attempt, record.variant_id]
        units[record.location_id] -= record.quantity
        assert units[record.location_id] >= 0, "consumed more than was held"
        self.on_hand[record.variant_id, record.location_id] -= record.quantity
        self.shipped += record.quantity

    def confirm(self, record):
        assert sum(self.live[record.order_id, record.attempt, record.variant_id].values()) > 0

    def wait(self, record):
        self.waiting[record.variant_id, record.order_id] = record

    def stop_waiting(self, record):
        self.waiting.pop((record.variant_id, record.order_id), None)

    def wake(self):
        return [
            StockWoken(wait.order_id, wait.variant_id, place, wait.quantity)
            for wait in self.waiting.values()
            for place in wait.location_ids
            if self.available(wait.variant_id, place) >= wait.quantity
        ]

    def lose(self, variant_id, place):
        """A unit is found missing: the newest reservation there is asked to give back."""
        self.on_hand[variant_id, place] -= 1
        if self.on_hand[variant_id, place] >= self.reserved(variant_id, place):
            return []
        holders = [key for key, units in self.live.items() if key[2] == variant_id and units.get(place)]
        return [RevocationAsked(*holders[-1], place, 1)]


class Location:
    """A location task as its contract says: each unit is reported once, and what has ended is ended."""

    def __init__(self):
        self.assignments: dict[str, dict[str, object]] = {}

    def hear(self, record, *, decline):
        name = record.assignment_id
        ids = name, record.order_id, record.location_id
        known = self.assignments.get(name)
        if isinstance(record, AssignmentRequested):
            if known is not None:
                return [known["end"](*ids)] if known["end"] in (AssignmentExpired, AssignmentWithdrawn) else []
            pending = {x.line_no: x.quantity for x in record.lines}
            self.assignments[name] = {"ids": ids, "pending": pending, "accepted": {}, "shipped": 0, "end": None}
            if decline:
                self.assignments[name].update(pending={}, end=AssignmentDeclined)
                return [AssignmentDeclined(*ids, "capacity_full")]
            return []
        if known is None:
            known = self.assignments[name] = {"ids": ids, "pending": {}, "accepted": {}, "shipped": 0, "end": None}
        reach = not known["shipped"] and (record.reason == "cancelled" or not known["accepted"])
        if known["end"] is None and not reach:
            return [AssignmentWithdrawalRefused(*ids, "accepted")]
        if known["end"] is None:
            known.update(pending={}, accepted={}, end=AssignmentWithdrawn)
        return [AssignmentWithdrawn(*ids)]

    def open(self):
        return [each for each in self.assignments.values() if each["pending"] or each["accepted"]]

    def decide(self, each, number):
        """The partner decides on the first pending item: all of it, one unit less, or none."""
        item, units = next(iter(each["pending"].items()))
        del each["pending"][item]
        accepted = max(0, units - number % 3)
        answers = []
        if accepted:
            each["accepted"][item] = accepted
            answers.append(AssignmentAccepted(*each["ids"], (ItemQuantity(item, accepted),), T0))
        if accepted < units:
            answers.append(AssignmentRejected(*each["ids"], (ItemQuantity(item, units - accepted),), "no", T0))
        return answers

    def expire(self, each):
        late = tuple(ItemQuantity(item, units) for item, units in each["pending"].items())
        each["pending"] = {}
        if each["accepted"] or each["shipped"]:
            return [AssignmentRejected(*each["ids"], late, "expired", T0)]
        each["end"] = AssignmentExpired
        return [AssignmentExpired(*each["ids"])]

    def ship(self, each):
        item, units = each["accepted"].popitem()
        each["shipped"] += 1
        name, order_id, place = each["ids"]
        items, tracks = (ItemQuantity(item, units),), (Track("dhl", "DHL", f"{name}-{item}"),)
        return [Shipped(f"S{each['shipped']}", name, order_id, place, items, tracks, None, None, T0)]


class World:
    def __init__(self):
        self.desk = bench(partials=True)
        self.stock, self.location = Stock(), Location()
        self.requests: dict[str, deque[object]] = {}
        self.answers: dict[str, deque[object]] = {}
        self.heard: list[object] = []
        self.decisions: dict[str, list[RoutingDecision]] = {FIRST: [], SECOND: []}
        self.status: dict[str, OrderParked] = {}
        self.attempts: dict[str, int] = {}
        self.released: dict[str, set[tuple[int, str]]] = {FIRST: set(), SECOND: set()}
        self.lost = 0

    # what may happen next

    def choices(self, what):
        """Everything this may now happen to."""
        match what:
            case "place" | "cancel":
                return list(ORDERS)
            case "deliver":
                return [queue for queue, waiting in self.requests.items() if waiting]
            case "lose":
                return [queue for queue, waiting in self.requests.items() if waiting and self.may_lose(waiting[0])]
            case "answer":
                return [queue for queue, waiting in self.answers.items() if waiting]
            case "repeat":
                return self.heard
            case "decide" | "expire":
                return [each for each in self.location.open() if each["pending"]]
            case "ship":
                return [each for each in self.location.open() if each["accepted"]]
            case "shrink":
                return [place for place, units in self.stock.on_hand.items() if units > 0]
            case "restock":
                return list(self.stock.on_hand)
            case _:
                return [1_000, 20_000, HOUR_MS]

    def may_lose(self, record):
        return self.lost < 3 and not isinstance(record, ReleaseStock | ConsumeStock | WaitForStock | StopWaiting)

    def do(self, number):
        number, at = divmod(number, len(LIKELY))
        what = LIKELY[at]
        choices = self.choices(what)
        if not choices:
            return
        number, at = divmod(number, len(choices))
        self.happen(what, choices[at], number)
        self.collect()
        self.check()

    def happen(self, what, about, number):
        match what:
            case "place":
                assert self.desk.send("orders", about, ORDERS[about]) is None
            case "cancel":
                self.desk.send("orders", about, OrderCancelled(about, "", T0))
            case "deliver":
                self.deliver(about, decline=number % 5 == 0)
            case "lose":
                self.requests[about].popleft()
                self.lost += 1
            case "answer":
                self.answer(about)
            case "repeat":
                topic = "order-events" if hasattr(about, "assignment_id") else "stock-offers"
                assert self.desk.send(topic, about.order_id, about) is None
            case "decide":
                self.say(self.location.decide(about, number))
            case "expire":
                self.say(self.location.expire(about))
            case "ship":
                self.say(self.location.ship(about))
            case "shrink":
                self.say(self.stock.lose(*about))
            case "restock":
                self.stock.on_hand[about] += 1
                self.say(self.stock.wake())
            case _:
                self.desk.tick(self.desk.now_at + about)

    def deliver(self, queue, *, decline=False):
        record = self.requests[queue].popleft()
        if queue in (SHOE, SOCK):
            self.say(self.stock.hear(record))
        else:
            self.say(self.location.hear(record, decline=decline))

    def answer(self, queue):
        record = self.answers[queue].popleft()
        self.heard.append(record)
        topic = queue.partition("#")[0]
        assert self.desk.send(topic, record.order_id, record) is None, record

    def say(self, records):
        for record in records:
            if hasattr(record, "assignment_id"):
                queue = f"order-events#{record.location_id}#{record.order_id}"
            else:
                queue = f"stock-offers#{record.variant_id}#{record.order_id}"
            self.answers.setdefault(queue, deque()).append(record)

    # what must never happen

    def collect(self):
        """Look at everything the orders said, as it is said."""
        for topic, key, record in self.desk.emitted:
            if topic in ("stock-requests", "location-requests"):
                self.check_request(record)
                self.requests.setdefault(key, deque()).append(record)
            elif topic == "routing-decisions":
                self.check_decision(record)
            elif topic == "order-status":
                self.status[key] = record
        self.desk.emitted.clear()

    def check_request(self, record):
        order_id = record.order_id
        if isinstance(record, ReleaseStock):
            self.released[order_id].add((record.attempt, record.variant_id))
        elif isinstance(record, AskStock | RouteStock | ReserveStock | WaitForStock):
            assert record.attempt >= self.attempts.get(order_id, 0), "an old attempt still asks"
            self.attempts[order_id] = record.attempt

    def check_decision(self, decision):
        earlier = self.decisions[decision.order_id]
        assert decision.attempt > (earlier[-1].attempt if earlier else 0), "two decisions of one attempt"
        assert decision.supersedes == (earlier[-1].decision_id if earlier else None)
        earlier.append(decision)
        units = {}
        for part in decision.plan.parts:
            for x in part.lines:
                units[x.line_no] = units.get(x.line_no, 0) + x.quantity
        assert units == {x.line_no: x.quantity for x in ORDERS[decision.order_id].lines}, "a decision covers all"

    def check(self):
        for order_id, row in self.desk.rows.get("orders", {}).items():
            held, backing = {}, {}
            for grant in row.grants:
                held[grant.variant_id, grant.location_id] = (
                    held.get((grant.variant_id, grant.location_id), 0) + grant.quantity
                )
            for part in row.parts:
                left = unshipped(part)
                for x in part.lines:
                    place = x.variant_id, part.location_id
                    backing[place] = backing.get(place, 0) + left.get(x.line_no, 0)
            assert held == {place: units for place, units in backing.items() if units}, "a part without its units"
            searching = row.phase in (Phase.ASKING, Phase.ROUTING, Phase.RESERVING)
            assert (row.effort is not None) is searching
            if row.effort is not None and row.phase is not Phase.RESERVING:
                assert row.effort.grants == (), "nobody waits while holding"
            if row.phase is Phase.WAITING:
                assert row.retry_at > self.desk.now_at, "nobody waits for ever"
            if row.phase is Phase.ASSIGNED and not row.cancelled:
                assert row.decision_id == self.decisions[order_id][-1].decision_id
                assert not open_demand(row)
            if row.phase in (Phase.WAITING, Phase.REVIEW, Phase.CANCELLED):
                assert self.status[order_id].status in ("waiting", "review", "expired", "cancelled")

    # calm

    def calm(self):
        """No more surprises: everything is delivered, partners ship, time passes."""
        for _ in range(40):
            while any(self.requests.values()) or any(self.answers.values()):
                for queue in list(self.requests):
                    while self.requests[queue]:
                        self.deliver(queue)
                for queue in list(self.answers):
                    while self.answers[queue]:
                        self.answer(queue)
                self.collect()
                self.check()
            for each in self.location.open():
                if each["pending"]:
                    self.say(self.location.decide(each, 0))
                if each["accepted"]:
                    self.say(self.location.ship(each))
            if not any(self.answers.values()):
                self.desk.tick(self.desk.now_at + HOUR_MS)
                self.collect()
                self.check()

    def check_end(self):
        for order_id, row in self.desk.rows.get("orders", {}).items():
            assert row.phase in ENDS, (order_id, row.phase)
            held = {}
            for (held_by, _, variant_id), units in self.stock.live.items():
                for place, quantity in units.items():
                    if held_by == order_id and quantity:
                        held[variant_id, place] = held.get((variant_id, place), 0) + quantity
            behind = {}
            for grant in row.grants:
                place = grant.variant_id, grant.location_id
                behind[place] = behind.get(place, 0) + grant.quantity
            assert held == behind, "a reservation neither consumed nor released nor behind a part"
            assert not held, "calm, and yet something is to be shipped"
            assert not any(waits == order_id for _, waits in self.stock.waiting), (
                "it stands in a list, and waits no more"
            )


@given(st.lists(st.integers(0, 10**6), max_size=160))
@settings(max_examples=150, deadline=None)
def test_any_interleaving(numbers):
    world = World()
    for number in numbers:
        world.do(number)
    world.calm()
    world.check_end()


@given(st.integers(0, 2**32), st.integers(50, 400))
@settings(max_examples=200, deadline=None)
def test_any_long_interleaving_of_two_orders(seed, steps):
    chance = random.Random(seed)
    world = World()
    for order_id, record in ORDERS.items():
        world.desk.send("orders", order_id, record)
    world.collect()
    for _ in range(steps):
        world.do(chance.randrange(10**9))
    world.calm()
    world.check_end()


def test_left_alone_both_orders_are_fulfilled():
    """The properties would prove little if orders never got anywhere."""
    world = World()
    for order_id, record in ORDERS.items():
        world.desk.send("orders", order_id, record)
    world.collect()
    world.calm()
    world.check_end()
    assert {row.phase for row in world.desk.rows["orders"].values()} == {Phase.FULFILLED}
    assert world.stock.shipped == 5
