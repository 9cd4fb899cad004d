from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

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
