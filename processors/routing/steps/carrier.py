"""Step 4, carrier: which of the location's accounts may carry the parcel?

The filters run in the order of the label resolver: zone, service level, capacity, active, contract, business only; then,
where the rules require it, the carrier the customer asked for, and at last the limits of weight and length.
Fence: no account passes all; the verdict is that of the account which came furthest. Among the accounts that pass and
keep the promise the cheapest for the goods is planned (ties: earlier arrival, account_id); one of the carrier that the
customer asked for may be dearer by what the rules say. Nobody carries what a customer collects: click & collect passes
with an account that is named "" and costs nothing.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from processors.routing.facts import OrderFacts
from processors.routing.rates import Largest, Parcel, Terms, carries, price, rate_of
from processors.routing.words import OK, Verdict
from processors.rules import Rules
from schemas.records.network import CarrierAccountDefined, MerchantDefined

CLICK_AND_COLLECT: Final = "click_and_collect"


class Tariff(msgspec.Struct, frozen=True):
    """A usable account on the way to one destination, in the merchant's currency."""

    account_id: str
    carrier: str
    transit_days: int
    base_minor: int
    per_kilogram_minor: int
    terms: Terms | None = None
    """None where base and kilograms say all."""


Arrivals = tuple[tuple[int, Tariff], ...]
"""(arrival, tariff) by account_id: what each account can do from one cut-off."""

DEARER_THAN_ANY: Final = 1 << 256
"""Beyond what 64 bits of money times weight times units can make."""

COLLECTED: Final = Tariff("", "", 0, 0, 0)


def asked_carrier(facts: OrderFacts, rules: Rules) -> str:
    """The carrier the customer asked for, where that counts: a wish gives way to a cost ceiling, a requirement does not."""
    return facts.carrier_preference if facts.cost_ceiling_minor is None or rules.carrier_preference_required else ""


def fence(
    account: CarrierAccountDefined | None, facts: OrderFacts, *, owner: MerchantDefined | None, rules: Rules
) -> Verdict:
    """owner: the merchant who owns the account, when a merchant does."""
    if account is None:
        return Verdict.NO_ACCOUNT
    if rate_of(account, facts.country, facts.postcode_area) is None:
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
    if rules.carrier_preference_required and facts.carrier_preference not in ("", account.carrier):
        return Verdict.OTHER_CARRIER_ASKED_FOR
    return OK


def furthest(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several accounts: passed when one passed, else that of the account which came furthest."""
    seen = [Verdict.NO_ACCOUNT, *verdicts]
    return OK if OK in seen else max(seen)


def cheapest(arrivals: Arrivals, parcel: Parcel) -> tuple[int, int, Tariff]:
    """(cost, arrival, tariff) of the account to plan, of those that keep the promise."""
    arrives_at, best = arrivals[0]
    cost_minor, least = 0, DEARER_THAN_ANY
    kilograms = parcel.kilograms
    for at, tariff in arrivals:
        terms = tariff.terms
        if terms is None:
            asks = weighed = tariff.base_minor + tariff.per_kilogram_minor * kilograms
        else:
            asks = price(tariff.base_minor, tariff.per_kilogram_minor, terms, parcel)
            weighed = asks - terms.off_minor
        # Tariffs come by account_id, so an equal one that comes later wins only by arriving earlier.
        if weighed < least or (weighed == least and at < arrives_at):
            least, cost_minor, arrives_at, best = weighed, asks, at, tariff
    return cost_minor, arrives_at, best


def with_parcels_left(arrivals: Arrivals, full: frozenset[str]) -> Arrivals:
    """The accounts that are not used up today."""
    return tuple([one for one in arrivals if one[1].account_id not in full])


def carrying(arrivals: Arrivals, largest: Largest) -> Arrivals:
    """The accounts that take each unit."""
    return tuple([one for one in arrivals if one[1].terms is None or carries(one[1].terms, largest)])
