"""Partition p of every topic goes to one member, whatever the subscriptions; sticky, balanced, deterministic.

Faust's own assignor splits p over workers in a rolling upgrade that adds a topic, and falls back to round-robin when
there are no tables; then two workers would write one partition's tables. Here a member gets whole partition numbers.
A topic that only some members subscribe goes, for p, to p's owner if it subscribes the topic; otherwise to nobody
until the upgrade ends, for a task that cannot read a topic must not hand it to another task. Faust's leader topic
has one partition and goes with p = 0.

Brokers give a static member that was away for a moment its old assignment back, even if it subscribes other topics
now. So an assignment says for which topics it was made, and one made for others is asked for anew (streams/transport.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from faust.types import TP

VERSION: Final = 0


class _UserData(msgspec.Struct, frozen=True):
    """What a member tells the leader: the partition numbers it had, and how many outdated assignments it was given.

    The latter makes it another word than the last time: brokers answer the same word with the same assignment.
    """

    owned: tuple[int, ...] = ()
    outdated: int = 0


class _Made(msgspec.Struct, frozen=True):
    """What the leader tells a member: the topics that its assignment was made for; none by a leader of an older FSN."""

    subscribed: tuple[str, ...] | None = None


def assign_numbers(partitions: int, members: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Partition numbers 0 … partitions−1 over members, by what each had before.

    Sticky: a member keeps what it had up to its fair share. Balanced: shares differ by at most one. Deterministic:
    the same inputs give the same answer in any order.
    """
    names = sorted(members)
    base, extra = divmod(partitions, len(names))
    free = set(range(partitions))
    assigned: dict[str, list[int]] = {}
    # Members that had more may keep the odd ones, so that as little as possible moves.
    for name in sorted(names, key=lambda member: (-len(set(members[member])), member)):
        share = base + (1 if extra > 0 and len(free.intersection(members[name])) > base else 0)
        extra -= share > base
        kept = sorted(free.intersection(members[name]))[:share]
        assigned[name] = kept
        free.difference_update(kept)
    rest = sorted(free)
    for number in rest:
        name = min(names, key=lambda member: (len(assigned[member]), member))
        assigned[name].append(number)
    return {name: sorted(assigned[name]) for name in names}


class TaskAssignor(AbstractPartitionAssignor):
    """aiokafka's assignor contract and the part of Faust's that leader election needs."""

    name = "fsn-tasks"

    def __init__(self, app: Any, replicas: int = 0) -> None:
        self.app = app
        self.replicas = replicas
        self.partitions: int | None = None
        """Tasks of the application; set by build_app."""
        self._assigned: set[TP] = set()
        self._subscribed: tuple[str, ...] = ()
        self._outdated = 0

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member sends when it joins."""
        owned = tuple(sorted({tp.partition for tp in self._assigned if not self._is_single(tp.topic)}))
        self._subscribed = tuple(sorted(topics))
        told = msgspec.msgpack.encode(_UserData(owned, self._outdated))
        return ConsumerProtocolMemberMetadata(VERSION, list(self._subscribed), told)

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """The leader's plan for all members."""
        owned = {member: _owned(metadata.user_data) for member, metadata in members.items()}
        counts = {
            topic: len(cluster.partitions_for_topic(topic) or ())
            for topic in sorted({topic for metadata in members.values() for topic in metadata.subscription})
        }
        numbers = assign_numbers(self.partitions or max(counts.values(), default=1), owned)
        plan: dict[str, list[tuple[str, list[int]]]] = {}
        for member, mine in numbers.items():
            subscribed = set(members[member].subscription)
            plan[member] = [
                (topic, [number for number in mine if number < counts[topic]])
                for topic in counts
                if topic in subscribed and any(number < counts[topic] for number in mine)
            ]
        return {
            member: ConsumerProtocolMemberAssignment(VERSION, topics, _made_for(members[member].subscription))
            for member, topics in plan.items()
        }

    def is_outdated(self, assignment: ConsumerProtocolMemberAssignment) -> bool:
        """Whether it was made for other topics than this member has asked for; it then asks in other words."""
        try:
            subscribed = msgspec.msgpack.decode(assignment.user_data, type=_Made).subscribed
        except msgspec.MsgspecError:
            subscribed = None
        outdated = subscribed is not None and subscribed != self._subscribed
        self._outdated += outdated
        return outdated

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember what this member got."""
        self._assigned = {TP(topic, number) for topic, numbers in assignment.assignment for number in numbers}

    def assigned_actives(self) -> set[TP]:
        """What Faust's leader election asks: the leader is who has the leader topic's partition."""
        return self._assigned

    def assigned_standbys(self) -> set[TP]:
        """FSN keeps no standby replicas."""
        return set()

    def _is_single(self, topic: str) -> bool:
        return topic.endswith("__leader")


def _made_for(subscription: Iterable[str]) -> bytes:
    return msgspec.msgpack.encode(_Made(tuple(sorted(subscription))))


def _owned(user_data: bytes) -> tuple[int, ...]:
    try:
        return msgspec.msgpack.decode(user_data, type=_UserData).owned
    except msgspec.MsgspecError:
        return ()
