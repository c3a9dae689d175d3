"""A network namespace for a broker, so that it can be cut off from everybody while it goes on.

In: nothing; Linux, root and `ip` (iproute2) are needed, and `why_not` says what is missing. Out: an address at either
end of one link, one out here and one in the namespace, and what stands before a command that is to run in there. While
it is cut off, packets vanish in both directions and nobody is told: no connection is refused or reset, all fall silent.
Removed at its end; what a killed run has left is removed by the next. One per process; the addresses are of the range
that is set aside for measuring networks (RFC 2544).
"""

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_RANGE: Final = ipaddress.IPv4Network("198.18.0.0/15")
_NAME: Final = re.compile(r"^fsn-(\d+)\b", re.MULTILINE)
_NOBODY: Final = "02:00:00:00:00:01"
"""A link address that neither end has: what is sent to it is dropped on arrival."""
_TIMEOUT_S: Final = 20.0


class NamespaceError(RuntimeError):
    """No namespace can be made here, or one does not do as it is told."""


class Namespace:
    """A namespace and the link to it; a context manager."""

    def __init__(self) -> None:
        pid = os.getpid()
        self.name = f"fsn-{pid}"
        self._outside, self._inside = _links(pid)
        first = _RANGE[pid * 4 % _RANGE.num_addresses]
        self.host, self.guest = str(first + 1), str(first + 2)

    @property
    def entry(self) -> tuple[str, ...]:
        """What stands before a command that is to run in there."""
        return (_program(), "netns", "exec", self.name)

    def cut_off(self) -> None:
        """Let everything vanish that is sent in either direction."""
        for where, neighbour, link in self._ends():
            _ip(*where, "neigh", "replace", neighbour, "lladdr", _NOBODY, "nud", "permanent", "dev", link)

    def reconnect(self) -> None:
        """Let packets through again: each end asks for the other's link address anew."""
        for where, neighbour, link in self._ends():
            _ip(*where, "neigh", "del", neighbour, "dev", link)

    def _ends(self) -> tuple[tuple[tuple[str, ...], str, str], ...]:
        return ((), self.guest, self._outside), (("-n", self.name), self.host, self._inside)

    def __enter__(self) -> Self:
        """Make it."""
        _remove_leftovers()
        if taken := _ip("-oneline", "addr", "show", "to", f"{self.host}/30"):
            raise NamespaceError(f"{self.host} is in use here ({taken.strip()}): run it again, as another process")
        try:
            _ip("netns", "add", self.name)
            _ip("link", "add", self._outside, "type", "veth", "peer", "name", self._inside, "netns", self.name)
            for where, own, link in (((), self.host, self._outside), (("-n", self.name), self.guest, self._inside)):
                _ip(*where, "addr", "add", f"{own}/30", "dev", link)
                _ip(*where, "link", "set", link, "up")
            _ip("-n", self.name, "link", "set", "lo", "up")
        except BaseException:
            _remove(os.getpid())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove it; a program that still runs there has no network any more."""
        _remove(os.getpid())


def why_not() -> str | None:
    """Why no namespace can be made here; None where one can."""
    try:
        with Namespace():
            return None
    except NamespaceError as error:
        return str(error)


def _links(pid: int) -> tuple[str, str]:
    """Names of both ends; Linux takes 15 characters."""
    return f"fsn{pid}o", f"fsn{pid}i"


def _program() -> str:
    found = shutil.which("ip")
    if found is None or not sys.platform.startswith("linux"):
        raise NamespaceError("no `ip` found: this needs Linux with iproute2 (Debian: apt install iproute2)")
    return found


def _ip(*words: str) -> str:
    done = subprocess.run([_program(), *words], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode != 0:
        who = "" if os.geteuid() == 0 else "; run it as root"
        raise NamespaceError(f"ip {' '.join(words)}: {done.stderr.strip()}{who}")
    return done.stdout


def _remove_leftovers() -> None:
    """Those whose process has been killed."""
    for pid in map(int, _NAME.findall(_ip("netns", "list"))):
        if not Path("/proc", str(pid)).exists():
            _remove(pid)


def _remove(pid: int) -> None:
    """Both ends of the link go with one of them, whoever still runs in the namespace; whatever is gone already may be."""
    for words in (("link", "del", _links(pid)[0]), ("netns", "del", f"fsn-{pid}")):
        subprocess.run([_program(), *words], capture_output=True, timeout=_TIMEOUT_S, check=False)
