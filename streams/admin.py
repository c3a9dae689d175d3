"""Makes a broker's topics what the topology says: `apply(topology, brokers)` is idempotent, and loses no record.

In: a topology and a broker address. Out: a report of what was created, changed or left alone. Everything is compared
before anything is touched, so a refusal changes nothing. What it refuses, by topic, with what is wanted, what was found
and the mend: another number of partitions (keys would move to other tasks, and state with them), and, unless told that
records may go, a shorter retention or another cleanup. Topics that are not in the topology are left alone.

One trap: Kafka 4 refuses a record dated more than an hour ahead; a simulated day may be, so with an external clock
that check is off.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, TopicMetadata

from schemas.topology import TopicSpec, Topology
from schemas.topology_model import CHANGELOG
from streams.acls import leader_topic
from streams.connection import connect
from streams.errors import ConfigurationError

CHANGELOG_DELETE_RETENTION_MS: Final = 7 * 86_400_000
"""How long the changelog shows that a row was deleted: a local table untouched for longer must be rebuilt."""

_TIMEOUT_S: Final = 30.0
_REPLICAS_MAX: Final = 3
_HOUR_MS: Final = 3_600_000
_FOREVER: Final = str(2**63 - 1)


MESSAGE_OVERHEAD_BYTES: Final = 16_384
"""Room for key, headers and the batch around a value of the largest size."""


@dataclass(frozen=True)
class Change:
    """A setting of an existing topic that was not what the topology says."""

    topic: str
    setting: str
    found: str
    wanted: str


@dataclass(frozen=True)
class Report:
    """What `apply` did."""

    created: tuple[str, ...]
    changed: tuple[Change, ...]
    unchanged: tuple[str, ...]
    not_changed: tuple[str, ...] = ()
    """Why the broker did not let us look at or change a setting, one line each; records flow nevertheless."""


def apply(
    topology: Topology,
    brokers: str,
    *,
    client: Mapping[str, Any] | None = None,
    records_may_go: bool = False,
) -> Report:
    """Create missing topics and correct the settings of the others.

    `client` holds further librdkafka settings, e.g. credentials; `records_may_go` allows a shorter retention or another
    cleanup.
    """
    admin, found = connect({**(client or {}), "bootstrap.servers": brokers})
    existing = {name: topic for name, topic in found.topics.items() if topic.error is None and name in topology.topics}
    replicas = min(_REPLICAS_MAX, len(found.brokers))
    wanted = {name: topic_config(topology, topic, replicas=replicas) for name, topic in topology.topics.items()}

    problems = [problem for name, topic in existing.items() for problem in _repartitioned(topology.topics[name], topic)]
    configs, not_changed = _read_configs(admin, existing)
    changes = [change for name in configs for change in _differences(name, configs[name], wanted[name])]
    if not records_may_go:
        problems += [problem for change in changes for problem in _losses(change)]
    if problems:
        raise ConfigurationError("\n".join(problems))

    new = [
        NewTopic(name, topic.partitions, replication_factor=replicas, config=wanted[name])
        for name, topic in topology.topics.items()
        if name not in existing
    ]
    if leader_topic(topology.app) not in found.topics:
        new.append(NewTopic(leader_topic(topology.app), 1, replication_factor=replicas))
    created = _create(admin, new)
    not_changed += _alter(admin, changes)
    touched = {change.topic for change in changes} | set(created)
    unchanged = tuple(name for name in topology.topics if name not in touched)
    return Report(tuple(created), tuple(changes), unchanged, tuple(not_changed))


def topic_config(topology: Topology, topic: TopicSpec, *, replicas: int = 1) -> dict[str, str]:
    """A topic's broker settings; all others are the broker's own."""
    config = {
        "cleanup.policy": topic.cleanup,
        "max.message.bytes": str(topic.max_record_bytes + MESSAGE_OVERHEAD_BYTES),
        "retention.ms": "-1" if topic.retention_ms is None else str(topic.retention_ms),
        "retention.bytes": "-1",
    }
    if topic.cleanup == "compact":
        # A reader an hour behind still sees every change; the active segment is never compacted, so it must roll.
        config |= {"min.compaction.lag.ms": str(_HOUR_MS), "segment.ms": str(6 * _HOUR_MS)}
    if topic.name == CHANGELOG:
        config["delete.retention.ms"] = str(CHANGELOG_DELETE_RETENTION_MS)
    if topology.clock == "external":
        config["message.timestamp.after.max.ms"] = _FOREVER
    if replicas >= _REPLICAS_MAX:
        config["min.insync.replicas"] = str(replicas - 1)
    return config


def _repartitioned(topic: TopicSpec, found: TopicMetadata) -> Iterable[str]:
    if len(found.partitions) != topic.partitions:
        yield (
            f"{topic.name}: {topic.partitions} partitions are wanted and {len(found.partitions)} were found; a topic "
            "is never re-partitioned in place, for its keys would move to other tasks: put the count in topology.yaml "
            f"back to {len(found.partitions)}, or carry the run to another cluster with `fsn topology repartition`"
        )


def _losses(change: Change) -> Iterable[str]:
    """A change after which the broker would delete records it holds."""
    if change.setting == "cleanup.policy":
        loss = f"cleanup {change.wanted} is wanted and {change.found} was found"
    elif change.setting == "retention.ms" and _endless(change.wanted) < _endless(change.found):
        loss = f"retention of {change.wanted} ms is wanted and {change.found} ms was found"
    else:
        return
    yield (
        f"{change.topic}: {loss}; the broker would delete records: put topology.yaml back, or say "
        "`--records-may-go` if they may"
    )


def _endless(retention_ms: str) -> float:
    return float("inf") if retention_ms == "-1" else int(retention_ms)


def _differences(topic: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> list[Change]:
    return [
        Change(topic, setting, found[setting], value)
        for setting, value in wanted.items()
        if setting in found and found[setting] != value
    ]


def _read_configs(admin: AdminClient, topics: Iterable[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The settings of these topics; a broker that does not tell them is reported, not an error."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in topics]
    if not resources:
        return {}, []
    configs, silent = {}, []
    for resource, future in admin.describe_configs(resources, request_timeout=_TIMEOUT_S).items():
        try:
            configs[resource.name] = {name: str(entry.value) for name, entry in future.result().items()}
        except KafkaException as error:
            silent.append(f"{resource.name}: the broker does not tell its settings ({error.args[0].str()})")
    return configs, silent


def _create(admin: AdminClient, new: list[NewTopic]) -> list[str]:
    if not new:
        return []
    created = []
    for name, future in admin.create_topics(new, request_timeout=_TIMEOUT_S, operation_timeout=_TIMEOUT_S).items():
        try:
            future.result()
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody else applied at the same moment
                raise ConfigurationError(f"{name} was not created: {error.args[0].str()}") from error
    return created


def _alter(admin: AdminClient, changes: Sequence[Change]) -> list[str]:
    """Make these changes; what the broker declines is reported, not an error."""
    resources: dict[str, ConfigResource] = {}
    for change in changes:
        entry = ConfigEntry(change.setting, change.wanted, incremental_operation=AlterConfigOpType.SET)
        known = resources.setdefault(change.topic, ConfigResource(ConfigResource.Type.TOPIC, change.topic))
        known.add_incremental_config(entry)
    if not resources:
        return []
    declined = []
    for resource, future in admin.incremental_alter_configs(list(resources.values())).items():
        try:
            future.result(timeout=_TIMEOUT_S)
        except KafkaException as error:
            declined.append(f"{resource.name}: the broker declined new settings ({error.args[0].str()})")
    return declined
