"""The checker's own way to the records: committed schemas, bare fastavro, `read_committed` to the last stable offset."""

import time
from types import SimpleNamespace

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from fsn.report.reader import KafkaSource, Log, MemorySource, ReadError, load_topology
from fsn.report.wire import Unreadable, Wire, murmur2, partition_of
from schemas.codec import Codec
from schemas.records.orders import OrderCancelled
from schemas.topology import load
from streams.partitioner import Partitioner
from streams.partitioner import murmur2 as theirs
from tests.report.day import TOPOLOGY_PATH, day

CODEC, WIRE = Codec(), Wire()


def plain(value):
    """A record as fastavro would have it."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def test_what_fsn_writes_is_read_field_by_field():
    """A day's records of every type: an error of the codec would show as a difference to fastavro."""
    seen = set()
    for log in day(1).driver.logs.values():
        for raw in log:
            if raw.value != b"garbage":
                record = CODEC.decode(raw.value)
                assert WIRE.decode(raw.value) == (type(record).__name__, plain(record))
                seen.add(type(record))
    assert len(seen) > 35


@pytest.mark.parametrize("junk", [None, b"", b"garbage", b"\0\0\0\0\0", b"\0\0\0\x7f\xff", b"\0\0\0\0\x01\x80"])
def test_what_is_no_record_is_refused(junk):
    with pytest.raises(Unreadable):
        WIRE.decode(junk)


def test_bytes_left_over_are_refused():
    value = CODEC.encode(OrderCancelled("acme|shop|1", "why", 1))
    assert WIRE.decode(value)[1]["reason"] == "why"
    with pytest.raises(Unreadable, match="left over"):
        WIRE.decode(value + b"\0")


def test_older_versions_are_read_as_the_latest(tmp_path):
    (tmp_path / "ids.json").write_text('[["Thing", 1], ["Thing", 2]]')
    old = '{"type": "record", "name": "Thing", "fields": [{"name": "a", "type": "long"}]}'
    new = old.replace("}]}", '}, {"name": "b", "type": "long", "default": 5}]}')
    (tmp_path / "thing.v1.avsc").write_text(old)
    (tmp_path / "thing.v2.avsc").write_text(new)
    assert Wire(tmp_path).decode(b"\0\0\0\0\x01\x02") == ("Thing", {"a": 1, "b": 5})
    assert Wire(tmp_path).decode(b"\0\0\0\0\x02\x02\x04") == ("Thing", {"a": 1, "b": 2})


def test_keys_are_placed_as_kafka_does():
    placed = Partitioner(12)
    for number in range(200):
        key = f"acme|{'x' * (number % 7)}{number}".encode()
        assert murmur2(key) == theirs(key)
        assert partition_of(key, 12) == placed(key)


def test_the_topology_is_read_as_it_is_declared():
    ours, declared = load_topology(TOPOLOGY_PATH), load(str(TOPOLOGY_PATH))
    assert (ours.app, ours.partitions, ours.sources) == (declared.app, declared.partitions, declared.source_topics)
    assert "dead-letters" in ours.emitted and "clock" not in ours.emitted
    assert ours.signed == {name for name, spec in declared.topics.items() if spec.signed == "required"}
    assert ours.compacted == {"stock-snapshots", "changelog"}


def raw(offset, value, *headers):
    return SimpleNamespace(offset=offset, timestamp=offset, key=b"k", value=value, headers=headers)


def test_a_log_decodes_counts_and_keeps_garbage_apart():
    value = CODEC.encode(OrderCancelled("acme|shop|1", "why", 1))
    log = Log(
        MemorySource({("t", 0): [raw(0, value), raw(4, b"junk")], ("t", 1): [raw(1, value, ("fsn-forwarded", b"0"))]})
    )
    assert [(read.partition, read.offset, read.type) for read in log.records("t")] == [
        (0, 0, "OrderCancelled"), (0, 4, ""), (1, 1, "OrderCancelled"),
    ]  # fmt: skip
    assert log.unreadable == {"t": [(0, 4)]}
    assert (log.count("t").total, log.count("t").forwarded) == (3, 1)
    assert log.count("t").holds(0, 4) and not log.count("t").holds(0, 3) and not log.count("t").holds(9, 0)


def made_topic(brokers, name, partitions=2):
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result()
    return name


@pytest.mark.timeout(60)
def test_only_committed_records_up_to_the_last_stable_offset_are_read(broker):
    topic = made_topic(broker, "report-committed")
    producer = Producer({"bootstrap.servers": broker, "transactional.id": "report-committed"})
    producer.init_transactions()
    commit, abort = producer.commit_transaction, producer.abort_transaction
    for value, finish in ((b"one", commit), (b"no", abort), (b"two", commit)):
        producer.begin_transaction()
        for partition in (0, 1):
            producer.produce(topic, key=b"k", value=value, partition=partition, headers=[("fsn-forwarded", b"1")])
        producer.flush()
        finish()
    producer.begin_transaction()
    producer.produce(topic, key=b"k", value=b"open", partition=0)
    producer.flush()
    with KafkaSource(broker) as source:
        started = time.monotonic()
        found = [(partition, value, forwarded) for partition, _, _, _, value, forwarded in source.raw(topic)]
        again = list(source.raw(topic))
    producer.abort_transaction()
    assert sorted(found) == [(partition, value, True) for partition in (0, 1) for value in (b"one", b"two")]
    assert len(again) == 4
    assert time.monotonic() - started < 10


@pytest.mark.timeout(60)
def test_an_empty_topic_ends_and_a_missing_one_is_named(broker):
    topic = made_topic(broker, "report-empty")
    with KafkaSource(broker) as source:
        assert list(source.raw(topic)) == []
        with pytest.raises(ReadError, match="report-nowhere"):
            list(source.raw("report-nowhere"))
