"""What a location's ERP says: nothing leaves unallocated, nothing is completed uninvoiced, and what fails is looked for
elsewhere.
"""

import msgspec
import pytest

from processors.location.inbox import ASSIGNMENTS, KEEP_ENDED_MS
from processors.location.queues import QUEUES, Queues
from processors.location.slots import SLOTS
from processors.reasons import Reason
from schemas.records.assignments import AssignmentAccepted, AssignmentClosed, AssignmentOffered, AssignmentRejected
from schemas.records.finance import ReferenceLinked
from schemas.records.partner_work import AssignmentUpdated
from tests.processors.location.yard import (
    BERLIN,
    NOON,
    ORDER,
    OTHER_PARTNER,
    WIEN,
    accepted,
    allocated,
    invoiced,
    items,
    location,
    places,
    queue,
    rejected,
    request,
    say,
    shipped,
    status,
    unallocated,
    uninvoiced,
    withdrawal,
    yard,
)

ALL = ((1, 5), (2, 3))
ILLEGAL, INVALID = Reason.ILLEGAL_TRANSITION, Reason.INVALID_VALUE
TAKEN = [accepted(*ALL)]
READY = [*TAKEN, allocated()]
GONE = [*READY, shipped(*ALL)]


def offered(says=(), *, partials=True, erp=True):
    bench = yard(location(erp=erp), location(WIEN))
    assert say(bench, request(partials=partials)) is None
    for record in says:
        assert say(bench, record) is None
    bench.take()
    return bench


def test_the_offer_says_that_an_erp_stands_between():
    bench = yard(location(erp=True))
    say(bench, request())
    (offer,) = bench.take()
    assert isinstance(offer, AssignmentOffered)
    assert (offer.erp_allocation, offer.erp_invoicing) == (True, True)


def test_an_assignment_goes_from_queue_to_queue():
    bench, queues = yard(location(erp=True)), []
    for record in (request(), *GONE, invoiced()):
        assert say(bench, record) is None
        queues.append(queue(bench))
    assert queues == [
        "pending_accept",
        "pending_allocation",
        "pending_shipment",
        "pending_invoice",
        "completed",
    ]
    assert status(bench) == "invoiced"


@pytest.mark.parametrize(
    ("said", "says", "refusal", "status_after", "queue_after"),
    [
        # allocation
        (TAKEN, allocated(), None, "accepted", "pending_shipment"),
        (TAKEN, allocated(*ALL), None, "accepted", "pending_shipment"),
        (TAKEN, allocated((1, 2)), None, "accepted", "pending_shipment"),
        (TAKEN, allocated((1, 0)), None, "accepted", "pending_allocation"),
        (READY, allocated(), None, "accepted", "pending_shipment"),
        ([accepted((1, 4))], allocated(), None, "partially_accepted", "pending_shipment"),
        ([*TAKEN, allocated((1, 2))], allocated((1, 5)), None, "accepted", "pending_shipment"),
        (
            [*TAKEN, allocated((1, 2)), shipped((1, 2))],
            unallocated((1, 3)),
            None,
            "partially_shipped",
            "pending_allocation",
        ),
        ([*TAKEN, allocated((1, 2)), shipped((1, 2))], unallocated(), None, "shipped", "pending_invoice"),
        (TAKEN, unallocated(), None, "rejected", "failed"),
        (TAKEN, unallocated((2, 3)), None, "partially_accepted", "pending_allocation"),
        ([*TAKEN, unallocated((2, 3))], unallocated((2, 3)), None, "partially_accepted", "pending_allocation"),
        ([*TAKEN, unallocated()], unallocated(*ALL), None, "rejected", "failed"),
        ([], allocated(), ILLEGAL, "pending_accept", "pending_accept"),
        ([], unallocated(), ILLEGAL, "pending_accept", "pending_accept"),
        ([rejected()], allocated(), ILLEGAL, "rejected", "failed"),
        ([withdrawal()], allocated(), ILLEGAL, "withdrawn", "failed"),
        (TAKEN, allocated((1, 6)), INVALID, "accepted", "pending_allocation"),
        (TAKEN, allocated((3, 1)), INVALID, "accepted", "pending_allocation"),
        (TAKEN, allocated((1, 2), (1, 2)), INVALID, "accepted", "pending_allocation"),
        (TAKEN, allocated((1, -1)), Reason.NEGATIVE_QUANTITY, "accepted", "pending_allocation"),
        ([*TAKEN, allocated((1, 5))], allocated((1, 4)), ILLEGAL, "accepted", "pending_shipment"),
        (TAKEN, unallocated((1, 2)), INVALID, "accepted", "pending_allocation"),
        (READY, unallocated((1, 5)), ILLEGAL, "accepted", "pending_shipment"),
        (READY, unallocated(), ILLEGAL, "accepted", "pending_shipment"),
        # nothing leaves before it is allocated
        (TAKEN, shipped((1, 1)), ILLEGAL, "accepted", "pending_allocation"),
        ([*TAKEN, allocated((1, 2))], shipped((1, 3)), INVALID, "accepted", "pending_shipment"),
        ([*TAKEN, allocated((1, 2))], shipped((1, 2)), None, "partially_shipped", "pending_allocation"),
        # what was allocated may still be missing on the shelf, or cancelled
        (READY, rejected((2, 3)), None, "partially_accepted", "pending_shipment"),
        (READY, withdrawal(reason="cancelled"), None, "withdrawn", "failed"),
        # invoicing
        (GONE, invoiced(), None, "invoiced", "completed"),
        ([*GONE, invoiced()], invoiced(), None, "invoiced", "completed"),
        (GONE, uninvoiced(), None, "invoice_failed", "failed"),
        ([*GONE, uninvoiced()], uninvoiced(), None, "invoice_failed", "failed"),
        ([*GONE, uninvoiced()], uninvoiced("no address"), None, "invoice_failed", "failed"),
        ([*GONE, uninvoiced()], invoiced(), None, "invoiced", "completed"),
        (GONE, withdrawal(reason="cancelled"), None, "shipped", "pending_invoice"),
        (READY, invoiced(), ILLEGAL, "accepted", "pending_shipment"),
        (READY, uninvoiced(), ILLEGAL, "accepted", "pending_shipment"),
        ([*GONE, invoiced()], invoiced("RE-2"), ILLEGAL, "invoiced", "completed"),
        ([*GONE, invoiced()], uninvoiced(), ILLEGAL, "invoiced", "completed"),
        (GONE, invoiced(""), INVALID, "shipped", "pending_invoice"),
        (GONE, invoiced("a|b"), INVALID, "shipped", "pending_invoice"),
    ],
)
def test_what_the_erp_may_say_and_where_it_leads(said, says, refusal, status_after, queue_after):
    bench = offered(said)
    assert say(bench, says) is refusal
    assert (status(bench), queue(bench)) == (status_after, queue_after)


@pytest.mark.parametrize(
    ("says", "refusal"),
    [
        (allocated((1, 5)), INVALID),
        (allocated((1, 4), (2, 3)), INVALID),
        (allocated(*ALL), None),
        (unallocated((2, 3)), None),
    ],
)
def test_without_partials_the_erp_decides_on_whole_items(says, refusal):
    assert say(offered(TAKEN, partials=False), says) is refusal


@pytest.mark.parametrize("says", [allocated(), unallocated(), invoiced(), uninvoiced()])
def test_only_the_partner_speaks_for_its_books_and_only_where_it_said_it_keeps_them(says):
    assert say(offered(TAKEN), says, OTHER_PARTNER) is Reason.FORGED
    assert say(offered([*TAKEN, shipped(*ALL)], erp=False), says) is ILLEGAL


def test_a_location_that_takes_an_erp_meanwhile_keeps_to_what_was_agreed():
    bench = offered(TAKEN, erp=False)
    bench.network.locations[BERLIN] = location(erp=True)
    assert say(bench, shipped(*ALL)) is None
    assert (status(bench), queue(bench)) == ("shipped", "completed")


def test_the_order_hears_only_of_what_cannot_be_allocated():
    bench = offered(TAKEN)
    say(bench, allocated((1, 2)))
    assert bench.take("order-events") == []
    say(bench, unallocated((1, 3), (2, 3)))
    assert bench.take("order-events") == [
        AssignmentRejected("as_1", ORDER, BERLIN, items([(1, 3), (2, 3)]), "allocation failed: blocked", 11)
    ]
    assert places(bench) == [(0, 3, 2, 0), (0, 3, 0, 0)]


def test_an_allocation_that_fails_whole_frees_the_slot():
    bench = offered(TAKEN)
    say(bench, unallocated())
    assert bench.rows[SLOTS.name][BERLIN].days == (("2025-12-01", 0),)
    update, closed = bench.take("assignments")
    assert (update.queue, closed) == ("failed", AssignmentClosed("as_1", ORDER, BERLIN, "rejected"))


def test_an_invoice_links_its_number_to_the_order_and_completes_the_assignment():
    bench = offered(GONE)
    say(bench, invoiced("RE-2025-7"))
    assert bench.take("reference-links") == [ReferenceLinked("acme|invoice|RE-2025-7", ORDER)]
    update, closed = bench.take("assignments")
    assert (update.queue, update.invoice_number) == ("completed", "RE-2025-7")
    assert closed == AssignmentClosed("as_1", ORDER, BERLIN, "completed")
    assert bench.take() == []


def test_a_failed_invoice_waits_for_a_person_until_there_is_one():
    bench = offered(GONE)
    say(bench, uninvoiced("no VAT id"))
    update = bench.take("assignments")[-1]
    assert (update.queue, update.reason) == ("failed", "no VAT id")
    say(bench, uninvoiced("no VAT id"))
    say(bench, invoiced())
    review = bench.take("review-queue")
    assert [(item.kind, item.status) for item in review] == [
        ("INVOICING_FAILED", status) for status in ("open", "resolved")
    ]
    assert review[0].detail == f"{BERLIN}, order {ORDER}: no VAT id"
    assert bench.take("assignments")[-2].reason == ""


def test_what_waits_for_its_invoice_is_not_closed_and_a_failed_one_is_forgotten_with_its_topics():
    bench = offered(GONE)
    bench.tick(NOON + KEEP_ENDED_MS)
    assert queue(bench) == "pending_invoice"
    say(bench, uninvoiced())
    bench.tick(NOON + 2 * KEEP_ENDED_MS)
    assert bench.rows[ASSIGNMENTS.name] == {}


def test_an_assignment_that_ended_twice_is_forgotten_once():
    bench = offered(GONE)
    say(bench, uninvoiced())
    bench.tick(NOON + 1)
    say(bench, invoiced())
    bench.tick(NOON + KEEP_ENDED_MS)
    assert bench.rows[ASSIGNMENTS.name] == {}
    assert bench.rows[QUEUES.name] == {BERLIN: Queues()}
    bench.tick(NOON + 2 * KEEP_ENDED_MS)
    assert bench.rows[QUEUES.name] == {BERLIN: Queues()}


def test_a_row_written_before_there_were_erps_still_reads():
    old = ["acme|shop|1", BERLIN, True, 7, "2025-12-01", "shipped", [[1, 5, 5, 0, 5]], "", ["sh_1"]]
    row = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=ASSIGNMENTS.row)
    assert (row.queue, row.has_ended, row.items[0].unallocated) == ("completed", True, 5)


def test_a_refused_saying_leaves_no_word_behind():
    bench = offered(READY)
    assert say(bench, unallocated((1, 5))) is ILLEGAL
    assert bench.take() == []
    assert say(bench, allocated(*ALL)) is None
    (update,) = bench.take()
    assert isinstance(update, AssignmentUpdated)
    assert not any(isinstance(record, AssignmentAccepted) for record in bench.take("order-events"))
