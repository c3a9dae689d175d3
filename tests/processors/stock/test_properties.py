"""What must never happen, whatever comes in whatever order.

`Stock` drives one variant at two locations with everything that can happen to it. Three judges watch: `recount` sums
every item anew from its reservation and waiting rows; `Feed` is a second opinion on sequences that keeps every delta;
`Checker` sees only the answers, as an outsider reading the topics does.
"""

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from processors.stock.rows import promisable
from schemas.records.reservations import (
    ReservationConsumed,
    ReservationDenied,
    ReservationGranted,
    ReservationReleased,
    StockWoken,
)
from tests.processors.stock.world import (
    MEMORY,
    SAFE,
    SECOND,
    T0,
    VARIANT,
    A,
    bench,
    confirm,
    consume,
    count,
    delta,
    item,
    order,
    recount,
    release,
    report,
    reserve,
    stocked,
    stop,
    wait,
)

PLACES = (A, SAFE)
SAFETY = {A: 0, SAFE: 2}
places = st.sampled_from(PLACES)
orders = st.integers(1, 4)
units = st.integers(1, 4)


class Feed:
    """Brute force: every delta is kept, and on-hand is summed anew."""

    def __init__(self):
        self.last, self.base, self.included, self.deltas, self.counted = 0, 0, 0, {}, None

    @property
    def missing(self):
        return [number for number in range(self.included + 1, self.last) if number not in self.deltas]

    @property
    def on_hand(self):
        return self.base + sum(quantity for number, quantity in self.deltas.items() if number > self.included)

    def delta(self, number, quantity):
        if number > self.last:
            self.deltas[number], self.last = quantity, number

    def count(self, number, quantity, at):
        oldest = self.missing[0] if self.missing else self.last
        if number < oldest or (self.counted is not None and (number, at) <= self.counted):
            return
        self.base, self.included, self.counted = quantity, number, (number, at)
        self.last = max(self.last, number)


class Checker:
    """Recomputes from the answers alone that nothing was oversold and each reservation ended once."""

    def __init__(self):
        self.states, self.reserved, self.left, self.seen = {}, Counter(), {}, set()

    def read(self, record):
        if record in self.seen:  # the same answer again; a new one has new revisions
            return
        self.seen.add(record)
        for state in getattr(record, "items", ()):
            self._state(state)
        if isinstance(record, ReservationGranted):
            self._granted(record)
        elif isinstance(record, ReservationReleased):
            for line, state in zip(record.lines, record.items, strict=True):
                self._ended(record, line.location_id, line.quantity, state)
        elif isinstance(record, ReservationConsumed):
            for state in record.items:
                self._ended(record, state.location_id, record.quantity, state)

    def _state(self, state):
        known = self.states.setdefault((state.location_id, state.revision), state)
        assert known == state, "one revision, two states"

    def _granted(self, record):
        key = record.order_id, record.attempt
        assert key not in self.left, "granted twice"
        self.left[key] = Counter({line.location_id: line.quantity for line in record.lines})
        for line, state in zip(record.lines, record.items, strict=True):
            self.reserved[line.location_id] += line.quantity
            assert state.reserved == self.reserved[line.location_id]
            assert state.on_hand - state.reserved - state.held >= SAFETY[line.location_id], "oversold"

    def _ended(self, record, location_id, quantity, state):
        left = self.left.get((record.order_id, record.attempt), Counter())
        left[location_id] -= quantity
        assert left[location_id] >= 0, "more ended than was granted"
        self.reserved[location_id] -= quantity
        assert state.reserved == self.reserved[location_id]


def unchanged(rows):
    """All rows, but for the counts of what was ignored."""
    return {
        name: {
            key: msgspec.structs.replace(row, ignored=0) if hasattr(row, "ignored") else row
            for key, row in table.items()
            if name != "sequences" or msgspec.structs.replace(row, ignored=0, last=None) != type(row)(None)
        }
        for name, table in rows.items()
        if table
    }


class Stock(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.stage, self.checker = bench(), Checker()
        self.feeds = {place: Feed() for place in PLACES}
        self.revisions, self.heard, self.attempts, self.shipments = Counter(), [], Counter(), 0

    @initialize(at_a=st.integers(0, 9), at_safe=st.integers(0, 9))
    def begin(self, at_a, at_safe):
        for place, quantity in ((A, at_a), (SAFE, at_safe)):
            self.counts(place, 0, quantity)

    # feeds

    @rule(place=places, ahead=st.sampled_from((1, 1, 1, 1, 1, 2, 3, 0, -1)), quantity=st.integers(-4, 5))
    def moves(self, place, ahead, quantity):
        number = max(1, self.feeds[place].last + ahead)
        record = delta(quantity, number, at=place)
        self.feeds[place].delta(number, quantity)
        self.reported(record)

    @rule(place=places, behind=st.integers(-1, 3), quantity=st.integers(0, 9))
    def counts(self, place, behind, quantity):
        number = max(0, self.feeds[place].last - behind)
        self.shipments += 1
        record = count(quantity, number, at=place, occurred_at=T0 + self.shipments)
        self.feeds[place].count(number, quantity, record.occurred_at)
        self.reported(record)

    def reported(self, record):
        assert report(self.stage, record) is None
        self.heard.append(("stock-deltas", record))
        self.answers()

    # orders

    @rule(number=orders, wanted=st.lists(st.tuples(places, units), min_size=1, max_size=3), again=st.booleans())
    def reserves(self, number, wanted, again):
        self.attempts[number] += not again or not self.attempts[number]
        self.requests(reserve(number, *wanted, attempt=self.attempts[number]))

    @rule(number=orders, some=st.lists(st.tuples(places, units), max_size=2), older=st.integers(0, 2))
    def releases(self, number, some, older):
        self.requests(release(number, *some, attempt=max(1, self.attempts[number] - older)))

    @rule(number=orders, quantity=units, place=places, older=st.integers(0, 1))
    def ships(self, number, quantity, place, older):
        self.shipments += 1
        attempt = max(1, self.attempts[number] - older)
        self.requests(consume(number, quantity, at=place, attempt=attempt, shipment=f"s{self.shipments}"))
        self.feeds[place].base -= quantity

    @rule(number=orders)
    def confirms(self, number):
        record = confirm(number, max(1, self.attempts[number]))
        if self.key(record) in self.stage.rows.get("reservations", {}):
            self.requests(record)

    @rule(number=orders, quantity=units, where=st.lists(places, min_size=1, max_size=3))
    def waits(self, number, quantity, where):
        self.attempts[number] += 1
        self.requests(wait(number, quantity, *where, attempt=self.attempts[number]))

    @rule(number=orders)
    def gives_up(self, number):
        self.requests(stop(number))

    def requests(self, record):
        assert self.stage.send("stock-requests", VARIANT, record) is None
        self.heard.append(("stock-requests", record))
        self.answers()

    # time, and repeats

    @rule(passed=st.sampled_from((SECOND, 4 * SECOND, 5 * SECOND, 60 * SECOND, 3_600 * SECOND, MEMORY)))
    def time_passes(self, passed):
        self.stage.tick(self.stage.now_at + passed)
        if passed == MEMORY:  # what ended is forgotten: no request of that time can be repeated or replayed any more
            self.heard.clear()
            self.attempts.update(dict.fromkeys(range(1, 5), 10))  # a Counter adds: orders never use an attempt again
        self.answers()

    @precondition(lambda self: self.heard)
    @rule(data=st.data())
    def repeats(self, data):
        topic, record = data.draw(st.sampled_from(self.heard))
        named = not getattr(record, "lines", ()) or "Reserve" in type(record).__name__
        denied_long_ago = "Reserve" in type(record).__name__ and self.key(record) not in self.stage.rows["reservations"]
        if not named or denied_long_ago or "Wait" in type(record).__name__ or "Stop" in type(record).__name__:
            return
        before = unchanged(self.stage.rows)
        assert self.stage.send(topic, VARIANT, record) is None
        assert unchanged(self.stage.rows) == before
        self.stage.take("stock-offers")

    def key(self, record):
        return f"{record.order_id}|{record.attempt}|{VARIANT}"

    # what is seen

    def answers(self):
        records = self.stage.take("stock-offers")
        for record in records:
            self.checker.read(record)
            if isinstance(record, StockWoken):
                row = item(self.stage, record.location_id)
                assert promisable(row, self.stage) >= 0, "woken beyond what is there"
            if isinstance(record, ReservationDenied):
                assert record.reason in ("stock_short", "gapped", "released_before", "unknown_item")

    @invariant()
    def nothing_drifts(self):
        recount(self.stage)
        for place in PLACES if self.stage.rows else ():
            row, feed = item(self.stage, place), self.feeds[place]
            assert row.on_hand == feed.on_hand, place
            assert bool(row.gapped) == bool(feed.missing)
            assert row.revision >= self.revisions[place]
            self.revisions[place] = row.revision

    @invariant()
    def snapshots_tell_each_revision_once(self):
        before = dict(self.checker.states)
        self.stage.settle()
        for shown in self.stage.take("stock-snapshots"):
            row = item(self.stage, shown.location_id)
            assert (shown.revision, shown.on_hand, shown.reserved) == (row.revision, row.on_hand, row.reserved)
            known = before.get((shown.location_id, shown.revision))
            assert known is None or (known.on_hand, known.reserved, known.held) == (
                shown.on_hand,
                shown.reserved,
                shown.held,
            )


TestStock = Stock.TestCase
TestStock.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)


@given(
    st.permutations([("c", n) for n in range(1, 6)] + [("d", n) for n in range(1, 6)] + [("r", n) for n in (6, 7)]),
    st.sampled_from(("referenced", "unreferenced")),
)
def test_every_shipped_unit_is_deducted_once(events, name):
    """Five orders ship, each confirmed once and reported once, in any order; two more give back what they hold."""
    stage = stocked((A, 9), name=name)
    for number in range(1, 8):
        stage.send("stock-requests", VARIANT, reserve(number, (A, 1)))
    confirmed = reported = 0
    for kind, number in events:
        if kind == "d":
            reported += 1
            shipment = delta(-1, 100 + reported, name=name, reason="shipment", reference=order(number))
            assert report(stage, shipment) is None
        else:
            confirmed += kind == "c"
            stage.send("stock-requests", VARIANT, consume(number, 1) if kind == "c" else release(number))
        recount(stage)
        row = item(stage)
        assert row.on_hand == 9 - max(confirmed, reported)
        assert promisable(row, stage) <= 9 - 7 + (7 - row.reserved) - confirmed  # never more than is truly free
    assert (item(stage).on_hand, item(stage).reserved, item(stage).ahead) == (4, 0, 0)


@given(st.lists(st.tuples(st.integers(1, 30), units), min_size=1, max_size=30), st.integers(0, 12))
def test_contention_sells_exactly_what_is_there(wishes, quantity):
    """However many orders ask for the last units, one unit each of them is sold once, and nobody gets half."""
    stage = stocked((A, quantity))
    for attempt, (number, wanted) in enumerate(wishes, 1):
        stage.send("stock-requests", VARIANT, reserve(number, (A, wanted), attempt=attempt))
    granted = [r for r in stage.take("stock-offers") if isinstance(r, ReservationGranted)]
    sold = sum(line.quantity for record in granted for line in record.lines)
    assert sold == item(stage).reserved <= quantity
    refused = [wanted for attempt, (_, wanted) in enumerate(wishes, 1) if attempt not in {r.attempt for r in granted}]
    assert all(wanted > quantity - sold for wanted in refused[-1:])


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3)), min_size=1, max_size=12), st.integers(1, 20))
def test_who_is_woken_came_first(wishes, freed):
    """With units for all of one size, orders are woken by arrival, and together hold no more than came free."""
    stage = stocked((A, 0))
    first = dict(reversed([(number, wanted) for number, wanted in wishes]))
    for number, _ in wishes:
        stage.send("stock-requests", VARIANT, wait(number, 1))
    arrival = list(dict.fromkeys(number for number, _ in wishes))
    stage.take()
    report(stage, delta(freed, 101))
    woken = [int(record.order_id.rpartition("|")[2]) for record in stage.take("stock-offers")]
    assert woken == arrival[: min(freed, len(first))]
    assert item(stage).held == len(woken) <= freed
