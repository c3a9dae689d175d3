"""Bring a task's local store up to its changelog: to the last stable offset, not until a record is seen.

A changelog partition may end in transaction markers only; what counts is the position against the last stable offset,
so that restore ends there too. One batch is written by a thread while the next is read, past RocksDB's own log: a
restore cut short leaves the rows up to some position, and that position, never one without the other. A store of
another epoch (topic id, partition count, layout), ahead of the log, or untouched for longer than the changelog keeps
its deletions is dropped and rebuilt.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, time
from typing import Any, Final

from aiokafka import TopicPartition as AiokafkaPartition

from streams.errors import RestoreError, StreamsError
from streams.fetcher import PatientConsumer, found_ended
from streams.inbox import TopicPartition
from streams.security import aiokafka_security
from streams.store import LAYOUT_VERSION, LocalStore, StoreMeta

log = logging.getLogger(__name__)

CONSUME_RECORDS_MAX: Final = 20_000
FETCH_BYTES_MAX: Final = 4 << 20
FETCH_MAX_WAIT_MS: Final = 50
POLL_MS: Final = 10
SILENCE_MAX_S: Final = 30.0
DELETE_RETENTION_MS: Final = 86_400_000
"""`delete.retention.ms` of the changelog: a store older than this may miss deletions."""

Progress = Callable[[int, int], None]
"""progress(position, end); first where the restore begins"""


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
    """Apply the changelog from the store's position to its last stable offset; None when the store is ahead of it.

    Blocks: it runs an event loop of its own, in the thread that calls it.
    """
    source = TopicPartition(topic, partition)
    return asyncio.run(_restore(client, store, meta, source, progress=progress, should_stop=should_stop))


async def _restore(
    client: Mapping[str, Any],
    store: LocalStore,
    meta: StoreMeta,
    source: TopicPartition,
    *,
    progress: Progress | None,
    should_stop: Callable[[], bool],
) -> StoreMeta | None:
    consumer = PatientConsumer(
        bootstrap_servers=client["bootstrap.servers"].split(","),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
        check_crcs=False,
        **aiokafka_security(client),
    )
    await consumer.start()
    try:
        consumer.assign([AiokafkaPartition(*source)])
        end = (await consumer.end_offsets([source]))[source]
        if meta.position > end:
            return None
        if progress is not None:
            progress(meta.position, end)
        consumer.seek(source, meta.position)
        return await _apply(consumer, store, meta, source, end=end, progress=progress, should_stop=should_stop)
    finally:
        await consumer.stop()


async def _apply(
    consumer: PatientConsumer,
    store: LocalStore,
    meta: StoreMeta,
    source: TopicPartition,
    *,
    end: int,
    progress: Progress | None,
    should_stop: Callable[[], bool],
) -> StoreMeta:
    heard_at = monotonic()
    writing = asyncio.ensure_future(asyncio.sleep(0))
    try:
        while True:
            ended = found_ended(
                consumer, source
            )  # known before the records are taken: what it speaks of was taken then
            fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=CONSUME_RECORDS_MAX)
            records = [record for batch in fetched.values() for record in batch]
            if records:
                heard_at = monotonic()
            elif not ended and monotonic() - heard_at > SILENCE_MAX_S:
                raise RestoreError(
                    f"the broker sent nothing of {source.topic}/{source.partition} for {SILENCE_MAX_S:.0f} s"
                )
            position = await consumer.position(source)
            finished = position >= end or (ended and not records)
            if records or finished:
                meta = StoreMeta(meta.changelog, meta.partitions, meta.layout, position, now_ms())
                rows = [(record.key, record.value) for record in records]
                await writing  # in this order: the position may never be ahead of a row
                writing = asyncio.ensure_future(asyncio.to_thread(store.write, rows, meta, logged=False))
                if progress is not None:
                    progress(position, end)
            if finished or should_stop():
                return meta
    finally:
        await writing
        # From here on writes are logged again: after a crash that log must find everything before it in files.
        await asyncio.to_thread(store.flush)


def now_ms() -> int:
    """Wall-clock epoch ms: only ever compared with the age of a local store."""
    return int(time() * 1000)
