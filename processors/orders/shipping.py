"""Shipping: what left its location, and what became of it.

In: Shipped (from the location's task), Tracked, OrderClosed. Out, once per shipment: ConsumeStock for the units,
ShipmentLinked and ReferenceLinked per parcel, OrderFulfilled with what shipping (rate card of the planned account)
and supply should cost; OrderClosed to the ledger when all parcels have been delivered for the merchant's return
window and the merchant has not closed the order. The partner's shipment number is unique with the assignment only; within the order a number
that is used already gets the assignment behind it. Refused: UNKNOWN_ASSIGNMENT, goods that left without being part
of the decision in force; INVALID_VALUE, units beyond what was left to ship.
"""

from typing import Final

import msgspec

from processors.orders.checks import require_order
from processors.orders.holdings import by_reservation, draw_part
from processors.orders.keeping import keep
from processors.orders.late import keep_event
from processors.orders.planning import rules_for
from processors.orders.rows import (
    OrderRow,
    Part,
    Phase,
    Shipment,
    all_shipped,
    open_demand,
    part_of,
    row_of,
    unshipped,
    with_part,
)
from processors.reasons import Reason
from processors.routing.rates import parcel_of, price, rate_of, terms_of
from processors.routing.steps.cost import converted, exchange_rate_e6
from processors.step import ABSENT, Context, Refused
from processors.tenants import tenant_of
from schemas.records.assignments import Shipped
from schemas.records.finance import OrderFulfilled, ReferenceLinked
from schemas.records.network import VariantDefined
from schemas.records.orders import OrderClosed
from schemas.records.reservations import ConsumeStock
from schemas.records.shipments import ShipmentLinked, Tracked

DELIVERED: Final = "delivered"


def shipped(record: Shipped, ctx: Context) -> None:
    """Units left: end their reservations and tell tracking, finance and the ledger."""
    row = row_of(record.order_id, ctx)
    if row is ABSENT:
        keep_event(record.order_id, record, ctx)
        return
    name = _own_name(row, record)
    if name is None:
        return
    part = part_of(row, record.assignment_id)
    if part is ABSENT:
        detail = (
            f"shipment {record.shipment_id}: {record.assignment_id} is no assignment of order {record.order_id} now"
        )
        raise Refused(Reason.UNKNOWN_ASSIGNMENT, f"{detail}; find out what {record.location_id} has sent")
    units = _units(record, part)
    grants, drawn = draw_part(row.grants, part, units)
    for (attempt, variant_id), places in by_reservation(drawn).items():
        consume = ConsumeStock(record.order_id, attempt, variant_id, part.location_id, places[part.location_id], name)
        ctx.emit("stock-requests", variant_id, consume)
    _link_parcels(record, name, ctx)
    ctx.emit("order-facts", record.order_id, _expected_cost(row, part, units, record, name, ctx))
    lines = tuple(
        msgspec.structs.replace(line, shipped=line.shipped + units[line.line_no], accepted=True)
        if line.line_no in units
        else line
        for line in part.lines
    )
    row = with_part(row, msgspec.structs.replace(part, lines=lines))
    shipments = (*row.shipments, Shipment(name, part.assignment_id, parcels=_numbers(record)))
    keep(_fulfilled(msgspec.structs.replace(row, grants=grants, shipments=shipments)), ctx)


def _own_name(row: OrderRow, record: Shipped) -> str | None:
    """The shipment's name within the order; None when it was heard before."""
    names = {shipment.shipment_id: shipment.assignment_id for shipment in row.shipments}
    qualified = f"{record.shipment_id}|{record.assignment_id}"
    if names.get(record.shipment_id) == record.assignment_id or qualified in names:
        return None
    return qualified if record.shipment_id in names else record.shipment_id


def _units(record: Shipped, part: Part) -> dict[int, int]:
    left = unshipped(part)
    units: dict[int, int] = {}
    for item in record.items:
        units[item.item_id] = units.get(item.item_id, 0) + item.quantity
    for item_id, quantity in units.items():
        if not 0 < quantity <= left.get(item_id, 0):
            detail = f"shipment {record.shipment_id} says {quantity} of item {item_id} of {record.assignment_id}"
            raise Refused(Reason.INVALID_VALUE, f"{detail}, but {left.get(item_id, 0)} are left to ship")
    return units


def _numbers(record: Shipped) -> tuple[str, ...]:
    """The parcels' numbers as tracking knows them."""
    tenant = tenant_of(record.order_id)
    return tuple(f"{tenant}|{track.carrier}|{track.tracking_number}" for track in record.tracks)


def _link_parcels(record: Shipped, name: str, ctx: Context) -> None:
    tenant = tenant_of(record.order_id)
    for track, number in zip(record.tracks, _numbers(record), strict=True):
        ctx.emit("shipment-links", number, ShipmentLinked(number, record.order_id, name, record.location_id))
        reference = f"{tenant}|tracking|{track.tracking_number}"
        ctx.emit("reference-links", reference, ReferenceLinked(reference, record.order_id))


def _expected_cost(
    row: OrderRow, part: Part, units: dict[int, int], record: Shipped, name: str, ctx: Context
) -> OrderFulfilled:
    """What this shipment should cost by the reference data in force, in the currency of the merchant's books."""
    merchant = ctx.network.merchants.get(row.placed.merchant_id)
    into = row.placed.currency if merchant is None else merchant.currency
    rates_e6 = rules_for(row, ctx).exchange_rates_e6

    def in_books(amount_minor: int, currency: str) -> int:
        # Without a rate nothing is expected: the bill then differs, and an alert asks for the rate.
        rate_e6 = exchange_rate_e6(currency, into, rates_e6=rates_e6)
        return 0 if rate_e6 is None else converted(amount_minor, rate_e6)

    supplier_minor = 0
    goods: list[tuple[VariantDefined, int]] = []
    for line in part.lines:
        variant = ctx.network.variants.get(line.variant_id)
        if variant is not None:
            quantity = units.get(line.line_no, 0)
            supplier_minor += in_books(quantity * variant.supplier_cost_minor, variant.currency)
            goods.append((variant, quantity))
    account = ctx.network.accounts.get(part.account_id)
    shipping_minor = 0
    rate = None if account is None else rate_of(account, row.placed.country, row.placed.postcode_area)
    if account is not None and rate is not None:
        terms, parcels = terms_of(account, rate), max(1, len(record.tracks))
        tariff_minor = price(rate.base_cost_minor, account.cost_per_kg_minor, terms, parcel_of(goods), parcels=parcels)
        shipping_minor = in_books(tariff_minor, account.currency)
    return OrderFulfilled(
        order_id=row.placed.order_id,
        shipment_id=name,
        location_id=part.location_id,
        account_id=part.account_id,
        currency=into,
        shipping_minor=shipping_minor,
        supplier_cost_minor=supplier_minor,
    )


def _fulfilled(row: OrderRow) -> OrderRow:
    """FULFILLED once every unit has left; of a cancelled order, every unit that was not withdrawn."""
    if all_shipped(row) and (row.cancelled or not open_demand(row)):
        return msgspec.structs.replace(row, phase=Phase.FULFILLED)
    return row


def tracked(record: Tracked, ctx: Context) -> None:
    """A parcel's status changed."""
    row = row_of(record.order_id, ctx)
    if row is ABSENT:
        keep_event(record.order_id, record, ctx)
        return
    shipments = tuple(
        _heard(shipment, record) if shipment.shipment_id == record.shipment_id else shipment
        for shipment in row.shipments
    )
    if shipments != row.shipments:
        keep(msgspec.structs.replace(row, shipments=shipments), ctx)


def _heard(shipment: Shipment, record: Tracked) -> Shipment:
    others = tuple(number for number in shipment.delivered if number != record.tracking_number)
    delivered = (*others, record.tracking_number) if record.status == DELIVERED else others
    return msgspec.structs.replace(shipment, status=record.status, delivered=delivered)


def close_itself(order_id: str, ctx: Context) -> None:
    """Timer: nobody closed the order, and nothing can come back any more."""
    row = row_of(order_id, ctx)
    if row is not ABSENT and row.closed_at is None:
        record = OrderClosed(order_id, ctx.now_at)
        ctx.emit("order-facts", order_id, record)
        keep(close(msgspec.structs.replace(row, close_at=0), record), ctx)


def closed(record: OrderClosed, ctx: Context) -> None:
    """The merchant regards the order as finished. What is under way goes on; the ledger reconciles."""
    row = row_of(record.order_id, ctx)
    require_order(ctx, record.order_id, None if row is ABSENT else row.placed.merchant_id)
    if row is ABSENT:
        keep_event(record.order_id, record, ctx)
    elif row.closed_at is None:
        keep(close(row, record), ctx)


def close(row: OrderRow, record: OrderClosed) -> OrderRow:
    """Mark the order as closed."""
    return msgspec.structs.replace(row, closed_at=record.occurred_at)
