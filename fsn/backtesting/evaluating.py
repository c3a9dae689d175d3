"""Evaluating: every captured evaluation under new rules, by as many processes as there are cores.

In: a capture, and the new rules of one, several or all rule sets. Out: per evaluation what was found and what would have
been, as far as a comparison needs it. Each process reads its part of the file; they share nothing.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, Final

import msgspec

from fsn.backtesting.capture import Captured, read, shared_of
from fsn.backtesting.evaluations import Evaluation, Shared, offers_of, picture_of
from processors.network import NO_RULE_SET, Network, RuleSet
from processors.routing.facts import Known
from processors.routing.shadow import evaluate, same_shortlist, substance, under
from processors.routing.tariffs import currency_of
from processors.rules import Rules
from schemas.codec import Codec
from schemas.records.routing import RoutingPlan
from streams.broadcast import NetworkCopy
from streams.machine import Raw

CHUNK: Final = 2_500
PICTURES_KEPT: Final = 2_000
NETWORKS_KEPT: Final = 16

Progress = Callable[[int], None]
"""progress(evaluations done)"""


class Found(msgspec.Struct, frozen=True, array_like=True):
    """One plan, as far as a comparison needs it; of no plan, only the reason.

    distance_m: of all shipments; slack_ms: from the last arrival to the promise; None without a promise
    units: by partner
    """

    reason: str
    cost_minor: int = 0
    shipments: int = 0
    distance_m: int = 0
    slack_ms: int | None = None
    units: dict[str, int] = {}
    locations: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether there is a plan."""
        return self.shipments > 0


class Pair(msgspec.Struct, frozen=True, array_like=True):
    """One evaluation under both rules.

    same: the same units, places and carrier accounts; unasked: the new rules would have asked further locations
    """

    order_id: str
    attempt: int
    merchant_id: str
    currency: str
    old: Found
    new: Found
    same: bool
    unasked: bool


def evaluate_all(
    captured: Captured, rules: Rules, *, rule_set_ids: tuple[str, ...] = (), processes: int = 0, progress: Progress
) -> list[Pair]:
    """Every evaluation of merchants of these rule sets (of all, when none is named), in the order of the file.

    Args:
        processes: 0 for one a core
    """
    shared = shared_of(captured)
    starts = range(0, shared.evaluations, CHUNK)
    packed = msgspec.msgpack.encode(rules)
    workers = min(processes or os.cpu_count() or 1, max(1, len(starts)))
    parts: dict[int, list[Pair]] = {}
    if workers == 1:
        chunk = Evaluator(captured, packed, rule_set_ids)
        for start in starts:
            parts[start] = chunk.pairs(start)
            progress(len(parts[start]))
    else:
        # Not forked: a client's threads may be alive in this process, and their locks would be in the children.
        with ProcessPoolExecutor(
            workers, get_context("spawn"), initializer=_begin, initargs=(captured, packed, rule_set_ids)
        ) as pool:
            futures = {pool.submit(_pairs, start): start for start in starts}
            for future in as_completed(futures):
                pairs = msgspec.msgpack.decode(future.result(), type=list[Pair])
                parts[futures[future]] = pairs
                progress(len(pairs))
    return [pair for start in starts for pair in parts[start]]


class Evaluator:
    """One process's view of a capture."""

    def __init__(self, captured: Captured, packed_rules: bytes, rule_set_ids: tuple[str, ...]) -> None:
        self._captured = captured
        self._rules = msgspec.msgpack.decode(packed_rules, type=Rules)
        self._only = rule_set_ids
        self._shared: Shared = shared_of(captured)
        self._copy = NetworkCopy()
        codec = Codec()
        raws = [Raw("network", 0, offset, at, b"", value) for offset, at, value in self._shared.network]
        self._copy.read(raws, codec.decode)
        self._others: dict[int, tuple[Network, Network, dict[str, bool]]] = {}
        self._pictures: dict[int, Known] = {}

    def pairs(self, start: int) -> list[Pair]:
        """The comparisons of one part of the file."""
        evaluations = read(self._captured.path, start=start, stop=start + CHUNK)
        return [pair for evaluation in evaluations if (pair := self._pair(evaluation)) is not None]

    def _pair(self, one: Evaluation) -> Pair | None:
        network, other, alike = self._networks(one.network_version)
        merchant = network.merchants.get(one.facts.merchant_id)
        rule_set_id = NO_RULE_SET.rule_set_id if merchant is None else merchant.rule_set_id
        if self._only and rule_set_id not in self._only:
            return None
        offers = offers_of(one.offers, one.shortlist)
        known = self._picture(one.known)
        plan, reason, unasked = evaluate(
            one.facts, one.shortlist, offers, other, known, one.now_at, alike=alike.get(rule_set_id, False)
        )
        return Pair(
            one.facts.order_id,
            one.facts.attempt,
            one.facts.merchant_id,
            currency_of(network, one.facts),
            _found(one.plan, one.reason, one, network),
            _found(plan, reason, one, network),
            same=substance(one.plan) == substance(plan),
            unasked=unasked,
        )

    def _networks(self, version: int) -> tuple[Network, Network, dict[str, bool]]:
        """The reference data of a version, the same under the new rules, and whose shortlists are the same under both."""
        made = self._others.get(version)
        if made is None:
            while len(self._others) >= NETWORKS_KEPT:
                del self._others[next(iter(self._others))]
            network = self._copy.at(version)
            changed: Mapping[str, RuleSet] = {
                name: RuleSet(name, _version_of(network, name), self._rules)
                for name in {merchant.rule_set_id for merchant in network.merchants.values()}
                if not self._only or name in self._only
            }
            alike = {
                name: same_shortlist(network.rule_sets.get(name, NO_RULE_SET).rules, self._rules) for name in changed
            }
            made = self._others[version] = network, under(network, changed), alike
        return made

    def _picture(self, number: int) -> Known:
        found = self._pictures.get(number)
        if found is None:
            if len(self._pictures) >= PICTURES_KEPT:
                self._pictures.clear()
            found = self._pictures[number] = picture_of(self._shared.known, number)
        return found


def _version_of(network: Network, rule_set_id: str) -> int:
    known = network.rule_sets.get(rule_set_id)
    return 0 if known is None else known.version


def _found(plan: RoutingPlan | None, reason: str, one: Evaluation, network: Network) -> Found:
    if plan is None:
        return Found(reason)
    units: dict[str, int] = {}
    for part in plan.parts:
        location = network.locations.get(part.location_id)
        partner_id = part.location_id if location is None else location.partner_id
        units[partner_id] = units.get(partner_id, 0) + sum(line.quantity for line in part.lines)
    promised_at = one.facts.promised_at
    return Found(
        reason,
        plan.cost_minor,
        len(plan.parts),
        sum(part.distance_m for part in plan.parts),
        None if promised_at is None else promised_at - max(part.deliver_at for part in plan.parts),
        units,
        tuple(part.location_id for part in plan.parts),
    )


_own: list[Evaluator] = []
"""A child process's evaluator."""


def _begin(*arguments: Any) -> None:
    _own[:] = [Evaluator(*arguments)]


def _pairs(start: int) -> bytes:
    return msgspec.msgpack.encode(_own[0].pairs(start))


def of_orders(pairs: list[Pair]) -> Iterator[Pair]:
    """One comparison an order: the evaluation that first found a plan, or the last one."""
    chosen: dict[str, Pair] = {}
    for pair in sorted(pairs, key=lambda one: (one.order_id, one.attempt)):
        before = chosen.get(pair.order_id)
        if before is None or not before.old.stands:
            chosen[pair.order_id] = pair
    return iter(chosen.values())
