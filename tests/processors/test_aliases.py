"""What an alias is called, and which numbers are GTINs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.aliases import alias_id_of, canonical_gtin, owner_of, parts_of, problem_of


@pytest.mark.parametrize(
    ("digits", "gtin"),
    [
        ("4006381333931", "04006381333931"),
        ("036000291452", "00036000291452"),
        ("96385074", "00000096385074"),
        ("10614141000415", "10614141000415"),
        ("4006381333932", None),
        ("400638133393", None),
        ("12345", None),
        ("40063813E3931", None),
        ("٤٠٠٦٣٨١٣٣٣٩٣١", None),
    ],
)
def test_a_gtin_has_its_check_digit(digits, gtin):
    assert canonical_gtin(digits) == gtin


@given(st.integers(0, 10**13 - 1), st.integers(1, 9))
def test_one_wrong_digit_is_found(number, off):
    body = f"{number:013d}"
    right = next(f"{body}{digit}" for digit in range(10) if canonical_gtin(f"{body}{digit}"))
    for place in range(14):
        wrong = f"{right[:place]}{(int(right[place]) + off) % 10}{right[place + 1 :]}"
        assert canonical_gtin(wrong) is None


@pytest.mark.parametrize(
    ("namespace", "sku", "alias_id", "owner"),
    [
        ("merchant:nord", " DRL|200 ", "acme|merchant:nord|DRL|200", "acme|nord"),
        ("partner:fp", "1", "acme|partner:fp|1", "acme|fp"),
        ("channel:amazon", "B07Q8L9X4Y", "acme|channel:amazon|B07Q8L9X4Y", None),
        ("gtin", "4006381333931", "acme|gtin|04006381333931", None),
        ("gtin", "none", "acme|gtin|none", None),
    ],
)
def test_an_alias_is_named_by_tenant_namespace_and_sku(namespace, sku, alias_id, owner):
    assert alias_id_of("acme", namespace, sku) == alias_id
    assert parts_of(alias_id)[:2] == ("acme", namespace)
    assert owner_of(alias_id) == owner


@pytest.mark.parametrize(
    ("namespace", "sku", "problem"),
    [
        ("merchant:nord", "A-1", None),
        ("gtin", "4006381333931", None),
        ("gtin", "4006381333932", "is no GTIN"),
        ("shop:nord", "A-1", "none of merchant:ID"),
        ("merchant:", "A-1", "none of merchant:ID"),
        ("merchant", "A-1", "none of merchant:ID"),
        ("merchant:a|b", "A-1", "none of merchant:ID"),
        ("merchant:nord", " ", "is empty"),
        ("merchant:nord", "x" * 201, "at most 200"),
    ],
)
def test_a_name_that_is_none_is_said_so(namespace, sku, problem):
    found = problem_of(namespace, sku)
    assert (found is None) if problem is None else (problem in found)
