"""Many items, a bounded number of them at a time, given out as they are done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import TypeVar

K = TypeVar("K")
S = TypeVar("S")
T = TypeVar("T")


async def as_done(
    keyed: Iterator[tuple[K, S]], work: Callable[[S], Awaitable[T]], *, concurrency: int
) -> AsyncGenerator[tuple[K, T], None]:
    """What comes of each item, with its key, in the order in which they are done.

    An item is begun when another is done and its outcome was taken, so that memory holds `concurrency` of them,
    however many there are. Ends, and cancels what is under way, when the iterator is closed.
    """
    running: dict[asyncio.Future[T], K] = {}
    try:
        while True:
            while len(running) < concurrency and (following := await asyncio.to_thread(next, keyed, None)):
                key, item = following
                running[asyncio.ensure_future(work(item))] = key
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield running.pop(task), task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
