"""A cluster whose clients must prove who they are: SASL_SSL with SCRAM-SHA-512, and ACLs that are kept.

In: a folder and the users' names. Out: a cluster that allows nothing to anybody but `admin` until ACLs say so, and per
user what FSN_SECURITY must say. Passwords and certificates are made with the folder; a password holds `=` and `;`, as a
real one may. Users are written when the storage is formatted, so that brokers can prove themselves to each other with
SCRAM too; controllers know each other by certificate.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ops.kafka.certificates import Authority
from ops.kafka.cluster import Broker, Cluster

ADMIN: Final = "admin"
PEER: Final = "fsn-broker"
_SCRAM: Final = "SCRAM-SHA-512"
_LOGIN: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required"


class SecuredCluster(Cluster):
    """A cluster of SASL_SSL listeners, with an authorizer."""

    def __init__(
        self, folder: Path, users: Sequence[str], *, brokers: int = 1, settings: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(folder, brokers=brokers, settings=settings)
        self._passwords = _passwords(folder / "users.json", (ADMIN, *users))
        self.ca = folder / "ca.pem"
        self._peer = folder / f"{PEER}.pem"
        if not self._peer.exists():
            Authority(folder).issue(PEER)

    def security(self, user: str, *, password: str | None = None, ca: Path | None = None) -> str:
        """What FSN_SECURITY says for this user: a file, for the password holds `;`."""
        path = self.folder / f"security-{secrets.token_hex(4)}"
        path.touch(mode=0o600)
        said = self.client_settings(user) | ({"sasl.password": password} if password else {})
        said |= {"ssl.ca.location": str(ca)} if ca else {}
        path.write_text("".join(f"{name}={value}\n" for name, value in said.items()))
        return f"@{path}"

    def client_settings(self, user: str = ADMIN) -> dict[str, str]:
        """librdkafka's settings for this user."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": _SCRAM,
            "sasl.username": user,
            "sasl.password": self._passwords[user],
            "ssl.ca.location": str(self.ca.resolve()),
        }

    def format_options(self) -> list[str]:
        """The users, for the storage tool."""
        return [
            part
            for user, password in self._passwords.items()
            for part in ("--add-scram", f'{_SCRAM}=[name="{user}",password="{password}"]')
        ]

    def broker_settings(self, broker: Broker) -> dict[str, object]:
        """One listener for clients and brokers, one for controllers, and an authorizer that denies by default."""
        login = f'{_LOGIN} username="{ADMIN}" password="{self._passwords[ADMIN]}";'
        plain = super().broker_settings(broker)
        return {
            **plain,
            "listeners": str(plain["listeners"]).replace("PLAINTEXT", "CLIENT"),
            "advertised.listeners": str(plain["advertised.listeners"]).replace("PLAINTEXT", "CLIENT"),
            "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "CLIENT",
            "sasl.enabled.mechanisms": _SCRAM,
            "sasl.mechanism.inter.broker.protocol": _SCRAM,
            "listener.name.client.scram-sha-512.sasl.jaas.config": login,
            "listener.name.controller.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self._peer.resolve(),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.ca.resolve(),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{ADMIN};User:CN={PEER}",
        }


def _passwords(path: Path, users: Sequence[str]) -> dict[str, str]:
    """User → password; a folder keeps those it was made with."""
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text())
        return kept
    made = {user: f"{secrets.token_hex(8)}=;{secrets.token_hex(4)}" for user in users}
    path.touch(mode=0o600)
    path.write_text(json.dumps(made))
    return made
