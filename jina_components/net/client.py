"""Fetching URLs that others wrote: guarded, bounded, with redirects checked hop by hop."""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import Mapping

import httpx

from jina_components.errors import ConfigError, HTTPStatusError, WebError
from jina_components.net.body import ACCEPT_ENCODING
from jina_components.net.cache import ResponseCache
from jina_components.net.exchange import Fetched, exchange
from jina_components.net.guard import URLGuard
from jina_components.net.headers import checked
from jina_components.net.transport import Connected, Connections, GuardedTransport

logger = logging.getLogger(__name__)

DEFAULT_USER_AGENT = "Mozilla/5.0 (compatible; jina-components)"
CONNECT_SECONDS = 10.0

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Headers that identify nobody: they alone go on to another origin, and a request with others is not cached.
_IMPERSONAL = frozenset({"accept", "accept-language", "user-agent"})


class Fetcher(Connected):
    """Fetches URLs that may come from anybody: a web page, a search result, a user of a service.

    Every hop passes the guard, no cookies are kept, no proxies are used, and connections are reused on
    the same event loop. Safe to share between threads, each with its own loop.

    Args:
        guard: What may be reached.
        timeout: Seconds for a whole fetch: redirects, retries, waits and body.
        max_bytes: Limit of the body, as sent and as unpacked.
        max_redirects: Redirects to follow.
        retries: Further attempts for each hop (see `with_retries`).
        user_agent: The `User-Agent` header.
        cache: Where responses are kept, or None; a response that cannot be kept is logged, and returned all the same.
        ssl_context: TLS settings, for servers of a private certificate authority; None for the usual ones.

    Raises:
        ConfigError: a limit makes no sense.
    """

    def __init__(
        self,
        *,
        guard: URLGuard = URLGuard(),  # noqa: B008 (immutable)
        timeout: float = 30.0,
        max_bytes: int = 50_000_000,
        max_redirects: int = 10,
        retries: int = 2,
        user_agent: str = DEFAULT_USER_AGENT,
        cache: ResponseCache | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if min(timeout, max_bytes) <= 0 or min(max_redirects, retries) < 0:
            raise ConfigError("timeout, max_bytes must be positive, max_redirects, retries not negative.")
        self.guard = guard
        self.timeout = timeout
        self.max_bytes = max_bytes
        self.max_redirects = max_redirects
        self.retries = retries
        self.user_agent = user_agent
        self.cache = cache
        self._connections = Connections(functools.partial(GuardedTransport, guard, ssl_context))

    async def fetch(self, url: str, *, headers: Mapping[str, str] | None = None) -> Fetched:
        """The response behind `url`, redirects followed.

        Args:
            url: An http(s) URL.
            headers: Request headers. Credentials among them go to the origin of `url` only.

        Raises:
            BlockedURLError: the guard refuses the URL, a redirect or an address.
            FetchTimeoutError: not complete within `timeout`.
            ContentTooLargeError: the body exceeds `max_bytes`.
            HTTPStatusError: the server answered with an error status.
            WebError: any other failure of the network or the server.
            InputError: a header is malformed, or is one that the fetcher sets itself.
        """
        url = self.guard.check(url)
        sent = self._headers(headers or {})
        if self.cache is None or sent.keys() - _IMPERSONAL:
            return await self._follow(url, sent)
        # Under the guard's settings, so that what a lenient guard let in is not served under a strict one.
        vary = {**sent, "guard": repr(self.guard)}
        hit = await asyncio.to_thread(self.cache.get, url, vary)
        if hit is not None and len(hit.content) <= self.max_bytes:
            return hit
        fetched = await self._follow(url, sent)
        try:
            await asyncio.to_thread(self.cache.put, url, vary, fetched)
        except ConfigError as error:  # a full disk is no reason to lose what was fetched
            logger.warning("%s is not cached: %s", url, error)
        return fetched

    async def _follow(self, url: str, headers: Mapping[str, str]) -> Fetched:
        deadline = asyncio.get_running_loop().time() + self.timeout
        for _ in range(self.max_redirects + 1):
            fetched = await self._hop(url, headers, deadline)
            location = fetched.headers.get("location")
            if fetched.status_code not in _REDIRECTS or not location:
                return _successful(fetched)
            target = self.guard.check(_join(url, location))
            if _origin(target) != _origin(url):
                headers = {name: value for name, value in headers.items() if name in _IMPERSONAL}
            url = target
        raise WebError(f"{url}: more than {self.max_redirects} redirects; it may redirect in a circle.", url)

    async def _hop(self, url: str, headers: Mapping[str, str], deadline: float) -> Fetched:
        request = httpx.Request(
            "GET",
            url,
            headers={**headers, "accept-encoding": ACCEPT_ENCODING},
            extensions={"timeout": {"connect": min(CONNECT_SECONDS, self.timeout)}},
        )
        return await exchange(
            await self._connections.transport(),
            request,
            deadline=deadline,
            retries=self.retries,
            max_bytes=self.max_bytes,
        )

    def _headers(self, given: Mapping[str, str]) -> dict[str, str]:
        return {"accept": "*/*", "user-agent": self.user_agent, **checked(given)}


def _successful(fetched: Fetched) -> Fetched:
    status = fetched.status_code
    if 200 <= status < 300:
        return fetched
    remedy = "try again later" if status == 429 or status >= 500 else "check the URL and who may read it"
    raise HTTPStatusError(f"{fetched.url} answered with status {status}; {remedy}.", fetched.url, status)


def _join(url: str, location: str) -> str:
    try:
        return str(httpx.URL(url).join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise WebError(f"{url} redirects to something that is no URL: {error}.", url) from error


def _origin(url: str) -> tuple[str, bytes, int | None]:
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.raw_host, parsed.port
