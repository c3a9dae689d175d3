"""What a run of the fault suite adds up to: published when it was long enough."""

import json
from pathlib import Path

PUBLISHED = Path("bench/results/faults.json")
SHORT = Path(".fsn/faults.json")
PUBLISHED_KILLS = 100


class Tally:
    """Counts over all rounds."""

    def __init__(self, seed):
        self.seed = seed
        self.rounds = self.kills = self.faults = self.records = self.lost = self.duplicated = self.oversold = 0

    def add(self, findings, *, kills, faults=0):
        """A round is over. faults: what was broken besides the kills."""
        self.rounds += 1
        self.kills += kills
        self.faults += kills + faults
        self.records += sum(findings.records.values())
        self.lost += findings.lost
        self.duplicated += findings.duplicated
        self.oversold += findings.oversold

    def write(self, kills_wanted):
        """To the results if it was a run worth publishing, else to an ignored file."""
        path = PUBLISHED if kills_wanted >= PUBLISHED_KILLS else SHORT
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(vars(self), indent=2) + "\n")
