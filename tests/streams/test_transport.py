"""What streams/ knows of the insides of faust-streaming 0.15.3 and aiokafka 0.14.0 is still so.

The first half compares names and signatures: one that moved is named, with the module that leans on it. The second
half shows that what was overridden does what it is for: nothing commits or seeks behind the tasks' backs, and nothing
is read that a transaction has not committed.
"""

import ast
import asyncio
import contextlib
import inspect
import re
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import aiokafka
import faust
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState, TopicPartitionState
from aiokafka.protocol import fetch as fetch_protocol
from aiokafka.record import MemoryRecords
from aiokafka.record.control_record import ABORT_MARKER, COMMIT_MARKER, ControlRecord
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from faust.tables import TableManager
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver

import streams.broadcast
import streams.changelog
from streams.aborted import HonestClient
from streams.assignor import TaskAssignor
from streams.fetcher import PatientConsumer, PatientFetcher, RawRecords
from streams.inbox import TopicPartition
from streams.transport import (
    FETCH_MAX_WAIT_MS,
    BatchConsumer,
    BatchTransport,
    NoTables,
    TaskConsumer,
    TaskCoordinator,
    _ConsumerThread,
)

ROOT = Path(__file__).parents[2]
PINNED = {"aiokafka": "0.14.0", "faust-streaming": "0.15.3"}
PLACE = TopicPartition("orders", 0)
NOBODY = "127.0.0.1:1"

SIGNATURES = [
    # whose, name, parameters, leaned on by
    (Fetcher, "_proc_fetch_request", "self assignment node_id request", "fetcher"),
    (Fetcher, "_fetch_requests_routine", "self", "fetcher"),
    (Fetcher, "fetched_records", "self partitions timeout max_records", "fetcher"),
    (Fetcher, "close", "self", "fetcher"),
    (FetchResult, "getall", "self max_records", "fetcher"),
    (PartitionRecords, "_consumer_record", "self tp record", "fetcher"),
    (PartitionRecords, "_unpack_records", "self", "fetcher"),
    (PartitionRecords, "__iter__", "self", "fetcher"),
    (Assignment, "state_value", "self tp", "fetcher"),
    (aiokafka.AIOKafkaConsumer, "start", "self", "fetcher, transport"),
    (
        GroupCoordinator,
        "_on_join_complete",
        "self generation member_id protocol member_assignment_bytes",
        "transport",
    ),
    (GroupCoordinator, "_lookup_assignor", "self name", "transport"),
    (GroupCoordinator, "request_rejoin", "self", "transport"),
    (aiokafka.AIOKafkaConsumer, "getmany", "self partitions timeout_ms max_records", "changelog, broadcast"),
    (AIOKafkaClient, "send", "self node_id request group", "aborted"),
    (MemoryRecords, "has_next", "self", "aborted"),
    (MemoryRecords, "next_batch", "self", "aborted"),
    (ControlRecord, "parse", "data", "aborted"),
    (driver, "credentials_to_aiokafka_auth", "credentials ssl_context", "transport"),
    (driver, "server_list", "urls default_port", "transport"),
    (driver.AIOKafkaConsumerThread, "_create_worker_consumer", "self transport", "transport"),
    (
        driver.AIOKafkaConsumerThread,
        "_fetch_records",
        "self consumer active_partitions timeout max_records",
        "transport",
    ),
    (driver.AIOKafkaConsumerThread, "getmany", "self active_partitions timeout", "transport"),
    (driver.Consumer, "_new_consumer_thread", "self", "transport"),
    (driver.Consumer, "_drain_messages", "self fetcher", "transport"),
    (driver.Consumer, "perform_seek", "self", "transport"),
    (driver.Consumer, "verify_all_partitions_active", "self", "transport"),
    (driver.Consumer, "commit", "self topics start_new_transaction", "transport"),
    (driver.Consumer, "stop_flow", "self", "transport"),
    (driver.Consumer, "resume_flow", "self", "transport"),
    (driver.Consumer, "wait", "self coros timeout", "transport"),
    (driver.Consumer, "sleep", "self n", "transport"),
    (driver.Transport, "create_consumer", "self callback kwargs", "transport"),
    (TableManager, "on_start", "self", "transport"),
    (TableManager, "_update_channels", "self", "transport"),
]

MEMBERS = [
    # whose, names on the class, leaned on by
    (driver.Consumer, "flow_active consumer_stopped_errors", "transport"),
    (driver.Transport, "Consumer default_port", "transport"),
    (TableManager, "recovery", "transport"),
    (TopicPartitionState, "has_valid_position position", "fetcher"),
    (Assignment, "active", "fetcher"),
    (DefaultRecordBatch, "is_control_batch producer_id next_offset", "aborted"),
    (fetch_protocol.FetchRequest, "topics", "fetcher, aborted"),
]

INSTANCES = [
    # whose, names that its constructor sets, leaned on by
    ("Fetcher", "_loop _records _fetch_max_wait_ms _prefetch_backoff _isolation_level", "fetcher"),
    ("FetchResult", "_partition_records", "fetcher"),
    ("PartitionRecords", "_tp _records _records_iterator", "fetcher"),
    ("TopicPartitionState", "lso", "fetcher"),
    ("AIOKafkaConsumer", "_fetcher _client _subscription _fetch_min_bytes _fetch_max_bytes", "fetcher"),
    ("AIOKafkaConsumer", "_fetch_max_wait_ms _max_partition_fetch_bytes _check_crcs _consumer_timeout", "fetcher"),
    ("AIOKafkaConsumer", "_retry_backoff_ms _auto_offset_reset _isolation_level", "fetcher"),
    ("AIOKafkaConsumer", "_coordinator", "transport"),
    ("FetchRequest", "_max_wait_ms _min_bytes _max_bytes _isolation_level _topics", "fetch_wire"),
    ("driver.Consumer", "_thread _stopped app can_resume_flow", "transport"),
    ("driver.AIOKafkaConsumerThread", "_consumer _stopped app consumer", "transport"),
    ("driver.Fetcher", "_stopped", "transport"),
]

OVERRIDDEN = [
    (RawRecords, PartitionRecords),
    (PatientFetcher, Fetcher),
    (PatientConsumer, aiokafka.AIOKafkaConsumer),
    (TaskConsumer, aiokafka.AIOKafkaConsumer),
    (TaskCoordinator, GroupCoordinator),
    (_ConsumerThread, driver.AIOKafkaConsumerThread),
    (BatchConsumer, driver.Consumer),
    (BatchTransport, driver.Transport),
    (NoTables, TableManager),
]


class Nobody:
    """A client without a broker: one leader for everything, answers from a list, and silence after them."""

    _metadata_max_age_ms = 300_000

    def __init__(self, *answers):
        self._loop = asyncio.get_running_loop()
        self._answers = list(answers)
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 0)

    async def send(self, node_id, request, **_):
        if not self._answers:
            await asyncio.sleep(3_600)
        return SimpleNamespace(API_VERSION=11, topics=[(PLACE.topic, [self._answers.pop(0)])])


@contextlib.asynccontextmanager
async def batch_consumer(receiver=None):
    """Faust's consumer as the worker has it, before it is started."""
    app = faust.App(
        "transport", broker=f"kafka://{NOBODY}", store="memory://", web_enabled=False, PartitionAssignor=TaskAssignor
    )
    app.transport = BatchTransport(app.conf.broker, app, receiver)
    thread_loop = app.consumer._thread.thread_loop
    try:
        yield app.consumer
    finally:
        thread_loop.close()  # the thread, which never ran, would have


@contextlib.asynccontextmanager
async def patient_fetcher(*answers):
    """A fetcher that has been assigned one partition, from its beginning."""
    subscription = SubscriptionState()
    subscription.assign_from_user([aiokafka.TopicPartition(*PLACE)])
    subscription.seek(PLACE, 0)
    fetcher = PatientFetcher(HonestClient(Nobody(*answers)), subscription, isolation_level="read_committed")
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def instances():
    """One of each, made without a broker."""
    fetcher = Fetcher(Nobody(), SubscriptionState())
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=NOBODY)
    records = PartitionRecords(PLACE, MemoryRecords(b""), [], 0, None, None, False, READ_COMMITTED)
    assignment = Assignment([PLACE])
    async with batch_consumer() as batches:
        made = {
            "Fetcher": fetcher,
            "FetchResult": FetchResult(PLACE, assignment=assignment, partition_records=records, backoff=0),
            "PartitionRecords": records,
            "TopicPartitionState": assignment.state_value(PLACE),
            "AIOKafkaConsumer": consumer,
            "FetchRequest": fetch_protocol.FetchRequest(50, 1, 1, READ_COMMITTED, []),
            "driver.Consumer": batches,
            "driver.AIOKafkaConsumerThread": batches._thread,
            "driver.Fetcher": faust_consumer.Fetcher(batches.app),
        }
        names = {owner: {*vars(instance), *dir(instance)} for owner, instance in made.items()}
    await fetcher.close()
    await consumer.stop()
    return names


def batch(*values):
    """One record batch from offset 0."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for offset, value in enumerate(values):
        builder.append(offset, timestamp=1_000 + offset, key=b"key", value=value, headers=[("name", b"header")])
    return bytes(builder.build())


def answer(records, *, stable_end):
    """One partition's answer in the layout of version 11."""
    return (PLACE.partition, 0, stable_end, stable_end, 0, [], -1, records)


def moved(owner, name, module, problem):
    title = getattr(owner, "__qualname__", getattr(owner, "__name__", owner))
    return f"{title}.{name} {problem}: streams/{module}.py leans on it, see what became of it before the pin moves"


# names and signatures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", PINNED)
def test_the_versions_whose_insides_are_known_are_installed_and_locked(package):
    assert version(package) == PINNED[package], f"{package} moved: this module says what to look at"
    assert re.search(rf"^{package}=={PINNED[package]} ", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("owner", "name", "parameters", "module"), SIGNATURES)
def test_a_function_takes_what_it_took(owner, name, parameters, module):
    function = getattr(owner, name, None)
    assert callable(function), moved(owner, name, module, "is gone")
    found = " ".join(inspect.signature(function).parameters)
    if found.startswith("self partitions timeout_ms"):
        found = found.replace("*", "")
    assert found == parameters, moved(owner, name, module, f"takes ({found}), not ({parameters})")


@pytest.mark.parametrize(("owner", "names", "module"), MEMBERS)
def test_a_class_has_what_it_had(owner, names, module):
    gone = [name for name in names.split() if not hasattr(owner, name)]
    assert gone == [], moved(owner, " ".join(gone), module, "is gone")


def test_an_instance_has_what_it_had():
    found = asyncio.run(instances())
    gone = [
        moved(owner, name, module, "is gone")
        for owner, names, module in INSTANCES
        for name in names.split()
        if name not in found[owner]
    ]
    assert gone == []


@pytest.mark.parametrize(("ours", "theirs"), OVERRIDDEN)
def test_an_override_is_called_as_what_it_overrides(ours, theirs):
    """Every function of ours that theirs has too takes the same parameters, and stands in the table above."""
    known = {(owner, name) for owner, name, _, _ in SIGNATURES}
    for name, function in vars(ours).items():
        if not inspect.isfunction(function) or not hasattr(theirs, name) or name == "__init__":
            continue
        takes, took = (tuple(inspect.signature(each).parameters) for each in (function, getattr(theirs, name)))
        assert takes == took, f"{ours.__name__}.{name} takes {takes}, {theirs.__name__}'s takes {took}"
        assert (theirs, name) in known, f"{ours.__name__} overrides {name}: add it to SIGNATURES"


def test_every_private_name_in_use_is_known_here():
    known = {name for _, name, _, _ in SIGNATURES}
    known |= {name for _, names, _ in (*MEMBERS, *INSTANCES) for name in names.split()}
    unknown = {
        f"streams/{path.name}:{node.lineno} {ast.unparse(node)}"
        for path in sorted((ROOT / "streams").glob("*.py"))
        for tree in [ast.parse(path.read_text("utf-8"))]
        if {"aiokafka", "faust"} & {root for node in ast.walk(tree) for root in imported(node)}
        for own in [{name for node in ast.walk(tree) for name in defined(node)}]
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr) and node.attr not in own | known
    }
    assert unknown == set(), "private names of faust or aiokafka: add them to SIGNATURES, MEMBERS or INSTANCES"


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [node.module.partition(".")[0]] if isinstance(node, ast.ImportFrom) and node.module else []


def defined(node):
    """Names that a module gives to things itself."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    return [node.attr] if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) else []


@pytest.mark.parametrize("number", range(4, 12))
def test_a_fetch_answer_keeps_its_fields_where_they_were(number):
    response = getattr(fetch_protocol, f"FetchResponse_v{number}").SCHEMA
    topics = response.fields[response.names.index("topics")].array_of
    names = topics.fields[topics.names.index("partitions")].array_of.names
    assert names[:4] == ("partition", "error_code", "highwater_offset", "last_stable_offset")
    assert names[-3 if number >= 11 else -2] == "aborted_transactions", "streams/aborted.py mends that field"
    assert names[-1] == "message_set"


def test_no_answer_has_a_layout_that_nobody_looked_at():
    known = {name for name in vars(fetch_protocol) if re.fullmatch(r"FetchResponse_v\d+", name)}
    assert known == {f"FetchResponse_v{number}" for number in range(12)}


def test_markers_are_what_they_were():
    assert [ControlRecord.parse(bytes([0, 0, 0, kind])) for kind in (0, 1)] == [ABORT_MARKER, COMMIT_MARKER]


# what the overrides are for ---------------------------------------------------------------------------------------


def test_faust_neither_commits_nor_seeks_nor_looks_for_acknowledgements(monkeypatch):
    async def refuse(*_, **__):
        raise AssertionError("only the tasks' transactions commit, only the assignment sequence seeks")

    for name in ("force_commit", "maybe_wait_for_commit_to_finish", "seek_to_committed", "seek", "_seek", "_commit"):
        assert hasattr(driver.Consumer, name), name
        monkeypatch.setattr(driver.Consumer, name, refuse)
    monkeypatch.setattr(driver.Consumer, "assignment", lambda _: {PLACE})
    monkeypatch.setattr(driver.Consumer, "verify_event_path", refuse)

    async def call():
        async with batch_consumer() as consumer:
            assert await consumer.commit() is False
            assert await consumer.commit({"orders"}, start_new_transaction=False) is False
            await consumer.commit_and_end_transactions()
            assert await consumer.perform_seek() is None
            assert await consumer.verify_all_partitions_active() is None

    asyncio.run(call())


def test_a_worker_subscribes_at_once_not_after_waiting_for_tables():
    app = faust.App("none", store="memory://", TableManager=NoTables)
    app.consumer = SimpleNamespace(assignment=set, pause_partitions=lambda _: None)

    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    async def start():
        app.tables.sleep = sleep  # Faust's own sleeps here for 1 s
        await app.tables.start()
        await app.tables.wait_until_tables_registered()
        started = app.tables.recovery.started
        await app.tables.recovery.stop()
        return started

    assert asyncio.run(start())
    assert slept == []


def test_the_workers_consumer_reads_committed_by_itself_commits_nothing_and_stays_in_its_group():
    async def make():
        async with batch_consumer() as consumer:
            assert isinstance(consumer, BatchConsumer)
            assert isinstance(consumer._thread, _ConsumerThread)
            made = consumer._thread._create_worker_consumer(consumer.transport)
            found = (
                type(made),
                made._isolation_level,
                made._enable_auto_commit,
                made._auto_offset_reset,
                made._fetch_max_wait_ms,
                made._max_poll_interval_ms,
                made._partition_assignment_strategy,
            )
            await made.stop()
            return found, consumer.app.assignor

    found, assignor = asyncio.run(make())
    assert found == (TaskConsumer, "read_committed", False, "earliest", FETCH_MAX_WAIT_MS, 2**31 - 1, [assignor])


class MadeError(Exception):
    """Carries what a consumer was made with."""


def read_network(client):
    asyncio.run(streams.broadcast.NetworkReader(client, SimpleNamespace(decode=None), None).run())


def read_changelog(client):
    streams.changelog.restore(client, None, None, topic="changelog", partition=0)


@pytest.mark.parametrize(("module", "read"), [(streams.broadcast, read_network), (streams.changelog, read_changelog)])
def test_reference_data_and_changelog_are_read_committed(module, read, monkeypatch):
    def make(**settings):
        raise MadeError(settings)

    monkeypatch.setattr(module, "PatientConsumer", make)
    with pytest.raises(MadeError) as made:
        read({"bootstrap.servers": NOBODY})
    (settings,) = made.value.args
    assert settings["isolation_level"] == "read_committed"
    assert settings["enable_auto_commit"] is False
    assert "group_id" not in settings


def test_a_started_consumer_has_the_patient_fetcher_and_has_closed_the_other(monkeypatch):
    async def start(self):
        self._fetcher = Fetcher(self._client, self._subscription)

    monkeypatch.setattr(aiokafka.AIOKafkaConsumer, "start", start)
    closed = []
    close = Fetcher.close
    monkeypatch.setattr(Fetcher, "close", lambda self: closed.append(type(self)) or close(self))

    async def run():
        consumer = PatientConsumer(bootstrap_servers=NOBODY, isolation_level="read_committed", fetch_max_wait_ms=50)
        await consumer.start()
        fetcher = consumer._fetcher
        assert (type(fetcher), fetcher._isolation_level) == (PatientFetcher, READ_COMMITTED)
        assert fetcher._fetch_max_wait_ms == 50
        assert closed == [Fetcher]
        await consumer.stop()

    asyncio.run(run())


def test_fetched_records_come_out_raw_in_parts_and_the_end_is_noted():
    async def run():
        answers = answer(batch(b"a", b"b", b"c"), stable_end=3), answer(b"", stable_end=3)
        async with patient_fetcher(*answers) as fetcher:
            first = (await fetcher.fetched_records([PLACE], timeout=5, max_records=2))[PLACE]
            assert PLACE not in fetcher.ended
            rest = (await fetcher.fetched_records([PLACE], timeout=5))[PLACE]
            for _ in range(100):
                if PLACE in fetcher.ended:
                    break
                await asyncio.sleep(0.01)
            return [*first, *rest], len(first), fetcher.ended, fetcher.stable_ends

    records, first, ended, stable_ends = asyncio.run(run())
    assert first == 2
    assert [(record.topic, record.partition, record.offset, record.timestamp) for record in records] == [
        ("orders", 0, offset, 1_000 + offset) for offset in range(3)
    ]
    assert [(record.key, record.value) for record in records] == [(b"key", value) for value in (b"a", b"b", b"c")]
    assert [list(record.headers) for record in records] == [[("name", b"header")]] * 3
    assert {type(record) for record in records} != {aiokafka_fetcher.ConsumerRecord}, "those cost twice as much"
    assert (ended, stable_ends) == ({PLACE: 2}, {PLACE: 3})


class Receiver:
    def __init__(self, *, ready):
        self.ready = ready
        self.received = []

    def ready_partitions(self):
        return self.ready

    def receive(self, records, ended, round_number):
        self.received.append((records, ended, round_number))


class Thread:
    """Hands over one fetch, and then that the consumer was stopped."""

    def __init__(self):
        self.asked = []

    async def getmany(self, ready, _):
        self.asked.append(ready)
        if len(self.asked) > 1:
            raise driver.ConsumerStoppedError
        return {PLACE: ["record"]}, {PLACE: 7}, 8


@contextlib.asynccontextmanager
async def draining(ready):
    receiver = Receiver(ready=ready)
    async with batch_consumer(receiver) as consumer:
        consumer._thread = thread = Thread()
        fetcher = faust_consumer.Fetcher(consumer.app)
        yield consumer, fetcher, receiver, thread


def test_what_was_fetched_goes_to_the_receiver_at_once():
    async def run():
        async with draining({PLACE}) as (consumer, fetcher, receiver, thread):
            with pytest.raises(driver.ConsumerStoppedError):
                await asyncio.wait_for(consumer._drain_messages(fetcher), 5)
            return receiver.received, thread.asked

    assert asyncio.run(run()) == ([({PLACE: ["record"]}, {PLACE: 7}, 8)], [{PLACE}, {PLACE}])


def test_nothing_is_fetched_while_nobody_wants_records():
    async def run():
        async with draining(set()) as (consumer, fetcher, _, thread):
            drained = asyncio.create_task(consumer._drain_messages(fetcher))
            await asyncio.sleep(0.1)
            assert thread.asked == []
            fetcher._stopped.set()
            await asyncio.wait_for(drained, 5)

    asyncio.run(run())


def test_nothing_is_fetched_while_the_flow_is_stopped_and_it_goes_on_after():
    async def run():
        async with draining({PLACE}) as (consumer, fetcher, _, thread):
            consumer.stop_flow()
            drained = asyncio.create_task(consumer._drain_messages(fetcher))
            await asyncio.sleep(0.1)
            assert thread.asked == [], "a fetch while the group rebalances never ends"
            consumer.resume_flow()
            with pytest.raises(driver.ConsumerStoppedError):
                await asyncio.wait_for(drained, 5)
            assert thread.asked != []

    asyncio.run(run())
