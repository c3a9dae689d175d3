"""The explanation as data: what `fsn explain --json` prints, and what the tables and the page are made of.

In: a story, the evaluation that is meant, the reference data it rested on, and its exact inputs where a replay found
them. Out: an `Explained`. Its field names are a contract (docs/explain.md): fields are added, never renamed or taken
away. Amounts are integers as on the topics: money in minor units, times epoch ms, scores and ratings millionths.
"""

import msgspec

from fsn.explaining.story import Evaluation, Event, Story
from processors.network import Network
from processors.routing.audit import AuditTrace, StepTrace, unpack
from processors.routing.changes import Inputs
from processors.routing.counterfactual import Flip, counterfactuals
from processors.routing.score import weights_of
from processors.routing.words import BY_WORD, RATED, WORDS
from schemas.records.routing import RoutingDecision

VERSION = 1


class Change(msgspec.Struct, frozen=True):
    """One change that alone flips the decision."""

    kind: str
    amount: int
    unit: str
    detail: str
    words: str


class Rating(msgspec.Struct, frozen=True):
    """One part of a score: points = weight · rating // Σ weights. (The score is floored once, so they may sum to less.)"""

    step: str
    measure: int
    rating: int
    weight: int | None
    points: int | None


class Candidate(msgspec.Struct, frozen=True):
    """A location that was asked.

    step: the step that said the verdict
    score: null for one that a fence excluded
    behind: how much its score lacks to that of the plan; null where either is missing, or it lacks nothing
    changes, fences: null where no replay found the inputs, and for those chosen
    """

    location_id: str
    chosen: bool
    score: int | None
    behind: int | None
    step: str
    verdict: str
    words: str
    ratings: tuple[Rating, ...]
    changes: tuple[Change, ...] | None
    fences: tuple[str, ...] | None


class Fallen(msgspec.Struct, frozen=True):
    """A location, and why it went no further."""

    location_id: str
    verdict: str
    words: str


class Step(msgspec.Struct, frozen=True):
    """One of the eleven steps; 0 is the shortlist."""

    number: int
    name: str
    candidates_in: int
    candidates_out: int
    fallen: tuple[Fallen, ...]
    said: str


class Attempt(msgspec.Struct, frozen=True):
    """An evaluation in one line."""

    attempt: int
    outcome: str
    decision_id: str | None
    supersedes: str | None


class Explained(msgspec.Struct, frozen=True):
    """One order, one evaluation.

    decision: as published, parts included; null where none was locked
    replay: "found", or why the exact inputs could not be had
    """

    version: int
    order_id: str
    currency: str
    attempt: int
    outcome: str
    reason: str
    reason_words: str
    fallback: str
    fallback_words: str
    evaluated_at: int
    rule_set_id: str
    rule_version: int
    network_offset: int
    inputs_digest: str
    decision: RoutingDecision | None
    steps: tuple[Step, ...]
    candidates: tuple[Candidate, ...]
    replay: str
    attempts: tuple[Attempt, ...]
    events: tuple[Event, ...]


def explain(
    story: Story, evaluation: Evaluation, network: Network | None, *, inputs: Inputs | None, replay: str
) -> Explained:
    """Everything there is to say.

    network: as of the audit's version; None where that is not to be had, and weights are left out
    """
    trace = unpack(evaluation.packed)
    flips = {flip.location_id: flip for flip in counterfactuals(inputs)} if inputs is not None else None
    weights = None if network is None or story.placed is None else _weights(story, network)
    merchant = None if network is None or story.placed is None else network.merchants.get(story.placed.merchant_id)
    placed_in = "" if story.placed is None else story.placed.currency
    return Explained(
        version=VERSION,
        order_id=story.order_id,
        currency=placed_in if merchant is None else merchant.currency,
        attempt=evaluation.attempt,
        outcome=evaluation.outcome,
        reason=trace.reason,
        reason_words=_words(trace.reason),
        fallback=trace.fallback,
        fallback_words=_words(trace.fallback),
        evaluated_at=trace.evaluated_at,
        rule_set_id=trace.rule_set_id,
        rule_version=trace.rule_version,
        network_offset=trace.network_version,
        inputs_digest=trace.inputs_digest,
        decision=evaluation.decision,
        steps=(_shortlist(trace), *[_step(step, trace) for step in trace.steps]),
        candidates=tuple(_candidates(trace, weights, flips)),
        replay=replay,
        attempts=tuple(_attempt(one) for one in story.evaluations),
        events=story.events,
    )


def _weights(story: Story, network: Network) -> tuple[int, ...]:
    assert story.placed is not None
    rules = network.rules_of(story.placed.merchant_id).rules
    return weights_of(rules, prefers=bool(rules.channel_preferences.get(story.placed.channel)))


def _words(verdict: str) -> str:
    known = BY_WORD.get(verdict)
    return verdict if known is None else WORDS[known]


def _attempt(one: Evaluation) -> Attempt:
    decision = one.decision
    if decision is None:
        return Attempt(one.attempt, one.outcome, None, None)
    return Attempt(one.attempt, one.outcome, decision.decision_id, decision.supersedes)


def _shortlist(trace: AuditTrace) -> Step:
    """Step 0; beyond the number an audit keeps, only the counts are told."""
    asked, left_out = len(trace.scores), sum(count for _, count in trace.left_out_counts)
    fallen = tuple(Fallen(location_id, reason, _words(reason)) for location_id, reason in trace.left_out)
    return Step(0, "shortlist", asked + left_out, asked, fallen, "further tiers are left" if trace.more_tiers else "")


def _step(step: StepTrace, trace: AuditTrace) -> Step:
    fallen = tuple(
        Fallen(judged.location_id, judged.verdict, _words(judged.verdict))
        for judged in step.candidates
        if judged.verdict not in ("ok", "chosen")
    )
    said = _words(trace.fallback) if step.name == "fallback" else ""
    return Step(step.number, step.name, step.candidates_in, step.candidates_out, fallen, said)


def _candidates(trace: AuditTrace, weights: tuple[int, ...] | None, flips: dict[str, Flip] | None) -> list[Candidate]:
    """In the audit's order: nearest first."""
    found: list[Candidate] = []
    by_step = [(step, {judged.location_id: judged for judged in step.candidates}) for step in trace.steps]
    for location_id, score in trace.scores:
        said = [(step.name, judged[location_id]) for step, judged in by_step if location_id in judged]
        last, verdict = said[-1][0], said[-1][1].verdict
        ratings = [
            _rating(name, judged.measure or 0, judged.rating, weights)
            for name, judged in said
            if judged.rating is not None
        ]
        flip = None if flips is None else flips.get(location_id)
        changes = None if flip is None else tuple(_change(change) for change in flip.changes)
        found.append(
            Candidate(
                location_id=location_id,
                chosen=verdict == "chosen",
                score=score,
                behind=trace.plan_score - score
                if score is not None and trace.winner and score < trace.plan_score
                else None,
                step=last,
                verdict=verdict,
                words=_words(verdict),
                ratings=tuple(ratings),
                changes=changes,
                fences=None if flip is None else flip.fences,
            )
        )
    return found


def _rating(step: str, measure: int, rating: int, weights: tuple[int, ...] | None) -> Rating:
    if weights is None:
        return Rating(step, measure, rating, None, None)
    weight = weights[RATED.index(step)]
    return Rating(step, measure, rating, weight, weight * rating // (sum(weights) or 1))


def _change(change: object) -> Change:
    return msgspec.convert(change, Change, from_attributes=True)
