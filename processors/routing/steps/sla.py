"""Step 3, SLA: does the parcel arrive by the promised date?

now + handling time, then the next cut-off in the location's own calendar, then the carrier's transit. Fence: no
account arrives in time (without any account, handling and cut-off alone count, and step 4 says the rest). Rating: the
slack between arrival and promise; where nothing was promised nothing is fenced, and slack is measured against a date
the rules assume.
"""

from processors.routing.score import rate
from processors.routing.steps.carrier import Arrivals
from processors.routing.words import OK, Verdict
from processors.rules import Rules


def fence(earliest_at: int, promised_at: int | None) -> Verdict:
    """earliest_at: arrival by the fastest account."""
    return OK if promised_at is None or earliest_at <= promised_at else Verdict.TOO_LATE


def in_time(arrivals: Arrivals, promised_at: int) -> Arrivals:
    """The accounts that keep the promise."""
    return tuple([arrival for arrival in arrivals if arrival[0] <= promised_at])


def rating(slack_ms: int, rules: Rules) -> int:
    """More slack is better."""
    return rate(slack_ms, worst=rules.slack_worst_ms, best=rules.slack_best_ms)
