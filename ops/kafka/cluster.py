"""A KRaft cluster of one or three brokers, on loopback unless told otherwise, each of them broker and controller.

In: an empty folder, or one of an earlier run, how many brokers, and perhaps where each of them runs. Out: a bootstrap address, brokers that can be
killed, frozen and started again one by one on their addresses, and a log file each. Three brokers replicate to all
three and take a write when two have it. Heaps are small: the machine has two cores.
"""

import base64
import contextlib
import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from fsn.children import HOST, Child
from ops.kafka.gate import Gate
from ops.kafka.jars import KafkaError, class_path, java

LOGGING: Final = Path(__file__).with_name("log4j2.properties")
READY_TIMEOUT_S: Final = 120.0
HEAP_MB: Final = {1: 1024, 3: 512}
FIRST_PORT: Final = 20_000
LAST_PORT: Final = 32_000
"""Below the ports that systems give to outgoing connections: one of those could take a killed broker's."""
_POLL_S: Final = 0.1

# What Kafka's own start script gives the JVM.
_JVM: Final = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
)

_BRIEF: Final = "-XX:TieredStopAtLevel=1"
"""The second compiler takes half a core in a broker's first minute under load, and pays for itself later."""


class Place(NamedTuple):
    """Where a broker runs: its address, the command that brings a program there, and the gate through which it speaks."""

    host: str = HOST
    entry: tuple[str, ...] = ()
    gate: Gate | None = None


class Broker(Child):
    """One broker process; killed, it starts again on its address with its data."""

    stop_timeout_s = 10.0

    def __init__(self, cluster: "Cluster", node_id: int, ports: tuple[int, int], place: Place) -> None:
        folder = cluster.folder / f"broker-{node_id}"
        super().__init__(folder / "broker.log")
        self.name = f"Kafka broker {node_id}"
        self.node_id = node_id
        self.folder = folder
        self.port, self.controller_port = ports
        self.host, self._entry, self.gate = place
        self._cluster = cluster

    @property
    def address(self) -> str:
        """`host:port` at which this broker is reached."""
        return _through(self.gate, self.host, self.port)

    def controller_as_seen_by(self, other: "Broker") -> str:
        """`host:port` at which another broker reaches its controller, through either's gate."""
        gate = None if other is self else self.gate or other.gate
        return _through(gate, self.host, self.controller_port)

    def start(self) -> None:
        """Start it; `Cluster.wait_until_ready` says when it serves."""
        settings = self.folder / "server.properties"
        self.folder.mkdir(parents=True, exist_ok=True)
        settings.write_text("".join(f"{name}={value}\n" for name, value in self._cluster.broker_settings(self).items()))
        if not (self.folder / "data" / "meta.properties").exists():
            # One id in 64 begins with a dash, which the tool takes for an option of its own when it stands alone.
            options = [f"--cluster-id={self._cluster.cluster_id}", "-c", str(settings), *self._cluster.format_options()]
            self._run_tool("kafka.tools.StorageTool", "format", *options)
        self._spawn([*self._entry, *self._java(HEAP_MB[len(self._cluster.brokers)]), "kafka.Kafka", str(settings)])

    def _java(self, heap_mb: int) -> list[str]:
        return [
            self._cluster.java,
            f"-Xms{heap_mb // 2}m",
            f"-Xmx{heap_mb}m",
            *_JVM,
            *([_BRIEF] if self._cluster.brief else []),
            f"-Dlog4j2.configurationFile={LOGGING.resolve()}",
            "-cp",
            self._cluster.class_path,
        ]

    def _run_tool(self, *command: str) -> None:
        done = subprocess.run([*self._java(128), *command], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise KafkaError(f"{' '.join(command[:2])}: {(done.stdout + done.stderr)[-800:]}")

    def settings(self) -> dict[str, object]:
        """What `server.properties` says of it."""
        brokers = self._cluster.brokers
        replicas, in_sync = len(brokers), 2 if len(brokers) > 2 else 1
        return {
            "process.roles": "broker,controller",
            "node.id": self.node_id,
            "controller.quorum.voters": ",".join(f"{one.node_id}@{one.controller_as_seen_by(self)}" for one in brokers),
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.host}:{self.port},CONTROLLER://{self.host}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": (self.folder / "data").resolve(),
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 8,
            "auto.create.topics.enable": "false",
            # A group of tests must not wait 3 s for members that never come, nor a member 6 s to be let go of.
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1_000,
            "num.network.threads": 2,
            "num.io.threads": 4,
            **self._cluster.settings,
        }


class Cluster:
    """Brokers that belong together; a context manager."""

    def __init__(
        self,
        folder: Path,
        *,
        brokers: int = 1,
        ports: Sequence[int] = (),
        places: Sequence[Place] = (),
        settings: Mapping[str, object] | None = None,
        brief: bool = False,
    ) -> None:
        """A cluster; `brief` for one that lives for minutes, in tests."""
        if brokers not in HEAP_MB:
            raise KafkaError(f"{brokers} brokers: one, or three with replication")
        self.folder = folder
        self.settings = dict(settings or {})
        self.brief = brief
        self.java = java()
        self.class_path = class_path()
        self.cluster_id = _cluster_id(folder)
        own, controllers = _ports(folder, brokers, ports)
        everywhere = places or [Place()] * brokers
        self.brokers: list[Broker] = []
        self.brokers += [
            Broker(self, number + 1, (port, controller), place)
            for number, (port, controller, place) in enumerate(zip(own, controllers, everywhere, strict=True))
        ]

    @property
    def bootstrap(self) -> str:
        """Every broker's address."""
        return ",".join(broker.address for broker in self.brokers)

    def client_settings(self) -> dict[str, str]:
        """What a client must say besides the address; none where anybody may do anything."""
        return {}

    def broker_settings(self, broker: Broker) -> dict[str, object]:
        """What `server.properties` says."""
        return broker.settings()

    def format_options(self) -> list[str]:
        """What the storage tool is told besides."""
        return []

    def start(self) -> str:
        """Start all brokers, wait until they serve, and return their addresses."""
        for broker in self.brokers:
            broker.start()
        self.wait_until_ready()
        return self.bootstrap

    def wait_until_ready(self) -> None:
        """Return once every broker is a member of the cluster."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0, **self.client_settings()})
        while time.monotonic() < deadline:
            for broker in self.brokers:
                if not broker.is_alive:
                    raise KafkaError(f"{broker.name} ended while it started; {broker.log_path} ends: {broker.said()}")
            with contextlib.suppress(KafkaException):
                if len(admin.list_topics(timeout=2).brokers) == len(self.brokers):
                    return
            time.sleep(_POLL_S)
        raise KafkaError(f"the cluster did not come up in {READY_TIMEOUT_S:.0f} s; see {self.folder}")

    def stop(self) -> None:
        """Stop them all, cleanly where there is still a quorum to be told: the last ones are killed after a while."""
        for broker in self.brokers:
            broker.end()
        for broker in self.brokers:
            broker.stop()

    def kill(self) -> None:
        """End them at once; for when nobody needs the data again."""
        for broker in self.brokers:
            broker.kill()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()


def _cluster_id(folder: Path) -> str:
    """The id that the folder's brokers share; a new folder gets a new one."""
    path = folder / "cluster-id"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        path.write_text("A" + made[1:])  # one that begins with a dash would be taken for an option
    return path.read_text().strip()


def _ports(folder: Path, brokers: int, wanted: Sequence[int]) -> tuple[list[int], list[int]]:
    """Ports of the brokers and of their controllers; a folder keeps those it was made with."""
    path = folder / "ports.json"
    if path.exists():
        own, controllers = json.loads(path.read_text())
        if len(own) != brokers or (wanted and list(wanted) != own):
            raise KafkaError(f"{folder} holds a cluster of {len(own)} brokers on ports {own}: name another folder")
        return own, controllers
    free = _free_ports()
    own = list(wanted) or [next(free) for _ in range(brokers)]
    found = own, [next(free) for _ in range(brokers)]
    path.write_text(json.dumps(found))
    return found


def _free_ports() -> Iterator[int]:
    """Ports nobody listens on; several runs at a time look in different places."""
    span = LAST_PORT - FIRST_PORT
    for step in range(span):
        port = FIRST_PORT + (os.getpid() * 37 + step) % span
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            yield port
    raise KafkaError(f"no port between {FIRST_PORT} and {LAST_PORT} is free")


def _through(gate: Gate | None, host: str, port: int) -> str:
    return f"{host}:{port}" if gate is None else f"{HOST}:{gate.port_for(host, port)}"
