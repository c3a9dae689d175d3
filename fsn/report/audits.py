"""Audits: a packed RoutingAudit as plain values, read by its published layout alone.

In: the bytes of `RoutingAudit.audit`: one MessagePack array, whose first element is the layout (1). Out: an `Audit`.
Per candidate there are eleven verdicts (a byte each; ten times the step plus a precedence, 0 passed, 255 not reached),
seven ratings and seven measures (stock, region, SLA, capacity, cost, proximity, freshness; a rating of −1 and a measure
of 0 where nothing was rated). Refused, as AuditError: any other layout, and arrays that do not fit each other.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

STEPS: Final = (
    "stock",
    "region",
    "SLA",
    "carrier",
    "capability",
    "capacity",
    "cost",
    "proximity",
    "freshness",
    "fallback",
    "audit",
)
RATED: Final = (0, 1, 2, 5, 6, 7, 8)
"""Places in STEPS of the steps that rate, in the order in which ratings and measures are packed."""

FRESHNESS: Final = 8
CHOSEN: Final = 110
NOT_REACHED: Final = 255
STALE: Final = {90: "stale", 91: "gapped", 92: "freshness unknown"}

_LAYOUT: Final = 1
_FIELDS: Final = 20
_decode: Final = msgspec.msgpack.Decoder().decode


class AuditError(ValueError):
    """Bytes that are no audit of the published layout."""


class Part(NamedTuple):
    """One part of the plan found."""

    location_id: str
    account_id: str
    cost_minor: int
    deliver_at: int
    lines: tuple[tuple[int, int], ...]
    """(line_no, units)"""


class Audit(NamedTuple):
    """One evaluation; the four columns run candidate after candidate."""

    network_version: int
    rule_set_id: str
    rule_version: int
    evaluated_at: int
    inputs_digest: str
    reason: int
    fallback: int
    more_tiers: bool
    location_ids: Sequence[str]
    verdicts: bytes
    ratings: Sequence[int]
    measures: Sequence[int]
    scores: Sequence[int]
    plan_score: int
    plan_cost_minor: int
    parts: tuple[Part, ...]
    left_out: tuple[tuple[str, int], ...]
    told_counts: dict[str, int]

    def verdict(self, candidate: int, step: int) -> int:
        """What a step (from 0) said of a candidate."""
        return self.verdicts[candidate * len(STEPS) + step]

    @property
    def left_out_counts(self) -> dict[str, int]:
        """How many the shortlist left out, by reason; told where not all are named."""
        counts: dict[str, int] = dict(self.told_counts)
        for _, verdict in () if counts else self.left_out:
            word = verdict_word(verdict)
            counts[word] = counts.get(word, 0) + 1
        return counts

    def rated(self, candidate: int, step: int) -> tuple[int, int] | None:
        """Rating and measure of a step for a candidate; None where it rated nothing."""
        if step not in RATED:
            return None
        place = candidate * len(RATED) + RATED.index(step)
        return None if self.ratings[place] < 0 else (self.ratings[place], self.measures[place])


def unpack(packed: bytes) -> Audit:
    """The evaluation."""
    try:
        fields: Any = _decode(packed)
    except msgspec.MsgspecError as error:
        raise AuditError(f"no MessagePack: {error}") from error
    if not isinstance(fields, list) or len(fields) < _FIELDS or fields[0] != _LAYOUT:
        layout = fields[0] if isinstance(fields, list) and fields else None
        raise AuditError(f"layout {layout} is not {_LAYOUT}")
    location_ids, verdicts, ratings, measures, scores = fields[9:14]
    candidates = len(location_ids)
    fits = (
        len(verdicts) == candidates * len(STEPS)
        and len(ratings) == len(measures) == candidates * len(RATED)
        and len(scores) == candidates
        and len(fields[17]) == len(fields[18])
    )
    if not fits:
        raise AuditError(f"{candidates} candidates, and columns of another length")
    parts = tuple(
        Part(location_ids[index], account_id, cost, at, tuple(zip(flat[::2], flat[1::2], strict=True)))
        for index, account_id, cost, at, flat in fields[16]
    )
    left_out = tuple(zip(fields[17], fields[18], strict=True))
    network_version, rule_set_id, rule_version, evaluated_at, inputs_digest, reason, fallback, more_tiers = fields[1:9]
    return Audit(
        network_version,
        rule_set_id,
        rule_version,
        evaluated_at,
        inputs_digest.hex(),
        reason,
        fallback,
        more_tiers,
        location_ids,
        verdicts,
        ratings,
        measures,
        scores,
        plan_score=fields[14],
        plan_cost_minor=fields[15],
        parts=parts,
        left_out=left_out,
        told_counts=fields[19],
    )


def verdict_word(verdict: int) -> str:
    """A verdict in a word or two."""
    return _WORDS.get(verdict, f"verdict {verdict}")


_WORDS: Final = {
    0: "passed",
    1: "retired",
    2: "excluded",
    3: "not the fixed location",
    4: "tier",
    5: "limit",
    6: "unknown location",
    7: "marketplace stock",
    10: "no stock",
    11: "incomplete stock",
    20: "country not served",
    21: "country forbidden",
    22: "postcode not served",
    23: "postcode forbidden",
    30: "too late",
    31: "never ships",
    32: "unknown time zone",
    40: "no account",
    41: "zone not carried",
    42: "service not carried",
    43: "account without slots",
    44: "account retired",
    45: "account of another",
    46: "account business only",
    47: "account currency unknown",
    48: "other carrier asked for",
    49: "parcel too large",
    50: "service type missing",
    51: "capability missing",
    52: "unknown variant",
    53: "not entitled",
    54: "not activated",
    60: "capacity full",
    70: "over cost ceiling",
    71: "currency unknown",
    80: "too far",
    90: "stale",
    91: "gapped",
    92: "freshness unknown",
    100: "not needed",
    101: "next tier",
    102: "split wider",
    103: "backorder",
    104: "park",
    110: "chosen",
    111: "lower score",
    120: "routed",
    121: "no location",
    122: "stock short",
    123: "too many shipments",
    124: "nothing wanted",
    255: "not reached",
}
