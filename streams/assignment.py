"""Steps 1 to 3 of a task's assignment, each a blocking call for a thread.

1. a new transactional producer: InitProducerId ends the predecessor's transaction; that must show in the log
2. the committed offsets of all topics of the partition
3. the tables restored to the changelog's last stable offset

Step 2 is only believed together with step 3: a group's offsets expire (Kafka: 7 days after its last member left),
tables do not. So the tables also say how far each topic was processed, and where they say it, they decide.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from processors.step import ABSENT
from schemas.topology_model import CHANGELOG
from streams.acls import transactional_prefix
from streams.batch import MANIFESTS
from streams.changelog import open_store, restore
from streams.errors import HangingTransaction, StreamsError
from streams.faults import Reach
from streams.machine import ENGINE
from streams.progress import Tell
from streams.runtime import Runtime
from streams.store import LocalStore, StoreMeta
from streams.transaction import CALL_TIMEOUT_S, TaskProducer
from streams.unit import UnitOfWork

log = logging.getLogger(__name__)

ENDED_WITHIN_S: Final = 10.0
"""A replica may hear of a marker later than the coordinator."""
ENDED_POLL_S: Final = 0.1


def new_producer(runtime: Runtime, partition: int) -> TaskProducer:
    """Step 1: the predecessor is fenced and its transaction ended when this returns."""
    smallest = min(spec.max_record_bytes for spec in runtime.topology.topics.values())
    transactional_id = f"{transactional_prefix(runtime.topology.app)}{partition}"
    producer = TaskProducer(
        runtime.client,
        transactional_id,
        runtime.group_id,
        batch_bytes=smallest,
        timeout_s=runtime.transaction_timeout_s,
    )
    producer.await_leaders(runtime.topology.worker_writes)
    producer.initialize()
    return producer


def check_ended(runtime: Runtime, partition: int) -> None:
    """Raise HangingTransaction if a transaction is open in the logs that nobody but this task writes.

    Kafka 4.3 writes no markers to partitions without a leader, as all have while its brokers start (decision 17). Our next
    commit would then make the aborted records look committed.
    """
    consumers = [
        Consumer({**runtime.client, "group.id": runtime.group_id, "isolation.level": level})
        for level in ("read_committed", "read_uncommitted")
    ]
    try:
        for topic in (CHANGELOG, MANIFESTS):
            place = TopicPartition(topic, partition)
            deadline = time.monotonic() + ENDED_WITHIN_S
            while True:
                stable, end = (one.get_watermark_offsets(place, timeout=CALL_TIMEOUT_S)[1] for one in consumers)
                if stable == end:
                    break
                if time.monotonic() > deadline:
                    raise HangingTransaction(
                        f"{topic}/{partition}: the transaction at offset {stable} is still open although its producer was "
                        "fenced, so Kafka has lost its end: see docs/guarantees.md, then end it everywhere with "
                        "kafka-transactions.sh find-hanging and abort"
                    )
                time.sleep(ENDED_POLL_S)
    finally:
        for one in consumers:
            one.close()


def committed_offsets(runtime: Runtime, partition: int) -> dict[str, int]:
    """Step 2: the group's next offset per source topic, 0 where it has none."""
    wanted = [TopicPartition(topic, partition) for topic in runtime.source_names]
    consumer = Consumer({**runtime.client, "group.id": runtime.group_id, "isolation.level": "read_committed"})
    try:
        found = consumer.committed(wanted, timeout=30)
    finally:
        consumer.close()
    for position in found:
        if position.error is not None:
            raise StreamsError(f"committed offset of {position.topic}/{partition}: {position.error}")
    return {position.topic: max(position.offset, 0) for position in found}


def restored_store(runtime: Runtime, partition: int, should_stop: Callable[[], bool]) -> tuple[LocalStore, StoreMeta]:
    """Step 3: the local store, at the changelog's last stable offset."""
    path = runtime.state_dir / str(partition)
    for _ in range(2):
        store, meta = open_store(path, changelog=runtime.changelog_epoch, partitions=runtime.topology.partitions)
        try:
            with runtime.restoring(partition) as tell:
                restored = restore(
                    runtime.client,
                    store,
                    meta,
                    topic=CHANGELOG,
                    partition=partition,
                    progress=_reaching(tell, runtime.reach),
                    should_stop=should_stop,
                )
        except BaseException:
            store.close()
            raise
        if restored is not None:
            return store, restored
        log.warning("dropping the local store of task %d: it is ahead of the changelog", partition)
        store.close()
        LocalStore.drop(path)
    raise StreamsError(f"task {partition}: a new local store cannot be ahead of the changelog")


def _reaching(tell: Tell, reach: Reach) -> Tell:
    def progress(position: int, end: int) -> None:
        tell(position, end)
        reach("restoring")

    return progress


def starting_offsets(committed: dict[str, int], unit: UnitOfWork) -> dict[str, int]:
    """Where to go on: where the tables say, for they are what must not count a record twice or leave one out."""
    offsets = {}
    for topic, offset in committed.items():
        held = unit.get(ENGINE, f"next|{topic}")
        offsets[topic] = offset if held is ABSENT else held.value
        if offsets[topic] != offset:
            log.warning("%s: the group committed %d, the tables hold %d", topic, offset, offsets[topic])
    return offsets
