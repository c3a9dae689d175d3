"""The topology a command runs by: `topology.yaml`, or the file that is named, with another clock if need be.

Simulated days bring their own ticks: `clock: external` replaces what the file says, before it is parsed, so that all
that follows from it (no retention by time) follows; so does another number of partitions. Refused: a file that does not
say whose clock it runs by, or how many partitions it has.
"""

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from schemas.topology import Topology, TopologyError, parse, read

DEFAULT_FILE: Final = Path("topology.yaml")
File = Annotated[Path, typer.Option("--file", "-f", help="The topology.")]
_LINES: Final = {
    "clock": (re.compile(r"^clock:[ \t]*\w+", re.MULTILINE), "which clock it runs by", "clock: leader"),
    "partitions": (re.compile(r"^partitions:[ \t]*\d+", re.MULTILINE), "how many partitions it has", "partitions: 4"),
}
"""What can be replaced: its line, what that line says, an example."""


def load_topology(path: Path = DEFAULT_FILE, *, clock: str | None = None, partitions: int | None = None) -> Topology:
    """The topology of a file, its clock and its number of partitions replaced when they are named."""
    text = read(path, mend="name an existing file with --file")
    for key, value in (("clock", clock), ("partitions", partitions)):
        if value is not None:
            text = _replaced(text, key, value, path.name)
    return parse(text, name=path.name)


def _replaced(text: str, key: str, value: str | int, name: str) -> str:
    """The text with another value of a key; its one line is found as text, so that all others keep their numbers."""
    pattern, what, example = _LINES[key]
    found = list(pattern.finditer(text))
    if len(found) != 1:
        line = text.count("\n", 0, found[-1].start()) + 1 if found else 1
        raise TopologyError([f"{name}:{line}: says {len(found)} times {what}; write one line `{example}`"])
    return f"{text[: found[0].start()]}{key}: {value}{text[found[0].end() :]}"
