"""Posting: what happened, as balanced double entries in a chain that nobody can change unseen.

In: a financial record, or the sums a reconciliation found. Out: a LedgerEntry whose debits equal its credits, numbered
per order from 1, carrying the hash of the entry before it. Corrections are further entries; none is ever rewritten.
The hash is sha256 over the MessagePack array of the entry's other fields in their declared order (postings and source
as arrays of their fields), so that a partner can recompute it in any language from the topic alone.

Accounts, with the side on which they grow: receivable.channel, receivable.payment (debit); payable.carrier,
payable.channel, payable.supplier, payable.customer (credit); settlement (credit); shipping, fees, supplier_cost,
refund, chargeback (debit). A reconciliation empties the six last into `margin`, by the difference to what earlier
rounds moved there: 248.00 settlement - 19.40 shipping and fees - 142.10 supplier cost = 86.50.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from processors.ledger.rows import Chain, Proof, Recorded, Totals
from processors.step import stable_id
from schemas.records.finance import LedgerEntry, Posting

ACCOUNTS: Final[Mapping[str, tuple[str, str]]] = {
    "settlement": ("receivable.channel", "settlement"),
    "payment": ("receivable.payment", "payable.customer"),
    "shipping": ("shipping", "payable.carrier"),
    "fee": ("fees", "payable.channel"),
    "supplier_cost": ("supplier_cost", "payable.supplier"),
    "refund": ("refund", "payable.customer"),
    "chargeback": ("chargeback", "receivable.channel"),
}
"""By kind of record: the account debited and the account credited."""

_COSTS: Final = ("shipping", "fee", "supplier_cost", "refund", "chargeback")


def post_record(order_id: str, record: Recorded, chain: Chain, *, posted_at: int) -> LedgerEntry:
    """The entry of one financial record."""
    debited, credited = ACCOUNTS[record.kind]
    amount = record.amount_minor
    postings = (Posting(debited, amount, 0), Posting(credited, 0, amount))
    return _entry(
        order_id,
        chain,
        kind=record.kind,
        currency=record.currency,
        postings=postings,
        proof=record.proof,
        posted_at=posted_at,
    )


def post_margin(
    order_id: str, booked: Totals, found: Totals, chain: Chain, *, currency: str, proof: Proof, posted_at: int
) -> LedgerEntry:
    """The entry that moves to margin what was recorded since the last one. Amounts only ever grow."""
    postings = []
    if found.settlement > booked.settlement:
        postings.append(Posting("settlement", found.settlement - booked.settlement, 0))
    for kind in _COSTS:
        grown = getattr(found, kind) - getattr(booked, kind)
        if grown:
            postings.append(Posting(ACCOUNTS[kind][0], 0, grown))
    margin = found.margin - booked.margin
    if margin:
        postings.append(Posting("margin", max(-margin, 0), max(margin, 0)))
    return _entry(
        order_id, chain, kind="margin", currency=currency, postings=tuple(postings), proof=proof, posted_at=posted_at
    )


def after(entry: LedgerEntry) -> Chain:
    """The chain once this entry is its last."""
    return Chain(entry.entry_no, entry.entry_hash)


def first_broken(entries: Sequence[LedgerEntry]) -> int | None:
    """The place of the first entry that does not fit: out of number, off the chain, changed, or out of balance."""
    chain = Chain()
    for place, entry in enumerate(entries):
        follows = entry.entry_no == chain.entry_no + 1 and entry.previous_hash == chain.head
        if not (follows and entry.entry_hash == hash_of(entry) and is_balanced(entry)):
            return place
        chain = after(entry)
    return None


def is_balanced(entry: LedgerEntry) -> bool:
    """Debits equal credits, and each posting has one side."""
    one_sided = all(
        min(posting.debit_minor, posting.credit_minor) == 0 < max(posting.debit_minor, posting.credit_minor)
        for posting in entry.postings
    )
    debits = sum(posting.debit_minor for posting in entry.postings)
    return one_sided and debits == sum(posting.credit_minor for posting in entry.postings) and debits > 0


def hash_of(entry: LedgerEntry) -> str:
    """sha256 over all other fields of the entry, hex."""
    content = (
        entry.entry_id,
        entry.order_id,
        entry.entry_no,
        entry.kind,
        entry.currency,
        [(posting.account, posting.debit_minor, posting.credit_minor) for posting in entry.postings],
        (entry.source.topic, entry.source.partition, entry.source.offset),
        entry.previous_hash,
        entry.posted_at,
    )
    return hashlib.sha256(msgspec.msgpack.encode(content)).hexdigest()


def _entry(
    order_id: str,
    chain: Chain,
    *,
    kind: str,
    currency: str,
    postings: tuple[Posting, ...],
    proof: Proof,
    posted_at: int,
) -> LedgerEntry:
    number = chain.entry_no + 1
    unsealed = LedgerEntry(
        entry_id=stable_id("le", order_id, number, kind, proof.topic, proof.partition, proof.offset),
        order_id=order_id,
        entry_no=number,
        kind=kind,
        currency=currency,
        postings=postings,
        source=proof.source(),
        previous_hash=chain.head,
        entry_hash="",
        posted_at=posted_at,
    )
    return msgspec.structs.replace(unsealed, entry_hash=hash_of(unsealed))
