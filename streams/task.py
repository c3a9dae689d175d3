"""A task owns partition p of every source topic: one partition, one batch, one transaction.

Assignment, in this order, each step preventing a failure that was seen:
1. a new transactional producer and InitProducerId, which ends the predecessor's transaction
2. the committed offsets of all topics of p
3. the tables restored to the changelog's last stable offset
4. seek
5. process

A batch: records in merge order, each on a savepoint → its transaction (streams/commit.py).
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from itertools import takewhile
from time import perf_counter
from typing import Any, Final, Protocol, TypeVar

from processors.step import ABSENT
from streams.assignment import check_ended, committed_offsets, new_producer, restored_store, starting_offsets
from streams.batch import Computed, compute
from streams.blocking import BlockingCalls
from streams.changelog import now_ms
from streams.commit import commit
from streams.errors import (
    LogIsNewer,
    StoreError,
    StreamsError,
    TransactionAborted,
    TransactionError,
    TransactionFenced,
)
from streams.inbox import Chosen, Inbox
from streams.machine import (
    CLOCK,
    ENGINE,
    ENGINE_STAGE,
    NETWORK_CHANGES,
    Counts,
    Machine,
    check_layout,
    network_wanted,
    recall_time,
)
from streams.pace import BulkPace
from streams.runtime import Runtime
from streams.store import LocalStore, StoreMeta
from streams.transaction import CALL_TIMEOUT_S, TaskProducer
from streams.unit import UnitOfWork

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

ABORTS_BEFORE_RESTART: Final = 5
COMMIT_LIMIT_S: Final = 3 * CALL_TIMEOUT_S
"""Offsets and commit have one call's time each; more than that is a call that will never come back."""
ASSIGN_LIMIT_S: Final = 5 * CALL_TIMEOUT_S
RETRY_S: Final = 0.5
RETRY_MAX_S: Final = 30.0


class Source(Protocol):
    """What a task needs of the consumer."""

    async def seek(self, partition: int, offsets: Mapping[str, int]) -> None:
        """Go to these offsets."""
        ...

    async def confirm_membership(self, partition: int) -> bool:
        """Whether the partition is still ours in the group's current generation."""
        ...

    def give_up(self, error: StreamsError) -> None:
        """End the worker: no retry mends this."""
        ...


class _Closed(Exception):
    """The task was closed while it waited."""


class Task:
    """One partition's owner. `start`, then records arrive by `inbox` and `wake`; `close` at revocation."""

    def __init__(self, partition: int, runtime: Runtime, source: Source) -> None:
        self.partition = partition
        self.ready = False
        self.inbox = Inbox(runtime.source_names, runtime.bulk_topics)
        self._runtime = runtime
        self._source = source
        self._wake = asyncio.Event()
        self._closed = asyncio.Event()
        self._failures = 0
        self._pace = BulkPace(runtime.urgency)
        self._calls = BlockingCalls(f"transactions-{partition}")
        self._loop_task: asyncio.Task[None] | None = None
        self._producer: TaskProducer | None = None
        self._store: LocalStore | None = None
        self._meta: StoreMeta | None = None
        self._unit: UnitOfWork | None = None
        self._machine: Machine | None = None

    def start(self) -> None:
        """Run the assignment sequence, then process, until closed."""
        self._loop_task = asyncio.create_task(self._run(), name=f"task-{self.partition}")

    def wake(self) -> None:
        """Records or the end of a topic came in."""
        self._wake.set()

    def gauges(self) -> dict[str, int]:
        """What the stages' tables add up to, by gauge."""
        return {} if self._unit is None else dict(self._unit.gauges)

    async def close(self) -> None:
        """Finish the transaction under way, then let go of producer and store."""
        self._closed.set()
        self.ready = False
        self._wake.set()
        if self._loop_task is not None:
            await asyncio.gather(self._loop_task, return_exceptions=True)
        await asyncio.to_thread(self._release)
        self._calls.close()

    async def _run(self) -> None:
        while not self._closed.is_set():
            try:
                await self._assign()
                await self._process_until_closed()
            except _Closed:
                return
            except TransactionFenced as error:
                log.warning("task %d: fenced: %s", self.partition, error)
                if not await self._is_still_ours():
                    return
            except TransactionError as error:
                log.warning("task %d: outcome unknown, reading the log again: %s", self.partition, error)
            except LogIsNewer as error:
                self._source.give_up(error)
                return
            except StreamsError as error:
                log.error("task %d: %s", self.partition, error)
                self._drop_store_after(error)
            except Exception:
                log.exception("task %d failed; starting again", self.partition)
            finally:
                self.ready = False
            await self._pause()

    async def _is_still_ours(self) -> bool:
        """A broker that timed our transaction out fences us too: only the group can tell whose the partition is."""
        self.ready = False
        try:
            if await self._or_closed(self._source.confirm_membership(self.partition)):
                return True
        except _Closed:
            return False
        log.warning("task %d: the partition is no longer ours", self.partition)
        return False

    async def _or_closed(self, waited: Awaitable[Answer]) -> Answer:
        """Wait for an answer, but no longer than until the task is closed: a rebalance waits for that."""
        work, closed = asyncio.ensure_future(waited), asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({work, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise _Closed
            return work.result()
        finally:
            work.cancel()
            closed.cancel()

    async def _pause(self) -> None:
        """Wait before the next attempt, longer after each failure in a row."""
        self._failures += 1
        seconds = min(RETRY_S * 2 ** (self._failures - 1), RETRY_MAX_S)
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return

    # assignment -------------------------------------------------------------------------------------------------

    async def _assign(self) -> None:
        started = perf_counter()
        await asyncio.to_thread(self._release)
        runtime = self._runtime
        self._producer = await self._calls.run(new_producer, runtime, self.partition, limit_s=ASSIGN_LIMIT_S)
        runtime.reach("producer")
        await self._calls.run(check_ended, runtime, self.partition, limit_s=ASSIGN_LIMIT_S)
        committed = await self._calls.run(committed_offsets, runtime, self.partition, limit_s=ASSIGN_LIMIT_S)
        runtime.reach("positions")
        store, meta = await asyncio.to_thread(restored_store, runtime, self.partition, self._closed.is_set)
        self._store, self._meta = store, meta
        runtime.reach("restored")
        if self._closed.is_set():
            raise _Closed
        unit = UnitOfWork(runtime.topology, (ENGINE_STAGE, *runtime.stages), runtime.codec, store)
        check_layout(unit, self.partition)
        await self._recall(unit)
        await asyncio.to_thread(unit.count_gauges, store.rows())
        self._unit = unit
        self._machine = Machine(
            runtime.topology,
            runtime.stages,
            runtime.codec,
            partition=self.partition,
            keys=runtime.keys,
            sealer=runtime.sealer,
            networks=runtime.network,
        )
        offsets = starting_offsets(committed, unit)
        self.inbox.seek(offsets)
        await self._or_closed(self._source.seek(self.partition, offsets))
        runtime.reach("sought")
        self.ready = True
        took = perf_counter() - started
        runtime.metrics.restore_seconds.observe(took)
        log.info("task %d ready after %.2f s at changelog offset %d", self.partition, took, meta.position)

    async def _recall(self, unit: UnitOfWork) -> None:
        """Time and reference data as of the last transaction."""
        recall_time(unit)
        network = unit.get(ENGINE, "network")
        if network is not ABSENT:
            await self._or_closed(self._runtime.network.wait_for(network.value))
            unit.network = self._runtime.network.at(network.value)

    def _release(self) -> None:
        if self._producer is not None:
            self._producer.close()
        if self._store is not None:
            self._store.close()
        self._producer = self._store = self._unit = self._machine = None

    def _drop_store_after(self, error: StreamsError) -> None:
        if isinstance(error, StoreError) and self._store is not None:
            self._store.close()
            self._store = None
            LocalStore.drop(self._runtime.state_dir / str(self.partition))

    # processing -------------------------------------------------------------------------------------------------

    async def _process_until_closed(self) -> None:
        while not self._closed.is_set():
            self._wake.clear()
            # Before the first NetworkChanged nothing is known of the network: no order may be judged by it.
            only = None if self._knows_network() else NETWORK_CHANGES
            bulk_max, due_in = self._pace.allowed(self.inbox, perf_counter())
            chosen = self.inbox.choose(only=only, bulk_max=bulk_max)
            if chosen:
                await self._wait_for_network(chosen)
                await self._process(chosen)
                self._failures = 0
                await asyncio.sleep(0)
            elif not self._closed.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), due_in)

    def _knows_network(self) -> bool:
        assert self._unit is not None
        return self._unit.get(ENGINE, "network") is not ABSENT

    async def _wait_for_network(self, chosen: Chosen) -> None:
        """Until this worker has the version of the first record, where that is a NetworkChanged."""
        first = next(iter(chosen)) if NETWORK_CHANGES in chosen else None
        if first is not None and first.topic == NETWORK_CHANGES:
            await self._or_closed(self._runtime.network.wait_for(self._network_wanted(first)))

    def _up_to_unknown_network(self, chosen: Chosen) -> Iterator[Any]:
        """The records before the first NetworkChanged whose version this worker does not have yet."""
        if NETWORK_CHANGES not in chosen:
            return iter(chosen)
        available = self._runtime.network.available
        return takewhile(
            lambda raw: raw.topic != NETWORK_CHANGES or self._network_wanted(raw) <= available, iter(chosen)
        )

    def _network_wanted(self, raw: Any) -> int:
        return network_wanted(raw.value or b"", self._runtime.codec.decode)

    async def _process(self, chosen: Chosen) -> None:
        assert self._machine is not None and self._unit is not None
        started = perf_counter()
        computed = compute(
            self._up_to_unknown_network(chosen),
            self._machine,
            self._unit,
            app=self._runtime.topology.app,
            partition=self.partition,
            codec=self._runtime.codec,
            budget_s=self._budget(chosen, started),
        )
        computed_at = perf_counter()
        await self._commit(computed)
        self._unit.committed()
        self.inbox.take(computed.processed)
        self._runtime.metrics.outputs(computed.outputs)
        self._measure(computed.processed, computed.counts, computed_at - started, perf_counter() - computed_at)

    def _budget(self, chosen: Chosen, now: float) -> float | None:
        """Bulk may take its time, unless somebody on this worker waits for a decision."""
        urgency = self._runtime.urgency
        urgency.note(chosen.count_besides(self._runtime.unhurried_topics), now)
        return urgency.budget_s(now)

    async def _commit(self, computed: Computed) -> None:
        producer, store, meta = self._producer, self._store, self._meta
        assert producer is not None and store is not None and meta is not None
        arguments = computed, producer, store, meta, self.partition, self._runtime.reach
        for attempt in range(ABORTS_BEFORE_RESTART):
            try:
                self._meta = await self._calls.run(commit, *arguments, limit_s=COMMIT_LIMIT_S)
                return
            except TransactionAborted as error:
                self._runtime.metrics.transactions.labels("aborted").inc()
                log.warning("task %d: transaction aborted, trying again: %s", self.partition, error)
                await self._calls.run(producer.abort, limit_s=COMMIT_LIMIT_S)
                if self._closed.is_set():
                    raise _Closed from error
                await asyncio.sleep(RETRY_S * attempt)
        raise TransactionError(f"aborted {ABORTS_BEFORE_RESTART} times")

    def _measure(self, batch: Sequence[Any], counts: Counts, computed_s: float, committed_s: float) -> None:
        assert self._unit is not None
        metrics = self._runtime.metrics
        taken: dict[str, int] = {}
        for raw in batch:
            taken[raw.topic] = taken.get(raw.topic, 0) + 1
        metrics.batch(counts, taken, computed_s=computed_s, committed_s=committed_s)
        oldest = next((raw.timestamp for raw in batch if raw.topic != CLOCK), None)
        if oldest is not None:
            metrics.end_to_end_seconds.observe(max(0, now_ms() - oldest) / 1000)
