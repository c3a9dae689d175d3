"""Resolver: which accounts may carry an assignment's parcel, and in which order they are asked.

In: the order's facts, the location's pool of accounts, the goods, the reference data. Out: every account of the pool
with its verdict, cost and score, and the chain of those that may carry it. The filters run in this order: zone, service
level, active, contract, business only, the carrier asked for, outage, currency, what it does not carry; the one about capacity is the account's own task's, which counts.
What passes is ranked: the merchant's preference for this service and country, then role, then cost (ties: account_id).
Nothing is refused and nothing raises: an account that is not in the reference data has a verdict like any other.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from processors.network import Network
from processors.routing.facts import OrderFacts
from processors.routing.rates import Largest, carries, parcel_of, price, rate_of, size_of, terms_of
from processors.routing.steps import carrier
from processors.routing.steps.cost import converted, exchange_rate_e6
from processors.routing.tariffs import currency_of
from processors.routing.words import WORD, Verdict
from processors.rules import MILLION, Rules
from schemas.records.labels import LabelCandidate
from schemas.records.network import CarrierAccountDefined, VariantDefined

ROLES: Final = ("primary", "region", "b2b", "fallback")
"""In the order of their rank; a business order takes `b2b` before all others."""
OUTAGE: Final = "outage"
UNKNOWN: Final = Verdict.NO_ACCOUNT.word


class Resolution(msgspec.Struct, frozen=True):
    """The pool with its verdicts, in the order of the chain and then of the pool; and the chain."""

    candidates: tuple[LabelCandidate, ...]
    chain: tuple[str, ...]


Goods = Sequence[tuple[VariantDefined, int]]
"""Units by variant."""


def resolve(facts: OrderFacts, pool: tuple[str, ...], *, goods: Goods, network: Network) -> Resolution:
    """Filter and rank a pool of account_ids for these goods."""
    rules = network.rules_of(facts.merchant_id).rules
    passed: list[tuple[tuple[int, int, int, str], CarrierAccountDefined, int]] = []
    excluded: list[LabelCandidate] = []
    preferred = preference(rules, facts.service, facts.country)
    for account_id in dict.fromkeys(pool):
        account = network.accounts.get(account_id)
        if account is None:
            excluded.append(LabelCandidate(account_id, "", "", UNKNOWN, 0, 0))
            continue
        word, cost_minor = _judged(account, facts, goods=goods, network=network)
        if word:
            excluded.append(LabelCandidate(account_id, account.carrier, account.role, word, 0, 0))
        else:
            passed.append(
                (_rank(account, cost_minor, business=facts.business, preferred=preferred), account, cost_minor)
            )
    passed.sort(key=lambda one: one[0])
    least = min([cost_minor for _, _, cost_minor in passed], default=0)
    ranked = [
        LabelCandidate(account.account_id, account.carrier, account.role, "", cost_minor, _score(least, cost_minor))
        for _, account, cost_minor in passed
    ]
    return Resolution((*ranked, *excluded), tuple([one.account_id for one in ranked]))


def preference(rules: Rules, service: str, country: str) -> tuple[str, ...]:
    """The accounts a merchant prefers: of the service and the country, else of the service, else of everything."""
    preferences = rules.label_preferences
    for key in (f"{service}/{country}", service, "any"):
        if key in preferences:
            return preferences[key]
    return ()


def _judged(account: CarrierAccountDefined, facts: OrderFacts, *, goods: Goods, network: Network) -> tuple[str, int]:
    """(the first filter that excludes it, or nothing; its cost)."""
    rules = network.rules_of(facts.merchant_id).rules
    verdict = carrier.fence(account, facts, owner=network.merchants.get(account.owner_id), rules=rules)
    if verdict:
        return WORD[verdict], 0
    if account.outage:
        return OUTAGE, 0
    rate_e6 = exchange_rate_e6(account.currency, currency_of(network, facts), rates_e6=rules.exchange_rates_e6)
    rate = rate_of(account, facts.country, facts.postcode_area)
    if rate_e6 is None or rate is None:
        return WORD[Verdict.ACCOUNT_CURRENCY_UNKNOWN], 0
    terms = terms_of(account, rate)
    if not all(carries(terms, Largest(variant.weight_g, *size_of(variant))) for variant, _ in goods):
        return WORD[Verdict.PARCEL_TOO_LARGE], 0
    cost_minor = price(rate.base_cost_minor, account.cost_per_kg_minor, terms, parcel_of(goods))
    return "", converted(cost_minor, rate_e6)


def _rank(
    account: CarrierAccountDefined, cost_minor: int, *, business: bool, preferred: tuple[str, ...]
) -> tuple[int, int, int, str]:
    liked = preferred.index(account.account_id) if account.account_id in preferred else len(preferred)
    role = ROLES.index(account.role) if account.role in ROLES else len(ROLES)
    if business and account.role == "b2b":
        role = -1
    return liked, role, cost_minor, account.account_id


def _score(least_minor: int, cost_minor: int) -> int:
    """Millionths: the cheapest has all of them."""
    return MILLION if cost_minor <= 0 else least_minor * MILLION // cost_minor
