"""Truth: what the generator planted, as the checker reads it. The one thing the two agree on is this shape.

In: the JSON object that `fsn generate` writes beside the topics it filled (`fsn/world/truth.py` says what each field
means; fields the checker does not need are passed over). Out: the same, typed. A field that was left out planted
nothing: whatever is found of it is a false alarm; a number that is 0 is not compared. Refused: a file that cannot be
read or has another shape, naming the place.

The checker believes the topics first: truth says only what cannot be read off them, namely what was done on purpose.
"""

from pathlib import Path

import msgspec


class TruthError(ValueError):
    """The truth file is missing or of another shape."""


class Discrepancy(msgspec.Struct, frozen=True):
    """One seeded difference: exactly one alert of this kind must be open for this order in the end.

    what: what was done, in words
    expected_minor, actual_minor: what the alert must say; null: anything
    """

    order_id: str
    kind: str
    what: str = ""
    expected_minor: int | None = None
    actual_minor: int | None = None


class SentLetter(msgspec.Struct, frozen=True):
    """One faulty record, sent on purpose, that must end in `dead-letters`."""

    reason: str
    topic: str
    key: str = ""
    what: str = ""


class Forwarded(msgspec.Struct, frozen=True):
    """One good record, sent to a partition that is not its key's."""

    topic: str
    key: str


class Silence(msgspec.Struct, frozen=True):
    """A location whose only feed said nothing for a while; stale_from_at: when its last word was too old."""

    feed_id: str
    location_id: str
    from_at: int
    stale_from_at: int
    until_at: int


class Drift(msgspec.Struct, frozen=True):
    """A count that differs from what was reported before it, by counted − computed."""

    variant_id: str
    location_id: str
    difference: int


class Truth(msgspec.Struct, frozen=True):
    """Everything planted in one simulated day that the checker can hold against the topics."""

    seed: int = 0
    orders_placed: tuple[str, ...] = ()
    orders_cancelled: tuple[str, ...] = ()
    orders_given_up: tuple[str, ...] = ()
    orders_shipped: tuple[str, ...] = ()
    cancels_of_unknown_orders: tuple[str, ...] = ()
    unlinked_references: tuple[str, ...] = ()
    discrepancies: tuple[Discrepancy, ...] = ()
    dead_letters: tuple[SentLetter, ...] = ()
    forwarded: tuple[Forwarded, ...] = ()
    silences: tuple[Silence, ...] = ()
    stock_drifts: tuple[Drift, ...] = ()
    parcels: dict[str, str] = {}
    silent_parcels: tuple[str, ...] = ()
    units_ordered: int = 0
    units_shipped: int = 0
    messages: dict[str, int] = {}


def load_truth(path: Path) -> Truth:
    """Read a truth file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except OSError as error:
        raise TruthError(
            f"the truth file {path} cannot be read ({error.strerror}): run `fsn generate` first"
        ) from error
    except msgspec.MsgspecError as error:
        raise TruthError(f"{path} is not a truth file (fsn/report/truth.py describes it): {error}") from error
