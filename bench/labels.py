"""`python -m bench.labels`: what it costs to decide which carrier account an assignment travels on.

In: nothing. Out: as JSON, p50 and p99 in µs of `resolve()` over pools of 5, 10 and 40 accounts, half of which a filter
excludes, with preferences.
"""

import json
import time
from statistics import quantiles
from typing import Final

from processors.labels.resolver import resolve
from processors.network import Network, RuleSet, fold
from processors.routing.facts import Demand, OrderFacts
from processors.rules import Rules
from schemas.records.network import CarrierAccountDefined, MerchantDefined, VariantDefined

POOLS: Final = (5, 10, 40)
COUNT: Final = 20_000


def network(accounts: int) -> Network:
    """A merchant and its accounts."""
    made = fold(Network(), [(0, MerchantDefined("acme|merchant", "M", "EUR", "DE", "acme|rules"))])
    for number in range(accounts):
        account = CarrierAccountDefined(
            account_id=f"acme|account_{number:02d}",
            carrier=("gls", "ups", "dhl_parcel_de")[number % 3],
            owner_id="acme|merchant",
            role=("primary", "fallback")[number % 5 == 4],
            services=("standard", "express") if number % 2 == 0 else ("express",),
            countries=("DE", "AT", "NL"),
            transit_days=(1, 2, 2),
            base_cost_minor=(400 + 13 * number, 900, 800),
            cost_per_kg_minor=30,
            currency="EUR",
            b2b_only=False,
            daily_slots=100,
        )
        made.accounts[account.account_id] = account
    rules = Rules(label_preferences={"standard/DE": ("acme|account_04", "acme|account_02")})
    made.rule_sets["acme|rules"] = RuleSet("acme|rules", 1, rules)
    return made


GOODS: Final = ((VariantDefined("acme|var", "Drill", None, None, 0, "EUR", 900, ()), 2),)
FACTS: Final = OrderFacts(
    order_id="acme|shop|1",
    attempt=1,
    merchant_id="acme|merchant",
    channel="shop",
    lines=(Demand(1, "acme|var", 1),),
    currency="EUR",
    country="DE",
    postcode_area="10",
    latitude_e6=52_530_000,
    longitude_e6=13_410_000,
    service="standard",
    service_type="ship_from_warehouse",
    business=False,
    promised_at=None,
    cost_ceiling_minor=None,
    fixed_location_id=None,
)


def measure(accounts: int) -> dict[str, float]:
    """One size of pool."""
    in_force = network(accounts)
    pool = tuple(in_force.accounts)
    took: list[float] = []
    for _ in range(COUNT):
        started = time.perf_counter()
        resolve(FACTS, pool, goods=GOODS, network=in_force)
        took.append((time.perf_counter() - started) * 1e6)
    cuts = quantiles(took, n=100)
    return {"p50_us": round(cuts[49], 1), "p99_us": round(cuts[98], 1)}


def main() -> None:
    """Measure and print."""
    print(json.dumps({f"pool_of_{accounts}": measure(accounts) for accounts in POOLS}, indent=2))


if __name__ == "__main__":
    main()
