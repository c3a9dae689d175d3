"""Invariants: the first break is told, by how much, in the batch that breaks it; and its mend as well.

A stock handler that does what a test wants stands in for a bug: the engine, the audits and the topics are the true ones.
"""

from pathlib import Path

import msgspec
import pytest

from processors.invariants import BROKEN, SAYS, Broken
from processors.location.inbox import ASSIGNMENTS, Assignment, Status
from processors.location.queues import QUEUES, Queues
from processors.orders.rows import ORDERS, Grant, OrderRow, Part, PartLine, Phase, Placed
from processors.pipeline import STAGES
from processors.stock.rows import RESERVATIONS, STOCK_ITEMS, WAITING, Item, Line, Reservation, State, Waiter
from processors.stock.rows import Status as Stand
from schemas.records.stock import StockDelta
from schemas.topology import load
from streams.testing import TopologyDriver
from tests.processors.stock.world import T0

VARIANT, PLACE, ORDER = "acme|var_1", "acme|loc_a", "acme|shop|1"
ITEM = f"{VARIANT}|{PLACE}"
TOPOLOGY = load(Path(__file__).parents[2] / "topology.yaml")


class Buggy:
    """A run whose stock stage puts whatever rows it is told to, one delta after the other."""

    def __init__(self) -> None:
        self.puts = []
        stages = [
            msgspec.structs.replace(stage, handlers={**stage.handlers, "stock-deltas": {StockDelta: self._handle}})
            if stage.name == "stock"
            else stage
            for stage in STAGES
        ]
        self.driver = TopologyDriver(TOPOLOGY, stages, start_at=T0)
        self.driver.publish()

    def _handle(self, _, ctx):
        for table, key, row in self.puts:
            ctx.delete(table, key) if row is None else ctx.put(table, key, row)

    def keep(self, *puts):
        """Keep rows in one batch; what was alerted of it, as (entity, units, status)."""
        self.puts = puts
        delta = StockDelta("acme|feed", PLACE, VARIANT, None, "SKU", 1, None, 1, "receipt", None, T0)
        self.driver.send("stock-deltas", VARIANT, delta)
        alerts = self.driver.read("operational-alerts")
        assert {alert.kind for alert in alerts} <= {"INVARIANT_BROKEN"}
        return sorted((alert.entity_id, alert.actual, alert.status) for alert in alerts)


def item(**changes):
    return msgspec.structs.replace(Item(PLACE, "acme|feed", "SKU", 1, 5, 0, 0, 1, T0, received=5), **changes)


def reservation(units, *, on_hand=5, status=Stand.LIVE):
    line = Line(PLACE, units, units, State(PLACE, 2, on_hand, units, 0))
    return Reservation(ORDER, 1, VARIANT, status, (line,))


def order(*, planned, granted):
    placed = Placed(ORDER, b"", "acme|m", "shop", (), "EUR", "DE", "10", 0, 0, "s", "t", False, None, False, None, None)
    line = PartLine(1, VARIANT, planned)
    part = Part("as_1", PLACE, "acme|dhl", "dhl", "s", (line,), 0, 0, 0, 0, 0, 1)
    return OrderRow(
        placed, Phase.ASSIGNED, parts=(part,), grants=(Grant(1, VARIANT, PLACE, granted),) if granted else ()
    )


def assignment(status):
    return Assignment(ORDER, PLACE, False, 0, "2026-11-28", status, ())


WAITER = f"{VARIANT}|{ORDER}"
KEY = f"{ORDER}|1|{VARIANT}"
BREAKS = {
    "units that nobody brought": (
        [(STOCK_ITEMS, ITEM, item(on_hand=7))],
        [(STOCK_ITEMS, ITEM, item())],
        [("stock", ITEM, 2)],
    ),
    "a reservation that its item does not know": (
        [(STOCK_ITEMS, ITEM, item()), (RESERVATIONS, KEY, reservation(3))],
        [(STOCK_ITEMS, ITEM, item(reserved=3))],
        [("reserved", ITEM, -3)],
    ),
    "an item that holds on to what was released": (
        [(STOCK_ITEMS, ITEM, item(reserved=3)), (RESERVATIONS, KEY, reservation(3, status=Stand.RELEASED))],
        [(STOCK_ITEMS, ITEM, item())],
        [("reserved", ITEM, 3)],
    ),
    "units held for nobody": (
        [
            (STOCK_ITEMS, ITEM, item(held=2)),
            (WAITING, WAITER, Waiter(ORDER, 1, 1, (PLACE,), "", "", holds=((PLACE, 1),))),
        ],
        [(STOCK_ITEMS, ITEM, item(held=1))],
        [("held", ITEM, 1)],
    ),
    "a grant beyond what is there": (
        [(STOCK_ITEMS, ITEM, item(reserved=6)), (RESERVATIONS, KEY, reservation(6))],
        [(STOCK_ITEMS, ITEM, item()), (RESERVATIONS, KEY, None)],
        [("oversold", ITEM, 1)],
    ),
    "a plan without a reservation": (
        [(ORDERS, ORDER, order(planned=2, granted=0))],
        [(ORDERS, ORDER, order(planned=2, granted=2))],
        [("plan", f"{ORDER}|{ITEM}", 2)],
    ),
    "a plan that stands on more than it needs": (
        [(ORDERS, ORDER, order(planned=2, granted=3))],
        [(ORDERS, ORDER, None)],
        [("plan", f"{ORDER}|{ITEM}", -1)],
    ),
    "an assignment in no queue": (
        [(ASSIGNMENTS, "as_1", assignment(Status.PENDING_ACCEPT)), (QUEUES, PLACE, Queues())],
        [(QUEUES, PLACE, Queues(routed=1, pending_accept=1))],
        [("queues", f"{PLACE}|pending_accept", 1)],
    ),
    "an assignment in another queue than counted": (
        [(ASSIGNMENTS, "as_1", assignment(Status.DECLINED)), (QUEUES, PLACE, Queues(routed=1, completed=1))],
        [(QUEUES, PLACE, Queues(routed=1, failed=1))],
        [("queues", f"{PLACE}|completed", -1), ("queues", f"{PLACE}|failed", 1)],
    ),
    "an assignment routed and in no queue": (
        [(QUEUES, PLACE, Queues(routed=1))],
        [(QUEUES, PLACE, None)],
        [("routed", PLACE, 1)],
    ),
}


@pytest.mark.parametrize(("broken", "mended", "found"), BREAKS.values(), ids=BREAKS)
def test_a_break_is_told_at_once_and_again_when_it_is_mended(broken, mended, found):
    run = Buggy()
    told = sorted((f"{account}|{invariant}", units) for invariant, account, units in found)
    assert run.keep(*broken) == [(entity, units, "open") for entity, units in told]
    assert run.driver.rows(BROKEN) == {entity: Broken(units, T0) for entity, units in told}
    assert run.keep(*mended) == [(entity, 0, "resolved") for entity, _ in told]
    assert not run.driver.rows(BROKEN)


def test_a_break_that_grows_keeps_the_instant_of_its_first_batch():
    run = Buggy()
    run.keep((STOCK_ITEMS, ITEM, item(on_hand=7)))
    run.driver.tick(T0 + 1_000)
    assert run.keep((STOCK_ITEMS, ITEM, item(on_hand=8))) == [(f"{ITEM}|stock", 3, "open")]
    assert run.driver.rows(BROKEN) == {f"{ITEM}|stock": Broken(3, T0)}


def test_what_balances_is_not_spoken_of():
    run = Buggy()
    rows = (STOCK_ITEMS, ITEM, item(reserved=3)), (RESERVATIONS, KEY, reservation(3))
    assert run.keep(*rows, (ORDERS, ORDER, order(planned=3, granted=3))) == []
    assert run.keep((STOCK_ITEMS, ITEM, item(reserved=3, on_hand=9, received=9))) == []
    assert run.keep((STOCK_ITEMS, ITEM, None), (RESERVATIONS, KEY, None)) == []


def test_every_break_is_put_into_words():
    assert {invariant for _, _, found in BREAKS.values() for invariant, _, _ in found} == set(SAYS)
