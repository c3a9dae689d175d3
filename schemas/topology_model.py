"""The frozen model of `topology.yaml`, and the questions that engine, tools and tests put to it.

A topic's name and place in the file are part of it: within a batch, records of one instant merge in the order in which
their topics are declared. Values a topic leaves out come from `defaults`; `schemas.topology.load` fills them in, so a
`TopicSpec` is always complete. Unknown keys are refused.
"""

from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

CLOCK: Final = "clock"
NETWORK: Final = "network"
NETWORK_CHANGES: Final = "network-changes"
DEAD_LETTERS: Final = "dead-letters"
TASK_MANIFESTS: Final = "task-manifests"
CHANGELOG: Final = "changelog"
ENGINE_TOPICS: Final = (NETWORK, NETWORK_CHANGES, CLOCK, DEAD_LETTERS, TASK_MANIFESTS, CHANGELOG)
"""Topics the engine itself needs."""

DEAD_LETTER_OVERHEAD_BYTES: Final = 65_536
"""What a dead letter says beyond the record it holds: its place, headers, reason."""

_DAY_MS: Final = 86_400_000

Role = Literal["upstream", "gateway", "read-model", "operator", "auditor"]
"""Who outside the workers may read or write topics; a broker's ACLs separate them, signatures separate partners."""

Positive = Annotated[int, Field(gt=0, strict=True)]
RetentionDays = Positive | Literal["unlimited"]


class Frozen(BaseModel):
    """A part of the declaration: complete, immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Defaults(Frozen):
    """What a topic that says nothing else gets."""

    retention_days: RetentionDays
    max_record_bytes: Positive


class TopicSpec(Frozen):
    """A topic: its contract (key, records), its size and life, and how the engine treats it."""

    name: str
    position: int
    """Place in the declaration, from 0: the merge order of records of one instant."""

    key: str
    """What its records are keyed by, in a word, for people and for the AsyncAPI document."""

    records: tuple[str, ...]
    """Names of the record types it may carry."""

    partitions: Positive
    retention_days: RetentionDays
    max_record_bytes: Positive
    cleanup: Literal["delete", "compact"] = "delete"
    signed: Literal["none", "required"] = "none"
    bulk: bool = False
    """Bulk records wait while others have work."""

    broadcast: bool = False
    """Written to every partition."""

    internal: bool = False
    """Between tasks only: no headers, never read or written by outsiders."""

    read_by: tuple[Role, ...] = ()
    written_by: tuple[Role, ...] = ()
    """Roles besides the worker, whose rights follow from the stages."""

    @property
    def carries_events(self) -> bool:
        """Whether records have CloudEvents headers: for outsiders, and told as it happens. A compacted topic shows state."""
        return not self.internal and self.cleanup == "delete"

    @property
    def retention_ms(self) -> int | None:
        """How long records are kept; None without limit (a compacted topic keeps the last of each key)."""
        if self.retention_days == "unlimited" or self.cleanup == "compact":
            return None
        return self.retention_days * _DAY_MS


class StageSpec(Frozen):
    """A stage: its module, the topics it reads, the tables it owns, the topics it writes.

    audits: tables of any stage whose changed rows it looks at, once a batch
    """

    name: str
    module: str
    reads: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    emits: tuple[str, ...] = ()
    audits: tuple[str, ...] = ()


class Topology(Frozen):
    """The whole declaration."""

    app: str
    partitions: Positive
    """Of every topic that tasks read."""

    clock: Literal["leader", "external"]
    """Who writes ticks; with `external` (past or simulated days) no topic loses records by time."""

    defaults: Defaults
    topics: dict[str, TopicSpec]
    stages: dict[str, StageSpec]

    @cached_property
    def source_topics(self) -> tuple[str, ...]:
        """What a task reads, in declaration order: the stages' topics, and the engine's clock and network changes."""
        read = {CLOCK, NETWORK_CHANGES}.union(*(stage.reads for stage in self.stages.values()))
        return tuple(name for name in self.topics if name in read)

    @cached_property
    def records_by_topic(self) -> dict[str, tuple[str, ...]]:
        """Topic → names of the record types it may carry, in declaration order."""
        return {name: spec.records for name, spec in self.topics.items()}

    @cached_property
    def worker_reads(self) -> frozenset[str]:
        """What a worker reads: its tasks' sources, reference data, and the changelog to restore from."""
        return frozenset({*self.source_topics, NETWORK, CHANGELOG})

    @cached_property
    def worker_writes(self) -> frozenset[str]:
        """What a worker writes: what stages emit, what the engine keeps, and sources, for a record on the wrong
        partition is forwarded to its own.
        """
        emitted = {topic for stage in self.stages.values() for topic in stage.emits}
        return frozenset({*self.source_topics, *emitted, DEAD_LETTERS, TASK_MANIFESTS, CHANGELOG})

    def readers_of(self, topic: str) -> tuple[StageSpec, ...]:
        """The stages that read a topic, in flow order."""
        return tuple(stage for stage in self.stages.values() if topic in stage.reads)

    def writers_of(self, topic: str) -> tuple[StageSpec, ...]:
        """The stages that emit to a topic, in flow order."""
        return tuple(stage for stage in self.stages.values() if topic in stage.emits)
