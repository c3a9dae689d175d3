"""A fetch written and read quickly is, byte for byte and value for value, what aiokafka writes and reads."""

from io import BytesIO

import pytest
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v10, FetchRequest_v11, FetchResponse_v11
from hypothesis import given
from hypothesis import strategies as st

from streams.fetch_wire import QuickAnswer, QuickFetch

names = st.text(st.characters(categories=("Ll", "Nd")), min_size=1, max_size=20)
numbers = st.integers(0, 2**31 - 1)
offsets = st.integers(0, 2**63 - 1)
asked = st.lists(st.tuples(names, st.lists(st.tuples(numbers, offsets, numbers), max_size=5)), max_size=5)
answers = st.lists(
    st.tuples(
        names,
        st.lists(
            st.tuples(
                numbers,
                st.integers(-1, 100),
                offsets,
                offsets,
                offsets,
                st.lists(st.tuples(offsets, offsets), max_size=3),
                numbers,
                st.binary(max_size=60),
            ),
            max_size=4,
        ),
    ),
    max_size=4,
)


def request(topics):
    return FetchRequest(max_wait_time=50, min_bytes=1, max_bytes=1 << 20, isolation_level=1, topics=topics)


@given(asked)
def test_a_request_has_the_bytes_aiokafka_gives_it(topics):
    theirs = request(topics).build(FetchRequest_v11)
    ours = QuickFetch.of(request(topics)).build(FetchRequest_v11)
    assert ours.encode() == theirs.encode()
    assert ours.build_request_header(7, "fsn").encode() == theirs.build_request_header(7, "fsn").encode()


def test_a_broker_of_another_version_is_asked_as_aiokafka_would():
    topics = [("orders", [(0, 5, 100)])]
    built = QuickFetch.of(request(topics)).build(FetchRequest_v10)
    assert type(built) is FetchRequest_v10
    assert built.encode() == request(topics).build(FetchRequest_v10).encode()


@given(answers)
def test_an_answer_says_what_aiokafka_reads(topics):
    raw = FetchResponse_v11(3, 0, 9, topics).encode()
    theirs, ours = FetchResponse_v11.decode(BytesIO(raw)), QuickAnswer.decode(BytesIO(raw))
    assert ours.topics == theirs.topics
    assert (ours.throttle_time_ms, ours.error_code, ours.session_id) == (3, 0, 9)


def test_absent_records_and_absent_aborted_transactions_are_none():
    """Kafka writes −1 for both."""
    partition = b"\0\0\0\1" + b"\0\0" + bytes(24) + b"\xff\xff\xff\xff" + bytes(4) + b"\xff\xff\xff\xff"
    raw = bytes(10) + b"\0\0\0\1" + b"\0\1o" + b"\0\0\0\1" + partition
    assert QuickAnswer.decode(BytesIO(raw)).topics == [("o", [(1, 0, 0, 0, 0, [], 0, b"")])]


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: b""])
def test_an_answer_cut_short_or_too_long_is_refused(change):
    raw = FetchResponse_v11(0, 0, 0, [("o", [(0, 0, 5, 5, 0, [], -1, b"xyz")])]).encode()
    with pytest.raises(ValueError, match="a fetch response of"):
        QuickAnswer.decode(BytesIO(change(raw)))
