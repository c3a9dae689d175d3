"""What a worker asks its broker before it joins the group, so that whatever cannot work is said at once and by name.

In: topology and settings. Out: the changelog's epoch, or a ConfigurationError that says what, where and the mend: no
broker, TLS or password refused (streams/connection.py), a topic that is not there or has other partitions, a permission
that is missing. Asked later, a missing permission shows as time-outs and endless retries: librdkafka takes it for
something that may pass. A broker that does not tell what we may do (the embedded one) is taken at its word later.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from schemas.topology import Topology
from schemas.topology_model import CHANGELOG
from streams.acls import leader_topic, transactional_prefix
from streams.connection import connect
from streams.errors import ConfigurationError
from streams.security import PROTOCOL
from streams.settings import Settings

SHOWN: Final = 6
"""Missing permissions named; where more are missing, usually all are."""
_TIMEOUT_S: Final = 15.0
_DENIED: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)


def check_broker(topology: Topology, settings: Settings) -> str:
    """Raise ConfigurationError unless a worker can work here; the changelog's name and, where told, its topic id."""
    client = settings.client()
    admin, _ = connect(client)
    leader = leader_topic(topology.app)
    wanted = {name: spec.partitions for name, spec in topology.topics.items()} | {leader: 1}
    needed = {
        AclOperation.READ: topology.worker_reads | {leader},
        AclOperation.WRITE: topology.worker_writes,
    }
    topics = _described(admin, list(wanted))
    denied = [right for name, found in topics.items() for right in _denied_on_topic(name, found, needed)]
    for name, found in topics.items():
        if not isinstance(found, KafkaError):
            _check_partitions(name, len(found.partitions), wanted[name])
        elif found.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise ConfigurationError(f"topic {name} does not exist on {settings.brokers}: run `fsn topology apply`")
        elif found.code() not in _DENIED:
            raise ConfigurationError(f"topic {name} on {settings.brokers}: {found.str()}: mend the broker, start again")
    if PROTOCOL in client:  # without credentials there is nobody whom the broker could deny
        denied += _denied_elsewhere(admin, client, topology.app, settings.instance_id)
    if denied:
        who = f"{client['sasl.username']} of FSN_SECURITY" if "sasl.username" in client else "this worker"
        more = f" and {len(denied) - SHOWN} more" if len(denied) > SHOWN else ""
        raise ConfigurationError(
            f"{who} may not {', '.join(denied[:SHOWN])}{more} on {settings.brokers}: "
            "run `fsn topology acls --apply` as one of the broker's super.users"
        )
    changelog = topics[CHANGELOG]
    assert not isinstance(changelog, KafkaError)
    return f"{CHANGELOG}@{changelog.topic_id}"


def _described(admin: AdminClient, names: list[str]) -> dict[str, Any]:
    """What the broker says of each topic, or its KafkaError."""
    answers = admin.describe_topics(
        TopicCollection(names), include_authorized_operations=True, request_timeout=_TIMEOUT_S
    )
    return {name: _answer(answers[name]) for name in names}


def _answer(future: Any) -> Any:
    try:
        return future.result()
    except KafkaException as error:
        return error.args[0]


def _check_partitions(name: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise ConfigurationError(
            f"topic {name} has {found} partitions, the topology says {wanted}: "
            "point FSN_BROKERS elsewhere or correct topology.yaml (a topic is never re-partitioned in place)"
        )


def _denied_on_topic(name: str, found: Any, needed: Mapping[AclOperation, Collection[str]]) -> Iterator[str]:
    """Rights a worker needs on a topic and has not; a broker that tells nothing is believed to deny nothing."""
    allowed: Any = () if _is_denied(found) else getattr(found, "authorized_operations", None) or tuple(AclOperation)
    for operation, topics in needed.items():
        if name in topics and operation not in allowed:
            yield f"{operation.name} topic {name}"


def _denied_elsewhere(admin: AdminClient, client: Mapping[str, Any], app: str, instance_id: str) -> Iterator[str]:
    """Rights on the group and on the tasks' transactional ids."""
    groups = admin.describe_consumer_groups([app], include_authorized_operations=True, request_timeout=_TIMEOUT_S)
    group = _answer(groups[app])
    told = getattr(group, "authorized_operations", None)
    if _is_denied(group) or (told and AclOperation.READ not in told):
        yield f"READ group {app}"
    # An id of its own under the tasks' prefix: to begin under a task's would end the transaction it is in.
    probe = f"{transactional_prefix(app)}start-{instance_id}"
    try:
        Producer({**client, "transactional.id": probe}).init_transactions(_TIMEOUT_S)
    except KafkaException as error:
        if not _is_denied(error.args[0]):
            raise ConfigurationError(f"no transaction can begin ({error.args[0].str()}): mend the broker") from error
        yield f"WRITE transactional-id {transactional_prefix(app)}*"


def _is_denied(answer: Any) -> bool:
    return isinstance(answer, KafkaError) and answer.code() in _DENIED
