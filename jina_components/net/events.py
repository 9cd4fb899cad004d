"""Server-sent events: a stream of them, read within limits.

The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html. Of an event only the data is
given; its type, its id and the comments that keep a connection alive are not.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, cast

import httpx

from jina_components.errors import ContentTooLargeError, FetchTimeoutError, WebError
from jina_components.net.body import read_body
from jina_components.net.exchange import Fetched
from jina_components.net.retry import with_retries

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"
_ERROR_PAGE_BYTES = 65_536


class _Reading(Protocol):
    def feed(self, chunk: bytes) -> list[str]: ...
    def end(self) -> list[str]: ...


class EventParser:
    """Turns the bytes of a stream, however they are cut, into the data of its events."""

    def __init__(self) -> None:
        self._line: list[bytes] = []  # parts of the line that has not ended
        self._data: list[str] = []  # lines of the event that has not ended
        self._after_return = False
        self._first = True

    def feed(self, chunk: bytes) -> list[str]:
        """The data of the events that end in `chunk`."""
        if not chunk:
            return []
        begin = 1 if self._after_return and chunk.startswith(b"\n") else 0
        self._after_return = chunk.endswith(b"\r")
        head, *lines = _LINE_END.split(chunk[begin:])
        self._line.append(head)
        events: list[str] = []
        for line in lines:
            events += self._end_line()
            self._line = [line]
        return events

    def end(self) -> list[str]:
        """The data of the event that the stream ended in, for servers that leave out the empty line after the last."""
        return [*self._end_line(), *self._dispatched()]

    def _end_line(self) -> list[str]:
        line, self._line = b"".join(self._line), []
        if self._first:
            line, self._first = line.removeprefix(_BOM), False
        if not line:
            return self._dispatched()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        return []

    def _dispatched(self) -> list[str]:
        data, self._data = self._data, []
        return ["\n".join(data)] if data else []


class _WholeBody:
    """A body in another form than events, as one of them."""

    def __init__(self) -> None:
        self._body: list[bytes] = []

    def feed(self, chunk: bytes) -> list[str]:
        self._body.append(chunk)
        return []

    def end(self) -> list[str]:
        return [b"".join(self._body).decode("utf-8", "replace")]


class EventStream:
    """An answer that comes event by event.

    Args:
        response: It, unread; it is closed with the stream.
        max_bytes: Limit of all its bytes.

    Attributes:
        status_code: The HTTP status.
        headers: Response headers.
    """

    def __init__(self, response: httpx.Response, *, max_bytes: int) -> None:
        self.status_code = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        # httpx calls it an iterator; it must be closed, so that nothing is left to the garbage collector.
        self._chunks = cast("AsyncGenerator[bytes, None]", response.aiter_raw())
        whole = response.headers.get("content-type", "").lower().startswith("application/json")
        self._reading: _Reading = _WholeBody() if whole else EventParser()
        self._ready: deque[str] = deque()
        self._max_bytes = max_bytes
        self._received = 0
        self._ended = False

    async def receive(self) -> None:
        """Wait for more of it, or for its end.

        Raises:
            ContentTooLargeError: it exceeds its limit.
            httpx.HTTPError: the connection failed.
        """
        chunk = await anext(self._chunks, None)
        if chunk is None:
            self._ended = True
            self._ready += self._reading.end()
            return
        self._received += len(chunk)
        if self._received > self._max_bytes:
            raise ContentTooLargeError(f"The answer exceeds {self._max_bytes:,} bytes.")
        self._ready += self._reading.feed(chunk)

    async def next_data(self) -> str | None:
        """The data of the next event; None at the end. Raises as `receive`."""
        while not self._ready and not self._ended:
            await self.receive()
        return self._ready.popleft() if self._ready else None

    async def aclose(self) -> None:
        """Close the connection, unless all of the answer was read."""
        await self._chunks.aclose()
        await self._response.aclose()


@contextmanager
def as_web_errors(url: str, *, late: str) -> Iterator[None]:
    """Maps what httpx and timeouts raise; `late` says what did not come in time."""
    try:
        yield
    except WebError as error:  # raised where only a body is known
        raise type(error)(f"{url}: {error.message}", url) from error.__cause__
    except (TimeoutError, httpx.TimeoutException) as error:
        raise FetchTimeoutError(f"{url} {late} in time; raise timeout or retry.", url) from error
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise WebError(f"{url} cannot be read ({reason}); check the URL and the network.", url) from error


async def open_events(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, *, deadline: float, retries: int, max_bytes: int
) -> EventStream | Fetched:
    """The stream that answers `request`, once its first bytes are there; of an error status its page.

    What fails before these first bytes is tried again, as in `with_retries`.

    Args:
        transport: Where to send it.
        request: A request that may be repeated.
        deadline: Time of the running loop's clock by which the stream must have begun, retries and waits included.
        retries: Attempts after the first.
        max_bytes: Limit of the stream.

    Raises:
        FetchTimeoutError: the deadline passed, or no connection came about.
        WebError: any other failure of the network or the server.
    """

    async def attempt() -> EventStream | Fetched:
        response = await transport.handle_async_request(request)
        if not response.is_success:
            return await _error_page(request, response)
        stream = EventStream(response, max_bytes=max_bytes)
        try:
            _check_identity(response)
            await stream.receive()
        except BaseException:
            await stream.aclose()
            raise
        return stream

    with as_web_errors(str(request.url), late="began no answer"):
        async with asyncio.timeout_at(deadline):
            return await with_retries(attempt, retries=retries, deadline=deadline)


async def _error_page(request: httpx.Request, response: httpx.Response) -> Fetched:
    try:
        content = await read_body(response, max_bytes=_ERROR_PAGE_BYTES)
    except WebError:
        content = b""  # the status is the failure to report; its page only illustrates it
    finally:
        await response.aclose()
    return Fetched(str(request.url), response.status_code, dict(response.headers), content)


def _check_identity(response: httpx.Response) -> None:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise WebError(f"The answer is packed as {encoding!r}, which was not asked for.")
