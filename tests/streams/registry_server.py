"""A schema registry on a loopback port: the writing half of its HTTP interface, ids of its own, rights that can be taken."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

FIRST_ID = 100_001


class RegistryServer:
    """What the server holds; equal schemas have one id, whatever their subject."""

    def __init__(self) -> None:
        self.url = ""
        self.read_only = False
        self.one_id_per_subject = False
        self.ids: dict[str, int] = {}
        self.subjects: dict[str, list[str]] = {}

    def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        schema = json.loads(body)["schema"]
        _, subject, *rest = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        held = self.subjects.get(subject, [])
        if rest == ["versions"]:
            if self.read_only:
                return 403, {"error_code": 40301, "message": "User is denied operation Write on Subject"}
            if schema not in held:
                self.subjects[subject] = [*held, schema]
            return 200, {"id": self.id_of(subject, schema)}
        if subject not in self.subjects:
            return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
        if schema not in held:
            return 404, {"error_code": 40403, "message": "Schema not found"}
        number = held.index(schema) + 1
        return 200, {"subject": subject, "version": number, "id": self.id_of(subject, schema), "schema": schema}

    def id_of(self, subject: str, schema: str) -> int:
        name = f"{subject} {schema}" if self.one_id_per_subject else schema
        return self.ids.setdefault(name, FIRST_ID + len(self.ids))


@contextlib.contextmanager
def serving() -> Iterator[RegistryServer]:
    """A registry that answers until the end of the block."""
    registry = RegistryServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, answer = registry.answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """A test says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
