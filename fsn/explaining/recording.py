"""The exact inputs of one evaluation, from recorded topics: the partition that made it is replayed until it does.

In: a recorded run, and the audit of the evaluation that is meant. Out: the `Inputs` that `route()` was given, known to
be the same ones by the digest the audit holds. Refused (`NotReplayed`, in words): a log that no longer reaches back to
the task's first transaction, and a run that today's code does not repeat up to there. An order of one variant is routed
by the variant's task, any other by its own: who it was says whether a StockRouted or StockUnroutable carried the audit.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from fsn.recorded import RecordedError, partition_counts, read_partition
from processors.orders import planning
from processors.pipeline import STAGES
from processors.routing.changes import Inputs
from processors.routing.facts import Known, Offers, OrderFacts, Outcome, Shortlist
from processors.routing.pipeline import route
from processors.stock import asking
from schemas.codec import Codec
from schemas.errors import SchemaError
from schemas.records.base import Record
from schemas.records.engine import TaskManifest
from schemas.topology import Topology
from streams.batch import MANIFESTS
from streams.broadcast import NETWORK, NetworkCopy
from streams.deadletters import DeadLetterSealer
from streams.errors import StreamsError
from streams.partitioner import Partitioner
from streams.replay import replay
from streams.settings import Settings
from streams.signatures import KeyRing

ROUTERS: Final = (vars(planning), vars(asking))
"""The two modules that call `route()`; both know it by this name."""


class NotReplayed(RuntimeError):
    """Why the inputs cannot be had again."""


class Source(Protocol):
    """Where recorded topics lie."""

    def read(self, topic: str, partition: int) -> Iterable[Any]:
        """All records of a partition, in offset order, with Raw's attributes."""
        ...


class BrokerSource:
    """Topics of a broker."""

    def __init__(self, settings: Settings, topology: Topology) -> None:
        self._client = settings.client()
        self._topics = topology.topics
        self._counts = partition_counts(self._client)

    def read(self, topic: str, partition: int) -> Iterator[Any]:
        """Read committed, to the end."""
        where = self._client["bootstrap.servers"]
        count, declared = self._counts.get(topic), self._topics[topic].partitions
        if count is None:
            raise RecordedError(f"topic {topic} is not on {where}: name the broker that holds the recorded run")
        if count != declared:
            # Keys would be looked for where they are not.
            said = f"topic {topic} has {count} partitions on {where}, and {declared} by the topology"
            raise RecordedError(f"{said}: name the one it runs by with --file")
        return read_partition(self._client, topic, partition)


class Recording:
    """A recorded run, and how to read it."""

    def __init__(
        self,
        source: Source,
        topology: Topology,
        codec: Codec,
        *,
        keys: KeyRing | None = None,
        sealer: DeadLetterSealer | None = None,
    ) -> None:
        self.topology = topology
        self._source = source
        self._codec = codec
        self._keys = keys
        self._sealer = sealer
        self._partition_of = Partitioner(topology.partitions)
        self._network: NetworkCopy | None = None

    def of_key(self, topic: str, key: str) -> Iterator[tuple[int, Record]]:
        """(timestamp, record) of every record under this key; what cannot be decoded is left out."""
        wanted = key.encode(errors="surrogateescape")  # a command line may hold anything
        for raw in self._source.read(topic, self._partition_of(wanted)):
            if raw.key == wanted:
                with contextlib.suppress(SchemaError):
                    yield raw.timestamp, self._codec.decode(raw.value or b"")

    def network(self) -> NetworkCopy:
        """All reference data."""
        if self._network is None:
            self._network = NetworkCopy()
            with _quiet():
                self._network.read(list(self._source.read(NETWORK, 0)), self._codec.decode)
        return self._network

    def inputs(self, order_id: str, attempt: int, packed: bytes, *, variant_id: str | None) -> Inputs:
        """What `route()` was given when it gave this audit.

        variant_id: whose task evaluated; None where it was the order's own
        """
        partition = self._partition_of((order_id if variant_id is None else variant_id).encode())
        heard: list[Inputs] = []

        def hear(inputs: Inputs, outcome: Outcome) -> None:
            if outcome.audit == packed and (inputs.facts.order_id, inputs.facts.attempt) == (order_id, attempt):
                heard.append(inputs)

        try:
            with _listening(hear), _quiet():
                for _ in self._replayed(partition):
                    if heard:
                        return heard[0]
        except StreamsError as error:
            raise NotReplayed(f"partition {partition} cannot be replayed: {error}") from error
        raise NotReplayed(
            f"a replay of partition {partition} does not meet this evaluation: the log begins too late, or was recorded "
            "by other rules in code, FSN_KEYS or FSN_DEAD_LETTER_KEY"
        )

    def _replayed(self, partition: int) -> Iterator[object]:
        # Manifests first: whatever they say was consumed is on the topics by then.
        manifests = [
            record
            for raw in self._source.read(MANIFESTS, partition)
            if isinstance(record := self._codec.decode(raw.value or b""), TaskManifest)
            and record.app == self.topology.app
        ]
        logs = {topic: list(self._source.read(topic, partition)) for topic in self.topology.source_topics}
        return replay(
            self.topology,
            STAGES,
            partition=partition,
            logs=logs,
            manifests=manifests,
            network=self.network(),
            keys=self._keys,
            sealer=self._sealer,
            codec=self._codec,
        )


@contextlib.contextmanager
def _listening(hear: Any) -> Iterator[None]:
    """While it lasts, every evaluation is told of. One thread and one replay at a time: the modules are shared."""

    def told(facts: OrderFacts, shortlist: Shortlist, offers: Offers, *others: Any) -> Outcome:
        network, known, now_at = others
        outcome = route(facts, shortlist, offers, network, known, now_at)
        hear(Inputs(facts, shortlist, offers, network, _kept(known, shortlist), now_at), outcome)
        return outcome

    for router in ROUTERS:
        router["route"] = told
    try:
        yield
    finally:
        for router in ROUTERS:
            router["route"] = route


def _kept(known: Known, shortlist: Shortlist) -> Known:
    """What is known now: later in the replay the tables say something else."""
    statuses: Mapping[str, Any] = {name: known.feed_status(name) for name in shortlist.location_ids}
    loads: Mapping[str, Any] = {name: known.load(name) for name in shortlist.location_ids}
    return Known(statuses.get, loads.get)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What was dead-lettered then is dead-lettered again; nobody asked for that."""
    loggers = [logging.getLogger(name) for name in ("streams.machine", "streams.broadcast")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
