"""Workers that block, freeze, restart one after the other, lose or spoil their tables, or find the disk full.

One battle for as many of them as happen while its world plays: each fault meets what the one before has left.
"""

import random
import resource
import shutil
import time

import pytest

from streams.task import COMMIT_LIMIT_S
from tests.faults.battle import SESSION_S, TRANSACTION_TIMEOUT_S, fight
from tests.faults.tally import SEED

FROZEN_S = 15.0
"""Longer than a session and longer than a transaction may last."""
GIVEN_UP_WITHIN_S = COMMIT_LIMIT_S + 60
DISK_BYTES = 300_000
DISK_FULL_S = 10.0

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(1_800)]


def a_zombie_comes_back(battle):
    """Others have its tasks when it wakes, and it finds out."""
    name = battle.any()
    zombie, others = battle.mark(name), battle.mark(*(other for other in battle.workers if other != name))
    battle.workers[name].freeze()
    battle.tell(f"freeze {name}")
    try:
        time.sleep(FROZEN_S)
        battle.wait_for_word(others, "ready after")
    finally:
        battle.workers[name].thaw()
    battle.tell(f"thaw {name}")
    battle.wait_for_word(zombie, "fenced:", "no longer ours", "local member_id was not recognized")


def a_short_sleep(battle):
    """Too short to be thrown out of the group."""
    name = battle.any()
    battle.workers[name].freeze()
    time.sleep(SESSION_S / 3)
    battle.workers[name].thaw()
    battle.tell(f"{name} slept")


def a_rolling_restart(battle):
    for name, worker in battle.workers.items():
        assert worker.stop() == 0, battle.story(f"{name} did not drain")
        battle.start(name)
        battle.workers[name].wait_until_ready()


def a_table_is_lost(battle):
    name = battle.any()
    battle.kill(name)
    assert list(battle.tables(name).glob("[0-9]*/*.sst")) + list(battle.tables(name).glob("[0-9]*/*.log"))
    shutil.rmtree(battle.tables(name))
    battle.start(name)


def tables_are_spoilt(battle):
    """Bytes in the middle of every file of a worker's tables, as a bad disk would leave them."""
    name = battle.any()
    battle.kill(name)
    chance = random.Random(SEED)
    for file in sorted(battle.tables(name).glob("[0-9]*/*")):
        size = file.stat().st_size
        if size:
            with file.open("r+b") as spoilt:
                spoilt.seek(chance.randrange(size))
                spoilt.write(chance.randbytes(64))
    mark = battle.mark(name)
    battle.start(name)
    battle.wait_for_word(mark, "dropping the local store")


def a_rebalance_meets_a_restore(battle):
    """A restore waits half-way, and meanwhile another worker leaves and comes back."""
    first, second = sorted(battle.workers)[:2]
    battle.kill(first)
    shutil.rmtree(battle.tables(first))
    mark = battle.mark(first)
    battle.start(first, fault_point="restoring:1:pause")
    battle.wait_for_word(mark, "fault point restoring:1:pause is reached")
    battle.workers[second].stop()
    battle.wait(0.2, 2.0)
    battle.start(second)


def the_disk_is_full(battle):
    """No file of the worker may grow; then there is room again."""
    name = battle.any()
    worker, mark = battle.workers[name], battle.mark(name)
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (DISK_BYTES, resource.RLIM_INFINITY))
    battle.tell(f"the disk of {name} is full")
    try:
        time.sleep(DISK_FULL_S)
        battle.wait_for_word(mark, "cannot write")
        assert worker.is_alive, battle.story(f"{name} has died of a full disk: {worker.said()}")
    finally:
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    battle.tell(f"{name} has room again")


def a_call_never_comes_back(battle):
    """librdkafka blocks inside a transaction and heeds no time-out: the task gives the call up and begins again."""
    name = battle.any()
    assert battle.workers[name].stop() == 0, battle.story(f"{name} did not drain")
    mark = battle.mark(name)
    battle.start(name, fault_point="rows:20:block")
    battle.wait_for_word(mark, "its thread is given up", within_s=GIVEN_UP_WITHIN_S)


def one_never_comes_back(battle):
    """Others restore what it had, and work with it to the end."""
    name = battle.any()
    others = battle.mark(*(other for other in battle.workers if other != name))
    battle.bury(name)
    battle.wait_for_word(others, "ready after")


FAULTS = (
    a_call_never_comes_back,
    a_zombie_comes_back,
    a_short_sleep,
    a_rolling_restart,
    a_table_is_lost,
    tables_are_spoilt,
    a_rebalance_meets_a_restore,
    the_disk_is_full,
    one_never_comes_back,
)


def test_whatever_happens_to_workers_the_books_are_right(tmp_path, tally):
    settings = {"transaction_timeout_s": TRANSACTION_TIMEOUT_S}
    fight(tmp_path, FAULTS, tally, seed=SEED * 1_000 + 500, workers=3, settings=settings, orders=1_500, deltas=25_000)
