"""Which requests are taken on, how much of them at once, and for how long: memory stays bounded whatever clients do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jina_components.service.calls import call_of, key_of
from jina_components.service.errors import answer_problem, problem
from jina_components.service.metrics import Metrics
from jina_components.service.playground import STREAM
from jina_components.service.settings import Limits
from jina_components.types import shorten

EXEMPT = frozenset({"/health", "/live", "/ready", "/metrics", "/ping", STREAM})
"""Paths that are answered under any load, and for as long as it takes."""

# Paths of requests that read, search or reason.
_LONG = ("/r/", "/s/", "/g/", "/v1/chat/", "/deepsearch/", "/mcp", "/invocations")
# Those whose body may hold a file.
_UPLOADS = ("/r/",)
_SOON = {"Retry-After": "1"}


class Admission:
    """Takes requests on within limits, reads their bodies, and cancels them when time is up or nobody waits any more.

    Stands inside of `Watching` and `Hosts`. What no handler of the framework answers is answered here too.

    Args:
        app: What answers.
        limits: What requests may take.
        metrics: Where those in work are counted.
    """

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics) -> None:
        self._app = app
        self._limits = limits
        self._in_flight = metrics.in_flight
        self._requests = 0
        self._bytes = 0
        self._by_client: Counter[tuple[str, str]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        connection = HTTPConnection(scope)
        try:
            if scope["path"] in EXEMPT:
                await self._app(scope, receive, answer.send)
            else:
                with self._room_for(connection):
                    async with self._body(connection, receive) as body:
                        await self._work(scope, body, receive, answer)
        except ClientDisconnect:
            call_of(connection).code = "CLIENT_DISCONNECTED"
        except asyncio.CancelledError:
            if not scope["app"].state.ending:
                raise
            await answer.fail(connection, receive, problem(503, "The service ends; come again.", headers=_SOON))
        except Exception as error:  # noqa: BLE001 (the client is told, and the log where the fault is ours)
            await answer.fail(connection, receive, error)

    @contextmanager
    def _room_for(self, connection: HTTPConnection) -> Iterator[None]:
        """Room for one more request, of all and of its client."""
        if self._requests >= self._limits.max_in_flight:
            raise problem(503, f"{self._requests} requests are in work already; come again.", headers=_SOON)
        named = {"address": connection.client and connection.client.host, "key": key_of(connection)}
        clients = [(kind, name) for kind, name in named.items() if name]
        for client in clients:
            if (busy := self._by_client[client]) >= self._limits.max_in_flight_per_client:
                raise problem(429, f"{busy} of your requests are in work already; wait for some.", headers=_SOON)
        self._requests += 1
        self._by_client.update(clients)
        self._in_flight.inc()
        try:
            yield
        finally:
            self._in_flight.dec()
            self._by_client.subtract(clients)
            for client in clients:
                if not self._by_client[client]:
                    del self._by_client[client]
            self._requests -= 1

    @asynccontextmanager
    async def _body(self, connection: HTTPConnection, receive: Receive) -> AsyncIterator[bytes]:
        """The whole body. Bytes are counted as they come, for a client may announce them and send none."""
        is_upload = connection.scope["path"].startswith(_UPLOADS)
        most = self._limits.max_upload_bytes if is_upload else self._limits.max_body_bytes
        if (encoding := connection.headers.get("content-encoding", "").strip().lower()) not in ("", "identity"):
            told = f"A body in Content-Encoding {shorten(encoding)!r} is not taken: send it as it is."
            raise problem(415, told, headers={"Accept-Encoding": "identity"})
        self._check(int(connection.headers.get("content-length", 0)), 0, most)
        held, more, body = 0, True, bytearray()
        try:
            async with asyncio.timeout(self._limits.body_timeout):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    piece, more = message.get("body", b""), message.get("more_body", False)
                    self._check(len(piece), held, most)
                    held += len(piece)
                    self._bytes += len(piece)
                    body += piece
            whole = bytes(body)
            del body  # lest two of it be held
            yield whole
        except TimeoutError as late:
            if more:
                seconds = self._limits.body_timeout
                raise problem(408, f"The body did not arrive within {seconds:g} seconds.") from late
            raise
        finally:
            self._bytes -= held

    def _check(self, size: int, held: int, most: int) -> None:
        if held + size > most:
            raise problem(413, f"The body is too large: at most {most} bytes are taken.")
        if self._bytes + size > self._limits.max_in_flight_bytes:
            raise problem(503, "The bodies of other requests take all the room; come again.", headers=_SOON)

    async def _work(self, scope: Scope, body: bytes, receive: Receive, answer: _Answer) -> None:
        limit = self._limits.long_timeout if scope["path"].startswith(_LONG) else self._limits.timeout
        unread, gone = [body], asyncio.Event()

        async def read() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            answer.expire()

        try:
            async with asyncio.timeout(limit) as deadline:
                answer.has_until(deadline, limit)
                watching = asyncio.create_task(watch())
                try:
                    await self._app(scope, read, answer.send)
                finally:
                    watching.cancel()
        except TimeoutError:
            if not deadline.expired():
                raise
            if gone.is_set():
                raise ClientDisconnect from None
            raise problem(504, f"The request was not done within {limit:g} seconds.") from None


class _Answer:
    """What was sent of an answer. Each piece of it gives the request its time anew."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._deadline: asyncio.Timeout | None = None
        self._limit: float | None = None
        self._has_started = False
        self._is_complete = False

    def has_until(self, deadline: asyncio.Timeout, limit: float | None) -> None:
        """Sets when the work is cancelled, and the seconds that it has."""
        self._deadline, self._limit = deadline, limit

    def expire(self) -> None:
        """Cancels the work, unless all is answered."""
        if not self._is_complete:
            self._have(0)

    async def send(self, message: Message) -> None:
        """Sends a piece on."""
        if message["type"] == "http.response.start":
            self._has_started = True
        else:
            self._is_complete = not message.get("more_body", False)
            self._have(None if self._is_complete else self._limit)
        await self._send(message)

    async def fail(self, connection: HTTPConnection, receive: Receive, error: Exception) -> None:
        """Answers with what went wrong; an answer that has begun is cut off."""
        response = answer_problem(connection, error)
        if not self._has_started:
            await response(connection.scope, receive, self._send)

    def _have(self, seconds: float | None) -> None:
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)
