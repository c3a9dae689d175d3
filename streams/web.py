"""What the worker's web port answers: metrics, liveness, readiness.

`/metrics` is the Prometheus exposition. `/health/live` answers 200 while the event loop turns. `/health/ready` answers
200 once every assigned task processes, else 503 with what is missing.
"""

from typing import Any

from streams.engine import Engine


def add_pages(app: Any, engine: Engine) -> None:
    """Register the pages with Faust's web server."""

    @app.page("/metrics")
    async def metrics(web: Any, request: Any) -> Any:
        return web.bytes(engine.runtime.metrics.text(), content_type="text/plain; version=0.0.4")

    @app.page("/health/live")
    async def live(web: Any, request: Any) -> Any:
        return web.json({"status": "live"})

    @app.page("/health/ready")
    async def ready(web: Any, request: Any) -> Any:
        tasks = {str(partition): task.ready for partition, task in sorted(engine.tasks.items())}
        status = 200 if engine.is_ready else 503
        return web.json({"status": "ready" if status == 200 else "not ready", "tasks": tasks}, status=status)
