"""What an output or a row may measure: the broker counts the key, and headers, and refuses the whole transaction."""

import pytest

from schemas.codec import Codec
from schemas.records.engine import Tick
from schemas.records.operations import OperationalAlert
from schemas.topology import load
from streams.errors import OutputTooLarge
from streams.machine import ENGINE_STAGE, Raw
from streams.unit import UnitOfWork
from tests.streams import tally

TOPOLOGY = load("tests/streams/tally.yaml")
LIMIT = TOPOLOGY.topics["changelog"].max_record_bytes


class Empty:
    def get(self, key):
        return None


@pytest.fixture
def unit():
    made = UnitOfWork(TOPOLOGY, (ENGINE_STAGE, tally.STAGE), Codec(), Empty())
    made.begin_record(Raw("stock-deltas", 0, 1, 1_000, b"k", b"v"))
    return made


def longest(value_bytes):
    """The longest key beside a value of this size."""
    return "k" * (LIMIT - value_bytes)


def test_an_output_is_measured_with_its_key_and_headers(unit):
    alert = OperationalAlert("id", "acme|v1", "CLOSED", 0, 1, "", "open", 1)
    unit.emit("operational-alerts", "k", alert)
    headers = sum(len(name) + len(value) for name, value in unit.outputs[0].headers)
    longest_key = longest(len(Codec().encode(alert)) + headers)
    unit.emit("operational-alerts", longest_key, alert)
    assert len(unit.outputs[1].headers) == len(unit.outputs[0].headers) > 0
    with pytest.raises(OutputTooLarge, match=f"a record of {LIMIT + 1} bytes for operational-alerts"):
        unit.emit("operational-alerts", longest_key + "k", alert)


def test_a_broadcast_is_measured_with_its_key(unit):
    size = len(Codec().encode(Tick(1)))
    unit.broadcast("clock", longest(size), Tick(1))
    with pytest.raises(OutputTooLarge, match=f"a record of {LIMIT + 1} bytes for clock"):
        unit.broadcast("clock", longest(size) + "k", Tick(1))


@pytest.mark.parametrize("measured", [UnitOfWork.changes, UnitOfWork.check_rows])
def test_a_row_is_measured_with_its_key(unit, measured):
    unit.put(tally.SUMS, longest(1_000), tally.Sum(1, 1))
    measured(unit)
    unit.put(tally.SUMS, longest(0), tally.Sum(1, 1))
    with pytest.raises(OutputTooLarge, match="for changelog"):
        measured(unit)


def test_a_timer_is_measured_by_its_key(unit):
    unit.wake(2_000, "tally.close", "k" * (LIMIT // 4))
    with pytest.raises(OutputTooLarge, match="for changelog"):
        unit.wake(2_000, "tally.close", "k" * (LIMIT // 4 + 1))
