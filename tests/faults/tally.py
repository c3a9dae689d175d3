"""What a run of the fault suite adds up to, over all its tests: published when it was long enough."""

import json
import os
from pathlib import Path

KILLS = int(os.environ.get("KILLS", "25"))
"""How many workers test_kills.py kills."""
SEED = int(os.environ.get("SEED", "1"))
PUBLISHED = Path("bench/results/faults.json")
SHORT = Path(".fsn/faults.json")
PUBLISHED_KILLS = 100


class Tally:
    """Counts over all battles."""

    def __init__(self, seed):
        self.seed = seed
        self.battles = self.kills = self.faults = self.records = self.lost = self.duplicated = self.oversold = 0

    def add(self, findings, *, kills, faults):
        """A battle is over. faults: all that was broken, the kills of workers among them."""
        self.battles += 1
        self.kills += kills
        self.faults += faults
        self.records += sum(findings.records.values())
        self.lost += findings.lost
        self.duplicated += findings.duplicated
        self.oversold += findings.oversold

    def write(self):
        """To the results if it was a run worth publishing, else to an ignored file; whatever was found."""
        path = PUBLISHED if self.kills >= PUBLISHED_KILLS else SHORT
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(vars(self), indent=2) + "\n")
