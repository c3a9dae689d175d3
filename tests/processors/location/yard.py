"""The yard these tests happen in: one partner, its locations and feeds, and short names for what is said to them."""

from processors.location.inbox import ASSIGNMENTS
from processors.location.stage import STAGE
from processors.network import Network, fold
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentRejected,
    AssignmentRequested,
    AssignmentWithdrawalRequested,
    ItemQuantity,
    Shipped,
    Track,
)
from schemas.records.network import FeedDefined, LocationDefined, PartnerDefined
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
from schemas.records.routing import PlanLine
from tests.processors.harness import Bench

HOUR, DAY = 3_600_000, 86_400_000
NOON = 1_764_590_400_000  # 2025-12-01 12:00 UTC, a Monday; 13:00 in Berlin
ACCEPT_BY = NOON + 4 * HOUR
LIMIT = 15 * 60_000

PARTNER, OTHER_PARTNER = "acme|partner_fp", "acme|partner_other"
BERLIN, WIEN, CLOSED = "acme|loc_berlin", "acme|loc_wien", "acme|loc_closed"
FEED, SECOND_FEED = "acme|partner_fp|loc_berlin|wms", "acme|partner_fp|loc_berlin|shop"
ORPHAN_FEED = "acme|partner_gone|loc_berlin|wms"
ORDER = "acme|shop|48372"


def location(location_id=BERLIN, *, slots=2, timezone="Europe/Berlin", retired=False, erp=False):
    return LocationDefined(
        location_id=location_id,
        partner_id=PARTNER,
        name="Yard",
        country="DE",
        postcode="10115",
        latitude_e6=52_520_000,
        longitude_e6=13_400_000,
        timezone=timezone,
        tier=1,
        ships_to=("DE",),
        postcode_prefixes=(),
        services=("ship_from_warehouse",),
        capabilities=(),
        daily_slots=slots,
        cutoff_minute=900,
        working_days=(1, 2, 3, 4, 5),
        handling_ms=HOUR,
        handling_cost_minor=100,
        unit_cost_minor=10,
        currency="EUR",
        accept_within_ms=4 * HOUR,
        safety_stock=0,
        carrier_account_ids=(),
        retired=retired,
        erp_allocation=erp,
        erp_invoicing=erp,
    )


def feed(feed_id=FEED, *, partner_id=PARTNER, location_id=BERLIN, limit=None):
    return FeedDefined(feed_id, partner_id, location_id, "none", "none", freshness_limit_ms=limit)


def network(*further):
    records = (
        PartnerDefined(PARTNER, "FP", "DE", LIMIT),
        location(),
        location(WIEN, timezone="Europe/Vienna"),
        location(CLOSED, retired=True),
        feed(),
        feed(SECOND_FEED),
        feed(ORPHAN_FEED, partner_id="acme|partner_gone"),
        *further,
    )
    return fold(Network(), enumerate(records))


def yard(*further, now_at=NOON):
    return Bench(STAGE, network=network(*further), now_at=now_at)


def request(number=1, *, at=BERLIN, lines=((1, 5), (2, 3)), partials=False, accept_by=ACCEPT_BY):
    return AssignmentRequested(
        assignment_id=f"as_{number}",
        order_id=ORDER,
        attempt=1,
        decision_id="rd_1",
        location_id=at,
        account_id="acme|dhl_1",
        service="standard",
        lines=tuple(PlanLine(line_no, f"acme|var_{line_no}", quantity) for line_no, quantity in lines),
        partials=partials,
        accept_by=accept_by,
    )


def items(quantities):
    return tuple(ItemQuantity(item_id, quantity) for item_id, quantity in quantities)


def accepted(*quantities, number=1, at=BERLIN, order_id=ORDER):
    return AssignmentAccepted(f"as_{number}", order_id, at, items(quantities), 7)


def rejected(*quantities, number=1, at=BERLIN):
    return AssignmentRejected(f"as_{number}", ORDER, at, items(quantities), "no stock", 8)


def shipped(
    *quantities, number=1, at=BERLIN, shipment="sh_1", tracks=(Track("gls", "GLS", "123"),), money=(None, None)
):
    return Shipped(shipment, f"as_{number}", ORDER, at, items(quantities), tracks, *money, 9)


def withdrawal(number=1, *, reason="superseded", at=BERLIN):
    return AssignmentWithdrawalRequested(f"as_{number}", ORDER, at, reason)


def allocated(*quantities, number=1, at=BERLIN):
    return AllocationConfirmed(f"as_{number}", ORDER, at, items(quantities), 10)


def unallocated(*quantities, number=1, at=BERLIN):
    return AllocationFailed(f"as_{number}", ORDER, at, items(quantities), "blocked", 11)


def invoiced(invoice_number="RE-1", *, number=1, at=BERLIN):
    return Invoiced(f"as_{number}", ORDER, at, invoice_number, 12)


def uninvoiced(reason="no VAT id", *, number=1, at=BERLIN):
    return InvoicingFailed(f"as_{number}", ORDER, at, reason, 13)


def job(kind="pick", state="open", *picked, job_id="pj_1", number=1, at=BERLIN):
    return JobReported(f"as_{number}", ORDER, at, job_id, kind, state, items(picked), 14)


def batch(state="open", *numbers, batch_id="b_1", at=BERLIN):
    return PickBatchReported(at, batch_id, state, tuple(f"as_{number}" for number in numbers or (1,)), 15)


def partials(on=True, *, number=1, at=BERLIN):
    return PartialsSet(f"as_{number}", ORDER, at, on, "the customer called", 16)


def heartbeat(complete_to_at, *, feed_id=FEED, at=BERLIN):
    return FeedHeartbeat(feed_id, at, complete_to_at)


def say(bench, record, signer=None):
    """Send a record on its own topic, under its own key."""
    topic = {
        AssignmentRequested: "location-requests",
        AssignmentWithdrawalRequested: "location-requests",
        FeedHeartbeat: "feed-heartbeats",
    }.get(type(record), "partner-responses")
    return bench.send(topic, record.location_id, record, signer)


def queue(bench, number=1):
    return bench.rows[ASSIGNMENTS.name][f"as_{number}"].queue.value


def status(bench, number=1):
    return bench.rows[ASSIGNMENTS.name][f"as_{number}"].status.value


def places(bench, number=1):
    """(pending, rejected, accepted and here, shipped) units per item."""
    row = bench.rows[ASSIGNMENTS.name][f"as_{number}"]
    return [(item.pending, item.rejected, item.unshipped, item.shipped) for item in row.items]
