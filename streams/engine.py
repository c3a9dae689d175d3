"""The tasks of one worker: made when Faust assigns a partition number, closed when it revokes one.

It receives what the consumer fetched and hands it to the task of its partition; it tells the consumer which topic
partitions want records (ready, and not full). A task lives for one assignment: a batch of an older one cannot reach
it, for its inbox starts empty and its partitions rest until step 4 has sought.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streams.errors import StreamsError
from streams.inbox import TopicPartition
from streams.runtime import Runtime
from streams.task import Task

log = logging.getLogger(__name__)


class Engine:
    """Tasks by partition number."""

    def __init__(
        self,
        runtime: Runtime,
        consumer: Callable[[], Any],
        is_rebalancing: Callable[[], bool],
        *,
        give_up: Callable[[StreamsError], None],
        heartbeat_s: float,
    ) -> None:
        self.runtime = runtime
        self.tasks: dict[int, Task] = {}
        self.give_up = give_up
        """Ends the worker for an error that no retry mends."""
        self._consumer = consumer
        self._is_rebalancing = is_rebalancing
        self._heartbeat_s = heartbeat_s
        self._asked: dict[int, Task] = {}
        self._topics = frozenset(runtime.source_names)
        self._places = [
            frozenset(TopicPartition(topic, partition) for topic in self._topics)
            for partition in range(runtime.topology.partitions)
        ]
        self._assigned: set[int] = set()

    @property
    def is_ready(self) -> bool:
        """Whether every assigned task processes."""
        return bool(self._assigned) and all(task.ready for task in self.tasks.values())

    async def on_assigned(self, assigned: set[TopicPartition]) -> None:
        """A new generation of the group: begin a task for every partition number that is ours."""
        self._assigned = {tp.partition for tp in assigned if tp.topic in self._topics}
        for partition in sorted(self._assigned - self.tasks.keys()):
            task = self.tasks[partition] = Task(partition, self.runtime, self)
            task.start()

    async def on_revoked(self, revoked: set[TopicPartition]) -> None:
        """Close the tasks of revoked partition numbers; their transactions end first."""
        numbers = {tp.partition for tp in revoked if tp.topic in self._topics}
        self._assigned -= numbers
        closing = [self.tasks.pop(number) for number in sorted(numbers) if number in self.tasks]
        await asyncio.gather(*(task.close() for task in closing))

    async def close(self) -> None:
        """Close every task."""
        closing, self.tasks = list(self.tasks.values()), {}
        self._assigned = set()
        await asyncio.gather(*(task.close() for task in closing))

    def ready_partitions(self) -> set[TopicPartition]:
        """Topic partitions that want records."""
        self._asked = dict(self.tasks)
        wanted: set[TopicPartition] = set()
        for partition, task in self.tasks.items():
            if task.ready:
                wanted |= self._places[partition]
                wanted.difference_update(TopicPartition(topic, partition) for topic in task.inbox.full_topics())
        return wanted

    def receive(
        self, records: Mapping[TopicPartition, Sequence[Any]], ended: Mapping[TopicPartition, int], round_number: int
    ) -> None:
        """Hand fetched records to their tasks, then what was found ended before them."""
        # A batch that an older task asked for must not reach its successor, which has sought elsewhere since.
        tasks = {number: task for number, task in self.tasks.items() if self._asked.get(number) is task and task.ready}
        for tp, batch in records.items():
            task = tasks.get(tp.partition)
            if task is not None and tp.topic in self._topics:
                task.inbox.add(tp.topic, batch, round_number + 1)
        for tp, number in ended.items():
            task = tasks.get(tp.partition)
            if task is not None and tp.topic in self._topics:
                task.inbox.ended(tp.topic, number)
        for task in self.tasks.values():
            task.wake()

    async def seek(self, partition: int, offsets: Mapping[str, int]) -> None:
        """Step 4 of a task's assignment."""
        await self._consumer().seek_wait(
            {TopicPartition(topic, partition): offset for topic, offset in offsets.items()}
        )

    async def confirm_membership(self, partition: int) -> bool:
        """Whether the partition is ours once no rebalance is under way."""
        await asyncio.sleep(self._heartbeat_s)  # a member that was thrown out hears of it with its next heartbeat
        while self._is_rebalancing():  # noqa: ASYNC110 - Faust offers a flag, no event
            await asyncio.sleep(0.1)
        return partition in self._assigned

    def measure_lag(self, stable_ends: Mapping[TopicPartition, int]) -> None:
        """Lag of every assigned topic partition to its last stable offset."""
        metrics = self.runtime.metrics
        metrics.tasks_ready.set(sum(task.ready for task in self.tasks.values()))
        for partition, task in self.tasks.items():
            for name, total in task.gauges().items():
                metrics.stage_gauge.labels(name, str(partition)).set(total)
            for topic, processed in task.inbox.processed_offsets().items():
                end = stable_ends.get(TopicPartition(topic, partition))
                if end is not None:
                    metrics.lag.labels(topic, str(partition)).set(max(0, end - processed))
