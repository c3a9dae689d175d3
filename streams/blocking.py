"""One thread for one task's blocking calls, each with a limit of its own.

In: a call and how long it may take. Out: its result or its error. A call that does not come back in time is given up
together with its thread: librdkafka's transactional calls have been seen to block for ever, whatever time-out they were
given, when the group's coordinator went away at that moment (librdkafka #5456, #5511). The thread is a daemon, so that
it does not keep the process from ending; what it holds is lost to this process. A call must therefore do no harm when
it comes back late: it works on what it was given, and sets nothing that its successor reads.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from streams.errors import CallAbandoned

Answer = TypeVar("Answer")

_Call = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class BlockingCalls:
    """Runs calls one after the other, in a thread that the first of them starts."""

    def __init__(self, name: str) -> None:
        self._name: Final = name
        self._waiting: SimpleQueue[_Call | None] | None = None

    async def run(self, call: Callable[..., Answer], *arguments: Any, limit_s: float) -> Answer:
        """The call's result, or its error.

        Raises:
            CallAbandoned: it did not come back in time; the next call gets a new thread
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._queue().put((loop, answer, call, arguments))
        done, _ = await asyncio.wait({answer}, timeout=limit_s)
        if not done:
            answer.cancel()
            self.close()
            raise CallAbandoned(f"{call.__qualname__} has not come back after {limit_s:.0f} s: its thread is given up")
        return answer.result()

    def close(self) -> None:
        """Let the thread end once it has nothing left to do."""
        if self._waiting is not None:
            self._waiting.put(None)
            self._waiting = None

    def _queue(self) -> "SimpleQueue[_Call | None]":
        if self._waiting is None:
            self._waiting = SimpleQueue()
            threading.Thread(target=_serve, args=(self._waiting,), name=self._name, daemon=True).start()
        return self._waiting


def _serve(waiting: "SimpleQueue[_Call | None]") -> None:
    while (wanted := waiting.get()) is not None:
        loop, answer, call, arguments = wanted
        try:
            outcome, error = call(*arguments), None
        except Exception as raised:  # noqa: BLE001 - whoever waits gets it
            outcome, error = None, raised
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(_settle, answer, outcome, error)


def _settle(answer: "asyncio.Future[Any]", outcome: Any, error: Exception | None) -> None:
    if answer.done():  # given up
        return
    if error is None:
        answer.set_result(outcome)
    else:
        answer.set_exception(error)
