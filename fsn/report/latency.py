"""Latency: how long an order takes to its decision, by the wall clock, as a downstream consumer sees it.

A simulated day carries simulated times, so this is a probe of its own: fresh orders are sent one by one at a steady
rate, and each is timed from just before it is handed to the producer until its decision can be read `read_committed`.
In: a callable that makes the n-th order's signed record. Out: the times. An order that is parked instead is counted,
not timed; one that nobody answers in time is a fault.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from fsn.report.findings import Checked, Fault
from fsn.report.reader import ReadError
from fsn.report.wire import Unreadable, Wire

ANSWERS: Final = ("routing-decisions", "order-status")
POLL_S: Final = 0.002
FLUSH_S: Final = 10.0


class SignedOrder(msgspec.Struct, frozen=True):
    """One OrderPlaced, ready to be sent.

    order_id: key of the record and of its answer
    value: framed bytes
    headers: signature and whatever else the topic wants
    timestamp_ms: the record's timestamp; 0: the producer's clock
    """

    order_id: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0


class Latency(msgspec.Struct, frozen=True):
    """What the probe measured.

    times_ms: order → decision, sorted; parked: answered without a decision
    order_ids: all orders sent
    """

    checked: Checked
    times_ms: tuple[float, ...]
    parked: int
    order_ids: tuple[str, ...]

    def percentile(self, share: float) -> float:
        """The time within which this share of the decisions came (nearest rank); 0 when there is none."""
        if not self.times_ms:
            return 0.0
        rank = max(1, -(-len(self.times_ms) * round(share * 1000) // 1000))
        return self.times_ms[rank - 1]


def probe(
    brokers: str,
    make_order: Callable[[int], SignedOrder],
    *,
    orders: int = 200,
    per_second: float = 50.0,
    patience_s: float = 15.0,
) -> Latency:
    """Send orders at a steady rate, and wait for their decisions."""
    made = [make_order(number) for number in range(orders)]  # before the clock starts: making is not what is measured
    consumer = _consumer(brokers)
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "linger.ms": 0, "acks": "all"})
    try:
        return _measure(made, producer, consumer, interval_s=1 / per_second, patience_s=patience_s)
    finally:
        producer.flush(FLUSH_S)
        consumer.close()


def _measure(
    made: Sequence[SignedOrder], producer: Any, consumer: Any, *, interval_s: float, patience_s: float
) -> Latency:
    wire = Wire()
    sent_at: dict[str, float] = {}
    times_s: dict[str, float] = {}
    parked: set[str] = set()
    left = list(reversed(made))
    due_at = time.perf_counter()
    last_at = due_at
    while (left or len(times_s) + len(parked) < len(made)) and time.perf_counter() < last_at + patience_s:
        now = time.perf_counter()
        if left and now >= due_at:
            order = left.pop()
            last_at = sent_at[order.order_id] = time.perf_counter()
            _send(producer, order)
            due_at += interval_s
        producer.poll(0)
        wait_s = min(POLL_S, max(0.0, due_at - time.perf_counter())) if left else POLL_S
        for message in consumer.consume(100, wait_s):
            answered = _answered(message, wire, sent_at)
            if answered is None:
                continue
            if message.topic() == ANSWERS[0]:
                times_s.setdefault(answered, time.perf_counter() - sent_at[answered])
            else:
                parked.add(answered)
    parked -= times_s.keys()
    unanswered = sorted(sent_at.keys() - times_s.keys() - parked)
    faults = tuple(
        Fault("every order is answered", order_id, f"no decision and no status within {patience_s:.0f} s", lost=1)
        for order_id in unanswered
    )
    return Latency(
        Checked("every probe is answered", len(made), faults),
        times_ms=tuple(sorted(1_000 * seconds for seconds in times_s.values())),
        parked=len(parked),
        order_ids=tuple(order.order_id for order in made),
    )


def _send(producer: Any, order: SignedOrder) -> None:
    producer.produce(
        "orders",
        key=order.order_id.encode(),
        value=order.value,
        headers=list(order.headers),
        timestamp=order.timestamp_ms,
    )


def _answered(message: Any, wire: Wire, sent_at: dict[str, float]) -> str | None:
    """The probed order that a record answers."""
    error = message.error()
    if error is not None:
        if error.code() == KafkaError._PARTITION_EOF or error.retriable():
            return None
        raise ReadError(f"{message.topic()}: {error}")
    try:
        _, fields = wire.decode(message.value())
    except Unreadable:
        return None
    order_id = fields.get("order_id")
    return order_id if isinstance(order_id, str) and order_id in sent_at else None


def _consumer(brokers: str) -> Any:
    """A consumer that stands at the end of the answers, before anything is asked."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "fsn-report-probe",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "latest",
            "fetch.wait.max.ms": 5,
        }
    )
    places = []
    for topic in ANSWERS:
        for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions:
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
            places.append(TopicPartition(topic, partition, end))
    consumer.assign(places)
    return consumer
