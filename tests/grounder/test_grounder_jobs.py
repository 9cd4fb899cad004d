import asyncio
from functools import partial

import pytest

from jina_components.errors import WebError
from jina_components.grounder.jobs import as_done


async def outcomes(jobs, *, at_a_time=2, seconds=30.0):
    until = asyncio.get_running_loop().time() + seconds
    return {place: outcome async for place, outcome in as_done(jobs, at_a_time=at_a_time, until=until)}


async def test_results_errors_of_ours_and_what_is_late():
    async def work(result):
        if isinstance(result, Exception):
            raise result
        await asyncio.sleep(60 if result == "late" else 0)
        return result

    down = WebError("down")
    jobs = [partial(work, result) for result in ("a", down, "late", "never begun")]
    assert await outcomes(jobs[:2]) == {0: "a", 1: down}
    assert await outcomes(jobs, at_a_time=2, seconds=1.0) == {0: "a", 1: down, 2: None, 3: "never begun"}
    assert await outcomes(jobs[2:], at_a_time=1, seconds=0.2) == {0: None, 1: None}
    with pytest.raises(ZeroDivisionError):
        await outcomes([partial(work, ZeroDivisionError("a bug"))])
    assert await outcomes([]) == {}


async def test_no_more_at_a_time_than_allowed_and_closing_cancels():
    running, most, cancelled = 0, 0, 0

    async def work():
        nonlocal running, most, cancelled
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(0.01 if most < 9 else 60)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        finally:
            running -= 1

    await outcomes([work] * 6, at_a_time=3)
    assert most == 3
    most = 9
    jobs = as_done([work] * 3, at_a_time=3, until=asyncio.get_running_loop().time() + 60)
    task = asyncio.create_task(anext(jobs))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled == 3
