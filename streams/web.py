"""What the worker's web port answers: metrics, liveness, readiness, and a schema registry's reading calls.

`/metrics` is the Prometheus exposition. `/health/live` answers 200 while the event loop turns. `/health/ready` answers
200 once every assigned task processes, else 503 with what is missing. `/schemas/…` and `/subjects/…` answer as a
Confluent schema registry does (`streams.registry_pages`), so that a standard deserializer needs nothing else.
"""

from typing import Any

from faust.web.views import View

from streams.engine import Engine
from streams.registry_pages import CONTENT_TYPE, Answer, RegistryPages


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

    _add_registry(app, RegistryPages(engine.runtime.codec.registry, engine.runtime.topology))


def _add_registry(app: Any, pages: RegistryPages) -> None:
    @app.page("/schemas/types")
    async def schema_types(web: Any, request: Any) -> Any:
        return _sent(web, pages.types())

    @app.page("/schemas/ids/{schema_id}")
    async def schema(web: Any, request: Any, schema_id: str) -> Any:
        return _sent(web, pages.schema(schema_id))

    @app.page("/schemas/ids/{schema_id}/schema")
    async def plain_schema(web: Any, request: Any, schema_id: str) -> Any:
        return _sent(web, pages.plain_schema(schema_id))

    @app.page("/schemas/ids/{schema_id}/versions")
    async def schema_places(web: Any, request: Any, schema_id: str) -> Any:
        return _sent(web, pages.places(schema_id))

    @app.page("/subjects")
    async def subjects(web: Any, request: Any) -> Any:
        return _sent(web, pages.subjects())

    @app.page("/subjects/{subject}")
    class SubjectLookUp(View):
        async def post(self, request: Any, subject: str) -> Any:
            return _sent(self, pages.look_up(subject, await request.read()))

    @app.page("/subjects/{subject}/versions")
    class SubjectVersions(View):
        async def get(self, request: Any, subject: str) -> Any:
            return _sent(self, pages.versions(subject))

        async def post(self, request: Any, subject: str) -> Any:
            return _sent(self, pages.register(subject, await request.read()))

    @app.page("/subjects/{subject}/versions/{version}")
    async def version(web: Any, request: Any, subject: str, version: str) -> Any:
        return _sent(web, pages.version(subject, version))

    @app.page("/subjects/{subject}/versions/{version}/schema")
    async def version_schema(web: Any, request: Any, subject: str, version: str) -> Any:
        return _sent(web, pages.version_schema(subject, version))


def _sent(web: Any, answer: Answer) -> Any:
    return web.bytes(answer.body, content_type=CONTENT_TYPE, status=answer.status)
