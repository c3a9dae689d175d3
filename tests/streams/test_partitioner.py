"""Our murmur2 is Kafka's."""

from aiokafka.partitioner import murmur2 as kafka_murmur2
from hypothesis import example, given
from hypothesis import strategies as st

from streams.partitioner import Partitioner, murmur2


@given(st.binary(max_size=70))
@example(b"")
@example(b"\xff\xfe\xfd")
def test_murmur2_is_kafkas(key):
    assert murmur2(key) & 0x7FFFFFFF == kafka_murmur2(key) & 0x7FFFFFFF


def test_a_remembered_key_stays_where_it_was():
    partition_of = Partitioner(12)
    assert [partition_of(b"acme|var_1")] * 2 == [
        partition_of(b"acme|var_1"),
        (murmur2(b"acme|var_1") & 0x7FFFFFFF) % 12,
    ]
