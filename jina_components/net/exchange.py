"""One HTTP exchange: sent until answered, its body read within limits, foreign errors mapped to ours."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from jina_components.errors import FetchTimeoutError, WebError
from jina_components.net.body import read_body
from jina_components.net.retry import with_retries

_ERROR_PAGE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response.

    Attributes:
        url: The URL it came from, after redirects.
        status_code: The HTTP status.
        headers: Response headers, names in lower case, repeated ones joined by commas.
        content: The body, unpacked.
        from_cache: Whether it was read from the `ResponseCache`.
    """

    url: str
    status_code: int
    headers: Mapping[str, str] = field(hash=False)
    content: bytes
    from_cache: bool = False

    def __repr__(self) -> str:
        origin = ", from cache" if self.from_cache else ""
        return f"Fetched({self.url!r}, {self.status_code}, {len(self.content)} bytes{origin})"


async def exchange(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    *,
    deadline: float,
    retries: int,
    max_bytes: int,
) -> Fetched:
    """The answer to `request`, whatever its status; of a redirect, without the body.

    Args:
        transport: Where to send it.
        request: A request that may be repeated.
        deadline: Time of the running loop's clock by which all is over, retries and waits included.
        retries: Attempts after the first.
        max_bytes: Limit of the body.

    Raises:
        FetchTimeoutError: the deadline passed, or no connection came about.
        ContentTooLargeError: the body exceeds `max_bytes`.
        BlockedURLError: the guard of the transport refused the address.
        WebError: any other failure of the network or the server.
    """
    url = str(request.url)
    attempt = functools.partial(_attempt, transport, request, max_bytes)
    try:
        async with asyncio.timeout_at(deadline):
            return await with_retries(attempt, retries=retries, deadline=deadline)
    except WebError as error:
        # Raised below, where only a host or a body is known.
        raise type(error)(f"{url}: {error.message}", url) from error.__cause__
    except (TimeoutError, httpx.TimeoutException) as error:
        raise FetchTimeoutError(f"{url} gave no full answer in time; raise timeout or retry.", url) from error
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise WebError(f"{url} cannot be fetched ({reason}); check the URL and the network.", url) from error


async def _attempt(transport: httpx.AsyncBaseTransport, request: httpx.Request, max_bytes: int) -> Fetched:
    response = await transport.handle_async_request(request)
    try:
        content = await _content(response, max_bytes)
    finally:
        await response.aclose()
    return Fetched(str(request.url), response.status_code, dict(response.headers), content)


async def _content(response: httpx.Response, max_bytes: int) -> bytes:
    if response.is_success:
        return await read_body(response, max_bytes=max_bytes)
    if not response.is_error:
        return b""
    try:
        return await read_body(response, max_bytes=min(max_bytes, _ERROR_PAGE_BYTES))
    except WebError:
        return b""  # the status is the failure to report; its page only illustrates it
