"""Every assignment is in one queue and moves as the contract says; each fault is named with its assignment."""

import pytest

from fsn.report.assignments import check_assignments
from tests.report.making import BERLIN, ORDER, PARIS, broken, reads

AS = "as_1"
ADD_UP, FOLLOWS, QUEUE = "units add up", "a status follows the one before", "the queue is what the status says"
SAID, ONCE, ROUTED = "shipped is what was said", "an end is told once", "queues hold everything routed"


def ids(assignment_id=AS, location_id=BERLIN, order_id=ORDER):
    return {"assignment_id": assignment_id, "order_id": order_id, "location_id": location_id}


def offered(erp=False, **named):
    return "AssignmentOffered", {**ids(**named), "erp_allocation": erp, "erp_invoicing": erp}


def updated(status, queue, *items, **named):
    names = ("item_id", "ordered", "accepted", "rejected", "allocated", "shipped")
    units = [dict(zip(names, item, strict=True)) for item in items or ((1, 2, 0, 0, 0, 0),)]
    return "AssignmentUpdated", {**ids(**named), "status": status, "queue": queue, "items": units}


def closed(status, **named):
    return "AssignmentClosed", {**ids(**named), "status": status}


def shipped(units=2, shipment_id="s1", **named):
    items = [{"item_id": 1, "quantity": units}]
    return "Shipped", {**ids(**named), "shipment_id": shipment_id, "items": items}


def decided(*places, order_id=ORDER):
    parts = [{"location_id": location_id, "attempt": attempt} for location_id, attempt in places or ((BERLIN, 1),)]
    return "RoutingDecision", {"order_id": order_id, "plan": {"parts": parts}}


ACCEPTED = updated("accepted", "pending_shipment", (1, 2, 2, 0, 0, 0))
WAITING = updated("accepted", "pending_allocation", (1, 2, 2, 0, 0, 0))
READY = updated("accepted", "pending_shipment", (1, 2, 2, 0, 2, 0))
GONE = updated("shipped", "completed", (1, 2, 2, 0, 0, 2))
BILLED = [
    offered(erp=True),
    WAITING,
    READY,
    updated("shipped", "pending_invoice", (1, 2, 2, 0, 2, 2)),
    updated("invoiced", "completed", (1, 2, 2, 0, 2, 2)),
    closed("completed"),
]


def check(*told, said=(), decisions=(decided(),)):
    return check_assignments(reads(*told), reads(*said), reads(*decisions))


@pytest.mark.parametrize(
    ("told", "said", "queue"),
    [
        ([offered()], [], "pending_accept"),
        ([offered(), ACCEPTED], [], "pending_shipment"),
        ([offered(), ACCEPTED, GONE, closed("completed")], [shipped(), shipped()], "completed"),
        ([offered(erp=True), WAITING], [], "pending_allocation"),
        (BILLED[:4], [shipped()], "pending_invoice"),
        (BILLED, [shipped()], "completed"),
        ([offered(), updated("expired", "failed", (1, 2, 0, 2, 0, 0)), closed("expired")], [], "failed"),
        ([updated("declined", "failed")], [], "failed"),
        ([*BILLED[:4], updated("invoice_failed", "failed", (1, 2, 2, 0, 2, 2))], [shipped()], "failed"),
    ],
)
def test_what_keeps_to_the_contract_is_counted_in_its_queue(told, said, queue):
    found = check(*told, said=said)
    assert (found.checked.faults, found.queues.counts) == ((), {queue: 1})


@pytest.mark.parametrize(
    ("told", "said", "promises"),
    [
        ([offered(), offered()], [], ["an assignment is offered once"]),
        ([offered(), updated("pending_accept", "pending_accept", location_id=PARIS)], [],
         ["an assignment is one order's at one location"]),
        ([offered(), updated("shipped", "completed", (1, 2, 2, 0, 0, 2)), closed("completed")], [shipped()], [FOLLOWS]),
        ([offered(), ACCEPTED, updated("accepted", "pending_shipment", (1, 2, 2, 1, 0, 0))], [], [ADD_UP]),
        ([offered(), ACCEPTED, updated("accepted", "pending_shipment", (1, 2, 1, -1, 0, 0))], [], [ADD_UP]),
        ([offered(erp=True), updated("accepted", "pending_shipment", (1, 2, 2, 0, 3, 0))], [], [ADD_UP]),
        ([*BILLED[:3], updated("partially_shipped", "pending_shipment", (1, 2, 2, 0, 0, 1))], [shipped(1)], [ADD_UP]),
        ([offered(), updated("accepted", "completed", (1, 2, 2, 0, 0, 0))], [], [QUEUE, ONCE]),
        ([offered(erp=True), READY, WAITING, updated("accepted", "pending_shipment", (1, 2, 2, 0, 0, 0))], [], [QUEUE]),
        ([offered(), ACCEPTED, GONE, closed("completed")], [], [SAID]),
        ([offered(), ACCEPTED, GONE, closed("completed")], [shipped(1), shipped(1, "s2"), shipped(1, "s3")], [SAID]),
        ([offered(), ACCEPTED], [shipped()], [SAID]),
        ([offered(), ACCEPTED, GONE], [shipped()], [ONCE]),
        ([offered(), ACCEPTED, GONE, closed("completed"), closed("completed")], [shipped()], [ONCE]),
        ([offered(), ACCEPTED, closed("completed")], [], [ONCE]),
    ],
)  # fmt: skip
def test_what_does_not_is_named(told, said, promises):
    found = check(*told, said=said).checked
    assert broken(found) == promises
    assert all(fault.subject.startswith(AS) for fault in found.faults)


@pytest.mark.parametrize(
    ("told", "decisions", "promise", "lost"),
    [
        ([], [decided()], ROUTED, 1),
        ([offered()], [decided((BERLIN, 1), (PARIS, 1))], ROUTED, 1),
        ([offered()], [decided(), decided((BERLIN, 2))], ROUTED, 1),
        ([offered()], [], "queues hold nothing else", 0),
        ([offered(), offered(assignment_id="as_2")], [decided()], "queues hold nothing else", 0),
    ],
)
def test_the_queues_hold_what_was_routed_and_nothing_else(told, decisions, promise, lost):
    (fault,) = check(*told, decisions=decisions).checked.faults
    assert (fault.check, fault.lost) == (promise, lost)


def test_a_part_that_is_kept_by_the_next_decision_stays_one_assignment():
    decisions = [decided(), decided((BERLIN, 1), (PARIS, 2))]
    assert check(offered(), offered(assignment_id="as_2", location_id=PARIS), decisions=decisions).checked.faults == ()
