"""A real worker in its own process against a real broker, for tests that kill it."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from schemas.codec import Codec
from schemas.topology import load
from streams.admin import apply

CODEC = Codec()
RUN = """
import sys
from schemas.topology import load
from streams.app import run_worker
from streams.settings import read_settings
run_worker(load(sys.argv[1]), read_settings())
"""


class Worker:
    """`fsn worker`, startable again under the same name."""

    def __init__(self, brokers: str, topology: Path, state_dir: Path, *, web_port: int, **settings: str) -> None:
        self.topology = topology
        self.log = state_dir / "worker.log"
        self.web_port = web_port
        self.process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **os.environ,
            "FSN_BROKERS": brokers,
            "FSN_STATE_DIR": str(state_dir),
            "FSN_WEB_PORT": str(web_port),
            "FSN_LOG_FORMAT": "text",
            "PYTHONPATH": str(Path.cwd()),
            **settings,
        }
        state_dir.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, str(self.topology)], env=self._environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """As a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """As an orchestrator would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def get(self, path: str) -> tuple[int, str]:
        """What the web port answers; (0, "") when it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}{path}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while self.get("/health/ready")[0] != 200:
            assert self.process is not None and self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.1)


def fresh_topology(folder: Path, source: str, app: str) -> Path:
    """A copy of a topology under its own app name and topic prefix-free broker: one app a broker at a time."""
    path = folder / "topology.yaml"
    path.write_text(Path(source).read_text().replace("app: tally", f"app: {app}"))
    return path


def create_topics(brokers: str, path: Path) -> None:
    apply(load(path), brokers)


def producer(brokers: str, **settings: object) -> Producer:
    return Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "linger.ms": 5, **settings})


def read_committed(brokers: str, topic: str, partitions: int = 4) -> list:
    """Everything a read_committed reader sees of a topic, up to its end now."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "test-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            # The embedded broker repeats aborted transactions in every answer that begins behind them: take it in one.
            "fetch.max.bytes": 1 << 30,
            "max.partition.fetch.bytes": 500_000_000,
            "receive.message.max.bytes": (1 << 30) + 512,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    found, ended = [], set()
    deadline = time.monotonic() + 30
    try:
        while len(ended) < partitions and time.monotonic() < deadline:
            for message in consumer.consume(5_000, 0.2):
                if message.error() is None:
                    found.append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    raise AssertionError(message.error())
    finally:
        consumer.close()
    assert len(ended) == partitions, f"{topic}: only partitions {sorted(ended)} were read to their end"
    return found
