"""The topology a command runs by: `topology.yaml`, or the file that is named, with another clock if need be.

Simulated days bring their own ticks: `clock: external` replaces what the file says, before it is parsed, so that all
that follows from it (no retention by time) follows; so does another number of partitions. Refused: a file that does not
say whose clock it runs by, or how many partitions it has.
"""

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from schemas.topology import Topology, TopologyError, parse

DEFAULT_FILE: Final = Path("topology.yaml")
File = Annotated[Path, typer.Option("--file", "-f", help="The topology.")]
_CLOCK: Final = re.compile(r"^clock:[ \t]*\w+", re.MULTILINE)
_PARTITIONS: Final = re.compile(r"^partitions:[ \t]*\d+", re.MULTILINE)


def load_topology(path: Path = DEFAULT_FILE, *, clock: str | None = None, partitions: int | None = None) -> Topology:
    """The topology of a file, its clock and its number of partitions replaced when they are named."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise TopologyError([f"{path}: {error.strerror}; name an existing file with --file"]) from error
    if clock is not None:
        text, found = _CLOCK.subn(f"clock: {clock}", text)
        if found != 1:
            raise TopologyError([f"{path}: says {found} times which clock it runs by; write one line `clock: leader`"])
    if partitions is not None:
        text, found = _PARTITIONS.subn(f"partitions: {partitions}", text)
        if found != 1:
            raise TopologyError(
                [f"{path}: says {found} times how many partitions it has; write one line `partitions: 4`"]
            )
    return parse(text, name=path.name)
