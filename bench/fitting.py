"""Fits what a window of a measurement cost to a sum of what was done in it: cost = Σ price × amount.

In: rows of amounts by term, and what each row cost. Out: a price per term, none of them below nothing, and how far the
formula is off by the rows it was made from. Least squares over relative errors, so that a short window counts as much as
a long one. A term that never varies apart from the others is refused a price of its own (0): it cannot be told from them.
"""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Final, NamedTuple

TELLABLE: Final = 1e-9
"""Below this share of its own size a term is a sum of the others."""

Amounts = Mapping[str, float]


class Formula(NamedTuple):
    """Prices by term, and the mean and the largest relative error over the rows they were made from."""

    prices: dict[str, float]
    error_mean: float
    error_max: float

    def cost(self, amounts: Amounts) -> float:
        """What these amounts cost."""
        return sum(price * amounts.get(term, 0.0) for term, price in self.prices.items())


def fit(rows: Sequence[Amounts], costs: Sequence[float], terms: Sequence[str]) -> Formula:
    """Prices of the terms; those that would come out negative are left out, the most negative first."""
    if any(cost <= 0 for cost in costs) or len(rows) != len(costs) or not rows:
        raise ValueError("every row needs a cost above 0")
    scaled = [{term: row.get(term, 0.0) / cost for term in terms} for row, cost in zip(rows, costs, strict=True)]
    kept = list(terms)
    while True:
        found = _least_squares(scaled, kept)
        lowest = min(found, key=lambda term: found[term], default=None)
        if lowest is None or found[lowest] >= 0:
            break
        kept.remove(lowest)
    formula = Formula({term: found.get(term, 0.0) for term in terms}, 0.0, 0.0)
    errors = [abs(formula.cost(row) / cost - 1) for row, cost in zip(rows, costs, strict=True)]
    return formula._replace(error_mean=mean(errors), error_max=max(errors))


def _least_squares(rows: Sequence[Amounts], terms: Sequence[str]) -> dict[str, float]:
    """Prices that make Σ price × amount nearest to 1 in every row; terms are made alike in size first."""
    sizes = {term: sum(row[term] ** 2 for row in rows) ** 0.5 for term in terms}
    used = [term for term in terms if sizes[term] > 0]
    equations = [
        [sum(row[one] * row[other] for row in rows) / sizes[one] / sizes[other] for other in used]
        + [sum(row[one] for row in rows) / sizes[one]]
        for one in used
    ]
    solved = _solve(equations)
    return {term: price / sizes[term] for term, price in zip(used, solved, strict=True)}


def _solve(equations: list[list[float]]) -> list[float]:
    """Gauss and Jordan; an unknown that depends on earlier ones is 0. The diagonal begins with ones."""
    size = len(equations)
    pivots: list[int] = []
    for column in range(size):
        pivot = equations[column][column]
        if pivot < TELLABLE:
            continue
        pivots.append(column)
        equations[column] = [value / pivot for value in equations[column]]
        for row in range(size):
            if row != column and (factor := equations[row][column]):
                equations[row] = [
                    value - factor * other for value, other in zip(equations[row], equations[column], strict=True)
                ]
    return [equations[column][size] if column in pivots else 0.0 for column in range(size)]
