"""Step 7, cost: what would it cost to send the order from here?

Landed cost = shipping (`processors.routing.rates`) + handling (per shipment and per unit) + supplier cost, in the
merchant's currency. Fence: over the order's ceiling already for the cheapest single unit (whole plans are held to the
ceiling by the plan search), or a currency without an exchange rate. Rating: of the whole order sent from here, so that
candidates compare like with like, and without the supplier cost, which belongs to the variant and is the same from
everywhere: with it, dear goods would drown the difference.
"""

from collections.abc import Mapping, Sequence
from operator import mul

import msgspec

from processors.routing.rates import Largest, Parcel, kilograms
from processors.routing.score import rate
from processors.routing.steps.carrier import Arrivals, cheapest
from processors.routing.words import OK, Verdict
from processors.rules import MILLION, Rules


class Bill(msgspec.Struct, frozen=True):
    """What the order's units cost, weigh and fill, by variant, wherever they come from."""

    weight_g: tuple[int, ...]
    supplier_minor: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...] = ()
    """(cubic millimetres, longest side) of one unit; empty where nobody measured any."""


def converted(amount_minor: int, rate_e6: int) -> int:
    """An amount in another currency, rounded half up."""
    return (amount_minor * rate_e6 + MILLION // 2) // MILLION


def exchange_rate_e6(currency: str, into: str, *, rates_e6: Mapping[str, int]) -> int | None:
    """Millionths of a minor unit of `into` for one minor unit of `currency`; None when no rule says."""
    return MILLION if currency == into else rates_e6.get(currency)


def parcel(bill: Bill, takes: Sequence[int]) -> Parcel:
    """So many units, by variant, as one shipment."""
    weight_g = total(bill.weight_g, takes)
    if not bill.sizes:
        return Parcel(weight_g, kilograms(weight_g))
    volume_mm3 = sum([size[0] * units for size, units in zip(bill.sizes, takes, strict=True)])
    return Parcel(weight_g, kilograms(weight_g), volume_mm3, largest(bill, takes).longest_mm)


def largest(bill: Bill, takes: Sequence[int]) -> Largest:
    """The most that one unit of what is taken weighs, fills and reaches."""
    sizes = bill.sizes or ((0, 0),) * len(takes)
    taken = [(weight_g, *size) for weight_g, size, units in zip(bill.weight_g, sizes, takes, strict=True) if units]
    weights, volumes, lengths = zip(*taken, strict=True)
    return Largest(max(weights), max(volumes), max(lengths))


def landed(bill: Bill, takes: Sequence[int], *, in_time: Arrivals, handling: tuple[int, int]) -> int:
    """Landed cost of so many units, by variant, in one shipment by the account planned for them.

    handling: (per shipment, per unit)
    """
    shipping_minor = cheapest(in_time, parcel(bill, takes))[0]
    return shipping_minor + handling[0] + handling[1] * sum(takes) + total(bill.supplier_minor, takes)


def total(each: Sequence[int], takes: Sequence[int]) -> int:
    """Σ value of one unit · units, over the variants."""
    return sum(map(mul, each, takes))


def fence(least_minor: int, ceiling_minor: int | None) -> Verdict:
    """least_minor: landed cost of the least it could ship."""
    return OK if ceiling_minor is None or least_minor <= ceiling_minor else Verdict.OVER_COST_CEILING


def rating(cost_minor: int, rules: Rules) -> int:
    """cost_minor: shipping and handling of the whole order. Cheaper is better."""
    return rate(cost_minor, worst=rules.cost_worst_minor, best=rules.cost_best_minor)
