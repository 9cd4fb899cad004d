"""One HTTP exchange: sent until answered, its body read within limits, foreign errors mapped to ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from jina_components.errors import FetchTimeoutError, HTTPStatusError, WebError
from jina_components.net.body import read_body
from jina_components.net.retry import retry_after, with_retries

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
        age: Seconds since it was fetched, if read from the cache.
        failure: Why no newer response could be had, if this is one older than asked for in its place.
    """

    url: str
    status_code: int
    headers: Mapping[str, str] = field(hash=False)
    content: bytes
    from_cache: bool = False
    age: float = 0.0
    failure: str = ""

    def __repr__(self) -> str:
        origin = ", from cache" if self.from_cache else ""
        return f"Fetched({self.url!r}, {self.status_code}, {len(self.content)} bytes{origin})"


def status_error(fetched: Fetched) -> HTTPStatusError | None:
    """The error that the status of a response is; None for success."""
    status = fetched.status_code
    if 200 <= status < 300:
        return None
    remedy = "try again later" if status == 429 or status >= 500 else "check the URL and who may read it"
    message = f"{fetched.url} answered with status {status}; {remedy}."
    return HTTPStatusError(message, fetched.url, status, retry_after(fetched.headers, now=datetime.now(UTC)))


def accepted(fetched: Fetched, *, errors: bool) -> Fetched:
    """`fetched` itself.

    Args:
        fetched: A response.
        errors: Whether one of an error status will do.

    Raises:
        HTTPStatusError: its status is an error, and that will not do.
    """
    if not errors and (failure := status_error(fetched)) is not None:
        raise failure
    return fetched


def joined(url: str, location: str) -> str:
    """Where `url` redirects to, by its `Location` header.

    Raises:
        WebError: that is no URL.
    """
    try:
        return str(httpx.URL(url).join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise WebError(f"{url} redirects to something that is no URL: {error}.", url) from error


def is_outage(error: WebError) -> bool:
    """Whether a fetch failed for want of an answer, and not because of the answer.

    The statuses are those of RFC 5861 (stale-if-error), and 429, which says no more than that it is too early.
    """
    if isinstance(error, HTTPStatusError):
        return error.status_code == 429 or error.status_code >= 500
    return type(error) in (WebError, FetchTimeoutError)


async def exchange(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    *,
    deadline: float,
    retries: int,
    max_bytes: int,
    keep_errors: bool = False,
    notice: Callable[[Fetched], None] | None = None,
) -> Fetched:
    """The answer to `request`, whatever its status; of a redirect, without the body.

    Args:
        transport: Where to send it.
        request: A request that may be repeated.
        deadline: Time of the running loop's clock by which all is over, retries and waits included.
        retries: Attempts after the first.
        max_bytes: Limit of the body.
        keep_errors: Whether the page of an error status is wanted whole; else its beginning will do, or nothing.
        notice: Told of every reply, also of those that are tried again.

    Raises:
        FetchTimeoutError: the deadline passed, or no connection came about.
        ContentTooLargeError: the body exceeds `max_bytes`.
        BlockedURLError: the guard of the transport refused the address.
        WebError: any other failure of the network or the server.
    """
    url = str(request.url)

    async def attempt() -> Fetched:
        reply = await _attempt(transport, request, max_bytes, keep_errors)
        if notice is not None:
            notice(reply)
        return reply

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


async def _attempt(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, max_bytes: int, keep_errors: bool
) -> Fetched:
    response = await transport.handle_async_request(request)
    try:
        content = await _content(response, max_bytes, keep_errors)
    finally:
        await response.aclose()
    return Fetched(str(request.url), response.status_code, dict(response.headers), content)


async def _content(response: httpx.Response, max_bytes: int, keep_errors: bool) -> bytes:
    if response.is_success or (response.is_error and keep_errors):
        return await read_body(response, max_bytes=max_bytes)
    if not response.is_error:
        return b""
    try:
        return await read_body(response, max_bytes=min(max_bytes, _ERROR_PAGE_BYTES))
    except WebError:
        return b""  # the status is the failure to report; its page only illustrates it
