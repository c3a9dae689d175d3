"""Step 11, audit: lock what was decided, and on what.

In: everything the evaluation read, in canonical order. Out: a digest that is equal when, and only when, the inputs
were, so that a repeated evaluation can prove it saw the same; and the last verdict of each candidate.
"""

import hashlib
from typing import Any, Final

import msgspec

from processors.routing.words import Verdict

_ENCODER: Final = msgspec.msgpack.Encoder()


def digest(inputs: tuple[Any, ...]) -> bytes:
    """sha1 of the inputs: values of MessagePack alone, sequences in canonical order, no mappings."""
    return hashlib.sha1(_ENCODER.encode(inputs), usedforsecurity=False).digest()


def verdict(*, chosen: bool) -> Verdict:
    """What the lock says of a candidate that passed every fence."""
    return Verdict.CHOSEN if chosen else Verdict.LOWER_SCORE
