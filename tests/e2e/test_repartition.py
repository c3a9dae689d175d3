"""A stopped run carried from 4 to 12 partitions by `fsn topology repartition`: nothing lost, nothing twice."""

import random
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from fsn import topology as topology_commands
from fsn.clusters import Writer
from fsn.processes import WorkerProcess
from fsn.repartitioning import Repartition
from schemas.records.engine import Tick
from schemas.records.stock import StockDelta
from streams.errors import RepartitionError
from streams.machine import Instant
from streams.partitioner import Partitioner
from tests.e2e.workers import CODEC, create_topics, producer, read_committed

FOUR = Path("tests/streams/tally.yaml")
START_AT = 1_700_000_000_000
VARIANTS = [f"acme|v{number}" for number in range(200)]

pytestmark = pytest.mark.broker


class Run:
    """One cluster with its worker, and what was sent there."""

    def __init__(self, broker, folder, topology, partitions):
        self.folder, self.topology, self.partitions = folder, topology, partitions
        folder.mkdir()
        self.broker = broker
        self.brokers = broker.bootstrap
        self.worker = WorkerProcess(
            topology=topology,
            log_path=folder / "worker.log",
            brokers=self.brokers,
            state_dir=folder / "state",
            log_format="text",
        )

    def send(self, numbers, expected, chance):
        """Deltas of random variants, some of them to a wrong partition, one of them garbage."""
        client = producer(self.brokers)
        for number in numbers:
            variant, units = chance.choice(VARIANTS), chance.randrange(1, 9)
            expected[variant] = tuple(map(sum, zip(expected.get(variant, (0, 0)), (1, units), strict=True)))
            record = StockDelta("f", variant, variant, None, "s", number, None, units, "receipt", None, number)
            right = Partitioner(self.partitions)(variant.encode())
            where = (right + 1) % self.partitions if number % 50 == 0 else right
            value, headers = CODEC.encode(record), [("ce_id", str(number).encode())]
            client.produce("stock-deltas", value, variant, where, timestamp=START_AT + number, headers=headers)
        client.produce("stock-deltas", b"garbage", "acme|v0", timestamp=START_AT + numbers[-1])
        client.flush()

    def tick(self, at):
        client = producer(self.brokers)
        for partition in range(self.partitions):
            client.produce("clock", CODEC.encode(Tick(at)), str(partition), partition, timestamp=at)
        client.flush()

    def sums(self):
        shown = [CODEC.decode(message.value()) for message in self.read("stock-snapshots")]
        return {snapshot.location_id: (snapshot.revision, snapshot.on_hand) for snapshot in shown}

    def read(self, topic):
        return read_committed(self.brokers, topic, self.partitions)

    def wait_until(self, done, seconds=60.0):
        deadline = time.monotonic() + seconds
        while not done():
            self.worker.check()
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.1)

    def end(self):
        self.worker.kill()
        self.broker.kill()


@pytest.fixture
def twelve(tmp_path):
    path = tmp_path / "twelve.yaml"
    path.write_text(FOUR.read_text("utf-8").replace("partitions: 4", "partitions: 12"), "utf-8")
    return path


@pytest.fixture
def old(tmp_path, start_broker):
    run = Run(start_broker(), tmp_path / "old", FOUR, 4)
    create_topics(run.brokers, FOUR)
    yield run
    run.end()


@pytest.fixture
def new(tmp_path, twelve, start_broker):
    run = Run(start_broker(), tmp_path / "new", twelve, 12)
    yield run
    run.end()


def repartition(old, new, *options, workers_stopped=True):
    arguments = ["repartition", "--file", str(FOUR), "--from-brokers", old.brokers, "--to-brokers", new.brokers]
    arguments += ["--partitions", "12", "--scratch", str(old.folder / "scratch"), *options]
    if workers_stopped:  # the embedded broker never evicts a member that was killed
        arguments.append("--workers-stopped")
    return CliRunner().invoke(topology_commands.app, arguments)


def origins(messages):
    return Counter(dict(message.headers() or ()).get("fsn-origin") for message in messages)


def played(old, expected, chance):
    """A run that was killed in the middle: most of it processed, the rest not."""
    old.worker.start()
    old.worker.wait_until_ready()
    old.send(range(5_000), expected, chance)
    old.tick(START_AT + 2_000)
    old.wait_until(lambda: old.sums() == expected)
    old.worker.kill()
    old.send(range(5_000, 7_000), expected, chance)


def test_from_four_to_twelve_and_on(old, new):
    chance, expected = random.Random(3), {}
    played(old, expected, chance)
    result = repartition(old, new)
    assert result.exit_code == 0, result.output
    assert "from 4 to 12 partitions" in result.output

    carried = [message for message in new.read("stock-deltas") if message.headers()]
    before = old.read("stock-deltas")
    assert origins(carried) == Counter(f"{message.partition()}@{message.offset()}".encode() for message in before)
    assert Counter((m.key(), m.value(), m.timestamp(), dict(m.headers()).get("ce_id")) for m in carried) == Counter(
        (m.key(), m.value(), m.timestamp(), dict(m.headers() or ()).get("ce_id")) for m in before
    )

    there = {(message.partition(), message.offset()) for message in before}
    assert there.isdisjoint((message.partition(), message.offset()) for message in carried)
    rows = {(message.partition(), message.key()): message.value() for message in new.read("changelog")}
    nows = [msgspec.msgpack.decode(rows[number, b"engine|now"], type=Instant).value for number in range(12)]
    assert set(nows) == {START_AT + 2_000}

    new.worker.start()
    new.worker.wait_until_ready()
    new.send(range(7_000, 9_000), expected, chance)
    new.wait_until(lambda: new.sums() == expected)
    for at in (START_AT + 10_000, START_AT + 100_000, START_AT + 200_000):
        new.tick(at)
    new.wait_until(lambda: len(new.read("operational-alerts")) >= len(expected))
    assert new.worker.stop() == 0

    alerts = Counter(CODEC.decode(message.value()).entity_id for message in new.read("operational-alerts"))
    assert alerts == Counter(expected.keys())
    letters = Counter(message.key() for message in new.read("dead-letters"))
    assert len(letters) == 3 and set(letters.values()) == {1}


def test_a_run_that_somebody_still_works_on_is_refused(old, new):
    old.worker.start()
    old.worker.wait_until_ready()
    result = repartition(old, new, workers_stopped=False)
    assert result.exit_code == 1
    assert "group tally on" in result.output and "has members (worker-1): stop the workers" in result.output


def test_an_attempt_that_broke_off_goes_on(old, new, twelve, monkeypatch):
    chance, expected = random.Random(5), {}
    played(old, expected, chance)

    written = []

    def breaking_off(writer, partition, raw):
        written.append(raw)
        if len(written) == 3_000:
            writer._producer.flush()
            raise RepartitionError("the network is gone")
        write(writer, partition, raw)

    def broken(*_):
        raise RepartitionError("the network is gone again")

    write = Writer.write
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write", breaking_off)
        assert "the network is gone" in repartition(old, new).output
    refused = repartition(old, new)
    assert refused.exit_code == 1
    assert "holds records of stock-deltas: name an empty cluster, or go on with --resume" in refused.output
    with monkeypatch.context() as patched:
        patched.setattr(Repartition, "_commit", broken)
        assert "gone again" in repartition(old, new, "--resume").output
    result = repartition(old, new, "--resume")
    assert result.exit_code == 0, result.output
    before = old.read("stock-deltas")
    carried = [message for message in new.read("stock-deltas") if message.headers()]
    assert origins(carried) == Counter(f"{message.partition()}@{message.offset()}".encode() for message in before)
    again = repartition(old, new, "--resume")
    assert again.exit_code == 1
    assert "holds rows already" in again.output
    new.worker.start()
    new.wait_until(lambda: new.sums() == expected)


def test_one_cluster_is_no_target_of_itself(old):
    result = repartition(old, old)
    assert result.exit_code == 1
    assert "source and target are one cluster" in result.output
