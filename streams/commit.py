"""One batch's transaction, step by step, as one blocking call.

begin → outputs → changelog rows → offsets → commit → the local store, last and in one write: written earlier it could
be ahead of a transaction that never committed. The call may be given up while it blocks (streams/blocking.py), so it
touches nothing of the task's own. Back late, it finds its producer fenced, or has committed before its successor
read the log; and it finds its store closed, for the successor could not open that otherwise.
"""

from schemas.topology_model import CHANGELOG
from streams.batch import Computed
from streams.changelog import now_ms
from streams.errors import TransactionUnknown
from streams.faults import Reach
from streams.store import LocalStore, StoreMeta
from streams.transaction import TaskProducer


def commit(
    computed: Computed, producer: TaskProducer, store: LocalStore, meta: StoreMeta, partition: int, reach: Reach
) -> StoreMeta:
    """Commit what was computed; where the store stands then.

    Raises:
        TransactionAborted, TransactionUnknown, TransactionFenced: the three outcomes of streams/transaction.py
        StoreError: committed, but the store could not be written
    """
    reach("computed")
    producer.begin()
    reach("begun")
    producer.send(computed.outputs)
    reach("sent")
    producer.send_rows(CHANGELOG, partition, computed.rows)
    reach("rows")
    producer.send_offsets(computed.offsets, partition)
    reach("offsets")
    position = producer.commit()
    reach("committed")
    if position is None:
        raise TransactionUnknown("committed, but nobody said where in the changelog")
    reached = StoreMeta(meta.changelog, meta.partitions, meta.layout, position, now_ms())
    store.write(computed.rows, reached)
    reach("stored")
    return reached
