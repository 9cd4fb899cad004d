"""Some work at a time, given out as it is done, until a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from jina_components.errors import JinaComponentsError

T = TypeVar("T")


async def as_done(
    jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], *, at_a_time: int, until: float
) -> AsyncGenerator[tuple[int, T | JinaComponentsError | None], None]:
    """The place of each job and its result, in the order in which they end.

    An error of this library is given as the result, any other raised; what is not done in time gives None. When the
    iterator is closed, what is under way is cancelled and waited for.

    Args:
        jobs: The work.
        at_a_time: How many to have under way.
        until: Time of the running loop's clock at which to stop.
    """
    turns = asyncio.Semaphore(at_a_time)

    async def attempt(job: Callable[[], Coroutine[Any, Any, T]]) -> T | JinaComponentsError:
        async with turns:
            try:
                return await job()
            except JinaComponentsError as error:
                return error

    places = {asyncio.create_task(attempt(job)): place for place, job in enumerate(jobs)}
    waiting = set(places)
    try:
        while waiting:
            patience = max(0.0, until - asyncio.get_running_loop().time())
            done, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
            for task in sorted(done, key=places.__getitem__):
                yield places[task], task.result()
        for task in sorted(waiting, key=places.__getitem__):
            yield places[task], None
    finally:
        for task in places:
            task.cancel()
        await asyncio.gather(*places, return_exceptions=True)
