"""Geo: great-circle distance in whole metres.

In: coordinates in millionths of a degree. Out: integer metres. This is the only place in routing where floats exist:
a point keeps its unit vector, and a distance is rounded to a metre at once. The chord between two unit vectors is
accurate for neighbours and antipodes alike, and costs one square root and one arc sine.
"""

from functools import lru_cache
from math import asin, cos, pi, radians, sin, sqrt
from typing import Final

EARTH_DIAMETER_M: Final = 12_742_017.6
"""Twice the mean radius (6,371,008.8 m, IUGG)."""

Point = tuple[float, float, float]
"""A unit vector from the centre of the earth; opaque outside this module."""


@lru_cache(maxsize=16_384)
def point(latitude_e6: int, longitude_e6: int) -> Point:
    """The point at these coordinates."""
    latitude, longitude = radians(latitude_e6 / 1_000_000), radians(longitude_e6 / 1_000_000)
    across = cos(latitude)
    return across * cos(longitude), across * sin(longitude), sin(latitude)


def distance_m(here: Point, there: Point) -> int:
    """Metres between two points; the same both ways."""
    x, y, z = here[0] - there[0], here[1] - there[1], here[2] - there[2]
    half = sqrt(x * x + y * y + z * z) / 2
    return int(EARTH_DIAMETER_M * asin(min(1.0, half)) + 0.5)


def turn_e6(metres: int) -> int:
    """Millionths of a degree of a great circle that are this long; within 6 cm, so that `distance_m` says it back."""
    return round(metres * 360_000_000 / (EARTH_DIAMETER_M * pi))
