"""Workers die everywhere: nothing is lost, nothing happens twice, nothing is oversold.

`make test-faults` kills 25 times; `KILLS=120 make test-faults` is the published run. `SEED` repeats one.
"""

import os
import random

import pytest

from streams.faults import ASSIGNMENT_STEPS, TRANSACTION_STEPS
from tests.faults.battle import Battle
from tests.faults.tally import Tally

KILLS = int(os.environ.get("KILLS", "25"))
SEED = int(os.environ.get("SEED", "1"))
ROUND_KILLS = 12
COUNT_MAX = 40
"""How often a step may be reached before the worker dies there."""

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(3_600)]


def deaths(chance):
    """Every step of a transaction and of an assignment, and random moments, in an order of the seed's."""
    steps = [(step, chance.randrange(1, COUNT_MAX)) for step in TRANSACTION_STEPS]
    steps += [(step, chance.randrange(1, 4)) for step in ASSIGNMENT_STEPS]
    chance.shuffle(steps)
    while True:
        for step in steps:
            yield from [step, None] if chance.random() < 0.5 else [step]


def test_nothing_is_lost_and_nothing_is_twice_whatever_dies(tmp_path):
    tally, plan = Tally(SEED), deaths(random.Random(SEED))
    while tally.kills < KILLS:
        number = tally.rounds
        workers, membership = (2, "dynamic") if number % 2 == 0 else (3, "static")
        folder = tmp_path / f"round-{number}"
        with Battle(folder, seed=SEED * 1_000 + number, workers=workers, membership=membership) as battle:
            while battle.is_fed and battle.kills < min(ROUND_KILLS, KILLS - tally.kills):
                battle.wait(0.5, 6.0)
                name, death = battle.any(), next(plan)
                if death is None:
                    battle.kill(name)
                else:
                    battle.kill_at(name, *death)
                battle.wait(0.0, 2.0)
                if not battle.workers[name].is_alive:
                    battle.start(name)
            findings = battle.verdict()
            assert [str(fault) for fault in findings.faults] == [], battle.story("")
            tally.add(findings, kills=battle.kills)
    tally.write(KILLS)
