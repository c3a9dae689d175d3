"""A long silence, then orders again: connections, producer ids and transactional ids have expired meanwhile."""

import time

import pytest

from tests.faults.battle import Battle
from tests.faults.tally import SEED

FORGOTTEN_AFTER_MS = 8_000
SILENCE_S = 25.0
EXPIRY = {
    "connections.max.idle.ms": FORGOTTEN_AFTER_MS,
    "producer.id.expiration.ms": FORGOTTEN_AFTER_MS,
    "producer.id.expiration.check.interval.ms": 1_000,
    "transactional.id.expiration.ms": FORGOTTEN_AFTER_MS,
    "transaction.remove.expired.transaction.cleanup.interval.ms": 1_000,
}

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(300)]


def test_orders_after_a_long_silence_are_processed_once(tmp_path, tally):
    with Battle(
        tmp_path, seed=SEED * 1_000 + 600, workers=2, cluster={"settings": EXPIRY}, orders=300, deltas=4_000
    ) as battle:
        battle.wait(3.0, 5.0)
        with battle.feeder.sending:
            assert battle.is_fed, battle.story("the world has ended before the silence")
            battle.tell("silence")
            time.sleep(SILENCE_S)
            before = sum(battle.ends("orders"))
        battle.faults += 1
        findings = battle.settle(tally)
        assert findings.records["orders"] > before, battle.story("no order has followed the silence")
