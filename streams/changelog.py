"""Bring a task's local store up to its changelog: to the last stable offset, not until a record is seen.

A changelog partition may end in transaction markers only; librdkafka reports the end of a partition by position
against the last stable offset, so that restore ends there too. A store of another epoch (topic id, partition count,
layout), ahead of the log, or untouched for longer than the changelog keeps its deletions is dropped and rebuilt.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, time
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from streams.errors import RestoreError, StreamsError
from streams.store import LAYOUT_VERSION, LocalStore, StoreMeta

log = logging.getLogger(__name__)

CONSUME_RECORDS_MAX: Final = 10_000
SILENCE_MAX_S: Final = 30.0
DELETE_RETENTION_MS: Final = 86_400_000
"""`delete.retention.ms` of the changelog: a store older than this may miss deletions."""

Progress = Callable[[int, int], None]
"""progress(position, end)"""


def open_store(path: Path, *, changelog: str, partitions: int) -> tuple[LocalStore, StoreMeta]:
    """The task's store as far as it can be trusted; a new one where it cannot."""
    wanted = StoreMeta(changelog, partitions, LAYOUT_VERSION, 0, now_ms())
    try:
        store = LocalStore(path)
    except Exception as error:
        if "lock" in str(error).lower():
            raise StreamsError(
                f"{path} is in use by another process: give each worker an FSN_INSTANCE_ID of its own"
            ) from error
        log.warning("dropping the local store %s, which cannot be opened: %s", path, error)
        LocalStore.drop(path)
        return LocalStore(path), wanted
    meta = store.meta()
    reason = _distrust(meta, wanted)
    if meta is not None and reason is None:
        return store, meta
    if reason is not None:
        log.warning("dropping the local store %s: %s", path, reason)
    store.close()
    LocalStore.drop(path)
    return LocalStore(path), wanted


def _distrust(meta: StoreMeta | None, wanted: StoreMeta) -> str | None:
    if meta is None:
        return None
    if (meta.changelog, meta.partitions, meta.layout) != (wanted.changelog, wanted.partitions, wanted.layout):
        return f"it follows {meta.changelog} with {meta.partitions} partitions, layout {meta.layout}"
    if wanted.touched_at - meta.touched_at > DELETE_RETENTION_MS:
        return "it is older than the changelog keeps deletions"
    return None


def restore(
    client: Mapping[str, Any],
    store: LocalStore,
    meta: StoreMeta,
    *,
    topic: str,
    partition: int,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> StoreMeta | None:
    """Apply the changelog from the store's position to its last stable offset; None when the store is ahead of it."""
    consumer = Consumer(
        {
            **client,
            "group.id": "fsn-restore",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "queued.min.messages": 100_000,
        }
    )
    try:
        target = TopicPartition(topic, partition, meta.position or OFFSET_BEGINNING)
        low, high = consumer.get_watermark_offsets(target, timeout=SILENCE_MAX_S, cached=False)
        if meta.position > high:
            return None
        if meta.position and meta.position < low:
            log.info("changelog %s/%d begins at %d: rows compacted away before it are gone", topic, partition, low)
        consumer.assign([target])
        return _apply(consumer, store, meta, progress=progress, high=high, should_stop=should_stop)
    finally:
        consumer.close()


def _apply(
    consumer: Consumer,
    store: LocalStore,
    meta: StoreMeta,
    *,
    progress: Progress | None,
    high: int,
    should_stop: Callable[[], bool],
) -> StoreMeta:
    heard_at = monotonic()
    position = meta.position
    while True:
        messages = consumer.consume(CONSUME_RECORDS_MAX, 0.2)
        rows: list[tuple[bytes, bytes | None]] = []
        ended = False
        for message in messages:
            error = message.error()
            if error is None:
                rows.append((message.key(), message.value()))
                position = message.offset() + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                ended = True
                position = max(position, message.offset())
            else:
                raise RestoreError(f"changelog {message.topic()}/{message.partition()}: {error}")
        if messages:
            heard_at = monotonic()
        elif monotonic() - heard_at > SILENCE_MAX_S:
            raise RestoreError(
                f"the broker sent nothing of the changelog for {SILENCE_MAX_S:.0f} s at {position}/{high}"
            )
        if rows or ended:
            meta = StoreMeta(meta.changelog, meta.partitions, meta.layout, position, now_ms())
            store.write(rows, meta)
        if progress is not None:
            progress(position, high)
        if ended or should_stop():
            return meta


def now_ms() -> int:
    """Wall-clock epoch ms: only ever compared with the age of a local store."""
    return int(time() * 1000)
