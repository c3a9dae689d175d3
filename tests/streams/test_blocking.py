"""Blocking calls come back, fail, or are given up; and what was given up can do no harm any more."""

import asyncio
import threading

import pytest

from streams.blocking import BlockingCalls
from streams.errors import CallAbandoned


@pytest.fixture
def name(request):
    return f"calls of {request.node.name}"


@pytest.fixture
def calls(name):
    made = BlockingCalls(name)
    yield made
    made.close()


def threads(name):
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_calls_run_one_after_the_other_in_a_thread_of_their_own(calls, name):
    async def several():
        running = [calls.run(lambda n=number: (n, threading.current_thread().name), limit_s=10) for number in range(20)]
        return await asyncio.gather(*running)

    assert asyncio.run(several()) == [(number, name) for number in range(20)]


def test_an_error_reaches_whoever_waits_and_the_thread_goes_on(calls):
    async def one_fails():
        with pytest.raises(ZeroDivisionError):
            await calls.run(lambda: 1 // 0, limit_s=10)
        return await calls.run(lambda: "still here", limit_s=10)

    assert asyncio.run(one_fails()) == "still here"


def test_a_call_that_does_not_come_back_is_given_up_and_the_next_one_runs(calls, name):
    released, late = threading.Event(), []

    def blocks():
        released.wait()
        late.append("back")
        return "too late"

    async def given_up():
        with pytest.raises(CallAbandoned, match=r"blocks has not come back after 0 s"):
            await calls.run(blocks, limit_s=0.05)
        [lost] = threads(name)
        answer = await calls.run(lambda: "next", limit_s=10)
        released.set()
        await asyncio.to_thread(lost.join, 10)
        return answer, await calls.run(lambda: "and the next", limit_s=10)

    assert asyncio.run(given_up()) == ("next", "and the next")
    assert late == ["back"]


def test_a_thread_that_blocks_does_not_keep_the_loop_or_the_process(calls, name):
    async def given_up():
        with pytest.raises(CallAbandoned):
            await calls.run(threading.Event().wait, limit_s=0.05)

    asyncio.run(given_up())
    assert [thread.daemon for thread in threads(name)] == [True]


def test_closed_its_thread_ends(calls, name):
    asyncio.run(calls.run(lambda: None, limit_s=10))
    [thread] = threads(name)
    calls.close()
    thread.join(10)
    assert not thread.is_alive()
