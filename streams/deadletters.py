"""Records that could not be processed: their bytes, where they were, and why, in the same transaction as the rest.

Key and value are encrypted with AES-GCM when a dead-letter key is configured: they may hold what a sender should
never have sent. The nonce derives from topic, partition and offset, so that a replay writes the same bytes; each
position is encrypted once under one key, so a nonce never serves two texts.
"""

import hashlib
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from processors.reasons import Reason
from schemas.records.engine import DeadLetter

FORWARDED_HEADER: Final = "fsn-forwarded"
CUT_SHORT: Final = "cut short to its first "
"""How the detail of a letter begins that holds only the head of its record."""
NONCE_BYTES: Final = 12


class Rejected(NamedTuple):
    """A raw record that cannot be processed, and why."""

    raw: Any
    reason: Reason
    detail: str


class DeadLetterSealer:
    """Makes DeadLetter records, and opens them again for operators."""

    def __init__(self, key: bytes | None) -> None:
        self._cipher = None if key is None else AESGCM(key)

    def seal(self, raw: Any, reason: Reason, detail: str) -> DeadLetter:
        """The dead letter of a raw record."""
        headers = tuple(raw.headers or ())
        return DeadLetter(
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            timestamp=raw.timestamp,
            key=self._encrypt(raw, raw.key, "key"),
            value=self._encrypt(raw, raw.value, "value"),
            header_names=tuple(name for name, _ in headers),
            header_values=tuple(content or b"" for _, content in headers),
            reason=reason.value,
            detail=detail[:2000],
            encrypted=self._cipher is not None,
        )

    def open(self, letter: DeadLetter) -> tuple[bytes | None, bytes | None]:
        """Key and value as they were read; raises cryptography's InvalidTag under another key."""
        if not letter.encrypted:
            return letter.key, letter.value
        if self._cipher is None:
            raise ValueError("this dead letter is encrypted: set FSN_DEAD_LETTER_KEY to the operators' key")
        return self._decrypt(letter, letter.key, "key"), self._decrypt(letter, letter.value, "value")

    def _encrypt(self, raw: Any, content: bytes | None, part: str) -> bytes | None:
        if content is None or self._cipher is None:
            return content
        return self._cipher.encrypt(_nonce(raw, part), content, None)

    def _decrypt(self, letter: DeadLetter, content: bytes | None, part: str) -> bytes | None:
        if content is None or self._cipher is None:
            return content
        return self._cipher.decrypt(_nonce(letter, part), content, None)


def position_of(raw: Any) -> str:
    """`topic|partition|offset`: the key of a dead letter."""
    return f"{raw.topic}|{raw.partition}|{raw.offset}"


def _nonce(raw: Any, part: str) -> bytes:
    return hashlib.sha256(f"{position_of(raw)}|{part}".encode()).digest()[:NONCE_BYTES]
