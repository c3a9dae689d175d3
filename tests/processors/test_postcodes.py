"""Postcode zones: which area lies in which, and what is no zone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.postcodes import areas_of, around, lies_in, narrowest, problem_of, touches

digits = st.text("0123456789", max_size=5)
areas = st.lists(digits, max_size=4).map(tuple)


@pytest.mark.parametrize("zone", ["DE", "DE:1", "DE:18", "GB:SW1A"])
def test_a_zone(zone):
    assert problem_of(zone) is None


@pytest.mark.parametrize(
    ("zone", "problem"),
    [
        ("", "zone '' is neither a country nor a postcode zone"),
        ("DE:", "neither"),
        ("DE-18", "neither"),
        ("de:18", "neither"),
        ("DE:18\n", "neither"),
        ("DE:123456789", "neither"),
        ("ZZ:18", "country 'ZZ' of zone 'ZZ:18' is none of ISO 3166-1"),
    ],
)
def test_no_zone(zone, problem):
    assert problem in (problem_of(zone) or "")


def test_the_zones_of_a_country():
    assert areas_of(("DE:1", "AT", "DE", "AT:80"), "DE") == ("1", "")
    assert areas_of(("DE:1",), "FR") == ()


@given(digits, digits, areas)
def test_an_area_lies_in_a_zone_when_all_its_postal_codes_do_and_touches_it_when_one_does(area, rest, zones):
    inside, near = lies_in(area, zones), touches(area, zones)
    assert near or not inside
    assert lies_in(area + rest, zones) >= inside
    assert touches(area + rest, zones) <= near
    assert near == any(
        lies_in(area + end, zones) for end in ("", *(zone[len(area) :] for zone in zones if zone.startswith(area)))
    )


@given(digits, areas)
def test_the_narrowest_zone_around_an_area(area, zones):
    found = narrowest(area, zones)
    assert (found is not None) == lies_in(area, zones)
    assert all(len(zone) <= len(found or "") for zone in zones if area.startswith(zone))


@given(digits.filter(bool), areas)
def test_a_zone_around_another(area, zones):
    codes = [f"DE:{zone}" if zone else "DE" for zone in zones]
    assert (around(f"DE:{area}", codes) is not None) == lies_in(area, zones)
    assert around(f"AT:{area}", codes) is None
