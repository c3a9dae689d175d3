"""A network's mixed load at a steady pace, for as long as it is told, as a process of its own.

Orders, stock deltas and heartbeats at a constant rate; what FSN offers to partners is heard, accepted, shipped with a
parcel, and scanned until it is delivered, seconds later each. Open loop: an order has its time, and a late one is
counted from it. Arguments: broker, seconds, orders a second, deltas a second, a folder. It makes itself known and says
`ready`, begins when standard input closes, and leaves `orders.due` ((key, epoch seconds) in MessagePack) in the folder.
"""

import heapq
import itertools
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from confluent_kafka import Producer

from bench.harness import Message, send, topology
from bench.world import World
from fsn.world.listening import Listener
from fsn.world.payloads import FORMATS, Stop, payload
from schemas.codec import Codec
from schemas.records.assignments import AssignmentAccepted, AssignmentOffered, ItemQuantity, Shipped, Track
from schemas.records.shipments import CarrierMessage

LOCATIONS: Final = 7
VARIANTS: Final = 500
UNITS: Final = 100_000
SLICE_S: Final = 0.05
HEARTBEAT_S: Final = 5.0
ANSWER_S: Final = 2.0
SHIP_S: Final = 5.0
SCAN_S: Final = 5.0
SCANS: Final = ("picked_up", "in_transit", "out_for_delivery", "delivered")
CARRIER: Final = "dhl_parcel_de"


class Load:
    """Everybody outside: merchants, feeds, partners and a carrier."""

    def __init__(self, bootstrap: str, *, orders_per_s: float, deltas_per_s: float) -> None:
        self._bootstrap, self._orders_per_s, self._deltas_per_s = bootstrap, orders_per_s, deltas_per_s
        self.world = World(locations=LOCATIONS, variants=VARIANTS)
        self.due: list[tuple[bytes, float]] = []
        self._sent_deltas = 0
        self._plans: list[tuple[float, int, Callable[[], Message]]] = []
        self._order_of_plans, self._parcels = itertools.count(), itertools.count()
        self._known: set[str] = set()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "delivery.report.only.error": True,
                "on_delivery": self._refused,
            }
        )

    def introduce(self) -> None:
        """Reference data, heartbeats, and stock that outlasts any run."""
        receipts = self.world.deltas(LOCATIONS * VARIANTS, quantity=UNITS)
        send(self._bootstrap, [*self.world.reference(), *self.world.heartbeats(), *receipts])

    def run(self, seconds: float) -> None:
        """Play for so long."""
        client = {"bootstrap.servers": self._bootstrap}
        with Listener(client, ("assignments",), Codec(), partitions=topology().partitions) as listener:
            started = time.time()
            next_heartbeat = started + HEARTBEAT_S
            while (now := time.time()) < started + seconds:
                self._order_until(now, started)
                self._count_until(now, started)
                if now >= next_heartbeat:
                    next_heartbeat += HEARTBEAT_S
                    self._send(*self.world.heartbeats())
                for record, _ in listener.heard():
                    if isinstance(record, AssignmentOffered) and record.assignment_id not in self._known:
                        self._known.add(record.assignment_id)
                        self._take(record, now)
                while self._plans and self._plans[0][0] <= now:
                    self._send(heapq.heappop(self._plans)[2]())
                self._producer.poll(0)
                time.sleep(max(0.0, SLICE_S - (time.time() - now)))
        if self._producer.flush(60):
            raise RuntimeError("the broker did not take all records")

    def _order_until(self, now: float, started: float) -> None:
        first, last = len(self.due), int((now - started) * self._orders_per_s)
        if last <= first:
            return
        made = self.world.orders(last - first, prefix=f"soak-{first}", seed=first)
        self.due += [(one.key, started + number / self._orders_per_s) for number, one in enumerate(made, first)]
        self._send(*made)

    def _count_until(self, now: float, started: float) -> None:
        count = int((now - started) * self._deltas_per_s) - self._sent_deltas
        self._send(*self.world.deltas(count, first=self._sent_deltas))
        self._sent_deltas += count

    def _plan(self, at: float, make: Callable[[], Message]) -> None:
        heapq.heappush(self._plans, (at, next(self._order_of_plans), make))

    def _take(self, offered: AssignmentOffered, now: float) -> None:
        """Accept it, ship it, and have its parcel scanned."""
        ids = (offered.assignment_id, offered.order_id, offered.location_id)
        items = tuple(ItemQuantity(line.line_no, line.quantity) for line in offered.lines)
        number = f"0034043{next(self._parcels):013}"
        tracks = (Track(CARRIER, offered.service, number),)
        where = offered.location_id

        def accepted() -> Message:
            return self.world.signed("partner-responses", where, AssignmentAccepted(*ids, items, _now_ms()))

        def shipped() -> Message:
            record = Shipped(number, *ids, items, tracks, None, None, _now_ms())
            return self.world.signed("partner-responses", where, record)

        self._plan(now + ANSWER_S, accepted)
        self._plan(now + SHIP_S, shipped)
        for count in range(1, len(SCANS) + 1):
            self._plan(now + SHIP_S + count * SCAN_S, partial(self._scanned, number, count))

    def _scanned(self, number: str, count: int) -> Message:
        """All scans so far, as the carrier tells them: their minutes lie in the past, one after the other."""
        now, minute = _now_ms(), 60_000
        first_at = now - now % minute - len(SCANS) * minute
        stops = [
            Stop(first_at + step * minute, status, "Leipzig", "DE", "Europe/Berlin")
            for step, status in enumerate(SCANS[:count])
        ]
        key = f"acme|{CARRIER}|{number}"
        record = CarrierMessage(key, CARRIER, FORMATS[CARRIER], payload(CARRIER, number, stops), None, now)
        return self.world.signed("tracking", key, record, key_id="tenant-1")

    def _send(self, *messages: Message) -> None:
        for one in messages:
            self._producer.produce(one.topic, one.value, one.key, headers=one.headers)

    def _refused(self, error: object, _: object) -> None:
        raise RuntimeError(f"the broker did not take a record: {error}")


def _now_ms() -> int:
    return int(time.time() * 1000)


if __name__ == "__main__":
    load = Load(sys.argv[1], orders_per_s=float(sys.argv[3]), deltas_per_s=float(sys.argv[4]))
    load.introduce()
    print("ready", flush=True)
    sys.stdin.read()
    load.run(float(sys.argv[2]))
    Path(sys.argv[5], "orders.due").write_bytes(msgspec.msgpack.encode(load.due))
