"""Getting sources: bytes as they are, files from disk, URLs by the direct way or through a browser."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from jina_components.errors import (
    BlockedURLError,
    HTTPStatusError,
    InputError,
    JinaComponentsError,
    MissingDependencyError,
    WebError,
)
from jina_components.read_options import ReadOptions
from jina_components.reader.browser.snapshot import Order, Snapshot
from jina_components.reader.charset import decode
from jina_components.reader.files import local_path, read_file
from jina_components.reader.parsing import ParsedHtml, declared_charset, parse_source
from jina_components.reader.signals import needs_browser
from jina_components.reader.snapshots import cached_snapshot
from jina_components.reader.sources import Source, format_of

if TYPE_CHECKING:
    from jina_components.net import Fetched, Fetcher
    from jina_components.net.options import FetchOptions, SupportsFetch
    from jina_components.reader.browser import Browser

Given: TypeAlias = str | os.PathLike[str] | bytes

_URL = re.compile(r"https?://", re.IGNORECASE)
_PAGE = re.compile(r"#(?:page=)?(\d{1,6})\Z")
_NOWHERE = "http://local.invalid/"  # where HTML without a URL is rendered (RFC 6761): nothing relative is found there
_TIMEOUT = 30.0
_SCRIPTED = "The page seems to be built by scripts, which were not run"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A source, and what is known from the way it came.

    Attributes:
        source: Its bytes.
        parsed: The page in it, if it is HTML and was looked into already.
        screenshot: PNG, if asked for.
        warnings: What went wrong on the way.
        is_final: Whether no better version follows.
        page: Number of the page of a PDF that the URL's fragment names (RFC 8118: `#page=2`; `#2` too), or None.
    """

    source: Source
    parsed: ParsedHtml | None = None
    screenshot: bytes = b""
    warnings: tuple[str, ...] = ()
    is_final: bool = True
    page: int | None = None


class Loader:
    """Loads sources for a `Reader`.

    Args:
        fetcher: Fetches URLs; by default one that reaches public addresses only.
        browser: Renders pages; by default one behind the fetcher's guard.
        max_file_bytes: Largest file, and largest response of the default fetcher.
    """

    def __init__(self, *, fetcher: SupportsFetch | None, browser: Browser | None, max_file_bytes: int) -> None:
        self._fetcher = fetcher
        self._browser = browser
        self._max_file_bytes = max_file_bytes
        self._own_fetcher: Fetcher | None = None
        self._own_browser: Browser | None = None
        self._lock = threading.Lock()

    async def load(self, given: Given, options: ReadOptions, *, base_url: str, content_type: str) -> Loaded:
        """What `given` holds.

        Raises:
            InputError, ReadError, WebError, ExtractionError, MissingDependencyError: as `Reader.read`.
        """
        if base_url:
            _check_base(base_url)
        if not isinstance(given, str) or not _URL.match(given):
            return await self._local(given, options, base_url=base_url, content_type=content_type)
        if options.engine == "browser" or options.needing_browser():
            loaded = await self._rendered(given, options)
        else:
            loaded = await self._fetched(given, options, content_type=content_type)
            if options.engine == "auto" and await asyncio.to_thread(_is_scripted, loaded):
                loaded = await self._rendered_if_possible(given, options, loaded)
        source = replace(loaded.source, base_url=base_url or loaded.source.base_url)
        named = _PAGE.search(given)
        return replace(loaded, source=source, page=int(named[1]) if named else None)

    async def stream(self, url: str, options: ReadOptions) -> AsyncGenerator[Loaded, None]:
        """Ever better versions of a page, the last one final: as fetched, if no browser is needed or it is awaited.

        Raises:
            InputError: not an http(s) URL. And as `load`.
        """
        if not isinstance(url, str) or not _URL.match(url):
            raise InputError(f"Only pages behind http(s) URLs come in versions, got {url!r}: use read.")
        if not (options.engine == "browser" or options.needing_browser()):
            loaded = await self._fetched(url, options)
            if options.engine == "direct" or not await asyncio.to_thread(_is_scripted, loaded):
                yield loaded
                return
            yield replace(loaded, is_final=False)
            try:
                async for version in self._versions(url, options):
                    yield version
            except (MissingDependencyError, WebError) as error:
                yield _unrendered(loaded, error)
            return
        async for version in self._versions(url, options):
            yield version

    async def _versions(self, url: str, options: ReadOptions) -> AsyncGenerator[Loaded, None]:
        snapshots = self._browsing().stream(url, options, timeout=options.timeout or _TIMEOUT)
        async with self._turn(url, options), aclosing(snapshots):
            async for snapshot in snapshots:
                if snapshot.is_document:
                    yield await self._of_snapshot(snapshot, url, options)
        if not snapshot.is_document:  # fetched in a turn of its own
            yield await self._of_snapshot(snapshot, url, options)

    async def aclose(self) -> None:
        """End its own connections and processes."""
        with self._lock:
            fetcher, self._own_fetcher = self._own_fetcher, None
            browser, self._own_browser = self._own_browser, None
        if fetcher is not None:
            await fetcher.aclose()
        if browser is not None:
            await browser.aclose()

    async def _local(self, given: Given, options: ReadOptions, *, base_url: str, content_type: str) -> Loaded:
        if isinstance(given, bytes):
            source = Source(base_url, given, base_url, content_type)
        else:
            path = local_path(given)
            data = await asyncio.to_thread(read_file, path, max_bytes=self._max_file_bytes)
            source = Source(path, data, base_url, content_type)
        if not (options.engine == "browser" or options.needing_browser()) or format_of(source) != "html":
            parsed = await asyncio.to_thread(_parsed, source)
            loaded = Loaded(source, parsed)
            if options.engine == "direct" or not await asyncio.to_thread(_is_scripted, loaded):
                return loaded
            return replace(loaded, warnings=(f"{_SCRIPTED}: render it with engine='browser'.",))
        text = decode(source.data, declared=(source.charset, declared_charset(source.data))).text
        loaded = await self._rendered(base_url or _NOWHERE, options, html=text)
        return replace(loaded, source=replace(loaded.source, name=source.name, base_url=base_url))

    async def _fetched(self, url: str, options: ReadOptions, *, content_type: str = "") -> Loaded:
        fetched = await self._web().fetch(url, headers=_headers(url, options), options=_fetch_options(options))
        base = url if options.base == "initial" else fetched.url
        declared = content_type or fetched.headers.get("content-type", "")
        source = Source(fetched.url, fetched.content, base, declared)
        parsed = await asyncio.to_thread(_parsed, source)
        return Loaded(source, parsed, warnings=tuple(_fetch_warnings(fetched)))

    async def _rendered(self, url: str, options: ReadOptions, *, html: str | None = None) -> Loaded:
        browser, fetcher = self._browsing(), self._guarded()
        order = Order(url, options, options.timeout or _TIMEOUT, html)

        async def render() -> Snapshot:
            async with nullcontext() if html is not None else self._turn(url, options):
                return await browser.snapshot(url, options, timeout=order.timeout, html=html)

        if fetcher is None or fetcher.cache is None or html is not None:
            return await self._of_snapshot(await render(), url, options)
        snapshot = await cached_snapshot(order, fetcher.cache, browser.guard, render)
        return await self._of_snapshot(snapshot, url, options)

    async def _rendered_if_possible(self, url: str, options: ReadOptions, loaded: Loaded) -> Loaded:
        """The page as a browser shows it; as it was fetched, with a warning, if there is no browser."""
        try:
            return await self._rendered(url, options)
        except (MissingDependencyError, WebError) as error:
            return _unrendered(loaded, error)

    async def _of_snapshot(self, snapshot: Snapshot, url: str, options: ReadOptions) -> Loaded:
        if not snapshot.is_document:
            # What the caller sends is for the URL's own origin, and a redirect may have led to a stranger's.
            is_own = _origin(snapshot.url) == _origin(url)
            sent = options if is_own else replace(options, headers={}, cookies=(), referer="")
            return await self._fetched(snapshot.url, sent)
        if snapshot.status >= 400 and not options.accept_errors:
            raise HTTPStatusError(
                f"{snapshot.url} answered with status {snapshot.status}; check the URL and who may read it, or read it "
                "all the same with accept_errors.",
                snapshot.url,
                snapshot.status,
            )
        base = url if options.base == "initial" else snapshot.url
        source = Source(snapshot.url, snapshot.html.encode(), base, "text/html; charset=utf-8")
        return Loaded(source, None, snapshot.screenshot, snapshot.warnings, snapshot.is_final)

    @asynccontextmanager
    async def _turn(self, url: str, options: ReadOptions) -> AsyncIterator[None]:
        """A browser asks robots.txt and waits for its turn at the host as the fetcher does."""
        fetcher = self._guarded()
        if fetcher is None:
            yield
            return
        delay = await fetcher.check_robots(url, _fetch_options(options)) if options.robots else 0.0
        async with fetcher.politeness.turn(urlsplit(url).hostname or "", delay=delay):
            yield

    def _web(self) -> SupportsFetch:
        if self._fetcher is not None:
            return self._fetcher
        from jina_components.net import Fetcher

        with self._lock:
            if self._own_fetcher is None:
                self._own_fetcher = Fetcher(max_bytes=self._max_file_bytes)
            return self._own_fetcher

    def _guarded(self) -> Fetcher | None:
        """The fetcher, if it is ours and not a stand-in without guard and cache."""
        from jina_components.net import Fetcher

        fetcher = self._web()
        return fetcher if isinstance(fetcher, Fetcher) else None

    def _browsing(self) -> Browser:
        if self._browser is not None:
            return self._browser
        from jina_components.reader.browser import Browser

        fetcher = self._guarded()
        with self._lock:
            if self._own_browser is None:
                # Behind the same guard, so that a page reaches what its URL may reach and no more.
                self._own_browser = Browser(guard=fetcher.guard) if fetcher else Browser()
            return self._own_browser


def _check_base(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_url = bool(_URL.match(url) and parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise InputError(f"base_url must be an http(s) URL, got {url!r}.")


def _unrendered(loaded: Loaded, error: JinaComponentsError) -> Loaded:
    """What was fetched, with a warning, where a browser was wanted and there is none, or it failed.

    Raises:
        BlockedURLError: the guard refused it to the browser.
    """
    if isinstance(error, BlockedURLError):
        raise error
    return replace(loaded, warnings=(*loaded.warnings, f"{_SCRIPTED}: {error}"))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _parsed(source: Source) -> ParsedHtml | None:
    return parse_source(source) if source.data.strip() and format_of(source) == "html" else None


def _is_scripted(loaded: Loaded) -> bool:
    return loaded.parsed is not None and needs_browser(loaded.parsed.tree)


def _headers(url: str, options: ReadOptions) -> dict[str, str]:
    own = {
        "user-agent": options.user_agent,
        "referer": options.referer,
        "accept-language": options.locale,
        "cookie": _cookies(url, options),
    }
    return {**options.headers, **{name: value for name, value in own.items() if value}}


def _cookies(url: str, options: ReadOptions) -> str:
    from jina_components.net.cookies import cookie_header

    return cookie_header(options.cookies, url=url)


def _fetch_options(options: ReadOptions) -> FetchOptions:
    from jina_components.net import FetchOptions

    return FetchOptions(
        timeout=options.timeout,
        proxy=options.proxy,
        cache_tolerance=options.cache_tolerance,
        store=not options.do_not_track,
        accept_errors=options.accept_errors,
        robots=options.robots,
    )


def _fetch_warnings(fetched: Fetched) -> Iterator[str]:
    if fetched.status_code >= 400:
        yield f"The target answered with status {fetched.status_code}."
    if fetched.failure:
        yield f"This is a cached copy, {fetched.age:,.0f} seconds old, for no newer one could be had: {fetched.failure}"
