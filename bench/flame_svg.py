"""A flame graph as a small SVG: stacks in, a picture out whose frames say name and share when pointed at.

Stacks are counted from the outermost frame; a frame is as wide as its share of the samples, siblings stand by name.
Frames below half a percent are left out, which keeps the file small; the width that nobody fills is what they took.
"""

from collections import Counter
from colorsys import hls_to_rgb
from html import escape
from typing import Final
from zlib import crc32

WIDTH: Final = 1200
ROW: Final = 17
SHARE_MIN: Final = 0.005
CHARACTER: Final = 6.2
"""Roughly the width of a letter at this size: a name that does not fit is cut."""
HUES: Final = {"streams": 210, "processors": 120, "schemas": 45, "aiokafka": 285, "faust": 0, "mode": 0}


class Node:
    """A frame, how often it was seen, and those it called."""

    def __init__(self) -> None:
        self.count = 0
        self.called: dict[str, Node] = {}


def draw(stacks: Counter[tuple[str, ...]], title: str) -> str:
    """The picture, outermost frames on top."""
    root = _tree(stacks)
    boxes: list[str] = []
    depth = _boxes(root, boxes, total=root.count, left=0.0, level=1)
    height = (depth + 1) * ROW + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="10">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n'
        f'<text x="4" y="13" font-size="12">{escape(title)}: {root.count:,} samples</text>\n'
        + "\n".join(boxes)
        + "\n</svg>\n"
    )


def _tree(stacks: Counter[tuple[str, ...]]) -> Node:
    root = Node()
    for frames, count in stacks.items():
        node = root
        node.count += count
        for frame in frames:
            node = node.called.setdefault(frame, Node())
            node.count += count
    return root


def _boxes(node: Node, boxes: list[str], *, total: int, left: float, level: int) -> int:
    """Draw what a frame called, and return the lowest level reached."""
    lowest = level
    for frame, called in sorted(node.called.items()):
        share = called.count / total
        if share >= SHARE_MIN:
            boxes.append(_box(frame, share, left=left, level=level))
            lowest = max(lowest, _boxes(called, boxes, total=total, left=left, level=level + 1))
        left += share * WIDTH
    return lowest


def _box(frame: str, share: float, *, left: float, level: int) -> str:
    width, top = share * WIDTH, level * ROW + 4
    name, _, path = frame.partition(" (")
    package = path.partition("/")[0]
    # Libraries without a colour of their own are grey; names differ a little, so that neighbours can be told apart.
    saturation, hue = (55, HUES[package]) if package in HUES else (5, 0)
    lightness = 72 + crc32(name.encode()) % 12
    colour = "#" + bytes(int(part * 255) for part in hls_to_rgb(hue / 360, lightness / 100, saturation / 100)).hex()
    fits = int((width - 4) / CHARACTER)
    text = f'<text x="{left + 2:.1f}" y="{top + 12}">{escape(name[:fits])}</text>' if fits >= 3 else ""
    box = f'<rect x="{left:.1f}" y="{top}" width="{width - 0.5:.1f}" height="{ROW - 1}" fill="{colour}"/>'
    return f"<g><title>{escape(frame)} {share:.1%}</title>{box}{text}</g>"
