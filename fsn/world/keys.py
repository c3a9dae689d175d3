"""Keys of the simulated network: one per partner, merchant and carrier, and one of the tenant itself.

In: a network and a seed. Out: the key file a worker loads by FSN_KEYS, and headers that prove who wrote a record.
The secrets derive from the seed, so that two worlds of one seed send the same bytes: good for a simulation only.
"""

import hashlib
import hmac
from pathlib import Path
from typing import Final

import msgspec

from fsn.world.network import TENANT, WorldNetwork

CARRIERS: Final = ("dhl_parcel_de", "ups", "gls")
Headers = tuple[tuple[str, bytes], ...]


class KeyBook:
    """Who signs with which key."""

    def __init__(self, network: WorldNetwork, seed: int) -> None:
        owners = [
            TENANT,
            *(partner.partner_id for partner in network.partners),
            *(merchant.merchant_id for merchant in network.merchants),
            *(f"{TENANT}|{carrier}" for carrier in CARRIERS),
        ]
        self.owners: Final = tuple(owners)
        self._secrets = {owner: hashlib.sha256(f"{seed}|{owner}".encode()).digest() for owner in owners}
        self._key_ids = {owner: _key_id(owner).encode() for owner in owners}

    def headers(self, owner: str, topic: str, key: bytes, value: bytes) -> Headers:
        """Headers of a record that this owner signs."""
        return self.headers_with(self._secrets[owner], owner, topic, key, value)

    def forged_headers(self, owner: str, topic: str, key: bytes, value: bytes) -> Headers:
        """Headers that name this owner's key, made without knowing its secret."""
        return self.headers_with(b"a secret that nobody gave out", owner, topic, key, value)

    def headers_with(self, secret: bytes, owner: str, topic: str, key: bytes, value: bytes) -> Headers:
        """Headers that name an owner's key, signed by a secret."""
        signature = hmac.digest(secret, b"|".join((topic.encode(), key, value)), "sha256")
        return ("fsn-key-id", self._key_ids[owner]), ("fsn-signature", signature)

    def write(self, path: Path) -> None:
        """Write the key file."""
        keys = {_key_id(owner): {"owner": owner, "secret": self._secrets[owner].hex()} for owner in self.owners}
        path.write_bytes(msgspec.json.format(msgspec.json.encode(keys)))


def _key_id(owner: str) -> str:
    return f"{owner.replace('|', '.')}.1"
