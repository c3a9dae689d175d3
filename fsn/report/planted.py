"""Planted: that the topics hold what the generator says it sent, so that every other check rests on the whole day.

In: the truth, the orders taken, the records of each topic, the units that left. As faults: an order sent that was not
taken or taken that was not sent, a topic with fewer or more records than were sent to it, a record sent to the wrong
partition that was not forwarded exactly once, and units ordered or shipped that are not those of the topics.

A latency probe sends more after the day: its orders are known by name, and what came with them may add to a topic.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fsn.report.findings import Checked, Fault
from fsn.report.reader import Counted, Read, Topology
from fsn.report.truth import Truth


def check_planted(
    truth: Truth | None,
    orders: Sequence[Read],
    counted: Mapping[str, Counted],
    topology: Topology,
    *,
    consumed: int,
    extra_orders: frozenset[str],
) -> Checked:
    """Compare; without a truth there is nothing to compare.

    Args:
        orders: those taken; consumed: reserved units that left
    """
    name = "the whole day is there"
    if truth is None:
        return Checked(name, 0, ())
    placed = {read.fields["order_id"]: read for read in orders if read.type == "OrderPlaced"}
    day = {order_id: read for order_id, read in placed.items() if order_id not in extra_orders}
    faults = [
        *_orders(truth, day),
        *_messages(truth, counted, topology, probed=bool(extra_orders)),
        *_forwarded(truth, counted),
        *_units(truth, day.values(), consumed),
    ]
    return Checked(name, sum(truth.messages.values()), tuple(faults))


def _orders(truth: Truth, day: Mapping[str, Read]) -> Iterator[Fault]:
    if not truth.orders_placed:
        return
    sent = set(truth.orders_placed)
    for order_id in sorted(sent - day.keys()):
        yield Fault("orders taken = orders sent", order_id, "was sent in order, and never taken", lost=1)
    for order_id in sorted(day.keys() - sent):
        yield Fault("orders taken = orders sent", order_id, "was taken, and nobody sent it in order")


def _messages(truth: Truth, counted: Mapping[str, Counted], topology: Topology, *, probed: bool) -> Iterator[Fault]:
    for topic, sent in sorted(truth.messages.items()):
        known = counted.get(topic)
        if known is None or (topic in topology.emitted and topic not in topology.signed):
            continue
        found = known.total - known.forwarded
        if found < sent or (found > sent and not probed):
            lost, again = max(0, sent - found), max(0, found - sent)
            detail = f"{sent} records were sent, {found} are there"
            yield Fault("records there = records sent", topic, detail, lost=lost, duplicated=again)


def _forwarded(truth: Truth, counted: Mapping[str, Counted]) -> Iterator[Fault]:
    sent = Counter(one.topic for one in truth.forwarded)
    for topic in sorted(counted):
        found, wanted = counted[topic].forwarded, sent[topic]
        if found != wanted:
            lost, again = max(0, wanted - found), max(0, found - wanted)
            detail = f"{wanted} records were sent to a wrong partition, {found} were forwarded"
            yield Fault("forwarded once", topic, detail, lost=lost, duplicated=again)


def _units(truth: Truth, orders: Iterable[Read], consumed: int) -> Iterator[Fault]:
    ordered = sum(line["quantity"] for read in orders for line in read.fields["lines"])
    for what, sent, found in (("ordered", truth.units_ordered, ordered), ("shipped", truth.units_shipped, consumed)):
        if sent and sent != found:
            yield Fault("units add up", f"units {what}", f"{sent} by the truth, {found} by the topics")
