"""One task's transactional producer, with the three outcomes a commit can have.

librdkafka holds the transactions: aiokafka's `commit_transaction()` succeeded although one batch of it had been
refused for good; librdkafka refuses the commit. Failed before the commit was sent → aborted, may be retried from
memory. Unknown → close the producer and read the log again. Fenced → the same, if the partition is still ours.
"""

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.errors import TransactionAborted, TransactionError, TransactionFenced, TransactionUnknown
from streams.unit import Output

REQUEST_TIMEOUT_MS: Final = 10_000
CALL_TIMEOUT_S: Final = 12.0
LEADERS_WITHIN_S: Final = 10.0
LEADERS_POLL_S: Final = 0.1
BATCH_BYTES_MAX: Final = 1 << 20
FENCED: Final = {
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.TRANSACTION_COORDINATOR_FENCED,
    KafkaError.FENCED_INSTANCE_ID,
}


class TaskProducer:
    """The producer of one task. All methods but `begin` and `send` may block: call them in a thread."""

    def __init__(
        self,
        client: Mapping[str, Any],
        transactional_id: str,
        group_id: str,
        *,
        batch_bytes: int = BATCH_BYTES_MAX,
        timeout_s: int = 10,
    ) -> None:
        self._producer = Producer(
            {
                **client,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": timeout_s * 1000,
                # Which would otherwise follow from that.
                "message.timeout.ms": min(REQUEST_TIMEOUT_MS, timeout_s * 1000),
                "socket.timeout.ms": REQUEST_TIMEOUT_MS,
                "partitioner": "murmur2_random",
                "linger.ms": 0,
                # What a broker holds against a topic's max.message.bytes is the batch, not the record.
                "batch.size": min(batch_bytes, BATCH_BYTES_MAX),
                "compression.type": "none",
                # Kafka refuses to begin while the markers of the last transaction are still being written; librdkafka
                # then waits this long. At its 100 ms a transaction took 103 ms on one broker, at 10 ms 17–34 (decision 10).
                "retry.backoff.ms": 10,
                "message.max.bytes": 64 << 20,
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 1 << 20,
            }
        )
        self._position: int | None = None
        # Offsets need a group-metadata object; fencing rests on the transactional id.
        consumer = Consumer({**client, "group.id": group_id})
        self._group = consumer.consumer_group_metadata()
        consumer.close()

    def await_leaders(self, topics: Collection[str]) -> None:
        """Return once the broker knows a leader of every partition of these topics.

        InitProducerId ends the predecessor's transaction. A Kafka 4.3 that has just started, and has elected no leaders
        yet, takes that transaction's partitions for deleted, writes no markers, and leaves it open (decision 17).

        Raises:
            TransactionUnknown: nobody said so in time
        """
        deadline = time.monotonic() + LEADERS_WITHIN_S
        while True:
            with contextlib.suppress(KafkaException):
                found = self._producer.list_topics(timeout=LEADERS_WITHIN_S).topics
                known = [found[topic].partitions for topic in topics if topic in found]
                if len(known) == len(topics) and all(
                    partitions and all(one.leader >= 0 for one in partitions.values()) for partitions in known
                ):
                    return
            if time.monotonic() > deadline:
                raise TransactionUnknown("no broker knows a leader of every partition: are all brokers up?")
            time.sleep(LEADERS_POLL_S)

    def initialize(self) -> None:
        """Fence the predecessor: its open transaction ends here."""
        try:
            self._producer.init_transactions(CALL_TIMEOUT_S * 3)
        except KafkaException as error:
            raise _outcome(error) from error

    def begin(self) -> None:
        """Open a transaction."""
        self._position = None
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            raise _outcome(error) from error

    def send(self, outputs: Sequence[Output]) -> None:
        """Queue records; a refusal shows at the commit."""
        produce = self._producer.produce
        try:
            for output in outputs:
                produce(
                    output.topic,
                    output.value,
                    output.key,
                    -1 if output.partition is None else output.partition,
                    timestamp=output.timestamp,
                    headers=list(output.headers) or None,
                )
        except (BufferError, KafkaException) as error:
            raise TransactionAborted(f"cannot queue a record: {error}") from error

    def send_rows(self, topic: str, partition: int, rows: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Queue changelog rows; None deletes. The last one reports where it landed."""
        produce = self._producer.produce
        try:
            for key, value in rows[:-1]:
                produce(topic, value, key, partition)
            for key, value in rows[-1:]:
                produce(topic, value, key, partition, on_delivery=self._landed)
        except (BufferError, KafkaException) as error:
            raise TransactionAborted(f"cannot queue a changelog row: {error}") from error

    def send_offsets(self, offsets: Mapping[str, int], partition: int) -> None:
        """Add the next offset of each topic; raises one of the three outcomes."""
        positions = [TopicPartition(topic, partition, offset) for topic, offset in offsets.items()]
        try:
            if positions:
                self._producer.send_offsets_to_transaction(positions, self._group, CALL_TIMEOUT_S)
        except KafkaException as error:
            raise _outcome(error) from error

    def commit(self) -> int | None:
        """Commit; raises one of the three outcomes.

        Returns the changelog offset after the last row of the transaction, None when it had no rows.
        """
        try:
            self._producer.commit_transaction(CALL_TIMEOUT_S)
        except KafkaException as error:
            outcome = _outcome(error)
            if isinstance(outcome, TransactionAborted) and not error.args[0].txn_requires_abort():
                outcome = TransactionUnknown(f"commit: {error}")
            raise outcome from error
        return self._position

    def _landed(self, error: KafkaError | None, message: Any) -> None:
        if error is None:
            self._position = message.offset() + 1

    def abort(self) -> None:
        """Take back the open transaction."""
        try:
            self._producer.abort_transaction(CALL_TIMEOUT_S)
        except KafkaException as error:
            raise _outcome(error) from error

    def close(self) -> None:
        """Drop the producer; an open transaction is left for InitProducerId or its time-out to end."""
        with contextlib.suppress(KafkaException):  # a fenced producer refuses even this
            self._producer.purge()
            self._producer.flush(0)


def _outcome(error: KafkaException) -> TransactionError:
    """Which of the three outcomes an error of librdkafka means."""
    cause = error.args[0]
    if cause.code() == KafkaError.INVALID_TRANSACTION_TIMEOUT:
        return TransactionUnknown(f"{cause}: lower FSN_TRANSACTION_TIMEOUT_S, or raise transaction.max.timeout.ms")
    if cause.code() in FENCED:
        return TransactionFenced(str(cause))
    if cause.txn_requires_abort():
        return TransactionAborted(str(cause))
    if cause.fatal():
        return TransactionUnknown(str(cause))
    return TransactionAborted(str(cause)) if cause.retriable() else TransactionUnknown(str(cause))
