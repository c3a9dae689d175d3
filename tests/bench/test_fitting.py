"""A formula found from windows: the prices they were made with come back, and none is invented."""

import random

import pytest

from bench.fitting import fit

PRICES = {"transactions": 900.0, "records": 20.0, "bytes": 0.01}


def windows(count, seed=1, noise=0.0):
    chance = random.Random(seed)
    rows = [
        {
            "transactions": chance.uniform(10, 3_000),
            "records": chance.uniform(100, 200_000),
            "bytes": chance.uniform(0, 5e8),
        }
        for _ in range(count)
    ]
    costs = [
        sum(PRICES[term] * amount for term, amount in row.items()) * chance.uniform(1 - noise, 1 + noise)
        for row in rows
    ]
    return rows, costs


def test_the_prices_that_windows_were_made_with_come_back():
    formula = fit(*windows(12), tuple(PRICES))
    assert formula.prices == pytest.approx(PRICES)
    assert formula.error_max < 1e-6
    assert formula.cost({"transactions": 2, "records": 10}) == pytest.approx(2_000)


def test_noise_moves_prices_a_little_and_is_told():
    formula = fit(*windows(40, noise=0.1), tuple(PRICES))
    assert formula.prices == pytest.approx(PRICES, rel=0.15)
    assert 0.01 < formula.error_mean < formula.error_max < 0.25


def test_what_is_not_part_of_the_cost_is_never_paid_for_below_nothing():
    rows, costs = windows(20, noise=0.05)
    chance = random.Random(3)
    rows = [{**row, "moonlight": chance.uniform(0, 100)} for row in rows]
    formula = fit(rows, costs, (*PRICES, "moonlight"))
    assert all(price >= 0 for price in formula.prices.values())
    assert formula.prices["moonlight"] * 100 < min(costs) * 0.2


def test_a_price_that_would_be_negative_is_none_and_the_others_are_fitted_again():
    rows = [{"records": 10.0, "rest": 0.0}, {"records": 10.0, "rest": 5.0}, {"records": 20.0, "rest": 0.0}]
    formula = fit(rows, [100.0, 50.0, 200.0], ("records", "rest"))
    assert formula.prices["rest"] == 0.0
    assert formula.prices == fit(rows, [100.0, 50.0, 200.0], ("records",)).prices | {"rest": 0.0}


def test_two_terms_that_always_go_together_get_one_price():
    rows, costs = windows(8)
    rows = [{**row, "again": row["records"]} for row in rows]
    formula = fit(rows, costs, (*PRICES, "again"))
    assert formula.prices["again"] == 0.0
    assert formula.prices["records"] == pytest.approx(20.0)


def test_a_window_that_cost_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        fit([{"records": 1.0}], [0.0], ("records",))
