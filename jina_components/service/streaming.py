"""Streams of server-sent events: kept alive in silence, ended with their client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response, StreamingResponse
from starlette.types import Send

# Seconds of silence after which a stream says that it lives: proxies and clients give up on silent ones.
SILENCE = 15.0
_ALIVE = b": keep-alive\n\n"
_LIVE = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def stream(events: AsyncGenerator[bytes, None]) -> Response:
    """An answer of events; however it ends, they are closed."""
    return _Stream(kept_alive(events, SILENCE))


async def kept_alive(events: AsyncGenerator[bytes, None], seconds: float) -> AsyncGenerator[bytes, None]:
    """The same events, and a comment whenever nothing came for so many seconds."""
    async with aclosing(events):
        while True:
            coming = asyncio.ensure_future(anext(events, None))
            try:
                while not (await asyncio.wait([coming], timeout=seconds))[0]:
                    yield _ALIVE
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
            if (next_event := coming.result()) is None:
                return
            yield next_event


class _Stream(StreamingResponse):
    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, headers=_LIVE, media_type="text/event-stream")
        self._events = events

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)
