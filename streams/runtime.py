"""What all tasks of a worker share: topology, stages, codec, keys, client settings, reference data, metrics."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from processors.step import Stage
from schemas.codec import Codec
from schemas.topology import Topology
from streams.broadcast import NetworkCopy
from streams.deadletters import DeadLetterSealer
from streams.faults import Reach
from streams.pace import Urgency
from streams.progress import Restoring
from streams.signatures import KeyRing
from streams.telemetry import Metrics


class Runtime(msgspec.Struct, frozen=True):
    """Made once by `build_app`.

    client: librdkafka settings common to every client (bootstrap servers, security)
    group_id: the consumer group
    transaction_timeout_s: after which a broker ends a transaction that nobody ended
    state_dir: where local stores live, one folder per partition
    changelog_epoch: names the changelog as it is now: topic and topic id
    restoring: shows the restore of one partition
    bulk_topics: topics that yield to all others
    source_names: topics a task reads, in merge order
    unhurried_topics: bulk topics and broadcasts, for which nobody waits
    reach: called at each step of a transaction, where a fault test may end the process
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
    transaction_timeout_s: int
    state_dir: Path
    changelog_epoch: str
    restoring: Restoring
    bulk_topics: frozenset[str]
    source_names: tuple[str, ...]
    unhurried_topics: frozenset[str]
    urgency: Urgency
    reach: Reach
