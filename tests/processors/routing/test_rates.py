"""Rates: what an account asks by zone, weight and size, and what it does not carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.routing.rates import (
    MOST_MINOR,
    PLAIN,
    Largest,
    Parcel,
    Terms,
    carries,
    kilograms,
    parcel_of,
    price,
    rate_of,
    terms_of,
)
from schemas.records.network import WeightBand, ZoneRate
from tests.processors.routing.world import ACCOUNT, VARIANT, change

BANDS = ((1_000, 300), (5_000, 500), (10_000, 900))


def parcel(weight_g, volume_mm3=0, longest_mm=0):
    return Parcel(weight_g, kilograms(weight_g), volume_mm3, longest_mm)


@pytest.mark.parametrize(
    ("terms", "goods", "minor"),
    [
        ({}, parcel(1_600), 400 + 2 * 50),
        ({"volumetric_divisor": 5_000}, parcel(1_600, 5_000_000), 400 + 2 * 50),  # five litres count for a kilogram
        ({"volumetric_divisor": 5_000}, parcel(1_600, 15_000_001), 400 + 4 * 50),  # fifteen and a bit for four
        ({"max_weight_g": 2_000}, parcel(2_000), 400 + 2 * 50),
        ({"max_weight_g": 2_000}, parcel(2_001), 2 * 400 + 3 * 50),  # two parcels
        ({"oversize_length_mm": 1_200, "oversize_minor": 700}, parcel(500, 0, 1_200), 450),
        ({"oversize_length_mm": 1_200, "oversize_minor": 700}, parcel(500, 0, 1_201), 450 + 700),
        (
            {"oversize_length_mm": 9, "oversize_minor": 700, "max_weight_g": 300},
            parcel(500, 0, 10),
            2 * 400 + 50 + 2 * 700,
        ),
        ({"bands": BANDS}, parcel(0), 300),
        ({"bands": BANDS}, parcel(1_000), 300),
        ({"bands": BANDS}, parcel(1_001), 500),
        ({"bands": BANDS}, parcel(10_000), 900),
        ({"bands": BANDS}, parcel(10_001), 2 * 900),  # 5,001 g each
        ({"bands": BANDS}, parcel(20_001), 3 * 900),
        ({"bands": BANDS, "volumetric_divisor": 5_000}, parcel(1_000, 5_000_001), 500),
        ({"bands": BANDS, "max_weight_g": 500}, parcel(1_000), 2 * 300),
        ({"volumetric_divisor": 1}, parcel(1, 10**30), MOST_MINOR),
    ],
)
def test_price(terms, goods, minor):
    assert price(400, 50, Terms(**terms), goods) == minor


@pytest.mark.parametrize(("terms", "minor"), [({}, 3 * 400 + 2 * 50), ({"bands": BANDS}, 3 * 300)])
def test_price_of_more_parcels_than_needed(terms, minor):
    assert price(400, 50, Terms(**terms), parcel(1_600), parcels=3) == minor


@pytest.mark.parametrize(
    ("terms", "largest", "carried"),
    [
        ({}, Largest(10**9, 10**12, 10**9), True),
        ({"max_weight_g": 500}, Largest(500, 0, 0), True),
        ({"max_weight_g": 500}, Largest(501, 0, 0), False),
        ({"max_length_mm": 500}, Largest(1, 0, 500), True),
        ({"max_length_mm": 500}, Largest(1, 0, 501), False),
        ({"bands": BANDS}, Largest(10_000, 10**12, 0), True),
        ({"bands": BANDS}, Largest(10_001, 0, 0), False),
        ({"bands": BANDS, "volumetric_divisor": 5_000}, Largest(1, 50_000_000, 0), True),
        ({"bands": BANDS, "volumetric_divisor": 5_000}, Largest(1, 50_000_001, 0), False),
    ],
)
def test_what_an_account_carries(terms, largest, carried):
    assert carries(Terms(**terms), largest) is carried


@pytest.mark.parametrize(
    ("country", "area", "rate"),
    [
        ("DE", "10", ("DE:1", 1, 350)),
        ("DE", "18", ("DE:18", 4, 1_200)),  # the narrowest
        ("DE", "1", ("DE:1", 1, 350)),  # too coarse to tell: not the island for sure
        ("DE", "80", ("DE", 1, 400)),  # in no zone: the table of countries
        ("AT", "10", ("AT", 2, 900)),
        ("FR", "75", ("FR", 3, 1_500)),
        ("GB", "SW", None),
    ],
)
def test_the_rate_of_the_narrowest_zone_counts(country, area, rate):
    rates = (ZoneRate("DE:1", 1, 350), ZoneRate("DE:18", 4, 1_200), ZoneRate("FR", 3, 1_500))
    found = rate_of(change(ACCOUNT, zone_rates=rates), country, area)
    assert (found and (found.zone, found.transit_days, found.base_cost_minor)) == rate


def test_an_account_without_bands_and_limits_is_plain():
    rate = rate_of(ACCOUNT, "DE", "10")
    assert terms_of(ACCOUNT, rate) == PLAIN
    assert not PLAIN.limited


def test_terms_are_told_in_another_currency():
    rate = ZoneRate("CH", 2, 0, (WeightBand(1_000, 300),))
    terms = terms_of(change(ACCOUNT, oversize_minor=10, max_weight_g=7), rate, into=lambda minor: 2 * minor)
    assert terms == Terms(bands=((1_000, 600),), oversize_minor=20, max_weight_g=7)
    assert terms.limited


def test_goods_travel_together():
    pole = change(VARIANT, weight_g=900, length_mm=30, width_mm=2_000, height_mm=10)
    box = change(VARIANT, weight_g=400, length_mm=100, width_mm=100, height_mm=100)
    assert parcel_of([(pole, 0), (box, 2)]) == Parcel(800, 1, 2_000_000, 100)
    assert parcel_of([(pole, 1), (box, 1)]) == Parcel(1_300, 2, 1_600_000, 2_000)


limits = st.integers(0, 5_000)
terms = st.builds(
    Terms,
    bands=st.lists(st.tuples(st.integers(1, 5_000), st.integers(0, 900)), max_size=4, unique_by=lambda band: band[0])
    .map(sorted)
    .map(lambda bands: tuple((up_to_g, 100 * index) for index, (up_to_g, _) in enumerate(bands, 1))),
    volumetric_divisor=limits,
    max_weight_g=limits,
    oversize_length_mm=limits,
    oversize_minor=limits,
)


@given(
    terms, st.integers(0, 50_000), st.integers(0, 10**8), st.integers(0, 9_000), st.integers(0, 9), st.integers(0, 9)
)
def test_more_parcels_never_cost_less_and_every_parcel_is_within_the_limits(terms, weight_g, volume, side, more, extra):
    goods = parcel(weight_g, volume, side)
    asked = price(400, 50, terms, goods)
    assert isinstance(asked, int)
    assert asked >= 0
    if not terms.bands:
        assert price(400, 50, terms, goods, parcels=1 + extra) >= asked
        assert price(400, 50, terms, parcel(weight_g + more, volume, side)) >= asked
