"""Reference data that cannot be right is refused, with the entity, the field and the mend; everything else is taken."""

import msgspec
import pytest

from fsn.world.network import build_network
from processors.network import Network, fold
from processors.reasons import Reason
from processors.rules import RuleError, Rules, rules_from
from processors.usable import why_unusable
from schemas.records.engine import Tick
from schemas.records.network import (
    CarrierAccountDefined,
    FeedDefined,
    MerchantDefined,
    PartnerDefined,
    RuleSetPublished,
    SupplierDefined,
    VariantDefined,
    WeightBand,
    ZoneRate,
)
from tests.processors.routing.world import location

MERCHANT = MerchantDefined("acme|m", "M", "EUR", "DE", "acme|rules")
PARTNER = PartnerDefined("acme|p", "P", "DE", 1)
VARIANT = VariantDefined("acme|v", "V", None, None, 500, "EUR", 700, ())
FEED = FeedDefined("acme|p|l|wms", "acme|p", "acme|l", "contiguous", "none")
LOCATION = location("berlin")
ACCOUNT = CarrierAccountDefined(
    "acme|dhl", "dhl", "acme|m", "primary", ("standard",), ("DE", "AT"), (1, 2), (500, 900), 50, "EUR", False, 100
)


def rule_set(compiled):
    return RuleSetPublished("acme|rules", 1, "", compiled)


def other(record, **fields):
    return msgspec.structs.replace(record, **fields)


def rates(*zone_rates):
    return other(ACCOUNT, zone_rates=zone_rates)


@pytest.mark.parametrize(
    "record",
    [
        rates(ZoneRate("DE:1", 1), ZoneRate("DE:18", 4, 900), ZoneRate("FR", 3, 0, (WeightBand(1, 1), WeightBand(2, 1)))),
        other(ACCOUNT, max_length_mm=1_000, oversize_length_mm=999),
        MERCHANT, PARTNER, VARIANT, FEED, LOCATION, ACCOUNT, SupplierDefined("acme|s", "S"),
        rule_set(msgspec.msgpack.encode(Rules())),
        other(LOCATION, holiday_region="DE-BE", closed_dates=("2026-12-24",), open_dates=("2026-12-27",)),
        other(FEED, freshness_limit_ms=60_000),
        other(LOCATION, served_zones=("DE:1", "AT"), refused_zones=("DE:18",)),
        other(LOCATION, weekday_cutoffs=(960,) * 7, weekday_handling_ms=(0,) * 7),
    ],
)  # fmt: skip
def test_what_routing_knows_is_usable(record):
    assert why_unusable(record) is None
    assert fold(Network(), [(7, record)]).version == 7


def test_a_whole_network_is_usable():
    assert [why_unusable(record) for _, record in build_network(1).keyed()] == [None] * len(build_network(1).keyed())


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (other(MERCHANT, country="ZZ"), "merchant acme|m: country 'ZZ' is none of ISO 3166-1"),
        (other(MERCHANT, currency="euro"), "merchant acme|m: currency 'euro' is not three capital letters"),
        (other(MERCHANT, currency="EÜR"), "currency 'EÜR'"),
        (other(PARTNER, country="de"), "partner acme|p: country 'de'"),
        (other(PARTNER, freshness_limit_ms=0), "freshness_limit_ms is 0: at least 1 is needed"),
        (other(VARIANT, weight_g=-1), "variant acme|v: weight_g is -1"),
        (other(VARIANT, supplier_cost_minor=-1), "supplier_cost_minor is -1"),
        (other(VARIANT, currency=""), "currency ''"),
        (other(FEED, sequences="some"), "feed acme|p|l|wms: sequences is 'some': it is one of contiguous"),
        (other(FEED, shipment_deltas=""), "shipment_deltas is ''"),
        (other(FEED, freshness_limit_ms=-1), "freshness_limit_ms is -1"),
        (other(LOCATION, latitude_e6=0, longitude_e6=0), "(0, 0) is no place to ship from"),
        (other(LOCATION, latitude_e6=90_000_001), "is no place to ship from"),
        (other(LOCATION, longitude_e6=-180_000_001), "is no place to ship from"),
        (other(LOCATION, country="Germany"), "country 'Germany'"),
        (other(LOCATION, ships_to=("DE", "XX")), "country 'XX'"),
        (other(LOCATION, currency="E1R"), "currency 'E1R'"),
        (other(LOCATION, timezone="Europe/Bonn"), "time zone 'Europe/Bonn' is not in the IANA list"),
        (other(LOCATION, holiday_region="DE-XX"), "holiday_region 'DE-XX' is neither a country nor a region"),
        (other(LOCATION, closed_dates=("24.12.2026",)), "closed_dates holds '24.12.2026': write days as 2026-12-24"),
        (other(LOCATION, open_dates=("20261224",)), "open_dates holds '20261224'"),
        (
            other(LOCATION, closed_dates=("2026-12-24",), open_dates=("2026-12-24",)),
            "2026-12-24 is in closed_dates and in open_dates",
        ),
        (other(LOCATION, working_days=()), "location acme|loc_berlin: working_days and open_dates are empty"),
        (other(LOCATION, working_days=(0, 1)), "working_days are [0, 1]"),
        (other(LOCATION, cutoff_minute=1_440), "cutoff_minute is 1440"),
        (other(LOCATION, weekday_cutoffs=(960,) * 6 + (-1,)), "weekday_cutoffs is -1: minutes of a day"),
        (other(LOCATION, weekday_cutoffs=(960,) * 5), "weekday_cutoffs has 5 values: send one for each weekday"),
        (other(LOCATION, weekday_handling_ms=(0,)), "weekday_handling_ms has 1 values"),
        (other(LOCATION, weekday_handling_ms=(0,) * 6 + (-1,)), "weekday_handling_ms is -1: at least 0"),
        (other(LOCATION, served_zones=("DE:1", "18")), "served_zones: zone '18' is neither a country nor"),
        (other(LOCATION, refused_zones=("ZZ",)), "refused_zones: country 'ZZ'"),
        (
            other(LOCATION, served_zones=("DE:181",), refused_zones=("DE:18",)),
            "served_zones names DE:181, which lies in DE:18 of refused_zones: keep one",
        ),
        (other(LOCATION, tier=0), "tier is 0: at least 1"),
        (other(LOCATION, daily_slots=-1), "daily_slots is -1"),
        (other(LOCATION, safety_stock=-1), "safety_stock is -1"),
        (other(LOCATION, accept_within_ms=0), "accept_within_ms is 0"),
        (other(ACCOUNT, countries=("DE", "XX")), "account acme|dhl: country 'XX'"),
        (other(ACCOUNT, countries=("DE", "DE")), "countries names DE twice: its zones overlap"),
        (other(ACCOUNT, transit_days=(1,)), "transit_days has 1 values for 2 countries"),
        (other(ACCOUNT, base_cost_minor=(1, -2)), "base_cost_minor is -2"),
        (other(ACCOUNT, cost_per_kg_minor=-1), "cost_per_kg_minor is -1"),
        (other(ACCOUNT, daily_slots=-1), "daily_slots is -1"),
        (other(ACCOUNT, currency="€"), "currency '€'"),
        (other(ACCOUNT, max_weight_g=-1), "max_weight_g is -1"),
        (other(ACCOUNT, volumetric_divisor=-1), "volumetric_divisor is -1"),
        (
            other(ACCOUNT, max_length_mm=1_000, oversize_length_mm=1_000),
            "oversize_length_mm is 1000, and nothing longer than 1000 (max_length_mm) is carried",
        ),
        (rates(ZoneRate("18", 1)), "zone_rates: zone '18' is neither a country nor"),
        (
            rates(ZoneRate("DE:1", 1), ZoneRate("DE:1", 2)),
            "zone_rates names DE:1, which has a rate already: its zones overlap",
        ),
        (rates(ZoneRate("AT", 1)), "zone_rates names AT, which has a rate already"),  # among its countries
        (rates(ZoneRate("DE:1", -1)), "transit_days of DE:1 is -1"),
        (rates(ZoneRate("DE:1", 1, -5)), "base_cost_minor of DE:1 is -5"),
        (rates(ZoneRate("DE:1", 1, 0, (WeightBand(0, 1),))), "bands of DE:1 go from 0 to 0 g"),
        (
            rates(ZoneRate("DE:1", 1, 0, (WeightBand(2_000, 1), WeightBand(1_000, 1)))),
            "bands of DE:1 go from 2000 to 1000 g: name each weight once, lightest first",
        ),
        (rates(ZoneRate("DE:1", 1, 0, (WeightBand(9, -1),))), "cost_minor up to 9 g of DE:1 is -1"),
        (other(VARIANT, length_mm=-1), "length_mm is -1"),
        (rule_set(b""), "rule set acme|rules version 1: cannot be read"),
        (rule_set(b"\xa1\xff"), "what was in force before stays so"),
        (rule_set(msgspec.msgpack.encode({"weight_stock": "ten"})), "weight_stock"),
        (rule_set(msgspec.msgpack.encode({"weight_stock": -1})), "weight_stock"),
    ],
)
def test_what_can_never_be_right_is_refused(record, problem):
    why = why_unusable(record)
    assert why is not None
    assert (why[0], problem in why[1]) == (Reason.INVALID_VALUE, True), why


@pytest.mark.parametrize(
    "document",
    [
        {"allowed_countries": [["BE", "NL"]], "forbidden_countries": [["BE", "NL"]]},
        {"allowed_countries": [["BE", "ZZ"]]},
        {"distance_best_m": 5, "distance_worst_m": 5},
        {"slack_best_ms": 0},
        {"cost_best_minor": 2_000},
        {"max_shipments_fallback": 2},
        {"park_retry_max_ms": 1},
        {"delivery_weekdays": []},
        {"zones": {"isles": ["18"]}},
        {"allowed_zones": [["BE", "NL:60"]], "forbidden_zones": [["BE", "NL:6"]]},
        {"channel_preferences": {"otto": ["a", "a"]}},
        {name: 0 for name in Rules.__struct_fields__ if name.startswith("weight_")},
    ],
)
def test_rules_that_contradict_each_other_are_refused_in_the_words_of_their_author_s_own_check(document):
    with pytest.raises(RuleError) as refused:
        rules_from(document)
    compiled = msgspec.msgpack.encode(msgspec.convert(document, Rules))
    problem = f"rule set acme|rules version 1: {refused.value}; what was in force before stays so"
    assert why_unusable(rule_set(compiled)) == (Reason.INVALID_VALUE, problem)


def test_a_location_that_opens_on_single_days_alone_is_usable():
    assert why_unusable(other(LOCATION, working_days=(), open_dates=("2026-12-24",))) is None


def test_what_is_no_reference_data_is_said_so():
    assert why_unusable(Tick(1)) == (
        Reason.UNDECLARED_RECORD, "Tick is not reference data: see topology.yaml"
    )  # fmt: skip
