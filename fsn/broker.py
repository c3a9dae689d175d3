"""The embedded broker: noida-db's Kafka as a child process, for the demo, the tests and a first look.

In: a data folder, and a port or none (then a free one). Out: a bootstrap address that already answers metadata, and a
log file beside the data. A child that dies while starting, or a folder in use, is a `BrokerError` that ends with what
the child said. What this broker can and cannot do, measured, is in `docs/embedded-broker.md`; `FSN_BROKERS` names a
real cluster instead.
"""

import contextlib
import os
import sys
import time
from importlib.resources import files
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from fsn.children import HOST, Child, ChildError, free_port

START_ATTEMPTS = 3
READY_TIMEOUT_S = 20.0
_POLL_S = 0.02
_SAID_CHARS = 600
_AUTOSAVE_THREAD = "autosave"
_AUTOSAVE_NICENESS = 15


class BrokerError(ChildError):
    """The embedded broker is missing, busy with this folder, or did not start."""


class EmbeddedBroker(Child):
    """One broker process over one data folder; a context manager, and restartable on the same address."""

    name = "embedded broker"
    stop_timeout_s = 60.0  # it writes what it holds to the data folder first

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        super().__init__(data_dir / "broker.log")
        self.data_dir = data_dir
        self._port = port

    @property
    def bootstrap(self) -> str:
        """The `host:port` that clients connect to; it stays the same over stop and start."""
        if self._port is None:
            raise BrokerError("the embedded broker has no address before its first start")
        return f"{HOST}:{self._port}"

    def start(self) -> str:
        """Start the broker, wait until it answers, and return its bootstrap address."""
        if self.is_alive:
            raise BrokerError(f"the embedded broker is already running on {self.bootstrap}")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        # A free port can be taken by somebody else before the broker binds it: only then is another one tried.
        for port in [self._port] if self._port is not None else [None] * START_ATTEMPTS:
            self._port = port if port is not None else free_port()
            log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
            command = [str(broker_binary()), "start", "--only", "kafka", "--kafka-port", str(self._port)]
            self._spawn([*command, "--host", HOST, "--data-dir", str(self.data_dir)])
            if self._answers(log_start):
                assert self.pid is not None
                _calm_autosave(self.pid)
                return self.bootstrap
            self.kill()
        tried, self._port = self._port, port
        raise BrokerError(f"the embedded broker did not start on port {tried}: {self._said(log_start)}")

    def _answers(self, log_start: int) -> bool:
        """Wait for the first metadata answer; false if the process ends or the time is up."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while self.is_alive and time.monotonic() < deadline:
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
