"""Faust's aiokafka driver with micro-batches as events, and its table manager with nothing to wait for.

The consumer hands all fetched records of a partition to the engine at once; no streams, agents or acknowledgements.
Faust subscribes and keeps the membership; it never commits (offsets travel in the tasks' transactions) and never
seeks (only step 4 of the assignment sequence does). The source is read `read_committed`, which Faust's driver would
set only in its own transaction mode, and waits 50 ms for data instead of a hard-coded 1.5 s.

Every private name used here belongs to faust-streaming 0.15.3 and aiokafka 0.14.0, which are pinned for that reason;
tests/streams/test_transport.py fails when one of them moves.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast

import aiokafka
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.coordinator.protocol import ConsumerProtocol, ConsumerProtocolMemberAssignment
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.tables import TableManager
from faust.transport.drivers import aiokafka as driver

from streams.fetcher import PatientConsumer
from streams.inbox import TopicPartition
from streams.security import aiokafka_security

log = logging.getLogger(__name__)

FETCH_MAX_WAIT_MS: Final = 50
POLL_S: Final = 0.1
FETCH_RECORDS_MAX: Final = 10_000


class Receiver(Protocol):
    """Who takes the records: the engine."""

    def ready_partitions(self) -> set[TopicPartition]:
        """Topic-partitions whose task wants records now."""
        ...

    def receive(
        self, records: Mapping[TopicPartition, Sequence[Any]], ended: Mapping[TopicPartition, int], round_number: int
    ) -> None:
        """Fetched records, and in which fetch round each topic-partition was last found at its end."""
        ...


def broker_credentials(client: Mapping[str, Any]) -> Credentials | None:
    """What Faust hands to its own consumer, producer and leader topic: the settings of every other client."""
    words = aiokafka_security(client)
    context = words.get("ssl_context")
    if "sasl_mechanism" not in words:
        return None if context is None else SSLCredentials(context)
    return SASLCredentials(
        username=words["sasl_plain_username"],
        password=words["sasl_plain_password"],
        mechanism=words["sasl_mechanism"],
        ssl_context=context,
    )


class TaskCoordinator(GroupCoordinator):
    """Takes no assignment that was made for other topics than the worker subscribes: it asks for another."""

    async def _on_join_complete(
        self, generation: int, member_id: str, protocol: str, member_assignment_bytes: bytes
    ) -> None:
        assignment = ConsumerProtocol.ASSIGNMENT.decode(member_assignment_bytes)
        outdated = self._lookup_assignor(protocol).is_outdated(assignment)
        if outdated:
            log.info("the group's plan is of before this worker read other topics: asking for a new one")
            member_assignment_bytes = ConsumerProtocolMemberAssignment(assignment.version, [], b"").encode()
        await super()._on_join_complete(generation, member_id, protocol, member_assignment_bytes)
        if outdated:
            self.request_rejoin()


class TaskConsumer(PatientConsumer):
    """The consumer of a worker, with the tasks' coordinator."""

    async def start(self) -> None:
        """Start, and make the coordinator ours before anything is subscribed."""
        await super().start()
        self._coordinator.__class__ = TaskCoordinator


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs the aiokafka consumer in its own thread."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = self.app.assignor
        auth = driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context)
        return TaskConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=FETCH_RECORDS_MAX,
            # aiokafka leaves the group for good when nobody polls, as during a long restore or with no partitions.
            max_poll_interval_ms=2**31 - 1,
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            isolation_level="read_committed",
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            check_crcs=False,
            **auth,
        )

    async def _fetch_records(
        self, consumer: Any, active_partitions: Any, timeout: float | None = None, max_records: int | None = None
    ) -> Any:
        fetcher = consumer._fetcher
        # Taken before the records: what was found ended then has been handed over by earlier calls.
        ended, round_number = dict(fetcher.ended), fetcher.round_number
        records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        return records, ended, max(round_number, fetcher.round_number)

    def stable_ends(self) -> Mapping[TopicPartition, int]:
        """Last stable offsets as last heard; for lag only."""
        consumer = self._consumer
        return {} if consumer is None else dict(consumer._fetcher.stable_ends)


class BatchConsumer(driver.Consumer):
    """Faust's consumer, delivering to a Receiver."""

    receiver: Receiver

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def stable_ends(self) -> Mapping[TopicPartition, int]:
        """Last stable offsets as last heard; for lag only."""
        return cast(_ConsumerThread, self._thread).stable_ends()

    async def perform_seek(self) -> None:
        """Only the assignment sequence seeks."""

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Offsets travel in the tasks' transactions."""
        return False

    async def verify_all_partitions_active(self) -> None:
        """Faust's livelock check reads acknowledgements, which do not exist here; the task reports its own lag."""

    async def _drain_messages(self, fetcher: Any) -> None:
        should_stop, fetcher_should_stop = self._stopped.is_set, fetcher._stopped.is_set
        try:
            while not (should_stop() or fetcher_should_stop()):
                if not self.flow_active:
                    await self.wait(self.can_resume_flow.wait())
                    continue
                ready = self.receiver.ready_partitions()
                if not ready:
                    await self.sleep(POLL_S / 4)
                    continue
                fetched: Any = await self._thread.getmany(cast(Any, ready), POLL_S)
                if fetched:
                    self.receiver.receive(*fetched)
                await asyncio.sleep(0)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise


class NoTables(TableManager):
    """Faust's table manager, which waits a second at start for tables to be declared: here there are none."""

    async def on_start(self) -> None:
        """Subscribing waits for this."""
        await self._update_channels()
        await self.recovery.start()


class BatchTransport(driver.Transport):
    """Faust's aiokafka transport with the batch consumer."""

    Consumer = BatchConsumer

    def __init__(self, url: Any, app: Any, receiver: Receiver, **kwargs: Any) -> None:
        super().__init__(url, app, **kwargs)
        self.receiver = receiver

    def create_consumer(self, callback: Any, **kwargs: Any) -> BatchConsumer:
        """The consumer, knowing its receiver."""
        consumer: Any = super().create_consumer(callback, **kwargs)
        consumer.receiver = self.receiver
        return cast(BatchConsumer, consumer)
