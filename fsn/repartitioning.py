"""What `fsn topology repartition` does: a stopped run, carried to another cluster with another number of partitions.

In: the topology as it runs and as it shall run, and both clusters. Out: a `Report`, and a target on which a worker goes
on where the old ones stopped. `streams.repartition` says what goes where; here it is read and written:

1. refuse what would go wrong: one cluster under two names, members in either group, a target that is in use
2. end the old tasks' transactions and fence whoever still holds one
3. restore each old task's rows into a scratch folder and see where it stopped
4. create the target's topics, all but the changelog: without that no worker starts
5. copy topic by topic. A source topic's partitions first take empty records, deleted at once, up to where the old partition
   of the same number ended: so a position (topic, partition, offset) means one record, before and after
6. check that the source has not grown meanwhile
7. create the changelog, and write all rows and the group's offsets in one transaction

Steps 1 to 6 may be repeated with `resume`: what is to be copied has one order, and what is there already must be its
beginning. Refused, as `RepartitionError`, with the mend.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from fsn.clusters import TIMEOUT_S, Cluster, Writer, produce
from fsn.recorded import partition_counts, read_partition
from processors.step import Stage
from schemas.topology import TopicSpec, Topology
from schemas.topology_model import CHANGELOG, NETWORK, TASK_MANIFESTS
from streams import admin
from streams.acls import transactional_prefix
from streams.changelog import open_store, restore
from streams.errors import RepartitionError
from streams.machine import Raw
from streams.repartition import ORIGIN_HEADER, Cut, Move, carried, read_cut
from streams.store import LocalStore
from streams.transaction import TaskProducer

COMMIT_TIMEOUT_MS: Final = 900_000
"""The longest that Kafka lets a transaction take by default."""
NOT_COPIED: Final = frozenset({CHANGELOG, TASK_MANIFESTS})
"""Rows are carried, not copied; manifests speak of the old positions and stay with them."""

Progress = Callable[[str], None]


class Report(msgspec.Struct):
    """What was carried.

    records: by topic; unprocessed: those of them that no task had processed; rows: timers too, without the engine's own
    """

    records: dict[str, int]
    unprocessed: int
    rows: int


class Repartition:
    """Carries one run."""

    def __init__(
        self,
        old: Topology,
        new: Topology,
        stages: Sequence[Stage],
        *,
        source: Mapping[str, Any],
        target: Mapping[str, Any],
        scratch: Path,
        progress: Progress,
    ) -> None:
        self._old, self._new, self._stages = old, new, tuple(stages)
        self._source, self._target = Cluster(source), Cluster(target)
        self._scratch = scratch
        self._progress = progress
        self._stores: list[LocalStore] = []
        self._report = Report({}, 0, 0)

    def run(self, *, resume: bool = False, workers_stopped: bool = False) -> Report:
        """Steps 1 to 7; workers_stopped: whom the source still lists as members are dead."""
        try:
            self._refuse(resume=resume, workers_stopped=workers_stopped)
            cuts = [self._stopped(number) for number in range(self._old.partitions)]
            move = Move(self._old, self._new, self._stages, cuts)
            before = self._source_ends()
            self._create({name for name in self._new.topics if name != CHANGELOG})
            nexts: list[dict[str, int]] = [{} for _ in range(self._new.partitions)]
            for spec in self._old.topics.values():
                if spec.name not in NOT_COPIED:
                    self._copy(spec, move, before[spec.name], nexts)
            if self._source_ends() != before:
                raise RepartitionError(
                    f"records came to {self._source.name} meanwhile: stop whoever writes there, empty the target and begin again"
                )
            self._target.require_no_members(self._new.app)
            self._create({CHANGELOG})
            self._commit(move, nexts)
            self._target.require_no_members(self._new.app)
            return self._report
        finally:
            for store in self._stores:
                store.close()
            self._source.close()
            self._target.close()

    def _refuse(self, *, resume: bool, workers_stopped: bool) -> None:
        """Step 1."""
        if self._source.addresses() & self._target.addresses():
            raise RepartitionError(
                "source and target are one cluster, and topics keep their names: name another target"
            )
        held = partition_counts(self._source.client)
        for name, spec in self._old.topics.items():
            if held.get(name) != spec.partitions:
                raise RepartitionError(
                    f"{name} has {held.get(name, 0)} partitions on {self._source.name}, the topology says {spec.partitions}: "
                    "name the file of the run with --file"
                )
        if not workers_stopped:
            self._source.require_no_members(self._old.app)
        self._target.require_no_members(self._new.app)
        there = partition_counts(self._target.client)
        if not self._target.is_empty(CHANGELOG, there.get(CHANGELOG, 0)):
            raise RepartitionError(f"{self._target.name} holds rows already: it was carried to before, or is in use")
        names = [name for name in self._new.topics if name != CHANGELOG]
        used = [name for name in names if any(self._target.ends(name, there.get(name, 0)))]
        if used and not resume:
            raise RepartitionError(
                f"{self._target.name} holds records of {', '.join(used)}: name an empty cluster, or go on with --resume"
            )

    def _stopped(self, number: int) -> Cut:
        """Steps 2 and 3 for one task."""
        self._progress(f"rows of task {number}")
        producer = TaskProducer(self._source.client, f"{transactional_prefix(self._old.app)}{number}", self._old.app)
        producer.initialize()
        producer.close()
        path = self._scratch / str(number)
        LocalStore.drop(path)
        store, meta = open_store(path, changelog=CHANGELOG, partitions=self._old.partitions)
        self._stores.append(store)
        restore(self._source.client, store, meta, topic=CHANGELOG, partition=number)
        committed = self._source.committed(self._old.app, self._old.source_topics, number)
        return read_cut(number, self._old, store.get, committed)

    def _source_ends(self) -> dict[str, list[int]]:
        return {name: self._source.ends(name, spec.partitions) for name, spec in self._old.topics.items()}

    def _create(self, names: set[str]) -> None:
        topics = {name: spec for name, spec in self._new.topics.items() if name in names}
        admin.apply(self._new.model_copy(update={"topics": topics}), self._target.name, client=self._target.client)

    def _copy(self, spec: TopicSpec, move: Move, ended: Sequence[int], nexts: list[dict[str, int]]) -> None:
        """Step 5 for one topic."""
        self._progress(f"{spec.name}: {sum(ended):,} offsets")
        is_source = spec.name in self._old.source_topics
        partitions = self._new.topics[spec.name].partitions
        begins = [ended[number] if is_source and number < len(ended) else 0 for number in range(partitions)]
        there = self._target.ends(spec.name, partitions)
        with Writer(self._target, spec) as writer:
            for number, (begin, end) in enumerate(zip(begins, there, strict=True)):
                if end <= begin:
                    writer.begin_at(number, end, begin)
            if is_source:
                for number, begin in enumerate(begins):
                    nexts[number][spec.name] = begin
            ends = list(begins)
            for moved in move.records(spec, lambda number, start: self._read(spec.name, number, start)):
                if spec.name == NETWORK:  # tasks and rows name reference data by its offset, which it must keep
                    writer.fill(0, max(ends[0], there[0]), moved.raw.offset)
                    ends[0] = moved.raw.offset
                number = moved.partition
                if ends[number] >= there[number]:
                    writer.write(number, moved.raw)
                elif ends[number] == there[number] - 1:
                    self._require_same(spec.name, number, there[number] - 1, moved.raw)
                ends[number] += 1
                self._report.records[spec.name] = self._report.records.get(spec.name, 0) + 1
                self._report.unprocessed += not moved.processed
                if is_source and moved.processed:
                    nexts[number][spec.name] = ends[number]
        if self._target.ends(spec.name, partitions) != ends:
            raise RepartitionError(
                f"{spec.name}: somebody else writes to {self._target.name}: empty it and begin again"
            )

    def _read(self, topic: str, partition: int, start: int) -> Iterator[Raw]:
        return read_partition(self._source.client, topic, partition, start=start)

    def _require_same(self, topic: str, partition: int, offset: int, raw: Raw) -> None:
        """What an earlier attempt wrote last must be what this one would write there."""
        last = next(read_partition(self._target.client, topic, partition, start=offset), None)
        if last is None or dict(last.headers).get(ORIGIN_HEADER) != dict(carried(raw))[ORIGIN_HEADER]:
            raise RepartitionError(
                f"{topic}[{partition}]@{offset} on {self._target.name} is not what belongs there: empty the target and begin again"
            )

    def _commit(self, move: Move, nexts: Sequence[Mapping[str, int]]) -> None:
        """Step 7: a worker finds all of it, or nothing."""
        self._progress("rows")
        group = Consumer({**self._target.client, "group.id": self._new.app})
        producer = Producer(
            {
                **self._target.client,
                "transactional.id": f"{transactional_prefix(self._new.app)}repartition",
                "transaction.timeout.ms": COMMIT_TIMEOUT_MS,
                "message.max.bytes": 64 << 20,
            }
        )
        try:
            producer.init_transactions(TIMEOUT_S)
            producer.begin_transaction()
            for number, store in enumerate(self._stores):
                for place, key, value in move.rows(number, store.rows, store.get):
                    produce(producer, CHANGELOG, value, key, place)
                    self._report.rows += 1
            for place, key, value in move.engine_rows(nexts):
                produce(producer, CHANGELOG, value, key, place)
            offsets = [
                TopicPartition(topic, p, at) for p, by_topic in enumerate(nexts) for topic, at in by_topic.items()
            ]
            producer.send_offsets_to_transaction(offsets, group.consumer_group_metadata(), TIMEOUT_S)
            producer.commit_transaction(COMMIT_TIMEOUT_MS / 1000)
        except KafkaException as error:
            raise RepartitionError(
                f"the rows were not taken by {self._target.name}: {error}; go on with --resume"
            ) from error
        finally:
            group.close()
