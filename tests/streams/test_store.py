"""The local store: one write for rows and position, due timers as a prefix, and no trust where none is due."""

import multiprocessing
import resource

import pytest

from streams.changelog import DELETE_RETENTION_MS, now_ms, open_store
from streams.errors import StoreError
from streams.store import LAYOUT_VERSION, LocalStore, StoreMeta, parse_timer_key, timer_key


def meta(changelog="changelog@1", partitions=4, layout=LAYOUT_VERSION, position=7, touched_at=None):
    return StoreMeta(changelog, partitions, layout, position, now_ms() if touched_at is None else touched_at)


def test_rows_and_position_survive_together(tmp_path):
    store = LocalStore(tmp_path / "0")
    store.write([(b"t|a", b"1"), (b"t|b", b"2")], meta(position=5))
    store.write([(b"t|a", None)], meta(position=9))
    store.close()
    again = LocalStore(tmp_path / "0")
    assert (again.get(b"t|a"), again.get(b"t|b"), again.meta().position) == (None, b"2", 9)
    assert list(again.rows()) == [(b"t|b", b"2")]
    again.close()


def test_due_timers_come_in_firing_order_and_no_others(tmp_path):
    store = LocalStore(tmp_path / "0")
    timers = [(30, "b.x", "k"), (10, "b.x", "k|1"), (10, "a.x", "z"), (31, "a.x", "k")]
    store.write([(timer_key(*timer), b"1") for timer in timers] + [(b"t|a", b"1")], meta())
    assert [parse_timer_key(raw) for raw in store.due_timers(0, 30)] == [
        (10, "a.x", "z"),
        (10, "b.x", "k|1"),
        (30, "b.x", "k"),
    ]
    store.close()


@pytest.mark.parametrize(
    ("stored", "trusted"),
    [
        (meta(), True),
        (meta(changelog="changelog@2"), False),  # the topic was made anew
        (meta(partitions=12), False),
        (meta(layout=LAYOUT_VERSION + 1), False),
        (meta(touched_at=1), False),  # deletions may have been compacted away meanwhile
        (meta(touched_at=now_ms() - DELETE_RETENTION_MS // 2), True),
    ],
)
def test_a_store_of_another_epoch_is_dropped(tmp_path, stored, trusted):
    store = LocalStore(tmp_path / "0")
    store.write([(b"t|a", b"1")], stored)
    store.close()
    again, found = open_store(tmp_path / "0", changelog="changelog@1", partitions=4)
    assert (again.get(b"t|a") is not None) is trusted
    assert found.position == (7 if trusted else 0)
    again.close()


def test_a_corrupted_store_is_dropped(tmp_path):
    store = LocalStore(tmp_path / "0")
    store.write([(b"t|a", b"1")], meta())
    store.close()
    for file in (tmp_path / "0").iterdir():
        file.write_bytes(b"\x00rubbish")
    again, found = open_store(tmp_path / "0", changelog="changelog@1", partitions=4)
    assert (again.get(b"t|a"), found.position) == (None, 0)
    again.close()


def test_a_full_disk_is_named_and_room_mends_it(tmp_path):
    """In a process of its own: a limit on file sizes stands for the disk."""
    child = multiprocessing.get_context("spawn").Process(target=write_without_room, args=(tmp_path / "0",))
    child.start()
    child.join(60)
    assert child.exitcode == 0


def write_without_room(path):
    store = LocalStore(path)
    store.write([(b"t|small", b"x")], meta())
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    with pytest.raises(StoreError, match=r"cannot write .*free or enlarge the disk"):
        store.write([(b"t|large", b"x" * 200_000)], meta())
    store.close()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    LocalStore.drop(path)
    LocalStore(path).write([(b"t|large", b"x" * 200_000)], meta())
