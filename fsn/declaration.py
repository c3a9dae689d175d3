"""The topology a command runs by: `topology.yaml`, or the file that is named, with another clock if need be.

Simulated days bring their own ticks: `clock: external` replaces what the file says, before it is parsed, so that all
that follows from it (no retention by time) follows. Refused: a file that does not say whose clock it runs by.
"""

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from schemas.topology import Topology, TopologyError, parse

DEFAULT_FILE: Final = Path("topology.yaml")
File = Annotated[Path, typer.Option("--file", "-f", help="The topology.")]
_CLOCK: Final = re.compile(r"^clock:[ \t]*\w+", re.MULTILINE)


def load_topology(path: Path = DEFAULT_FILE, *, clock: str | None = None) -> Topology:
    """The topology of a file, its clock replaced when one is named."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise TopologyError([f"{path}: {error.strerror}; name an existing file with --file"]) from error
    if clock is not None:
        text, found = _CLOCK.subn(f"clock: {clock}", text)
        if found != 1:
            raise TopologyError([f"{path}: says {found} times which clock it runs by; write one line `clock: leader`"])
    return parse(text, name=path.name)
