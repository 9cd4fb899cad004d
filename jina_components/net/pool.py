"""A pool of connections for hundreds of requests at a time."""

from __future__ import annotations

import ssl
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from typing import Any

import httpcore

_MAX_IDLE = 200
_IDLE_SECONDS = 30.0


class Pool(httpcore.AsyncConnectionPool):
    """Connections kept open after use, by origin; as many at a time as there are requests.

    httpcore's own pool looks at all connections for each request, and at all pairs of those that are idle: 1,000
    fetches with 200 at a time took 13 s of CPU, and some so long that they timed out. This one looks at none but the
    one it takes. How many there are is for its users to limit.
    """

    def __init__(self, backend: httpcore.AsyncNetworkBackend, ssl_context: ssl.SSLContext) -> None:
        super().__init__()
        self._backend = backend
        self._tls = ssl_context
        # Of each origin the longest idle first; and all of them, likewise.
        self._by_origin: dict[str, deque[httpcore.AsyncHTTPConnection]] = {}
        self._idle: OrderedDict[httpcore.AsyncHTTPConnection, str] = OrderedDict()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send `request` on an idle connection, or a new one."""
        origin = request.url.origin
        connection = await self._taken(str(origin)) or httpcore.AsyncHTTPConnection(
            origin=origin, ssl_context=self._tls, keepalive_expiry=_IDLE_SECONDS, network_backend=self._backend
        )
        try:
            response = await connection.handle_async_request(request)
        except BaseException:  # also a cancellation before it was begun, when nothing else would close it
            await connection.aclose()
            raise
        body = _Body(response, self, connection, str(origin))
        return httpcore.Response(
            response.status, headers=response.headers, content=body, extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close the idle connections; the others close after use."""
        while self._idle:
            await self._forget_oldest()

    async def put(self, connection: httpcore.AsyncHTTPConnection, origin: str) -> None:
        """Keep `connection` for the next request, if it can take one."""
        if not connection.is_idle():
            return
        if _has_leftovers(connection):
            await connection.aclose()
            return
        self._idle[connection] = origin
        self._by_origin.setdefault(origin, deque()).append(connection)
        while self._idle and (len(self._idle) > _MAX_IDLE or next(iter(self._idle)).has_expired()):
            await self._forget_oldest()

    async def _taken(self, origin: str) -> httpcore.AsyncHTTPConnection | None:
        while waiting := self._by_origin.get(origin):
            connection = waiting.pop()
            self._remove(connection, origin)
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    async def _forget_oldest(self) -> None:
        connection, origin = next(iter(self._idle.items()))
        self._by_origin[origin].popleft()
        self._remove(connection, origin)
        await connection.aclose()

    def _remove(self, connection: httpcore.AsyncHTTPConnection, origin: str) -> None:
        del self._idle[connection]
        if not self._by_origin[origin]:
            del self._by_origin[origin]


def _has_leftovers(connection: httpcore.AsyncHTTPConnection) -> bool:
    """Whether the server sent more than its answer: it would be taken for the answer to the next request."""
    protocol: Any = connection._connection  # noqa: SLF001 (httpcore keeps it to itself, and does not look)
    return bool(protocol._h11_state.trailing_data[0])  # noqa: SLF001


class _Body:
    """The body of a response, whose end gives the connection back."""

    def __init__(
        self, response: httpcore.Response, pool: Pool, connection: httpcore.AsyncHTTPConnection, origin: str
    ) -> None:
        self._response, self._pool, self._connection, self._origin = response, pool, connection, origin

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._response.aiter_stream():
            yield part

    async def aclose(self) -> None:
        try:
            await self._response.aclose()
        except BaseException:
            await self._connection.aclose()
            raise
        await self._pool.put(self._connection, self._origin)
