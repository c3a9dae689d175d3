"""A TCP proxy before a broker, so that it can be cut off where no network namespace can be made.

In: addresses that are to be reached through it. Out: a port of its own for each. While it is cut off, connections stand
and new ones are taken, but nothing passes in either direction and nobody is told. What a namespace does and this does
not: what was sent meanwhile arrives afterwards, and what the broker sends without going through here is not held.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self

from fsn.children import HOST

_CHUNK_BYTES: Final = 1 << 16
_TIMEOUT_S: Final = 10.0


class Gate:
    """Proxies that are cut off together; a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        self._is_open = asyncio.Event()
        self._ports: dict[tuple[str, int], int] = {}
        self._servers: list[asyncio.Server] = []

    def port_for(self, host: str, port: int) -> int:
        """The port here through which that address is reached."""
        if (host, port) not in self._ports:
            self._ports[host, port] = self._run(self._listen(host, port))
        return self._ports[host, port]

    def cut_off(self) -> None:
        """Let nothing pass."""
        self._loop.call_soon_threadsafe(self._is_open.clear)

    def reconnect(self) -> None:
        """Let everything pass again, and first what has been held."""
        self._loop.call_soon_threadsafe(self._is_open.set)

    def __enter__(self) -> Self:
        """Open it."""
        self._thread.start()
        self.reconnect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End every connection."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT_S)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT_S)

    async def _listen(self, host: str, port: int) -> int:
        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
                onward_reader, onward_writer = await asyncio.open_connection(host, port)
                with contextlib.closing(onward_writer):
                    ways = {
                        asyncio.ensure_future(self._carry(reader, onward_writer)),
                        asyncio.ensure_future(self._carry(onward_reader, writer)),
                    }
                    try:
                        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        for way in ways:
                            way.cancel()

        server = await asyncio.start_server(connect, HOST, 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._is_open.wait()
                writer.write(chunk)
                await writer.drain()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
