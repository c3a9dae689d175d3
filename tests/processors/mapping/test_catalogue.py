"""The resolver: what an unknown SKU could mean, and how surely."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.mapping.catalogue import (
    AHEAD_BY_E6,
    SHOWN_MAX,
    SUGGESTED_FROM_E6,
    Candidate,
    Catalogue,
    catalogue_of,
    compared,
    grams,
    is_suggestion,
    similarity_e6,
)
from processors.network import Network, fold
from processors.rules import MILLION
from schemas.records.network import VariantDefined

DRILL = "acme|var_8472_0091"


def variant(variant_id, title, *names, gtin=None, retired=False):
    return VariantDefined(variant_id, title, gtin, None, 0, "EUR", 100, (), retired, names)


def test_the_seeds_suggestion_is_well_ahead():
    known = Catalogue([variant(DRILL, "Drill 18V black", "DRL-200-BLK"), variant("acme|saw", "Saw 12V", "SAW-100")])
    (best,) = known.ranked("DRL200-BK")
    assert (best.variant_id, best.confidence_e6 // 10_000) == (DRILL, 94)
    assert is_suggestion((best,))


def test_the_seeds_ambiguous_case_has_three_candidates():
    drills = [variant(f"acme|drill_{name}", f"Drill 18 V cordless, with 2 {name}") for name in ("bits", "bags", "caps")]
    candidates = Catalogue(drills).ranked("DRILL-18V")
    assert [candidate.confidence_e6 // 10_000 for candidate in candidates] == [48, 48, 48]
    assert [candidate.variant_id for candidate in candidates] == sorted(one.variant_id for one in drills)
    assert not is_suggestion(candidates)


@pytest.mark.parametrize(
    ("first", "second", "suggested"),
    [
        (SUGGESTED_FROM_E6, None, True),
        (SUGGESTED_FROM_E6 - 1, None, False),
        (950_000, 950_000 - AHEAD_BY_E6, True),
        (950_000, 950_001 - AHEAD_BY_E6, False),
    ],
)
def test_a_suggestion_is_likely_and_well_ahead(first, second, suggested):
    candidates = [Candidate("a", first)] + ([] if second is None else [Candidate("b", second)])
    assert is_suggestion(candidates) is suggested


def test_nothing_is_no_suggestion():
    assert not is_suggestion(())
    assert Catalogue([]).ranked("anything") == ()


def test_another_number_is_another_product():
    known = Catalogue([variant("acme|v12", "Impact driver 12V black")])
    (candidate,) = known.ranked("Impact driver 18V black")
    assert candidate.confidence_e6 < SUGGESTED_FROM_E6


@pytest.mark.parametrize(
    ("text", "letters", "numbers"),
    [
        ("DRL-200-BLK", "drl200blk", ("200",)),
        ("Säge 12 V / Größe 3", "sage12vgrosse3", ("12", "3")),
        ("—", "", ()),
    ],
)
def test_only_letters_and_digits_are_compared(text, letters, numbers):
    assert compared(text) == (letters, numbers)


def test_a_trade_item_number_names_its_variant_unless_two_claim_it():
    known = Catalogue(
        [
            variant("acme|a", "A", gtin="4006381333931"),
            variant("acme|b", "B", gtin="96385074"),
            variant("acme|c", "C", gtin="0000096385074"),
            variant("acme|d", "D", gtin="not one"),
        ]
    )
    assert known.by_gtin("04006381333931") == "acme|a"
    assert known.by_gtin("96385074") is None
    assert known.by_gtin("4006381333932") is None


def test_what_is_retired_is_not_offered():
    assert Catalogue([variant("acme|a", "Hammer", retired=True)]).ranked("Hammer") == ()


def test_a_name_without_letters_is_no_name():
    assert Catalogue([variant("acme|a", "—")]).ranked("—") == ()


def test_no_more_are_shown_than_a_person_reads():
    known = Catalogue([variant(f"acme|{number}", "Hammer") for number in range(9)])
    assert len(known.ranked("Hammer")) == SHOWN_MAX


def test_a_common_word_is_looked_up_in_bounded_time(monkeypatch):
    monkeypatch.setattr("processors.mapping.catalogue.POSTINGS_MAX", 10)
    known = Catalogue([variant(f"acme|{number:03d}", "Hammer") for number in range(50)])
    assert [found.variant_id for found in known.ranked("Hammer")] == [f"acme|00{number}" for number in range(5)]


def test_a_catalogue_is_kept_while_no_variant_changes():
    one = fold(Network(), [(0, variant("acme|a", "Hammer"))])
    same = fold(one, [])
    other = fold(same, [(1, variant("other|b", "Saw"))])
    assert catalogue_of(same, "acme") is catalogue_of(one, "acme")
    assert catalogue_of(other, "acme") is not catalogue_of(one, "acme")
    assert catalogue_of(other, "acme").ranked("Saw") == ()


SKUS = st.text(alphabet="abcdef0123456789-", min_size=1, max_size=12)


@given(SKUS, SKUS)
def test_likeness_is_symmetric_and_whole_only_for_the_same(one, other):
    one, other = (compared(text)[0] or "x" for text in (one, other))
    assert similarity_e6(one, other) == similarity_e6(other, one)
    assert (similarity_e6(one, other) == MILLION) is (one == other)


@given(st.lists(SKUS, min_size=1, max_size=20), SKUS)
def test_the_best_is_the_best_of_all_and_any_order_ranks_alike(titles, sku):
    variants = [variant(f"acme|{number:02d}", title) for number, title in enumerate(titles)]
    ranked = Catalogue(variants).ranked(sku)
    assert ranked == Catalogue(reversed(variants)).ranked(sku)
    letters, numbers = compared(sku)
    for candidate in ranked:
        title = next(one.title for one in variants if one.variant_id == candidate.variant_id)
        assert set(grams(letters)) & set(grams(compared(title)[0]))
        likeness = similarity_e6(letters, compared(title)[0])
        assert candidate.confidence_e6 == (likeness if compared(title)[1] == numbers else min(likeness, 890_000))
    assert list(ranked) == sorted(ranked, key=lambda found: (-found.confidence_e6, found.variant_id))


def test_rows_of_candidates_are_small():
    assert len(msgspec.msgpack.encode(Candidate("acme|a", MILLION))) < 16
