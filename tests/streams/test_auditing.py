"""Audits: sums over what a batch changed; one that fails is a dead letter, and stops nothing."""

from pathlib import Path

import msgspec
import pytest

from processors.step import ABSENT
from schemas.records.stock import StockDelta
from schemas.topology import load
from streams.auditing import Auditor
from streams.testing import TopologyDriver
from tests.streams import tally

TOPOLOGY = load(Path(__file__).with_name("tally.yaml"))
T0 = 1_700_000_000_000
AUDITED = msgspec.structs.replace(
    tally.STAGE, name="audit", handlers={}, tables=(), timers={}, projections={}, gauges={}
)


def units(key, before, after):
    return (("units", key, (0 if after is ABSENT else after.units) - (0 if before is ABSENT else before.units)),)


def run(audit, settle, *quantities):
    """What the audit heard, and the dead letters' details, of one batch for each tuple of quantities."""
    heard = []
    stage = msgspec.structs.replace(
        AUDITED, audits={"sums": audit}, settle=settle or (lambda *given: heard.append(given[:3]))
    )
    driver = TopologyDriver(TOPOLOGY, (tally.STAGE, stage), start_at=T0)
    driver.publish()
    for batch in quantities:
        for number, quantity in enumerate(batch):
            delta = StockDelta("f", "l", "acme|v", None, "s", number, None, quantity, "receipt", None, T0)
            driver.send_raw("stock-deltas", b"acme|v", driver.codec.encode(delta), run=False)
        driver.run()
    return heard, [letter.detail for letter in driver.read("dead-letters")], driver


def test_a_batch_is_summed_as_a_whole_against_what_was_there_before():
    heard, letters, _ = run(units, None, (3, 4), (-7,))
    assert heard == [("units", "l", 7), ("units", "l", -7)]
    assert not letters


def test_an_account_that_cancels_out_is_not_heard_of():
    assert run(lambda *row: (*units(*row), ("units", row[0], -7)), None, (3, 4))[0] == []


def test_an_audit_that_fails_is_a_dead_letter_and_the_batch_stands():
    def fails(*_):
        raise ZeroDivisionError("in an audit")

    heard, letters, driver = run(fails, None, (3,))
    assert (heard, len(letters)) == ([], 1)
    assert "audit" in letters[0] and "in an audit" in letters[0]
    assert [row.units for row in driver.rows(tally.SUMS).values()] == [3]


def test_a_stage_that_cannot_say_what_it_found_leaves_nothing_behind():
    def settle(_invariant, account, _units, ctx):
        ctx.put(tally.SUMS, account, msgspec.structs.replace(ctx.get(tally.SUMS, account), units=99))
        raise LookupError("in settling")

    _, letters, driver = run(units, settle, (3,))
    assert len(letters) == 1 and "units|l" in letters[0] and "in settling" in letters[0]
    assert [row.units for row in driver.rows(tally.SUMS).values()] == [3]


def test_a_stage_without_audits_is_not_asked():
    assert list(Auditor((AUDITED,)).run(None)) == []


def test_a_stage_that_audits_and_would_hear_of_nothing_is_refused_at_the_start():
    with pytest.raises(ValueError, match="audit audits sums and hears of nothing"):
        Auditor((msgspec.structs.replace(AUDITED, audits={"sums": units}),))
