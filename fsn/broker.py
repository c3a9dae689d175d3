"""The embedded broker: noida-db's Kafka as a child process, for the demo, the tests and a first look.

In: a data folder, and a port or none (then a free one). Out: a bootstrap address that already answers metadata, and a
log file beside the data. A child that dies while starting, or a folder in use, is a `BrokerError` that ends with what
the child said. What this broker can and cannot do, measured, is in `docs/embedded-broker.md`; `FSN_BROKERS` names a
real cluster instead.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

HOST = "127.0.0.1"
START_ATTEMPTS = 3
READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 60.0
_POLL_S = 0.02
_SAID_CHARS = 600
_AUTOSAVE_THREAD = "autosave"
_AUTOSAVE_NICENESS = 15

# What the child runs before it becomes the broker: the kernel then stops the broker when the thread that started it
# ends, so that a SIGKILLed test run or demo leaves none behind. The id tells of a parent that was gone before that.
_LINUX_LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started this broker is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class BrokerError(RuntimeError):
    """The embedded broker is missing, busy with this folder, or did not start."""


class EmbeddedBroker:
    """One broker process over one data folder; a context manager, and restartable on the same address.

    Start it from a thread that lives as long as the broker is needed: when that thread ends, Linux stops the broker.
    """

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        self.data_dir = data_dir
        self.log_path = data_dir / "broker.log"
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The `host:port` that clients connect to; it stays the same over stop and start."""
        if self._port is None:
            raise BrokerError("the embedded broker has no address before its first start")
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id; none while it is stopped."""
        return None if self._process is None else self._process.pid

    def start(self) -> str:
        """Start the broker, wait until it answers, and return its bootstrap address."""
        if self._process is not None:
            raise BrokerError(f"the embedded broker is already running on {self.bootstrap}")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        # A free port can be taken by somebody else before the broker binds it: only then is another one tried.
        for port in [self._port] if self._port is not None else [None] * START_ATTEMPTS:
            self._port = port if port is not None else _free_port()
            log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
            self._process = _spawn(self._port, self.data_dir, self.log_path)
            if self._answers(self._process, log_start):
                _calm_autosave(self._process.pid)
                return self.bootstrap
            self.kill()
        tried, self._port = self._port, port
        raise BrokerError(f"the embedded broker did not start on port {tried}: {self._said(log_start)}")

    def stop(self) -> None:
        """Stop it cleanly: it writes what it holds to the data folder first. Killed if that takes too long."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would; does nothing when it has ended already."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def wait(self) -> int:
        """Block until the broker ends by itself, and return its exit code."""
        if self._process is None:
            raise BrokerError("the embedded broker is not running")
        return self._process.wait()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def _answers(self, process: subprocess.Popen[bytes], log_start: int) -> bool:
        """Wait for the first metadata answer; false if the process ends or the time is up."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            # It names its address once it has bound it; before that, a stranger on the port might answer in its place.
            if self.bootstrap in self._said(log_start) and _serves_metadata(self.bootstrap):
                return True
            time.sleep(_POLL_S)
        return False

    def _said(self, log_start: int) -> str:
        """What this start wrote to the log, without the linker's warning about an older glibc, which is harmless."""
        lines = self.log_path.read_bytes()[log_start:].decode(errors="replace").splitlines()
        return "; ".join(line.strip() for line in lines if "GLIBC" not in line)[-_SAID_CHARS:] or "it said nothing"


def broker_binary() -> Path:
    """The broker's program, as pip installed it (its console script would be one more process to signal)."""
    program = Path(str(files("noida_db"))) / ("noida-db.exe" if os.name == "nt" else "noida-db")
    if not program.is_file():
        raise BrokerError(f"noida-db is installed without its program ({program.name}): no wheel for this machine?")
    if not os.access(program, os.X_OK):
        program.chmod(0o755)  # pip may drop the bit of a data file
    return program


def tied_to_us(command: list[str]) -> list[str]:
    """The command so that its process ends when the thread that starts it does; Linux only."""
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", "-c", _LINUX_LAUNCHER, str(os.getpid()), *command]


def _spawn(port: int, data_dir: Path, log_path: Path) -> subprocess.Popen[bytes]:
    command = [str(broker_binary()), "start", "--only", "kafka", "--kafka-port", str(port)]
    command += ["--host", HOST, "--data-dir", str(data_dir)]
    command = tied_to_us(command)
    with log_path.open("ab") as log:
        # Its own session: Ctrl-C must reach the program first, which drains and only then stops the broker.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _serves_metadata(bootstrap: str) -> bool:
    admin = AdminClient({"bootstrap.servers": bootstrap, "socket.timeout.ms": 2000})
    with contextlib.suppress(KafkaException):
        return bool(admin.list_topics(timeout=2.0).brokers)
    return False


def _calm_autosave(pid: int) -> None:
    """Let the broker's autosave give way to everything else.

    After every second with a change it writes its whole log as JSON, 4 s of processor time per 100 MB. On two busy
    cores that cost half the transactions; at this priority they stay (measured). Linux only, where a thread has one.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):  # a thread may end while we look at it
        for thread in Path(f"/proc/{pid}/task").iterdir():
            if (thread / "comm").read_text().strip() == _AUTOSAVE_THREAD:
                os.setpriority(os.PRIO_PROCESS, int(thread.name), _AUTOSAVE_NICENESS)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
