"""Manifests: that every record was consumed exactly once, and everything promised was written.

In: `task-manifests` (per transaction: the offsets it consumed, how many records it emitted), which records each source
topic holds, and how many the tasks' own topics hold. Out: `History`, each partition's transactions in order, from which
others learn in which order records of several topics were processed. As faults: a source record that no transaction
consumed (lost) or that two did (duplicated), a transaction number that is missing or repeats, and a difference between
the records promised and those found.

A transaction's records are merged by (timestamp, topic order in topology.yaml, offset); while merging, a record counts
as no earlier than the one before it in its topic. A compacted topic may have lost superseded records: once one of its
partitions no longer begins at its first record, missing ones are not counted.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from fsn.report.findings import Checked, Fault
from fsn.report.reader import Counted, Read, Topology


class Batch(msgspec.Struct, frozen=True):
    """One transaction: first and last offset consumed, by topic."""

    number: int
    ranges: dict[str, tuple[int, int]]


class History(msgspec.Struct, frozen=True):
    """Every partition's transactions, in order."""

    batches: dict[int, list[Batch]]
    order: dict[str, int]
    """Merge order by topic."""
    promised: int
    """Records that the transactions say they wrote."""

    def walk(self, partition: int, topics: Mapping[str, Sequence[Read]]) -> Iterator[tuple[str, Read]]:
        """One partition's records of these topics (in offset order) in the order in which they were processed."""
        places = dict.fromkeys(topics, 0)
        for batch in self.batches.get(partition, ()):
            merged: list[tuple[int, int, int, str, Read]] = []
            for topic, reads in topics.items():
                if topic not in batch.ranges:
                    continue
                latest, last = 0, batch.ranges[topic][1]
                while places[topic] < len(reads) and reads[places[topic]].offset <= last:
                    read = reads[places[topic]]
                    latest = max(latest, read.timestamp)
                    merged.append((latest, self.order[topic], read.offset, topic, read))
                    places[topic] += 1
            merged.sort(key=lambda entry: entry[:3])
            yield from (entry[3:] for entry in merged)


def read_history(manifests: Iterable[Read], topology: Topology) -> History:
    """What every transaction says it did."""
    batches: dict[int, list[Batch]] = {}
    promised = 0
    for read in manifests:
        fields = read.fields
        if fields["app"] == topology.app:
            ranges = {part["topic"]: (part["first"], part["last"]) for part in fields["ranges"]}
            batches.setdefault(fields["partition"], []).append(Batch(fields["number"], ranges))
            promised += fields["outputs"]
    return History(batches, {topic: place for place, topic in enumerate(topology.sources)}, promised)


def check_manifests(history: History, counted: Mapping[str, Counted], topology: Topology) -> Checked:
    """Compare what transactions say they did with what the topics hold."""
    faults = [fault for partition, done in sorted(history.batches.items()) for fault in _numbered(partition, done)]
    looked_at = 0
    for topic in topology.sources:
        for partition, offsets in sorted(counted[topic].offsets.items()):
            looked_at += len(offsets)
            done = [batch.ranges[topic] for batch in history.batches.get(partition, ()) if topic in batch.ranges]
            faults += _consumed(f"{topic}[{partition}]", offsets, done)
    faults += _emitted(history.promised, counted, topology)
    return Checked("every record consumed once", looked_at, tuple(faults))


def _numbered(partition: int, done: Sequence[Batch]) -> Iterator[Fault]:
    """Transactions count from 1 without a hole."""
    for expected, batch in enumerate(done, done[0].number):
        if batch.number != expected:
            detail = f"transaction {batch.number} follows {expected - 1}"
            repeated = int(batch.number < expected)
            yield Fault(
                "transactions are numbered", f"task {partition}", detail, lost=1 - repeated, duplicated=repeated
            )
            return


def _consumed(name: str, offsets: Sequence[int], done: Sequence[tuple[int, int]]) -> Iterator[Fault]:
    """Every offset lies in exactly one of the ranges."""
    covered = 0
    reached = -1
    for first, last in done:
        if first <= reached:
            again = bisect_right(offsets, min(reached, last)) - bisect_left(offsets, first)
            if again:
                detail = f"{again} records from offset {first} were consumed by a second transaction"
                yield Fault("every record consumed once", name, detail, duplicated=again)
        covered += max(0, bisect_right(offsets, last) - bisect_left(offsets, max(first, reached + 1)))
        reached = max(reached, last)
    missed = len(offsets) - covered
    if missed:
        behind = len(offsets) - bisect_right(offsets, reached)
        detail = f"{missed} of {len(offsets)} records were never consumed, {behind} of them at the end"
        yield Fault("every record consumed once", name, detail, lost=missed)


def _emitted(promised: int, counted: Mapping[str, Counted], topology: Topology) -> Iterator[Fault]:
    """The tasks' topics hold as many records as the transactions say they wrote."""
    found = sum(counted[topic].total for topic in topology.emitted if topic not in topology.signed)
    found += sum(counted[topic].forwarded for topic in topology.sources if topic not in topology.emitted)
    if any(topic in topology.signed for topic in topology.emitted):
        return  # outsiders write there too, and nothing tells whose record is whose
    if found < promised and any(_compacted(counted[topic]) for topic in topology.compacted if topic in counted):
        return
    if found != promised:
        detail = f"transactions wrote {promised} records, the topics hold {found}"
        lost, again = max(0, promised - found), max(0, found - promised)
        yield Fault("every output written once", topology.app, detail, lost=lost, duplicated=again)


def _compacted(topic: Counted) -> bool:
    return any(len(offsets) > 0 and offsets[0] > 0 for offsets in topic.offsets.values())
