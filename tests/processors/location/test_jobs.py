"""The stages a partner reports, and the operator's word: seen by everyone, in the way of nobody."""

import pytest

from processors.location.inbox import ASSIGNMENTS
from processors.location.jobs import BATCH_MAX, JOBS_MAX
from processors.reasons import Reason
from schemas.records.assignments import AssignmentRejected
from schemas.records.partner_work import JobState
from tests.processors.location.yard import (
    BERLIN,
    ORDER,
    OTHER_PARTNER,
    PARTNER,
    WIEN,
    accepted,
    allocated,
    batch,
    items,
    job,
    location,
    partials,
    places,
    queue,
    rejected,
    request,
    say,
    shipped,
    status,
    withdrawal,
    yard,
)

ALL = ((1, 5), (2, 3))
ILLEGAL, INVALID = Reason.ILLEGAL_TRANSITION, Reason.INVALID_VALUE
TAKEN = [accepted(*ALL)]


def offered(says=(), *, numbers=(1,), partials=True, erp=False):
    bench = yard(location(erp=erp, slots=9))
    for number in numbers:
        assert say(bench, request(number, partials=partials)) is None
    for record in says:
        assert say(bench, record) is None
    bench.take()
    return bench


def jobs(bench, number=1):
    return [
        (one.job_id, one.kind, one.state, one.batch_id) for one in bench.rows[ASSIGNMENTS.name][f"as_{number}"].jobs
    ]


def test_the_stages_of_an_assignment_are_told_with_it():
    bench = offered(TAKEN)
    for record in (
        job("pick", "in_progress"),
        job("pick", "closed"),
        job("pack", "open", job_id="pk_1"),
        job("parcel", "closed", job_id="pa_1"),
        shipped(*ALL),
        job("handover", "closed", job_id="ho_1"),
    ):
        assert say(bench, record) is None
    *_, update = bench.take("assignments")
    assert update.jobs == (
        JobState("pj_1", "pick", "closed", ""),
        JobState("pk_1", "pack", "open", ""),
        JobState("pa_1", "parcel", "closed", ""),
        JobState("ho_1", "handover", "closed", ""),
    )
    assert update.queue == "completed"
    assert bench.take("order-events") == [shipped(*ALL)]


def test_a_handover_after_the_end_closes_nothing_twice():
    bench = offered([*TAKEN, shipped(*ALL)])
    timers = set(bench.timers)
    say(bench, job("handover", "closed", job_id="ho_1"))
    (update,) = bench.take()
    assert (update.status, bench.timers) == ("shipped", timers)


@pytest.mark.parametrize(
    ("said", "says", "refusal"),
    [
        (TAKEN, job(), None),
        ([*TAKEN, job()], job(), None),
        ([*TAKEN, job("pick", "closed")], job("pick", "open"), ILLEGAL),
        ([*TAKEN, job("pick", "closed")], job("pick", "closed"), None),
        (TAKEN, job("pick", "closed", *ALL), None),
        ([*TAKEN, job("pick")], job("pack"), INVALID),
        (TAKEN, job("wrap"), INVALID),
        (TAKEN, job("pick", "done"), INVALID),
        (TAKEN, job(job_id=""), INVALID),
        ([], job(), ILLEGAL),
        ([rejected()], job(), ILLEGAL),
        ([*TAKEN, withdrawal(reason="cancelled")], job(), ILLEGAL),
        (TAKEN, job("pick", "open", (1, 5)), INVALID),
        (TAKEN, job("pack", "closed", (1, 5)), INVALID),
        (TAKEN, job("pick", "closed", (1, 6)), INVALID),
        (TAKEN, job("pick", "closed", (3, 1)), INVALID),
        ([*TAKEN, shipped((1, 1))], job("pick", "closed", (1, 4)), ILLEGAL),
    ],
)
def test_what_may_be_reported(said, says, refusal):
    bench = offered(said)
    before = dict(bench.rows[ASSIGNMENTS.name])
    assert say(bench, says) is refusal
    if refusal is not None:
        assert (bench.rows[ASSIGNMENTS.name], bench.take()) == (before, [])


def test_work_waits_for_the_erp():
    bench = offered(TAKEN, erp=True)
    assert say(bench, job()) is ILLEGAL
    say(bench, allocated())
    assert say(bench, job()) is None


def test_jobs_have_an_end():
    bench = offered([*TAKEN, *(job(job_id=f"pj_{number}") for number in range(JOBS_MAX))])
    assert say(bench, job(job_id="one_more")) is INVALID
    assert say(bench, job("pick", "closed", job_id="pj_0")) is None


@pytest.mark.parametrize(
    ("partial", "kept", "status_after"),
    [
        (True, [(0, 1, 4, 0), (0, 0, 3, 0)], "partially_accepted"),
        (False, [(0, 5, 0, 0), (0, 0, 3, 0)], "partially_accepted"),
    ],
)
def test_a_short_pick_gives_back_what_is_missing_or_the_item(partial, kept, status_after):
    bench = offered(TAKEN, partials=partial)
    say(bench, job("pick", "closed", (1, 4), (2, 3)))
    assert (places(bench), status(bench)) == (kept, status_after)
    missing = [(1, kept[0][1])]
    assert bench.take("order-events") == [AssignmentRejected("as_1", ORDER, BERLIN, items(missing), "short pick", 14)]
    assert say(bench, job("pick", "closed", (1, 4), (2, 3))) is None
    assert bench.take("order-events") == []


def test_a_pick_that_finds_nothing_ends_the_assignment():
    bench = offered(TAKEN)
    say(bench, job("pick", "closed", (1, 0), (2, 0)))
    assert (status(bench), queue(bench)) == ("rejected", "failed")
    assert [record.status for record in bench.take("assignments")] == ["rejected", "rejected"]


def test_a_short_pick_unallocates_what_is_missing():
    bench = offered([*TAKEN, allocated()], erp=True)
    say(bench, job("pick", "closed", (1, 2)))
    assert bench.rows[ASSIGNMENTS.name]["as_1"].items[0].allocated == 2
    assert say(bench, shipped((1, 3))) is INVALID


def test_a_batch_moves_all_its_assignments():
    bench = offered([accepted(*ALL, number=number) for number in (1, 2)], numbers=(1, 2))
    assert say(bench, batch("open", 1, 2)) is None
    assert say(bench, batch("closed", 1, 2)) is None
    assert jobs(bench, 1) == jobs(bench, 2) == [("b_1", "pick", "closed", "b_1")]
    assert [(record.assignment_id, record.jobs[0].state) for record in bench.take("assignments")] == [
        ("as_1", "open"),
        ("as_2", "open"),
        ("as_1", "closed"),
        ("as_2", "closed"),
    ]


@pytest.mark.parametrize(
    ("says", "refusal"),
    [
        (batch("open", 1, 3), ILLEGAL),  # the third is not accepted
        (batch("open", 1, 4), Reason.UNKNOWN_ASSIGNMENT),
        (batch("open", 1, 1), INVALID),
        (batch("begun", 1, 2), INVALID),
        (batch("open", 1, batch_id=""), INVALID),
        (batch("open", 1, at=WIEN), Reason.UNKNOWN_ASSIGNMENT),
    ],
)
def test_a_batch_moves_none_of_its_assignments_where_one_cannot(says, refusal):
    bench = offered([accepted(*ALL, number=number) for number in (1, 2)], numbers=(1, 2, 3))
    assert say(bench, says) is refusal
    assert (jobs(bench, 1), bench.take()) == ([], [])


def test_a_batch_has_an_end():
    bench = offered(TAKEN)
    assert say(bench, batch("open", *range(1, BATCH_MAX + 2))) is INVALID
    assert say(bench, batch("open", *range(1, BATCH_MAX + 1))) is Reason.UNKNOWN_ASSIGNMENT


def test_a_batch_of_nothing_is_refused():
    empty = batch("open", 1).__class__(BERLIN, "b_1", "open", (), 15)
    assert say(offered(TAKEN), empty) is INVALID


def test_an_operator_allows_part_of_an_assignment():
    bench = offered(partials=False)
    assert say(bench, accepted((1, 4))) is INVALID
    assert say(bench, partials()) is None
    (update,) = bench.take()
    assert update.partials
    assert say(bench, accepted((1, 4))) is None
    assert say(bench, partials(on=False)) is ILLEGAL
    assert say(bench, partials()) is None


def test_an_operator_forbids_part_of_an_assignment_that_nobody_has_decided_on():
    bench = offered(partials=True)
    assert say(bench, partials(on=False)) is None
    assert say(bench, accepted((1, 4))) is INVALID


@pytest.mark.parametrize(
    ("signer", "refusal"),
    [(None, None), ("fsn", None), ("acme", None), (PARTNER, Reason.FORGED), (OTHER_PARTNER, Reason.FORGED)],
)
def test_partials_are_set_by_the_tenant_alone(signer, refusal):
    assert say(offered(), partials(), signer) is refusal


def test_partials_of_what_has_ended_are_nobody_s_concern():
    assert say(offered([withdrawal()]), partials()) is ILLEGAL
