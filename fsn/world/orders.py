"""Orders: what customers want, drawn in advance, and what has become of each so far.

In: a random source, the network, what it stocks. Out: `Order`s in order of time, each with the record that places it,
and, for some, when the customer cancels it and which discrepancy its books will hold. An order knows what the world
did for it (units shipped, assignments open), never what FSN thinks of it.
"""

from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Any, Final

import msgspec

from fsn.world.network import CHANNELS, HOUR_MS, MINUTE_MS, TENANT, WorldNetwork
from fsn.world.places import CITIES, City
from fsn.world.shelves import Shelf
from fsn.world.truth import RECONCILIATION_KINDS
from schemas.records.network import MerchantDefined, VariantDefined
from schemas.records.orders import OrderLine, OrderPlaced

CANCELLED_SHARE: Final = 0.03
REPEATED_SHARE: Final = 0.01
HOURS: Final = (2, 1, 1, 1, 1, 2, 4, 8, 12, 15, 16, 16, 17, 16, 15, 15, 16, 18, 20, 22, 20, 14, 8, 4)
"""How many orders come in each hour of a day, in proportion."""

RATES: Final = {"EUR": 1.0, "CHF": 0.95, "PLN": 4.3}
FAR_FROM_ALL: Final = 500
"""More units than the whole network has of anything."""


class Order(msgspec.Struct):
    """One order and what the world did for it."""

    placed: OrderPlaced
    at: int
    cancel_at: int | None = None
    discrepancy: str | None = None
    is_repeated: bool = False
    routable: bool = True
    shipped: dict[int, int] = {}
    """Units by line."""
    open_assignments: set[str] = set()
    cancel_sent: bool = False
    held: bool = False
    """A cancel is out: partners do nothing until its answer is known."""
    waiting: list[tuple[Any, tuple[Any, ...]]] = []
    """What they would have done meanwhile."""
    ended: bool = False
    sent_lines: tuple[OrderLine, ...] = ()
    """Its lines as the merchant's system writes them, where it names goods by SKUs."""
    last_event_at: int = 0
    """When the last of its parcels, bills and records is due."""

    @property
    def order_id(self) -> str:
        """Its id."""
        return self.placed.order_id

    @property
    def units(self) -> int:
        """Units ordered."""
        return sum(line.quantity for line in self.placed.lines)

    @property
    def sent(self) -> OrderPlaced:
        """The record that places it."""
        return msgspec.structs.replace(self.placed, lines=self.sent_lines) if self.sent_lines else self.placed

    @property
    def is_complete(self) -> bool:
        """Whether all of it has left."""
        return sum(self.shipped.values()) == self.units


class Customers:
    """Draws orders."""

    def __init__(self, random: Random, network: WorldNetwork, shelves: Sequence[Shelf]) -> None:
        self._random = random
        self._network = network
        by_variant: dict[str, list[Shelf]] = {}
        for shelf in shelves:
            by_variant.setdefault(shelf.variant_id, []).append(shelf)
        self._variants = [network.variant[variant_id] for variant_id in by_variant]
        self._shelves = by_variant
        self._popular = list(accumulate(1 / (rank + 20) ** 0.8 for rank in range(len(self._variants))))
        self._cities = list(accumulate(city.weight for city in CITIES))
        self._stores = [shelf for shelf in shelves if self._is_store(shelf.location_id)]
        self._numbers: set[str] = set()

    def draw(self, count: int, first_at: int, last_at: int, *, discrepancies: int) -> list[Order]:
        """So many orders between two instants, the busy hours of a day favoured; so many with books that differ."""
        instants = sorted(self._instant(first_at, last_at) for _ in range(count))
        orders = [self._order(at) for at in instants]
        self._spoil(orders, discrepancies)
        return orders

    def _instant(self, first_at: int, last_at: int) -> int:
        while True:
            at = self._random.randrange(first_at, last_at)
            if self._random.random() * max(HOURS) < HOURS[at // HOUR_MS % 24]:
                return at

    def _order(self, at: int) -> Order:
        random = self._random
        merchant = random.choice(self._network.merchants)
        city = self._city(merchant)
        draw = random.random()
        if draw < 0.015 and self._stores:
            return self._collected(at, merchant)
        variants = self._choose(random.choices((1, 2, 3, 4), (55, 25, 13, 7))[0])
        lines = tuple(self._line(number, variant, merchant) for number, variant in enumerate(variants, 1))
        order = Order(self._placed(at, merchant, city, lines), at)
        if draw < 0.018:
            return _spoiled(order, lines=(msgspec.structs.replace(lines[0], quantity=FAR_FROM_ALL), *lines[1:]))
        if draw < 0.020:
            unmapped = msgspec.structs.replace(
                lines[0],
                variant_id=None,
                namespace=f"merchant:{merchant.merchant_id.partition('|')[2]}",
                sku=f"NEW-{at % 100_000}",
            )
            return _spoiled(order, lines=(unmapped, *lines[1:]))
        return order

    def _city(self, merchant: MerchantDefined) -> City:
        while True:
            city = self._random.choices(CITIES, cum_weights=self._cities)[0]
            if merchant.country not in ("CH", "PL") or merchant.country == city.country or self._random.random() < 0.05:
                return city

    def _choose(self, count: int) -> list[VariantDefined]:
        chosen: dict[str, VariantDefined] = {}
        while len(chosen) < min(count, len(self._variants)):
            variant = self._random.choices(self._variants, cum_weights=self._popular)[0]
            chosen[variant.variant_id] = variant
        return list(chosen.values())

    def _line(self, number: int, variant: VariantDefined, merchant: MerchantDefined) -> OrderLine:
        cost = variant.supplier_cost_minor * RATES[merchant.currency] / RATES[variant.currency]
        price = int(cost * self._random.uniform(1.5, 2.4)) + 100
        quantity = self._random.choices((1, 2, 3, 5), (78, 15, 5, 2))[0]
        return OrderLine(number, variant.variant_id, None, None, quantity, price)

    def _placed(self, at: int, merchant: MerchantDefined, city: City, lines: tuple[OrderLine, ...]) -> OrderPlaced:
        random = self._random
        channel = random.choices(CHANNELS, (40, 25, 12, 10, 8, 5))[0]
        number, marketplace = self._number(merchant, channel)
        promised_at = None
        if random.random() < 0.4:
            promised_at = (
                at + (random.randrange(120, 200) if random.random() < 0.95 else random.randrange(20, 48)) * HOUR_MS
            )
        total = sum(line.quantity * line.unit_price_minor for line in lines)
        fixed = None
        if random.random() < 0.01 and lines[0].variant_id in self._shelves:
            fixed = random.choice(self._shelves[lines[0].variant_id]).location_id
        return OrderPlaced(
            order_id=f"{TENANT}|{merchant.merchant_id.rpartition('_')[2] if channel == 'shop' else channel}|{number}",
            merchant_id=merchant.merchant_id,
            channel=channel,
            lines=lines,
            currency=merchant.currency,
            total_minor=total,
            country=city.country,
            postcode_area=city.postcode[:2],
            latitude_e6=_rounded(city.latitude_e6 + random.randrange(-120_000, 120_000)),
            longitude_e6=_rounded(city.longitude_e6 + random.randrange(-120_000, 120_000)),
            service="express" if random.random() < 0.06 else "standard",
            service_type="ship_from_warehouse",
            business=random.random() < 0.08,
            promised_at=promised_at,
            partial_consent=random.random() < 0.3,
            cost_ceiling_minor=total * 2 + 3_000 if random.random() < 0.03 else None,
            fixed_location_id=fixed,
            marketplace_reference=number if marketplace else None,
            recipient_ref=f"vault:{random.getrandbits(64):016x}",
            occurred_at=at - random.randrange(1_000, 90_000),
        )

    def _number(self, merchant: MerchantDefined, channel: str) -> tuple[str, bool]:
        """A number that was not used before, and whether it is a marketplace's."""
        while True:
            if channel == "shop":
                number = f"{self._random.randrange(10_000, 99_999_999)}"
            else:
                number = f"{self._random.randrange(300, 310)}-{self._random.randrange(10**7):07d}-{channel[:2].upper()}"
            name = f"{merchant.merchant_id}|{number}" if channel == "shop" else f"{channel}|{number}"
            if name not in self._numbers:
                self._numbers.add(name)
                return number, channel != "shop"

    def _collected(self, at: int, merchant: MerchantDefined) -> Order:
        """Click & collect: a customer fetches one thing from a store that has it."""
        shelf = self._random.choice(self._stores)
        location = self._network.location[shelf.location_id]
        city = next(city for city in CITIES if city.postcode == location.postcode)
        line = self._line(1, self._network.variant[shelf.variant_id], merchant)
        placed = self._placed(at, merchant, city, (msgspec.structs.replace(line, quantity=1),))
        return Order(
            msgspec.structs.replace(
                placed,
                service="standard",
                service_type="click_and_collect",
                business=False,
                fixed_location_id=shelf.location_id,
                total_minor=line.unit_price_minor,
                cost_ceiling_minor=None,
            ),
            at,
        )

    def _is_store(self, location_id: str) -> bool:
        return "click_and_collect" in self._network.location[location_id].services

    def _spoil(self, orders: list[Order], discrepancies: int) -> None:
        """Choose who cancels, what is sent twice, and whose books will not add up."""
        random = self._random
        for order in orders:
            order.is_repeated = random.random() < REPEATED_SHARE
            if random.random() < CANCELLED_SHARE:
                delay = random.choice((-2, 1, 3, 10, 40, 90, 240, 400)) * MINUTE_MS
                order.cancel_at = order.at + delay + random.randrange(30_000)
        usual = [order for order in orders if order.cancel_at is None and order.routable]
        paid = [
            order for order in orders if order.placed.channel == "shop" and order.cancel_at is None and order.routable
        ]
        kinds = [RECONCILIATION_KINDS[number % len(RECONCILIATION_KINDS)] for number in range(discrepancies)]
        for kind in kinds:
            pool = paid if kind == "MISSING_REFUND" else usual
            order = random.choice(pool)
            while order.discrepancy is not None:
                order = random.choice(pool)
            order.discrepancy = kind
            if kind == "MISSING_REFUND":
                order.cancel_at = order.at + 20_000


def _spoiled(order: Order, lines: tuple[OrderLine, ...]) -> Order:
    """An order that no plan can serve."""
    total = sum(line.quantity * line.unit_price_minor for line in lines)
    placed = msgspec.structs.replace(order.placed, lines=lines, total_minor=total)
    return Order(placed, order.at, routable=False)


def _rounded(degrees_e6: int) -> int:
    """To a hundredth of a degree, about a kilometre."""
    return round(degrees_e6 / 10_000) * 10_000
