"""Who may do what on a broker, derived from the topology: one list, which `fsn topology acls` shows and applies.

In: a topology, and the principals that play its roles (`User:<role>` unless mapped). Out: ACLs, each one operation of
one principal; everything else is denied by the authorizer. Applied is what the asked broker itself reports: the
controller notes a change at once, a broker follows a moment later, and a worker started in between would be denied. A worker's rights follow from its stages, those of other
roles from `read_by` and `written_by`. Operations that another implies (DESCRIBE by READ or WRITE) are not repeated.
Principals are ours alone: pruning removes every permission of theirs that is not on the list.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple, get_args

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from schemas.topology import Topology
from schemas.topology_model import DEAD_LETTERS, Role
from streams.errors import ConfigurationError

WORKER: Final = "worker"
ROLES: Final = (WORKER, *get_args(Role))

_TIMEOUT_S: Final = 30.0
_ASK_EVERY_S: Final = 0.1
_ANY_HOST: Final = "*"
_RESOURCES: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}
_PATTERNS: Final = {"literal": ResourcePatternType.LITERAL, "prefixed": ResourcePatternType.PREFIXED}


class Acl(NamedTuple):
    """One permission."""

    principal: str
    operation: Literal["READ", "WRITE"]
    resource: Literal["topic", "group", "transactional-id"]
    name: str
    pattern: Literal["literal", "prefixed"] = "literal"

    def __str__(self) -> str:
        star = "*" if self.pattern == "prefixed" else ""
        return f"{self.principal} {self.operation} {self.resource} {self.name}{star}"


class Applied(NamedTuple):
    """What `apply_acls` did."""

    added: tuple[Acl, ...]
    removed: tuple[str, ...]
    surplus: tuple[str, ...]
    """Found and not on the list; removed only when pruning."""


def principals_of(mapped: Iterable[str]) -> dict[str, str]:
    """Role → principal, from `role=User:name` words."""
    principals = {role: f"User:{role}" for role in ROLES}
    for word in mapped:
        role, _, principal = word.partition("=")
        if role not in principals or not principal.startswith("User:"):
            raise ConfigurationError(f"{word!r}: say role=User:name, with a role of {', '.join(ROLES)}")
        principals[role] = principal
    return principals


def transactional_prefix(app: str) -> str:
    """What the transactional ids of an application's tasks begin with."""
    return f"fsn-{app}-"


def replay_id(app: str) -> str:
    """The transactional id under which dead letters are sent again."""
    return f"{transactional_prefix(app)}dlq"


def role_group(app: str, role: str) -> str:
    """What the consumer groups of a role begin with; the workers' group is the application's name itself."""
    return f"{app}-{role}"


def leader_topic(app: str) -> str:
    """Faust's topic whose one partition makes its owner the leader; nothing is ever written to it.

    `fsn topology apply` makes it: a worker that lets Faust make it dies when a broker of the cluster is down then.
    """
    return f"{app}-__assignor-__leader"


def acls(topology: Topology, principals: Mapping[str, str] | None = None) -> list[Acl]:
    """Every permission, role by role, in the topology's order."""
    named = principals or principals_of(())
    found = _workers(topology, named[WORKER])
    for role in get_args(Role):
        found += _outsiders(topology, role, named[role])
    return list(dict.fromkeys(found))


def apply_acls(admin: AdminClient, wanted: Iterable[Acl], *, prune: bool = False) -> Applied:
    """Make the broker's permissions of these principals what the list says; without `prune` only add.

    Returns when the broker that answers reports them.

    Raises:
        ConfigurationError: not allowed, no authorizer, or the broker does not follow its controller
    """
    wanted_by = {_binding(acl): acl for acl in wanted}
    principals = sorted({acl.principal for acl in wanted_by.values()})
    found = bindings_of(admin, principals)
    missing = [binding for binding in wanted_by if binding not in found]
    surplus = sorted(found - wanted_by.keys(), key=_shown)
    # All of them, for what the broker still reports may be gone already at the controller.
    for future in admin.create_acls(list(wanted_by), request_timeout=_TIMEOUT_S).values() if wanted_by else ():
        _answer(future)
    shown = tuple(map(_shown, surplus))
    if prune and surplus:
        for future in admin.delete_acls([_exactly(one) for one in surplus], request_timeout=_TIMEOUT_S).values():
            _answer(future)
    _wait_until_reported(admin, principals, frozenset(wanted_by), frozenset(surplus if prune else ()))
    return Applied(tuple(wanted_by[binding] for binding in missing), shown if prune else (), () if prune else shown)


def bindings_of(admin: AdminClient, principals: Iterable[str | None]) -> set[AclBinding]:
    """What the broker reports of these principals; None stands for all."""
    return {
        binding
        for principal in principals
        for binding in _answer(admin.describe_acls(_of(principal), request_timeout=_TIMEOUT_S))
    }


def _wait_until_reported(
    admin: AdminClient, principals: Iterable[str], there: frozenset[AclBinding], gone: frozenset[AclBinding]
) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not (there <= (found := bindings_of(admin, principals)) and found.isdisjoint(gone)):
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"ACLs: the broker does not report them {_TIMEOUT_S:.0f} s after its controller took them: "
                "see whether it follows its controller, then run it again"
            )
        time.sleep(_ASK_EVERY_S)


def _workers(topology: Topology, principal: str) -> list[Acl]:
    leader = leader_topic(topology.app)
    return [
        *(Acl(principal, "READ", "topic", name) for name in topology.topics if name in topology.worker_reads),
        *(Acl(principal, "WRITE", "topic", name) for name in topology.topics if name in topology.worker_writes),
        Acl(principal, "READ", "topic", leader),
        Acl(principal, "READ", "group", topology.app),
        Acl(principal, "WRITE", "transactional-id", transactional_prefix(topology.app), "prefixed"),
    ]


def _outsiders(topology: Topology, role: Role, principal: str) -> list[Acl]:
    reads = [topic.name for topic in topology.topics.values() if role in topic.read_by]
    writes = [topic.name for topic in topology.topics.values() if role in topic.written_by]
    found = [Acl(principal, "READ", "topic", name) for name in reads]
    found += [Acl(principal, "WRITE", "topic", name) for name in writes]
    if reads:
        found.append(Acl(principal, "READ", "group", role_group(topology.app, role), "prefixed"))
    if DEAD_LETTERS in writes:
        found.append(Acl(principal, "WRITE", "transactional-id", replay_id(topology.app)))
    return found


def _binding(acl: Acl) -> AclBinding:
    return AclBinding(
        _RESOURCES[acl.resource],
        acl.name,
        _PATTERNS[acl.pattern],
        acl.principal,
        _ANY_HOST,
        AclOperation[acl.operation],
        AclPermissionType.ALLOW,
    )


def _of(principal: str | None) -> AclBindingFilter:
    return AclBindingFilter(
        ResourceType.ANY,
        None,
        ResourcePatternType.ANY,
        principal,
        None,
        AclOperation.ANY,
        AclPermissionType.ALLOW,
    )


def _exactly(found: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        found.restype,
        found.name,
        found.resource_pattern_type,
        found.principal,
        found.host,
        found.operation,
        found.permission_type,
    )


def _shown(binding: AclBinding) -> str:
    resource = binding.restype.name.lower().replace("_", "-")
    star = "*" if binding.resource_pattern_type is ResourcePatternType.PREFIXED else ""
    host = "" if binding.host == _ANY_HOST else f" from {binding.host}"
    return f"{binding.principal} {binding.operation.name} {resource} {binding.name}{star}{host}"


def _answer(future: Any) -> Any:
    try:
        return future.result(timeout=_TIMEOUT_S)
    except KafkaException as error:
        cause = error.args[0]
        if cause.code() == KafkaError.SECURITY_DISABLED:
            mend = "this broker keeps no ACLs: set its authorizer.class.name"
        elif cause.code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            mend = "this user may not see or change ACLs: name one of super.users in FSN_SECURITY"
        else:
            mend = "nothing is known of what was changed: run it again"
        raise ConfigurationError(f"ACLs: {cause.str()}; {mend}") from error
