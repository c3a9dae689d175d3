"""A child process that logs to a file, drains on SIGTERM and never outlives the program that started it.

The broker and the worker are such children. Start one from a thread that lives as long as the child is needed: on Linux
the kernel stops it when that thread ends, even by SIGKILL.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

HOST: Final = "127.0.0.1"
SAID_CHARS: Final = 1_200

# What the child runs before it becomes the program. The id tells of a parent that was gone before the kernel was asked.
_LINUX_LAUNCHER: Final = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started this one is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class ChildError(RuntimeError):
    """The child did not start, does not run, or has ended by itself."""


class Child(ABC):
    """A process that may be started, stopped and killed again and again; a context manager."""

    name: str = "child"
    stop_timeout_s: float = 30.0

    def __init__(self, log_path: Path) -> None:
        self.log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> object:
        """Start it; a subclass says with which command."""

    @property
    def pid(self) -> int | None:
        """Its process id; none before it was started and after it was stopped."""
        return None if self._process is None else self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> int | None:
        """Let it end what it does; killed if that takes too long. Its exit code, or none if it did not run."""
        if self._process is None:
            return None
        self.end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self.stop_timeout_s)
        return self.kill()

    def kill(self) -> int | None:
        """End it at once, as a power cut would; does nothing when it has ended already. Its exit code."""
        if self._process is None:
            return None
        self._process.kill()
        code, self._process = self._process.wait(), None
        return code

    def freeze(self) -> None:
        """Stop its process without ending it: whoever waits for an answer gets none."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Ask it to end, and do not wait."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.is_alive:
            self._process.send_signal(number)

    def wait(self, timeout_s: float | None = None) -> int:
        """Block until it ends by itself, and return its exit code."""
        if self._process is None:
            raise ChildError(f"the {self.name} does not run")
        return self._process.wait(timeout_s)

    def said(self) -> str:
        """The end of its log, in one line."""
        if not self.log_path.exists():
            return "nothing"
        return " ".join(self.log_path.read_text("utf-8", errors="replace")[-SAID_CHARS:].split()) or "nothing"

    def _spawn(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        if self.is_alive:
            raise ChildError(f"the {self.name} is already running as process {self.pid}")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            # Its own session: Ctrl-C must reach the program first, which ends its children in the right order.
            self._process = subprocess.Popen(
                _tied_to_us(command),
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _tied_to_us(command: Sequence[str]) -> list[str]:
    """The command so that its process ends when the thread that starts it does; Linux only."""
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _LINUX_LAUNCHER, str(os.getpid()), *command]
