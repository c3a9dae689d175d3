"""Mapping: an order whose lines name SKUs waits until each of them means a variant; then it goes on by itself.

In: an order with unmapped lines; LineMapped. Out: MappingAsked for each SKU, asked again while it is unanswered (design §5
f); OrderParked `unmapped` with what is missing, once a question was not answered at once; and the first attempt once
nothing is missing. A line keeps the variant it was
told, whatever its alias means later. Packs become units. An order that was cancelled hears no answer any more.
"""

import msgspec

from processors.aliases import alias_id_of, parts_of
from processors.orders.attempts import begin
from processors.orders.keeping import keep
from processors.orders.parking import report
from processors.orders.rows import Line, OrderRow, Phase, row_of
from processors.step import ABSENT, Context
from processors.tenants import tenant_of
from schemas.records.mapping import LineMapped, MappingAsked
from schemas.records.orders import OrderLine

UNITS_MAX = 2**31 - 1
"""Demand is summed per variant, and the sum travels as an Avro int."""


def line_of(line: OrderLine, order_id: str) -> Line:
    """An ordered line as the order keeps it."""
    if line.variant_id is not None:
        return Line(line.line_no, line.variant_id, line.quantity)
    alias_id = alias_id_of(tenant_of(order_id), line.namespace or "", line.sku or "")
    return Line(line.line_no, None, line.quantity, alias_id)


def start(row: OrderRow, ctx: Context) -> OrderRow:
    """Route the order, or ask first what its SKUs mean."""
    if not unmapped(row):
        return begin(row, ctx)
    ask_mapping(row, ctx)
    return msgspec.structs.replace(row, mapping_asked_at=ctx.now_at)


def ask_mapping(row: OrderRow, ctx: Context) -> None:
    """Ask for each SKU once."""
    placed = row.placed
    for alias_id in unmapped(row):
        ctx.emit("mapping-requests", alias_id, MappingAsked(alias_id, "order", placed.order_id, placed.merchant_id))


def mapped(record: LineMapped, ctx: Context) -> None:
    """A SKU means a variant: with the last one, the order goes on."""
    row = row_of(record.order_id, ctx)
    if row is ABSENT or row.phase is not Phase.UNMAPPED or record.alias_id not in unmapped(row):
        return
    lines = tuple(_with_variant(line, record) for line in row.placed.lines)
    if sum(line.quantity for line in lines) > UNITS_MAX:
        detail = f"{record.alias_id} is a pack of {record.units_per_pack}: that is more than {UNITS_MAX} units"
        report(row, "unmapped", detail, ctx)
        return
    row = msgspec.structs.replace(row, placed=msgspec.structs.replace(row.placed, lines=lines))
    if not unmapped(row):
        row = begin(msgspec.structs.replace(row, mapping_asked_at=0, mapping_repeats=0), ctx)
    elif row.mapping_repeats:
        tell_missing(row, ctx)
    keep(row, ctx)


def unmapped(row: OrderRow) -> tuple[str, ...]:
    """The SKUs that mean nothing yet, each once."""
    return tuple(dict.fromkeys(line.alias_id for line in row.placed.lines if line.variant_id is None))


def _with_variant(line: Line, record: LineMapped) -> Line:
    if line.variant_id is not None or line.alias_id != record.alias_id:
        return line
    return Line(line.line_no, record.variant_id, line.quantity * record.units_per_pack, line.alias_id)


def tell_missing(row: OrderRow, ctx: Context) -> None:
    """Say which lines wait for a meaning."""
    named = [(line.line_no, *parts_of(line.alias_id)) for line in row.placed.lines if line.variant_id is None]
    report(row, "unmapped", ", ".join(f"line {number}: {space} {sku}" for number, _, space, sku in named), ctx)
