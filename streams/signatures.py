"""Who wrote a record: HMAC-SHA256 over topic | key | value, under a key that belongs to one owner.

Kafka records carry no principal, so ACLs alone cannot tell partners apart. Each record on a signed topic names its
key in the header `fsn-key-id` and carries `fsn-signature`. Keys come from a JSON file (key id → owner, secret in
hex), never from a topic. An owner is a tenant (`acme`), one of its parties (`acme|partner_x`), or `fsn` for a worker.
"""

import hmac
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from streams.errors import ConfigurationError

KEY_ID_HEADER: Final = "fsn-key-id"
SIGNATURE_HEADER: Final = "fsn-signature"
BLOCK_BYTES: Final = 64
INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


class SigningKey(msgspec.Struct, frozen=True):
    """One key of the key file."""

    owner: str
    secret: str
    """Hex, at least 16 bytes."""


class Mac:
    """HMAC-SHA256 (RFC 2104) under one secret, whose two padded blocks are hashed once.

    `hmac.digest` hashes them, and looks the algorithm up, for every record: 2.2 µs instead of 0.9 (measured).
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes) -> None:
        key = sha256(secret).digest() if len(secret) > BLOCK_BYTES else secret
        padded = key.ljust(BLOCK_BYTES, b"\0")
        self._inner = sha256(padded.translate(INNER))
        self._outer = sha256(padded.translate(OUTER))

    def of(self, topic: bytes, key: bytes, value: bytes) -> bytes:
        """The signature of a record."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(b"|".join((topic, key, value)))
        outer.update(inner.digest())
        return outer.digest()


class KeyRing:
    """All keys a worker accepts."""

    def __init__(self, keys: Mapping[str, SigningKey]) -> None:
        self._keys = {key_id.encode(): (key.owner, Mac(bytes.fromhex(key.secret))) for key_id, key in keys.items()}

    @classmethod
    def load(cls, path: Path) -> "KeyRing":
        """Read a key file; names the file and the key when one is unusable."""
        try:
            keys = msgspec.json.decode(path.read_bytes(), type=dict[str, SigningKey])
        except OSError as error:
            raise ConfigurationError(f"FSN_KEYS names {path}, which cannot be read: {error}") from error
        except msgspec.MsgspecError as error:
            raise ConfigurationError(f"{path} is not a key file (key id → owner, secret): {error}") from error
        for key_id, key in keys.items():
            try:
                usable = len(bytes.fromhex(key.secret)) >= 16
            except ValueError:
                usable = False
            if not usable:
                raise ConfigurationError(f"{path}: the secret of key {key_id} must be at least 16 bytes in hex")
        return cls(keys)

    def signer(self, topic: bytes, key: bytes, value: bytes, headers: Iterable[tuple[str, bytes]]) -> str | None:
        """The owner whose signature the record carries; None when it is missing, unknown or wrong."""
        key_id = signature = None
        for name, content in headers:
            if name == KEY_ID_HEADER:
                key_id = content
            elif name == SIGNATURE_HEADER:
                signature = content
        if key_id is None or signature is None:
            return None
        known = self._keys.get(key_id)
        if known is None:
            return None
        return known[0] if hmac.compare_digest(known[1].of(topic, key, value), signature) else None

    def key_of(self, owner: str) -> str | None:
        """The id of the owner's key, the last of several; None when it has none."""
        found = [key_id for key_id, (known, _) in self._keys.items() if known == owner]
        return found[-1].decode() if found else None

    def sign(self, key_id: str, topic: str, key: bytes, value: bytes) -> list[tuple[str, bytes]]:
        """Headers that prove who wrote the record."""
        _, mac = self._keys[key_id.encode()]
        return [(KEY_ID_HEADER, key_id.encode()), (SIGNATURE_HEADER, mac.of(topic.encode(), key, value))]
