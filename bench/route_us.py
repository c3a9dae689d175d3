"""How long one evaluation takes, full audit included, and how long its audit is: `measure()` gives medians in microseconds."""

import statistics
import time

import msgspec

from processors.network import Network
from processors.routing.facts import Demand, Known, Offer, Offers, OrderFacts, Shortlist
from processors.routing.pipeline import route
from processors.routing.shortlist import shortlist
from processors.step import stable_id
from schemas.codec import Codec
from schemas.records.network import (
    CarrierAccountDefined,
    LocationDefined,
    MerchantDefined,
    PartnerDefined,
    VariantDefined,
)
from schemas.records.operations import FeedStatusChanged, LocationLoadChanged
from schemas.records.routing import RoutingAudit

NOW = 1_788_429_600_000
HOUR_MS = 3_600_000


def measure(rounds: int = 41, repeats: int = 50) -> dict[str, float]:
    """Median microseconds: route() over 7 candidates with 1 and 3 lines, over 50 with 5, shortlist() of 40; bytes of an audit."""
    return {
        "route_us_7_candidates": _route_us(7, 1, rounds=rounds, repeats=repeats),
        "route_us_7_candidates_3_lines": _route_us(7, 3, rounds=rounds, repeats=repeats),
        "route_us_50_candidates_5_lines": _route_us(50, 5, rounds=rounds, repeats=max(repeats // 10, 1)),
        "shortlist_us_40_locations": _shortlist_us(40, rounds=rounds, repeats=repeats),
        "audit_bytes_7_candidates": audit_bytes(7, 1),
    }


def audit_bytes(locations: int, lines: int) -> int:
    """How long the audit record of such an order is, as it lies on its topic."""
    inputs = _inputs(locations, lines)
    found = route(*inputs)
    record = RoutingAudit(stable_id("rd", inputs[0].order_id), inputs[0].order_id, 1, "routed", found.audit)
    return len(Codec().encode(record))


def network(locations: int, lines: int) -> Network:
    """Locations in a row from Berlin southwards, two accounts each."""
    made = Network(1)
    made.merchants["acme|merchant"] = MerchantDefined("acme|merchant", "Nordwind", "EUR", "DE", "acme|rules")
    made.partners["acme|partner"] = PartnerDefined("acme|partner", "FP", "DE", 900_000)
    for name, base in (("dhl", 420), ("gls", 390)):
        made.accounts[f"acme|{name}"] = CarrierAccountDefined(
            f"acme|{name}",
            name,
            "acme|merchant",
            "primary",
            ("standard",),
            ("DE",),
            (1,),
            (base,),
            35,
            "EUR",
            False,
            999,
        )
    for index in range(lines):
        variant_id = f"acme|var_{index:04}"
        made.variants[variant_id] = VariantDefined(variant_id, "V", None, None, 900, "EUR", 1_200, ())
    for index in range(locations):
        location_id = f"acme|loc_{index:03}"
        made.locations[location_id] = LocationDefined(
            location_id=location_id,
            partner_id="acme|partner",
            name=location_id,
            country="DE",
            postcode="10115",
            latitude_e6=52_520_000 - 80_000 * index,
            longitude_e6=13_400_000,
            timezone="Europe/Berlin",
            tier=1,
            ships_to=("DE",),
            postcode_prefixes=(),
            services=("ship_from_warehouse",),
            capabilities=(),
            daily_slots=200,
            cutoff_minute=16 * 60,
            working_days=(1, 2, 3, 4, 5),
            handling_ms=HOUR_MS,
            handling_cost_minor=100,
            unit_cost_minor=10,
            currency="EUR",
            accept_within_ms=24 * HOUR_MS,
            safety_stock=0,
            carrier_account_ids=("acme|dhl", "acme|gls"),
        )
    made.rule_sets["acme|rules"] = msgspec.structs.replace(made.rules_of("acme|merchant"), rule_set_id="acme|rules")
    return made


def _facts(lines: int) -> OrderFacts:
    wanted = tuple(Demand(index + 1, f"acme|var_{index:04}", 2) for index in range(lines))
    return OrderFacts(
        order_id="acme|shop|48372",
        attempt=1,
        merchant_id="acme|merchant",
        channel="shop",
        lines=wanted,
        currency="EUR",
        country="DE",
        postcode_area="10",
        latitude_e6=52_510_000,
        longitude_e6=13_390_000,
        service="standard",
        service_type="ship_from_warehouse",
        business=False,
        promised_at=NOW + 72 * HOUR_MS,
        cost_ceiling_minor=None,
        fixed_location_id=None,
    )


def _known(made: Network) -> Known:
    statuses = {name: FeedStatusChanged(f"{name}|feed", name, NOW - 60_000, False, NOW) for name in made.locations}
    loads = {name: LocationLoadChanged(name, "2026-09-03", 50, 200, NOW) for name in made.locations}
    return Known(statuses.get, loads.get)


def _inputs(locations: int, lines: int) -> tuple[OrderFacts, Shortlist, Offers, Network, Known, int]:
    """What `route()` is given: every location is asked, and has some of everything."""
    made, facts = network(locations, lines), _facts(lines)
    known = _known(made)
    listed = msgspec.structs.replace(
        shortlist(facts, made, known, NOW), location_ids=tuple(sorted(made.locations)), left_out=()
    )
    offers = {
        demand.variant_id: {
            name: Offer(3 + index % 5, NOW - 90_000, True, False) for index, name in enumerate(made.locations)
        }
        for demand in facts.lines
    }
    return facts, listed, offers, made, known, NOW


def _route_us(locations: int, lines: int, *, rounds: int, repeats: int) -> float:
    inputs = _inputs(locations, lines)
    assert route(*inputs).plan is not None
    return _median_us(lambda: route(*inputs), rounds=rounds, repeats=repeats)


def _shortlist_us(locations: int, *, rounds: int, repeats: int) -> float:
    made, facts = network(locations, 1), _facts(1)
    known = _known(made)
    return _median_us(lambda: shortlist(facts, made, known, NOW), rounds=rounds, repeats=repeats)


def _median_us(call: object, *, rounds: int, repeats: int) -> float:
    assert callable(call)
    call()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter_ns()
        for _ in range(repeats):
            call()
        taken.append((time.perf_counter_ns() - begun) / repeats / 1_000)
    return round(statistics.median(taken), 1)


if __name__ == "__main__":
    print(measure())
