"""A small network, its keys and its records, made the same way every time: what the end-to-end figures are fed.

Seven locations in Germany with two carrier accounts each, all of them candidates for every order; one stock feed per
location with contiguous sequences; everything that the topology wants signed is signed. Values are encoded and signed
before anything is timed.
"""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from bench.harness import Message
from bench.route_us import network
from processors.aliases import alias_id_of
from processors.network import Network
from processors.rules import Rules
from schemas.codec import Codec
from schemas.records.assignments import AssignmentAccepted, AssignmentOffered, ItemQuantity
from schemas.records.base import Record
from schemas.records.mapping import AliasDefined
from schemas.records.network import FeedDefined, RuleSetPublished
from schemas.records.operations import FeedHeartbeat
from schemas.records.orders import OrderLine, OrderPlaced
from schemas.records.reservations import ReserveLine, ReserveStock
from schemas.records.stock import StockDelta
from streams.signatures import KeyRing, SigningKey

PARTNER: Final = "acme|partner"
MERCHANT: Final = "acme|merchant"
NAMESPACE: Final = "merchant:merchant"
RULE_SET: Final = "acme|rules"
DAY_MS: Final = 86_400_000
KEYS: Final = {
    "partner-1": SigningKey(PARTNER, "11" * 32),
    "tenant-1": SigningKey("acme", "22" * 32),
}
LINES_PER_ORDER: Final = ((1, 60), (2, 24), (3, 11), (4, 5))
"""(lines, percent): three orders in five are for one article, as in most shops."""


class World:
    """Locations and variants, and whatever is said about them."""

    def __init__(self, *, locations: int, variants: int) -> None:
        self._encode = Codec().encode
        self._ring = KeyRing(KEYS)
        made = network(locations, variants)
        self.location_ids = sorted(made.locations)
        self.variant_ids = sorted(made.variants)
        self._reference = _reference(made)
        self._sequences: dict[tuple[str, str], int] = {}

    def write_keys(self, folder: Path) -> Path:
        """The key file that the worker is told by FSN_KEYS."""
        path = folder / "keys.json"
        path.write_bytes(msgspec.json.encode(KEYS))
        return path

    def reference(self) -> list[Message]:
        """Everything for the topic `network`."""
        return [Message("network", key.encode(), self._encode(record)) for key, record in self._reference]

    def heartbeats(self) -> list[Message]:
        """Every feed is complete up to now: without them no location is fresh enough to be routed to."""
        now = int(time.time() * 1000)
        return [
            self.signed("feed-heartbeats", location_id, FeedHeartbeat(_feed_id(location_id), location_id, now))
            for location_id in self.location_ids
        ]

    def deltas(
        self, count: int, *, quantity: int = 0, items: int = 0, padding: int = 0, first: int = 0
    ) -> list[Message]:
        """Deltas round all items with a stride, so that neighbours differ and no batch holds an item twice.

        quantity: the same for all; 0 makes a mixture of sales and receipts that adds up to more than nothing
        items: how many items they are about, 0 for all
        padding: characters of a reference that makes the records longer and says nothing
        first: where in the round to go on
        """
        places = [(variant, location) for variant in self.variant_ids for location in self.location_ids]
        places, reference = places[: items or None], "x" * padding or None
        now, made = int(time.time() * 1000), []
        for number in range(first, first + count):
            variant_id, location_id = places[(number * 7919) % len(places)]
            sequence = self._sequences[variant_id, location_id] = self._sequences.get((variant_id, location_id), 0) + 1
            units = quantity or (number % 11 - 4 or 2)
            delta = StockDelta(
                _feed_id(location_id),
                location_id,
                variant_id,
                None,
                variant_id.removeprefix("acme|"),
                sequence,
                None,
                units,
                "receipt" if units > 0 else "sale",
                reference,
                now,
            )
            made.append(self.signed("stock-deltas", variant_id, delta))
        return made

    def reservations(self, count: int) -> list[Message]:
        """Requests that reserve two units each, as orders make them."""
        made = []
        for number in range(count):
            variant_id = self.variant_ids[number % len(self.variant_ids)]
            location_id = self.location_ids[number % len(self.location_ids)]
            request = ReserveStock(f"acme|shop|held-{number}", 1, variant_id, (ReserveLine(location_id, 2),))
            made.append(Message("stock-requests", variant_id.encode(), self._encode(request)))
        return made

    def labelled(self) -> Message:
        """Rules under which a label is asked for as soon as a location has accepted."""
        rules = msgspec.msgpack.encode(Rules(label_on_acceptance=True))
        record = RuleSetPublished(RULE_SET, 1, "", rules)
        return Message("network", RULE_SET.encode(), self._encode(record))

    def aliases(self, count: int = 0) -> Iterator[Message]:
        """The merchant's own SKU of each variant; beyond them, as many more that nobody orders by."""
        now = int(time.time() * 1000)
        for number in range(max(count, len(self.variant_ids))):
            variant_id = self.variant_ids[number % len(self.variant_ids)]
            sku = _sku(variant_id) if number < len(self.variant_ids) else f"{_sku(variant_id)}-{number:07}"
            alias_id = alias_id_of("acme", NAMESPACE, sku)
            record = AliasDefined(alias_id, variant_id, 1, 1, MERCHANT, now)
            yield self.signed("aliases", alias_id, record, key_id="tenant-1")

    def accepted(self, offer: AssignmentOffered) -> Message:
        """The partner will ship all of it."""
        items = tuple(ItemQuantity(line.line_no, line.quantity) for line in offer.lines)
        answer = AssignmentAccepted(
            offer.assignment_id, offer.order_id, offer.location_id, items, int(time.time() * 1000)
        )
        return self.signed("partner-responses", offer.location_id, answer)

    def orders(self, count: int, *, prefix: str, seed: int = 1, by_sku: bool = False) -> list[Message]:
        """Signed orders of one to four lines for places all over Germany; by_sku: that name the merchant's own SKUs."""
        chance = random.Random(seed)
        sizes = [lines for lines, percent in LINES_PER_ORDER for _ in range(percent)]
        now = int(time.time() * 1000)
        return [
            self._order(f"acme|{prefix}|{number}", chance, chance.choice(sizes), now, by_sku=by_sku)
            for number in range(count)
        ]

    def _order(self, order_id: str, chance: random.Random, lines: int, now: int, *, by_sku: bool) -> Message:
        wanted = chance.sample(self.variant_ids, lines)
        quantities = [chance.choice((1, 1, 1, 2, 3)) for _ in wanted]
        order = OrderPlaced(
            order_id=order_id,
            merchant_id=MERCHANT,
            channel="shop",
            lines=tuple(
                OrderLine(number, None, NAMESPACE, _sku(variant_id), quantity, 1_999)
                if by_sku
                else OrderLine(number, variant_id, None, None, quantity, 1_999)
                for number, (variant_id, quantity) in enumerate(zip(wanted, quantities, strict=True), 1)
            ),
            currency="EUR",
            total_minor=1_999 * sum(quantities),
            country="DE",
            postcode_area=f"{chance.randrange(1, 99):02}",
            latitude_e6=chance.randrange(48_000_000, 54_000_000, 10_000),
            longitude_e6=chance.randrange(7_000_000, 14_000_000, 10_000),
            service="standard",
            service_type="ship_from_warehouse",
            business=False,
            promised_at=now + 10 * DAY_MS,
            partial_consent=False,
            cost_ceiling_minor=None,
            fixed_location_id=None,
            marketplace_reference=None,
            recipient_ref="vault:bench",
            occurred_at=now,
        )
        return self.signed("orders", order_id, order, key_id="tenant-1")

    def signed(self, topic: str, key: str, record: Record, *, key_id: str = "partner-1") -> Message:
        """A record as its sender would send it now."""
        raw_key, value = key.encode(), self._encode(record)
        return Message(topic, raw_key, value, self._ring.sign(key_id, topic, raw_key, value))


def _reference(made: Network) -> list[tuple[str, Record]]:
    """Records that define a network, with room for any number of parcels, and a feed per location."""
    records: list[tuple[str, Record]] = [
        *made.merchants.items(),
        *((key, msgspec.structs.replace(partner, freshness_limit_ms=DAY_MS)) for key, partner in made.partners.items()),
        *((key, msgspec.structs.replace(account, daily_slots=10**6)) for key, account in made.accounts.items()),
        *made.variants.items(),
    ]
    for location_id, location in made.locations.items():
        every_day = msgspec.structs.replace(location, daily_slots=10**6, working_days=(1, 2, 3, 4, 5, 6, 7))
        records.append((location_id, every_day))
        feed_id = _feed_id(location_id)
        records.append((feed_id, FeedDefined(feed_id, PARTNER, location_id, "contiguous", "referenced")))
    return records


def _sku(variant_id: str) -> str:
    return f"SKU-{variant_id.removeprefix('acme|')}"


def _feed_id(location_id: str) -> str:
    return f"{PARTNER}|{location_id.removeprefix('acme|')}|wms"
