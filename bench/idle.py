"""What an idle worker costs: every task ready, a tick a second, nothing else; and the embedded broker beside it."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.brokers import fresh_broker
from bench.harness import Scale, Worker, send, summary, wait_calm
from bench.memory import cpu_percent
from bench.world import World

WINDOWS: Final = 3


def measure(scale: Scale, say: Callable[[str], None]) -> dict[str, Any]:
    """Shares of one core, of worker and broker."""
    world = World(locations=7, variants=500)
    with fresh_broker(scale.broker) as broker, tempfile.TemporaryDirectory(prefix="fsn-bench-") as name:
        folder = Path(name)
        send(broker.bootstrap, [*world.reference(), *world.heartbeats()])
        with Worker(broker.bootstrap, folder, world.write_keys(folder)) as worker:
            worker.wait_until_ready()
            wait_calm(worker)
            assert worker.pid is not None
            pids = {"worker": worker.pid, "broker": broker.pid}
            windows = [cpu_percent(pids, scale.idle_s) for _ in range(WINDOWS)]
        for window in windows:
            say(f"idle: worker {window['worker']:.1f} %, broker {window['broker']:.1f} % of a core")
        return {
            **{name: summary([window[name] for window in windows]) for name in ("worker", "broker")},
            "peak_rss_mb": worker.peak_rss_mb,
        }
