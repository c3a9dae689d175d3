"""Money: shares that sum, percentages rounded once, currencies that exist."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.money import MINOR_DIGITS, currency_problem, percentage, show, split


@pytest.mark.parametrize(
    ("amount", "weights", "shares"),
    [
        (1000, (1, 1, 1), (334, 333, 333)),
        (1000, (1, 2, 1), (250, 500, 250)),
        (100, (1, 1, 0), (50, 50, 0)),
        (5, (1, 1, 1), (2, 2, 1)),  # equal remainders favour the earlier
        (10, (1, 5, 3), (1, 6, 3)),  # largest remainder: .56 before .33 and .11
        (-1000, (1, 1, 1), (-334, -333, -333)),
        (7, (0, 0), (4, 3)),  # no weight at all: equal shares
        (0, (3, 4), (0, 0)),
    ],
)
def test_split(amount, weights, shares):
    assert split(amount, weights) == shares


@pytest.mark.parametrize("weights", [(), (1, -1)])
def test_split_refuses(weights):
    with pytest.raises(ValueError, match="cannot split 10"):
        split(10, weights)


@settings(max_examples=200)
@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=12))
def test_shares_always_sum_and_never_stray_by_a_unit(amount, weights):
    shares = split(amount, weights)
    assert sum(shares) == amount
    total = sum(weights)
    if total:
        assert all(abs(share * total - amount * weight) < total for share, weight in zip(shares, weights, strict=True))


@pytest.mark.parametrize(
    ("amount", "basis_points", "share"),
    [(24_800, 1_500, 3_720), (333, 1_500, 50), (330, 1_500, 50), (329, 1_500, 49), (-330, 1_500, -50), (999, 0, 0)],
)
def test_percentage_rounds_half_away_from_zero(amount, basis_points, share):
    assert percentage(amount, basis_points) == share


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("EUR", None),
        ("CHF", None),
        ("JPY", None),
        ("eur", "not a code"),
        ("EURO", "not a code"),
        ("", "not a code"),
        ("ÄÖÜ", "not a code"),
        ("E1R", "not a code"),
        ("XXX", "not in circulation"),
        ("DEM", "not in circulation"),
    ],
)
def test_currency(code, problem):
    found = currency_problem(code)
    assert found is None if problem is None else problem in found


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(8_650, "EUR", "86.50 EUR"), (-5, "EUR", "-0.05 EUR"), (1_200, "JPY", "1200 JPY"), (1_234, "KWD", "1.234 KWD")],
)
def test_show(amount, currency, text):
    assert show(amount, currency) == text


def test_every_listed_currency_is_one():
    assert all(currency_problem(code) is None for code in MINOR_DIGITS)
    assert set(MINOR_DIGITS.values()) == {0, 2, 3}
