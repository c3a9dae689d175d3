"""Ledger: every entry balances, every order's chain holds, and every amount was booked once.

In: `ledger-entries`, the records of `settlements` that were taken, `reference-links` and the orders sent. Out: entries,
orders and alerts' ground: sums. As faults: an entry whose debits and credits differ, or with a posting that has both
sides or none; a chain that skips a number, names another head, or whose hash another content would have; a financial
record booked twice, or not at all although its order is known; a reconciliation whose margin does not add up.

The hash as published for partners, so that they can do this too: sha256, hex, over the MessagePack array of
    entry_id, order_id, entry_no, kind, currency, [[account, debit_minor, credit_minor], …], [topic, partition, offset],
    previous_hash, posted_at
in which text is str, whole numbers are the shortest integer form, and a first entry's previous_hash is empty.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from fsn.report.findings import Checked, Fault, Tally, tally
from fsn.report.reader import Position, Read

MARGIN: Final = "margin"
_pack: Final = msgspec.msgpack.Encoder().encode


class LedgerFindings(msgspec.Struct, frozen=True):
    """What was booked.

    entries: by kind; orders: chains; reconciled: orders compared at least once
    """

    checked: Checked
    entries: Tally
    orders: int
    reconciled: int


def check_ledger(
    entries: Iterable[Read], settlements: Iterable[Read], links: Iterable[Read], orders: set[str]
) -> LedgerFindings:
    """Recompute every chain, and look for every amount.

    Args:
        settlements: without those that were dead-lettered; orders: ids of the orders taken
    """
    faults: list[Fault] = []
    heads: dict[str, tuple[int, str]] = {}
    booked: dict[Position, str] = {}
    kinds: list[str] = []
    reconciled: set[str] = set()
    for read in entries:
        fields = read.fields
        if read.type == "OrderReconciled":
            reconciled.add(fields["order_id"])
            faults += _adds_up(fields)
            continue
        kinds.append(fields["kind"])
        faults += _balances(fields)
        faults += _follows(fields, heads.get(fields["order_id"], (0, "")))
        heads[fields["order_id"]] = fields["entry_no"], fields["entry_hash"]
        if fields["kind"] != MARGIN:
            faults += _booked_once(fields, booked)
    faults += _missing(settlements, links, booked=booked, orders=orders)
    checked = Checked("debits = credits, chained", len(kinds), tuple(faults))
    return LedgerFindings(checked, tally(kinds), len(heads), len(reconciled))


def entry_hash(entry: Mapping[str, Any]) -> str:
    """The hash an entry must carry."""
    source = entry["source"]
    content = (
        entry["entry_id"],
        entry["order_id"],
        entry["entry_no"],
        entry["kind"],
        entry["currency"],
        [[side["account"], side["debit_minor"], side["credit_minor"]] for side in entry["postings"]],
        [source["topic"], source["partition"], source["offset"]],
        entry["previous_hash"],
        entry["posted_at"],
    )
    return hashlib.sha256(_pack(content)).hexdigest()


def _name(entry: Mapping[str, Any]) -> str:
    return f"{entry['order_id']} entry {entry['entry_no']}"


def _balances(entry: Mapping[str, Any]) -> Iterator[Fault]:
    debited = sum(side["debit_minor"] for side in entry["postings"])
    credited = sum(side["credit_minor"] for side in entry["postings"])
    if debited != credited or debited <= 0:
        yield Fault("debits = credits", _name(entry), f"debits {debited}, credits {credited}")
    for side in entry["postings"]:
        amounts = sorted((side["debit_minor"], side["credit_minor"]))
        if amounts[0] != 0 or amounts[1] <= 0:
            detail = f"{side['account']} has debit {side['debit_minor']} and credit {side['credit_minor']}"
            yield Fault("debits = credits", _name(entry), detail)


def _follows(entry: Mapping[str, Any], head: tuple[int, str]) -> Iterator[Fault]:
    """An entry continues its order's chain."""
    number, before = head
    if entry["entry_no"] != number + 1:
        repeated = int(entry["entry_no"] <= number)
        detail = f"follows entry {number}"
        yield Fault("an unbroken chain", _name(entry), detail, lost=1 - repeated, duplicated=repeated)
    elif entry["previous_hash"] != before:
        yield Fault("an unbroken chain", _name(entry), "names another entry before it than the one that is there")
    if entry["entry_hash"] != entry_hash(entry):
        yield Fault("an unbroken chain", _name(entry), "its content has another hash than it carries")


def _booked_once(entry: Mapping[str, Any], booked: dict[Position, str]) -> Iterator[Fault]:
    source = entry["source"]
    position = Position(source["topic"], source["partition"], source["offset"])
    before = booked.setdefault(position, _name(entry))
    if before != _name(entry):
        detail = f"is booked as {before} and as {_name(entry)}"
        yield Fault("every amount booked once", str(position), detail, duplicated=1)


def _missing(
    settlements: Iterable[Read], links: Iterable[Read], *, booked: Mapping[Position, str], orders: set[str]
) -> Iterator[Fault]:
    """Amounts of known orders that were never booked. The same record sent again is the same record."""
    order_of: dict[str, str] = {}
    for read in links:
        order_of.setdefault(read.fields["reference"], read.fields["order_id"])
    sent: dict[tuple[str, str], list[Read]] = {}
    for read in settlements:
        if read.type == "FinancialRecorded":
            sent.setdefault((read.fields["reference"], read.fields["record_id"]), []).append(read)
    for (reference, record_id), reads in sent.items():
        named = [read.fields["order_id"] for read in reads if read.fields["order_id"] is not None]
        order_id = named[0] if named else order_of.get(reference)
        if order_id not in orders:
            continue
        places = [Position("settlements", read.partition, read.offset) for read in reads]
        times = sum(place in booked for place in places)
        if times == 0:
            detail = f"{reads[0].fields['kind']} of {order_id}, sent as {places[0]}, is in no entry"
            yield Fault("every amount booked once", f"{reference}#{record_id}", detail, lost=1)
        elif times > 1:
            detail = f"was sent {len(reads)} times and booked {times} times"
            yield Fault("every amount booked once", f"{reference}#{record_id}", detail, duplicated=times - 1)


def _adds_up(reconciled: Mapping[str, Any]) -> Iterator[Fault]:
    costs = ("shipping_minor", "fees_minor", "supplier_cost_minor", "refunds_minor")
    margin = reconciled["settlement_minor"] - sum(reconciled[cost] for cost in costs)
    if margin != reconciled["margin_minor"]:
        name = f"{reconciled['order_id']} round {reconciled['round']}"
        detail = f"its amounts leave {margin}, it says {reconciled['margin_minor']}"
        yield Fault("the margin adds up", name, detail)
