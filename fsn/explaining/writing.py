"""How the explanation's numbers are written for people, in the terminal and on the page alike.

In: integers as on the topics. Out: short text. Instants are UTC; an id's control characters
show as their codes, for a terminal would obey them. (Money is written as everywhere: processors/money.py.)
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from processors.money import show as money
from schemas.records.routing import PlanPart


def plain(text: str) -> str:
    """Text of strangers without what a terminal or a reader would be misled by."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def score(millionths: int | None) -> str:
    """0 … 1,000,000 as 0.928."""
    return "–" if millionths is None else f"{millionths / 1_000_000:.3f}"


def instant(epoch_ms: int) -> str:
    """UTC, to the second."""
    try:
        return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # a sender may claim any time
        return f"{epoch_ms} ms"


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
