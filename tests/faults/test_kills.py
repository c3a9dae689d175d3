"""Workers die everywhere: nothing is lost, nothing happens twice, nothing is oversold.

`make test-faults` kills 25 times; `KILLS=120 make test-faults` is the published run. `SEED` repeats one. Every worker is
doomed from its start: to die by itself when it reaches a step, or by SIGKILL at a random moment. A run that is long
enough to have every step does not end before a worker has died at each.
"""

import random
import time

import pytest

from streams.faults import ASSIGNMENT_STEPS, TRANSACTION_STEPS
from tests.faults.battle import Battle
from tests.faults.tally import KILLS, SEED

ROUND_KILLS = 15
ROUNDS_MAX = 4 + KILLS // 3
EVERY_STEP_FROM = 25
"""With fewer kills than that a run need not have every step."""
STEPS = dict.fromkeys(TRANSACTION_STEPS, 60) | dict.fromkeys(ASSIGNMENT_STEPS, 3)
"""How often a step may be reached before the worker dies there, at most: a worker has few partitions to be assigned."""
RANDOM_MOMENTS = 4
STEP_WITHIN_S = 25.0

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(3_600)]


class Plan:
    """How the next worker dies: first at every step once, between random moments, then as the seed says."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.missing = set(STEPS)
        self.queue = [*STEPS, *[None] * RANDOM_MOMENTS]
        self.chance.shuffle(self.queue)

    def next(self):
        """A step, or None for a random moment."""
        return self.queue.pop(0) if self.queue else self.chance.choice([*STEPS, None])

    def came(self, step):
        self.missing.discard(step)

    def did_not_come(self, step):
        if step in self.missing:
            self.queue.append(step)


def slay(battle, plan, kills):
    """Workers die until so many have, or until the world has ended."""
    doom = {name: (None, time.monotonic() + plan.chance.uniform(1.0, 8.0)) for name in battle.workers}
    while battle.is_fed and battle.kills < kills:
        time.sleep(0.1)
        for name, (step, until) in doom.items():
            if not battle.workers[name].is_alive:
                battle.died(name, step)
                plan.came(step)
            elif time.monotonic() > until:
                battle.kill(name)
                plan.did_not_come(step)
            else:
                continue
            doom[name] = sent_to_die(battle, name, plan)
    for name, (step, _) in doom.items():
        battle.kill(name)
        plan.did_not_come(step)


def sent_to_die(battle, name, plan):
    """Start a worker; (the step it dies at, when it is killed in any case)."""
    step = plan.next()
    if step is None:
        battle.start(name)
        return None, time.monotonic() + plan.chance.uniform(0.5, 8.0)
    battle.start(name, fault_point=f"{step}:{plan.chance.randint(1, STEPS[step])}")
    return step, time.monotonic() + STEP_WITHIN_S


def test_nothing_is_lost_and_nothing_is_twice_whatever_dies(tmp_path, tally):
    plan, killed, number = Plan(SEED), 0, 0
    while killed < KILLS or (KILLS >= EVERY_STEP_FROM and plan.missing):
        assert number < ROUNDS_MAX, f"after {killed} kills nobody has died at {sorted(plan.missing)}"
        workers, membership = (2, "dynamic") if number % 2 == 0 else (3, "static")
        folder = tmp_path / f"round-{number}"
        with Battle(folder, seed=SEED * 1_000 + number, workers=workers, membership=membership) as battle:
            slay(battle, plan, ROUND_KILLS)
            battle.settle(tally)
            killed += battle.kills
        number += 1
