"""What one broker takes at most here: bytes of log a second, and transactions a second, whoever sends them.

In: a broker's address. Out: rates and the processor time of the broker that they took. The senders are librdkafka's, in
threads of this process, and share the machine's cores with the broker, as workers do: a lower limit of what a
broker on a machine of its own takes, and named as such.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.brokers import BenchBroker
from bench.harness import BenchError
from bench.usage import broker_seconds

TOPIC: Final = "capacity-limits"
GROUP: Final = "capacity-limits"
PARTITIONS: Final = 4
RECORD: Final = bytes(range(256)) * 4
"""1 KiB; nothing compresses it, for nobody is asked to."""
SENDERS: Final = 8
"""Transactional producers, each of them like a task: one transaction after another."""


def measure(broker: BenchBroker, seconds: float) -> dict[str, float]:
    """Bytes and transactions a second, and the broker's processor time for one of each."""
    new = NewTopic(TOPIC, PARTITIONS, replication_factor=1, config={"retention.ms": "3600000"})
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})  # its answers end with it
    for future in admin.create_topics([new]).values():
        future.result(30)
    senders = [_sender(broker.bootstrap, number) for number in range(SENDERS)]
    _send_transactions(senders, broker.bootstrap, seconds / 2)  # the broker compiles itself while it is fed
    _send_bytes(broker.bootstrap, seconds / 2)
    byte_rate, byte_cpu = _timed(broker, lambda: _send_bytes(broker.bootstrap, seconds))
    transaction_rate, transaction_cpu = _timed(broker, lambda: _send_transactions(senders, broker.bootstrap, seconds))
    return {
        "log_mb_per_s": round(byte_rate / 1e6, 1),
        "broker_cpu_ms_per_mb": round(byte_cpu * 1e9, 3),
        "transactions_per_s": round(transaction_rate, 1),
        "broker_cpu_ms_per_transaction": round(transaction_cpu * 1000, 3),
    }


def _timed(broker: BenchBroker, send: Callable[[], int]) -> tuple[float, float]:
    """Amount a second, and the broker's processor seconds for one."""
    cpu, started = broker_seconds(broker), time.perf_counter()
    amount = send()
    took = time.perf_counter() - started
    if not amount:
        raise BenchError(f"the broker took nothing in {took:.0f} s")
    return amount / took, (broker_seconds(broker) - cpu) / amount


def _send_bytes(bootstrap: str, seconds: float) -> int:
    """Plain records, as fast as they are taken, until all are acknowledged; how many bytes."""
    refused: list[str] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "batch.size": 1 << 20,
            "delivery.report.only.error": True,
            "on_delivery": lambda error, _: refused.append(error.str()),
        }
    )
    sent, ends_at = 0, time.perf_counter() + seconds
    while time.perf_counter() < ends_at:
        try:
            producer.produce(TOPIC, RECORD, partition=sent % PARTITIONS)
            sent += 1
        except BufferError:
            producer.poll(0.01)
    if producer.flush(60) or refused:
        raise BenchError(f"the broker did not take all records: {refused[:1] or 'time ran out'}")
    return sent * len(RECORD)


def _sender(bootstrap: str, number: int) -> Producer:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"{TOPIC}-{number}", "linger.ms": 0})
    producer.init_transactions(30)
    return producer


def _send_transactions(senders: list[Producer], bootstrap: str, seconds: float) -> int:
    """Small transactions of all senders at once, each with one record and one offset; how many."""
    group = Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP}).consumer_group_metadata()
    done: list[int] = []
    ends_at = time.perf_counter() + seconds

    def commit_on(number: int, sender: Producer) -> None:
        partition, count = number % PARTITIONS, 0
        while time.perf_counter() < ends_at:
            sender.begin_transaction()
            sender.produce(TOPIC, RECORD, partition=partition)
            sender.send_offsets_to_transaction([TopicPartition(TOPIC, partition, count + 1)], group, 30)
            sender.commit_transaction(30)
            count += 1
        done.append(count)

    threads = [threading.Thread(target=commit_on, args=pair) for pair in enumerate(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(done) != len(senders):
        raise BenchError(f"of {len(senders)} transactional senders {len(done)} came to their end")
    return sum(done)
