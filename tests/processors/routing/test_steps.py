"""The fences and ratings of each step, one line a rule."""

import pytest

from processors.routing import rates
from processors.routing.rates import Parcel, Terms
from processors.routing.score import NOT_RATED, rate, score, weights_of
from processors.routing.steps import (
    audit,
    capability,
    capacity,
    carrier,
    cost,
    fallback,
    freshness,
    proximity,
    region,
    sla,
    stock,
)
from processors.routing.words import OK, STEPS, WORD, WORDS, Verdict
from processors.rules import Rules
from schemas.records.network import MerchantDefined, ZoneRate
from schemas.records.operations import LocationLoadChanged
from tests.processors.routing.world import ACCOUNT, FACTS, HOUR, LOCATION, NOW, change, offer

V = Verdict


# 1 stock
@pytest.mark.parametrize(
    ("made", "wanted", "units"),
    [
        (offer(5), 2, 2),
        (offer(1), 2, 1),
        (offer(0), 2, 0),
        (offer(-3), 2, 0),
        (offer(5, stocked=False), 2, 0),
        (None, 2, 0),
    ],
)
def test_promisable(made, wanted, units):
    assert stock.promisable(made, wanted) == units


@pytest.mark.parametrize(
    ("takes", "wanted", "splitting", "verdict"),
    [
        ((2,), (2,), True, OK),
        ((1,), (2,), True, OK),
        ((0,), (2,), True, V.NO_STOCK),
        ((0, 1), (2, 1), True, OK),
        ((2, 1), (2, 1), False, OK),
        ((2, 0), (2, 1), False, V.INCOMPLETE_STOCK),
        ((0, 0), (2, 1), False, V.NO_STOCK),
    ],
)
def test_stock_fence(takes, wanted, splitting, verdict):
    assert stock.fence(takes, wanted, splitting=splitting) is verdict


@pytest.mark.parametrize(("units", "of", "rating"), [(3, 3, 1_000_000), (1, 3, 333_333), (2, 3, 666_666)])
def test_stock_rating(units, of, rating):
    assert stock.rating(units, of) == rating


# 2 region
@pytest.mark.parametrize(
    ("from_country", "ships_to", "country", "rules", "verdict"),
    [
        ("DE", ("DE",), "DE", {}, OK),
        ("BE", ("BE",), "NL", {}, V.COUNTRY_NOT_SERVED),  # an NL customer is never served from BE …
        ("BE", ("BE", "NL"), "NL", {}, OK),
        ("BE", ("BE",), "NL", {"allowed_countries": (("BE", "NL"),)}, OK),  # … unless a rule says so
        ("BE", ("BE",), "NL", {"allowed_countries": (("NL", "BE"),)}, V.COUNTRY_NOT_SERVED),
        ("BE", ("BE", "NL"), "NL", {"forbidden_countries": (("BE", "NL"),)}, V.COUNTRY_FORBIDDEN),
    ],
)
def test_region_fence(from_country, ships_to, country, rules, verdict):
    assert region.fence(from_country, ships_to, country=country, rules=Rules(**rules)) is verdict


@pytest.mark.parametrize(
    ("place", "rules", "area", "verdict"),
    [
        ({"postcode_prefixes": ("1", "20")}, {}, "10", OK),
        ({"postcode_prefixes": ("20",)}, {}, "10", V.POSTCODE_NOT_SERVED),
        ({"postcode_prefixes": ("101",)}, {}, "10", V.POSTCODE_NOT_SERVED),  # who tells two digits may miss the third
        ({"served_zones": ("DE:1", "AT:80")}, {}, "10", OK),
        ({"served_zones": ("DE:1", "AT:80")}, {}, "80", V.POSTCODE_NOT_SERVED),
        ({"served_zones": ("DE",)}, {}, "", OK),
        ({"served_zones": ("DE:1",)}, {}, "", V.POSTCODE_NOT_SERVED),
        ({"refused_zones": ("DE:18",)}, {}, "10", OK),
        ({"refused_zones": ("DE:18",)}, {}, "185", V.POSTCODE_NOT_SERVED),
        ({"refused_zones": ("DE:18",)}, {}, "1", V.POSTCODE_NOT_SERVED),  # it may go there
        ({"served_zones": ("DE:1",), "refused_zones": ("DE:18",)}, {}, "18", V.POSTCODE_NOT_SERVED),
        ({}, {"forbidden_zones": (("DE", "DE:18"), ("AT", "DE:10"))}, "10", OK),
        ({}, {"forbidden_zones": (("DE", "DE:18"),)}, "18", V.POSTCODE_FORBIDDEN),
        (
            {},
            {"forbidden_zones": (("DE", "isles"),), "zones": {"isles": ("DE:18", "DE:25")}},
            "25",
            V.POSTCODE_FORBIDDEN,
        ),
        ({"ships_to": ()}, {"allowed_zones": (("DE", "DE:1"),)}, "10", OK),
        ({"ships_to": ()}, {"allowed_zones": (("DE", "DE:1"),)}, "20", V.POSTCODE_NOT_SERVED),
        (
            {"ships_to": ()},
            {"allowed_zones": (("DE", "DE:1"),), "forbidden_zones": (("DE", "DE:18"),)},
            "18",
            V.POSTCODE_FORBIDDEN,
        ),
        (
            {"ships_to": (), "refused_zones": ("DE:10",)},
            {"allowed_zones": (("DE", "DE:1"),)},
            "10",
            V.POSTCODE_NOT_SERVED,
        ),
    ],
)
def test_postcode_fence(place, rules, area, verdict):
    place = change(LOCATION, **place)
    rules = Rules(**rules)
    assert region.fence(place.country, place.ships_to, country="DE", rules=rules) is OK
    limits = region.postcodes(place, country="DE", rules=rules)
    assert limits is not None
    assert region.fence_postcode(limits, area) is verdict


@pytest.mark.parametrize(
    ("place", "rules"), [({}, {}), ({"served_zones": ("AT:1",)}, {"forbidden_zones": (("DE", "AT"),)})]
)
def test_where_no_zone_speaks_of_the_country_nothing_is_asked(place, rules):
    assert region.postcodes(change(LOCATION, **place), country="DE", rules=Rules(**rules)) is None


def test_a_country_of_which_no_zone_is_allowed_is_not_served():
    rules = Rules(allowed_zones=(("DE", "AT:1"), ("BE", "NL:6")))
    assert region.fence("BE", ("BE",), country="NL", rules=rules) is OK
    assert region.fence("BE", ("BE",), country="AT", rules=rules) is V.COUNTRY_NOT_SERVED


@pytest.mark.parametrize(
    ("name", "preferred", "rating"),
    [
        ("a", (), NOT_RATED),
        ("a", ("a", "b", "c"), 1_000_000),
        ("b", ("a", "b", "c"), 666_666),
        ("c", ("a", "b", "c"), 333_333),
        ("z", ("a", "b", "c"), 0),
    ],
)
def test_preference(name, preferred, rating):
    assert region.rating(name, preferred) == rating


# 3 SLA
@pytest.mark.parametrize(("earliest_at", "promised_at", "verdict"), [(5, 5, OK), (6, 5, V.TOO_LATE), (6, None, OK)])
def test_sla_fence(earliest_at, promised_at, verdict):
    assert sla.fence(earliest_at, promised_at) is verdict


@pytest.mark.parametrize(
    ("slack_ms", "rating"), [(-1, 0), (0, 0), (24 * HOUR, 500_000), (48 * HOUR, 1_000_000), (90 * HOUR, 1_000_000)]
)
def test_sla_rating(slack_ms, rating):
    assert sla.rating(slack_ms, Rules()) == rating


# 4 carrier
OTHER = MerchantDefined("acme|other", "Other", "EUR", "DE", "acme|rules")


@pytest.mark.parametrize(
    ("account", "facts", "owner", "verdict"),
    [
        ({}, {}, None, OK),
        ({"zone_rates": (ZoneRate("FR:75", 1),)}, {"country": "FR", "postcode_area": "75"}, None, OK),
        ({"zone_rates": (ZoneRate("FR:75", 1),)}, {"country": "FR", "postcode_area": "69"}, None, V.ZONE_NOT_CARRIED),
        ({}, {"country": "FR"}, None, V.ZONE_NOT_CARRIED),
        ({"transit_days": ()}, {}, None, V.ZONE_NOT_CARRIED),
        ({"base_cost_minor": ()}, {}, None, V.ZONE_NOT_CARRIED),
        ({}, {"service": "freight"}, None, V.SERVICE_NOT_CARRIED),
        ({"daily_slots": 0}, {}, None, V.ACCOUNT_WITHOUT_SLOTS),
        ({"retired": True}, {}, None, V.ACCOUNT_RETIRED),
        ({}, {}, OTHER, V.ACCOUNT_OF_ANOTHER),
        ({}, {}, change(OTHER, merchant_id="acme|merchant"), OK),
        ({"b2b_only": True}, {}, None, V.ACCOUNT_BUSINESS_ONLY),
        ({"b2b_only": True}, {"business": True}, None, OK),
        ({"retired": True, "services": ()}, {}, None, V.SERVICE_NOT_CARRIED),  # filters keep their order
    ],
)
def test_carrier_fence(account, facts, owner, verdict):
    assert carrier.fence(change(ACCOUNT, **account), change(FACTS, **facts), owner=owner, rules=Rules()) is verdict


@pytest.mark.parametrize(
    ("asks", "required", "ceiling", "verdict", "counts"),
    [
        ("", False, None, OK, ""),
        ("", True, None, OK, ""),
        ("dhl_parcel_de", True, None, OK, "dhl_parcel_de"),
        ("ups", False, None, OK, "ups"),
        ("ups", True, None, V.OTHER_CARRIER_ASKED_FOR, "ups"),
        ("ups", False, 900, OK, ""),  # a wish gives way to a ceiling …
        ("ups", True, 900, V.OTHER_CARRIER_ASKED_FOR, "ups"),  # … a requirement does not
    ],
)
def test_a_customer_s_carrier(asks, required, ceiling, verdict, counts):
    rules = Rules(carrier_preference_required=required)
    facts = change(FACTS, carrier_preference=asks, cost_ceiling_minor=ceiling)
    assert carrier.fence(ACCOUNT, facts, owner=None, rules=rules) is verdict
    assert carrier.asked_carrier(facts, rules) == counts


def test_no_account_and_the_one_that_came_furthest():
    assert carrier.fence(None, FACTS, owner=None, rules=Rules()) is V.NO_ACCOUNT
    assert carrier.furthest([]) is V.NO_ACCOUNT
    assert carrier.furthest([V.ACCOUNT_RETIRED, V.ZONE_NOT_CARRIED]) is V.ACCOUNT_RETIRED
    assert carrier.furthest([V.ZONE_NOT_CARRIED, OK]) is OK


@pytest.mark.parametrize(
    ("arrivals", "kilograms", "account", "minor"),
    [
        ([("a", 10, 400, 50), ("b", 10, 380, 50)], 1, "b", 430),
        ([("a", 10, 400, 50), ("b", 10, 380, 80)], 1, "a", 450),  # heavier parcels turn it round
        ([("a", 11, 400, 0), ("b", 10, 400, 0)], 1, "b", 400),  # equal cost: earlier
        ([("a", 10, 400, 0), ("b", 10, 400, 0)], 1, "a", 400),  # equal all: account_id
        ([("a", 10, 400, 0), ("b", 11, 400, 0)], 1, "a", 400),
    ],
)
def test_cheapest_account(arrivals, kilograms, account, minor):
    made = tuple((at, carrier.Tariff(name, "dhl", 1, base, per)) for name, at, base, per in arrivals)
    cost_minor, _, tariff = carrier.cheapest(made, Parcel(1_000 * kilograms, kilograms))
    assert (tariff.account_id, cost_minor) == (account, minor)


@pytest.mark.parametrize(
    ("off_minor", "account", "minor"), [(0, "a", 400), (99, "a", 400), (100, "a", 400), (101, "b", 500)]
)
def test_a_carrier_that_was_asked_for_may_be_dearer(off_minor, account, minor):
    plain = carrier.Tariff("a", "dhl", 1, 400, 0)
    asked = carrier.Tariff("b", "ups", 1, 500, 0, Terms(off_minor=off_minor))
    cost_minor, _, tariff = carrier.cheapest(((NOW, plain), (NOW, asked)), Parcel(500, 1))
    assert (tariff.account_id, cost_minor) == (account, minor)


# 5 capability
@pytest.mark.parametrize(
    ("needs", "capabilities", "verdict"),
    [
        ((), (), OK),
        (("hazmat",), ("hazmat", "battery"), OK),
        (("hazmat", "cold_chain"), ("hazmat",), V.CAPABILITY_MISSING),
        (V.UNKNOWN_VARIANT, ("hazmat",), V.UNKNOWN_VARIANT),
        (V.NOT_ENTITLED, (), V.NOT_ENTITLED),
    ],
)
def test_capability_fence(needs, capabilities, verdict):
    assert capability.fence(needs, capabilities) is verdict


def test_service_type():
    assert capability.fence_service("click_and_collect", ("click_and_collect",)) is OK
    assert capability.fence_service("click_and_collect", ("ship_from_store",)) is V.SERVICE_TYPE_MISSING


# 6 capacity
def load(day, used, cap):
    return LocationLoadChanged("acme|loc", day, used, cap, NOW)


@pytest.mark.parametrize(
    ("heard", "used_and_cap"),
    [
        (None, (0, 100)),
        (load("2026-09-03", 7, 90), (7, 90)),
        (load("2026-09-02", 90, 90), (0, 100)),  # yesterday's load says nothing of today
    ],
)
def test_load_of_today(heard, used_and_cap):
    assert capacity.today(heard, "2026-09-03", daily_slots=100) == used_and_cap


@pytest.mark.parametrize(
    ("used", "cap", "verdict", "rating"),
    [
        (0, 100, OK, 1_000_000),
        (25, 100, OK, 750_000),
        (99, 100, OK, 10_000),
        (100, 100, V.CAPACITY_FULL, None),
        (0, 0, V.CAPACITY_FULL, None),
        (7, 5, V.CAPACITY_FULL, None),
    ],
)
def test_capacity(used, cap, verdict, rating):
    assert capacity.fence(used, cap) is verdict
    assert rating is None or capacity.rating(used, cap) == rating


# 7 cost
@pytest.mark.parametrize(("weight_g", "kilograms"), [(0, 1), (-5, 1), (1, 1), (1_000, 1), (1_001, 2), (2_500, 3)])
def test_started_kilograms(weight_g, kilograms):
    assert rates.kilograms(weight_g) == kilograms


def test_goods_as_one_parcel():
    bill = cost.Bill((800, 100), (0, 0), ((6_000, 300), (1_000, 900)))
    assert cost.parcel(bill, (2, 0)) == Parcel(1_600, 2, 12_000, 300)
    assert cost.parcel(bill, (2, 1)) == Parcel(1_700, 2, 13_000, 900)
    assert cost.largest(bill, (2, 1)) == rates.Largest(800, 6_000, 900)
    assert cost.largest(cost.Bill((800, 100), (0, 0)), (0, 1)) == rates.Largest(100, 0, 0)


def test_landed_cost_is_shipping_handling_and_supplier_cost():
    bill = cost.Bill(weight_g=(800, 100), supplier_minor=(5_000, 300))
    tariffs = ((NOW, carrier.Tariff("a", "dhl", 1, 400, 50)),)
    assert cost.landed(bill, (2, 1), in_time=tariffs, handling=(100, 10)) == (400 + 2 * 50) + (100 + 3 * 10) + 10_300


@pytest.mark.parametrize(
    ("currency", "into", "known", "rate"),
    [("EUR", "EUR", {}, 1_000_000), ("CHF", "EUR", {"CHF": 1_050_000}, 1_050_000), ("PLN", "EUR", {}, None)],
)
def test_exchange_rate(currency, into, known, rate):
    assert cost.exchange_rate_e6(currency, into, rates_e6=known) == rate


@pytest.mark.parametrize(
    ("amount", "rate_e6", "converted"), [(100, 1_000_000, 100), (100, 1_055_000, 106), (1, 499_999, 0), (1, 500_000, 1)]
)
def test_converted_rounds_half_up(amount, rate_e6, converted):
    assert cost.converted(amount, rate_e6) == converted


@pytest.mark.parametrize(
    ("least", "ceiling", "verdict"), [(500, None, OK), (500, 500, OK), (501, 500, V.OVER_COST_CEILING)]
)
def test_cost_fence(least, ceiling, verdict):
    assert cost.fence(least, ceiling) is verdict


@pytest.mark.parametrize(("minor", "rating"), [(0, 1_000_000), (500, 750_000), (2_000, 0), (9_999, 0)])
def test_cost_rating(minor, rating):
    assert cost.rating(minor, Rules()) == rating


# 8 proximity
@pytest.mark.parametrize(("metres", "most", "verdict"), [(5, None, OK), (5, 5, OK), (6, 5, V.TOO_FAR)])
def test_proximity_fence(metres, most, verdict):
    assert proximity.fence(metres, most) is verdict


@pytest.mark.parametrize(("metres", "rating"), [(0, 1_000_000), (1_200, 998_800), (1_000_000, 0), (2_000_000, 0)])
def test_proximity_rating(metres, rating):
    assert proximity.rating(metres, Rules()) == rating


# 9 freshness
@pytest.mark.parametrize(
    ("item_age", "heartbeat_age", "age"), [(500, 900, 500), (900, 500, 500), (900, 900, 900), (-5, 900, 0)]
)
def test_age_counts_from_the_later_of_item_and_heartbeat(item_age, heartbeat_age, age):
    assert freshness.age_ms(offer(1, age_ms=item_age), NOW - heartbeat_age, now_at=NOW) == age


@pytest.mark.parametrize(
    ("gapped", "age", "limit", "verdict"),
    [
        (False, 10, 10, OK),
        (False, 11, 10, V.STALE),
        (True, 0, 10, V.GAPPED),
        (True, 11, 10, V.GAPPED),
        (False, 0, None, V.FRESHNESS_UNKNOWN),
    ],
)
def test_freshness_fence(gapped, age, limit, verdict):
    assert freshness.fence(offer(1, gapped=gapped), age, limit_ms=limit) is verdict


@pytest.mark.parametrize(("age", "limit", "rating"), [(0, 0, 1_000_000), (0, 9, 1_000_000), (3, 9, 666_666), (9, 9, 0)])
def test_freshness_rating(age, limit, rating):
    assert freshness.rating(age, limit) == rating


# 10 fallback
@pytest.mark.parametrize(
    ("rules", "used", "usual", "wide"),
    [
        ({}, 0, 3, 3),
        ({}, 2, 1, 1),
        ({}, 5, 0, 0),
        ({"max_shipments_fallback": 5}, 1, 2, 4),
        ({"splitting_allowed": False, "max_shipments_fallback": 5}, 0, 1, 1),
    ],
)
def test_shipments_left(rules, used, usual, wide):
    assert fallback.shipments_left(Rules(**rules), used, wide=False) == usual
    assert fallback.shipments_left(Rules(**rules), used, wide=True) == wide


@pytest.mark.parametrize(
    ("ended", "more_tiers", "widened", "backorder", "move"),
    [
        (V.ROUTED, True, False, True, V.NOT_NEEDED),
        (V.ROUTED, False, True, True, V.SPLIT_WIDER),
        (V.STOCK_SHORT, True, False, True, V.NEXT_TIER),
        (V.STOCK_SHORT, False, False, True, V.BACKORDER),
        (V.STOCK_SHORT, False, False, False, V.PARK),
        (V.GAPPED, False, False, True, V.BACKORDER),
        (V.TOO_MANY_SHIPMENTS, False, False, True, V.BACKORDER),
        (V.STALE, False, False, True, V.PARK),
        (V.CAPACITY_FULL, False, False, True, V.PARK),
    ],
)
def test_move(ended, more_tiers, widened, backorder, move):
    rules = Rules(backorder_allowed=backorder)
    assert fallback.move(ended, more_tiers=more_tiers, widened=widened, rules=rules) is move


@pytest.mark.parametrize(
    ("verdicts", "before", "after", "splitting", "reason"),
    [
        ([(1, V.NO_STOCK)], [(0,)], [(0,)], True, V.STOCK_SHORT),
        ([(11, OK)], [(1,)], [(1,)], True, V.STOCK_SHORT),
        ([(11, OK), (6, V.CAPACITY_FULL)], [(1,), (1,)], [(1,), (1,)], True, V.CAPACITY_FULL),
        ([(3, V.TOO_LATE), (6, V.CAPACITY_FULL)], [(1,), (2,)], [(1,), (2,)], True, V.CAPACITY_FULL),
        ([(3, V.TOO_LATE), (6, V.CAPACITY_FULL)], [(1,), (1,)], [(1,), (1,)], True, V.TOO_LATE),  # the first that hurt
        ([(9, V.STALE), (9, V.GAPPED)], [(1,), (1,)], [(0,), (0,)], True, V.GAPPED),
        ([(11, V.STALE), (11, OK)], [(1,), (1,)], [(0,), (1,)], True, V.STALE),  # dropped an item, stayed a candidate
        ([(11, OK), (11, OK)], [(1,), (1,)], [(1,), (1,)], True, OK),  # enough: only a plan's limits forbid
        ([(1, V.INCOMPLETE_STOCK)], [(1,)], [(1,)], False, V.STOCK_SHORT),
        ([(6, V.CAPACITY_FULL), (1, V.NO_STOCK)], [(2,), (0,)], [(2,), (0,)], False, V.CAPACITY_FULL),
    ],
)
def test_reason_is_the_first_fence_that_left_too_little(verdicts, before, after, splitting, reason):
    assert fallback.reason(verdicts, before, after=after, wanted=(2,), splitting=splitting) is reason


# 11 audit
def test_digest_and_lock():
    assert audit.digest((1, "a")) == audit.digest((1, "a"))
    assert audit.digest((1, "a")) != audit.digest((1, "b"))
    assert audit.verdict(chosen=True) is V.CHOSEN
    assert audit.verdict(chosen=False) is V.LOWER_SCORE


# scores
@pytest.mark.parametrize(
    ("value", "worst", "best", "rating"),
    [(5, 0, 10, 500_000), (5, 10, 0, 500_000), (1, 0, 3, 333_333), (-1, 0, 10, 0), (11, 0, 10, 1_000_000)],
)
def test_rate_is_linear_and_flat_beyond(value, worst, best, rating):
    assert rate(value, worst=worst, best=best) == rating


def test_score_is_the_weighted_mean_floored_once():
    assert score((10, 4, 2), (1_000_000, 333_333, 0), weight=16) == (10_000_000 + 4 * 333_333) // 16
    assert score((0, 0), (1, 1), weight=0) == 0
    assert score((3, 0), (700_000, NOT_RATED), weight=3) == 700_000
    assert weights_of(Rules(), prefers=False) == (10, 0, 4, 2, 6, 2, 1)
    assert weights_of(Rules(), prefers=True) == (10, 10, 4, 2, 6, 2, 1)


# words
def test_every_verdict_has_words_and_belongs_to_its_step():
    assert set(WORDS) == set(Verdict)
    assert len(STEPS) == 11
    assert all(WORD[verdict] == verdict.name.lower() for verdict in Verdict)
