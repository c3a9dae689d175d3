"""One order's money for tests: the golden order of 248.00 EUR, and short words to send its records."""

from processors.ledger.stage import STAGE
from processors.network import Network, RuleSet
from processors.rules import Rules
from schemas.records.finance import FinancialRecorded, OrderFulfilled, SourceRecord
from schemas.records.network import MerchantDefined
from schemas.records.orders import OrderCancelled, OrderClosed, OrderPlaced
from tests.processors.harness import Bench

ORDER, MERCHANT = "acme|shop|48372", "acme|merchant_nordwind"
GRACE_MS = 60_000


def network(**rules):
    """A network with one merchant under these rules; the grace is a minute unless they say otherwise."""
    made = Network()
    made.merchants[MERCHANT] = MerchantDefined(MERCHANT, "Nordwind", "EUR", "DE", "acme|rules")
    made.rule_sets["acme|rules"] = RuleSet("acme|rules", 1, Rules(**{"reconcile_grace_ms": GRACE_MS, **rules}))
    return made


def bench(**rules):
    return Bench(STAGE, network=network(**rules))


def placed(total=24_800, currency="EUR", channel="otto"):
    return OrderPlaced(
        order_id=ORDER,
        merchant_id=MERCHANT,
        channel=channel,
        lines=(),
        currency=currency,
        total_minor=total,
        country="DE",
        postcode_area="10",
        latitude_e6=0,
        longitude_e6=0,
        service="standard",
        service_type="ship_from_warehouse",
        business=False,
        promised_at=None,
        partial_consent=False,
        cost_ceiling_minor=None,
        fixed_location_id=None,
        marketplace_reference="303-118",
        recipient_ref="r",
        occurred_at=0,
    )


def closed(at=1):
    return OrderClosed(ORDER, at)


def cancelled():
    return OrderCancelled(ORDER, "changed my mind", 1)


def shipped(shipment="s1", shipping=1_490, supplier=14_210, account="acme|dhl", currency="EUR"):
    return OrderFulfilled(ORDER, shipment, "acme|loc_berlin", account, currency, shipping, supplier)


def money(
    kind,
    amount,
    offset,
    *,
    record_id=None,
    currency="EUR",
    account=None,
    shipment=None,
    reference="acme|marketplace|303",
):
    """A financial record as intake forwards it, read at this offset of `settlements`."""
    return FinancialRecorded(
        reference=reference,
        record_id=record_id or f"r{offset}",
        kind=kind,
        amount_minor=amount,
        currency=currency,
        order_id=ORDER,
        account_id=account,
        shipment_id=shipment,
        source=SourceRecord("settlements", 3, offset),
        occurred_at=0,
    )


SETTLED = money("settlement", 24_800, 1)
SHIPPING = money("shipping", 1_490, 2, account="acme|dhl", shipment="s1", reference="acme|tracking|00340")
FEE = money("fee", 450, 3)
SUPPLIER = money("supplier_cost", 14_210, 4, shipment="s1", reference="acme|invoice|77")
GOLDEN = (placed(), shipped(), SETTLED, SHIPPING, FEE, SUPPLIER)

TOPICS = {
    OrderPlaced: "orders",
    OrderClosed: "orders",
    OrderCancelled: "orders",
    OrderFulfilled: "order-facts",
    FinancialRecorded: "order-events",
}


def send(desk, *records):
    for record in records:
        assert desk.send(TOPICS[type(record)], ORDER, record) is None


def told(*records, **rules):
    """Send these, let the grace pass, and give back the bench."""
    desk = bench(**rules)
    send(desk, *records)
    desk.tick(desk.now_at + GRACE_MS)
    return desk


def alerts(desk):
    """(kind, subject, expected, actual) of the alerts that are open by what was published."""
    found = {}
    for topic, _, record in desk.emitted:
        if topic == "reconciliation-alerts":
            assert record.difference_minor == record.actual_minor - record.expected_minor
            found.pop(record.alert_id, None)
            if record.status == "open":
                found[record.alert_id] = record
    return {(item.kind, item.subject, item.expected_minor, item.actual_minor) for item in found.values()}


def published(desk, kind):
    return [record for _, _, record in desk.emitted if isinstance(record, kind)]
