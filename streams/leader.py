"""What only the elected leader does: writes time to `clock` and announces reference data on `network-changes`.

Time is an event: a Tick per second to every partition, unless the topology says that somebody else writes them.
While a partition has not taken a tick it gets no other; and after an outage time rests, for whoever
had to keep its records meanwhile must be able to send them: no feed is stale, no offer expired because a broker was away.
NetworkChanged carries the offset up to which `network` is in force; lower ones are ignored by the tasks, so that a
new leader may simply announce what it has read. Its timestamp is that of the last record it announces.
"""

import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, Producer

from schemas.codec import Codec
from schemas.records.engine import Tick
from schemas.records.network import NetworkChanged
from schemas.topology import Topology
from streams.broadcast import NetworkCopy
from streams.machine import CLOCK, NETWORK_CHANGES

log = logging.getLogger(__name__)

TICK_MS: Final = 1_000
ANNOUNCE_AGAIN_MS: Final = 30_000
"""An announcement may be lost with its broker; tasks ignore one they know."""
OUTAGE_MS: Final = 5_000
"""A tick that was on its way for so long tells of an outage, as does the loss of every broker."""
GRACE_MS: Final = 30_000
"""How long time rests afterwards: clients that lost a broker try again after up to 10 s by default."""


class Leader:
    """The leader's two duties; `serve` is called several times a second, on every worker."""

    def __init__(self, topology: Topology, client: Mapping[str, Any], codec: Codec, copy: NetworkCopy) -> None:
        self._topology = topology
        self._encode = codec.encode
        self._copy = copy
        self._announced: int | None = None
        self._announced_at = 0
        self._ticked_at = 0
        self._sent_at: dict[int, int] = {}
        """When the tick was sent that a partition has not taken yet."""
        self._rests_until = 0
        self._producer = Producer({**client, "enable.idempotence": True, "linger.ms": 0, "error_cb": self._failed})

    def serve(self, *, leading: bool) -> None:
        """Do what is due; forget everything while somebody else leads."""
        self._producer.poll(0)
        if not leading:
            self._announced = None
            return
        now = int(time.time() * 1000)
        news = self._announced != self._copy.available
        if self._copy.complete and (news or now - self._announced_at >= ANNOUNCE_AGAIN_MS):
            if news:
                log.info("reference data is in force up to offset %d", self._copy.available)
            self._announce(self._copy.available, self._copy.available_timestamp)
            self._announced_at = now
        if self._topology.clock == "leader" and now - self._ticked_at >= TICK_MS and now >= self._rests_until:
            self._ticked_at = now - now % TICK_MS
            self._tick(self._ticked_at, now)

    def close(self) -> None:
        """Send what is queued."""
        self._producer.flush(5)

    def _tick(self, at: int, now: int) -> None:
        value = self._encode(Tick(at=at))
        for partition in range(self._topology.partitions):
            if partition not in self._sent_at:
                self._sent_at[partition] = now
                self._producer.produce(
                    CLOCK, value, str(partition), partition, timestamp=at, on_delivery=partial(self._taken, partition)
                )

    def _taken(self, partition: int, error: KafkaError | None, _: Any) -> None:
        now = int(time.time() * 1000)
        sent_at = self._sent_at.pop(partition)
        if error is not None or now - sent_at >= OUTAGE_MS:
            self._rest(now)

    def _failed(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._rest(int(time.time() * 1000))

    def _rest(self, now: int) -> None:
        if now >= self._rests_until:
            log.warning(
                "brokers were away: time rests for %.0f s, so that others can send what they kept", GRACE_MS / 1000
            )
        self._rests_until = now + GRACE_MS

    def _announce(self, offset: int, timestamp: int) -> None:
        self._broadcast(NETWORK_CHANGES, self._encode(NetworkChanged(network_offset=offset)), timestamp)
        self._announced = offset

    def _broadcast(self, topic: str, value: bytes, timestamp: int) -> None:
        for partition in range(self._topology.partitions):
            self._producer.produce(topic, value, str(partition), partition, timestamp=timestamp)
