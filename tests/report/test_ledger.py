"""Entries balance, chains hold, every amount is booked once: against FSN's own entries, and with each fault planted."""

import copy

import msgspec
import pytest

from fsn.report.ledger import check_ledger, entry_hash
from processors.ledger.posting import after, hash_of, post_record
from processors.ledger.rows import Chain, Proof, Recorded
from tests.report.making import ORDER, broken, reads

REFERENCE = "acme|marketplace|303-118"


def chain(*amounts):
    """FSN's own entries for a settlement each, as plain values; amount n stands at offset n."""
    link, made = Chain(), []
    for offset, amount in enumerate(amounts):
        recorded = Recorded(
            kind="settlement",
            reference=REFERENCE,
            record_id=f"r{offset}",
            amount_minor=amount,
            currency="EUR",
            account_id=None,
            shipment_id=None,
            proof=Proof("settlements", 0, offset),
        )
        entry = post_record(ORDER, recorded, link, posted_at=1_700_000_000_000 + offset)
        assert entry_hash(msgspec.to_builtins(entry)) == hash_of(entry)
        link = after(entry)
        made.append(("LedgerEntry", msgspec.to_builtins(entry)))
    return made


def sent(*record_ids, order_id=ORDER, reference=REFERENCE):
    return [
        ("FinancialRecorded", {"reference": reference, "record_id": name, "order_id": order_id, "kind": "settlement"})
        for name in record_ids
    ]


def linked(order_id=ORDER):
    return [("ReferenceLinked", {"reference": REFERENCE, "order_id": order_id})]


def check(entries, settlements, links=()):
    return check_ledger(reads(*entries), reads(*settlements), reads(*links), {ORDER})


def test_entries_that_follow_each_other_are_clean():
    found = check(chain(24_800, 100, 1), sent("r0", "r1", "r2"))
    assert found.checked.faults == ()
    assert (found.entries.counts, found.orders, found.reconciled) == ({"settlement": 3}, 1, 0)


def changed(place, **changes):
    def change(entries):
        entries[place][1].update(changes)

    return change


def halved(entries):
    entries[1][1]["postings"][0]["debit_minor"] -= 1


def resealed(entries):
    """A changed amount with a fresh hash: balanced, but the next entry knows better."""
    for side, column in zip(entries[0][1]["postings"], ("debit_minor", "credit_minor"), strict=True):
        side[column] = 1
    entries[0][1]["entry_hash"] = entry_hash(entries[0][1])


def both_sided(entries):
    entries[1][1]["postings"][0].update(debit_minor=110, credit_minor=10)
    entries[1][1]["entry_hash"] = entry_hash(entries[1][1])


def twice(entries):
    again = copy.deepcopy(entries[2])
    again[1].update(entry_no=4, previous_hash=entries[2][1]["entry_hash"])
    again[1]["entry_hash"] = entry_hash(again[1])
    entries.append(again)


FAULTS = [
    (halved, ["debits = credits", "an unbroken chain"]),
    (both_sided, ["debits = credits", "an unbroken chain"]),
    (resealed, ["an unbroken chain"]),
    (changed(1, posted_at=5), ["an unbroken chain"]),
    (changed(1, entry_hash="0" * 64), ["an unbroken chain", "an unbroken chain"]),
    (lambda entries: entries.pop(1), ["an unbroken chain", "every amount booked once"]),
    (lambda entries: entries.insert(1, copy.deepcopy(entries[0])), ["an unbroken chain"]),
    (twice, ["every amount booked once"]),
]


@pytest.mark.parametrize(("plant", "promises"), FAULTS)
def test_a_broken_promise_is_named(plant, promises):
    entries = chain(24_800, 100, 1)
    plant(entries)
    found = check(entries, sent("r0", "r1", "r2"))
    assert sorted(broken(found.checked)) == sorted(promises)


@pytest.mark.parametrize(
    ("settlements", "links", "lost", "again"),
    [
        (sent("r0"), (), 0, 0),
        (sent("r0", "r9"), (), 1, 0),  # never booked
        (sent("r0", "r9", order_id=None), linked(), 1, 0),  # never booked, its order is known by the link
        (sent("r0", "r9", order_id=None), linked("acme|shop|9"), 0, 0),  # of an order nobody placed
        (sent("r0", "r9", order_id=None), (), 0, 0),  # nobody knows whose it is
        (sent("r0", "r0"), (), 0, 0),  # told twice, booked once
    ],
)
def test_every_amount_is_booked_once(settlements, links, lost, again):
    found = check(chain(24_800), settlements, links)
    assert sum(fault.lost for fault in found.checked.faults) == lost
    assert sum(fault.duplicated for fault in found.checked.faults) == again


def test_a_record_told_twice_and_booked_twice_is_named():
    found = check(chain(24_800, 24_800), sent("r0", "r0"))
    assert [(fault.check, fault.duplicated) for fault in found.checked.faults] == [("every amount booked once", 1)]


def test_a_margin_that_does_not_add_up_is_named():
    sums = {"settlement_minor": 24_800, "shipping_minor": 1_940, "fees_minor": 0, "supplier_cost_minor": 14_210}
    golden = {"order_id": ORDER, "round": 1, **sums, "refunds_minor": 0, "margin_minor": 8_650}
    assert check([("OrderReconciled", golden)], ()).reconciled == 1
    assert broken(check([("OrderReconciled", golden)], ()).checked) == []
    assert broken(check([("OrderReconciled", {**golden, "margin_minor": 8_651})], ()).checked) == ["the margin adds up"]
