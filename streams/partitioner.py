"""Kafka's default partitioner: murmur2 of the key, as the Java client and `murmur2_random` of librdkafka do it.

librdkafka's own default is CRC32; a producer that forgets the setting lands records on the wrong partition. The task
finds them with this function. A pure-Python hash costs about 4 µs, so a bounded memory of keys keeps it off the hot
path of topics whose keys recur.
"""

import struct
from typing import Final

SEED: Final = 0x9747B28C
MULTIPLIER: Final = 0x5BD1E995
MASK: Final = 0xFFFFFFFF
REMEMBERED_KEYS_MAX: Final = 100_000


def murmur2(key: bytes) -> int:
    """Kafka's 32-bit murmur2 of a key, unsigned."""
    length = len(key)
    digest = (SEED ^ length) & MASK
    words = length // 4
    for word in struct.unpack_from(f"<{words}I", key):
        mixed = (word * MULTIPLIER) & MASK
        mixed ^= mixed >> 24
        mixed = (mixed * MULTIPLIER) & MASK
        digest = ((digest * MULTIPLIER) & MASK) ^ mixed
    rest = key[words * 4 :]
    if rest:
        digest ^= int.from_bytes(rest, "little")
        digest = (digest * MULTIPLIER) & MASK
    digest ^= digest >> 13
    digest = (digest * MULTIPLIER) & MASK
    return digest ^ (digest >> 15)


class Partitioner:
    """Partition of a key among a fixed number."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self._known: dict[bytes, int] = {}

    def __call__(self, key: bytes) -> int:
        """The key's partition."""
        partition = self._known.get(key)
        if partition is None:
            partition = (murmur2(key) & 0x7FFFFFFF) % self.partitions
            if len(self._known) >= REMEMBERED_KEYS_MAX:
                self._known.clear()
            self._known[key] = partition
        return partition
