"""Collect: every topic read once, every checker run, all findings in one value.

In: where the topics are, topology.yaml, and the truth when there is one. Out: `Findings`: what each checker found, and
the three numbers: lost, duplicated, oversold. Kill tests call it without a truth; the demo's report prints it.

Topics are read one after the other and dropped as soon as the last checker has seen them: memory stays at the largest
two. A topic whose records no checker needs is only counted, for its number is held against what the tasks say they
wrote.
"""

import gc
from pathlib import Path

import msgspec

from fsn.report.alerts import AlertFindings, OperationFindings, check_alerts, check_operations
from fsn.report.assignments import AssignmentFindings, check_assignments
from fsn.report.conservation import Conserved, Fold, check_conserved, feeds_of
from fsn.report.deadletters import LetterFindings, check_letters, positions_of
from fsn.report.decisions import DecisionFindings, check_decisions, meanings_of
from fsn.report.explain import choose
from fsn.report.findings import Checked, Fault
from fsn.report.freshness import FreshnessFindings, check_freshness, limits_of
from fsn.report.ledger import LedgerFindings, check_ledger
from fsn.report.manifests import History, check_manifests, read_history
from fsn.report.oversold import StockFindings, check_stock
from fsn.report.planted import check_planted
from fsn.report.reader import Counted, KafkaSource, Log, Position, Read, Topology, load_topology
from fsn.report.tracking import TrackingFindings, check_tracking
from fsn.report.truth import Truth, load_truth
from fsn.report.wire import partition_of


class Findings(msgspec.Struct, frozen=True):
    """All that was found."""

    stock: StockFindings
    conserved: Conserved
    inbound: Checked
    decisions: DecisionFindings
    assignments: AssignmentFindings
    freshness: FreshnessFindings
    ledger: LedgerFindings
    alerts: AlertFindings
    operations: OperationFindings
    tracking: TrackingFindings
    letters: LetterFindings
    consumed: Checked
    planted: Checked
    readable: Checked
    records: dict[str, int]
    """Records by topic."""
    example: tuple[Read, Read] | None
    """A decision worth telling, and its audit."""

    @property
    def checks(self) -> tuple[Checked, ...]:
        """Every checker's word."""
        return (
            self.consumed,
            self.readable,
            self.planted,
            self.decisions.checked,
            self.assignments.checked,
            self.stock.checked,
            self.conserved.checked,
            self.inbound,
            self.freshness.checked,
            self.tracking.checked,
            self.ledger.checked,
            self.alerts.checked,
            self.operations.checked,
            self.letters.checked,
        )

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything that is off."""
        return tuple(fault for checked in self.checks for fault in checked.faults)

    @property
    def lost(self) -> int:
        """What went in and left no trace."""
        return sum(fault.lost for fault in self.faults)

    @property
    def duplicated(self) -> int:
        """What happened twice."""
        return sum(fault.duplicated for fault in self.faults)

    @property
    def oversold(self) -> int:
        """Units granted beyond what was there."""
        return sum(fault.oversold for fault in self.faults)

    @property
    def ok(self) -> bool:
        """Whether nothing is off."""
        return not self.faults


def collect(
    brokers: str, topology_path: Path, truth_path: Path | None = None, *, extra_orders: frozenset[str] = frozenset()
) -> Findings:
    """Read a broker's topics and check everything.

    Args:
        extra_orders: orders that were sent beside those of the truth, as by a latency probe
    """
    truth = None if truth_path is None else load_truth(truth_path)
    topology = load_topology(topology_path)
    collecting = gc.isenabled()
    gc.disable()  # a hundred thousand fresh dicts, none of them garbage: looking for it took a quarter of the time
    try:
        with KafkaSource(brokers) as source:
            return examine(Log(source), topology, truth, extra_orders=extra_orders)
    finally:
        if collecting:
            gc.enable()


def examine(
    log: Log, topology: Topology, truth: Truth | None = None, *, extra_orders: frozenset[str] = frozenset()
) -> Findings:
    """Check what a log holds."""
    letters = log.records("dead-letters")
    dead = positions_of(letters)
    history = read_history(log.records("task-manifests"), topology)
    network = log.records("network")
    stock, conserved, inbound = _stock(log, topology, dead=dead, history=history, network=network)
    orders = _taken(log, "orders", topology, dead)
    placed = {read.fields["order_id"] for read in orders if read.type == "OrderPlaced"}
    decided, audits = log.records("routing-decisions"), log.records("routing-audits")
    decisions = check_decisions(
        orders, decided, log.records("order-status"), stock.granted, meanings_of(log.records("mappings"))
    )
    assignments = check_assignments(
        log.records("assignments"), _taken(log, "partner-responses", topology, dead), decided
    )
    silences = () if truth is None else truth.silences
    freshness = check_freshness(audits, decided, limits=limits_of(network), silences=silences)
    example = choose(decided, audits)
    del decided, audits, network
    settled = _taken(log, "settlements", topology, dead)
    ledger = check_ledger(log.records("ledger-entries"), settled, log.records("reference-links"), placed)
    parcels = {} if truth is None else truth.parcels
    tracking = check_tracking(log.records("tracking-events"), log.records("shipment-links"), parcels)
    operations = check_operations(log.records("operational-alerts"), log.records("review-queue"), truth)
    raised = log.records("reconciliation-alerts")
    counted = _count_the_rest(log, topology, truth)
    return Findings(
        stock=stock,
        conserved=conserved,
        inbound=inbound,
        decisions=decisions,
        assignments=assignments,
        freshness=freshness,
        ledger=ledger,
        alerts=check_alerts(raised, None if truth is None else truth.discrepancies, counted),
        operations=operations,
        tracking=tracking,
        letters=check_letters(letters, counted, None if truth is None else truth.dead_letters),
        consumed=check_manifests(history, counted, topology),
        planted=check_planted(truth, orders, counted, topology, consumed=stock.consumed, extra_orders=extra_orders),
        readable=_readable(log, topology),
        records={topic: found.total for topic, found in counted.items()},
        example=example,
    )


def _count_the_rest(log: Log, topology: Topology, truth: Truth | None) -> dict[str, Counted]:
    """Every topic that tasks read or write, and those the truth speaks of."""
    sent = () if truth is None else sorted(truth.messages)
    for topic in dict.fromkeys((*topology.sources, *topology.emitted, *sent)):
        log.count(topic)
    return log.counted


def _stock(
    log: Log, topology: Topology, *, dead: frozenset[Position], history: History, network: list[Read]
) -> tuple[StockFindings, Conserved, Checked]:
    """Three views of the stock: what was answered, what the records add up to, and what is on its way."""
    offers, snapshots = log.records("stock-offers"), log.records("stock-snapshots")
    found = check_stock(offers, snapshots)
    fold = Fold(feeds_of(network))
    fold.grants(offers)
    del offers
    # All of their records, for a record that was refused still moves those behind it in the order of processing.
    topics = {topic: log.records(topic) for topic in ("stock-deltas", "mapped-stock", "stock-requests")}
    for partition in range(topology.partitions):
        part = {topic: [read for read in reads if read.partition == partition] for topic, reads in topics.items()}
        for topic, read in history.walk(partition, part):
            if _is_taken(read, topic, topology, dead):
                fold.apply(read)
    return found, check_conserved(fold, found.last), fold.on_its_way.check(snapshots)


def _taken(log: Log, topic: str, topology: Topology, dead: frozenset[Position]) -> list[Read]:
    """The records of a topic that were taken."""
    return [read for read in log.records(topic) if _is_taken(read, topic, topology, dead)]


def _is_taken(read: Read, topic: str, topology: Topology, dead: frozenset[Position]) -> bool:
    """Whether a record is neither garbage, nor dead, nor on another partition than its key's."""
    if not read.type or partition_of(read.key.encode(), topology.partitions) != read.partition:
        return False
    return Position(topic, read.partition, read.offset) not in dead


def _readable(log: Log, topology: Topology) -> Checked:
    """What FSN itself wrote decodes by the committed schemas."""
    own = [topic for topic in topology.emitted if topic not in topology.signed]
    faults = [
        Fault("FSN writes what the schemas say", f"{topic}[{partition}]@{offset}", "decodes to no record of them")
        for topic in own
        for partition, offset in log.unreadable.get(topic, ())
    ]
    return Checked("FSN writes what the schemas say", sum(log.counted[topic].total for topic in own), tuple(faults))
