"""Ledger: every order's money, entry by entry, and whether it adds up.

In: OrderPlaced, OrderClosed and OrderCancelled from `orders`, FinancialRecorded from `order-events`, OrderFulfilled
and OrderClosed (of an order that closed itself) from `order-facts`. Out: a chained LedgerEntry per financial record, and per reconciliation the entry that moves the
difference to margin and an OrderReconciled, on `ledger-entries`; ReconciliationAlert, open and resolved. Refused:
only a financial record without its order or its source (MISSING_FIELD), which intake never sends. What the orders
stage refuses is not judged here: its refusal undoes the whole record.

What comes before the order is kept and booked when the order comes (an end signed by another merchant is dropped).
After `pending_event_keep_ms` without it each kept record is alerted as UNEXPECTED_ENTRY, and resolves should the
order come after all.

An order is reconciled `reconcile_grace_ms` after its OrderClosed (or after OrderCancelled, while nothing was shipped:
a cancelled order may never be closed; should it turn out to have been shipped, it is open again), so that records on
their way through intake are in time. From then on each record reconciles it again, at once; a round that changes
nothing is not published. A record that comes after the first round is *late*. It resolves the alert it explains, and
the resolved alert names it as a source. LATE_ENTRY is raised for it exactly when (1) it changes the margin, (2) no
alert but LATE_ENTRY was open before it, or it came `late_window_ms` or more after the first round, and (3) no other
alert names it: a late duplicate is a DUPLICATE, once.
A LATE_ENTRY stays open until the merchant accepts the books by an OrderClosed that occurred after the one before.
"""

from typing import Final

import msgspec

from processors.finance import KEEP_MS
from processors.ledger.posting import after, post_margin, post_record
from processors.ledger.reconciliation import LATE_ENTRY, compare, effect, late_entries, unplaced
from processors.ledger.rows import Alert, Early, Ended, Ledger, Placed, Proof, Recorded, Shipment, totals
from processors.money import currency_problem
from processors.reasons import Reason
from processors.step import ABSENT, Context, Refused, Stage, Table, stable_id
from processors.tenants import WORKER, shortest_ms, tenant_of
from schemas.records.finance import (
    FinancialRecorded,
    LedgerEntry,
    OrderFulfilled,
    OrderReconciled,
    ReconciliationAlert,
)
from schemas.records.orders import OrderCancelled, OrderClosed, OrderPlaced

LEDGERS: Final = Table("ledgers", Ledger)
"""By order_id."""

replace = msgspec.structs.replace


def place(record: OrderPlaced, ctx: Context) -> None:
    """Learn what the order should bring; book what came before it."""
    order_id = record.order_id
    row = ctx.get(LEDGERS, order_id)
    ledger = Ledger() if row is ABSENT else row
    if ledger.placed is not None or record.total_minor < 0 or currency_problem(record.currency) is not None:
        return
    placed = Placed(record.merchant_id, record.channel, record.currency, record.total_minor, _here(ctx))
    early, ledger = ledger.early, replace(ledger, placed=placed, early=(), overdue=False)
    for end in early:
        if end.signer in (None, WORKER, tenant_of(order_id), placed.merchant_id):
            ledger = _ended(ledger, end.how, end.ended)
    for kept in ledger.records:
        ledger = _post(order_id, ledger, kept, ctx)
    ctx.put(LEDGERS, order_id, _end(order_id, _advance(order_id, ledger, _here(ctx), ctx), ctx))


def fulfil(record: OrderFulfilled, ctx: Context) -> None:
    """Learn what a shipped part should cost."""
    ledger = _ledger(record.order_id, ctx)
    if any(known.shipment_id == record.shipment_id for known in ledger.shipments):
        return
    shipment = Shipment(
        shipment_id=record.shipment_id,
        account_id=record.account_id,
        currency=record.currency,
        shipping_minor=record.shipping_minor,
        supplier_cost_minor=record.supplier_cost_minor,
        proof=_here(ctx),
    )
    ledger = replace(ledger, shipments=(*ledger.shipments, shipment))
    ctx.put(LEDGERS, record.order_id, _advance(record.order_id, ledger, _here(ctx), ctx))


def book(record: FinancialRecorded, ctx: Context) -> None:
    """Post an entry for a financial record, or keep the record until its order is known."""
    if not record.order_id or record.source is None:
        raise Refused(
            Reason.MISSING_FIELD,
            f"{record.kind} {record.record_id!r} has no order_id or source: send it to settlements",
        )
    order_id = record.order_id
    before = _ledger(order_id, ctx)
    proof = Proof(record.source.topic, record.source.partition, record.source.offset)
    if any(known.proof == proof for known in before.records):
        return
    recorded = Recorded(
        kind=record.kind,
        reference=record.reference,
        record_id=record.record_id,
        amount_minor=record.amount_minor,
        currency=record.currency,
        account_id=record.account_id,
        shipment_id=record.shipment_id,
        proof=proof,
    )
    if _is_late(before, recorded, ctx):
        recorded = replace(recorded, margin_before=before.booked.margin)
    ledger = replace(before, records=(*before.records, recorded))
    if ledger.placed is not None:
        ledger = _post(order_id, ledger, recorded, ctx)
    ctx.put(LEDGERS, order_id, _advance(order_id, ledger, proof, ctx))


def close(record: OrderClosed, ctx: Context) -> None:
    """The merchant regards the order as finished, or accepts its books as they now stand."""
    _learn_end(record.order_id, "closed", Ended(record.occurred_at, _here(ctx)), ctx)


def cancel(record: OrderCancelled, ctx: Context) -> None:
    """The order is wanted no more: unless something was shipped, no money should stay."""
    _learn_end(record.order_id, "cancelled", Ended(record.occurred_at, _here(ctx)), ctx)


def reconcile_due(key: str, ctx: Context) -> None:
    """The grace after the order's end is over."""
    ledger = ctx.get(LEDGERS, key)
    if ledger is not ABSENT:
        ctx.put(LEDGERS, key, _reconcile(key, ledger, ctx))


def alert_unplaced(key: str, ctx: Context) -> None:
    """The order is still unknown: alert the money that was booked for it."""
    ledger = ctx.get(LEDGERS, key)
    if ledger is ABSENT or ledger.placed is not None:
        return
    if not ledger.records:
        ctx.delete(LEDGERS, key)
        return
    ctx.put(LEDGERS, key, _advance(key, replace(ledger, overdue=True, early=()), ledger.records[0].proof, ctx))
    ctx.wake(ctx.now_at + KEEP_MS, "ledger.forget", key)


def forget(key: str, ctx: Context) -> None:
    """Drop the row of an order reconciled long ago, or never placed; its entries stay on their topic."""
    ledger = ctx.get(LEDGERS, key)
    if ledger is ABSENT or (ledger.placed is not None and not _is_past(ledger, KEEP_MS, ctx)):
        return
    ctx.delete(LEDGERS, key)


def _is_past(ledger: Ledger, duration_ms: int, ctx: Context) -> bool:
    """Whether the first round lies at least so long ago."""
    return ledger.reconciled_at is not None and ctx.now_at - ledger.reconciled_at >= duration_ms


def _here(ctx: Context) -> Proof:
    return Proof(ctx.source.topic, ctx.source.partition, ctx.source.offset)


def _ledger(order_id: str, ctx: Context) -> Ledger:
    """The order's row. One that comes before its order waits only so long before it is alerted."""
    row = ctx.get(LEDGERS, order_id)
    if row is not ABSENT:
        return row
    patience = shortest_ms(ctx.network, tenant_of(order_id), lambda rules: rules.pending_event_keep_ms)
    ctx.wake(ctx.now_at + patience, "ledger.unplaced", order_id)
    return Ledger()


def _learn_end(order_id: str, how: str, end: Ended, ctx: Context) -> None:
    """Mark the order as ended. Whose word it is was checked by the orders stage, unless the order is still unknown."""
    ledger = _ledger(order_id, ctx)
    if ledger.placed is not None:
        marked = _ended(ledger, how, end)
        if marked is not ledger:
            ctx.put(LEDGERS, order_id, _end(order_id, marked, ctx))
    elif not any((known.how, known.signer) == (how, ctx.signer) for known in ledger.early):
        ctx.put(LEDGERS, order_id, replace(ledger, early=(*ledger.early, Early(how, ctx.signer, end))))


def _ended(ledger: Ledger, how: str, end: Ended) -> Ledger:
    """The ledger of an ended order; the same one when that was known. A later close accepts what came late."""
    if how == "cancelled":
        return ledger if ledger.cancelled is not None else replace(ledger, cancelled=end)
    if ledger.closed is not None and ledger.closed.occurred_at >= end.occurred_at:
        return ledger
    return replace(ledger, closed=end, records=tuple(replace(known, margin_before=None) for known in ledger.records))


def _post(order_id: str, ledger: Ledger, record: Recorded, ctx: Context) -> Ledger:
    entry = post_record(order_id, record, ledger.chain, posted_at=ctx.now_at)
    return _append(ledger, entry, ctx)


def _append(ledger: Ledger, entry: LedgerEntry, ctx: Context) -> Ledger:
    ctx.emit("ledger-entries", entry.order_id, entry)
    return replace(ledger, chain=after(entry))


def _is_late(before: Ledger, record: Recorded, ctx: Context) -> bool:
    """Whether a record changes books that were reconciled, and either balanced or too long ago to change."""
    placed = before.placed
    if placed is None or before.reconciled_at is None or placed.currency != record.currency or not effect(record):
        return False
    balanced = all(alert.kind == LATE_ENTRY for alert in before.alerts)
    return balanced or _is_past(before, ctx.network.rules_of(placed.merchant_id).rules.late_window_ms, ctx)


def _end(order_id: str, ledger: Ledger, ctx: Context) -> Ledger:
    """Start the grace of an order that has ended."""
    if ledger.placed is None or ledger.ended is None:
        return ledger
    grace_ms = ctx.network.rules_of(ledger.placed.merchant_id).rules.reconcile_grace_ms
    if grace_ms == 0:
        return _reconcile(order_id, ledger, ctx)
    ctx.wake(ctx.now_at + grace_ms, "ledger.reconcile", order_id)
    return ledger


def _advance(order_id: str, ledger: Ledger, cause: Proof, ctx: Context) -> Ledger:
    """What a change means for the alerts of an order in its present state."""
    if ledger.reconciled_at is not None and ledger.ended is not None:
        return _reconcile(order_id, ledger, ctx, cause=cause)
    ledger = replace(ledger, reconciled_at=None)  # a cancelled order that turns out shipped is open again
    found = unplaced(ledger) if ledger.overdue else ()
    return _publish(order_id, ledger, found, cause, ctx)


def _reconcile(order_id: str, ledger: Ledger, ctx: Context, *, cause: Proof | None = None) -> Ledger:
    """Compare an order that has ended, because of a record or of its end; publish the round if it changes anything."""
    placed, ended = ledger.placed, ledger.ended
    if placed is None or ended is None:
        return ledger
    cause = cause or ended.proof
    rules = ctx.network.rules_of(placed.merchant_id).rules
    found = compare(order_id, ledger, placed, ended.proof, rules)
    after_round = _publish(order_id, ledger, (*found, *late_entries(ledger.records, found)), cause, ctx)
    sums = totals(ledger.records, placed.currency)
    if sums != ledger.booked:
        entry = post_margin(
            order_id, ledger.booked, sums, ledger.chain, currency=placed.currency, proof=cause, posted_at=ctx.now_at
        )
        after_round = replace(_append(after_round, entry, ctx), booked=sums)
    if ledger.reconciled_at is None:
        ctx.wake(ctx.now_at + KEEP_MS, "ledger.forget", order_id)
        after_round = replace(after_round, reconciled_at=ctx.now_at)
    elif after_round == ledger:
        return ledger
    after_round = replace(after_round, round=ledger.round + 1)
    _report(order_id, after_round, placed, ctx)
    return after_round


def _report(order_id: str, ledger: Ledger, placed: Placed, ctx: Context) -> None:
    sums = ledger.booked
    reconciled = OrderReconciled(
        order_id=order_id,
        currency=placed.currency,
        settlement_minor=sums.settlement,
        shipping_minor=sums.shipping,
        fees_minor=sums.fee,
        supplier_cost_minor=sums.supplier_cost,
        refunds_minor=sums.refund + sums.chargeback,
        margin_minor=sums.margin,
        balanced=not ledger.alerts,
        round=ledger.round,
        reconciled_at=ctx.now_at,
    )
    ctx.emit("ledger-entries", order_id, reconciled)


def _publish(order_id: str, ledger: Ledger, found: tuple[Alert, ...], cause: Proof, ctx: Context) -> Ledger:
    """Tell operators what opened, what changed and what was resolved, and by which record."""
    open_before = {(alert.kind, alert.subject): alert for alert in ledger.alerts}
    alerts = []
    for alert in found:
        known = open_before.pop((alert.kind, alert.subject), None)
        raised = replace(alert, raised_at=ctx.now_at if known is None else known.raised_at)
        if raised != known:
            _tell(order_id, raised, "open", ctx)
        alerts.append(raised)
    for known in open_before.values():
        proofs = known.proofs if cause in known.proofs else (*known.proofs, cause)
        _tell(order_id, replace(known, proofs=proofs), "resolved", ctx)
    return replace(ledger, alerts=tuple(alerts))


def _tell(order_id: str, alert: Alert, status: str, ctx: Context) -> None:
    told = ReconciliationAlert(
        alert_id=stable_id("ra", order_id, alert.kind, alert.subject),
        order_id=order_id,
        kind=alert.kind,
        subject=alert.subject,
        expected_minor=alert.expected_minor,
        actual_minor=alert.actual_minor,
        difference_minor=alert.actual_minor - alert.expected_minor,
        currency=alert.currency,
        sources=tuple(proof.source() for proof in alert.proofs),
        status=status,
        raised_at=alert.raised_at,
    )
    ctx.emit("reconciliation-alerts", order_id, told)


STAGE: Final = Stage(
    name="ledger",
    handlers={
        "orders": {OrderPlaced: place, OrderClosed: close, OrderCancelled: cancel},
        "order-events": {FinancialRecorded: book},
        "order-facts": {OrderFulfilled: fulfil, OrderClosed: close},
    },
    tables=(LEDGERS,),
    timers={
        "ledger.reconcile": reconcile_due,
        "ledger.unplaced": alert_unplaced,
        "ledger.forget": forget,
    },
)
