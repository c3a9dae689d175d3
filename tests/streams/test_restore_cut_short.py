"""A restore killed at any moment leaves rows up to a position, and that position; the next one goes on from there.

The process that restores ends itself by SIGKILL, as a worker out of luck would; what it left is compared with what the
log says up to the position that the store claims.
"""

import multiprocessing
import os
import signal
import uuid

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

import streams.changelog
from streams.changelog import now_ms, restore
from streams.store import LAYOUT_VERSION, LocalStore, StoreMeta
from streams.transaction import TaskProducer

ROWS_PER_TRANSACTION = 2_000
TRANSACTIONS = 40
KEYS = 30_000
EPOCH = StoreMeta("changelog@1", 1, LAYOUT_VERSION, 0, now_ms())


@pytest.fixture(scope="module")
def changelog(broker):
    """Topic, and its committed rows as (offset, key, value), in order: updates, deletions, every fifth transaction aborted."""
    topic = f"cut-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(topic, 1, 1, config={"retention.ms": "-1"})])[topic].result()
    producer = TaskProducer({"bootstrap.servers": broker}, f"id-{topic}", f"group-{topic}")
    producer.initialize()
    written = []
    for number in range(TRANSACTIONS):
        rows = [row(number, step) for step in range(ROWS_PER_TRANSACTION)]
        producer.begin()
        producer.send_rows(topic, 0, rows)
        if number % 5 == 4:
            producer._producer.flush(10)  # else the abort would take them back unsent
            producer.abort()
        else:
            end = producer.commit()
            written += [(end - len(rows) + step, *each) for step, each in enumerate(rows)]
    producer.close()
    return topic, written


def row(number, step):
    key = b"t|%06d" % ((number * ROWS_PER_TRANSACTION + step) * 7919 % KEYS)
    return key, None if step % 11 == 0 else b"%d|%d|" % (number, step) + os.urandom(400)


def folded(written, position):
    rows = {key: value for offset, key, value in written if offset < position}
    return {key: value for key, value in rows.items() if value is not None}


def restored(broker, topic, path, **settings):
    store = LocalStore(path)
    try:
        return restore(
            {"bootstrap.servers": broker}, store, store.meta() or EPOCH, topic=topic, partition=0, **settings
        )
    finally:
        store.close()


def contents(path):
    store = LocalStore(path)
    try:
        return dict(store.rows()), store.meta()
    finally:
        store.close()


def restore_and_die(broker, topic, path, at):
    streams.changelog.CONSUME_RECORDS_MAX = 1_000

    def die(position, _):
        if position >= at:
            os.kill(os.getpid(), signal.SIGKILL)

    restored(broker, topic, path, progress=die)


def restore_write_and_die(broker, topic, path):
    store = LocalStore(path)
    meta = restore({"bootstrap.servers": broker}, store, EPOCH, topic=topic, partition=0)
    later = StoreMeta(meta.changelog, meta.partitions, meta.layout, meta.position + 2, now_ms())
    store.write([(b"t|later", b"1")], later)
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_process_that_dies(target, *arguments):
    child = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("at", [1, 20_000, 61_000, 79_000])
def test_what_a_killed_restore_left_is_what_the_log_says_up_to_its_position(broker, changelog, tmp_path, at):
    topic, written = changelog
    in_a_process_that_dies(restore_and_die, broker, topic, tmp_path / "0", at)
    rows, meta = contents(tmp_path / "0")
    assert rows == folded(written, 0 if meta is None else meta.position)
    end = restored(broker, topic, tmp_path / "0").position
    assert end > written[-1][0]
    assert contents(tmp_path / "0")[0] == folded(written, end)


def test_a_restore_that_is_told_to_stop_leaves_rows_and_position_together(broker, changelog, tmp_path, monkeypatch):
    topic, written = changelog
    monkeypatch.setattr(streams.changelog, "CONSUME_RECORDS_MAX", 1_000)
    seen = [0]
    told = {"progress": lambda position, _: seen.append(position), "should_stop": lambda: seen[-1] >= 20_000}
    left = restored(broker, topic, tmp_path / "0", **told)
    rows, meta = contents(tmp_path / "0")
    assert 20_000 <= left.position < written[-1][0]
    assert (rows, meta.position) == (folded(written, left.position), left.position)


def test_what_was_restored_survives_a_kill_after_the_next_transaction(broker, changelog, tmp_path):
    """Writes of transactions are logged, those of a restore are not: replayed alone they would claim what is not there."""
    topic, written = changelog
    in_a_process_that_dies(restore_write_and_die, broker, topic, tmp_path / "0")
    rows, meta = contents(tmp_path / "0")
    assert rows == {**folded(written, meta.position), b"t|later": b"1"}


def test_a_store_that_is_up_to_date_is_only_touched(broker, changelog, tmp_path):
    topic, _ = changelog
    end = restored(broker, topic, tmp_path / "0").position
    rows, before = contents(tmp_path / "0")
    assert restored(broker, topic, tmp_path / "0").position == end
    same, after = contents(tmp_path / "0")
    assert (same, after.position) == (rows, end)
    assert after.touched_at > before.touched_at
