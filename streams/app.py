"""build_app: the only place where the engine is wired to Faust.

Faust gives the app, the worker, the consumer thread, group membership, leader election, timers and the web server.
No agents, streams or Faust tables: their recovery over a transactional changelog never completed or took five times
as long (see docs/decisions). Names are checked here before Faust sees them, for it accepts misspelt settings.
"""

import asyncio
import gc
import importlib
import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final, cast
from zoneinfo import reset_tzpath

import faust
from rich.console import Console

from processors.step import Stage
from schemas.codec import Codec
from schemas.topology import Topology
from streams.assignor import TaskAssignor
from streams.broadcast import NetworkCopy, NetworkReader
from streams.deadletters import DeadLetterSealer
from streams.engine import Engine
from streams.errors import StreamsError
from streams.faults import fault_point
from streams.leader import Leader
from streams.logs import logging_config
from streams.pace import Urgency
from streams.preflight import check_broker
from streams.progress import Restoring, Tell, shown_restores
from streams.registry_ids import registry_for
from streams.runtime import Runtime
from streams.settings import METADATA_MAX_AGE_MS, Settings
from streams.signatures import KeyRing
from streams.telemetry import Metrics
from streams.transport import BatchConsumer, BatchTransport, NoTables, broker_credentials
from streams.web import add_pages

log = logging.getLogger(__name__)

LEADER_INTERVAL_S: Final = 0.2
LAG_INTERVAL_S: Final = 1.0
HEARTBEATS_PER_SESSION: Final = 12
"""The others hear of a member's end with their next heartbeat: at the usual three, 2 s later, most of a takeover."""
FETCH_BYTES_MAX: Final = 1 << 20
"""Of one topic-partition; a larger record comes all the same (KIP-74)."""
GARBAGE_THRESHOLDS: Final = (50_000, 20, 50)
SWITCH_INTERVAL_S: Final = 0.001


def load_stages(topology: Topology) -> tuple[Stage, ...]:
    """The stages that the topology names, in flow order."""
    return tuple(importlib.import_module(spec.module).STAGE for spec in topology.stages.values())


def make_runtime(topology: Topology, settings: Settings, stages: Sequence[Stage], *, changelog_epoch: str) -> Runtime:
    """Everything that tasks share."""
    if settings.keys is None:
        log.warning("FSN_KEYS is not set: signatures are NOT checked, anybody may write for anybody")
    dead_letter_key = None if settings.dead_letter_key is None else bytes.fromhex(settings.dead_letter_key)
    metrics = Metrics()
    return Runtime(
        topology=topology,
        stages=tuple(stages),
        codec=Codec(registry_for(settings.schema_registry, topology, register=True)),
        keys=None if settings.keys is None else KeyRing.load(settings.keys),
        sealer=DeadLetterSealer(dead_letter_key),
        network=NetworkCopy(),
        metrics=metrics,
        client=settings.client(),
        group_id=topology.app,
        transaction_timeout_s=settings.transaction_timeout_s,
        state_dir=settings.state_dir / settings.instance_id,
        changelog_epoch=changelog_epoch,
        restoring=_restoring(metrics, settings),
        bulk_topics=frozenset(name for name, spec in topology.topics.items() if spec.bulk),
        source_names=tuple(topology.source_topics),
        unhurried_topics=frozenset(name for name, spec in topology.topics.items() if spec.bulk or spec.broadcast),
        urgency=Urgency(),
        reach=fault_point(settings.fault_point),
    )


def build_app(topology: Topology, settings: Settings, give_up: Callable[[StreamsError], None]) -> faust.App:
    """The Faust application of one worker; `give_up` ends it for an error that no retry mends."""
    # Decisions name time zones: only the pinned tzdata may answer, or a replay elsewhere could differ.
    reset_tzpath(to=())
    epoch = check_broker(topology, settings)
    runtime = make_runtime(topology, settings, load_stages(topology), changelog_epoch=epoch)
    runtime.state_dir.mkdir(parents=True, exist_ok=True)
    heartbeat_s = settings.session_timeout_s / HEARTBEATS_PER_SESSION
    app = faust.App(
        topology.app,
        broker=[f"kafka://{address}" for address in settings.brokers.split(",")],
        broker_credentials=broker_credentials(runtime.client),
        datadir=str(runtime.state_dir / "faust"),
        store="memory://",
        autodiscover=False,
        web_enabled=settings.web_port > 0,
        web_port=settings.web_port or 6066,
        web_host="127.0.0.1",
        topic_allow_declare=False,
        PartitionAssignor=TaskAssignor,
        TableManager=NoTables,
        consumer_group_instance_id=settings.instance_id if settings.membership == "static" else None,
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        consumer_metadata_max_age_ms=METADATA_MAX_AGE_MS,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=heartbeat_s,
        broker_request_timeout=90.0,
        broker_rebalance_timeout=30.0,
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        logging_config=logging_config(settings.log_format),
    )
    engine = Engine(
        runtime,
        lambda: app.consumer,
        lambda: app.rebalancing,
        give_up=give_up,
        heartbeat_s=heartbeat_s,
    )
    app.transport = BatchTransport(app.conf.broker, app, engine)
    cast(TaskAssignor, app.assignor).partitions = topology.partitions
    for name in engine.runtime.source_names:
        app.topics.add(app.topic(name, key_type=bytes, value_type=bytes, acks=False))
    _connect(app, engine, topology)
    add_pages(app, engine)
    return app


def run_worker(topology: Topology, settings: Settings) -> None:
    """Run one worker in this process until SIGTERM or SIGINT: then transactions end, and the group is told.

    An error that no retry mends ends it the same way, and is raised.
    """
    failures: list[StreamsError] = []

    def give_up(error: StreamsError) -> None:
        log.critical("giving up: %s", error)
        failures.append(error)
        signal.raise_signal(signal.SIGTERM)

    app = build_app(topology, settings, give_up)
    _tune_interpreter()
    worker = faust.Worker(
        app,
        loglevel="INFO",
        logging_config=logging_config(settings.log_format),
        quiet=True,
        redirect_stdouts=False,
    )
    try:
        worker.execute_from_commandline()
    except SystemExit:
        if failures:
            raise failures[0] from None
        raise


def _restoring(metrics: Metrics, settings: Settings) -> Restoring:
    """Restores as a metric, and for who reads standard error."""
    shown = shown_restores(Console(stderr=True), monotonic, for_people=settings.log_format == "text")

    @contextmanager
    def restoring(partition: int) -> Iterator[Tell]:
        left = metrics.restore_rows_left.labels(str(partition))
        with shown(partition) as show:

            def tell(position: int, end: int) -> None:
                left.set(max(0, end - position))
                show(position, end)

            try:
                yield tell
            finally:
                left.set(0)

    return restoring


def _tune_interpreter() -> None:
    """A commit and a fetch need the interpreter for a moment several times each. While a batch computes, each of these
    waits for a switch: at Python's 5 ms a commit took 13–25 ms, at 1 ms 9–12.

    Rows and records hold no cycles, so garbage is collected rarely. What that saves is within the noise (decision 6).
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _connect(app: faust.App, engine: Engine, topology: Topology) -> None:
    runtime = engine.runtime
    leader = Leader(topology, runtime.client, runtime.codec, runtime.network)
    reader = NetworkReader(runtime.client, runtime.codec, runtime.network)

    async def assigned(_: Any, /, *arguments: Any, **__: Any) -> None:
        await engine.on_assigned(*arguments)

    async def revoked(_: Any, /, *arguments: Any, **__: Any) -> None:
        await engine.on_revoked(*arguments)

    async def stopping(_: Any, /, *_arguments: Any, **__: Any) -> None:
        await engine.close()
        leader.close()

    app.on_partitions_assigned.connect(assigned, weak=False)
    app.on_partitions_revoked.connect(revoked, weak=False)
    app.on_before_shutdown.connect(stopping, weak=False)

    @app.task
    async def read_network() -> None:
        # Restores must not keep commits waiting for a thread.
        threads = ThreadPoolExecutor(2 * topology.partitions + 4, thread_name_prefix="task")
        asyncio.get_running_loop().set_default_executor(threads)
        await reader.run()

    @app.timer(interval=LEADER_INTERVAL_S)
    async def lead(app: faust.App) -> None:
        leader.serve(leading=app.is_leader() and not app.rebalancing)

    @app.timer(interval=LAG_INTERVAL_S)
    async def measure_lag(app: faust.App) -> None:
        engine.measure_lag(cast(BatchConsumer, app.consumer).stable_ends())
