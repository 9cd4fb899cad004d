"""Streams of server-sent events: kept alive in silence, ended with their client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeAlias

from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

# Seconds of silence after which a stream says that it lives: proxies and clients give up on silent ones.
SILENCE = 15.0
_ALIVE = b": keep-alive\n\n"
LIVE = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Headers with which what stands on the way passes events on at once."""

# The next event; what ended them, or None where they are all there.
_Next: TypeAlias = bytes | Exception | None


async def stream(events: AsyncGenerator[bytes, None], *, background: BackgroundTask | None = None) -> Response:
    """An answer of events; however it ends, they are closed.

    Args:
        events: Server-sent events. All of them come from one task, to which deadlines within them belong.
        background: What is done once the answer is sent.

    Raises:
        Exception: that of `events` before the first of them, so that the answer has its status.
    """
    queue: asyncio.Queue[_Next] = asyncio.Queue(maxsize=1)
    working = asyncio.create_task(_fill(queue, events))
    try:
        first = await queue.get()
    except asyncio.CancelledError:
        await _end(working)
        raise
    if isinstance(first, Exception):
        await _end(working)
        raise first
    return _Stream(_kept_alive(first, queue), working, background)


async def _fill(queue: asyncio.Queue[_Next], events: AsyncGenerator[bytes, None]) -> None:
    try:
        async with aclosing(events):
            async for event in events:
                await queue.put(event)
    except Exception as error:  # noqa: BLE001 (raised where the events are awaited)
        await queue.put(error)
    else:
        await queue.put(None)


async def _kept_alive(coming: _Next, queue: asyncio.Queue[_Next]) -> AsyncGenerator[bytes, None]:
    """The events, and a comment whenever none came for a while."""
    while coming is not None:
        if isinstance(coming, Exception):
            raise coming
        yield coming
        try:
            async with asyncio.timeout(SILENCE):
                coming = await queue.get()
        except TimeoutError:
            coming = _ALIVE


async def _end(working: asyncio.Task[None]) -> None:
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


class _Stream(StreamingResponse):
    """Ends the work behind its events with itself."""

    def __init__(
        self, events: AsyncGenerator[bytes, None], working: asyncio.Task[None], background: BackgroundTask | None
    ) -> None:
        super().__init__(events, headers=LIVE, media_type="text/event-stream", background=background)
        self._events, self._working = events, working

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()
            await _end(self._working)
