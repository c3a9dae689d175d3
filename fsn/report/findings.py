"""Findings: what the checkers found, each fault named, and the three numbers a kill test asks for.

A fault says which promise was broken, by what, and how; the checkers return them as values and raise nothing. `lost`
counts records, orders and reservations that went in and left no trace; `duplicated` counts what happened twice;
`oversold` counts units granted beyond what was there.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec


class Fault(msgspec.Struct, frozen=True, order=True):
    """One broken promise.

    check: the promise, in a few words
    subject: what broke it: an order, an item, a position
    detail: how
    lost, duplicated, oversold: what it adds to the three numbers
    """

    check: str
    subject: str
    detail: str
    lost: int = 0
    duplicated: int = 0
    oversold: int = 0

    def __str__(self) -> str:
        """In one line."""
        return f"{self.check}: {self.subject}: {self.detail}"


Faults = tuple[Fault, ...]


class Checked(msgspec.Struct, frozen=True):
    """What one checker looked at and found.

    name: the promise it checks
    looked_at: how many things it looked at
    faults: what broke the promise
    """

    name: str
    looked_at: int
    faults: Faults


class Tally(msgspec.Struct, frozen=True):
    """Numbers by word, most first."""

    counts: dict[str, int]

    @property
    def total(self) -> int:
        """The sum."""
        return sum(self.counts.values())

    def __getitem__(self, word: str) -> int:
        """0 for a word never counted."""
        return self.counts.get(word, 0)


def tally(words: Iterable[str]) -> Tally:
    """How often each word occurs."""
    return Tally(dict(sorted(Counter(words).items(), key=lambda entry: (-entry[1], entry[0]))))
