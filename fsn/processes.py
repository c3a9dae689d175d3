"""A worker as a child process: started with its settings, awaited until it is ready, stopped so that it drains.

In: settings by name, as `FSN_…` variables say them. Out: a process that ends with this one, a log file, and a web port
that answers. A worker that ends while it starts is a `WorkerError` that ends with what it said last.
"""

import contextlib
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from fsn.children import HOST, Child, ChildError, free_port

READY_TIMEOUT_S: Final = 120.0
_POLL_S: Final = 0.05


class WorkerError(ChildError):
    """The worker did not start, or has ended by itself."""


class WorkerProcess(Child):
    """One `fsn worker`, startable again under the same name."""

    name = "worker"

    def __init__(
        self,
        *,
        topology: Path,
        log_path: Path,
        clock: str | None = None,
        web_port: int = 0,
        **settings: str | Path,
    ) -> None:
        super().__init__(log_path)
        self.web_port = web_port or free_port()
        self._environment = {f"FSN_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment["FSN_WEB_PORT"] = str(self.web_port)
        self._command = [sys.executable, "-m", "fsn", "worker", "--file", str(topology)]
        self._command += [] if clock is None else ["--clock", clock]

    def start(self) -> None:
        """Start it; `wait_until_ready` says when it works."""
        self._spawn(self._command, self._environment)

    def check(self) -> None:
        """Raise if it has ended by itself."""
        if not self.is_alive:
            raise WorkerError(f"the worker ended by itself; {self.log_path} ends: {self.said()}")

    def wait_until_ready(self) -> None:
        """Return once every task processes."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            if self.get("/health/ready")[0] == 200:
                return
            time.sleep(_POLL_S)
        raise WorkerError(
            f"the worker was not ready after {READY_TIMEOUT_S:.0f} s; {self.log_path} ends: {self.said()}"
        )

    def get(self, page: str) -> tuple[int, str]:
        """Status and text of a page of its web port; (0, "") when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.web_port}{page}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                return error.code, error.read().decode()
        except OSError:
            return 0, ""
