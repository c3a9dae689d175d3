"""Reconciliation: what an order, its rate cards and its refunds say, against what was recorded; each difference named.

In: an order's row and the merchant's rules. Out: alerts, each with expected, actual and the exact records it rests on,
in a fixed order that no order of arrival can change. Pure: the same row gives the same alerts.

An order that was closed expects: its total as settlement (MISSING_SETTLEMENT, AMOUNT_MISMATCH) and as payment where
payments are reported (AMOUNT_MISMATCH); per shipment at most the planned shipping (SHIPPING_OVERCHARGE) and exactly
the supplier cost (SUPPLIER_COST_MISMATCH); the channel's fee where a rule states its rate (FEE_MISMATCH); refunds and
chargebacks of its total at most (REFUND_EXCEEDS_ORDER); and no chargeback, no cost of a shipment it does not know
(UNEXPECTED_ENTRY). A cancelled order of which nothing was shipped expects no settlement and no costs
(UNEXPECTED_ENTRY), and what the customer paid to be given back (MISSING_REFUND).

Records of one kind, amount, reference, account and shipment under different ids are one fact told twice (DUPLICATE),
unless they add up to what is expected, as two halves of a settlement do; the surplus ones are left out of further
comparison, but not of the books. A record or a planned cost in another currency is shown (CURRENCY_MISMATCH) and not
converted; a kind that was recorded only in another currency is not called missing too. Costs billed without their
shipment are compared with the shipments nobody billed apart, as a whole. Differences within
`reconciliation_tolerance_minor` are none.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from processors.ledger.rows import Alert, Ledger, Placed, Proof, Recorded, Shipment
from processors.money import percentage
from processors.rules import Rules

LATE_ENTRY: Final = "LATE_ENTRY"


class Case(msgspec.Struct, frozen=True):
    """One order as the checks read it."""

    order_id: str
    placed: Placed
    ended_at: Proof
    shipments: tuple[Shipment, ...]
    records: Mapping[str, tuple[Recorded, ...]]
    """By kind, in the order's currency, by place."""
    foreign: tuple[Recorded, ...]
    foreign_shipments: tuple[Shipment, ...]
    rules: Rules

    def of(self, kind: str) -> tuple[Recorded, ...]:
        """The records of one kind."""
        return self.records.get(kind, ())

    def differs(self, expected: int, actual: int) -> bool:
        """Whether two amounts differ by more than the tolerance."""
        return abs(actual - expected) > self.rules.reconciliation_tolerance_minor

    def elsewhere(self, kind: str) -> bool:
        """Whether this kind was recorded in another currency only."""
        return not self.of(kind) and any(record.kind == kind for record in self.foreign)

    def alert(self, kind: str, subject: str, *, expected: int, actual: int, proofs: Iterable[Proof]) -> Alert:
        """A difference in the order's currency."""
        return Alert(kind, subject, expected, actual, self.placed.currency, tuple(proofs))


class Part(msgspec.Struct, frozen=True):
    """What is compared at a time: one shipment, or those that were not billed apart."""

    subject: str
    shipments: tuple[Shipment, ...]
    records: tuple[Recorded, ...]


Check = Callable[[Case], list[Alert]]


def compare(order_id: str, ledger: Ledger, placed: Placed, ended_at: Proof, rules: Rules) -> tuple[Alert, ...]:
    """Every difference of an order that has ended, LATE_ENTRY apart."""
    case = _case(order_id, ledger, placed, ended_at, rules)
    checks = CHECKS_CANCELLED if ledger.is_cancelled else CHECKS_CLOSED
    return tuple(alert for check in checks for alert in check(case))


def late_entries(records: Iterable[Recorded], found: Sequence[Alert]) -> tuple[Alert, ...]:
    """Records that changed a reconciled margin by coming late, unless another alert names them."""
    named = {proof for alert in found for proof in alert.proofs}
    late = sorted(
        (record for record in records if record.margin_before is not None and record.proof not in named),
        key=lambda record: record.proof,
    )
    return tuple(
        Alert(LATE_ENTRY, record.subject, before, before + effect(record), record.currency, (record.proof,))
        for record in late
        if (before := record.margin_before) is not None
    )


def unplaced(ledger: Ledger) -> tuple[Alert, ...]:
    """Every record of an order that nobody placed."""
    return tuple(_unexpected(record) for record in sorted(ledger.records, key=lambda record: record.proof))


def effect(record: Recorded) -> int:
    """What a record adds to the margin of its order."""
    return {"settlement": record.amount_minor, "payment": 0}.get(record.kind, -record.amount_minor)


def check_settlement(case: Case) -> list[Alert]:
    """The channel pays the order's total."""
    total = case.placed.total_minor
    kept, alerts = without_repeats(case, case.of("settlement"), total)
    actual = _sum(kept)
    if case.differs(total, actual) and not case.elsewhere("settlement"):
        kind = "AMOUNT_MISMATCH" if kept else "MISSING_SETTLEMENT"
        proofs = (case.placed.proof, *_proofs(kept)) if kept else (case.placed.proof, case.ended_at)
        alerts.append(case.alert(kind, case.order_id, expected=total, actual=actual, proofs=proofs))
    return alerts


def check_payment(case: Case) -> list[Alert]:
    """Where payments are reported, the customer pays the order's total."""
    total = case.placed.total_minor
    kept, alerts = without_repeats(case, case.of("payment"), total)
    if kept and case.differs(total, _sum(kept)):
        proofs = (case.placed.proof, *_proofs(kept))
        subject = f"{case.order_id}#payment"
        alerts.append(case.alert("AMOUNT_MISMATCH", subject, expected=total, actual=_sum(kept), proofs=proofs))
    return alerts


def check_shipping(case: Case) -> list[Alert]:
    """Each shipment costs at most what the rate card says, over all accounts that billed it."""
    parts, strays = _parts(case, case.of("shipping"))
    alerts = [_unexpected(record) for record in strays]
    for part in parts:
        expected = sum(shipment.shipping_minor for shipment in part.shipments)
        kept, repeats = without_repeats(case, part.records, expected)
        alerts += repeats
        if _sum(kept) > expected and case.differs(expected, _sum(kept)):
            alerts.append(_part_alert(case, "SHIPPING_OVERCHARGE", part, expected, kept))
    return alerts


def check_supplier_cost(case: Case) -> list[Alert]:
    """Each shipment costs exactly what the supplier's price list says."""
    parts, strays = _parts(case, case.of("supplier_cost"))
    alerts = [_unexpected(record) for record in strays]
    for part in parts:
        expected = sum(shipment.supplier_cost_minor for shipment in part.shipments)
        kept, repeats = without_repeats(case, part.records, expected)
        alerts += repeats
        if case.differs(expected, _sum(kept)) and not case.elsewhere("supplier_cost"):
            alerts.append(_part_alert(case, "SUPPLIER_COST_MISMATCH", part, expected, kept))
    return alerts


def check_fee(case: Case) -> list[Alert]:
    """The channel takes its rate of the order's total, where a rule states one."""
    rate = case.rules.channel_fee_bp.get(case.placed.channel)
    expected = None if rate is None else percentage(case.placed.total_minor, rate)
    kept, alerts = without_repeats(case, case.of("fee"), expected)
    if expected is not None and case.differs(expected, _sum(kept)) and not case.elsewhere("fee"):
        proofs = (case.placed.proof, *_proofs(kept))
        alerts.append(case.alert("FEE_MISMATCH", case.order_id, expected=expected, actual=_sum(kept), proofs=proofs))
    return alerts


def check_refund(case: Case) -> list[Alert]:
    """Refunds and chargebacks together give back the order's total at most."""
    refunds, alerts = without_repeats(case, case.of("refund"), None)
    chargebacks, repeats = without_repeats(case, case.of("chargeback"), None)
    given, total = (*refunds, *chargebacks), case.placed.total_minor
    alerts += repeats
    if _sum(given) > total and case.differs(total, _sum(given)):
        proofs = (case.placed.proof, *_proofs(given))
        alerts.append(
            case.alert("REFUND_EXCEEDS_ORDER", case.order_id, expected=total, actual=_sum(given), proofs=proofs)
        )
    return alerts


def check_chargeback(case: Case) -> list[Alert]:
    """Nothing in an order expects a chargeback."""
    return [_unexpected(record) for record in case.of("chargeback")]


def check_cancelled_costs(case: Case) -> list[Alert]:
    """Nothing was shipped, so nothing may be billed."""
    return [_unexpected(record) for kind in ("shipping", "supplier_cost", "fee") for record in case.of(kind)]


def check_cancelled_refund(case: Case) -> list[Alert]:
    """What came in for a cancelled order (as payment, as settlement, or as both in turn) is given back."""
    paid, alerts = without_repeats(case, case.of("payment"), None)
    settled, repeats = without_repeats(case, case.of("settlement"), None)
    alerts += repeats
    received = max(_sum(paid), _sum(settled))
    given = (*case.of("refund"), *case.of("chargeback"))
    if _sum(given) < received and case.differs(received, _sum(given)) and not case.elsewhere("refund"):
        proofs = _proofs((*paid, *settled, *given))
        alerts.append(case.alert("MISSING_REFUND", case.order_id, expected=received, actual=_sum(given), proofs=proofs))
    return alerts


def check_currency(case: Case) -> list[Alert]:
    """Everything is booked in the order's currency."""
    alerts = [
        Alert(
            "CURRENCY_MISMATCH",
            record.subject,
            0,
            record.amount_minor,
            record.currency,
            (case.placed.proof, record.proof),
        )
        for record in case.foreign
    ]
    for shipment in case.foreign_shipments:
        planned = shipment.shipping_minor + shipment.supplier_cost_minor
        proofs = (case.placed.proof, shipment.proof)
        alerts.append(Alert("CURRENCY_MISMATCH", shipment.shipment_id, 0, planned, shipment.currency, proofs))
    return alerts


CHECKS_CLOSED: Final[tuple[Check, ...]] = (
    check_settlement,
    check_payment,
    check_shipping,
    check_supplier_cost,
    check_fee,
    check_refund,
    check_chargeback,
    check_currency,
)
CHECKS_CANCELLED: Final[tuple[Check, ...]] = (
    check_cancelled_costs,
    check_cancelled_refund,
    check_refund,
    check_currency,
)


def without_repeats(
    case: Case, records: Sequence[Recorded], expected: int | None
) -> tuple[tuple[Recorded, ...], list[Alert]]:
    """The records without those that tell a fact again, and a DUPLICATE for each fact told too often.

    Of equal records as many are kept as fit into what is expected, and always one.
    """
    facts: dict[tuple[str, str | None, str | None, int], list[Recorded]] = {}
    for record in records:
        fact = (record.reference, record.account_id, record.shipment_id, record.amount_minor)
        facts.setdefault(fact, []).append(record)
    room = None
    if expected is not None:
        once = sum(told[0].amount_minor for told in facts.values())
        room = expected + case.rules.reconciliation_tolerance_minor - once
    kept: list[Recorded] = []
    alerts = []
    for told in facts.values():
        amount = told[0].amount_minor
        more = 0 if room is None else min(len(told) - 1, max(room, 0) // amount)
        room = None if room is None else room - more * amount
        kept += told[: more + 1]
        if more + 1 < len(told):
            subject = told[more + 1].subject
            sums = _sum(told[: more + 1]), _sum(told)
            alerts.append(case.alert("DUPLICATE", subject, expected=sums[0], actual=sums[1], proofs=_proofs(told)))
    return tuple(kept), alerts


def _case(order_id: str, ledger: Ledger, placed: Placed, ended_at: Proof, rules: Rules) -> Case:
    records: dict[str, tuple[Recorded, ...]] = {}
    foreign: list[Recorded] = []
    for record in sorted(ledger.records, key=lambda record: record.proof):
        if record.currency == placed.currency:
            records[record.kind] = (*records.get(record.kind, ()), record)
        else:
            foreign.append(record)
    shipments = sorted(ledger.shipments, key=lambda shipment: shipment.shipment_id)
    return Case(
        order_id=order_id,
        placed=placed,
        ended_at=ended_at,
        shipments=tuple(shipment for shipment in shipments if shipment.currency == placed.currency),
        records=records,
        foreign=tuple(foreign),
        foreign_shipments=tuple(shipment for shipment in shipments if shipment.currency != placed.currency),
        rules=rules,
    )


def _parts(case: Case, records: Iterable[Recorded]) -> tuple[list[Part], list[Recorded]]:
    """Records sorted to the shipments they bill, and the strays: those of a shipment the order does not know.

    While a planned cost is in another currency nothing can be compared, and nothing is called a stray.
    """
    if case.foreign_shipments:
        return [], []
    billed: dict[str, list[Recorded]] = {shipment.shipment_id: [] for shipment in case.shipments}
    pooled: list[Recorded] = []
    strays: list[Recorded] = []
    for record in records:
        shipment_id = record.shipment_id or _only_shipment(case.shipments, record.account_id)
        if shipment_id in billed:
            billed[shipment_id].append(record)
        elif shipment_id is None and billed:
            pooled.append(record)
        else:
            strays.append(record)
    parts = [
        Part(shipment.shipment_id, (shipment,), tuple(billed[shipment.shipment_id]))
        for shipment in case.shipments
        if billed[shipment.shipment_id] or not pooled
    ]
    if pooled:
        unbilled = tuple(shipment for shipment in case.shipments if not billed[shipment.shipment_id])
        parts.append(Part(case.order_id, unbilled, tuple(pooled)))
    return parts, strays


def _only_shipment(shipments: Sequence[Shipment], account_id: str | None) -> str | None:
    """The shipment that a record without one must mean: the only one, or the only one on its account."""
    if len(shipments) > 1:
        shipments = [shipment for shipment in shipments if shipment.account_id == account_id]
    return shipments[0].shipment_id if len(shipments) == 1 else None


def _part_alert(case: Case, kind: str, part: Part, expected: int, kept: Sequence[Recorded]) -> Alert:
    proofs = (*(shipment.proof for shipment in part.shipments), *_proofs(kept))
    return case.alert(kind, part.subject, expected=expected, actual=_sum(kept), proofs=proofs)


def _unexpected(record: Recorded) -> Alert:
    return Alert("UNEXPECTED_ENTRY", record.subject, 0, record.amount_minor, record.currency, (record.proof,))


def _sum(records: Iterable[Recorded]) -> int:
    return sum(record.amount_minor for record in records)


def _proofs(records: Iterable[Recorded]) -> tuple[Proof, ...]:
    return tuple(record.proof for record in records)
