"""The probe: orders sent by the wall clock, timed until their answer can be read `read_committed`."""

import threading
import time

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from fsn.report.latency import SignedOrder, probe
from schemas.codec import Codec
from schemas.records.routing import OrderParked, RoutingDecision, RoutingPlan

CODEC = Codec()
TOPICS = ("orders", "routing-decisions", "order-status")


pytestmark = pytest.mark.broker


@pytest.fixture
def topics(start_broker):
    """A broker of its own: the probe's topics have the names of the real ones."""
    broker = start_broker()
    brokers = broker.bootstrap
    admin = AdminClient({"bootstrap.servers": brokers})
    for future in admin.create_topics([NewTopic(name, 2, 1) for name in TOPICS]).values():
        future.result()
    yield brokers
    broker.kill()


def decision(order_id):
    plan = RoutingPlan((), 0, 0)
    return RoutingDecision("rd", order_id, 1, "acme|m", "", 0, 0, plan, None, 0, "", 0)


def answerer(brokers, stop, answer):
    """A worker of a few lines: each order is answered in a transaction of its own."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "answerer", "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders"])
    producer = Producer({"bootstrap.servers": brokers, "transactional.id": "answerer"})
    producer.init_transactions()
    while not stop.is_set():
        message = consumer.poll(0.05)
        if message is None or message.error():
            continue
        topic, record = answer(message.key().decode())
        if topic:
            producer.begin_transaction()
            producer.produce(topic, key=message.key(), value=CODEC.encode(record))
            producer.commit_transaction()
    consumer.close()


@pytest.mark.timeout(90)
def test_each_order_is_timed_parked_or_missed(topics):
    def answer(order_id):
        if order_id.endswith("|3"):
            return "order-status", OrderParked(order_id, 1, "waiting", "stock_short", None)
        return ("", None) if order_id.endswith("|7") else ("routing-decisions", decision(order_id))

    stop = threading.Event()
    worker = threading.Thread(target=answerer, args=(topics, stop, answer))
    worker.start()
    time.sleep(2)  # its group has met

    def make(number):
        return SignedOrder(f"acme|probe|{number}", b"an order", (("fsn-key-id", b"k"),), 1_000 + number)

    measured = probe(topics, make, orders=12, per_second=30, patience_s=3)
    stop.set()
    worker.join()
    assert len(measured.times_ms) == 10
    assert measured.parked == 1
    assert [fault.subject for fault in measured.checked.faults] == ["acme|probe|7"]
    assert measured.checked.faults[0].lost == 1
    assert 0 < measured.percentile(0.5) <= measured.percentile(0.99) < 3_000
    assert measured.order_ids[0] == "acme|probe|0" and len(measured.order_ids) == 12
