"""A worker as a child process: started with its settings, awaited until it is ready, stopped so that it drains.

In: settings by name, as `FSN_…` variables say them. Out: a process that ends with this one (on Linux even when this
one is killed), a log file, and a web port that answers. A worker that ends while it starts is a `WorkerError` that
ends with what it said last.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fsn.broker import HOST, tied_to_us

READY_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.1
_SAID_CHARS: Final = 1_200


class WorkerError(RuntimeError):
    """The worker did not start, or has ended by itself."""


class WorkerProcess:
    """One `fsn worker`; a context manager."""

    def __init__(
        self,
        *,
        topology: Path,
        log_path: Path,
        clock: str | None = None,
        web_port: int = 0,
        **settings: str | Path,
    ) -> None:
        self.log_path = log_path
        self.web_port = web_port or free_port()
        self._environment = {f"FSN_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment["FSN_WEB_PORT"] = str(self.web_port)
        self._command = [sys.executable, "-m", "fsn", "worker", "--file", str(topology)]
        self._command += [] if clock is None else ["--clock", clock]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `wait_until_ready` says when it works."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                tied_to_us(self._command),
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """Its process id; none while it does not run."""
        return None if self._process is None else self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Return once every task processes."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if not self.is_alive:
                raise WorkerError(f"the worker ended while it started; {self.log_path} ends: {self.said()}")
            if self._answers("/health/ready"):
                return
            time.sleep(_POLL_S)
        raise WorkerError(
            f"the worker was not ready after {READY_TIMEOUT_S:.0f} s; {self.log_path} ends: {self.said()}"
        )

    def stop(self) -> None:
        """Let it drain and leave its group; killed if that takes too long."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self) -> int:
        """Block until it ends by itself, and return its exit code."""
        if self._process is None:
            raise WorkerError("the worker does not run")
        return self._process.wait()

    def said(self) -> str:
        """The end of its log."""
        return " ".join(self.log_path.read_text("utf-8", errors="replace")[-_SAID_CHARS:].split())

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def _answers(self, page: str) -> bool:
        address = f"http://{HOST}:{self.web_port}{page}"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
        return False


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
