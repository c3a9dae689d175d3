"""Noise: what goes wrong between systems that trust nobody, planted on purpose, each with the reason it must get.

In: the world as it is at that moment (who exists, which orders were placed). Out: garbage, unknown schemas, record
types on the wrong topic, forgeries, negative quantities, strangers, contradictions, one record of ten megabytes; and
records on the wrong partition, as librdkafka's default partitioner would put them, which must be processed all the
same. No noise changes what FSN must do with the good records.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

import msgspec

from fsn.world.agenda import Agenda, Message, Post
from fsn.world.network import TENANT, WorldNetwork
from fsn.world.orders import Order
from fsn.world.payloads import FORMATS
from fsn.world.shelves import Shelf
from fsn.world.truth import Forwarded, Truth
from schemas.records.assignments import AssignmentAccepted, ItemQuantity
from schemas.records.base import Record
from schemas.records.finance import FinancialRecorded
from schemas.records.operations import FeedHeartbeat
from schemas.records.orders import OrderCancelled, OrderLine, OrderPlaced
from schemas.records.shipments import CarrierMessage
from schemas.records.stock import StockCount, StockDelta

HUGE_BYTES: Final = 10_000_000
HUGE_LINES: Final = 60_000
HUGE_SKU: Final = 138
NOBODY: Final = b"\x00\x00\x0f\x42\x40"
"""Confluent wire format, and a schema id that nobody gave out."""

Trouble = Callable[[], None]


class Noise:
    """Trouble, kind by kind."""

    def __init__(
        self, network: WorldNetwork, agenda: Agenda, post: Post, truth: Truth, *, orders: Sequence[Order],
        shelves: Sequence[Shelf], random: Random,
    ) -> None:  # fmt: skip
        self._network = network
        self._agenda = agenda
        self._post = post
        self._truth = truth
        self._orders = orders
        self._shelves = shelves
        self._random = random
        self._count = 0
        self.kinds: Final[tuple[Trouble, ...]] = (
            self.garbage, self.cut_short, self.unknown_schema, self.wrong_topic, self.unsigned, self.badly_signed,
            self.signed_by_another, self.forged_heartbeat, self.negative_order, self.negative_count,
            self.negative_acceptance, self.unknown_merchant, self.unknown_variant, self.unknown_feed, self.no_channel,
            self.odd_currency, self.other_content, self.other_amount, self.broken_payload, self.wrong_key,
            self.unknown_assignment, self.never_placed, self.unlinked, self.misplaced_heartbeat,
            self.misplaced_delta,
        )  # fmt: skip

    def make(self, number: int) -> None:
        """Trouble of the kind whose turn it is."""
        self.kinds[number % len(self.kinds)]()

    # bytes ------------------------------------------------------------------------------------------------------

    def garbage(self) -> None:
        """Bytes that are no record, properly signed."""
        topic, key, owner = self._somewhere()
        value = b"\x7b" + self._random.randbytes(self._random.randrange(0, 300))
        self._bury(topic, key, value, owner, "UNDECODABLE", "random bytes")

    def cut_short(self) -> None:
        """A record that lost its end."""
        shelf = self._shelf()
        value = self._post.encoded(self._delta(shelf))
        half = value[: len(value) // 2]
        self._bury("stock-deltas", shelf.variant_id, half, self._partner(shelf), "UNDECODABLE", "half a StockDelta")

    def unknown_schema(self) -> None:
        """A schema id that nobody gave out."""
        topic, key, owner = self._somewhere()
        self._bury(topic, key, NOBODY + b"rest", owner, "UNKNOWN_SCHEMA", "schema id 1000000")

    def wrong_topic(self) -> None:
        """A good record where its type is not declared."""
        order = self._order()
        value = self._post.encoded(self._delta(self._shelf()))
        self._bury("orders", order.order_id, value, TENANT, "UNDECLARED_RECORD", "a StockDelta on orders")

    def huge(self) -> None:
        """An order of ten megabytes: `orders` admits it, what follows from it is too large for any other topic."""
        template, variant_id = self._orders[0].placed, self._network.variants[0].variant_id
        lines = tuple(
            OrderLine(number, variant_id, None, f"{number:0{HUGE_SKU}d}", 1, 100) for number in range(1, HUGE_LINES + 1)
        )
        record = self._strange(template, lines=lines, total_minor=100 * HUGE_LINES, marketplace_reference=None)
        value = self._post.encoded(record)
        self._bury("orders", record.order_id, value, TENANT, "OUTPUT_TOO_LARGE", f"an order of {len(value)} bytes")

    # signatures -------------------------------------------------------------------------------------------------

    def unsigned(self) -> None:
        """A delta without any signature."""
        shelf = self._shelf()
        self._bury("stock-deltas", shelf.variant_id, self._delta(shelf), None, "FORGED", "no signature")

    def badly_signed(self) -> None:
        """A delta that names a key its sender does not have."""
        shelf = self._shelf()
        key, value = shelf.variant_id.encode(), self._post.encoded(self._delta(shelf))
        headers = self._post.keys.forged_headers(self._partner(shelf), "stock-deltas", key, value)
        self._post.deliver(Message(self._agenda.now, "stock-deltas", key, value, headers))
        self._truth.deltas += 1
        self._truth.plant("FORGED", "stock-deltas", shelf.variant_id, "signed without the key's secret")

    def signed_by_another(self) -> None:
        """One partner speaks for another's stock."""
        shelf = self._shelf()
        delta = msgspec.structs.replace(self._delta(shelf), quantity=5_000)
        self._bury(
            "stock-deltas", shelf.variant_id, delta, self._stranger(shelf), "FORGED", "signed by another partner"
        )

    def forged_heartbeat(self) -> None:
        """One partner calls another's feed fresh."""
        shelf = self._shelf()
        feed = shelf.state.feed
        heartbeat = FeedHeartbeat(feed.feed_id, feed.location_id, self._agenda.now)
        owner = self._stranger(shelf)
        self._bury("feed-heartbeats", feed.location_id, heartbeat, owner, "FORGED", "signed by another partner")

    # values -----------------------------------------------------------------------------------------------------

    def negative_order(self) -> None:
        """An order of fewer than no goods."""
        line = self._order().placed.lines[0]
        self._bury_order("NEGATIVE_QUANTITY", lines=(msgspec.structs.replace(line, quantity=-3),))

    def negative_count(self) -> None:
        """A count below nothing."""
        shelf = self._shelf()
        delta = self._delta(shelf)
        record = StockCount(
            delta.feed_id, delta.location_id, delta.variant_id, delta.namespace, delta.sku, delta.sequence,
            delta.idempotency_key, -7, self._agenda.now,
        )  # fmt: skip
        owner = self._partner(shelf)
        self._bury("stock-deltas", shelf.variant_id, record, owner, "NEGATIVE_QUANTITY", "a count of -7")

    def negative_acceptance(self) -> None:
        """A partner answers for an assignment that FSN never made."""
        self._answer(-1)

    def unknown_assignment(self) -> None:
        """The same, politely."""
        self._answer(1)

    def unknown_merchant(self) -> None:
        """An order of a merchant nobody knows."""
        self._bury_order("UNKNOWN_MERCHANT", merchant_id=f"{TENANT}|merchant_nobody")

    def unknown_variant(self) -> None:
        """An order for goods nobody knows."""
        line = self._order().placed.lines[0]
        unknown = msgspec.structs.replace(line, variant_id=f"{TENANT}|var_0000_0000")
        self._bury_order("UNKNOWN_VARIANT", lines=(unknown,))

    def unknown_feed(self) -> None:
        """A feed that was never defined."""
        shelf = self._shelf()
        delta = msgspec.structs.replace(self._delta(shelf), feed_id=f"{TENANT}|nobody|nowhere|wms")
        self._bury("stock-deltas", shelf.variant_id, delta, TENANT, "UNKNOWN_FEED", "a feed never defined")

    def no_channel(self) -> None:
        """A missing business field."""
        self._bury_order("MISSING_FIELD", channel="")

    def odd_currency(self) -> None:
        """An order in no currency."""
        self._bury_order("CURRENCY_INVALID", currency="EURO")

    def other_content(self) -> None:
        """An order id that was used before, for something else."""
        order = self._order()
        record = msgspec.structs.replace(order.placed, total_minor=order.placed.total_minor + 1)
        self._bury("orders", order.order_id, record, order.placed.merchant_id, "ORDER_DIFFERS", "another total")

    def other_amount(self) -> None:
        """A financial record that contradicts itself."""
        name = self._name()
        self.unlinked(name)
        record = self._bill(name, 999)
        self._bury("settlements", record.reference, record, TENANT, "RECORD_DIFFERS", "another amount")

    def broken_payload(self) -> None:
        """A carrier's message that ends in the middle."""
        number = f"{TENANT}|ups|1ZBROKEN{self._name()}"
        payload = b'{"trackResponse": {"shipment": [{"inquiryNumber": "1Z'
        record = CarrierMessage(number, "ups", FORMATS["ups"], payload, None, self._agenda.now)
        self._bury("tracking", number, record, f"{TENANT}|ups", "INVALID_PAYLOAD", "JSON cut short")

    def wrong_key(self) -> None:
        """A delta keyed by another variant."""
        shelf, other = self._shelf(), self._shelf()
        while other.variant_id == shelf.variant_id:
            other = self._shelf()
        self._bury(
            "stock-deltas", other.variant_id, self._delta(shelf), self._partner(shelf), "KEY_MISMATCH", "another key"
        )

    # strangers --------------------------------------------------------------------------------------------------

    def never_placed(self) -> None:
        """A cancel of an order that was never placed: kept for a while, then shown to a person."""
        order_id = f"{TENANT}|shop|never-{self._name()}"
        record = OrderCancelled(order_id, "wrong window", self._agenda.now)
        self._post.send("orders", order_id, record, TENANT)
        self._truth.cancels_of_unknown_orders.append(order_id)

    def unlinked(self, name: str | None = None) -> None:
        """A settlement of a marketplace order that nobody knows: waits, then is shown to a person."""
        record = self._bill(name or self._name(), 1_234)
        self._post.send("settlements", record.reference, record, TENANT)
        self._truth.unlinked_references.append(record.reference)

    # partitions -------------------------------------------------------------------------------------------------

    def misplaced_heartbeat(self) -> None:
        """A good heartbeat on the wrong partition."""
        shelf = self._shelf()
        feed = shelf.state.feed
        heartbeat = FeedHeartbeat(feed.feed_id, feed.location_id, self._agenda.now)
        if self._agenda.now > shelf.state.silent_until:
            shelf.state.said_at = self._agenda.now
            self._misplace("feed-heartbeats", feed.location_id, heartbeat, feed.partner_id)

    def misplaced_delta(self) -> None:
        """A good count on the wrong partition, for a feed whose order does not matter."""
        unnumbered = [shelf for shelf in self._shelves if shelf.state.feed.sequences == "none"]
        shelf = self._random.choice(unnumbered)
        if self._agenda.now > shelf.state.silent_until:
            shelf.book += 1
            shelf.state.said_at = self._agenda.now
            delta = msgspec.structs.replace(self._delta(shelf), idempotency_key=f"misplaced-{self._name()}", quantity=1)
            self._truth.deltas += 1
            self._misplace("stock-deltas", shelf.variant_id, delta, self._partner(shelf))

    def _misplace(self, topic: str, key: str, record: Record, owner: str) -> None:
        """What a producer does that forgot to set its partitioner."""
        message = self._post.write(topic, key, record, owner)
        self._post.deliver(msgspec.structs.replace(message, misplaced=True))
        self._truth.forwarded.append(Forwarded(topic, key))

    # helpers ----------------------------------------------------------------------------------------------------

    def _bury(self, topic: str, key: str, record: Record | bytes, owner: str | None, reason: str, what: str) -> None:
        """Send what must end in dead-letters."""
        value = record if isinstance(record, bytes) else self._post.encoded(record)
        self._post.send_bytes(topic, key.encode(), value, owner=owner)
        self._truth.deltas += isinstance(record, StockDelta | StockCount)
        self._truth.plant(reason, topic, key, what)

    def _bury_order(self, reason: str, **changes: Any) -> None:
        record = self._strange(self._order().placed, **changes)
        self._bury("orders", record.order_id, record, TENANT, reason, f"an order with {', '.join(changes)}")

    def _strange(self, placed: OrderPlaced, **changes: Any) -> OrderPlaced:
        return msgspec.structs.replace(placed, order_id=f"{TENANT}|shop|noise-{self._name()}", **changes)

    def _answer(self, quantity: int) -> None:
        shelf = self._shelf()
        ids = (f"as_{self._random.getrandbits(80):020x}", self._order().order_id, shelf.location_id)
        record = AssignmentAccepted(*ids, (ItemQuantity(1, quantity),), self._agenda.now)
        what = "an assignment nobody made"
        self._bury("partner-responses", shelf.location_id, record, self._partner(shelf), "UNKNOWN_ASSIGNMENT", what)

    def _bill(self, name: str, amount: int) -> FinancialRecorded:
        return FinancialRecorded(
            f"{TENANT}|marketplace|999-{name}", f"stray-{name}", "settlement", amount, "EUR", None, None, None, None, 0
        )

    def _delta(self, shelf: Shelf) -> StockDelta:
        """What the shelf's feed would say next."""
        feed, number = shelf.state.feed, shelf.sequence + 1
        numbered = feed.sequences != "none"
        return StockDelta(
            feed_id=feed.feed_id,
            location_id=feed.location_id,
            variant_id=shelf.variant_id,
            namespace=feed.partner_id,
            sku=shelf.sku,
            sequence=number if numbered else None,
            idempotency_key=None if numbered else f"noise-{self._name()}",
            quantity=1,
            reason="receipt",
            reference=None,
            occurred_at=self._agenda.now,
        )

    def _somewhere(self) -> tuple[str, str, str]:
        """(topic, key, owner): one of the topics that outsiders write."""
        shelf, order = self._shelf(), self._order()
        partner = self._partner(shelf)
        return self._random.choice(
            (
                ("stock-deltas", shelf.variant_id, partner),
                ("feed-heartbeats", shelf.location_id, partner),
                ("partner-responses", shelf.location_id, partner),
                ("orders", order.order_id, order.placed.merchant_id),
                ("settlements", f"{TENANT}|charge|noise", TENANT),
                ("tracking", f"{TENANT}|gls|0", f"{TENANT}|gls"),
            )
        )

    def _shelf(self) -> Shelf:
        return self._random.choice(self._shelves)

    def _order(self) -> Order:
        """An order placed by now, well before."""
        placed = [order for order in self._orders if order.at < self._agenda.now - 600_000 and order.routable]
        return self._random.choice(placed or [self._orders[0]])

    def _partner(self, shelf: Shelf) -> str:
        return shelf.state.feed.partner_id

    def _stranger(self, shelf: Shelf) -> str:
        others = [each.partner_id for each in self._network.partners if each.partner_id != self._partner(shelf)]
        return self._random.choice(others)

    def _name(self) -> str:
        self._count += 1
        return f"{self._count:05d}"
