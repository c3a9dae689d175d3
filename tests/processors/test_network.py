"""Reference data folded version by version; what cannot be used is told beforehand, and replaces nothing."""

import msgspec
import pytest

from processors.network import Network, fold, why_unusable
from processors.reasons import Reason
from processors.rules import Rules
from schemas.records.engine import Tick
from schemas.records.network import MerchantDefined, PartnerDefined, RuleSetPublished, VariantDefined

MERCHANT = MerchantDefined("acme|m", "M", "EUR", "DE", "acme|rules")
VARIANT = VariantDefined("acme|v", "V", None, None, 500, "EUR", 700, ())


def rule_set(compiled: bytes, version: int = 1) -> RuleSetPublished:
    return RuleSetPublished("acme|rules", version, "", compiled)


@pytest.mark.parametrize(
    "record",
    [MERCHANT, VARIANT, PartnerDefined("acme|p", "P", "DE", 1), rule_set(msgspec.msgpack.encode(Rules()))],
)
def test_what_routing_knows_is_usable(record):
    assert why_unusable(record) is None
    assert fold(Network(), [(7, record)]).version == 7


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        (Tick(1), Reason.UNDECLARED_RECORD, "Tick is not reference data"),
        (rule_set(b""), Reason.INVALID_VALUE, "rule set acme|rules version 1 cannot be read"),
        (rule_set(b"\xa1\xff"), Reason.INVALID_VALUE, "the version before stays in force"),
        (rule_set(msgspec.msgpack.encode({"weight_stock": "ten"})), Reason.INVALID_VALUE, "weight_stock"),
        (rule_set(msgspec.msgpack.encode({"weight_stock": -1})), Reason.INVALID_VALUE, "weight_stock"),
    ],
)
def test_what_cannot_be_used_says_why(record, reason, detail):
    why = why_unusable(record)
    assert why is not None
    assert (why[0], detail in why[1]) == (reason, True), why


def test_a_later_record_replaces_and_an_older_version_stays_as_it_was():
    before = fold(Network(), [(0, MERCHANT), (1, VARIANT)])
    after = fold(before, [(2, msgspec.structs.replace(MERCHANT, name="N"))])
    assert (before.merchants["acme|m"].name, before.version) == ("M", 1)
    assert (after.merchants["acme|m"].name, after.variants, after.version) == ("N", before.variants, 2)


def test_to_fold_what_is_not_reference_data_is_a_bug():
    with pytest.raises(TypeError, match="Tick is not reference data"):
        fold(Network(), [(0, Tick(1))])
