"""Requests of this process to its own application: through all that stands around it, streamed, and over no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import anyio
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
        self._saying, self._said = anyio.create_memory_object_stream[Message](1)
        self._working = asyncio.create_task(self._work(app, scope))

    async def head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Status and headers. Raises as `_next`."""
        try:
            message = await self._next()
        except BaseException:
            await self.aclose()
            raise
        return message["status"], message["headers"]

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        goes_on = True
        while goes_on:
            message = await self._next()
            goes_on = message.get("more_body", False)
            yield message.get("body", b"")

    async def aclose(self) -> None:
        """Go, if the answer is not whole yet; the application has ended at the return."""
        self._is_gone.set()
        self._said.close()
        await asyncio.wait([self._working])

    async def _next(self) -> Message:
        """What the application says next.

        Raises:
            Exception: its own, where it says nothing more.
            RemoteProtocolError: it ended before its answer did, as it does where something fails in the middle.
        """
        try:
            return await self._said.receive()
        except anyio.EndOfStream:
            await self._working
            raise httpx.RemoteProtocolError("The application cut its answer off.") from None

    async def _work(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        with self._saying:
            await app(scope, self._receive, self._send)

    async def _send(self, message: Message) -> None:
        with suppress(anyio.BrokenResourceError):  # who has gone hears nothing more
            await self._saying.send(message)

    async def _receive(self) -> Message:
        if self._unread:
            return {"type": "http.request", "body": self._unread.pop(), "more_body": False}
        await self._is_gone.wait()
        return {"type": "http.disconnect"}
