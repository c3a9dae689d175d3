"""`python -m ops.kafka start | stop | serve`: a cluster that goes on in the background, as `make kafka` wants it.

`start` leaves a process behind that holds the brokers (`serve`) and returns once they answer; `stop` ends it, and them.
Data and logs stay in `.fsn/kafka/cluster-N` until they are removed.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from ops.kafka.cluster import HEAP_MB, Cluster
from ops.kafka.jars import FOLDER, KafkaError

FIRST_CLIENT_PORT: Final = 9092
START_TIMEOUT_S: Final = 120.0
STOP_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.1

app = typer.Typer(help="Apache Kafka on loopback.", no_args_is_help=True, add_completion=False)

Brokers = Annotated[int, typer.Option(help="1, or 3 with replication 3 and min.insync.replicas 2.")]


@app.command()
def start(brokers: Brokers = 1) -> None:
    """Start a cluster in the background and print where it listens."""
    if (running := _running(brokers)) is not None:
        raise KafkaError(f"a cluster of {brokers} already runs as process {running}: make kafka-stop ends it")
    Cluster(_folder(brokers), brokers=brokers, ports=_ports(brokers))  # whatever is missing is said here
    log_path = _folder(brokers) / "serve.log"
    with log_path.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "ops.kafka", "serve", "--brokers", str(brokers)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while _running(brokers) is None:
        if child.poll() is not None or time.monotonic() > deadline:
            raise KafkaError(f"the cluster did not start; {log_path} ends: {log_path.read_text()[-800:]}")
        time.sleep(_POLL_S)
    addresses = ",".join(f"127.0.0.1:{port}" for port in _ports(brokers))
    typer.echo(f"FSN_BROKERS={addresses}")


@app.command()
def stop() -> None:
    """Stop every cluster that was started so."""
    for brokers in HEAP_MB:
        pid = _running(brokers)
        if pid is None:
            continue
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while _running(brokers) is not None:
            if time.monotonic() > deadline:
                raise KafkaError(f"process {pid} has not ended after {STOP_TIMEOUT_S:.0f} s")
            time.sleep(_POLL_S)


@app.command(hidden=True)
def serve(brokers: Brokers = 1) -> None:
    """Run a cluster until SIGTERM."""
    signal.signal(signal.SIGTERM, _end)
    # The file is locked from when the cluster serves until its last broker has ended.
    with _pid_path(brokers).open("w") as file, Cluster(_folder(brokers), brokers=brokers, ports=_ports(brokers)):
        file.write(str(os.getpid()))
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        signal.pause()


def _end(*_: object) -> None:
    raise SystemExit


def _running(brokers: int) -> int | None:
    """The process that holds a cluster which serves: as long as it lives it locks the file that names it."""
    with contextlib.suppress(FileNotFoundError), _pid_path(brokers).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read())
    return None


def _folder(brokers: int) -> Path:
    return FOLDER / f"cluster-{brokers}"


def _pid_path(brokers: int) -> Path:
    return _folder(brokers) / "serve.pid"


def _ports(brokers: int) -> list[int]:
    """One broker on Kafka's own port; three beside it."""
    first = FIRST_CLIENT_PORT if brokers == 1 else FIRST_CLIENT_PORT + 1
    return list(range(first, first + brokers))


if __name__ == "__main__":
    try:
        app(standalone_mode=True)
    except KafkaError as error:
        typer.secho(f"Error: {error}", fg="red", err=True)
        sys.exit(1)
