"""Step 4, carrier: which of the location's accounts may carry the parcel?

The filters run in the order of the label resolver: zone, service level, capacity, active, contract, business only.
Fence: no account passes all; the verdict is that of the account which came furthest. Among the accounts that pass and
keep the promise the cheapest for the weight is planned (ties: earlier arrival, account_id). Nobody carries what a
customer collects: click & collect passes with an account that is named "" and costs nothing.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from processors.routing.facts import OrderFacts
from processors.routing.words import OK, Verdict
from schemas.records.network import CarrierAccountDefined, MerchantDefined

CLICK_AND_COLLECT: Final = "click_and_collect"


class Tariff(msgspec.Struct, frozen=True):
    """A usable account on the way to one country, in the merchant's currency."""

    account_id: str
    carrier: str
    transit_days: int
    base_minor: int
    per_kilogram_minor: int


Arrivals = tuple[tuple[int, Tariff], ...]
"""(arrival, tariff) by account_id: what each account can do from one cut-off."""

COLLECTED: Final = Tariff("", "", 0, 0, 0)


def fence(account: CarrierAccountDefined | None, facts: OrderFacts, *, owner: MerchantDefined | None) -> Verdict:
    """owner: the merchant who owns the account, when a merchant does."""
    if account is None:
        return Verdict.NO_ACCOUNT
    if zone_of(account, facts.country) is None:
        return Verdict.ZONE_NOT_CARRIED
    if facts.service not in account.services:
        return Verdict.SERVICE_NOT_CARRIED
    if account.daily_slots < 1:
        return Verdict.ACCOUNT_WITHOUT_SLOTS
    if account.retired:
        return Verdict.ACCOUNT_RETIRED
    if owner is not None and owner.merchant_id != facts.merchant_id:
        return Verdict.ACCOUNT_OF_ANOTHER
    if account.b2b_only and not facts.business:
        return Verdict.ACCOUNT_BUSINESS_ONLY
    return OK


def zone_of(account: CarrierAccountDefined, country: str) -> tuple[int, int] | None:
    """(transit days, base cost) to a country; None when it is not reached, or its tables are too short."""
    if country not in account.countries:
        return None
    index = account.countries.index(country)
    if index >= len(account.transit_days) or index >= len(account.base_cost_minor):
        return None
    return account.transit_days[index], account.base_cost_minor[index]


def furthest(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several accounts: passed when one passed, else that of the account which came furthest."""
    seen = [Verdict.NO_ACCOUNT, *verdicts]
    return OK if OK in seen else max(seen)


def cheapest(arrivals: Arrivals, kilograms: int) -> tuple[int, int, Tariff]:
    """(cost, arrival, tariff) of the account to plan, of those that keep the promise."""
    arrives_at, best = arrivals[0]
    least = best.base_minor + best.per_kilogram_minor * kilograms
    for at, tariff in arrivals:
        cost = tariff.base_minor + tariff.per_kilogram_minor * kilograms
        # Tariffs come by account_id, so an equal one that comes later wins only by arriving earlier.
        if cost < least or (cost == least and at < arrives_at):
            least, arrives_at, best = cost, at, tariff
    return least, arrives_at, best
