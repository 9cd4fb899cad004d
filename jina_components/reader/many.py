"""Many sources, a bounded number of them at a time, given out as they come."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator

from jina_components.errors import InputError
from jina_components.reader.files import expand
from jina_components.types import Page, SourceFailure

Key = tuple[int, int]
"""The place of a source among those given, and among all that these lead to."""
Named = tuple[Key, str | os.PathLike[str] | SourceFailure]


def named_sources(sources: Iterable[str | os.PathLike[str]]) -> Iterator[Named]:
    """Each source with its key; the files of a directory have its place.

    Raises:
        InputError: one is neither str nor a path; `.index` names it.
    """
    position = 0
    for index, source in enumerate(sources):
        if not isinstance(source, str | os.PathLike):
            raise InputError(f"sources[{index}] must be str or a path, got {type(source).__name__}.", index)
        for found in expand([source]):
            yield (index, position), found
            position += 1


async def read_each(
    named: Iterator[Named],
    read: Callable[[str | os.PathLike[str]], Awaitable[Page | SourceFailure]],
    *,
    concurrency: int,
) -> AsyncGenerator[tuple[Key, Page | SourceFailure], None]:
    """What comes of each source, in the order in which they are done.

    A source is begun when another is done and its outcome was taken, so that memory holds `concurrency` of them,
    however many there are. Ends, and cancels what is under way, when the iterator is closed.
    """
    running: dict[asyncio.Future[Page | SourceFailure], Key] = {}
    try:
        while True:
            while len(running) < concurrency and (following := await asyncio.to_thread(next, named, None)):
                key, source = following
                if isinstance(source, SourceFailure):
                    yield key, source
                else:
                    running[asyncio.ensure_future(read(source))] = key
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield running.pop(task), task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
