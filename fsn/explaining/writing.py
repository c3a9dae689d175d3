"""How the explanation's numbers are written for people, in the terminal and on the page alike.

In: integers as on the topics. Out: short text. (Instants and ids are written by fsn/terminal.py, money by
processors/money.py.)
"""

from collections.abc import Callable, Mapping
from typing import Final

from processors.money import show as money
from schemas.records.routing import PlanPart


def score(millionths: int | None) -> str:
    """0 … 1,000,000 as 0.928."""
    return "–" if millionths is None else f"{millionths / 1_000_000:.3f}"


def kilometres(metres: int) -> str:
    """12.3 km."""
    return f"{metres / 1000:,.1f} km"


def measure(step: str, value: int, currency: str) -> str:
    """What a rating step measured."""
    return _MEASURES[step](value, currency)


def lines(part: PlanPart) -> str:
    """What a part ships."""
    return ", ".join(f"{line.quantity} of line {line.line_no}" for line in part.lines)


_MEASURES: Final[Mapping[str, Callable[[int, str], str]]] = {
    "stock": lambda units, _: f"{units} units",
    "region": lambda _, __: "preferred by channel",
    "sla": lambda slack_ms, _: f"{slack_ms / 3_600_000:.1f} h slack",
    "capacity": lambda slots, _: f"{slots} slots open",
    "cost": money,
    "proximity": lambda metres, _: kilometres(metres),
    "freshness": lambda age_ms, _: f"{age_ms / 60_000:.1f} min old",
}
