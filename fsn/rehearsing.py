"""What `fsn schemas rehearse` does: reads a recorded run, lets the engine compare, groups what differs, shows it.

In: proposed schemas, a topology, a broker that holds a run. Out: a `Rehearsed`, as tables or as JSON. First every topic
that carries a changed record type is read under the proposed schemas, record by record; then each task is replayed from
its manifests twice, once as it ran and once under the proposed schemas. One partition is in memory at a time.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from fsn.recorded import RecordedError, partition_counts, read_partition
from processors.step import Stage
from schemas.codec import Codec
from schemas.proposals import ProposedCodec, problems_of, read_proposals
from schemas.records.engine import TaskManifest
from schemas.registry import SchemaVersion
from schemas.topology import Topology
from streams.batch import MANIFESTS
from streams.broadcast import NETWORK, NetworkCopy
from streams.deadletters import DeadLetterSealer
from streams.registry_ids import registry_for
from streams.rehearsal import Difference, Kind, Side, compare_record, rehearse
from streams.settings import Settings
from streams.signatures import KeyRing

_MEANT: Final = {
    Kind.NOT_REPRODUCED: "transactions that today's code does not repeat: other FSN_KEYS, FSN_DEAD_LETTER_KEY or rules?",
    Kind.UNREADABLE: "records that the proposed schema cannot read",
    Kind.UNUSABLE: "records that today's rules cannot take any more: change the rules together with the schema",
    Kind.READ: "values of the log that read differently",
    Kind.OUTPUT: "values of outputs that differ",
    Kind.ROW: "values of table rows that differ at the end",
}


class Example(msgspec.Struct, frozen=True):
    """One value: where, under which key, and what it was and would be."""

    where: str
    key: str
    old: str
    new: str


class Group(msgspec.Struct):
    """Differences of one kind at one place."""

    kind: Kind
    place: str
    record: str
    path: str
    count: int
    examples: list[Example]


class Rehearsed(msgspec.Struct, frozen=True):
    """All that was found.

    incompatible: what breaks the BACKWARD_TRANSITIVE rule, by field
    records: read under a proposed schema; transactions: replayed
    """

    proposed: tuple[str, ...]
    incompatible: tuple[str, ...]
    records: int
    transactions: int
    groups: tuple[Group, ...]

    @property
    def differs(self) -> bool:
        """Whether anything would not be as it was."""
        return bool(self.incompatible or self.groups)


class Rehearsal:
    """Collects what differs between a recorded run and the same run under proposed schemas."""

    def __init__(self, topology: Topology, stages: Sequence[Stage], settings: Settings, *, examples: int) -> None:
        self._topology = topology
        self._stages = stages
        self._client = settings.client()
        self._schema_registry = settings.schema_registry
        self._keys = None if settings.keys is None else KeyRing.load(settings.keys)
        dead_letter_key = settings.dead_letter_key
        self._sealer = DeadLetterSealer(None if dead_letter_key is None else bytes.fromhex(dead_letter_key))
        self._examples = examples
        self._groups: dict[tuple[Kind, str, str, str], Group] = {}
        self._records = 0
        self._transactions = 0

    def run(self, folder: Path) -> Rehearsed:
        """Everything that the schemas of this folder would change."""
        registry = registry_for(self._schema_registry, self._topology, register=False)
        proposals = read_proposals(folder, registry)
        today, tomorrow = Codec(registry), ProposedCodec(registry, proposals)
        counts = partition_counts(self._client)
        for topic in self._carrying(proposals, counts):
            for partition in range(counts[topic]):
                self._note(self._read(topic, partition, today, tomorrow))
        with _quiet("streams.machine"), _quiet("streams.broadcast"):
            network = list(read_partition(self._client, NETWORK, 0))
            sides = [Side(codec, _network(network, codec)) for codec in (today, tomorrow)]
            for partition in range(self._topology.partitions):
                self._note(self._replay(partition, *sides))
        order = {kind: place for place, kind in enumerate(Kind)}
        return Rehearsed(
            tuple(f"{proposal.record} v{proposal.version}" for proposal in proposals),
            tuple(problems_of(proposals, registry)),
            self._records,
            self._transactions,
            tuple(sorted(self._groups.values(), key=lambda group: (order[group.kind], group.place, group.path))),
        )

    def _carrying(self, proposals: Sequence[SchemaVersion], counts: Mapping[str, int]) -> Iterator[str]:
        """Topics that hold records of a changed type."""
        changed = {proposal.record for proposal in proposals}
        for name, spec in self._topology.topics.items():
            if name not in counts:
                raise RecordedError(f"topic {name} is not on the broker: name the one that holds the recorded run")
            if changed & set(spec.records):
                yield name

    def _read(self, topic: str, partition: int, today: Codec, tomorrow: ProposedCodec) -> Iterator[Difference]:
        for_rules = topic == NETWORK or topic in self._topology.source_topics
        for raw in read_partition(self._client, topic, partition):
            self._records += 1
            yield from compare_record(raw, today, tomorrow, for_rules=for_rules)

    def _replay(self, partition: int, today: Side, tomorrow: Side) -> Iterator[Difference]:
        # Manifests first: whatever they say was consumed is on the topics by then.
        manifests = []
        for raw in read_partition(self._client, MANIFESTS, partition):
            record = today.codec.decode(raw.value or b"")
            if isinstance(record, TaskManifest) and record.app == self._topology.app:
                manifests.append(record)
        self._transactions += len(manifests)
        logs = {topic: list(read_partition(self._client, topic, partition)) for topic in self._topology.source_topics}
        yield from rehearse(
            self._topology,
            self._stages,
            partition=partition,
            logs=logs,
            manifests=manifests,
            today=today,
            tomorrow=tomorrow,
            keys=self._keys,
            sealer=self._sealer,
        )

    def _note(self, found: Iterable[Difference]) -> None:
        for one in found:
            place = (one.kind, one.place, one.record, one.path)
            group = self._groups.setdefault(place, Group(*place, 0, []))
            group.count += 1
            if len(group.examples) < self._examples:
                group.examples.append(Example(one.where, one.key, one.old, one.new))


def show(found: Rehearsed, console: Console) -> None:
    """The findings as tables, one for each kind."""
    console.print(
        f"{', '.join(found.proposed)}: {found.records:,} records read and {found.transactions:,} transactions replayed"
    )
    for problem in found.incompatible:
        console.print(f"[red]incompatible[/] {problem}", highlight=False)
    for kind in Kind:
        groups = [group for group in found.groups if group.kind is kind]
        if not groups:
            continue
        table = Table("place", "record", "field", "count", "for example", title=f"{kind}: {_MEANT[kind]}")
        for group in groups:
            shown = "\n".join(f"{at.where} {at.key}: {at.old or '–'} → {at.new}" for at in group.examples)
            table.add_row(group.place, group.record, group.path, f"{group.count:,}", shown)
        console.print(table)
    if not found.differs:
        console.print("Nothing differs.")


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """A record that only one side can process is a finding, not a failure to be told with its traceback."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _network(raws: Sequence[Any], codec: Codec) -> NetworkCopy:
    """Reference data as workers with this codec read it: what they cannot read they skip."""
    copy = NetworkCopy()
    copy.read(raws, codec.decode)
    return copy
