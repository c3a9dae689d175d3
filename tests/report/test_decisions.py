"""Every order has one decision in force or a named state; each fault is named with its order."""

import pytest

from fsn.report.decisions import check_decisions, meanings_of
from tests.report.making import BERLIN, ORDER, PARIS, SHOE, SOCK, broken, reads

LINES = ((1, SHOE, 2), (2, SOCK, 1))


def placed(*wanted, order_id=ORDER):
    named = [{"line_no": no, "variant_id": variant, "quantity": units} for no, variant, units in wanted or LINES]
    return "OrderPlaced", {"order_id": order_id, "lines": named}


def cancelled(order_id=ORDER):
    return "OrderCancelled", {"order_id": order_id}


def part(*planned, location_id=BERLIN, attempt=1):
    named = [
        {"line_no": no, "variant_id": variant, "quantity": units, "attempt": (own or [0])[0]}
        for no, variant, units, *own in planned
    ]
    return {"location_id": location_id, "attempt": attempt, "lines": named}


def decided(*parts, attempt=1, supersedes=None, order_id=ORDER, decision_id=None):
    made = {"decision_id": decision_id or f"rd_{order_id}_{attempt}", "order_id": order_id, "attempt": attempt}
    plan = {"parts": list(parts) or [part(*LINES, attempt=attempt)]}
    return "RoutingDecision", {**made, "supersedes": supersedes, "plan": plan}


def status(word, attempt=1, order_id=ORDER):
    return "OrderParked", {"order_id": order_id, "attempt": attempt, "status": word}


def grants(attempt=1, shoe=2, sock=1, location_id=BERLIN):
    return {
        (f"{ORDER}|{attempt}|{SHOE}", location_id): shoe,
        (f"{ORDER}|{attempt}|{SOCK}", location_id): sock,
    }


def check(orders=(placed(),), decisions=(), statuses=(), granted=None, meanings=None):
    return check_decisions(
        reads(*orders),
        reads(*decisions),
        reads(*statuses),
        grants() if granted is None else granted,
        meanings or {},
    )


def by_sku(packs, namespace="merchant:x", sku=" S-1 "):
    line = {"line_no": 1, "variant_id": None, "namespace": namespace, "sku": sku, "quantity": packs}
    return "OrderPlaced", {"order_id": ORDER, "lines": [line]}


def alias(alias_id, variant_id, units=1):
    return "AliasChanged", {"alias_id": alias_id, "variant_id": variant_id, "units_per_pack": units}


TENANT = ORDER.partition("|")[0]


@pytest.mark.parametrize(
    ("sent", "changes", "covered"),
    [
        (by_sku(2), [alias(f"{TENANT}|merchant:x|S-1", SHOE)], True),
        (by_sku(1), [alias(f"{TENANT}|merchant:x|S-1", SHOE, 2)], True),
        (by_sku(2), [alias(f"{TENANT}|merchant:x|S-1", SHOE), alias(f"{TENANT}|merchant:x|S-1", SOCK)], True),
        (by_sku(2, "gtin", "96385074"), [alias(f"{TENANT}|gtin|00000096385074", SHOE)], True),
        (by_sku(2), [], False),
        (by_sku(2), [alias(f"{TENANT}|merchant:x|S-1", None)], False),
        (by_sku(2), [alias(f"{TENANT}|merchant:x|S-1", SOCK)], False),
        (by_sku(1), [alias(f"{TENANT}|merchant:x|S-1", SHOE)], False),
    ],
)
def test_a_line_that_names_a_sku_is_covered_by_what_that_meant(sent, changes, covered):
    found = check([sent], [decided(part((1, SHOE, 2)))], meanings=meanings_of(reads(*changes)))
    assert (broken(found.checked) == []) is covered


SECOND = decided(part(*LINES, attempt=2), attempt=2, supersedes=f"rd_{ORDER}_1")
TWICE = {**grants(1), **grants(2)}


@pytest.mark.parametrize(
    ("decisions", "statuses", "state"),
    [
        ([decided()], [], "routed"),
        ([decided(), SECOND], [], "routed"),
        ([], [status("waiting")], "waiting"),
        ([decided(attempt=1)], [status("waiting", 0)], "routed"),
        ([decided()], [status("waiting", 2)], "waiting"),
        ([decided()], [status("waiting", 1)], "routed"),
        ([decided()], [status("cancelled", 1)], "cancelled"),
        ([decided()], [status("review", 1)], "review"),
        ([decided()], [status("cancel_refused", 1)], "routed"),
        ([], [status("waiting", 1), status("expired", 3)], "expired"),
        ([], [status("unmapped", 0)], "unmapped"),
        ([], [status("cancelled", 0)], "cancelled"),
    ],
)
def test_where_an_order_stands(decisions, statuses, state):
    found = check(decisions=decisions, statuses=statuses, granted=TWICE)
    assert found.states.counts == {state: 1}
    assert found.checked.faults == ()


def test_a_split_order_counts_its_locations():
    plan = decided(part((1, SHOE, 2)), part((2, SOCK, 1), location_id=PARIS))
    granted = {(f"{ORDER}|1|{SHOE}", BERLIN): 2, (f"{ORDER}|1|{SOCK}", PARIS): 1}
    found = check(decisions=[plan], granted=granted)
    assert (found.split, found.shipments, found.checked.faults) == (1, 2, ())


def test_the_same_order_sent_again_is_one_order():
    assert check([placed(), placed()], [decided()]).sent == 1


def test_a_kept_part_may_have_shipped_and_forgotten_its_reservation():
    kept = part((1, SHOE, 2), attempt=2)
    plan = decided(kept, part((2, SOCK, 1), attempt=3, location_id=PARIS), attempt=3)
    granted = {(f"{ORDER}|1|{SHOE}", BERLIN): 2, (f"{ORDER}|3|{SOCK}", PARIS): 1}
    assert check(decisions=[plan], granted=granted).checked.faults == ()


FAULTS = [
    # orders sent, decisions, statuses, grants → promise broken, (lost, duplicated)
    ([placed()], [], [], None, "no order is lost", (1, 0)),
    ([placed()], [], [status("cancel_refused")], None, "no order is lost", (1, 0)),
    ([placed()], [decided(), decided()], [], None, "one decision per attempt", (0, 1)),
    ([placed()], [SECOND, decided()], [], TWICE, "one decision per attempt", (0, 1)),
    ([placed()], [decided(), decided(part(*LINES, attempt=2), attempt=2)], [], TWICE,
     "a decision names the one before", (0, 0)),
    ([placed()], [decided(supersedes="rd_0")], [], None, "a decision names the one before", (0, 0)),
    ([placed()], [decided(part((1, SHOE, 1), (2, SOCK, 1)))], [], None, "a plan covers its order", (0, 0)),
    ([placed()], [decided(part((1, SHOE, 3), (2, SOCK, 1)))], [], grants(shoe=3), "a plan covers its order", (0, 0)),
    ([placed()], [decided()], [], {}, "a plan stands on grants", (0, 0)),
    ([placed()], [decided()], [], grants(shoe=1), "a plan stands on grants", (0, 0)),
    ([placed()], [decided(part((1, SHOE, 2, 7), (2, SOCK, 1)))], [], None, "a plan stands on grants", (0, 0)),
    ([placed(), cancelled()], [decided()], [], None, "every cancel is answered", (1, 0)),
    ([placed(), placed((1, SHOE, 3))], [decided()], [], None, "an order is one order", (0, 1)),
    ([placed()], [decided(), decided(order_id="acme|shop|9")], [], None, "only orders sent are decided", (0, 0)),
    ([placed(), placed(order_id="acme|shop|9")], [decided(), decided(order_id="acme|shop|9", decision_id=f"rd_{ORDER}_1")],
     [], {**grants(), (f"acme|shop|9|1|{SHOE}", BERLIN): 2, (f"acme|shop|9|1|{SOCK}", BERLIN): 1},
     "a decision has one order", (0, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("orders", "decisions", "statuses", "granted", "promise", "numbers"), FAULTS)
def test_a_broken_promise_is_named(orders, decisions, statuses, granted, promise, numbers):
    found = check(orders, decisions, statuses, granted)
    faults = [fault for fault in found.checked.faults if fault.check == promise]
    assert faults and (faults[0].lost, faults[0].duplicated) == numbers


def test_a_line_of_another_variant_is_not_the_order():
    granted = {(f"{ORDER}|1|{SHOE}", BERLIN): 3}
    found = check(decisions=[decided(part((1, SHOE, 2), (2, SHOE, 1)))], granted=granted)
    assert broken(found.checked) == ["a plan covers its order"]


def test_a_cancel_of_an_order_nobody_sent_is_not_ours():
    assert check([placed(), cancelled("acme|shop|9")], [decided()]).checked.faults == ()
