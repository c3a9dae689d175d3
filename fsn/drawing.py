"""The topology as pictures: Mermaid text for documents that render it, and an SVG that needs no tool at all.

In: a `Topology`. Out: text. In the SVG each stage is a lane, read from left to right: what outsiders send, what other
stages send, the stage with its tables, what it sends to other stages, what outsiders read. So no line ever crosses
another; a topic with several readers shows in the lane of each. The engine's own topics stand below. The colours follow
the reader's light or dark setting.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from schemas.topology_model import ENGINE_TOPICS, StageSpec, TopicSpec, Topology

_CHIP_WIDTH: Final = 196
_CHIP_HEIGHT: Final = 36
_CHIP_GAP: Final = 8
_STAGE_WIDTH: Final = 168
_GUTTER: Final = 40
_MARGIN: Final = 24
_HEADER: Final = 96
_LANE_PADDING: Final = 14
_COLUMNS: Final = ("from outsiders", "from other stages", "stage and its tables", "to other stages", "to outsiders")

_STYLE: Final = """
  svg { --paper: #ffffff; --ink: #1c2430; --soft: #5b6675; --lane: #f4f6f9; --line: #9aa5b4;
        --in: #dbeafe; --hop: #ede9fe; --stage: #1f4e79; --stage-ink: #ffffff; --stage-soft: #c9dcef; --out: #dcf3e3;
        --engine: #fdeccf; background: var(--paper); }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #10151c; --ink: #e8edf4; --soft: #9fb0c3; --lane: #19212b; --line: #62758a;
          --in: #1d3a5f; --hop: #3a2f63; --stage: #8cc0f0; --stage-ink: #0c1a28; --stage-soft: #23445f; --out: #1f4a33;
          --engine: #54411c; } }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--ink); }
  .title { font-size: 20px; font-weight: 600; } .head { font-size: 12px; fill: var(--soft); text-anchor: middle; }
  .small { font-size: 11px; fill: var(--soft); } .lane { fill: var(--lane); } .in { fill: var(--in); }
  .hop { fill: var(--hop); } .out { fill: var(--out); } .engine { fill: var(--engine); } .stage { fill: var(--stage); }
  .on-stage { fill: var(--stage-ink); font-weight: 600; font-size: 15px; text-anchor: middle; }
  .table { fill: var(--stage-soft); font-size: 11px; text-anchor: middle; }
  .plus { font-size: 18px; fill: var(--line); text-anchor: middle; }
  .arrow { stroke: var(--line); stroke-width: 1.5; fill: none; marker-end: url(#tip); } .tip { fill: var(--line); }
"""

_MARKER: Final = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="tip" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
)


def mermaid(topology: Topology) -> str:
    """The topology as a Mermaid flow chart: topics as rounded boxes, stages as boxes."""
    lines = ["flowchart LR"]
    for topic in topology.topics.values():
        if topology.readers_of(topic.name) or topology.writers_of(topic.name):
            kind = "hop" if topic.internal else "outside"
            lines.append(f'  {_node(topic.name)}(["{topic.name}"]):::{kind}')
    for stage in topology.stages.values():
        tables = f"<br/><small>{', '.join(stage.tables)}</small>" if stage.tables else ""
        lines.append(f'  stage_{stage.name}["<b>{stage.name}</b>{tables}"]:::stage')
        lines += [f"  {_node(topic)} --> stage_{stage.name}" for topic in stage.reads]
        for owner in topology.stages.values():
            audited = ", ".join(table for table in stage.audits if table in owner.tables)
            lines += [f"  stage_{owner.name} -. {audited} .-> stage_{stage.name}"] if audited else []
        lines += [f"  stage_{stage.name} --> {_node(topic)}" for topic in stage.emits]
    lines += [
        "  classDef stage fill:#1f4e79,color:#fff,stroke:#9aa5b4",
        "  classDef outside fill:#dbeafe,color:#1c2430,stroke:#9aa5b4",
        "  classDef hop fill:#ede9fe,color:#1c2430,stroke:#9aa5b4",
    ]
    return "\n".join(lines) + "\n"


def svg(topology: Topology) -> str:
    """The topology as a self-contained SVG."""
    body: list[str] = []
    top = _HEADER
    for stage in topology.stages.values():
        lane, height = _lane(topology, stage, top)
        body += lane
        top += height + _CHIP_GAP
    engine, height = _engine(topology, top + _CHIP_GAP)
    body += engine
    width, height = _left(5) - _GUTTER + _MARGIN, top + height + _MARGIN
    facts = (
        f"{len(topology.stages)} stages, {len(topology.topics)} topics, {topology.partitions} partitions: task p owns "
        "partition p of every topic that stages read, and one transaction covers all it writes"
    )
    heads = [_text(_left(column) + _width(column) / 2, 84, name, "head") for column, name in enumerate(_COLUMNS)]
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
                f' height="{height}" role="img" aria-label="Topology of {escape(topology.app)}">'
            ),
            f"<style>{_STYLE}</style>",
            _MARKER,
            f'<rect width="{width}" height="{height}" style="fill: var(--paper)"/>',
            _text(_MARGIN, 36, f"{topology.app}: the topology", "title"),
            _text(_MARGIN, 58, facts, "small"),
            *heads,
            *body,
            "</svg>\n",
        ]
    )


def _lane(topology: Topology, stage: StageSpec, top: int) -> tuple[list[str], int]:
    """One stage with what it reads and writes, and the lane's height."""
    topics = topology.topics
    columns = (
        [topics[name] for name in stage.reads if not topology.writers_of(name)],
        [topics[name] for name in stage.reads if topology.writers_of(name)],
        [topics[name] for name in stage.emits if topology.readers_of(name)],
        [topics[name] for name in stage.emits if not topology.readers_of(name)],
    )
    rows = max(2, *(len(column) for column in columns))
    height = rows * (_CHIP_HEIGHT + _CHIP_GAP) - _CHIP_GAP + 2 * _LANE_PADDING
    width = _left(5) - _GUTTER - _MARGIN + 16
    drawn = [f'<rect class="lane" x="{_MARGIN - 8}" y="{top}" width="{width}" height="{height}" rx="10"/>']
    middle = top + height / 2
    for column, css, column_topics in zip((0, 1, 3, 4), ("in", "hop", "hop", "out"), columns, strict=True):
        chips_top = middle - (len(column_topics) * (_CHIP_HEIGHT + _CHIP_GAP) - _CHIP_GAP) / 2
        for row, topic in enumerate(column_topics):
            y = chips_top + row * (_CHIP_HEIGHT + _CHIP_GAP)
            drawn += _chip(_left(column), y, css, topic, _caption(topology, stage, topic, column))
    audited = _wrapped(stage.audits, 44)
    for row, line in enumerate(("audits the changed rows of", *audited) if audited else ()):
        drawn.append(_text(_left(1), middle - 8 * len(audited) + 16 * row, line, "small"))
    drawn += _stage(stage, middle, top + _LANE_PADDING, height - 2 * _LANE_PADDING)
    drawn += _arrows([bool(column) for column in columns], middle)
    return drawn, height


def _caption(topology: Topology, stage: StageSpec, topic: TopicSpec, column: int) -> str:
    """The small line on a chip: whom a hop comes from or goes to, or what the topic is keyed by."""
    if column == 1:
        return f"from {_names(topology.writers_of(topic.name))}"
    if column == 3:
        return f"to {'every task: ' if topic.broadcast else ''}{_names(topology.readers_of(topic.name))}"
    others = [reader for reader in topology.readers_of(topic.name) if reader is not stage]
    also = f", also {_names(others)}" if column == 0 and others else ""
    return f"key {topic.key}{', compacted' if topic.cleanup == 'compact' else ''}{also}"


def _stage(stage: StageSpec, middle: float, top: float, height: float) -> list[str]:
    x = _left(2)
    centre = x + _STAGE_WIDTH / 2
    tables = _wrapped(stage.tables, 26)
    first = middle - 7 * len(tables) + 5
    return [
        f'<rect class="stage" x="{x}" y="{top}" width="{_STAGE_WIDTH}" height="{height}" rx="8"/>',
        _text(centre, first, stage.name, "on-stage"),
        *(_text(centre, first + 17 + 14 * row, line, "table") for row, line in enumerate(tables)),
    ]


def _arrows(filled: Sequence[bool], middle: float) -> list[str]:
    """What goes in and what comes out; a plus where both kinds of topics are there."""
    outside_in, hops_in, hops_out, outside_out = filled
    half = _GUTTER / 2
    drawn = []
    if outside_in and hops_in:
        drawn.append(_text(_left(1) - half, middle + 6, "+", "plus"))
    if outside_out and hops_out:
        drawn.append(_text(_left(4) - half, middle + 6, "+", "plus"))
    into, out = (_left(2), _left(2) + _STAGE_WIDTH)
    ends = []
    if outside_in or hops_in:
        ends.append((_left(1 if hops_in else 0) + _CHIP_WIDTH, into))
    if hops_out or outside_out:
        ends.append((out, _left(3 if hops_out else 4)))
    drawn += [f'<path class="arrow" d="M{start + 5} {middle} H{end - 5}"/>' for start, end in ends]
    return drawn


def _engine(topology: Topology, top: int) -> tuple[list[str], int]:
    """The engine's own topics in rows below the lanes."""
    captions = {
        "network": "reference data, read whole",
        "network-changes": "which of it is in force",
        "clock": f"ticks, written by {'the leader' if topology.clock == 'leader' else 'outsiders'}",
        "dead-letters": "what could not be processed",
        "task-manifests": "what each transaction read",
        "changelog": "every table's rows",
    }
    drawn = [_text(_MARGIN, top + 12, "the engine's own", "small")]
    step = (_left(5) - _GUTTER - _MARGIN + _CHIP_GAP) // len(ENGINE_TOPICS)
    for index, name in enumerate(ENGINE_TOPICS):
        x = _MARGIN + index * step
        drawn += _chip(x, top + 24, "engine", topology.topics[name], captions[name], width=step - _CHIP_GAP)
    return drawn, 24 + _CHIP_HEIGHT


def _chip(x: float, y: float, css: str, topic: TopicSpec, caption: str, *, width: int = _CHIP_WIDTH) -> list[str]:
    about = f"{topic.name}: {', '.join(topic.records) or 'rows'}; key {topic.key}"
    return [
        f"<g><title>{escape(about)}</title>",
        f'<rect class="{css}" x="{x}" y="{y}" width="{width}" height="{_CHIP_HEIGHT}" rx="8"/>',
        _text(x + 10, y + 15, topic.name, ""),
        _text(x + 10, y + 29, caption, "small"),
        "</g>",
    ]


def _left(column: int) -> int:
    """Where a column begins."""
    chips = column if column <= 2 else column - 1
    stages = 0 if column <= 2 else 1
    return _MARGIN + chips * _CHIP_WIDTH + stages * _STAGE_WIDTH + column * _GUTTER


def _width(column: int) -> int:
    return _STAGE_WIDTH if column == 2 else _CHIP_WIDTH


def _names(stages: Iterable[StageSpec]) -> str:
    return ", ".join(stage.name for stage in stages)


def _wrapped(words: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 2 <= width:
            lines[-1] += f", {word}"
        else:
            lines.append(word)
    return lines


def _text(x: float, y: float, text: str, css: str) -> str:
    return f'<text class="{css}" x="{x}" y="{y}">{escape(text)}</text>'


def _node(topic: str) -> str:
    return f"topic_{topic.replace('-', '_')}"
