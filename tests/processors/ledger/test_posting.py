"""Entries: balanced always, chained, and no byte can change unseen."""

import hashlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.ledger.posting import ACCOUNTS, after, first_broken, hash_of, is_balanced, post_margin, post_record
from processors.ledger.rows import Chain, Proof, Recorded, Totals
from processors.money import MINOR_DIGITS
from schemas.records.finance import Posting

PLACE = Proof("settlements", 0, 7)


def recorded(kind, amount=100, currency="EUR", offset=7):
    return Recorded(kind, "acme|charge|1", "r", amount, currency, None, None, Proof("settlements", 0, offset))


@pytest.mark.parametrize(
    ("kind", "debited", "credited"),
    [
        ("settlement", "receivable.channel", "settlement"),
        ("payment", "receivable.payment", "payable.customer"),
        ("shipping", "shipping", "payable.carrier"),
        ("fee", "fees", "payable.channel"),
        ("supplier_cost", "supplier_cost", "payable.supplier"),
        ("refund", "refund", "payable.customer"),
        ("chargeback", "chargeback", "receivable.channel"),
    ],
)
def test_accounts_of_each_kind(kind, debited, credited):
    entry = post_record("acme|shop|1", recorded(kind), Chain(), posted_at=5)
    assert entry.postings == (Posting(debited, 100, 0), Posting(credited, 0, 100))


@pytest.mark.parametrize(
    ("booked", "found", "postings"),
    [
        (
            Totals(),
            Totals(24_800, 1_490, 450, 14_210),
            [
                ("settlement", 24_800, 0),
                ("shipping", 0, 1_490),
                ("fees", 0, 450),
                ("supplier_cost", 0, 14_210),
                ("margin", 0, 8_650),
            ],
        ),
        (Totals(24_800), Totals(24_800, 0, 0, 0, 30_000), [("refund", 0, 30_000), ("margin", 30_000, 0)]),  # a loss
        (Totals(), Totals(500, 500), [("settlement", 500, 0), ("shipping", 0, 500)]),  # nothing left
        (Totals(), Totals(0, 0, 0, 0, 0, 9), [("chargeback", 0, 9), ("margin", 9, 0)]),
    ],
)
def test_margin_takes_the_difference_to_what_was_booked(booked, found, postings):
    entry = post_margin("acme|shop|1", booked, found, Chain(), currency="EUR", proof=PLACE, posted_at=5)
    assert [(posting.account, posting.debit_minor, posting.credit_minor) for posting in entry.postings] == postings
    assert is_balanced(entry)


def test_the_hash_can_be_recomputed_without_our_code():
    entry = post_record("acme|shop|1", recorded("refund"), Chain(4, "ab"), posted_at=5)
    plain = [entry.entry_id, "acme|shop|1", 5, "refund", "EUR"]
    plain += [[["refund", 100, 0], ["payable.customer", 0, 100]], ["settlements", 0, 7], "ab", 5]
    assert entry.entry_hash == hashlib.sha256(msgspec.msgpack.encode(plain)).hexdigest() == hash_of(entry)


amounts = st.integers(0, 10**15)
kinds = st.sampled_from(sorted(ACCOUNTS))


@st.composite
def chains(draw):
    entries, chain, booked = [], Chain(), Totals()
    for number in range(draw(st.integers(1, 8))):
        if draw(st.booleans()):
            record = recorded(
                draw(kinds), draw(st.integers(1, 10**15)), draw(st.sampled_from(sorted(MINOR_DIGITS))), number
            )
            entry = post_record("acme|shop|1", record, chain, posted_at=number)
        else:
            grown = [getattr(booked, name) + draw(amounts) for name in Totals.__struct_fields__]
            found = Totals(grown[0] + 1, *grown[1:])
            entry = post_margin("acme|shop|1", booked, found, chain, currency="EUR", proof=PLACE, posted_at=number)
            booked = found
        chain = after(entry)
        entries.append(entry)
    return entries


@settings(max_examples=100)
@given(chains())
def test_every_entry_balances_and_the_chain_verifies(entries):
    assert all(is_balanced(entry) for entry in entries)
    assert first_broken(entries) is None


def changed(value):
    """The same value with its smallest part changed."""
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:] if value else "x"
    if isinstance(value, int):
        return value + 1
    if isinstance(value, tuple):
        return (changed(value[0]), *value[1:])
    name = value.__struct_fields__[-1]
    return msgspec.structs.replace(value, **{name: changed(getattr(value, name))})


@settings(max_examples=200)
@given(chains(), st.data())
def test_one_change_anywhere_is_found_where_it_is(entries, data):
    place = data.draw(st.integers(0, len(entries) - 1))
    name = data.draw(st.sampled_from(entries[place].__struct_fields__))
    entry = entries[place]
    entries[place] = msgspec.structs.replace(entry, **{name: changed(getattr(entry, name))})
    assert first_broken(entries) == place


@settings(max_examples=50)
@given(chains(), st.data())
def test_an_entry_left_out_or_moved_is_found(entries, data):
    place = data.draw(st.integers(0, len(entries) - 1))
    left_out = entries[:place] + entries[place + 1 :]
    assert first_broken(left_out) == (None if place == len(entries) - 1 else place)
    if place:
        swapped = [*entries[: place - 1], entries[place], entries[place - 1], *entries[place + 1 :]]
        assert first_broken(swapped) == place - 1


@pytest.mark.parametrize(
    "postings",
    [
        (),
        (Posting("margin", 5, 0),),
        (Posting("margin", 5, 5),),
        (Posting("margin", 5, 0), Posting("fees", 0, 4)),
        (Posting("margin", 0, 0), Posting("fees", 0, 0)),
        (Posting("margin", -5, 0), Posting("fees", 0, -5)),
    ],
)
def test_what_is_not_balanced(postings):
    entry = post_record("acme|shop|1", recorded("refund"), Chain(), posted_at=5)
    forged = msgspec.structs.replace(entry, postings=postings)
    assert not is_balanced(forged)
    assert first_broken([msgspec.structs.replace(forged, entry_hash=hash_of(forged))]) == 0
