"""How long a record takes to bytes and back, against bare fastavro with dicts, in one paired run.

`measure()` returns, per record type, the median microseconds of each way and the median of the paired ratios: every
round times all ways one after the other, so that a busy machine slows each of them. The ways that were not chosen
stay here, for the decision (`docs/decisions/0002-typed-records.md`) rests on these numbers.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import make_dataclass
from io import BytesIO
from typing import Any, Final

import fastavro
import msgspec

from schemas.codec import Codec
from schemas.records.base import Record
from schemas.records.orders import OrderLine, OrderPlaced
from schemas.records.reservations import StockOffered
from schemas.records.stock import StockDelta, StockSnapshot

ROUNDS: Final = 25
CALLS: Final = 400
TARGET_RATIO: Final = 1.3
PROMISED: Final = ("StockDelta", "StockSnapshot")
_DAY_AT: Final = 1_760_000_000_000

SAMPLES: Final[tuple[Record, ...]] = (
    StockDelta(
        feed_id="acme|partner_berlin|loc_berlin|wms",
        location_id="acme|loc_berlin",
        variant_id="acme|var_8472_0091",
        namespace=None,
        sku="SKU-8472-0091",
        sequence=1_234_567,
        idempotency_key=None,
        quantity=-3,
        reason="sale",
        reference=None,
        occurred_at=_DAY_AT,
    ),
    StockSnapshot(
        variant_id="acme|var_8472_0091",
        location_id="acme|loc_berlin",
        revision=90_210,
        on_hand=120,
        reserved=14,
        held=0,
        available_to_promise=104,
        gapped=False,
        updated_at=_DAY_AT,
    ),
    StockOffered(
        order_id="acme|shop|48372",
        attempt=1,
        variant_id="acme|var_8472_0091",
        location_ids=tuple(f"acme|loc_{number:02}" for number in range(7)),
        available=bytes(28),
        updated_at=bytes(56),
        flags=bytes(7),
    ),
    OrderPlaced(
        order_id="acme|shop|48372",
        merchant_id="acme|merchant_nordwind",
        channel="shop",
        lines=tuple(OrderLine(number, "acme|var_8472_0091", None, None, 2, 1999) for number in range(1, 4)),
        currency="EUR",
        total_minor=11_994,
        country="DE",
        postcode_area="10",
        latitude_e6=52_520_000,
        longitude_e6=13_400_000,
        service="standard",
        service_type="ship_from_warehouse",
        business=False,
        promised_at=_DAY_AT,
        partial_consent=False,
        cost_ceiling_minor=None,
        fixed_location_id=None,
        marketplace_reference=None,
        recipient_ref="vault:7f3a",
        occurred_at=_DAY_AT,
    ),
)


def measure(*, rounds: int = ROUNDS) -> dict[str, Any]:
    """Microseconds and ratios by record type, and the worst promised ratio."""
    records = {type(record).__name__: _measure_record(record, rounds) for record in SAMPLES}
    worst = max(records[name][f"{way}_ratio"] for name in PROMISED for way in ("encode", "decode"))
    return {"records": records, "worst_ratio": worst, "target_ratio": TARGET_RATIO}


def _measure_record(record: Record, rounds: int) -> dict[str, float]:
    ways = _ways(record)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(_time_us(way))
    result = {f"{name}_us": round(statistics.median(values), 3) for name, values in times.items()}
    for direction in ("encode", "decode"):
        paired = [ours / bare for ours, bare in zip(times[direction], times[f"{direction}_fastavro"], strict=True)]
        result[f"{direction}_ratio"] = round(statistics.median(paired), 3)
    return result


def _ways(record: Record) -> dict[str, Callable[[], object]]:
    """Ours, bare fastavro with dicts, and what else a typed record could have been made of."""
    codec = Codec()
    data = codec.encode(record)
    schema: Any = fastavro.parse_schema(codec.registry.latest(type(record)).schema)
    plain = msgspec.to_builtins(record, builtin_types=(bytes,))
    struct = type(record)
    fields = msgspec.structs.fields(struct)
    slotted: Any = make_dataclass("Slotted", [(field.name, Any) for field in fields], slots=True, frozen=True)
    values = tuple(getattr(record, field.name) for field in fields)

    def fastavro_encode(value: dict[str, Any]) -> bytes:
        out = BytesIO()
        fastavro.schemaless_writer(out, schema, value)
        return out.getvalue()

    bare = fastavro_encode(plain)

    def fastavro_decode() -> Any:
        return fastavro.schemaless_reader(BytesIO(bare), schema, None)

    assert data[5:] == bare, "both must write the same bytes"
    assert codec.decode(data) == record == msgspec.convert(fastavro_decode(), struct)
    return {
        "encode": lambda: codec.encode(record),
        "encode_fastavro": lambda: fastavro_encode(plain),
        "encode_fastavro_msgspec": lambda: fastavro_encode(msgspec.to_builtins(record, builtin_types=(bytes,))),
        "decode": lambda: codec.decode(data),
        "decode_fastavro": fastavro_decode,
        "decode_fastavro_msgspec": lambda: msgspec.convert(fastavro_decode(), struct),
        "construct_msgspec": lambda: struct(*values),
        "construct_slotted": lambda: slotted(*values),
    }


def _time_us(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        way()
    return (time.perf_counter() - start) / CALLS * 1e6


def _print_table(measured: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("µs", *measured["records"], title="record to bytes and back, medians")
    for row in next(iter(measured["records"].values())):
        table.add_row(row, *(f"{values[row]:.2f}" for values in measured["records"].values()))
    console = Console()
    console.print(table)
    console.print(f"worst promised ratio {measured['worst_ratio']:.2f} (target ≤ {measured['target_ratio']})")


if __name__ == "__main__":
    _print_table(measure())
