"""Counterfactual: for each location that lost, the least single change that would make it part of the plan.

In: the inputs of an evaluation. Out: per losing candidate, every kind of single change that alone would flip the
decision to it, the least first; or the fences that stand in the way, where no single change suffices. A decision is
flipped to a location when `route()`, given the changed inputs, has a plan that this location is a part of.

`route()` itself is asked, again and again, so that nothing here can differ from what it does: by bisection, between an
amount that does not flip and one that does. So the amount told always flips and one less never does. (Where more of a
thing can also hurt, as a later promise that lets rivals in, that is the nearest flip found, not the only one.)
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from processors.routing import audit
from processors.routing.candidate import Wanted, needs_of, wanted_of
from processors.routing.changes import (
    Change,
    Inputs,
    Kind,
    apply,
    distance_of,
    load_of,
    narrowed,
    oldest_ms,
)
from processors.routing.facts import Outcome
from processors.routing.pipeline import route
from processors.routing.steps import carrier
from processors.routing.steps.cost import exchange_rate_e6
from processors.routing.steps.stock import promisable
from processors.routing.tariffs import currency_of
from processors.routing.words import BY_WORD, WORDS, Verdict
from processors.rules import DAY_MS, MILLION
from schemas.records.network import LocationDefined

LONGEST_PROMISE_MS: Final = 30 * DAY_MS
HIGHEST_CEILING_MINOR: Final = 10_000_000
LOSERS_MAX: Final = 50
"""Nearest first. Rules may have 200 locations asked, and each costs about ten evaluations; the others are left out."""
ACCOUNTS_TRIED_MAX: Final = 16
VARIANTS_TRIED_MAX: Final = 32
"""Carrier accounts of the network, and short variants, tried on a location: bounds, not tunings."""

GALLOPS: Final = frozenset({Kind.PROMISE, Kind.CEILING})
"""Kinds that change the rivals too, so that the most of it may flip nothing where less would."""

_ACCOUNT_VERDICTS: Final = tuple([verdict for verdict in Verdict if verdict // 10 == 4])
MENDS: Final = {
    Verdict.NO_STOCK: Kind.STOCK,
    Verdict.INCOMPLETE_STOCK: Kind.STOCK,
    Verdict.COUNTRY_NOT_SERVED: Kind.COUNTRY,
    Verdict.COUNTRY_FORBIDDEN: Kind.COUNTRY,
    Verdict.POSTCODE_NOT_SERVED: Kind.POSTCODE,
    Verdict.POSTCODE_FORBIDDEN: Kind.POSTCODE,
    Verdict.TOO_LATE: Kind.PROMISE,
    **dict.fromkeys(_ACCOUNT_VERDICTS, Kind.ACCOUNT),
    Verdict.SERVICE_TYPE_MISSING: Kind.SERVICE_TYPE,
    Verdict.CAPABILITY_MISSING: Kind.CAPABILITY,
    Verdict.CAPACITY_FULL: Kind.SLOTS,
    Verdict.OVER_COST_CEILING: Kind.CEILING,
    Verdict.TOO_FAR: Kind.DISTANCE,
    Verdict.STALE: Kind.HEARTBEAT,
    Verdict.GAPPED: Kind.COUNT,
}
"""What takes a fence away, whatever it costs; the other fences stand on reference data that must be put right."""


class Flip(msgspec.Struct, frozen=True):
    """A location that lost, and what would have made it part of the plan.

    verdict: the word of what stopped it
    changes: each suffices alone, in the least amount; of least weight first
    fences: words for what stands in the way one after the other, where no single change suffices
    """

    location_id: str
    verdict: str
    changes: tuple[Change, ...]
    fences: tuple[str, ...]


class _Option(msgspec.Struct, frozen=True):
    """A change of as much as there could be, and how much of it would be a whole rating's worth."""

    most: Change
    scale: int


class _Standing(msgspec.Struct, frozen=True):
    verdict: Verdict
    cost_minor: int | None
    behind: int
    """What its score lacks to that of the plan; 0 where either is missing."""


def evaluate(inputs: Inputs) -> Outcome:
    """What `route()` says of these inputs."""
    return route(inputs.facts, inputs.shortlist, inputs.offers, inputs.network, inputs.known, inputs.now_at)


def flips(change: Change, inputs: Inputs) -> bool:
    """Whether this change alone makes its location part of the plan."""
    return _chosen(evaluate(apply(change, inputs)), change.location_id)


def counterfactuals(inputs: Inputs) -> tuple[Flip, ...]:
    """The candidates that lost, nearest first."""
    inputs = narrowed(inputs)
    outcome = evaluate(inputs)
    standings = _standings(outcome)
    losers = [location_id for location_id in standings if not _chosen(outcome, location_id)]
    return tuple([_flip(inputs, location_id, standings[location_id]) for location_id in losers[:LOSERS_MAX]])


def _flip(inputs: Inputs, location_id: str, standing: _Standing) -> Flip:
    found: list[tuple[int, Change]] = []
    for option in _options(inputs, location_id, standing):
        least = _least(option.most, inputs)
        if least is not None and not (least.kind is Kind.ACCOUNT and any(x.kind is Kind.ACCOUNT for _, x in found)):
            found.append((MILLION * least.amount // option.scale, least))
    found.sort(key=lambda weighed: (weighed[0], weighed[1].kind, weighed[1].detail))
    changes = tuple([change for _, change in found])
    fences = () if changes else _fences(inputs, location_id, standing)
    return Flip(location_id, standing.verdict.word, changes, fences)


def _least(most: Change, inputs: Inputs) -> Change | None:
    """The least amount that flips; None when none does."""
    low, high = 0, most.amount
    if most.kind in GALLOPS:
        high = 1
        while high < most.amount and not flips(_of(most, high), inputs):
            low, high = high, min(2 * high, most.amount)
    if high < 1 or not flips(_of(most, high), inputs):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if flips(_of(most, middle), inputs):
            high = middle
        else:
            low = middle
    return _of(most, high)


def _fences(inputs: Inputs, location_id: str, standing: _Standing) -> tuple[str, ...]:
    """What stops it, one after the other, each taken away when it is met."""
    met: dict[Verdict, str] = {}
    while standing.verdict not in met:
        thousandths = -(-standing.behind // 1_000)
        lacks = f": its score needs {thousandths // 1_000}.{thousandths % 1_000:03d} more" if thousandths else ""
        met[standing.verdict] = WORDS[standing.verdict] + lacks
        kind = MENDS.get(standing.verdict)
        mends = [option.most for option in _options(inputs, location_id, standing) if option.most.kind is kind]
        mends = mends[:1] if kind is Kind.ACCOUNT else mends
        for change in mends:
            inputs = apply(change, inputs)
        outcome = evaluate(inputs)
        if _chosen(outcome, location_id):
            if len(mends) > 1:
                met[standing.verdict] += f" (together these would do: {', '.join([change.words for change in mends])})"
            break
        standing = _standings(outcome)[location_id]
    return tuple(met.values())


def _options(inputs: Inputs, location_id: str, standing: _Standing) -> Iterator[_Option]:
    """Every change that could matter, in its largest amount."""
    location = inputs.network.locations.get(location_id)
    if location is None:
        return
    wanted = wanted_of(inputs.facts, inputs.offers, network=inputs.network, now_at=inputs.now_at)
    rules = wanted.rules
    for variant_id, quantity in _short(inputs, location_id, wanted):
        yield _option(Kind.STOCK, location, quantity, unit="units", scale=wanted.units, detail=variant_id)
    oldest = oldest_ms(inputs, location_id)
    yield _option(Kind.HEARTBEAT, location, oldest, unit="ms", scale=max(oldest, 1))
    used, cap = load_of(inputs, location)
    yield _option(Kind.SLOTS, location, max(used - cap, 0) + 10 * max(used, cap, 1), unit="slots", scale=max(cap, 1))
    span_m = rules.distance_worst_m - rules.distance_best_m
    yield _option(Kind.DISTANCE, location, distance_of(inputs, location), unit="m", scale=span_m)
    span_ms = rules.slack_best_ms - rules.slack_worst_ms
    longest_ms = max(location.handling_ms, *location.weekday_handling_ms, 0)
    yield _option(Kind.HANDLING, location, longest_ms, unit="ms", scale=span_ms)
    if standing.cost_minor is not None:
        into = currency_of(inputs.network, inputs.facts)
        rate_e6 = exchange_rate_e6(location.currency, into, rates_e6=rules.exchange_rates_e6) or MILLION
        sending = (standing.cost_minor - wanted.supplier_minor) * MILLION // rate_e6
        scale = max((rules.cost_worst_minor - rules.cost_best_minor) * MILLION // rate_e6, 1)
        yield _option(Kind.COST, location, sending, unit=location.currency, scale=scale)
    if any(_gapped(inputs, location_id)):
        yield _option(Kind.COUNT, location, 1)
    if standing.verdict is Verdict.TOO_LATE:
        yield _option(Kind.PROMISE, location, LONGEST_PROMISE_MS, unit="ms", scale=span_ms)
    if inputs.facts.cost_ceiling_minor is not None:
        scale = rules.cost_worst_minor - rules.cost_best_minor
        yield _option(Kind.CEILING, location, HIGHEST_CEILING_MINOR, unit=inputs.facts.currency, scale=scale)
    yield from _permissions(inputs, location, standing.verdict)


def _short(inputs: Inputs, location_id: str, wanted: Wanted) -> list[tuple[str, int]]:
    """Variants of which the location could be assigned less than is wanted: more of the others changes nothing."""
    short = [
        (variant_id, quantity)
        for variant_id, quantity in zip(wanted.variants, wanted.quantities, strict=True)
        if promisable(inputs.offers.get(variant_id, {}).get(location_id), quantity) < quantity
    ]
    return short[:VARIANTS_TRIED_MAX]


def _permissions(inputs: Inputs, location: LocationDefined, verdict: Verdict) -> Iterator[_Option]:
    """What is either so or not."""
    facts = inputs.facts
    match MENDS.get(verdict):
        case Kind.COUNTRY:
            yield _option(Kind.COUNTRY, location, 1, detail=facts.country)
        case Kind.POSTCODE:
            yield _option(Kind.POSTCODE, location, 1, detail=facts.postcode_area)
        case Kind.SERVICE_TYPE:
            yield _option(Kind.SERVICE_TYPE, location, 1, detail=facts.service_type)
        case Kind.CAPABILITY:
            variants = tuple([demand.variant_id for demand in facts.lines if demand.quantity > 0])
            rules = inputs.network.rules_of(facts.merchant_id).rules
            needs = needs_of(variants, facts, network=inputs.network, rules=rules)
            lacking = set() if isinstance(needs, Verdict) else set(needs) - set(location.capabilities)
            for name in sorted(lacking):
                yield _option(Kind.CAPABILITY, location, 1, detail=name)
        case Kind.ACCOUNT:
            for account_id in sorted(inputs.known.full.intersection(location.carrier_account_ids)):
                yield _option(Kind.PARCELS, location, 1, detail=account_id)
            for account_id in _accounts(inputs)[:ACCOUNTS_TRIED_MAX]:
                yield _option(Kind.ACCOUNT, location, 1, detail=account_id)
        case _:
            return


def _accounts(inputs: Inputs) -> list[str]:
    """Carrier accounts that would carry the order."""
    network, facts = inputs.network, inputs.facts
    rules = network.rules_of(facts.merchant_id).rules
    return [
        account_id
        for account_id, account in sorted(network.accounts.items())
        if account_id not in inputs.known.full
        and not carrier.fence(account, facts, owner=network.merchants.get(account.owner_id), rules=rules)
    ]


def _gapped(inputs: Inputs, location_id: str) -> Iterator[bool]:
    for by_location in inputs.offers.values():
        offer = by_location.get(location_id)
        yield offer is not None and offer.gapped


def _option(
    kind: Kind, location: LocationDefined, most: int, *, unit: str = "once", scale: int = 1, detail: str = ""
) -> _Option:
    return _Option(Change(kind, location.location_id, most, unit, detail), scale)


def _of(change: Change, amount: int) -> Change:
    return msgspec.structs.replace(change, amount=amount)


def _chosen(outcome: Outcome, location_id: str) -> bool:
    return outcome.plan is not None and any(part.location_id == location_id for part in outcome.plan.parts)


def _standings(outcome: Outcome) -> dict[str, _Standing]:
    """Per candidate, nearest first: the last that was said of it, its landed cost if that was found, what it lacks."""
    trace = audit.unpack(outcome.audit)
    said: dict[str, Verdict] = {}
    costs: dict[str, int | None] = {}
    for step in trace.steps:
        for judged in step.candidates:
            said[judged.location_id] = BY_WORD[judged.verdict]
            if step.name == "cost":
                costs[judged.location_id] = judged.measure
    best = 0 if outcome.plan is None else outcome.plan.score
    return {
        location_id: _Standing(said[location_id], costs.get(location_id), 0 if score is None else max(best - score, 0))
        for location_id, score in trace.scores
    }
