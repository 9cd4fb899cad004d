"""Work in the background of the service, step after step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from jina_components.service.errors import Problem

logger = logging.getLogger(__name__)

_FAULT_SECONDS = 5.0


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
