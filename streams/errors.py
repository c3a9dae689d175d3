"""What can go wrong in the engine, as a tree.

StreamsError
├── ConfigurationError        wrong settings or keys: fails at start, names the setting
├── LogIsNewer                the log holds what only a newer FSN can read: ends the worker
├── RestoreError              the changelog cannot be read to its end
├── StoreError                the local store cannot be read
├── HangingTransaction        Kafka lost the end of a transaction: names where, and the mend
├── RepartitionError          a run cannot be carried to other partitions as it is
├── OutputTooLarge            an output or changelog row would exceed its topic's limit (names the input)
└── TransactionError          the outcome of one transaction
    ├── TransactionAborted    certain: nothing of it exists; may be retried from memory
    ├── TransactionUnknown    nobody knows: never retry from memory, read the log again
    │   └── CallAbandoned     a call to Kafka did not come back
    └── TransactionFenced     another producer owns the transactional id, or the broker timed ours out
"""


class StreamsError(Exception):
    """Root of the engine's errors."""

    retriable = False


class ConfigurationError(StreamsError):
    """A setting, a key file or a topology is wrong."""


class LogIsNewer(StreamsError):
    """The log holds what only a newer version of FSN can read; to go on would lose it."""


class RestoreError(StreamsError):
    """The changelog could not be read to its last stable offset."""

    retriable = True


class StoreError(StreamsError):
    """The local store cannot be read: drop the task and rebuild it."""


class HangingTransaction(StreamsError):
    """A transaction that its coordinator has ended is still open in the log."""

    retriable = True


class RepartitionError(StreamsError):
    """A run cannot be carried to other partitions: names the record or row, and the mend."""


class OutputTooLarge(StreamsError):
    """An output or changelog row exceeds its topic's limit."""

    def __init__(self, topic: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"a record of {size_bytes} bytes for {topic} exceeds its max_record_bytes of {limit_bytes}: "
            "send smaller inputs or raise the limit in topology.yaml"
        )
        self.topic = topic


class TransactionError(StreamsError):
    """A transaction did not commit as far as we know."""


class TransactionAborted(TransactionError):
    """Nothing of the transaction exists; it may be retried from memory."""

    retriable = True


class TransactionUnknown(TransactionError):
    """The commit may or may not have happened: run the assignment sequence."""


class CallAbandoned(TransactionUnknown):
    """A blocking call did not come back in its time, and was given up with its thread."""


class TransactionFenced(TransactionError):
    """Our producer was fenced: run the assignment sequence if the partition is still ours."""
