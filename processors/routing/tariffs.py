"""Tariffs: what each of a location's carrier accounts asks on the way to an order's destination.

In: a location, an order's facts, the reference data, the merchant's rules. Out: the accounts that pass step 4, by account_id,
in the merchant's currency, and the step's verdict. Nothing is refused: an account that cannot be used is no tariff.
"""

from processors.network import Network
from processors.routing.facts import OrderFacts
from processors.routing.rates import PLAIN, rate_of, terms_of
from processors.routing.steps import carrier, cost
from processors.routing.steps.carrier import CLICK_AND_COLLECT, COLLECTED, Tariff
from processors.routing.words import OK, Verdict
from processors.rules import Rules
from schemas.records.network import CarrierAccountDefined, LocationDefined, ZoneRate


def currency_of(network: Network, facts: OrderFacts) -> str:
    """The merchant's currency: what every cost is told in."""
    merchant = network.merchants.get(facts.merchant_id)
    return facts.currency if merchant is None else merchant.currency


def tariffs_of(
    location: LocationDefined, facts: OrderFacts, *, network: Network, rules: Rules
) -> tuple[tuple[Tariff, ...], Verdict]:
    """The accounts that pass step 4, and its verdict."""
    if facts.service_type == CLICK_AND_COLLECT:
        return (COLLECTED,), OK
    into = currency_of(network, facts)
    tariffs: list[Tariff] = []
    verdicts: list[Verdict] = []
    for account_id in sorted(set(location.carrier_account_ids)):
        account = network.accounts.get(account_id)
        owner = None if account is None else network.merchants.get(account.owner_id)
        verdict = carrier.fence(account, facts, owner=owner, rules=rules)
        if account is not None and verdict is OK:
            rate_e6 = cost.exchange_rate_e6(account.currency, into, rates_e6=rules.exchange_rates_e6)
            rate = rate_of(account, facts.country, facts.postcode_area)
            if rate_e6 is None or rate is None:
                verdict = Verdict.ACCOUNT_CURRENCY_UNKNOWN
            else:
                asked = carrier.asked_carrier(facts, rules) == account.carrier
                off_minor = rules.carrier_preference_minor if asked else 0
                tariffs.append(_tariff(account, rate, rate_e6=rate_e6, off_minor=off_minor))
        verdicts.append(verdict)
    return tuple(tariffs), carrier.furthest(verdicts)


def _tariff(account: CarrierAccountDefined, rate: ZoneRate, *, rate_e6: int, off_minor: int) -> Tariff:
    """The account's rate in the merchant's currency."""

    def into(amount_minor: int) -> int:
        return cost.converted(amount_minor, rate_e6)

    terms = terms_of(account, rate, into=into, off_minor=off_minor)
    base_minor, per_kilogram_minor = into(rate.base_cost_minor), into(account.cost_per_kg_minor)
    plain = None if terms == PLAIN else terms
    return Tariff(account.account_id, account.carrier, rate.transit_days, base_minor, per_kilogram_minor, plain)
