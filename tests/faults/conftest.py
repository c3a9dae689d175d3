"""One tally for the whole run, written at its end even when a battle was lost."""

import pytest

from tests.faults.tally import SEED, Tally


@pytest.fixture(scope="session")
def tally():
    made = Tally(SEED)
    yield made
    if made.battles:
        made.write()
