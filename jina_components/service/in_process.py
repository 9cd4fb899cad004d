"""Requests of this process to its own application: through all that stands around it, streamed, and over no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
from starlette.types import ASGIApp, Message


class InProcess(httpx.AsyncBaseTransport):
    """A transport for `httpx.AsyncClient` that calls an application, whose answers come piece by piece.

    A client that closes its response early has gone, for the application too.

    Args:
        app: As `create_app` makes it; running.
        address: That of whom the requests are made for, by whose limits those without a key count.
    """

    def __init__(self, app: ASGIApp, address: str = "127.0.0.1") -> None:
        self._app = app
        self._address = address

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer once the head of the answer is there."""
        assert isinstance(request.stream, httpx.AsyncByteStream)  # noqa: S101 (so an async client has it)
        body = b"".join([part async for part in request.stream])
        answer = _Answer(self._app, self._scope(request), body)
        status, headers = await answer.head()
        return httpx.Response(status, headers=headers, stream=answer)

    def _scope(self, request: httpx.Request) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "server": (request.url.host, request.url.port),
            "client": (self._address, 0),
            "state": {},
        }


class _Answer(httpx.AsyncByteStream):
    """An answer in the making, as the stream of its body."""

    def __init__(self, app: ASGIApp, scope: dict[str, Any], body: bytes) -> None:
        self._unread = [body]
        self._is_gone = asyncio.Event()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(maxsize=1)
        self._working = asyncio.create_task(self._work(app, scope))

    async def head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Status and headers.

        Raises:
            Exception: the application's own, where it answers nothing.
        """
        try:
            message = await self._messages.get()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if message is None:
            await self._working  # raises what it raised
            raise RuntimeError("The application did not answer.")
        return message["status"], message["headers"]

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        while (message := await self._messages.get()) is not None:
            yield message.get("body", b"")
        await self._working

    async def aclose(self) -> None:
        """Go, if the answer is not whole yet."""
        self._is_gone.set()
        while not self._working.done():  # take what it still says
            getting = asyncio.ensure_future(self._messages.get())
            await asyncio.wait((self._working, getting), return_when=asyncio.FIRST_COMPLETED)
            getting.cancel()
        await asyncio.gather(self._working, return_exceptions=True)

    async def _work(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._messages.put)
        finally:
            if not self._is_gone.is_set():
                await self._messages.put(None)

    async def _receive(self) -> Message:
        if self._unread:
            return {"type": "http.request", "body": self._unread.pop(), "more_body": False}
        await self._is_gone.wait()
        return {"type": "http.disconnect"}
