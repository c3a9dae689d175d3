"""Books: who bills what for an order, and where the books will not add up.

In: orders placed, shipped, completed or ended unshipped. Out: FinancialRecorded under each sender's own reference
(marketplace order, charge, invoice, tracking number), and OrderClosed. By default everything balances to the minor
unit: settlement = total, fee and shipping by their rate cards, supplier cost by the price list, refunds for what never
left. An order with a seeded discrepancy differs in exactly one respect, and the truth says which. Amounts are computed
here anew, from the network's records alone.
"""

from random import Random
from typing import Final

import yaml

from fsn.world.agenda import Agenda, Post
from fsn.world.network import HOUR_MS, MINUTE_MS, TENANT, WorldNetwork, rule_document
from fsn.world.orders import Order
from fsn.world.truth import Discrepancy, Truth
from schemas.records.finance import FinancialRecorded
from schemas.records.orders import OrderClosed

MILLION: Final = 1_000_000
CLOSE_AFTER_MS: Final = 45 * MINUTE_MS
LATE_AFTER_MS: Final = 4 * HOUR_MS
"""After closing; the rules' grace is shorter."""


class Books:
    """The money of the simulated network."""

    def __init__(self, network: WorldNetwork, agenda: Agenda, post: Post, truth: Truth) -> None:
        self._network = network
        self._agenda = agenda
        self._post = post
        self._truth = truth
        names = ("euro", "fast", "swiss", "polish")
        self._rules: dict[str, dict[str, dict[str, int]]] = {
            name: yaml.safe_load(rule_document(name)) for name in names
        }
        self._number = 0

    def placed(self, order: Order, random: Random) -> None:
        """A shop's customer pays at once."""
        if order.placed.channel == "shop":
            at = self._agenda.now + random.randrange(5_000, 60_000)
            self._plan(at, order, "payment", self._charge(order), amount=order.placed.total_minor, names_order=True)

    def shipped(
        self,
        order: Order,
        account_id: str,
        shipment_id: str,
        *,
        tracks: list[str],
        items: dict[int, int],
        random: Random,
    ) -> None:
        """The carrier bills each parcel, the supplier the goods."""
        now = self._agenda.now
        shipping = self._shipping(order, account_id, items, parcels=len(tracks))
        supplier = self._supplier_cost(order, items)
        if tracks and self._seeds(order, "SHIPPING_OVERCHARGE", "a surcharge the rate card does not know"):
            shipping += 1 + shipping // 5
        elif not tracks and order.discrepancy == "SHIPPING_OVERCHARGE":
            order.discrepancy = "SUPPLIER_COST_MISMATCH"
        if self._seeds(order, "SUPPLIER_COST_MISMATCH", "billed above the price list"):
            supplier += 1 + supplier // 10
        for place, number in enumerate(tracks):
            amount = shipping - (len(tracks) - 1) * (shipping // len(tracks)) if place == 0 else shipping // len(tracks)
            at = now + random.randrange(60, 180) * MINUTE_MS
            self._plan(at, order, "shipping", f"tracking|{number}", amount=amount, account_id=account_id)
        at = now + random.randrange(60, 180) * MINUTE_MS
        self._plan(
            at,
            order,
            "supplier_cost",
            f"invoice|INV-{shipment_id}",
            amount=supplier,
            names_order=True,
            shipment_id=shipment_id,
        )

    def complete(self, order: Order, random: Random) -> None:
        """All that will leave has left: the channel settles, and the merchant closes."""
        if order.ended:
            return
        order.ended = True
        self._truth.orders_shipped.append(order.order_id)
        at = self._agenda.now + random.randrange(90, 240) * MINUTE_MS
        unshipped = sum(
            (line.quantity - order.shipped.get(line.line_no, 0)) * line.unit_price_minor for line in order.placed.lines
        )
        if unshipped:
            self._plan(at, order, "refund", self._charge(order), amount=unshipped, names_order=True)
            order.discrepancy = None  # its refund would be part of the difference
        self._settle(order, at)
        close_at = max(order.last_event_at, at) + CLOSE_AFTER_MS
        self._agenda.plan(close_at, self._close, order)
        if self._seeds(order, "LATE_ENTRY", "a goodwill refund after the books were closed"):
            amount = 1 + order.placed.total_minor // 20
            late_at = close_at + LATE_AFTER_MS
            self._plan(late_at, order, "refund", self._charge(order), amount=amount, names_order=True)

    def unshipped(self, order: Order) -> None:
        """The order was cancelled and nothing left: what was paid goes back."""
        if order.ended:
            return
        order.ended = True
        self._truth.orders_unshipped.append(order.order_id)
        if order.placed.channel != "shop" or self._seeds(order, "MISSING_REFUND", "paid, cancelled and not refunded"):
            return
        at = self._agenda.now + 10 * MINUTE_MS
        self._plan(at, order, "refund", self._charge(order), amount=order.placed.total_minor, names_order=True)

    def _settle(self, order: Order, at: int) -> None:
        """Settlement and fee, with whatever is seeded."""
        total, reference = order.placed.total_minor, self._settled_by(order)
        settlement, fee, currency = total, self._fee(order), None
        if self._seeds(order, "AMOUNT_MISMATCH", "the channel paid too little"):
            settlement -= 1 + total // 50
        if self._seeds(order, "FEE_MISMATCH", "the channel took too much"):
            fee += 1 + fee // 4
        if self._seeds(order, "CURRENCY_MISMATCH", "settled in dollars"):
            currency = "USD"
        if not self._seeds(order, "MISSING_SETTLEMENT", "the channel never paid"):
            self._plan(at, order, "settlement", reference, amount=settlement, currency=currency)
        if self._seeds(order, "DUPLICATE", "the settlement was reported under two ids"):
            self._plan(at + MINUTE_MS, order, "settlement", reference, amount=settlement)
        self._plan(at + 2 * MINUTE_MS, order, "fee", reference, amount=fee)
        if self._seeds(order, "UNEXPECTED_ENTRY", "a chargeback nobody expected"):
            self._plan(at, order, "chargeback", self._charge(order), amount=1 + total // 25, names_order=True)
        if self._seeds(order, "REFUND_EXCEEDS_ORDER", "more was refunded than paid"):
            self._plan(at, order, "refund", self._charge(order), amount=total + 500, names_order=True)

    def _seeds(self, order: Order, kind: str, what: str) -> bool:
        """Whether this is the order's discrepancy; from now on it has happened."""
        if order.discrepancy != kind:
            return False
        order.discrepancy = "-"
        self._truth.discrepancies.append(Discrepancy(order.order_id, kind, what))
        return True

    def _plan(
        self,
        at: int,
        order: Order,
        kind: str,
        reference: str,
        *,
        amount: int,
        currency: str | None = None,
        account_id: str | None = None,
        shipment_id: str | None = None,
        names_order: bool = False,
    ) -> None:
        self._number += 1
        record = FinancialRecorded(
            reference=f"{TENANT}|{reference}",
            record_id=f"{kind}-{self._number:07d}",
            kind=kind,
            amount_minor=amount,
            currency=currency or order.placed.currency,
            order_id=order.order_id if names_order else None,
            account_id=account_id,
            shipment_id=shipment_id,
            source=None,
            occurred_at=at,
        )
        owner = TENANT if account_id is None else f"{TENANT}|{self._network.account[account_id].carrier}"
        order.last_event_at = max(order.last_event_at, at)
        self._agenda.plan(at, self._post.send, "settlements", record.reference, record, owner)

    def _close(self, order: Order) -> None:
        record = OrderClosed(order.order_id, self._agenda.now)
        self._post.send("orders", order.order_id, record, order.placed.merchant_id)

    def _charge(self, order: Order) -> str:
        return f"charge|ch_{order.order_id.partition('|')[2].replace('|', '_')}"

    def _settled_by(self, order: Order) -> str:
        marketplace = order.placed.marketplace_reference
        return f"order|{order.order_id}" if marketplace is None else f"marketplace|{marketplace}"

    def _fee(self, order: Order) -> int:
        rate_bp = self._rules_of(order)["channel_fee_bp"][order.placed.channel]
        return int((2 * order.placed.total_minor * rate_bp + 10_000) // 20_000)

    def _shipping(self, order: Order, account_id: str, items: dict[int, int], *, parcels: int) -> int:
        """The rate card: each parcel its base rate, each started kilogram its surcharge."""
        if not parcels:
            return 0
        account = self._network.account[account_id]
        base = account.base_cost_minor[account.countries.index(order.placed.country)]
        kilograms = max(1, -(-self._weight_g(order, items) // 1_000))
        return self._in_books(base * parcels + account.cost_per_kg_minor * kilograms, account.currency, order)

    def _weight_g(self, order: Order, items: dict[int, int]) -> int:
        lines = {line.line_no: line.variant_id or "" for line in order.placed.lines}
        return sum(self._network.variant[lines[number]].weight_g * units for number, units in items.items())

    def _supplier_cost(self, order: Order, items: dict[int, int]) -> int:
        lines = {line.line_no: line.variant_id or "" for line in order.placed.lines}
        costs = 0
        for number, units in items.items():
            variant = self._network.variant[lines[number]]
            costs += self._in_books(units * variant.supplier_cost_minor, variant.currency, order)
        return costs

    def _in_books(self, amount: int, currency: str, order: Order) -> int:
        """In the merchant's currency, rounded half up."""
        if currency == order.placed.currency:
            return amount
        rate_e6 = self._rules_of(order)["exchange_rates_e6"][currency]
        return int((amount * rate_e6 + MILLION // 2) // MILLION)

    def _rules_of(self, order: Order) -> dict[str, dict[str, int]]:
        rule_set_id = self._network.merchant[order.placed.merchant_id].rule_set_id
        return self._rules[rule_set_id.partition("|")[2]]
