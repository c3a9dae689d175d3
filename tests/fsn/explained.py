"""A small recorded run for `fsn explain`: three locations and a few orders, through the whole topology in memory."""

import msgspec

from fsn.declaration import load_topology
from fsn.recording import Recording
from processors.pipeline import STAGES
from processors.routing.facts import OrderFacts
from schemas.records.assignments import AssignmentRejected
from schemas.records.network import RuleSetPublished
from schemas.records.orders import OrderLine, OrderPlaced
from schemas.records.stock import StockDelta
from streams.testing import TopologyDriver
from tests.processors.routing.world import ACCOUNT, DAY, FACTS, NOW, VARIANT, change, location, network

ONE_HOP, TWO_VARIANTS, PARKED, REJECTED = (f"acme|shop|{name}" for name in ("one", "two", "parked", "rejected"))
HOSTILE = "acme|shop|\x1b[31m\x9b2J<script>alert(1)</script>[bold]\u202e"
FAR = {"latitude_e6": 48_137_000, "longitude_e6": 11_575_000}


def placed(order_id, *wanted):
    """An order over the facts of the routing tests."""
    facts: OrderFacts = FACTS
    shared = {name: getattr(facts, name) for name in OrderPlaced.__struct_fields__ if hasattr(facts, name)}
    lines = tuple(
        OrderLine(number, f"acme|var_{v}", None, None, units, 1_000) for number, (v, units) in enumerate(wanted, 1)
    )
    own = {"order_id": order_id, "lines": lines, "total_minor": 9_900, "partial_consent": False}
    rest = {"marketplace_reference": None, "recipient_ref": "r", "occurred_at": NOW}
    return OrderPlaced(**{**shared, **own, **rest})


def recorded(rules=None, *, shadow=None):
    """The driver after the run, under these rules, or the defaults, and perhaps with others as a shadow."""
    driver = TopologyDriver(load_topology(clock="external"), STAGES, start_at=NOW - DAY)
    made = network(location("near"), location("far", **FAR), location("stale"))
    reference = (made.merchants, made.partners, made.locations, made.feeds)
    driver.publish(*[record for records in reference for record in records.values()])
    driver.publish(ACCOUNT, VARIANT, change(VARIANT, variant_id="acme|var_b", weight_g=2_000))
    if rules is not None:
        driver.publish(RuleSetPublished("acme|rules", 1, "", msgspec.msgpack.encode(rules)))
    if shadow is not None:
        driver.publish(RuleSetPublished("acme|rules", 2, "", msgspec.msgpack.encode(shadow), "shadow"))
    driver.tick(NOW - DAY)
    _stock(driver, "stale", 9)
    driver.tick(NOW)
    for place in ("near", "far"):
        _stock(driver, place, 9)
    driver.send("orders", ONE_HOP, placed(ONE_HOP, ("a", 2)))
    driver.send("orders", TWO_VARIANTS, placed(TWO_VARIANTS, ("a", 1), ("b", 1)))
    driver.send("orders", PARKED, placed(PARKED, ("a", 500)))
    driver.send("orders", HOSTILE, placed(HOSTILE, ("a", 1)))
    driver.send("orders", REJECTED, placed(REJECTED, ("b", 1)))
    offered = next(offer for offer in driver.read("assignments") if offer.order_id == REJECTED)
    driver.tick(NOW + 1_000)
    rejected = AssignmentRejected(offered.assignment_id, REJECTED, offered.location_id, (), "broken", NOW)
    driver.send("partner-responses", offered.location_id, rejected)
    driver.tick(NOW + 2_000)
    return driver


def recording(driver, *, lost=0):
    """Its logs, as `fsn explain` reads them; of every topic but `network` the first records may be lost."""
    return Recording(MemorySource(driver, lost=lost), driver.topology, driver.codec)


class MemorySource:
    """Logs of a driver."""

    def __init__(self, driver, *, lost):
        self._driver = driver
        self._lost = lost

    def read(self, topic, partition):
        return self._driver.logs[topic, partition][self._lost if topic != "network" else 0 :]


def _stock(driver, place, units):
    for name in "ab":
        location_id, variant_id = f"acme|loc_{place}", f"acme|var_{name}"
        delta = StockDelta(
            f"{location_id}|feed", location_id, variant_id, None, name, 1, None, units, "receipt", None, driver.now_at
        )
        driver.send("stock-deltas", variant_id, delta)
