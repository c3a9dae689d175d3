"""The secured cluster as tests want it: a topology's topics and permissions, for as long as one test needs them."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaError
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from ops.kafka.secured import SecuredCluster
from schemas.topology import load
from streams.acls import ROLES, WORKER, Acl, acls, apply_acls
from streams.admin import apply

SECONDS = 30
SETTLE_S = 0.5
"""A controller has noted a change of permissions at once; the broker hears of it a moment later."""
EVERY_ACL = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)


class PreparedCluster(SecuredCluster):
    """A cluster that knows every role."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ROLES)

    def admin(self) -> AdminClient:
        """A client that may do everything."""
        return AdminClient({"bootstrap.servers": self.bootstrap, **self.client_settings()})

    @contextmanager
    def prepared(self, path: Path) -> Iterator[None]:
        """Topics and permissions of this topology; gone afterwards."""
        topology = load(path)
        apply(topology, self.bootstrap, client=self.client_settings())
        apply_acls(self.admin(), acls(topology))
        self._wait_for(topology.app)
        try:
            yield
        finally:
            self.forget_all()

    def _wait_for(self, app: str) -> None:
        """A controller has noted the permissions; the broker hears of them, in one piece, a moment later."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, **self.client_settings(WORKER)})
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            error = admin.describe_consumer_groups([app])[app].exception(SECONDS)
            if error is None or error.args[0].code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
                return
            time.sleep(0.1)
        raise AssertionError("the permissions did not come into force")

    def forget_all(self) -> None:
        """No topics of ours, and no permissions."""
        admin = self.admin()
        names = [name for name in admin.list_topics(timeout=SECONDS).topics if not name.startswith("__")]
        for future in admin.delete_topics(names).values():
            future.result(SECONDS)
        for future in admin.delete_acls([EVERY_ACL]).values():
            future.result(SECONDS)

    def allow(self, principal: str, operation: AclOperation, topic: str) -> None:
        """One permission that no topology asks for."""
        given = AclBinding(
            ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, principal, "*", operation, AclPermissionType.ALLOW
        )
        admin = self.admin()
        admin.create_acls([given])[given].result(SECONDS)

    @contextmanager
    def without(self, wanted: Iterable[Acl], right: str) -> Iterator[None]:
        """All these permissions but one, for a while."""
        lacking = [acl for acl in wanted if str(acl) != right]
        apply_acls(self.admin(), lacking, prune=True)
        time.sleep(SETTLE_S)
        try:
            yield
        finally:
            apply_acls(self.admin(), wanted)

    def forget(self, bindings: Iterable[AclBinding]) -> None:
        """Take these permissions away."""
        filters = [AclBindingFilter(*(getattr(one, name) for name in one._not_none_args())) for one in bindings]
        admin = self.admin()
        for future in admin.delete_acls(filters).values():
            future.result(SECONDS)
