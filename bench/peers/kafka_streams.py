"""Kafka Streams on the JVM as a contender: built once by Maven from bench/peers/kafka-streams, then run as a process.

In: the broker and an empty folder. Out: a process that takes deltas until it is stopped; how far it came is read from
its group's committed offsets, as with FSN's worker. Nothing is built again while its sources and our schemas stay the
same; a build that fails says what Maven said.
"""

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from bench.harness import ROOT, BenchError
from fsn.children import Child
from ops.kafka.cluster import LOGGING
from ops.kafka.jars import MAVEN_TIMEOUT_S, KafkaError, java
from schemas.codec import Codec
from schemas.records.stock import StockDelta, StockSnapshot

PROJECT: Final = Path(__file__).with_name("kafka-streams")
SCHEMAS: Final = ROOT / "schemas" / "avro"
BUILDS: Final = ROOT / ".fsn" / "bench"
GROUP: Final = "kafka-streams"
HEAP_MB: Final = 1024
COMPILERS: Final = "CompilerThre"
"""What the names of the JVM's compiler threads hold, as Linux cuts them."""


class KafkaStreams(Child):
    """One instance with one stream thread."""

    name = "Kafka Streams"

    def __init__(self, bootstrap: str, folder: Path) -> None:
        super().__init__(folder / "kafka-streams.log")
        registry = Codec().registry
        ids = [str(registry.latest(record).id) for record in (StockDelta, StockSnapshot)]
        self._command = [*_java(), "fsn.bench.StockDeltas", bootstrap, str(folder / "state"), *ids]

    def start(self) -> None:
        """Start it; its group's offsets say when it works."""
        self._spawn(self._command)

    def check(self) -> None:
        """Raise if it has ended by itself."""
        if not self.is_alive:
            raise BenchError(f"Kafka Streams ended by itself; it said: {self.said()}")


def _java() -> list[str]:
    built = build()
    return [
        java(),
        f"-Xms{HEAP_MB // 4}m",
        f"-Xmx{HEAP_MB}m",
        "-XX:-UseDynamicNumberOfCompilerThreads",  # an ended thread's time could not be told from the others'
        f"-Dlog4j2.configurationFile={LOGGING.resolve()}",
        "-cp",
        f"{built / 'classes'}:{built / 'jars'}/*",
    ]


@cache
def build() -> Path:
    """The folder with classes and jars, made by Maven if it is not there."""
    sources = [*sorted(path for path in PROJECT.rglob("*") if path.is_file()), *sorted(SCHEMAS.glob("stock_*.avsc"))]
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    built = BUILDS / f"kafka-streams-{state}"
    if built.is_dir():
        return built
    maven = shutil.which("mvn")
    if maven is None:
        raise BenchError("no mvn found: Kafka Streams needs Maven to be built (Debian: apt install maven)")
    try:
        java()
    except KafkaError as error:
        raise BenchError(str(error)) from error
    arriving = built.with_name(built.name + ".part")
    shutil.rmtree(arriving, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(PROJECT / "pom.xml"), f"-Dbuilt={arriving}", "prepare-package"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise BenchError(f"Maven could not build {PROJECT}: {(done.stdout + done.stderr)[-1_500:]}")
    return arriving.rename(built)
