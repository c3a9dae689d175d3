"""A whole day through the topology: clean as it is, and every planted fault is named, from the topics alone."""

import io

import msgspec
import pytest
from rich.console import Console

from fsn.report.collect import examine
from fsn.report.findings import Checked, Fault
from fsn.report.latency import Latency
from fsn.report.reader import Log, MemorySource, load_topology
from fsn.report.summary import show
from fsn.report.wire import Wire
from schemas.codec import Codec
from schemas.records.finance import LedgerEntry
from schemas.records.reservations import ReservationConsumed, ReservationGranted, ReservationReleased, StockRouted
from schemas.records.routing import RoutingDecision
from schemas.records.stock import StockDelta, StockSnapshot
from tests.report.day import TOPOLOGY_PATH, day, truth_of

CODEC, WIRE = Codec(), Wire()
SEED = 1


def copied():
    return {place: list(log) for place, log in day(SEED).driver.logs.items()}


def found_in(logs, truth=True):
    planted = truth_of(day(SEED)) if truth else None
    return examine(Log(MemorySource(logs), WIRE), load_topology(TOPOLOGY_PATH), planted)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_clean_day_is_clean(seed):
    made = day(seed)
    found = examine(Log(MemorySource(made.driver.logs), WIRE), load_topology(TOPOLOGY_PATH), truth_of(made))
    assert [str(fault) for fault in found.faults] == []
    assert (found.ok, found.lost, found.duplicated, found.oversold) == (True, 0, 0, 0)
    decisions = found.decisions
    assert decisions.sent == 60 and decisions.split and decisions.rerouted and decisions.states["cancelled"]
    assert found.freshness.silent_blocked == 1 and found.freshness.blocked["gapped"]
    assert found.conserved.counted and found.tracking.late and found.ledger.reconciled
    assert found.alerts.total.recall == found.alerts.total.precision == 1.0
    conserved = found.conserved
    assert conserved.came_in + conserved.counted - conserved.left == conserved.on_hand


def test_without_a_truth_a_clean_day_is_clean_too():
    assert found_in(copied(), truth=False).ok


def places(logs, topic, kind):
    """(log, index, record) of every record of a type."""
    return [
        (log, index, CODEC.decode(raw.value))
        for (name, partition), log in sorted(logs.items())
        if name == topic
        for index, raw in enumerate(log)
        if raw.value != b"garbage" and type(CODEC.decode(raw.value)) is kind
    ]


def rewrite(log, index, record):
    log[index] = msgspec.structs.replace(log[index], value=CODEC.encode(record))


def lose_decision(logs):
    log, index, _ = places(logs, "routing-decisions", RoutingDecision)[0]
    del log[index]


def repeat_decision(logs):
    log, index, _ = places(logs, "routing-decisions", RoutingDecision)[0]
    log.append(msgspec.structs.replace(log[index], offset=log[-1].offset + 1))


def lose_grant(logs):
    log, index, _ = places(logs, "stock-offers", ReservationGranted)[0]
    del log[index]


def oversell(logs):
    log, index, record = places(logs, "stock-offers", ReservationGranted)[0]
    state = record.items[0]
    state = msgspec.structs.replace(state, on_hand=state.reserved + state.held - 1)
    rewrite(log, index, msgspec.structs.replace(record, items=(state, *record.items[1:])))


def miscount_stock(logs):
    # One that no order was told: its answer would tell of the same revision, and differ from it.
    told = {
        (record.variant_id, item.location_id, item.revision)
        for kind in (ReservationGranted, ReservationReleased, ReservationConsumed, StockRouted)
        for _, _, record in places(logs, "stock-offers", kind)
        for item in getattr(record, "items", ())
    }
    last = {
        (entry[2].variant_id, entry[2].location_id): entry for entry in places(logs, "stock-snapshots", StockSnapshot)
    }
    log, index, record = next(entry for place, entry in last.items() if (*place, entry[2].revision) not in told)
    rewrite(log, index, msgspec.structs.replace(record, on_hand=record.on_hand + 1))


def swallow_delta(logs):
    log, index, record = next(
        entry for entry in places(logs, "stock-deltas", StockDelta) if entry[2].location_id == "acme|loc_bremen"
    )
    rewrite(log, index, msgspec.structs.replace(record, quantity=record.quantity + 1))


def repeat_input(logs):
    log, index, _ = places(logs, "stock-deltas", StockDelta)[0]
    log.append(msgspec.structs.replace(log[index], offset=log[-1].offset + 1))


def cook_books(logs):
    log, index, record = places(logs, "ledger-entries", LedgerEntry)[0]
    sides = tuple(
        msgspec.structs.replace(side, debit_minor=side.debit_minor and 1, credit_minor=side.credit_minor and 1)
        for side in record.postings
    )
    rewrite(log, index, msgspec.structs.replace(record, postings=sides))


def lose(topic):
    def lose_one(logs):
        log = max((log for (name, _), log in logs.items() if name == topic), key=len)
        del log[len(log) // 2]

    return lose_one


def garble(logs):
    log = next(log for (name, _), log in sorted(logs.items()) if name == "location-requests" and log)
    log[0] = msgspec.structs.replace(log[0], value=b"garbage")


PLANTED = [
    (lose_decision, "every output written once", "lost"),
    (repeat_decision, "one decision per attempt", "duplicated"),
    (lose_grant, "reserved = live reservations", "lost"),
    (lose_grant, "a plan stands on grants", "lost"),
    (oversell, "nothing is oversold", "oversold"),
    (miscount_stock, "stock is conserved", "duplicated"),
    (swallow_delta, "stock is conserved", "lost"),
    (repeat_input, "every record consumed once", "lost"),
    (cook_books, "an unbroken chain", None),
    (lose("task-manifests"), "transactions are numbered", "lost"),
    (lose("reconciliation-alerts"), "alerts = planted", "lost"),
    (lose("dead-letters"), "dead letters = planted", "lost"),
    (lose("routing-audits"), "every output written once", "lost"),
    (lose("settlements"), "records there = records sent", "lost"),
    (lose("ledger-entries"), "every output written once", "lost"),
    (lose("feed-status"), "every output written once", "lost"),
]


@pytest.mark.parametrize(("plant", "promise", "number"), PLANTED)
def test_a_planted_fault_is_named(plant, promise, number):
    logs = copied()
    plant(logs)
    found = found_in(logs)
    assert promise in {fault.check for fault in found.faults}
    assert number is None or getattr(found, number) > 0


def test_what_fsn_garbles_is_named():
    logs = copied()
    garble(logs)
    log = Log(MemorySource(logs), WIRE)
    log.records("location-requests")
    found = examine(log, load_topology(TOPOLOGY_PATH))
    assert [fault.check for fault in found.faults] == ["FSN writes what the schemas say"]


def told(findings, latency=None):
    console = Console(file=io.StringIO(), width=80)
    fine = show(findings, console, latency=latency)
    return fine, console.file.getvalue()


def test_the_report_of_a_clean_day():
    probed = Latency(Checked("every probe is answered", 3, ()), (4.0, 5.0, 90.0), 1, ("a", "b", "c", "d"))
    fine, text = told(found_in(copied()), probed)
    assert fine
    for words in ("routed", "split", "rerouted", "oversold units", "stale feeds blocked", "AMOUNT_MISMATCH", "100.0 %",
                  "UNDECODABLE", "delivered", "11 audit", "Every promise was kept", "p99", "90 ms", "parked instead"):  # fmt: skip
        assert words in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_report_names_what_is_off():
    logs = copied()
    for partition in range(4):
        logs["routing-decisions", partition] = []
    fine, text = told(found_in(logs))
    assert not fine
    assert "things are off" in text and "no order is lost" in text and "more" in text


def test_an_unanswered_probe_is_off():
    lost = (Fault("every order is answered", "acme|probe|1", "no word", lost=1),)
    probed = Latency(Checked("every probe is answered", 1, lost), (), 0, ("acme|probe|1",))
    fine, text = told(found_in(copied()), probed)
    assert not fine and "acme|probe|1" in text


def test_percentiles_are_nearest_ranks():
    measured = Latency(Checked("", 0, ()), tuple(float(ms) for ms in range(1, 201)), 0, ())
    assert (measured.percentile(0.5), measured.percentile(0.99), measured.percentile(1.0)) == (100.0, 198.0, 200.0)
    assert Latency(Checked("", 0, ()), (), 0, ()).percentile(0.99) == 0.0
