from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from jina_components.core.background import background_loop
from jina_components.core.flow import adrive, drive


def flow_of(*steps, seen=None):
    """Collects the steps' results, and notes when it is closed early."""
    results = []
    try:
        for step in steps:
            results.append((yield step))  # noqa: PERF401 (a generator's yield)
    except GeneratorExit:
        seen.append("closed")
        raise
    return results


def done(value):
    future = Future()
    future.set_result(value)
    return future


def fail():
    raise KeyError("step")


def test_results_go_back_into_the_flow():
    assert drive(flow_of(lambda: 1, done(2), lambda: 3)) == [1, 2, 3]


async def test_the_async_driver_gives_the_same():
    assert await adrive(flow_of(lambda: 1, done(2), lambda: 3)) == [1, 2, 3]


async def test_functions_run_in_threads_only_for_async_callers():
    here = threading.current_thread()
    assert drive(flow_of(threading.current_thread)) == [here]
    [there] = await adrive(flow_of(threading.current_thread))
    assert there is not here


def test_an_error_of_a_step_closes_the_flow():
    seen = []
    with pytest.raises(KeyError):
        drive(flow_of(lambda: 1, fail, seen=seen))
    assert seen == ["closed"]


async def test_an_error_of_a_step_closes_the_async_flow():
    seen = []
    with pytest.raises(KeyError):
        await adrive(flow_of(lambda: 1, fail, seen=seen))
    assert seen == ["closed"]


async def test_cancelling_closes_the_flow_and_cancels_the_future():
    seen, never = [], Future()
    task = asyncio.create_task(adrive(flow_of(never, seen=seen)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["closed"]
    assert never.cancelled()


def test_an_empty_flow():
    assert drive(flow_of()) == []


def test_waiting_inside_the_background_loop_is_refused():
    """It may be what completes the future."""
    seen, never = [], Future()

    async def call():
        drive(flow_of(done(1), never, seen=seen))

    with pytest.raises(RuntimeError, match="await its async twin"):
        asyncio.run_coroutine_threadsafe(call(), background_loop()).result(10)
    assert seen == ["closed"]
    assert never.cancelled()


def test_what_is_done_can_be_had_inside_the_background_loop():
    async def call():
        return drive(flow_of(done(1), lambda: 2))

    assert asyncio.run_coroutine_threadsafe(call(), background_loop()).result(10) == [1, 2]


async def test_what_a_function_started_for_a_caller_now_gone_is_cancelled():
    started, go, work = threading.Event(), threading.Event(), Future()

    def submit():
        started.set()
        assert go.wait(10)
        return work

    seen = []
    task = asyncio.create_task(adrive(flow_of(submit, seen=seen)))
    assert await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["closed"]
    assert not work.cancelled()
    go.set()
    async with asyncio.timeout(10):
        while not work.cancelled():  # noqa: ASYNC110 (a concurrent future)
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("end", [lambda: 3, fail])
async def test_a_function_that_outlives_its_caller_may_end_as_it_likes(end):
    started, go = threading.Event(), threading.Event()

    def step():
        started.set()
        assert go.wait(10)
        return end()

    task = asyncio.create_task(adrive(flow_of(step, seen=[])))
    assert await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()


async def test_a_step_that_raises_stop_iteration_ends_no_flow():
    def step():
        raise StopIteration(3)

    with pytest.raises(RuntimeError, match="StopIteration"):
        drive(flow_of(step, seen=[]))
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await adrive(flow_of(step, seen=[]))
