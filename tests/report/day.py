"""A small day through the whole topology in memory: what the checkers must find nothing wrong with.

Feeds of every kind report deltas, gaps, duplicates and counts; orders come, are rejected, cancelled, shipped, tracked,
billed and closed; some records are garbage, repeated or on the wrong partition. `Day.truth` says what was planted.
"""

import json
from functools import cache
from pathlib import Path
from random import Random

import msgspec

from processors.pipeline import STAGES
from processors.stock.rows import STOCK_ITEMS
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentOffered,
    AssignmentRejected,
    ItemQuantity,
    Shipped,
    Track,
)
from schemas.records.finance import FinancialRecorded
from schemas.records.network import (
    CarrierAccountDefined,
    FeedDefined,
    LocationDefined,
    MerchantDefined,
    PartnerDefined,
    VariantDefined,
)
from schemas.records.operations import FeedHeartbeat
from schemas.records.orders import OrderCancelled, OrderClosed, OrderLine, OrderPlaced
from schemas.records.partner_work import AllocationConfirmed, AllocationFailed, AssignmentUpdated, Invoiced
from schemas.records.shipments import CarrierMessage
from schemas.records.stock import StockCount, StockDelta
from schemas.topology import load
from streams.testing import TopologyDriver

ROOT = Path(__file__).parents[2]
TOPOLOGY_PATH = ROOT / "topology.yaml"
NOON = 1_788_429_600_000  # Thursday 2026-09-03 10:00 UTC
MINUTE = 60_000
MERCHANT = "acme|merchant"
FEEDS = {
    "berlin": ("contiguous", "referenced"),
    "hamburg": ("contiguous", "unreferenced"),
    "koeln": ("monotonic", "none"),
    "leipzig": ("none", "none"),
    "bremen": ("contiguous", "none"),
}
WITH_ERP = ("berlin", "leipzig")
VARIANTS = [f"acme|var_{number}" for number in range(12)]


def network():
    yield MerchantDefined(MERCHANT, "Nordwind", "EUR", "DE", "acme|rules")
    yield PartnerDefined("acme|partner", "Partner", "DE", 15 * MINUTE, True)
    yield CarrierAccountDefined(
        "acme|gls", "gls", MERCHANT, "primary", ("standard",), ("DE",), (1,), (400,), 50, "EUR", False, 10_000
    )
    for place, (name, (sequences, shipment_deltas)) in enumerate(FEEDS.items()):
        yield LocationDefined(
            location_id=f"acme|loc_{name}",
            partner_id="acme|partner",
            name=name,
            country="DE",
            postcode="10115",
            latitude_e6=52_000_000 - place * 300_000,
            longitude_e6=13_000_000 - place * 500_000,
            timezone="Europe/Berlin",
            tier=1,
            ships_to=("DE",),
            postcode_prefixes=(),
            services=("ship_from_warehouse",),
            capabilities=(),
            daily_slots=10_000,
            cutoff_minute=20 * 60,
            working_days=(1, 2, 3, 4, 5),
            handling_ms=0,
            handling_cost_minor=100,
            unit_cost_minor=10,
            currency="EUR",
            accept_within_ms=120 * MINUTE,
            safety_stock=0,
            carrier_account_ids=("acme|gls",),
            erp_allocation=name in WITH_ERP,
            erp_invoicing=name in WITH_ERP,
        )
        feed_id = f"acme|partner|{name}|wms"
        yield FeedDefined(feed_id, "acme|partner", f"acme|loc_{name}", sequences, shipment_deltas)
    for variant_id in VARIANTS:
        yield VariantDefined(variant_id, variant_id, None, None, 500, "EUR", 700, ())


class Day:
    def __init__(self, seed: int, orders: int = 60) -> None:
        self.chance = Random(seed)
        self.driver = TopologyDriver(load(str(TOPOLOGY_PATH)), STAGES, start_at=NOON)
        self.now_at = NOON
        self.sequences: dict[tuple[str, str], int] = {}
        bremen = "acme|partner|bremen|wms", "acme|loc_bremen"
        silence = {"from_at": NOON, "stale_from_at": NOON + 15 * MINUTE, "until_at": NOON + 10_000 * MINUTE}
        self.truth: dict = {
            "orders_placed": [],
            "dead_letters": [],
            "discrepancies": [],
            "forwarded": [],
            "stock_drifts": [],
            "silences": [{"feed_id": bremen[0], "location_id": bremen[1], **silence}],
            "parcels": {},
            "messages": {},
            "units_ordered": 0,
            "units_shipped": 0,
        }
        self.totals: dict[str, int] = {}
        self.driver.publish(*network())
        self.driver.tick(NOON)
        self.heartbeats()
        for name in FEEDS:
            for variant_id in VARIANTS:
                self.delta(name, variant_id, self.chance.randrange(2, 12))
        for number in range(orders):
            self.minute(number)
        for _ in range(40):
            self.pass_time()
            self.partners()
        self.count("leipzig", VARIANTS[0], difference=2)
        self.close()

    def minute(self, number):
        """One minute of the day."""
        self.pass_time()
        self.order(number)
        for _ in range(4):
            self.feed_says()
        if number % 5 == 0:
            self.noise(number)
        self.partners()

    def pass_time(self):
        self.now_at += MINUTE
        self.heartbeats()
        self.driver.tick(self.now_at)

    def send(self, topic, key, record):
        self.send_raw(topic, key, self.driver.codec.encode(record))

    def send_raw(self, topic, key, value, partition=None):
        self.truth["messages"][topic] = self.truth["messages"].get(topic, 0) + 1
        self.driver.send_raw(topic, key.encode(), value, at=self.now_at, partition=partition)

    def heartbeats(self):
        for name in FEEDS:
            if name != "bremen":  # falls silent at once
                self.send(
                    "feed-heartbeats",
                    f"acme|loc_{name}",
                    FeedHeartbeat(f"acme|partner|{name}|wms", f"acme|loc_{name}", self.now_at),
                )

    def number(self, name, variant_id, step=1):
        key = name, variant_id
        self.sequences[key] = self.sequences.get(key, 0) + step
        return self.sequences[key]

    def delta(self, name, variant_id, quantity, reason="receipt", reference=None, step=1):
        number = self.number(name, variant_id, step)
        sequence, key = (None, f"k{number}") if FEEDS[name][0] == "none" else (number, None)
        feed_id = f"acme|partner|{name}|wms"
        record = StockDelta(
            feed_id, f"acme|loc_{name}", variant_id, None, "s", sequence, key, quantity, reason, reference, self.now_at
        )
        self.send("stock-deltas", variant_id, record)
        return record

    def feed_says(self):
        name, variant_id = self.chance.choice(["berlin", "hamburg", "koeln", "leipzig"]), self.chance.choice(VARIANTS)
        what = self.chance.randrange(12)
        if what < 8:
            quantity = self.chance.choice([-2, -1, 1, 2, 3, 5])
            record = self.delta(name, variant_id, quantity, "receipt" if quantity > 0 else "sale")
            if what == 0:
                self.send("stock-deltas", variant_id, record)
        elif what < 10:
            self.delta(name, variant_id, 1, step=2)  # one is missing: a gap in a contiguous feed
        else:
            self.count(name, variant_id)

    def count(self, name, variant_id, difference=0):
        """What a gapped item is found to be is anybody's guess; any other is found as computed, unless planted."""
        item = self.driver.rows(STOCK_ITEMS)[f"{variant_id}|acme|loc_{name}"]
        if item.gapped:
            quantity, number = self.chance.randrange(3, 10), self.number(name, variant_id)
        else:
            computed = item.on_hand + max(0, item.ahead)
            quantity = max(0, computed + difference)
            if quantity != computed:
                place = {"variant_id": variant_id, "location_id": f"acme|loc_{name}"}
                self.truth["stock_drifts"].append({**place, "difference": quantity - computed})
            number = self.number(name, variant_id, 0)
        key = None
        if FEEDS[name][0] == "none":
            number, key = None, f"c{self.now_at}"
        count = StockCount(
            f"acme|partner|{name}|wms", f"acme|loc_{name}", variant_id, None, "s", number, key, quantity, self.now_at
        )
        self.send("stock-deltas", variant_id, count)

    def order(self, number):
        order_id = f"acme|shop|{number}"
        lines = tuple(
            OrderLine(line_no, self.chance.choice(VARIANTS), None, None, self.chance.randrange(1, 6), 1_000)
            for line_no in range(1, self.chance.choice([2, 2, 3, 4]))
        )
        total = sum(line.quantity * line.unit_price_minor for line in lines)
        record = OrderPlaced(
            order_id=order_id,
            merchant_id=MERCHANT,
            channel="shop",
            lines=lines,
            currency="EUR",
            total_minor=total,
            country="DE",
            postcode_area="10",
            latitude_e6=52_000_000,
            longitude_e6=13_000_000,
            service="standard",
            service_type="ship_from_warehouse",
            business=False,
            promised_at=None,
            partial_consent=True,
            cost_ceiling_minor=None,
            fixed_location_id=None,
            marketplace_reference=None,
            recipient_ref="r",
            occurred_at=self.now_at,
        )
        self.totals[order_id] = total
        self.truth["units_ordered"] += sum(line.quantity for line in lines)
        self.truth["orders_placed"].append(order_id)
        if number % 9 == 0:
            wrong = (self.driver._partition_of(order_id.encode()) + 1) % self.driver.topology.partitions
            self.send_raw("orders", order_id, self.driver.codec.encode(record), partition=wrong)
            self.truth["forwarded"].append({"topic": "orders", "key": order_id})
        else:
            self.send("orders", order_id, record)
        if number % 7 == 0:
            self.send("orders", order_id, record)
        if number % 11 == 3:
            self.send("orders", order_id, OrderCancelled(order_id, "no more", self.now_at))

    def noise(self, number):
        key = f"acme|shop|garbage{number}"
        self.send_raw("orders", key, b"garbage")
        self.truth["dead_letters"].append({"topic": "orders", "reason": "UNDECODABLE", "key": key})
        variant_id = self.chance.choice(VARIANTS)
        record = StockDelta("nobody", "acme|loc_berlin", variant_id, None, "s", 1, None, 1, "receipt", None, 0)
        self.send("stock-deltas", variant_id, record)
        self.truth["dead_letters"].append({"topic": "stock-deltas", "reason": "UNKNOWN_FEED", "key": variant_id})

    def partners(self):
        told = self.driver.read("assignments")
        moved = {one.assignment_id for one in told if isinstance(one, AssignmentUpdated)}
        for offered in told:
            if isinstance(offered, AssignmentOffered) and offered.assignment_id not in moved:
                self.answer(offered)

    def answer(self, offered):
        ids = offered.assignment_id, offered.order_id, offered.location_id
        if self.chance.random() < 0.2:
            self.send("partner-responses", ids[2], AssignmentRejected(*ids, (), "no", self.now_at))
            return
        items = tuple(ItemQuantity(line.line_no, line.quantity) for line in offered.lines)
        name = offered.location_id.removeprefix("acme|loc_")
        self.send("partner-responses", ids[2], AssignmentAccepted(*ids, items, self.now_at))
        if offered.erp_allocation:
            if self.chance.random() < 0.1:
                self.send("partner-responses", ids[2], AllocationFailed(*ids, (), "promised", self.now_at))
                return
            self.send("partner-responses", ids[2], AllocationConfirmed(*ids, (), self.now_at))
        if FEEDS[name][1] != "none" and self.chance.random() < 0.5:
            self.tell_shipped(name, offered)  # the feed is faster than the partner
            self.ship(ids, items)
        else:
            self.ship(ids, items)
            if FEEDS[name][1] != "none":
                self.tell_shipped(name, offered)
        if offered.erp_invoicing and self.chance.random() < 0.8:  # the others stay in pending_invoice
            self.send("partner-responses", ids[2], Invoiced(*ids, f"RE-{ids[0]}", self.now_at))

    def tell_shipped(self, name, offered):
        for line in offered.lines:
            self.delta(name, line.variant_id, -line.quantity, "shipment", offered.assignment_id)

    def ship(self, ids, items):
        bare = f"T{ids[0][3:13]}"
        tracks = (Track("gls", "GLS", bare),)
        shipped = Shipped(f"sh{ids[0]}", *ids, items, tracks, None, None, self.now_at)
        self.send("partner-responses", ids[2], shipped)
        self.truth["units_shipped"] += sum(item.quantity for item in items)
        events = [(10, "COLLECTED"), (12, "IN_TRANSIT"), (18, "DELIVERED")]
        self.chance.shuffle(events)
        for hour, status in events:
            self.scan(bare, hour, status)
        self.truth["parcels"][f"acme|gls|{bare}"] = "delivered"

    def scan(self, bare, hour, status):
        event = {
            "timestamp": f"2026-09-03T{hour}:00:00Z",
            "status": status,
            "description": status,
            "location": {"city": "Kassel", "country": "DE"},
        }
        payload = json.dumps({"trackingNumber": bare, "events": [event]}).encode()
        number = f"acme|gls|{bare}"
        self.send("tracking", number, CarrierMessage(number, "gls", "gls-track-json", payload, None, self.now_at))

    def close(self):
        """Bill and close what was shipped; every tenth settlement is a cent short."""
        facts = {}
        for fact in self.driver.read("order-facts"):
            facts.setdefault(fact.order_id, []).append(fact)
        for place, order_id in enumerate(sorted(facts)):
            short = place % 10 == 0
            total = self.totals[order_id]
            self.money(order_id, "settlement", total - short, f"s{order_id}")
            if short:
                self.truth["discrepancies"].append(
                    {
                        "order_id": order_id,
                        "kind": "AMOUNT_MISMATCH",
                        "expected_minor": total,
                        "actual_minor": total - 1,
                    }
                )
            for fact in facts[order_id]:
                self.money(order_id, "shipping", fact.shipping_minor, f"c{fact.shipment_id}", fact.shipment_id)
                self.money(
                    order_id, "supplier_cost", fact.supplier_cost_minor, f"b{fact.shipment_id}", fact.shipment_id
                )
            self.send("orders", order_id, OrderClosed(order_id, self.now_at))
        self.pass_time()
        self.pass_time()

    def money(self, order_id, kind, amount, record_id, shipment_id=None):
        reference = f"acme|order|{order_id}"
        record = FinancialRecorded(
            reference, record_id, kind, amount, "EUR", None, None, shipment_id, None, self.now_at
        )
        self.send("settlements", reference, record)


@cache
def day(seed: int) -> Day:
    return Day(seed)


def truth_of(made: Day):
    from fsn.report.truth import Truth

    return msgspec.convert(made.truth, Truth)
