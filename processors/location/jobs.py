"""Jobs: the stages of the work at a location, as far as its partner reports them, and the operator's word on partials.

In: JobReported (a pick, a pack, a parcel, a handover), PickBatchReported (one walk for several assignments) and PartialsSet.
Out: AssignmentUpdated. Stages are what a partner wants to be seen; nothing waits for them, but for one thing: a pick
that closes with fewer units than were accepted is a short pick, and what is missing goes back to the order. A state
repeated changes nothing and is answered; a batch moves all of its assignments or none.

Refused, beside what `contract` refuses: FORGED (partials set by anybody but the tenant), ILLEGAL_TRANSITION (work on what
is not to be shipped, a state that goes back, partials forbidden once something is decided) and INVALID_VALUE (a kind or
state nobody knows, a job of two kinds, too many jobs, a pick beyond what was accepted).
"""

from typing import Final

import msgspec

from processors.location.contract import (
    Saying,
    assignment_of,
    illegal,
    invalid,
    offered_to,
    quantities,
    require_location,
    require_open,
)
from processors.location.inbox import Assignment, Item, Job, keep, note, status_of, tell
from processors.location.queues import Queue
from processors.location.responses import give_back
from processors.reasons import Reason
from processors.step import Context, Refused
from processors.tenants import WORKER, tenant_of
from schemas.records.partner_work import JobReported, PartialsSet, PickBatchReported

KINDS: Final = ("pick", "pack", "parcel", "handover")
STATES: Final = ("open", "in_progress", "closed")
"""In this order, and never back."""
AT_WORK: Final = (Queue.PENDING_SHIPMENT, Queue.PENDING_INVOICE, Queue.COMPLETED)
"""A handover may be told after the shipment."""
JOBS_MAX: Final = 64
BATCH_MAX: Final = 1_000
"""Assignments of one batch: each of them is told, in the batch's own transaction."""
SHORT_PICK: Final = "short pick"


def report(record: JobReported, ctx: Context) -> None:
    """A stage has come this far."""
    assignment = assignment_of(record, ctx)
    if record.kind not in KINDS:
        raise invalid(record, f"kind {record.kind!r} is unknown: use one of {', '.join(KINDS)}")
    moved = _moved(record, assignment, Job(record.job_id, record.kind, record.state))
    if not record.items or moved == assignment:  # a pick that has closed is closed
        _keep(record.assignment_id, assignment, moved, ctx)
        return
    if (record.kind, record.state) != ("pick", "closed"):
        raise invalid(record, "items are told with a pick that closes: leave them out")
    picked = quantities(record, record.items, assignment)
    items = tuple(
        _picked(record, item, picked[item.line_no], assignment) if item.line_no in picked else item
        for item in assignment.items
    )
    give_back(record, assignment, items, reason=SHORT_PICK, ctx=ctx)
    if items != assignment.items:
        moved = msgspec.structs.replace(moved, items=items, status=status_of(items))
    _keep(record.assignment_id, assignment, moved, ctx)


def report_batch(record: PickBatchReported, ctx: Context) -> None:
    """A walk for several assignments has come this far."""
    require_location(record.location_id, ctx)
    if not record.assignment_ids:
        raise Refused(Reason.INVALID_VALUE, f"batch {record.batch_id} names no assignment: name those it picks for")
    if len(set(record.assignment_ids)) < len(record.assignment_ids):
        raise Refused(Reason.INVALID_VALUE, f"batch {record.batch_id} names an assignment twice: name each once")
    if len(record.assignment_ids) > BATCH_MAX:
        detail = f"batch {record.batch_id} names {len(record.assignment_ids)} assignments: report {BATCH_MAX} at a time"
        raise Refused(Reason.INVALID_VALUE, detail)
    job = Job(record.batch_id, "pick", record.state, record.batch_id)
    moves = []
    for assignment_id in record.assignment_ids:
        assignment = offered_to(record.location_id, assignment_id, ctx)
        of_it = _Named(assignment_id, assignment.order_id, assignment.location_id)
        moves.append((assignment_id, assignment, _moved(of_it, assignment, job)))
    for assignment_id, assignment, moved in moves:
        _keep(assignment_id, assignment, moved, ctx)


def set_partials(record: PartialsSet, ctx: Context) -> None:
    """The operator's word stands over the tenant's setting and the customer's consent."""
    tenant = tenant_of(record.location_id)
    if ctx.signer not in (None, WORKER, tenant):
        detail = f"signed by {ctx.signer}, but only {tenant} may set partials: sign with the tenant's key"
        raise Refused(Reason.FORGED, detail)
    assignment = assignment_of(record, ctx)
    require_open(record, assignment)
    decided = any(item.pending < item.ordered for item in assignment.items)
    if assignment.partials and not record.partials and decided:
        raise illegal(record, "items are decided already: forbid partial quantities before the first decision")
    _keep(record.assignment_id, assignment, msgspec.structs.replace(assignment, partials=record.partials), ctx)


class _Named(msgspec.Struct, frozen=True):
    """One assignment of a batch, to be named in a refusal."""

    assignment_id: str
    order_id: str
    location_id: str


def _moved(record: Saying, assignment: Assignment, job: Job) -> Assignment:
    """The assignment with a job where it is now."""
    if not job.job_id:
        raise invalid(record, "a job has no number: name it")
    if job.state not in STATES:
        raise invalid(record, f"state {job.state!r} is unknown: use one of {', '.join(STATES)}")
    if assignment.queue not in AT_WORK:
        raise illegal(record, f"it is in {assignment.queue}: work on what is in pending_shipment")
    known = {one.job_id: one for one in assignment.jobs}
    before = known.get(job.job_id)
    if before is None and len(known) == JOBS_MAX:
        raise invalid(record, f"it has {JOBS_MAX} jobs already: report no more of them")
    if before is not None:
        if before.kind != job.kind:
            raise invalid(record, f"job {job.job_id} is a {before.kind}, not a {job.kind}: number them apart")
        if STATES.index(before.state) > STATES.index(job.state):
            raise illegal(record, f"job {job.job_id} is {before.state}: it does not go back to {job.state}")
        job = msgspec.structs.replace(before, state=job.state)
    known[job.job_id] = job
    return msgspec.structs.replace(assignment, jobs=tuple(known.values()))


def _picked(record: JobReported, item: Item, quantity: int, assignment: Assignment) -> Item:
    """An item after its pick: what was not found is rejected, all of the item where partial quantities are off."""
    if quantity > item.accepted:
        raise invalid(record, f"item {item.line_no} has quantity {quantity}: accepted are {item.accepted}")
    if quantity == item.accepted:
        return item
    if item.shipped:
        raise illegal(record, f"item {item.line_no} has left already: a short pick comes before the shipment")
    kept = quantity if assignment.partials else 0
    rejected = item.rejected + item.accepted - kept
    return msgspec.structs.replace(item, accepted=kept, rejected=rejected, allocated=min(item.allocated, kept))


def _keep(assignment_id: str, before: Assignment, after: Assignment, ctx: Context) -> None:
    if after == before:
        tell(assignment_id, after, ctx)
    elif after.items == before.items:
        note(assignment_id, after, ctx)
    else:
        keep(assignment_id, after, ctx)
