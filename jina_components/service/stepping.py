"""Work in the background of the service, for as long as it runs, step after step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from jina_components.service.errors import Problem

logger = logging.getLogger(__name__)

_FAULT_SECONDS = 5.0


class Background:
    """What is worked on for as long as an `async with` block lasts; what is not done then waits.

    Args:
        begin: Makes what is kept ready; blocks.
        run: Works until cancelled.
    """

    def __init__(self, begin: Callable[[], object], run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._begin, self._run = begin, run
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._begin)
        self._working = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)


async def keep_stepping(step: Callable[[], Awaitable[bool]], woken: asyncio.Event, *, what: str, poll: float) -> None:
    """Step after step until cancelled, and a pause when there is nothing to do. A step that fails is tried again.

    Args:
        step: Says whether there was anything to do.
        woken: Ends the pause.
        what: Whose steps these are, for the log.
        poll: Seconds of the pause.
    """
    while True:
        try:
            while await step():
                pass
        except* Problem as failed:  # of the database, which has told the log why
            logger.warning("A step of %s is tried again: %s", what, failed.exceptions[0])
        except* Exception:  # nothing is lost by trying again
            logger.exception("A step of %s failed; it is tried again.", what)
        else:
            woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), poll)
            continue
        await asyncio.sleep(_FAULT_SECONDS)
