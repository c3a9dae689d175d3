"""Location: the single writer of a location's inbox, its slots and the freshness of its feeds.

In: requests of orders, answers of partners and their ERPs, heartbeats of feeds, timers. Out: offers, the state of
assignments and their closings to the partner,
answers to the order, and two broadcasts that every partition routes by. Being the only writer makes two promises
simple: no local day takes more assignments than the location has slots, and an offer is either accepted or expired,
never both. What is refused, and why, is said in `contract`, `responses`, `erp`, `jobs` and `freshness`.
"""

from operator import attrgetter
from typing import Final

from processors.location import erp, jobs
from processors.location.freshness import FEEDS, hear, look
from processors.location.inbox import ASSIGNMENTS, forget
from processors.location.queues import QUEUES, Queue
from processors.location.requests import expire, offer, withdraw
from processors.location.responses import accept, reject, ship
from processors.location.slots import SLOTS, tell_load
from processors.step import Gauge, Stage
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentRejected,
    AssignmentRequested,
    AssignmentWithdrawalRequested,
    Shipped,
)
from schemas.records.operations import FeedHeartbeat
from schemas.records.partner_work import (
    AllocationConfirmed,
    AllocationFailed,
    Invoiced,
    InvoicingFailed,
    JobReported,
    PartialsSet,
    PickBatchReported,
)

STAGE: Final = Stage(
    name="location",
    handlers={
        "location-requests": {AssignmentRequested: offer, AssignmentWithdrawalRequested: withdraw},
        "partner-responses": {
            AssignmentAccepted: accept,
            AssignmentRejected: reject,
            Shipped: ship,
            AllocationConfirmed: erp.confirm,
            AllocationFailed: erp.fail,
            Invoiced: erp.invoiced,
            InvoicingFailed: erp.invoicing_failed,
            JobReported: jobs.report,
            PickBatchReported: jobs.report_batch,
            PartialsSet: jobs.set_partials,
        },
        "feed-heartbeats": {FeedHeartbeat: hear},
    },
    timers={
        "location.expire": expire,
        "location.forget": forget,
        "location.load": tell_load,
        "location.stale": look,
    },
    timer_tables={"location.expire": ASSIGNMENTS, "location.forget": ASSIGNMENTS},
    tables=(ASSIGNMENTS, QUEUES, SLOTS, FEEDS),
    gauges={
        "stale_feeds": Gauge(FEEDS, lambda row: sum(feed.stale for feed in row.feeds)),
        **{f"assignments_{queue}": Gauge(QUEUES, attrgetter(queue)) for queue in Queue},
    },
)
