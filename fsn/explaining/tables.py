"""The explanation in a terminal: the decision's head and plan, the steps, the candidates, what would flip it, the story.

In: an `Explained`. Out: rich tables. Every text of a stranger goes through `_cell`: no markup, no control characters.
"""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fsn.explaining.document import Candidate, Explained, Step
from fsn.explaining.writing import kilometres, lines, measure, score
from fsn.terminal import plain, utc
from processors.money import show as money

SHOWN_NAMES = 6
"""Locations named per reason of a step; the candidates' table and --json have all."""


def show(it: Explained, console: Console) -> None:
    """Print all of it."""
    for name, value in head(it):
        console.print(f"{name}: {plain(value)}", markup=False, soft_wrap=True)
    if it.decision is not None:
        _print(console, "plan", PLAN, plan_rows(it))
    _print(console, "the eleven steps", STEPS, [step_row(step) for step in it.steps])
    _print(console, "candidates, nearest first", CANDIDATES, [candidate_row(one) for one in it.candidates])
    rated = [(one, rating) for one in it.candidates for rating in rating_rows(one, it.currency)]
    _print(console, "what the scores are made of", RATINGS, [(one.location_id, *row) for one, row in rated])
    _print(console, "what would have flipped it", FLIPS, flip_rows(it))
    if it.replay != "found":
        console.print(f"no counterfactuals: {plain(it.replay)}", markup=False, soft_wrap=True)
    _print(console, "attempts", ATTEMPTS, attempt_rows(it))
    _print(console, "the order's story", STORY, story_rows(it))


PLAN = ("location", "carrier", "account", "units", "cost", "distance", "ready (UTC)", "delivered by (UTC)")
STEPS = ("#", "step", "in", "out", "who fell, and why")
CANDIDATES = ("location", "score", "last step", "verdict")
RATINGS = ("location", "step", "measured", "rating", "weight", "points")
FLIPS = ("location", "any one of these", "or else, in the way")
ATTEMPTS = ("attempt", "outcome", "decision", "supersedes")
STORY = ("time (UTC)", "what", "details")


def head(it: Explained) -> list[tuple[str, str]]:
    """What is true of the decision as a whole."""
    decision = it.decision
    rows = [("order", it.order_id), ("attempt", f"{it.attempt}, {it.outcome}")]
    if decision is None:
        rows.append(("why", it.reason_words))
    else:
        rows.append(("decision", decision.decision_id))
        rows.append(("decided", f"{utc(decision.decided_at)} UTC"))
        if decision.supersedes is not None:
            rows.append(("supersedes", decision.supersedes))
        plan = decision.plan
        rows.append(("score", score(plan.score)))
        rows.append(("cost", money(plan.cost_minor, it.currency)))
    rows.append(("evaluated", f"{utc(it.evaluated_at)} UTC"))
    rows.append(("rules", f"{it.rule_set_id or 'the defaults'} version {it.rule_version}"))
    rows.append(("network", f"offset {it.network_offset}"))
    rows.append(("inputs", f"sha1 {it.inputs_digest}"))
    rows.append(("step 10", it.fallback_words))
    return rows


def plan_rows(it: Explained) -> list[Sequence[str]]:
    """Who ships what."""
    parts = () if it.decision is None else it.decision.plan.parts
    return [
        (
            part.location_id,
            f"{part.carrier} {part.service}".strip(),
            part.account_id,
            lines(part),
            money(part.cost_minor, it.currency),
            kilometres(part.distance_m),
            utc(part.ready_at),
            utc(part.deliver_at),
        )
        for part in parts
    ]


def step_row(step: Step) -> Sequence[str]:
    """A step, its counts, and who fell, by reason."""
    by_words: dict[str, list[str]] = {}
    for fallen in step.fallen:
        by_words.setdefault(fallen.words, []).append(fallen.location_id)
    told = [f"{words}: {_some(names)}" for words, names in by_words.items()]
    said = "; ".join([*([step.said] if step.said else []), *told])
    return str(step.number), step.name, str(step.candidates_in), str(step.candidates_out), said


def candidate_row(one: Candidate) -> Sequence[str]:
    """A candidate in one line."""
    lacks = "" if one.chosen or one.behind is None else f": score needs {score(one.behind)} more"
    return one.location_id, score(one.score), one.step, one.words + lacks


def rating_rows(one: Candidate, currency: str) -> list[Sequence[str]]:
    """The parts of a candidate's score."""
    return [
        (
            rating.step,
            measure(rating.step, rating.measure, currency),
            score(rating.rating),
            "–" if rating.weight is None else str(rating.weight),
            score(rating.points),
        )
        for rating in one.ratings
    ]


def flip_rows(it: Explained) -> list[Sequence[str]]:
    """What each loser lacked."""
    return [
        (
            one.location_id,
            "\n".join(change.words for change in one.changes) or "no single change suffices",
            "\n".join(one.fences or ()),
        )
        for one in it.candidates
        if one.changes is not None
    ]


def attempt_rows(it: Explained) -> list[Sequence[str]]:
    """Every evaluation, where there was more than one."""
    if len(it.attempts) < 2:
        return []
    return [(str(one.attempt), one.outcome, one.decision_id or "", one.supersedes or "") for one in it.attempts]


def story_rows(it: Explained) -> list[Sequence[str]]:
    """What happened, in order."""
    return [
        (utc(event.at), event.what, ", ".join(f"{name} {value}" for name, value in event.fields.items()))
        for event in it.events
    ]


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _print(console: Console, title: str, headings: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    if table.row_count:
        console.print(table)


def _cell(text: str) -> Text:
    return Text("\n".join(map(plain, text.split("\n"))))
