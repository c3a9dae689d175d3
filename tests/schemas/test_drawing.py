from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fsn.drawing import mermaid, svg
from schemas.topology import load

ROOT = Path(__file__).parents[2]
TOPOLOGY = load(ROOT / "topology.yaml")


def texts(drawing):
    return [element.text for element in ET.fromstring(drawing).iter() if element.tag.endswith("}text")]


def test_the_svg_shows_every_stage_table_and_topic():
    shown = texts(svg(TOPOLOGY))
    for name in [*TOPOLOGY.stages, *TOPOLOGY.topics]:
        assert name in shown
    for stage in TOPOLOGY.stages.values():
        for table in stage.tables:
            assert any(table in text for text in shown)


def test_the_svg_needs_nothing_else_and_follows_light_and_dark():
    drawing = svg(TOPOLOGY)
    assert "prefers-color-scheme: dark" in drawing
    assert "href" not in drawing
    assert "@import" not in drawing


def test_nothing_in_the_svg_overlaps_or_leaves_the_picture():
    root = ET.fromstring(svg(TOPOLOGY))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = [
        tuple(float(element.attrib[side]) for side in ("x", "y", "width", "height"))
        for element in root.iter()
        if element.tag.endswith("}rect") and element.attrib.get("class") not in (None, "lane")
    ]
    for x, y, wide, high in boxes:
        assert x >= 0 and x + wide <= width and y >= 0 and y + high <= height
    for index, (x, y, wide, high) in enumerate(boxes):
        for other_x, other_y, other_wide, other_high in boxes[:index]:
            apart = x + wide <= other_x or other_x + other_wide <= x or y + high <= other_y or other_y + other_high <= y
            assert apart


def test_mermaid_has_one_edge_for_each_read_and_emit():
    text = mermaid(TOPOLOGY)
    edges = sum(len(stage.reads) + len(stage.emits) for stage in TOPOLOGY.stages.values())
    assert edges == text.count(" --> ")
    assert text.startswith("flowchart LR\n")


@pytest.mark.parametrize(("name", "draw"), [("topology.mmd", mermaid), ("topology.svg", svg)])
def test_the_committed_drawings_are_up_to_date(name, draw):
    assert draw(TOPOLOGY) == (ROOT / "docs" / name).read_text("utf-8"), "run `fsn topology draw`"


def test_names_are_escaped():
    assert "a<b&c: the topology" in texts(svg(TOPOLOGY.model_copy(update={"app": "a<b&c"})))
