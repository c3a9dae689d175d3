"""A tiny network, builders of records, and the recount: every item summed anew from the rows it derives from."""

from collections import Counter

from processors.network import Network, fold
from processors.rules import DEFAULT_RULES
from processors.stock.chain import newest_first
from processors.stock.rows import Inbound, Item, Reservation, Status, Waiter, item_key, short, with_inbound
from processors.stock.stage import STAGE
from schemas.records.network import FeedDefined, LocationDefined, PartnerDefined
from schemas.records.reservations import (
    ConfirmReservation,
    ConsumeStock,
    ReleaseStock,
    ReserveLine,
    ReserveStock,
    StopWaiting,
    WaitForStock,
)
from schemas.records.stock import StockCount, StockDelta
from tests.processors.harness import Bench

VARIANT = "acme|var_1"
A, B, SAFE = "acme|loc_a", "acme|loc_b", "acme|loc_safe"
PARTNER = "acme|partner"
SKU = "DRILL-18V"
T0 = 1_700_000_000_000
SECOND = 1_000
HOUR = 3_600 * SECOND
MEMORY = DEFAULT_RULES.stock_memory_ms


def location(location_id, *, safety_stock=0):
    return LocationDefined(
        location_id=location_id,
        partner_id=PARTNER,
        name=location_id,
        country="DE",
        postcode="10115",
        latitude_e6=52_500_000,
        longitude_e6=13_400_000,
        timezone="Europe/Berlin",
        tier=1,
        ships_to=("DE",),
        postcode_prefixes=(),
        services=("ship_from_warehouse",),
        capabilities=(),
        daily_slots=100,
        cutoff_minute=900,
        working_days=(1, 2, 3, 4, 5),
        handling_ms=0,
        handling_cost_minor=0,
        unit_cost_minor=0,
        currency="EUR",
        accept_within_ms=HOUR,
        safety_stock=safety_stock,
        carrier_account_ids=(),
    )


def feed_id(location_id, name="main"):
    return f"{PARTNER}|{location_id}|{name}"


def feed(location_id, name="main", *, sequences="contiguous", shipments="none", picked=False):
    return FeedDefined(feed_id(location_id, name), PARTNER, location_id, sequences, shipments, picked)


FEEDS = (
    feed(A),
    feed(B),
    feed(SAFE),
    feed(A, "second"),
    feed(A, "monotonic", sequences="monotonic"),
    feed(A, "keyed", sequences="none"),
    feed(A, "referenced", shipments="referenced"),
    feed(A, "unreferenced", shipments="unreferenced"),
    feed(A, "picked", picked=True),
)


def network(*more):
    records = (
        PartnerDefined(PARTNER, "Partner", "DE", 900_000),
        location(A),
        location(B),
        location(SAFE, safety_stock=2),
        *FEEDS,
        *more,
    )
    return fold(Network(), enumerate(records))


NETWORK = network()


def bench():
    return Bench(STAGE, network=NETWORK, now_at=T0)


def delta(quantity, sequence=None, *, at=A, name="main", reason="adjustment", **changes):
    fields = {
        "feed_id": feed_id(at, name),
        "location_id": at,
        "variant_id": VARIANT,
        "namespace": None,
        "sku": SKU,
        "sequence": sequence,
        "idempotency_key": None,
        "quantity": quantity,
        "reason": reason,
        "reference": None,
        "occurred_at": T0,
    }
    return StockDelta(**fields | changes)


def count(quantity, sequence=None, *, at=A, name="main", **changes):
    fields = {
        "feed_id": feed_id(at, name),
        "location_id": at,
        "variant_id": VARIANT,
        "namespace": None,
        "sku": SKU,
        "sequence": sequence,
        "idempotency_key": None,
        "quantity": quantity,
        "occurred_at": T0,
    }
    return StockCount(**fields | changes)


def order(number):
    return f"acme|shop|{number}"


def lines(*places):
    return tuple(ReserveLine(location_id, quantity) for location_id, quantity in places)


def reserve(number, *places, attempt=1):
    return ReserveStock(order(number), attempt, VARIANT, lines(*places))


def release(number, *places, attempt=1):
    return ReleaseStock(order(number), attempt, VARIANT, lines(*places), "cancelled")


def consume(number, quantity, *, at=A, attempt=1, shipment="s1"):
    return ConsumeStock(order(number), attempt, VARIANT, at, quantity, shipment)


def confirm(number, attempt=1):
    return ConfirmReservation(order(number), attempt, VARIANT)


def wait(number, quantity, *location_ids, attempt=1):
    return WaitForStock(order(number), attempt, VARIANT, quantity, location_ids or (A,))


def stop(number):
    return StopWaiting(order(number), VARIANT)


def report(stage, record, signer=None):
    """Send a feed's record."""
    return stage.send("stock-deltas", VARIANT, record, signer)


def ask(stage, *records):
    """Send an order's requests; the answers to the last one."""
    for record in records:
        stage.take("stock-offers")
        assert stage.send("stock-requests", VARIANT, record) is None
    return stage.take("stock-offers")


def stocked(*places, name="main"):
    """A bench with units at locations, and nothing said yet."""
    stage = bench()
    for location_id, quantity in places:
        assert report(stage, count(quantity, 100, at=location_id, name=name)) is None
    stage.settle()
    stage.take()
    return stage


def item(stage, location_id=A) -> Item:
    return stage.rows["stock_items"][item_key(VARIANT, location_id)]


def numbers(stage, location_id=A):
    """(on_hand, reserved, held)"""
    row = item(stage, location_id)
    return row.on_hand, row.reserved, row.held


def reservation(stage, number, attempt=1) -> Reservation:
    return stage.rows["reservations"][f"{order(number)}|{attempt}|{VARIANT}"]


def alerts(stage):
    return [(record.kind, record.status) for record in stage.take("operational-alerts")]


def reviews(stage):
    return [(record.kind, record.status) for record in stage.take("review-queue")]


def names(records):
    return [type(record).__name__ for record in records]


def recount(stage):
    """Nothing has drifted: items, chains and the waiting ring are what reservations and waiters say they are."""
    reserved, asked, held, live = Counter(), Counter(), Counter(), {}
    for key, row in stage.rows.get("reservations", {}).items():
        assert (row.status is Status.LIVE) == any(line.remaining for line in row.lines), row
        for line in row.lines:
            assert 0 <= line.asked <= line.remaining <= line.quantity
            reserved[line.location_id] += line.remaining
            asked[line.location_id] += line.asked
            if line.remaining:
                live.setdefault(line.location_id, set()).add(key)
    waiting = stage.rows.get("waiting", {})
    for row in waiting.values():
        for location_id, units in row.holds:
            held[location_id] += units
    for row in stage.rows.get("stock_items", {}).values():
        place = row.location_id
        assert (row.reserved, row.asked, row.held) == (reserved[place], asked[place], held[place]), row
        chain = [key for key, _, _ in newest_first(stage, row)]
        assert len(chain) == len(set(chain))
        assert set(chain) == live.get(place, set())
        assert (row.short_since is not None) == (short(row) > 0)
        assert row.asked >= short(row)
        coming = stage.rows.get("inbound", {}).get(item_key(VARIANT, place), Inbound())
        assert row == with_inbound(row, coming)
    _recount_ring(waiting)


def _recount_ring(waiting: dict[str, Waiter]):
    queued = {key for key, row in waiting.items() if row.order_id and not row.holds}
    found, key, before = [], VARIANT, VARIANT
    while queued and (key := waiting[key].after) != VARIANT:
        assert waiting[key].before == before
        found.append(key)
        before = key
    assert set(found) == queued
    assert len(found) == len(queued)
    assert (VARIANT in waiting) == bool(queued)
