"""Audit: one evaluation, packed into bytes and unpacked for reading.

Layout 1 is one MessagePack array, in the order of the fields of `Packed`. Candidates are in canonical order (nearest
first, then location_id); per candidate there are eleven verdicts (one byte each, numbers of `words.Verdict`), seven
ratings and seven measures (in the order of `words.RATED`; -1 and 0 where a step rated nothing). A measure is the value
that was fenced and rated: units, 0 (region), slack ms, open slots, landed cost minor, distance m, age ms. Beyond
LEFT_OUT_MAX only the counts of those left out by the shortlist are kept. Refused on unpacking: any other layout.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from processors.routing.facts import Shortlist
from processors.routing.words import RATED, STEPS, Verdict
from schemas.records.routing import PlanPart, RoutingPlan

LAYOUT: Final = 1
LEFT_OUT_MAX: Final = 64
_PLACES: Final = {name: place for place, name in enumerate(RATED)}
_BYTES: Final = {verdict.word: int(verdict) for verdict in Verdict}


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """Layout 1."""

    layout: int
    network_version: int
    rule_set_id: str
    rule_version: int
    evaluated_at: int
    inputs_digest: bytes
    reason: int
    fallback: int
    more_tiers: bool
    location_ids: tuple[str, ...]
    verdicts: bytes
    ratings: tuple[int, ...]
    measures: tuple[int, ...]
    scores: tuple[int, ...]
    plan_score: int
    plan_cost_minor: int
    parts: tuple[tuple[int, str, int, int, tuple[int, ...]], ...]
    """(candidate, account_id, cost, arrival, flat (line_no, units) pairs)"""
    left_out_ids: tuple[str, ...]
    left_out_verdicts: bytes
    left_out_counts: dict[str, int]


class Judged(msgspec.Struct, frozen=True):
    """What a step said of one candidate; rating and measure are None where the step rates nothing."""

    location_id: str
    verdict: str
    rating: int | None
    measure: int | None


class StepTrace(msgspec.Struct, frozen=True):
    """One step: how many candidates it was asked about, how many passed, and each one's verdict."""

    number: int
    name: str
    candidates_in: int
    candidates_out: int
    candidates: tuple[Judged, ...]


class AuditTrace(msgspec.Struct, frozen=True):
    """A whole evaluation, readable."""

    network_version: int
    rule_set_id: str
    rule_version: int
    evaluated_at: int
    inputs_digest: str
    reason: str
    fallback: str
    more_tiers: bool
    left_out: tuple[tuple[str, str], ...]
    """Step 0: (location_id, reason), as far as they were kept."""
    left_out_counts: tuple[tuple[str, int], ...]
    """Step 0: (reason, how many)."""
    steps: tuple[StepTrace, ...]
    scores: tuple[tuple[str, int | None], ...]
    """(location_id, score) of every candidate; None for those a fence excluded."""
    plan_score: int
    plan_cost_minor: int
    winner: tuple[tuple[str, str, int, int, tuple[tuple[int, int], ...]], ...]
    """(location_id, account_id, cost, arrival, ((line_no, units), …)) per part; empty when no plan stands."""


class Header(msgspec.Struct, frozen=True):
    """What is true of the evaluation as a whole."""

    network_version: int
    rule_set_id: str
    rule_version: int
    evaluated_at: int
    inputs_digest: bytes
    reason: Verdict
    fallback: Verdict


class Rows(msgspec.Struct, frozen=True):
    """What was said of the candidates, column by column, candidate after candidate."""

    location_ids: Sequence[str]
    verdicts: bytes
    ratings: Sequence[int]
    measures: Sequence[int]
    scores: Sequence[int]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Packed)


def pack(header: Header, rows: Rows, *, shortlist: Shortlist, plan: RoutingPlan | None) -> bytes:
    """The evaluation as bytes."""
    left_out = shortlist.left_out
    told = left_out[:LEFT_OUT_MAX]
    parts = () if plan is None else [_packed_part(part, rows.location_ids) for part in plan.parts]
    # A plain tuple in the order of Packed's fields: half the cost of making the struct first.
    return _ENCODER.encode(
        (
            LAYOUT,
            header.network_version,
            header.rule_set_id,
            header.rule_version,
            header.evaluated_at,
            header.inputs_digest,
            header.reason.value,
            header.fallback.value,
            shortlist.more_tiers,
            rows.location_ids,
            rows.verdicts,
            rows.ratings,
            rows.measures,
            rows.scores,
            0 if plan is None else plan.score,
            0 if plan is None else plan.cost_minor,
            parts,
            [location_id for location_id, _ in told],
            bytes([_BYTES.get(reason, Verdict.NOT_REACHED.value) for _, reason in told]),
            _counts(left_out) if len(left_out) > LEFT_OUT_MAX else {},
        )
    )


def unpack(audit: bytes) -> AuditTrace:
    """The evaluation, readable."""
    layout = msgspec.msgpack.decode(audit)[0] if audit else None
    if layout != LAYOUT:
        raise ValueError(f"audit layout {layout} is not one of ({LAYOUT},): read it with the version that wrote it")
    packed = _DECODER.decode(audit)
    left_out = tuple(zip(packed.left_out_ids, map(_word, packed.left_out_verdicts), strict=True))
    return AuditTrace(
        network_version=packed.network_version,
        rule_set_id=packed.rule_set_id,
        rule_version=packed.rule_version,
        evaluated_at=packed.evaluated_at,
        inputs_digest=packed.inputs_digest.hex(),
        reason=_word(packed.reason),
        fallback=_word(packed.fallback),
        more_tiers=packed.more_tiers,
        left_out=left_out,
        left_out_counts=tuple(sorted((packed.left_out_counts or _counts(left_out)).items())),
        steps=tuple(_step(packed, index) for index in range(len(STEPS))),
        scores=tuple(
            (location_id, None if score < 0 else score)
            for location_id, score in zip(packed.location_ids, packed.scores, strict=True)
        ),
        plan_score=packed.plan_score,
        plan_cost_minor=packed.plan_cost_minor,
        winner=tuple(
            (packed.location_ids[index], account_id, cost, arrives_at, tuple(zip(flat[::2], flat[1::2], strict=True)))
            for index, account_id, cost, arrives_at, flat in packed.parts
        ),
    )


def _packed_part(part: PlanPart, location_ids: Sequence[str]) -> tuple[int, str, int, int, list[int]]:
    flat = [number for line in part.lines for number in (line.line_no, line.quantity)]
    return location_ids.index(part.location_id), part.account_id, part.cost_minor, part.deliver_at, flat


def _counts(left_out: Sequence[tuple[str, str]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, reason in left_out:
        counts[reason] = counts.get(reason, 0) + 1
    return dict(sorted(counts.items()))


def _word(number: int) -> str:
    return Verdict(number).word


def _step(packed: Packed, index: int) -> StepTrace:
    place = _PLACES.get(STEPS[index])
    judged = []
    for row, location_id in enumerate(packed.location_ids):
        verdict = packed.verdicts[row * len(STEPS) + index]
        if verdict != Verdict.NOT_REACHED:
            rating, measure = _rated(packed, row=row, place=place)
            judged.append(Judged(location_id, _word(verdict), rating, measure))
    passed = sum(one.verdict in (Verdict.OK.word, Verdict.CHOSEN.word) for one in judged)
    return StepTrace(index + 1, STEPS[index], len(judged), passed, tuple(judged))


def _rated(packed: Packed, *, row: int, place: int | None) -> tuple[int | None, int | None]:
    """A step's rating and measure of a candidate."""
    if place is None:
        return None, None
    rating = packed.ratings[row * len(RATED) + place]
    return (None if rating < 0 else rating), packed.measures[row * len(RATED) + place]
