"""Explain: one decision's eleven steps in full, for a terminal.

In: a RoutingDecision and its RoutingAudit, as read from the topics. Out: rich tables: the steps with the candidates
that went in and came out, and who fell and why; the candidates left, with score, ratings and what was measured; the
plan. Nothing is computed again: it shows what the audit says.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from fsn.report.audits import CHOSEN, FRESHNESS, NOT_REACHED, RATED, STALE, STEPS, Audit, unpack, verdict_word
from fsn.report.reader import Read

PASSED: Final = (0, CHOSEN)
_LAST: Final = len(STEPS) - 1


def choose(decisions: Iterable[Read], audits: Iterable[Read]) -> tuple[Read, Read] | None:
    """The decision most worth telling: many candidates, lost to many different fences, more than one part."""
    by_id = {read.fields["decision_id"]: read for read in audits if read.fields["decision_id"] is not None}
    found: tuple[tuple[int, ...], tuple[Read, Read]] | None = None
    for read in decisions:
        audit = by_id.get(read.fields["decision_id"])
        if audit is None:
            continue
        worth = _worth(read, unpack(audit.fields["audit"]))
        if found is None or worth > found[0]:
            found = worth, (read, audit)
    return None if found is None else found[1]


def steps_table(decision: Mapping[str, Any], packed: bytes) -> RenderableType:
    """The whole evaluation."""
    audit = unpack(packed)
    return Group(_headline(decision, audit), _steps(audit), _candidates(audit), _plan(decision))


def _worth(read: Read, audit: Audit) -> tuple[int, ...]:
    fallen = set(audit.verdicts) - {0, NOT_REACHED}
    stale = int(any(verdict in STALE for verdict in audit.verdicts[FRESHNESS :: len(STEPS)]))
    candidates = len(audit.location_ids)
    return min(candidates, 7), stale, min(len(read.fields["plan"]["parts"]), 2), len(fallen), -candidates


def _headline(decision: Mapping[str, Any], audit: Audit) -> Text:
    at = datetime.fromtimestamp(decision["decided_at"] / 1000, UTC)
    text = Text.assemble(
        (f"{decision['decision_id']} ", "bold"),
        f"of order {decision['order_id']}, attempt {decision['attempt']}, at {at:%Y-%m-%d %H:%M:%S} UTC\n",
        f"rules {decision['rule_set_id'] or 'default'} v{decision['rule_version']}, ",
        f"network as of {audit.network_version}, inputs {audit.inputs_digest[:12]}…, ",
        f"score {score(decision['plan']['score'])}",
    )
    if decision["supersedes"]:
        text.append(f", supersedes {decision['supersedes']}")
    return text


def _steps(audit: Audit) -> Table:
    table = plain_table("Eleven steps")
    for heading, justify in (("#", "right"), ("step", "left"), ("in", "right"), ("out", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # rich names the four words a Literal
    table.add_column("who fell, and why", overflow="fold")
    left_out = sum(audit.left_out_counts.values())
    asked = len(audit.location_ids)
    reasons = ", ".join(f"{word}: {count}" for word, count in sorted(audit.left_out_counts.items()))
    table.add_row("0", "shortlist", str(left_out + asked), str(asked), reasons)
    for step, name in enumerate(STEPS):
        entered = [place for place in range(asked) if audit.verdict(place, step) != NOT_REACHED]
        passed = [place for place in entered if audit.verdict(place, step) in PASSED]
        if name == "fallback":
            told = verdict_word(audit.fallback)
        else:
            told = _fallen(audit, step, [place for place in entered if place not in passed])
        table.add_row(str(step + 1), name, str(len(entered)), str(len(passed)), told)
    return table


def _fallen(audit: Audit, step: int, fallen: Sequence[int]) -> str:
    by_word: dict[str, list[str]] = {}
    for place in fallen:
        by_word.setdefault(verdict_word(audit.verdict(place, step)), []).append(short(audit.location_ids[place]))
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in by_word.items())


def _candidates(audit: Audit) -> Table:
    """Those that reached the end; where the others fell stands with the steps."""
    rated = [place for place in range(len(audit.location_ids)) if audit.scores[place] >= 0]
    table = plain_table("Candidates left, nearest first: their ratings, and what was measured")
    table.add_column("location", overflow="fold")
    table.add_column("score", justify="right")
    shown = [step for step in RATED if any(audit.rated(place, step) is not None for place in rated)]
    for step in shown:
        table.add_column(_MEASURES[STEPS[step]][0], justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for place in rated:
        cells = [_rating(audit, place, step) for step in shown]
        verdict, style = _verdict(audit, place)
        table.add_row(short(audit.location_ids[place]), score(audit.scores[place]), *cells, verdict, style=style)
    return table


def _verdict(audit: Audit, place: int) -> tuple[str, str]:
    last = audit.verdict(place, _LAST)
    return verdict_word(last), "bold green" if last == CHOSEN else ""


def _rating(audit: Audit, place: int, step: int) -> str:
    rated = audit.rated(place, step)
    if rated is None:
        return ""
    return f"{score(rated[0])}\n{_MEASURES[STEPS[step]][1](rated[1])}"


_MEASURES: Final[Mapping[str, tuple[str, Callable[[int], str]]]] = {
    "stock": ("stock", lambda units: f"{units} units"),
    "region": ("channel", lambda _: ""),
    "SLA": ("slack", lambda slack_ms: f"{slack_ms / 3_600_000:.0f} h"),
    "capacity": ("slots", str),
    "cost": ("cost", lambda minor: f"{minor / 100:.2f}"),
    "proximity": ("distance", lambda metres: f"{metres / 1000:.0f} km"),
    "freshness": ("age", lambda age_ms: f"{age_ms / 60_000:.1f} min"),
}
"""By rating step: what it measures, and how that is written."""


def _plan(decision: Mapping[str, Any]) -> Table:
    table = plain_table("Plan")
    for heading in ("location", "carrier account", "units", "cost", "arrives"):
        table.add_column(heading)
    for part in decision["plan"]["parts"]:
        units = ", ".join(f"{line['quantity']} of line {line['line_no']}" for line in part["lines"])
        arrives = datetime.fromtimestamp(part["deliver_at"] / 1000, UTC)
        account = f"{part['carrier']} {short(part['account_id'])}"
        table.add_row(
            short(part["location_id"]), account, units, f"{part['cost_minor'] / 100:.2f}", f"{arrives:%a %d %b}"
        )
    return table


def plain_table(title: str) -> Table:
    """Without frames, so that all of it fits into 80 columns."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        min_width=len(title),
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )


def score(millionths: int) -> str:
    """0 … 1,000,000 as people read it: 0.928."""
    return f"{millionths / 1_000_000:.3f}"


def short(identifier: str) -> str:
    """An id without its tenant, for a table's cell."""
    return escape(identifier.partition("|")[2] or identifier)
