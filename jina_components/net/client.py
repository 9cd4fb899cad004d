"""Fetching URLs that others wrote: guarded, bounded, with redirects checked hop by hop."""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import Mapping
from dataclasses import replace

import httpx

from jina_components.errors import ConfigError, WebError
from jina_components.net.body import ACCEPT_ENCODING
from jina_components.net.cache import ResponseCache
from jina_components.net.exchange import Fetched, accepted, exchange, is_outage, joined, status_error
from jina_components.net.guard import URLGuard
from jina_components.net.headers import checked
from jina_components.net.options import FetchOptions
from jina_components.net.politeness import Politeness
from jina_components.net.robots import RobotsTexts
from jina_components.net.transport import Connected, Connections, GuardedTransport, ProxiedTransport

logger = logging.getLogger(__name__)

DEFAULT_USER_AGENT = "Mozilla/5.0 (compatible; jina-components)"
CONNECT_SECONDS = 10.0

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Headers that identify nobody: they alone go on to another origin.
_IMPERSONAL = frozenset({"accept", "accept-language", "user-agent"})
# A request with others is not cached.
_CACHEABLE = _IMPERSONAL | {"referer"}
_ROBOTS = FetchOptions(timeout=10.0, max_bytes=5_000_000, accept_errors=True)


class Fetcher(Connected):
    """Fetches URLs that may come from anybody: a web page, a search result, a user of a service.

    Every hop passes the guard, no cookies are kept, no proxies are used but one asked for, and connections are
    reused on the same event loop. Safe to share between threads, each with its own loop.

    Args:
        guard: What may be reached.
        timeout: Seconds for a whole fetch: redirects, retries and body. Waiting for the turn at a host, and for
            its robots.txt (up to 10 s), does not count.
        max_bytes: Limit of the body, as sent and as unpacked.
        max_redirects: Redirects to follow.
        retries: Further attempts for each hop (see `with_retries`).
        user_agent: The `User-Agent` header.
        cache: Where responses are kept, or None; a response that cannot be kept is logged, and returned all the same.
        politeness: How many requests a host gets at a time and how often. None for a `Politeness()` of its own.
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
        politeness: Politeness | None = None,
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
        self.politeness = politeness or Politeness()
        self._ssl_context = ssl_context
        self._robots = RobotsTexts()
        self._connections = Connections(functools.partial(GuardedTransport, guard, ssl_context))

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        options: FetchOptions = FetchOptions(),  # noqa: B008 (immutable)
    ) -> Fetched:
        """The response behind `url`, redirects followed.

        A cached response that is young enough is served; if the fetch fails for want of an answer (no connection,
        no time, status 429 or 5xx), an older one within the cache's retention is, and says so in `failure`.
        Requests with headers that tell one user from another, such as cookies, bypass the cache.

        Args:
            url: An http(s) URL.
            headers: Request headers. Credentials among them go to the origin of `url` only.
            options: Settings of this fetch.

        Raises:
            BlockedURLError: the guard refuses the URL, a redirect or an address.
            RobotsDeniedError: `options.robots` may not fetch the URL or a redirect.
            FetchTimeoutError: not complete within the timeout.
            ContentTooLargeError: the body exceeds the limit.
            HTTPStatusError: the server answered with an error status, and `options.accept_errors` is not set.
            WebError: any other failure of the network or the server.
            InputError: a header is malformed, or is one that the fetcher sets itself.
        """
        url = self.guard.check(url)
        sent = {"accept": "*/*", "user-agent": self.user_agent, **checked(headers or {})}
        if self.cache is None or sent.keys() - _CACHEABLE:
            return accepted(await self._follow(url, sent, options), errors=options.accept_errors)
        return await self._through(self.cache, url, sent, options)

    async def post(
        self,
        url: str,
        content: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        options: FetchOptions = FetchOptions(),  # noqa: B008 (immutable)
    ) -> Fetched:
        """The answer of `url` to `content`; never from the cache.

        For receivers that bear to be sent the same twice: what fails on the way is tried again. A redirect is an error
        status, since the content was not meant for where it leads.

        Args:
            url: An http(s) URL.
            content: The body.
            headers: Request headers, such as `content-type`.
            options: Settings of this call; those of caching and of robots do not count.

        Raises:
            BlockedURLError, FetchTimeoutError, ContentTooLargeError, HTTPStatusError, WebError, InputError: as `fetch`.
        """
        url = self.guard.check(url)
        sent = {"accept": "*/*", "user-agent": self.user_agent, **checked(headers or {})}
        async with self.politeness.turn(httpx.URL(url).raw_host.decode()):
            deadline = asyncio.get_running_loop().time() + (options.timeout or self.timeout)
            answer = await self._hop(url, sent, options, deadline, content)
        return accepted(answer, errors=options.accept_errors)

    async def check_robots(self, url: str, options: FetchOptions) -> float:
        """Seconds that the site of `url` asks the bot `options.robots` to leave between requests, 0 for none.

        `fetch` does this itself; it is for those who fetch by other means, such as a browser.

        Raises:
            RobotsDeniedError: the bot may not fetch `url`, or robots.txt cannot be had (RFC 9309, section 2.3.1.4).
            BlockedURLError: the guard refuses the site.
        """
        own = replace(_ROBOTS, proxy=options.proxy)

        async def fetch(robots_url: str) -> Fetched:
            return await self._follow(self.guard.check(robots_url), {"user-agent": self.user_agent}, own)

        return await self._robots.check(self.guard.check(url), options.robots, via=options.proxy, fetch=fetch)

    async def _through(self, cache: ResponseCache, url: str, sent: Mapping[str, str], options: FetchOptions) -> Fetched:
        # Under the guard's settings and the bot's name, so that what a lenient guard let in, or a bot that obeys no
        # robots.txt, is not served to a strict one; and apart for each proxy and for TLS settings of one's own, which
        # could put anything in the place of a page.
        vary = {
            **sent,
            "guard": repr(self.guard),
            "robots": options.robots,
            "proxy": options.proxy,
            "own tls": str(bool(self._ssl_context)),
        }
        tolerance = cache.tolerance if options.cache_tolerance is None else options.cache_tolerance
        hit = await self._cached(cache, url, vary, tolerance, options)
        if hit is not None:
            return hit

        async def instead_of(failure: WebError) -> Fetched | None:
            if tolerance == 0 or not is_outage(failure):
                return None
            old = await self._cached(cache, url, vary, cache.retention, options)
            return old and replace(old, failure=failure.message)

        try:
            fetched = await self._follow(url, sent, options)
        except WebError as error:
            if old := await instead_of(error):
                return old
            raise
        if failure := status_error(fetched):
            return await instead_of(failure) or accepted(fetched, errors=options.accept_errors)
        if options.store:
            await _keep(cache, url, vary, fetched)
        return fetched

    async def _cached(
        self, cache: ResponseCache, url: str, vary: Mapping[str, str], tolerance: float, options: FetchOptions
    ) -> Fetched | None:
        hit = await asyncio.to_thread(cache.get, url, vary, tolerance=tolerance)
        return hit if hit is not None and len(hit.content) <= (options.max_bytes or self.max_bytes) else None

    async def _follow(self, url: str, headers: Mapping[str, str], options: FetchOptions) -> Fetched:
        clock = asyncio.get_running_loop().time
        remaining = options.timeout or self.timeout
        for _ in range(self.max_redirects + 1):
            delay = await self.check_robots(url, options) if options.robots else 0.0
            async with self.politeness.turn(httpx.URL(url).raw_host.decode(), delay=delay):
                begin = clock()
                fetched = await self._hop(url, headers, options, begin + remaining)
                remaining -= clock() - begin
            location = fetched.headers.get("location")
            if fetched.status_code not in _REDIRECTS or not location:
                return fetched
            target = self.guard.check(joined(url, location))
            if _origin(target) != _origin(url):
                headers = {name: value for name, value in headers.items() if name in _IMPERSONAL}
            url = target
        raise WebError(f"{url}: more than {self.max_redirects} redirects; it may redirect in a circle.", url)

    async def _hop(
        self,
        url: str,
        headers: Mapping[str, str],
        options: FetchOptions,
        deadline: float,
        content: bytes | None = None,
    ) -> Fetched:
        connect = min(CONNECT_SECONDS, options.timeout or self.timeout)
        request = httpx.Request(
            "GET" if content is None else "POST",
            url,
            # Left to httpx, the host of a name that IDNA 2008 refuses (xn--i-7iq.ws) would be an error.
            headers={**headers, "host": httpx.URL(url).netloc.decode("ascii"), "accept-encoding": ACCEPT_ENCODING},
            content=content,
            extensions={"timeout": {"connect": connect}},
        )
        send = functools.partial(
            exchange,
            request=request,
            deadline=deadline,
            retries=self.retries,
            max_bytes=options.max_bytes or self.max_bytes,
            keep_errors=options.accept_errors,
            notice=functools.partial(self.politeness.heed, request.url.raw_host.decode()),
        )
        if not options.proxy:
            return await send(await self._connections.transport())
        async with ProxiedTransport(self.guard, options.proxy, self._ssl_context) as transport:
            return await send(transport)


async def _keep(cache: ResponseCache, url: str, vary: Mapping[str, str], fetched: Fetched) -> None:
    try:
        await asyncio.to_thread(cache.put, url, vary, fetched)
    except ConfigError as error:  # a full disk is no reason to lose what was fetched
        logger.warning("%s is not cached: %s", url, error)


def _origin(url: str) -> tuple[str, bytes, int | None]:
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.raw_host, parsed.port
