"""Records the engine itself writes and reads; none of them knows a business word."""

from schemas.records.base import Int32, Part, Record


class Tick(Record):
    """Time, as an event: the elected leader writes one per second to every partition of `clock`.

    at: epoch ms UTC
    """

    at: int


class OffsetRange(Part):
    """Records of one topic that a transaction consumed.

    topic: source topic
    first: offset of the first record
    last: offset of the last record
    """

    topic: str
    first: int
    last: int


class TaskManifest(Record):
    """What one transaction of a task consumed: given its manifests a task re-emits its outputs byte for byte.

    app: application id
    partition: the task's partition
    strict: each row was measured at once, for one of them was too large for the changelog
    number: counts the task's transactions
    network_offset: reference data in force when the transaction began
    ranges: per source topic, what was consumed
    outputs: records emitted, changelog rows and this manifest not counted
    outputs_digest: sha1 over all outputs in order (topic, partition, key, value), hex
    """

    app: str
    partition: Int32
    strict: bool
    number: int
    network_offset: int
    ranges: tuple[OffsetRange, ...]
    outputs: Int32
    outputs_digest: str


class DeadLetter(Record):
    """A record that could not be processed: its bytes, where it was, and why.

    topic: topic it was read from
    partition: partition
    offset: offset
    timestamp: its Kafka timestamp
    key: its key, encrypted with AES-GCM when a key is configured
    value: its value, likewise
    header_names: names of its headers
    header_values: values of its headers, in the same order
    reason: UPPER_SNAKE reason, one of a closed list
    detail: what exactly was wrong, and the mend
    encrypted: whether key and value are encrypted
    """

    topic: str
    partition: Int32
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    header_names: tuple[str, ...]
    header_values: tuple[bytes, ...]
    reason: str
    detail: str
    encrypted: bool
