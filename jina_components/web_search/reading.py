"""Reading the pages of results, as many as the time allows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from jina_components.errors import BlockedURLError, ExtractionError, FetchTimeoutError, JinaComponentsError
from jina_components.protocols import SupportsRead
from jina_components.search_options import SearchOptions
from jina_components.types import Page, SearchResult

_URL = re.compile(r"https?://", re.IGNORECASE)


async def read_pages(
    results: Sequence[SearchResult], reader: SupportsRead, options: SearchOptions, *, until: float, concurrency: int
) -> AsyncGenerator[tuple[SearchResult, ...], None]:
    """The results after each page that was read or failed; the last time, all of them have a page or an error.

    Args:
        results: Those that have a page already keep it.
        reader: Reads them.
        options: Says how.
        until: Time of the running loop's clock at which reading stops.
        concurrency: Pages to read at the same time.
    """
    current = list(results)
    turns = asyncio.Semaphore(concurrency)
    tasks = {
        asyncio.create_task(_read(result.url, reader, options, turns)): position
        for position, result in enumerate(results)
        if result.page is None
    }
    waiting = set(tasks)
    try:
        while waiting:
            patience = max(0.0, until - asyncio.get_running_loop().time())
            done, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
            for task in done:
                current[tasks[task]] = _with(current[tasks[task]], task.result())
            if waiting:
                yield tuple(current)
        for task in waiting:
            current[tasks[task]] = _with(current[tasks[task]], _too_late(current[tasks[task]].url, options))
        yield tuple(current)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _read(
    url: str, reader: SupportsRead, options: SearchOptions, turns: asyncio.Semaphore
) -> Page | JinaComponentsError:
    if not _URL.match(url):  # a reader would take it for the path of a file, and others wrote it
        return BlockedURLError(f"{url!r} is no http(s) URL and is not read.", url)
    async with turns:
        try:
            return await reader.aread(url, options=options.read_options)
        except JinaComponentsError as error:
            return error
        except Exception as error:  # noqa: BLE001 (returned: a reader of the caller, or no memory)
            return ExtractionError(f"{url} cannot be read: {type(error).__name__}: {error}", url)


def _with(result: SearchResult, outcome: Page | JinaComponentsError) -> SearchResult:
    return replace(result, page=outcome) if isinstance(outcome, Page) else replace(result, error=outcome)


def _too_late(url: str, options: SearchOptions) -> FetchTimeoutError:
    return FetchTimeoutError(
        f"{url} was not read within the {options.deadline:g} seconds of the search; raise deadline to wait longer.", url
    )
