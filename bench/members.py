"""Members of the workers' group under a measurement, dynamic or static, and what an outsider sees of their work.

In: a broker's address. Out: workers as processes of their own, and `Taken`, which says when every record that was sent
has been committed by the group: what the sender sees of a takeover, whatever the workers say of themselves.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from bench.harness import TOPOLOGY, BenchError, topology
from fsn.processes import WorkerProcess

SESSION_S: Final = 6.0
TAKEN_TIMEOUT_S: Final = 120.0
SETTLE_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.02


def worker(
    bootstrap: str, folder: Path, name: str, *, keys: Path, membership: str, declared: Path = TOPOLOGY
) -> WorkerProcess:
    """FSN's real worker; its tables lie in `folder/name`."""
    return WorkerProcess(
        topology=declared,
        log_path=folder / f"{name}.log",
        brokers=bootstrap,
        state_dir=folder,
        instance_id=name,
        keys=keys,
        membership=membership,
        session_timeout_s=str(SESSION_S),
        log_format="text",
    )


def metric(one: WorkerProcess, name: str, *, label: str = "") -> float:
    """A metric of a worker, summed over those labels that hold a word; 0 where it has none yet."""
    lines = [line for line in one.get("/metrics")[1].splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rpartition(" ")[2]) for line in lines if label in line)


def wait_until_shared(workers: Sequence[WorkerProcess], partitions: int) -> None:
    """Return once every partition has a task that processes, and every worker one of them."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while time.monotonic() < deadline:
        ready = [metric(one, "fsn_tasks_ready") for one in workers]
        if sum(ready) == partitions and min(ready) > 0:
            return
        time.sleep(0.2)
    raise BenchError(f"the partitions were not shared in {SETTLE_TIMEOUT_S:.0f} s")


class Taken:
    """How far the group has committed `stock-deltas`, beside how far the topic goes; joins nothing."""

    def __init__(self, bootstrap: str) -> None:
        declared = topology()
        self._wanted = [TopicPartition("stock-deltas", number) for number in range(declared.partitions)]
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": declared.app, "log_level": 0})

    def ends(self) -> list[int]:
        """Where each partition ends now."""
        return [self._consumer.get_watermark_offsets(place, timeout=30)[1] for place in self._wanted]

    def wait_for(self, ends: Sequence[int], workers: Sequence[WorkerProcess]) -> float:
        """When (perf_counter) every partition had been committed up to these ends."""
        deadline = time.monotonic() + TAKEN_TIMEOUT_S
        while time.monotonic() < deadline:
            found = self._consumer.committed(self._wanted, timeout=30)
            if all(place.offset >= end for place, end in zip(found, ends, strict=True)):
                return time.perf_counter()
            for one in workers:
                one.check()
            time.sleep(_POLL_S)
        raise BenchError(f"committed {[place.offset for place in found]} of {list(ends)} in {TAKEN_TIMEOUT_S:.0f} s")

    def close(self) -> None:
        """Leave."""
        self._consumer.close()
