"""Checks: what an order and its sender must be before the network works on it.

In: OrderPlaced, or the order another record speaks of. Refused, first match wins: FORGED, KEY_MISMATCH,
MISSING_FIELD, INVALID_VALUE, NEGATIVE_QUANTITY, UNKNOWN_MERCHANT, UNKNOWN_LOCATION, UNKNOWN_VARIANT,
CURRENCY_INVALID. A line that names a SKU instead of a variant is no error: it waits for its mapping.
"""

from collections.abc import Iterator

from processors.aliases import problem_of
from processors.money import currency_problem
from processors.reasons import Reason
from processors.senders import require_sender
from processors.step import Context, Refused
from processors.tenants import tenant_of
from schemas.records.orders import OrderPlaced

LATITUDE_E6_MAX = 90_000_000
LONGITUDE_E6_MAX = 180_000_000
UNITS_MAX = 2**31 - 1
"""Demand is summed per variant, and the sum travels as an Avro int."""


def require_order(ctx: Context, order_id: str, merchant_id: str | None) -> None:
    """Refuse a record about an order that its signer may not speak for, or that has another key."""
    if not order_id:
        raise Refused(Reason.MISSING_FIELD, "order_id is empty: send tenant | source | number")
    owner_id = merchant_id if merchant_id and tenant_of(merchant_id) == tenant_of(order_id) else None
    require_sender(ctx, order_id, owner_id)
    if ctx.key != order_id:
        raise Refused(Reason.KEY_MISMATCH, f"key {ctx.key}, order_id {order_id}: key the record by its order_id")


def check_order(record: OrderPlaced, ctx: Context) -> None:
    """Refuse an order that cannot be worked on, naming the first thing that is wrong with it."""
    for reason, problem in _problems(record, ctx):
        raise Refused(reason, f"order {record.order_id}: {problem}")


def _problems(record: OrderPlaced, ctx: Context) -> Iterator[tuple[Reason, str]]:
    for problem in _missing(record):
        yield Reason.MISSING_FIELD, problem
    for problem in _invalid(record):
        yield Reason.INVALID_VALUE, problem
    for line in record.lines:
        if line.quantity < 1:
            yield Reason.NEGATIVE_QUANTITY, f"line {line.line_no} has quantity {line.quantity}: at least 1 is needed"
    yield from _unknown(record, ctx)
    wrong_currency = currency_problem(record.currency)
    if wrong_currency is not None:
        yield Reason.CURRENCY_INVALID, wrong_currency


def _missing(record: OrderPlaced) -> Iterator[str]:
    for name in ("merchant_id", "channel", "country", "service", "service_type"):
        if not getattr(record, name):
            yield f"{name} is empty"
    if record.marketplace_reference == "":
        yield "marketplace_reference is empty: name it, or send null"
    if not record.lines:
        yield "it has no lines: an order has at least one"
    for line in record.lines:
        if not line.variant_id and not (line.namespace and line.sku):
            yield f"line {line.line_no} names neither a variant_id nor a namespace with its sku"


def _invalid(record: OrderPlaced) -> Iterator[str]:
    if len(record.order_id.split("|")) < 3 or not all(record.order_id.split("|")):
        yield f"order_id {record.order_id!r} is not tenant | source | number"
    if len(record.country) != 2 or not (
        record.country.isascii() and record.country.isalpha() and record.country.isupper()
    ):
        yield f"country {record.country!r} is not two capital letters of ISO 3166-1, such as DE"
    if abs(record.latitude_e6) > LATITUDE_E6_MAX or abs(record.longitude_e6) > LONGITUDE_E6_MAX:
        yield f"({record.latitude_e6}, {record.longitude_e6}) is no place: send millionths of a degree"
    if record.total_minor < 0:
        yield f"total_minor is {record.total_minor}: at least 0 is needed"
    if record.cost_ceiling_minor is not None and record.cost_ceiling_minor < 0:
        yield f"cost_ceiling_minor is {record.cost_ceiling_minor}: at least 0 is needed, or null"
    for line in record.lines:
        problem = None if line.variant_id or not line.sku else problem_of(line.namespace or "", line.sku)
        if problem is not None:
            yield f"line {line.line_no}: {problem}"
    numbers = [line.line_no for line in record.lines]
    if len(set(numbers)) < len(numbers):
        yield f"lines are numbered {numbers}: number each line once"
    if sum(line.quantity for line in record.lines) > UNITS_MAX:
        yield f"it is for more than {UNITS_MAX} units: split it into several orders"
    for line in record.lines:
        if line.unit_price_minor < 0:
            yield f"line {line.line_no} has unit_price_minor {line.unit_price_minor}: at least 0 is needed"


def _unknown(record: OrderPlaced, ctx: Context) -> Iterator[tuple[Reason, str]]:
    tenant = tenant_of(record.order_id)
    merchant = ctx.network.merchants.get(record.merchant_id)
    if merchant is None or tenant_of(merchant.merchant_id) != tenant:
        yield (
            Reason.UNKNOWN_MERCHANT,
            f"merchant {record.merchant_id} is not in the network of {tenant}: define it first",
        )
    elif merchant.retired:
        yield Reason.UNKNOWN_MERCHANT, f"merchant {record.merchant_id} is retired: it takes no new order"
    fixed = record.fixed_location_id
    if fixed is not None and (fixed not in ctx.network.locations or tenant_of(fixed) != tenant):
        yield Reason.UNKNOWN_LOCATION, f"fixed location {fixed} is not in the network of {tenant}: define it first"
    for line in record.lines:
        if line.variant_id is None:
            continue
        variant = ctx.network.variants.get(line.variant_id)
        if variant is None or tenant_of(line.variant_id) != tenant:
            yield Reason.UNKNOWN_VARIANT, f"line {line.line_no}: {line.variant_id} is not in the network of {tenant}"
        elif variant.retired:
            yield Reason.UNKNOWN_VARIANT, f"line {line.line_no}: {line.variant_id} is retired: it is no longer sold"
