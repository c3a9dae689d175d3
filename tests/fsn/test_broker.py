"""The embedded broker keeps what the engine rests on: transactions, its data over a clean stop, and no orphans."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import aiokafka
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from fsn.broker import BrokerError, EmbeddedBroker

pytestmark = pytest.mark.broker


def make_topic(bootstrap, **config):
    topic = f"broker-test-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1, config=config)])[topic].result()
    return topic


def transactional(bootstrap, transactional_id=None):
    settings = {"transactional.id": transactional_id or str(uuid.uuid4()), "linger.ms": 0, "log_level": 0}
    producer = Producer({"bootstrap.servers": bootstrap, **settings})
    producer.init_transactions(10)
    return producer


def read(bootstrap, topic, **settings):
    """Every value up to the end that `isolation.level` shows, by librdkafka."""
    defaults = {"group.id": "reader", "isolation.level": "read_committed", "enable.partition.eof": True}
    consumer = Consumer({"bootstrap.servers": bootstrap, "auto.offset.reset": "earliest", **defaults, **settings})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values, deadline = [], time.monotonic() + 10
    while time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            assert message.error().code() == KafkaError._PARTITION_EOF
            break
        values.append(message.value())
    consumer.close()
    return values


def read_by_aiokafka(bootstrap, topic):
    """The same by aiokafka, which is what Faust consumes with."""

    async def everything():
        consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
        await consumer.start()
        partition = aiokafka.TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        values = []
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(partition, timeout_ms=200)
            values += [record.value for record in batches.get(partition, ())]
        await consumer.stop()
        return values

    return asyncio.run(asyncio.wait_for(everything(), 10))


def test_an_aborted_transaction_leaves_no_trace_for_committed_readers(broker):
    topic, producer = make_topic(broker), transactional(broker)
    for value, end in (("kept", "commit"), ("dropped", "abort"), ("kept too", "commit")):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(10)
        (producer.commit_transaction if end == "commit" else producer.abort_transaction)(10)
    assert read(broker, topic) == [b"kept", b"kept too"]
    assert read_by_aiokafka(broker, topic) == [b"kept", b"kept too"]
    assert read(broker, topic, **{"isolation.level": "read_uncommitted"}) == [b"kept", b"dropped", b"kept too"]


def test_an_open_transaction_hides_what_follows_it(broker):
    topic, producer = make_topic(broker), transactional(broker)
    producer.begin_transaction()
    producer.produce(topic, "open")
    producer.flush(10)
    plain = Producer({"bootstrap.servers": broker})
    plain.produce(topic, "behind")
    plain.flush(10)
    assert read(broker, topic) == []
    producer.commit_transaction(10)
    assert read(broker, topic) == [b"open", b"behind"]


def test_a_refused_record_aborts_its_transaction(broker):
    topic, small, producer = (
        make_topic(broker),
        make_topic(broker, **{"max.message.bytes": "500"}),
        transactional(broker),
    )
    producer.begin_transaction()
    producer.produce(topic, "neighbour")
    producer.produce(small, b"x" * 5000)
    with pytest.raises(KafkaException) as refused:
        producer.commit_transaction(10)
    assert refused.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
    producer.abort_transaction(10)
    assert read(broker, topic) == []


def test_a_successor_fences_its_predecessor_and_ends_its_transaction(broker):
    topic = make_topic(broker)
    zombie = transactional(broker, "shared-id")
    zombie.begin_transaction()
    zombie.produce(topic, "zombie")
    zombie.flush(10)
    transactional(broker, "shared-id")
    with pytest.raises(KafkaException) as fenced:
        zombie.commit_transaction(10)
    assert fenced.value.args[0].code() == KafkaError._FENCED
    assert read(broker, topic) == []


def test_a_topic_may_admit_ten_megabytes(broker):
    topic = make_topic(broker, **{"max.message.bytes": str(11 << 20)})
    producer = Producer({"bootstrap.servers": broker, "message.max.bytes": 11 << 20})
    producer.produce(topic, b"x" * (10 << 20))
    producer.flush(20)
    assert [len(value) for value in read(broker, topic)] == [10 << 20]


def test_data_survives_a_clean_stop_on_the_same_address(tmp_path):
    with EmbeddedBroker(tmp_path) as embedded:
        address = embedded.bootstrap
        topic = make_topic(address)
        producer = transactional(address)
        producer.begin_transaction()
        producer.produce(topic, "kept")
        producer.commit_transaction(10)
        embedded.stop()
        assert embedded.start() == address
        assert read(address, topic) == [b"kept"]


def test_a_folder_in_use_is_refused_with_the_reason(tmp_path):
    with EmbeddedBroker(tmp_path), pytest.raises(BrokerError, match="already running"):
        EmbeddedBroker(tmp_path).start()


def test_a_port_in_use_is_refused_with_the_reason(broker, tmp_path):
    with pytest.raises(BrokerError, match="already in use"):
        EmbeddedBroker(tmp_path, port=int(broker.rpartition(":")[2])).start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_killed_parent_leaves_no_broker_behind(tmp_path):
    program = f"import time; from pathlib import Path; from fsn.broker import EmbeddedBroker; b = EmbeddedBroker(Path({str(tmp_path)!r}))"
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{program}; b.start(); print(b.pid, flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
    )
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def test_kill_ends_it_at_once_and_twice_is_harmless(tmp_path):
    embedded = EmbeddedBroker(tmp_path)
    embedded.start()
    pid = embedded.pid
    embedded.kill()
    embedded.kill()
    embedded.stop()
    assert embedded.pid is None
    assert not alive(pid)


def test_an_address_exists_only_after_the_first_start(tmp_path):
    with pytest.raises(BrokerError, match="no address"):
        _ = EmbeddedBroker(tmp_path).bootstrap


def test_the_broker_command_says_where_it_listens_and_stops_cleanly(tmp_path):
    command = [sys.executable, "-c", "from fsn.cli import main; main()", "broker", "--data-dir", str(tmp_path)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    name, _, address = running.stdout.readline().strip().partition("=")
    assert name == "FSN_BROKERS"
    assert AdminClient({"bootstrap.servers": address}).list_topics(timeout=5).brokers
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=20)
    assert running.returncode == 0
    assert (tmp_path / "kafka.json").is_file()  # written on a clean stop


def alive(pid):
    """Whether the process runs; one that has ended and waits for its parent to notice does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform != "linux":
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
