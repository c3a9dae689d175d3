"""Workers die everywhere: nothing is lost, nothing happens twice, nothing is oversold.

`make test-faults` kills 25 times; `KILLS=120 make test-faults` is the published run. `SEED` repeats one.
"""

import os
import random
from itertools import chain

import pytest

from streams.faults import ASSIGNMENT_STEPS, TRANSACTION_STEPS
from tests.faults.battle import Battle
from tests.faults.tally import Tally

KILLS = int(os.environ.get("KILLS", "25"))
SEED = int(os.environ.get("SEED", "1"))
ROUND_KILLS = 12
COUNT_MAX = 40
"""How often a step of a transaction may be reached before the worker dies there."""
ASSIGNMENT_COUNT_MAX = 4

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(3_600)]


STEPS = dict.fromkeys(TRANSACTION_STEPS, COUNT_MAX) | dict.fromkeys(ASSIGNMENT_STEPS, ASSIGNMENT_COUNT_MAX)
RANDOM_MOMENTS = 3
"""With these, one death at each step makes 25 kills: a worker is killed to arm it, and again by itself."""


def deaths(chance):
    """(step, count) or None for a random moment: first every step once, then whatever the seed says."""
    first = [*STEPS, *[None] * RANDOM_MOMENTS]
    chance.shuffle(first)
    for step in chain(first, iter(lambda: chance.choice([*STEPS, None]), ...)):
        yield step and (step, chance.randrange(1, STEPS[step]))


def test_nothing_is_lost_and_nothing_is_twice_whatever_dies(tmp_path):
    tally, plan, died = Tally(SEED), deaths(random.Random(SEED)), set()
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
                elif battle.kill_at(name, *death):
                    died.add(death[0])
                else:
                    plan = chain([death], plan)
                battle.wait(0.0, 2.0)
                if not battle.workers[name].is_alive:
                    battle.start(name)
            findings = battle.verdict()
            assert [str(fault) for fault in findings.faults] == [], battle.story("")
            tally.add(findings, kills=battle.kills)
    assert died == set(STEPS) or KILLS < 25, f"nobody died at {set(STEPS) - died}"
    tally.write(KILLS)
