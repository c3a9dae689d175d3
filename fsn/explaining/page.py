"""The explanation as one HTML file: nothing is fetched, nothing runs, and it reads in light and dark.

In: an `Explained`. Out: the page's text. Ids and names are hostile input: every cell is plain text, escaped, and the
page's policy forbids scripts and any loading, should a browser ever disagree.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from fsn.explaining import tables
from fsn.explaining.document import Explained
from fsn.terminal import plain

_HEAD: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>{title}</title><style>
:root {{ color-scheme: light dark; --text: #1b1f24; --page: #ffffff; --line: #d0d7de; --soft: #57606a; --win: #e6f4ea; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --text: #e6edf3; --page: #0d1117; --line: #30363d; --soft: #9198a1; --win: #12301c; }} }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; overflow-wrap: anywhere; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
.wide {{ overflow-x: auto; }} table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
  white-space: pre-line; overflow-wrap: anywhere; }}
th {{ color: var(--soft); font-weight: 600; }} tr.chosen td {{ background: var(--win); }} p {{ color: var(--soft); }}
</style></head><body>
"""


def page(it: Explained) -> str:
    """The whole file."""
    title = _text(f"Why {it.order_id} went where it went")
    made = [_HEAD.format(title=title), f"<h1>{title}</h1>\n", _table((), tables.head(it))]
    if it.decision is not None:
        made += _section("Plan", tables.PLAN, tables.plan_rows(it))
    made += _section("The eleven steps", tables.STEPS, [tables.step_row(step) for step in it.steps])
    chosen = frozenset(place for place, one in enumerate(it.candidates) if one.chosen)
    rows = [tables.candidate_row(one) for one in it.candidates]
    made += _section("Candidates, nearest first", tables.CANDIDATES, rows, chosen=chosen)
    rated = [(one.location_id, *row) for one in it.candidates for row in tables.rating_rows(one, it.currency)]
    made += _section("What the scores are made of", tables.RATINGS, rated)
    if it.replay == "found":
        made += _section("What would have flipped it", tables.FLIPS, tables.flip_rows(it))
    else:
        made.append(f"<p>No counterfactuals: {_text(it.replay)}</p>\n")
    made += _section("Attempts", tables.ATTEMPTS, tables.attempt_rows(it))
    made += _section("The order's story", tables.STORY, tables.story_rows(it))
    return "".join([*made, "</body></html>\n"])


def _section(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], *, chosen: frozenset[int] = frozenset()
) -> list[str]:
    return [f"<h2>{_text(title)}</h2>\n", _table(headings, rows, chosen=chosen)] if rows else []


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, chosen: frozenset[int] = frozenset()) -> str:
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    body = [
        f"<tr{' class=chosen' if place in chosen else ''}>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>\n"
        for place, row in enumerate(rows)
    ]
    return f'<div class="wide"><table><tr>{head}</tr>\n{"".join(body)}</table></div>\n'


def _text(text: str) -> str:
    return escape("\n".join(map(plain, text.split("\n"))))
