"""The exact inputs of one evaluation, from recorded topics: the partition that made it is replayed until it does.

In: a recorded run, and the audit of the evaluation that is meant. Out: the `Inputs` that `route()` was given, known to
be the same ones by the digest the audit holds. Refused (`NotReplayed`, in words): a log that no longer reaches back to
the task's first transaction, and a run that today's code does not repeat up to there. An order of one variant is routed
by the variant's task, any other by its own: who it was says whether a StockRouted or StockUnroutable carried the audit.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from fsn.recording import Recording, quiet
from processors.network import Network
from processors.orders import planning
from processors.routing.changes import Inputs
from processors.routing.facts import Known, Offers, OrderFacts, Outcome, Shortlist
from processors.routing.pipeline import route
from processors.stock import asking
from streams.errors import StreamsError

ROUTERS: Final = (vars(planning), vars(asking))
"""The two modules that call `route()`; both know it by this name."""


class NotReplayed(RuntimeError):
    """Why the inputs cannot be had again."""


def inputs_of(recording: Recording, order_id: str, attempt: int, packed: bytes, *, variant_id: str | None) -> Inputs:
    """What `route()` was given when it gave this audit.

    variant_id: whose task evaluated; None where it was the order's own
    """
    partition = recording.partition_of(order_id if variant_id is None else variant_id)
    heard: list[Inputs] = []

    def hear(inputs: Inputs, outcome: Outcome) -> None:
        if outcome.audit == packed and (inputs.facts.order_id, inputs.facts.attempt) == (order_id, attempt):
            heard.append(inputs)

    try:
        with listening(hear), quiet():
            for _ in recording.replayed(partition):
                if heard:
                    return heard[0]
    except StreamsError as error:
        raise NotReplayed(f"partition {partition} cannot be replayed: {error}") from error
    raise NotReplayed(
        f"a replay of partition {partition} does not meet this evaluation: the log begins too late, or was recorded "
        "by other rules in code, FSN_KEYS or FSN_DEAD_LETTER_KEY"
    )


def asked(shortlist: Shortlist, network: Network) -> Iterable[str]:  # noqa: ARG001 - the other choice needs it
    """The locations that were asked: what `route()` itself reads."""
    return shortlist.location_ids


def anybody(shortlist: Shortlist, network: Network) -> Iterable[str]:  # noqa: ARG001 - the other choice needs it
    """Every location: what another shortlist may read."""
    return network.locations


@contextlib.contextmanager
def listening(hear: Any, *, of: Callable[[Shortlist, Network], Iterable[str]] = asked) -> Iterator[None]:
    """While it lasts, every evaluation is told of, with what was known of the locations chosen by `of`. One thread and one
    replay at a time: the modules are shared.
    """

    def told(facts: OrderFacts, shortlist: Shortlist, offers: Offers, *others: Any) -> Outcome:
        network, known, now_at = others
        outcome = route(facts, shortlist, offers, network, known, now_at)
        hear(Inputs(facts, shortlist, offers, network, _kept(known, of(shortlist, network)), now_at), outcome)
        return outcome

    for router in ROUTERS:
        router["route"] = told
    try:
        yield
    finally:
        for router in ROUTERS:
            router["route"] = route


def _kept(known: Known, names: Iterable[str]) -> Known:
    """What is known now: later in the replay the tables say something else."""
    asked_of = tuple(names)
    statuses: Mapping[str, Any] = {name: known.feed_status(name) for name in asked_of}
    loads: Mapping[str, Any] = {name: known.load(name) for name in asked_of}
    return Known(statuses.get, loads.get, known.full)
