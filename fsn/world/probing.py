"""Probing: fresh orders for a worker that has finished its day, to time their decisions by the wall clock.

In: a world whose day has been played, and its feeder. Out: signed orders like those of the day, under new ids, dated at
the day's last tick. Before them every feed says once more that it is complete, for by then all stock would be stale.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from fsn.world.feeding import BrokerFeeder
from fsn.world.world import World


class Probe(msgspec.Struct, frozen=True):
    """One OrderPlaced, ready to be sent, in the words of `fsn.report.latency`."""

    order_id: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int


def make_probes(world: World, feeder: BrokerFeeder) -> Callable[[int], Any]:
    """Refresh every feed, and return what makes the n-th order."""
    at = feeder.last_tick_at
    world.agenda.now = at
    for state in world.shelves.feeds:
        world.shelves.beat_once(state)
    feeder.send_messages(world.post.collect())
    templates = [order.placed for order in world.orders if order.routable and order.discrepancy is None]

    def make(number: int) -> Probe:
        template = templates[number % len(templates)]
        placed = msgspec.structs.replace(
            template,
            order_id=f"{template.order_id}-probe-{number}",
            promised_at=None,
            marketplace_reference=None,
            occurred_at=at,
        )
        message = world.post.write("orders", placed.order_id, placed, placed.merchant_id)
        return Probe(placed.order_id, message.value, tuple(message.headers), at)

    return make
