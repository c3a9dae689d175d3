"""The secured cluster as tests want it: a topology's topics and permissions, for as long as one test needs them."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
from streams.acls import ROLES, Acl, acls, apply_acls, bindings_of
from streams.admin import apply

SECONDS = 30
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
        try:
            yield
        finally:
            self.forget_all()

    def forget_all(self) -> None:
        """No topics of ours, and no permissions. The controller notes it at once, the broker a moment later."""
        admin = self.admin()
        for future in admin.delete_topics(names).values() if (names := self._topics(admin)) else ():
            future.result(SECONDS)
        for future in admin.delete_acls([EVERY_ACL]).values():
            future.result(SECONDS)
        deadline = time.monotonic() + SECONDS
        while self._topics(admin) or bindings_of(admin, [None]):
            assert time.monotonic() < deadline, "the broker still reports what was taken away"
            time.sleep(0.1)

    def _topics(self, admin: AdminClient) -> list[str]:
        return [name for name in admin.list_topics(timeout=SECONDS).topics if not name.startswith("__")]

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
