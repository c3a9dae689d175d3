"""What all tasks of a worker share: topology, stages, codec, keys, client settings, reference data, metrics."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from processors.step import Stage
from schemas.codec import Codec
from schemas.topology import Topology
from streams.broadcast import NetworkCopy
from streams.deadletters import DeadLetterSealer
from streams.signatures import KeyRing
from streams.telemetry import Metrics


class Urgency:
    """When a task of this worker last had a record that is not bulk; shared by its tasks."""

    __slots__ = ("last_at",)

    def __init__(self) -> None:
        self.last_at = 0.0


class Runtime(msgspec.Struct, frozen=True):
    """Made once by `build_app`.

    client: librdkafka settings common to every client (bootstrap servers, security)
    group_id: the consumer group
    state_dir: where local stores live, one folder per partition
    changelog_epoch: names the changelog as it is now: topic and topic id
    restore_progress: makes the progress callback of one partition
    bulk_topics: topics that yield to all others
    source_names: topics a task reads, in merge order
    unhurried_topics: bulk topics and broadcasts, for which nobody waits
    """

    topology: Topology
    stages: tuple[Stage, ...]
    codec: Codec
    keys: KeyRing | None
    sealer: DeadLetterSealer
    network: NetworkCopy
    metrics: Metrics
    client: Mapping[str, Any]
    group_id: str
    state_dir: Path
    changelog_epoch: str
    restore_progress: Callable[[int], Callable[[int, int], None] | None]

    bulk_topics: frozenset[str]
    source_names: tuple[str, ...]
    unhurried_topics: frozenset[str]
    urgency: Urgency
