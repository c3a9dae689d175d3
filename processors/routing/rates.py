"""Rates: what a carrier account asks to carry goods, and which goods it does not carry at all.

In: an account's rate for a destination and its limits, both in the merchant's currency, and the goods of one shipment. Out: a
price in whole minor units, or whether each unit by itself may be carried. A shipment heavier than the heaviest parcel goes
as several alike: how many is the least that the weight allows, for nobody packs here. Billed is what the goods weigh, or
the weight that their volume counts for, where that is more. Zones, bands and limits that contradict each other are
refused before, by `processors.usable`.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from processors.postcodes import narrowest
from schemas.records.network import CarrierAccountDefined, VariantDefined, ZoneRate


class Parcel(msgspec.Struct, frozen=True, gc=False):
    """Goods that travel together: sums, and the longest side of any of them (0 where nobody measured)."""

    weight_g: int
    kilograms: int
    volume_mm3: int = 0
    longest_mm: int = 0


class Largest(msgspec.Struct, frozen=True, gc=False):
    """The most that a single unit of some goods weighs, fills and reaches."""

    weight_g: int
    volume_mm3: int
    longest_mm: int


class Terms(msgspec.Struct, frozen=True):
    """What an account has besides a base and a price by the kilogram; 0 where it has none of it.

    bands: (heaviest, cost), lightest first; off_minor: by how much dearer it may be, for the customer asked for its carrier
    """

    bands: tuple[tuple[int, int], ...] = ()
    volumetric_divisor: int = 0
    max_weight_g: int = 0
    max_length_mm: int = 0
    oversize_length_mm: int = 0
    oversize_minor: int = 0
    off_minor: int = 0

    @property
    def limited(self) -> bool:
        """Whether there are goods that it does not carry."""
        return bool(self.bands) or self.max_weight_g > 0 or self.max_length_mm > 0


MOST_MINOR: Final = 1 << 53
"""What no shipment costs: volumes multiply, and a price travels in 64 bits."""

PLAIN: Final = Terms()


def kilograms(weight_g: int) -> int:
    """Started kilograms; a parcel has at least one."""
    return (weight_g + 999) // 1_000 if weight_g > 0 else 1


def rate_of(account: CarrierAccountDefined, country: str, area: str) -> ZoneRate | None:
    """The rate for a destination: of the narrowest zone that holds it; None when no zone does, or tables are too short."""
    by_area = {rate.zone[3:]: rate for rate in account.zone_rates if rate.zone[:2] == country}
    found = narrowest(area, by_area) if by_area else None
    if found is not None:
        return by_area[found]
    if country not in account.countries:
        return None
    index = account.countries.index(country)
    if index >= len(account.transit_days) or index >= len(account.base_cost_minor):
        return None
    return ZoneRate(country, account.transit_days[index], account.base_cost_minor[index])


def terms_of(
    account: CarrierAccountDefined, rate: ZoneRate, *, into: Callable[[int], int] = int, off_minor: int = 0
) -> Terms:
    """An account's terms for a destination. into: an amount in the currency wanted."""
    return Terms(
        bands=tuple([(band.up_to_g, into(band.cost_minor)) for band in rate.bands]),
        volumetric_divisor=account.volumetric_divisor,
        max_weight_g=account.max_weight_g,
        max_length_mm=account.max_length_mm,
        oversize_length_mm=account.oversize_length_mm,
        oversize_minor=into(account.oversize_minor),
        off_minor=off_minor,
    )


def parcel_of(goods: Iterable[tuple[VariantDefined, int]]) -> Parcel:
    """So many units of each variant, as one shipment."""
    weight_g = volume_mm3 = longest_mm = 0
    for variant, units in goods:
        weight_g += units * variant.weight_g
        if units > 0:
            each_mm3, side_mm = size_of(variant)
            volume_mm3, longest_mm = volume_mm3 + units * each_mm3, max(longest_mm, side_mm)
    return Parcel(weight_g, kilograms(weight_g), volume_mm3, longest_mm)


def size_of(variant: VariantDefined) -> tuple[int, int]:
    """(cubic millimetres, longest side) of one unit; 0 where nobody measured."""
    sides = variant.length_mm, variant.width_mm, variant.height_mm
    return sides[0] * sides[1] * sides[2], max(sides)


def price(base_minor: int, per_kilogram_minor: int, terms: Terms, parcel: Parcel, *, parcels: int = 1) -> int:
    """What a shipment costs that leaves in at least so many parcels: each its base or band, each started kilogram its own."""
    billed_g = _billed_g(terms, parcel.weight_g, parcel.volume_mm3)
    count = parcels
    if terms.max_weight_g > 0:
        count = max(count, -(-parcel.weight_g // terms.max_weight_g))
    if terms.bands:
        count = max(count, -(-billed_g // terms.bands[-1][0]))
        each_g = -(-billed_g // count)
        asks = count * next(cost_minor for up_to_g, cost_minor in terms.bands if each_g <= up_to_g)
    else:
        asks = count * base_minor + per_kilogram_minor * kilograms(billed_g)
    if 0 < terms.oversize_length_mm < parcel.longest_mm:
        asks += count * terms.oversize_minor
    return min(asks, MOST_MINOR)


def carries(terms: Terms, largest: Largest) -> bool:
    """Whether each unit by itself is light and short enough."""
    if 0 < terms.max_weight_g < largest.weight_g or 0 < terms.max_length_mm < largest.longest_mm:
        return False
    return not terms.bands or _billed_g(terms, largest.weight_g, largest.volume_mm3) <= terms.bands[-1][0]


def _billed_g(terms: Terms, weight_g: int, volume_mm3: int) -> int:
    return max(weight_g, -(-volume_mm3 // terms.volumetric_divisor)) if terms.volumetric_divisor > 0 else weight_g
