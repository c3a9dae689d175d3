"""Recorded topics again: given its manifests, a task re-emits its outputs byte for byte.

In: the records of one partition's source topics and that partition's manifests, in order. Each manifest says which
offsets one transaction consumed and which reference data it began with; replaying them in turn must give outputs with
the digest that the manifest recorded. Out: the outputs of every transaction, or where they first differ.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from processors.step import Stage
from schemas.codec import Codec
from schemas.records.engine import OffsetRange, TaskManifest
from schemas.topology import Topology
from streams.batch import Computed, compute
from streams.broadcast import NetworkCopy
from streams.deadletters import DeadLetterSealer
from streams.errors import StreamsError
from streams.inbox import merge
from streams.machine import ENGINE_STAGE, Machine
from streams.signatures import KeyRing
from streams.testing import MemoryStore
from streams.unit import UnitOfWork


class Replayed(msgspec.Struct, frozen=True):
    """One transaction replayed: the manifest it was recorded with, and what it gives now."""

    recorded: TaskManifest
    computed: Computed
    now: TaskManifest

    @property
    def matches(self) -> bool:
        """Whether the outputs are the same bytes."""
        return self.now == self.recorded


def replay(
    topology: Topology,
    stages: Sequence[Stage],
    *,
    partition: int,
    logs: Mapping[str, Sequence[Any]],
    manifests: Iterable[TaskManifest],
    network: NetworkCopy,
    keys: KeyRing | None = None,
    sealer: DeadLetterSealer | None = None,
    codec: Codec | None = None,
    store: MemoryStore | None = None,
) -> Iterator[Replayed]:
    """Replay a partition from its first manifest.

    Args:
        logs: per source topic, the partition's records in offset order (any type with Raw's attributes)
        network: reference data, read at least as far as the manifests say
        codec: another than that of the committed schemas
        store: filled with the rows, for who wants to look at them
    """
    codec = Codec() if codec is None else codec
    store = MemoryStore() if store is None else store
    unit = UnitOfWork(topology, (ENGINE_STAGE, *stages), codec, store)
    machine = Machine(
        topology,
        stages,
        codec,
        partition=partition,
        keys=keys,
        sealer=sealer or DeadLetterSealer(None),
        networks=network,
    )
    order = {topic: index for index, topic in enumerate(topology.source_topics)}
    positions = {topic: {raw.offset: index for index, raw in enumerate(log)} for topic, log in logs.items()}
    for recorded in manifests:
        chunks = {
            part.topic: logs[part.topic][_place(positions, part, part.first) : _place(positions, part, part.last) + 1]
            for part in recorded.ranges
        }
        computed = compute(
            merge(chunks, order),
            machine,
            unit,
            app=topology.app,
            partition=partition,
            codec=codec,
            strict=recorded.strict,
        )
        now = codec.decode(computed.outputs[-1].value)
        assert isinstance(now, TaskManifest)
        store.write(computed.rows)
        unit.committed()
        yield Replayed(recorded, computed, now)


def _place(positions: Mapping[str, Mapping[int, int]], part: OffsetRange, offset: int) -> int:
    place = positions.get(part.topic, {}).get(offset)
    if place is None:
        raise StreamsError(
            f"{part.topic} holds no offset {offset} any more, which a manifest says was consumed: a replay needs every "
            "record since the task's first transaction (retention is declared in topology.yaml)"
        )
    return place
