"""The partner's inbox: the contract one line each, then: every unit and every slot is accounted for, whatever is said."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.location.inbox import ASSIGNMENTS, KEEP_ENDED_MS, Status
from processors.location.queues import Queue
from processors.location.slots import SLOTS
from processors.reasons import Reason
from schemas.records.assignments import (
    AssignmentAccepted,
    AssignmentClosed,
    AssignmentDeclined,
    AssignmentExpired,
    AssignmentOffered,
    AssignmentRejected,
    AssignmentWithdrawalRefused,
    AssignmentWithdrawalRequested,
    AssignmentWithdrawn,
    Shipped,
    Track,
)
from schemas.records.partner_work import AssignmentUpdated, ItemState
from tests.processors.location.yard import (
    ACCEPT_BY,
    BERLIN,
    CLOSED,
    DAY,
    NOON,
    ORDER,
    OTHER_PARTNER,
    PARTNER,
    WIEN,
    accepted,
    allocated,
    invoiced,
    items,
    job,
    location,
    partials,
    places,
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

ALL, NONE = ((1, 5), (2, 3)), ((1, 0), (2, 0))
ILLEGAL, INVALID = Reason.ILLEGAL_TRANSITION, Reason.INVALID_VALUE


def told(bench):
    """What the order heard, in short."""
    return [
        (type(record).__name__.removeprefix("Assignment").lower(), *((i.item_id, i.quantity) for i in record.items))
        if hasattr(record, "items")
        else type(record).__name__.removeprefix("Assignment").lower()
        for record in bench.take("order-events")
    ]


def closings(bench):
    return [record for record in bench.take("assignments") if isinstance(record, AssignmentClosed)]


def offered(*, partials=False, says=()):
    bench = yard()
    assert say(bench, request(partials=partials)) is None
    for record in says:
        assert say(bench, record) is None
    bench.take()
    return bench


def used(bench, at=BERLIN):
    return dict(bench.rows[SLOTS.name][at].days) if at in bench.rows.get(SLOTS.name, {}) else {}


def test_an_offer_names_what_to_ship_until_when_and_uses_a_slot():
    bench = yard()
    assert say(bench, request(partials=True)) is None
    (offer,) = bench.take()
    assert offer == AssignmentOffered(
        "as_1", ORDER, BERLIN, "acme|dhl_1", "standard", request().lines, partials=True, accept_by=ACCEPT_BY
    )
    assert (status(bench), used(bench)) == ("pending_accept", {"2025-12-01": 1})


def test_every_change_and_every_repeat_tells_where_the_assignment_stands():
    bench, closed = offered(partials=True), []
    for record, status_after, queue_after, first, second in (
        (accepted((1, 4)), "partially_accepted", "pending_shipment", (5, 4, 1, 0, 0), (3, 0, 0, 0, 0)),
        (accepted((1, 4)), "partially_accepted", "pending_shipment", (5, 4, 1, 0, 0), (3, 0, 0, 0, 0)),
        (shipped((1, 3)), "partially_shipped", "pending_shipment", (5, 4, 1, 0, 3), (3, 0, 0, 0, 0)),
        (rejected((2, 3)), "partially_shipped", "pending_shipment", (5, 4, 1, 0, 3), (3, 0, 3, 0, 0)),
        (shipped((1, 1), shipment="sh_2"), "shipped", "completed", (5, 4, 1, 0, 4), (3, 0, 3, 0, 0)),
        (shipped((1, 1), shipment="sh_2"), "shipped", "completed", (5, 4, 1, 0, 4), (3, 0, 3, 0, 0)),
    ):
        say(bench, record)
        update, *closing = bench.take("assignments")
        assert update == AssignmentUpdated(
            assignment_id="as_1",
            order_id=ORDER,
            location_id=BERLIN,
            status=status_after,
            queue=queue_after,
            items=(ItemState(1, *first), ItemState(2, *second)),
            jobs=(),
            partials=True,
            reason="",
            invoice_number="",
            updated_at=NOON,
        )
        closed.append([record.status for record in closing])
    assert closed == [[], [], [], [], ["completed"], []]


@pytest.mark.parametrize(
    ("at", "reason"), [("acme|loc_nowhere", "unknown_location"), (CLOSED, "retired"), (BERLIN, "capacity_full")]
)
def test_a_location_that_cannot_take_it_declines(at, reason):
    bench = yard(location(slots=0))
    assert say(bench, request(at=at)) is None
    (update,) = bench.take("assignments")
    assert (update.status, update.queue, update.reason) == ("declined", "failed", reason)
    assert bench.take() == [AssignmentDeclined("as_1", ORDER, at, reason)]
    assert status(bench) == "declined"
    assert used(bench, at) == {}


@pytest.mark.parametrize(
    ("says", "answer"),
    [
        ((), []),
        ((accepted(*ALL),), []),
        ((rejected(),), []),
        ((withdrawal(),), ["withdrawn"]),
    ],
)
def test_a_request_asked_again_is_never_offered_twice(says, answer):
    bench = offered(says=says)
    before = dict(bench.rows[ASSIGNMENTS.name])
    say(bench, request())
    assert told(bench) == answer
    assert (bench.rows[ASSIGNMENTS.name], bench.take("assignments")) == (before, [])


def test_a_declined_and_an_expired_request_asked_again_hear_the_same_end():
    bench = yard(location(slots=0), location(WIEN))
    say(bench, request(1))
    say(bench, request(2, at=WIEN))
    bench.network.locations[BERLIN] = location(slots=9)
    bench.tick(ACCEPT_BY)
    bench.take()
    say(bench, request(1))
    say(bench, request(2, at=WIEN))
    assert told(bench) == ["declined", "expired"]


@pytest.mark.parametrize(
    ("partials", "answer", "refusal", "status_after", "heard"),
    [
        # whole acceptances and rejections
        (False, accepted(*ALL), None, "accepted", [("accepted", (1, 5), (2, 3))]),
        (False, accepted(*NONE), None, "rejected", [("rejected", (1, 5), (2, 3))]),
        (False, rejected(), None, "rejected", [("rejected", (1, 5), (2, 3))]),
        (False, rejected(*ALL), None, "rejected", [("rejected", (1, 5), (2, 3))]),
        # mixed in one call
        (False, accepted((1, 5), (2, 0)), None, "partially_accepted", [("accepted", (1, 5)), ("rejected", (2, 3))]),
        # partial quantities and omitted items
        (False, accepted((1, 4), (2, 3)), INVALID, "pending_accept", []),
        (
            True,
            accepted((1, 4), (2, 3)),
            None,
            "partially_accepted",
            [("accepted", (1, 4), (2, 3)), ("rejected", (1, 1))],
        ),
        (True, accepted((1, 6)), INVALID, "pending_accept", []),
        (False, accepted((1, 5)), INVALID, "pending_accept", []),
        (True, accepted((1, 5)), None, "partially_accepted", [("accepted", (1, 5))]),
        (True, accepted((1, 0)), None, "pending_accept", [("rejected", (1, 5))]),
        (False, rejected((1, 5)), INVALID, "pending_accept", []),
        (True, rejected((1, 5)), None, "pending_accept", [("rejected", (1, 5))]),
        (True, rejected((1, 4)), INVALID, "pending_accept", []),
        # what cannot be meant
        (True, accepted(), INVALID, "pending_accept", []),
        (True, accepted((3, 1)), INVALID, "pending_accept", []),
        (True, accepted((1, 5), (1, 5)), INVALID, "pending_accept", []),
        (True, accepted((1, -1)), Reason.NEGATIVE_QUANTITY, "pending_accept", []),
        (True, accepted(*ALL, order_id="acme|shop|1"), INVALID, "pending_accept", []),
        (True, accepted(*ALL, number=2), Reason.UNKNOWN_ASSIGNMENT, "pending_accept", []),
        (True, accepted(*ALL, at=WIEN), Reason.UNKNOWN_ASSIGNMENT, "pending_accept", []),
        (True, accepted(*ALL, at="acme|loc_nowhere"), Reason.UNKNOWN_LOCATION, "pending_accept", []),
        (False, shipped(*ALL), ILLEGAL, "pending_accept", []),
    ],
)
def test_first_answer(partials, answer, refusal, status_after, heard):
    bench = offered(partials=partials)
    assert say(bench, answer) == refusal
    assert (status(bench), told(bench)) == (status_after, heard)


@pytest.mark.parametrize(
    ("said", "answer", "refusal", "status_after", "heard"),
    [
        # a decision repeated is a no-op, another one is refused
        ([accepted(*ALL)], accepted(*ALL), None, "accepted", []),
        ([accepted((1, 4), (2, 0))], accepted((1, 4), (2, 0)), None, "partially_accepted", []),
        ([accepted((1, 5))], accepted((1, 5)), None, "partially_accepted", []),
        ([accepted((1, 5))], accepted((1, 5), (2, 3)), None, "accepted", [("accepted", (2, 3))]),
        ([accepted((1, 5))], accepted((1, 4), (2, 3)), ILLEGAL, "partially_accepted", []),
        ([accepted((1, 0))], accepted((1, 5)), ILLEGAL, "pending_accept", []),
        ([rejected()], rejected(), None, "rejected", []),
        ([rejected()], accepted(*NONE), None, "rejected", []),
        ([rejected()], accepted(*ALL), ILLEGAL, "rejected", []),
        ([rejected()], shipped(*ALL), INVALID, "rejected", []),
        ([accepted(*ALL)], accepted(*NONE), ILLEGAL, "accepted", []),
        # a short pick: accepted, then not found on the shelf
        ([accepted(*ALL)], rejected((2, 3)), None, "partially_accepted", [("rejected", (2, 3))]),
        ([accepted((1, 4), (2, 3))], rejected((1, 5)), None, "partially_accepted", [("rejected", (1, 4))]),
        ([accepted(*ALL)], rejected(), None, "rejected", [("rejected", (1, 5), (2, 3))]),
        ([accepted(*ALL), shipped((1, 2))], rejected((1, 5)), ILLEGAL, "partially_shipped", []),
        ([accepted(*ALL), shipped((1, 5))], rejected((2, 3)), None, "shipped", [("rejected", (2, 3))]),
        # shipments
        ([accepted(*ALL)], shipped(*ALL), None, "shipped", [("shipped", (1, 5), (2, 3))]),
        ([accepted(*ALL)], shipped((2, 3)), None, "partially_shipped", [("shipped", (2, 3))]),
        ([accepted(*ALL)], shipped((2, 4)), INVALID, "accepted", []),
        ([accepted(*ALL)], shipped((2, 0)), INVALID, "accepted", []),
        ([accepted(*ALL)], shipped(), INVALID, "accepted", []),
        ([accepted(*ALL)], shipped((3, 1)), INVALID, "accepted", []),
        ([accepted(*ALL)], shipped((1, -1)), Reason.NEGATIVE_QUANTITY, "accepted", []),
        ([accepted((1, 5))], shipped((1, 5)), None, "partially_shipped", [("shipped", (1, 5))]),
        ([accepted((1, 5))], shipped((2, 3)), INVALID, "partially_accepted", []),
        ([accepted((1, 4), (2, 0))], shipped((1, 4)), None, "shipped", [("shipped", (1, 4))]),
        ([accepted(*ALL), shipped((1, 5))], shipped((1, 5)), None, "partially_shipped", []),
        ([accepted(*ALL), shipped((1, 5))], shipped((1, 1), shipment="sh_2"), INVALID, "partially_shipped", []),
        ([accepted(*ALL), shipped((1, 5))], shipped((2, 3), shipment="sh_2"), None, "shipped", [("shipped", (2, 3))]),
        ([accepted(*ALL), shipped(*ALL)], shipped(*ALL), None, "shipped", []),
        ([accepted(*ALL), shipped(*ALL)], accepted(*ALL), None, "shipped", []),
        # withdrawals: until accepted, a cancel until shipped
        ([], withdrawal(), None, "withdrawn", ["withdrawn"]),
        ([withdrawal()], withdrawal(), None, "withdrawn", ["withdrawn"]),
        ([rejected()], withdrawal(), None, "rejected", ["withdrawn"]),
        ([accepted((1, 0))], withdrawal(), None, "withdrawn", ["withdrawn"]),
        ([accepted((1, 5))], withdrawal(), None, "partially_accepted", ["withdrawalrefused"]),
        ([accepted(*ALL)], withdrawal(), None, "accepted", ["withdrawalrefused"]),
        ([accepted(*ALL)], withdrawal(reason="cancelled"), None, "withdrawn", ["withdrawn"]),
        ([accepted((1, 5))], withdrawal(reason="cancelled"), None, "withdrawn", ["withdrawn"]),
        (
            [accepted(*ALL), shipped((1, 1))],
            withdrawal(reason="cancelled"),
            None,
            "partially_shipped",
            ["withdrawalrefused"],
        ),
        ([accepted(*ALL), shipped(*ALL)], withdrawal(reason="cancelled"), None, "shipped", ["withdrawalrefused"]),
        ([withdrawal()], accepted(*ALL), ILLEGAL, "withdrawn", []),
        ([withdrawal()], rejected(), ILLEGAL, "withdrawn", []),
        ([withdrawal()], shipped(*ALL), ILLEGAL, "withdrawn", []),
    ],
)
def test_next_answer_with_partials(said, answer, refusal, status_after, heard):
    bench = offered(partials=True, says=said)
    assert say(bench, answer) == refusal
    assert (status(bench), told(bench)) == (status_after, heard)


def test_without_partials_all_that_was_accepted_ships_at_once():
    bench = offered(says=[accepted((1, 5), (2, 0))])
    assert say(bench, shipped((1, 4))) is INVALID
    assert say(bench, shipped((1, 5))) is None
    assert (status(bench), places(bench)) == ("shipped", [(0, 0, 0, 5), (0, 3, 0, 0)])


@pytest.mark.parametrize(
    "changed",
    [
        {"tracks": (Track("", "GLS", "1"),)},
        {"tracks": (Track("gls", "GLS", ""),)},
        {"tracks": (Track("gls", "GLS", "a|b"),)},
        {"money": (-1, None)},
        {"money": (None, -1)},
    ],
)
def test_a_shipment_that_cannot_be_tracked_or_valued_is_refused(changed):
    assert say(offered(says=[accepted(*ALL)]), shipped(*ALL, **changed)) is INVALID


def test_the_order_hears_the_partner_s_own_words():
    bench = offered(partials=True)
    say(bench, accepted((1, 4)))
    say(bench, rejected((2, 3)))
    say(bench, shipped((1, 4), money=(100, 0)))
    assert bench.take("order-events") == [
        AssignmentAccepted("as_1", ORDER, BERLIN, items([(1, 4)]), 7),
        AssignmentRejected("as_1", ORDER, BERLIN, items([(1, 1)]), "not accepted", 7),
        AssignmentRejected("as_1", ORDER, BERLIN, items([(2, 3)]), "no stock", 8),
        shipped((1, 4), money=(100, 0)),
    ]
    assert closings(bench) == [AssignmentClosed("as_1", ORDER, BERLIN, "completed")]


@pytest.mark.parametrize(
    ("says", "at", "status_after", "heard", "closed"),
    [
        ((), ACCEPT_BY - 1, "pending_accept", [], []),
        ((), ACCEPT_BY, "expired", ["expired"], ["expired"]),
        ((accepted(*ALL),), ACCEPT_BY, "accepted", [], []),
        ((withdrawal(),), ACCEPT_BY, "withdrawn", [], []),
        ((accepted((1, 5)),), ACCEPT_BY, "partially_accepted", [("rejected", (2, 3))], []),
        ((accepted((1, 0)),), ACCEPT_BY, "expired", [("rejected", (2, 3))], ["expired"]),
        ((accepted((1, 5)), shipped((1, 5))), ACCEPT_BY, "shipped", [("rejected", (2, 3))], ["completed"]),
    ],
)
def test_what_is_undecided_when_the_offer_runs_out_is_lost_to_the_partner(says, at, status_after, heard, closed):
    bench = offered(partials=True, says=says)
    bench.tick(at)
    assert (status(bench), told(bench)) == (status_after, heard)
    assert [record.status for record in closings(bench)] == closed
    if status_after == "expired":
        assert say(bench, accepted(*ALL)) is ILLEGAL
        assert say(bench, request()) is None
        assert say(bench, withdrawal()) is None
        assert told(bench) == ["expired", "withdrawn"]


def test_a_withdrawal_before_its_request_leaves_a_tombstone():
    bench = yard()
    say(bench, withdrawal())
    say(bench, request())
    assert told(bench) == ["withdrawn", "withdrawn"]
    assert ([record.status for record in bench.take("assignments")], used(bench)) == (["withdrawn"], {})


def test_a_refused_withdrawal_names_the_status_that_forbids_it():
    bench = offered(says=[accepted(*ALL)])
    say(bench, withdrawal())
    assert bench.take() == [AssignmentWithdrawalRefused("as_1", ORDER, BERLIN, "accepted")]


@pytest.mark.parametrize("end", [rejected(), withdrawal(), None])
def test_an_end_without_shipment_frees_the_slot(end):
    bench = yard(location(slots=1))
    say(bench, request(1))
    say(bench, request(2))
    assert status(bench, 2) == "declined"
    if end is None:
        bench.tick(ACCEPT_BY)
    else:
        say(bench, end)
    assert used(bench) == {"2025-12-01": 0}
    say(bench, request(3))
    assert status(bench, 3) == "pending_accept"


def test_an_ended_assignment_is_forgotten_with_its_topics():
    bench = offered(says=[accepted(*ALL), shipped(*ALL)])
    bench.tick(NOON + KEEP_ENDED_MS - 1)
    assert status(bench) == "shipped"
    bench.tick(NOON + KEEP_ENDED_MS)
    assert bench.rows[ASSIGNMENTS.name] == {}
    bench.timers.add((0, "location.expire", "as_1"))
    bench.tick(bench.now_at)
    assert bench.take("order-events") == []


@pytest.mark.parametrize(
    ("signer", "refusal"),
    [
        (None, None),
        ("fsn", None),
        ("acme", None),
        (PARTNER, None),
        (OTHER_PARTNER, Reason.FORGED),
        ("umbrella", Reason.FORGED),
        ("umbrella|partner_fp", Reason.FORGED),
    ],
)
def test_only_the_location_s_partner_answers_for_it(signer, refusal):
    assert say(offered(), accepted(*ALL), signer) is refusal


def test_an_answer_is_keyed_by_its_location_and_comes_from_its_tenant():
    bench = offered()
    assert bench.send("partner-responses", WIEN, accepted(*ALL)) is Reason.KEY_MISMATCH
    assert say(bench, accepted(*ALL, at="acme|loc_nowhere"), OTHER_PARTNER) is Reason.UNKNOWN_LOCATION
    assert say(bench, accepted(*ALL, at="acme|loc_nowhere"), "umbrella|x") is Reason.FORGED


QUANTITIES = st.lists(st.tuples(st.integers(1, 3), st.integers(-1, 6)), max_size=3)
NUMBERS = st.integers(1, 4)
SAYINGS = st.one_of(
    st.builds(lambda n, p: request(n, partials=p), NUMBERS, st.booleans()),
    st.builds(lambda n, q: accepted(*q, number=n), NUMBERS, QUANTITIES),
    st.builds(lambda n: accepted(*ALL, number=n), NUMBERS),
    st.builds(lambda n, q: rejected(*q, number=n), NUMBERS, QUANTITIES),
    st.builds(lambda n, q, s: shipped(*q, number=n, shipment=f"sh_{s}"), NUMBERS, QUANTITIES, st.integers(1, 9)),
    st.builds(lambda n, r: withdrawal(n, reason=r), NUMBERS, st.sampled_from(["cancelled", "revoked"])),
    st.builds(lambda n, q: allocated(*q, number=n), NUMBERS, QUANTITIES),
    st.builds(lambda n, q: unallocated(*q, number=n), NUMBERS, QUANTITIES),
    st.builds(lambda n: invoiced(number=n), NUMBERS),
    st.builds(lambda n: uninvoiced(number=n), NUMBERS),
    st.builds(lambda n, q: job("pick", "closed", *q, number=n), NUMBERS, QUANTITIES),
    st.builds(lambda n, on: partials(on, number=n), NUMBERS, st.booleans()),
    st.sampled_from([3 * 3_600_000, DAY]),
)


def play(history, *, check=lambda bench: None, erp=True):
    bench = yard(location(slots=2, erp=erp))
    for entry in history:
        if isinstance(entry, int):
            bench.tick(bench.now_at + entry)
        else:
            say(bench, msgspec.structs.replace(entry, accept_by=bench.now_at + DAY) if is_request(entry) else entry)
        check(bench)
    return bench


def is_request(entry):
    return hasattr(entry, "accept_by")


@settings(max_examples=200, deadline=None)
@given(st.lists(SAYINGS, max_size=40))
def test_the_queues_hold_everything_requested_and_the_order_hears_of_each_unit_once(history):
    requested = {entry.assignment_id for entry in history if is_request(entry)}
    withdrawn = {entry.assignment_id for entry in history if isinstance(entry, AssignmentWithdrawalRequested)}
    bench = play(history)
    rows = bench.rows.get(ASSIGNMENTS.name, {})
    queues = Counter(row.queue for row in rows.values())
    assert set(rows) == requested | withdrawn  # a withdrawal of what was never requested leaves a tombstone
    assert sum(queues[queue] for queue in Queue) == len(rows)
    heard = {kind: Counter() for kind in (AssignmentAccepted, AssignmentRejected, Shipped)}
    for record in bench.take("order-events"):
        for item in getattr(record, "items", ()):
            assert item.quantity > 0
            heard[type(record)][record.assignment_id, item.item_id] += item.quantity
    for assignment_id, row in rows.items():
        for item in row.items:
            assert min(item.pending, item.rejected, item.unshipped, item.shipped) >= 0
            unit = assignment_id, item.line_no
            assert heard[Shipped][unit] == item.shipped
            if row.status is not Status.EXPIRED:
                assert heard[AssignmentRejected][unit] == item.rejected
            assert item.accepted <= heard[AssignmentAccepted][unit] <= item.ordered  # more where a short pick followed


@settings(max_examples=200, deadline=None)
@given(st.lists(SAYINGS, max_size=40))
def test_no_local_day_takes_more_than_the_slots_and_every_slot_belongs_to_an_assignment(history):
    def check(bench):
        rows = bench.rows.get(ASSIGNMENTS.name, {}).values()
        live = Counter(row.slot_date for row in rows if row.queue is not Queue.FAILED)
        counted = used(bench)
        assert all(number <= 2 for number in live.values())
        assert all(live[day] == number for day, number in counted.items())

    play(history, check=check)


@settings(max_examples=100, deadline=None)
@given(st.lists(SAYINGS, max_size=25))
def test_each_offer_is_closed_at_most_once_and_ends_in_one_way(history):
    bench = play([*history, 2 * DAY])
    closed = Counter(
        record.assignment_id for record in bench.take("assignments") if isinstance(record, AssignmentClosed)
    )
    assert set(closed.values()) <= {1}
    order = bench.take("order-events")
    expired = {record.assignment_id for record in order if isinstance(record, AssignmentExpired)}
    taken_up = {record.assignment_id for record in order if isinstance(record, AssignmentAccepted)}
    assert not expired & taken_up
    for record in order:
        if isinstance(record, AssignmentWithdrawn):
            assert status(bench, record.assignment_id.removeprefix("as_")) in {
                "withdrawn",
                "declined",
                "rejected",
                "expired",
            }


@settings(max_examples=100, deadline=None)
@given(
    st.lists(SAYINGS, max_size=25), SAYINGS.filter(lambda entry: not isinstance(entry, int) and hasattr(entry, "items"))
)
def test_repeating_an_answer_changes_nothing_and_tells_the_present_state(history, answer):
    bench = play(history)
    if say(bench, answer) is None:
        rows = dict(bench.rows[ASSIGNMENTS.name])
        last = [record for record in bench.take("assignments") if isinstance(record, AssignmentUpdated)][-1]
        bench.take()
        say(bench, answer)
        (again,) = bench.take()
        assert bench.rows[ASSIGNMENTS.name] == rows
        assert again == msgspec.structs.replace(last, updated_at=bench.now_at)


@settings(max_examples=50, deadline=None)
@given(st.lists(SAYINGS, max_size=25))
def test_rows_come_back_from_the_store_as_they_were(history):
    bench = play(history)
    for table in (ASSIGNMENTS, SLOTS):
        for row in bench.rows.get(table.name, {}).values():
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=table.row) == row
