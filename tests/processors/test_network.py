"""Reference data folded version by version."""

import msgspec
import pytest

from processors.network import Network, changed, fold
from schemas.records.engine import Tick
from schemas.records.network import MerchantDefined, VariantDefined

MERCHANT = MerchantDefined("acme|m", "M", "EUR", "DE", "acme|rules")
VARIANT = VariantDefined("acme|v", "V", None, None, 500, "EUR", 700, ())


def test_a_later_record_replaces_and_an_older_version_stays_as_it_was():
    before = fold(Network(), [(0, MERCHANT), (1, VARIANT)])
    after = fold(before, [(2, msgspec.structs.replace(MERCHANT, name="N"))])
    assert (before.merchants["acme|m"].name, before.version) == ("M", 1)
    assert (after.merchants["acme|m"].name, after.variants, after.version) == ("N", before.variants, 2)


def test_to_fold_what_is_not_reference_data_is_a_bug():
    with pytest.raises(TypeError, match="Tick is not reference data"):
        fold(Network(), [(0, Tick(1))])


def test_other_maps_derive_nothing_from_the_true_ones():
    true = fold(Network(), [(0, MERCHANT), (1, VARIANT)])
    true.variants_cache["catalogues"] = "of these variants"
    other = changed(true, merchants={})
    assert (other.merchants, other.variants, other.version) == ({}, true.variants, 1)
    assert other.variants_cache is true.variants_cache
    assert other.cache is not true.cache
    assert changed(true, variants={}).variants_cache == {}
    assert true.merchants == {"acme|m": MERCHANT}
