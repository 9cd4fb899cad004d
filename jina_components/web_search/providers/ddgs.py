"""DuckDuckGo, Bing, Google and others through the package `ddgs`, which needs no key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jina_components.core.component import Component
from jina_components.errors import ConfigError, FetchTimeoutError, MissingDependencyError, WebError
from jina_components.search_options import SearchOptions, TimeRange
from jina_components.types import SearchResult
from jina_components.web_search.provider import Capabilities, Rate, with_operators
from jina_components.web_search.providers.api import number, text

if TYPE_CHECKING:
    from ddgs import DDGS

_SAFE = {"off": "off", "moderate": "moderate", "strict": "on"}
_LIMITS: dict[TimeRange, str] = {"day": "d", "week": "w", "month": "m", "year": "y"}
_CATEGORIES = {"web": "text", "news": "news", "images": "images"}
_NOTHING_FOUND = "No results found."


class DdgsSearch(Component):
    """Asks public search engines the way a browser does, through `ddgs` (`pip install 'jina-components[search]'`).

    The package has connections of its own, to these engines alone; the URL guard does not apply to them. Engines that
    are asked too often refuse for a while. It reads the variable `DDGS_PROXY`, unless `proxy` is given.

    Args:
        backend: Engines to use, by their names there (`duckduckgo, brave`), or `auto`.
        proxy: URL of a proxy (http, https, socks5); shown in no repr.
        timeout: Seconds for an engine.
        rate: How often to call; by default 20 times a minute.

    Raises:
        ConfigError: a limit makes no sense.
    """

    name = "ddgs"
    can = Capabilities(
        kinds={"web": 100, "news": 100, "images": 100},
        options=frozenset({"page", "country", "language", "file_types", "in_title", "time_range", "safe"}),
        rate=Rate(20, 60.0),
    )

    def __init__(
        self, *, backend: str = "auto", proxy: str | None = None, timeout: int = 8, rate: Rate | None = None
    ) -> None:
        if timeout <= 0:
            raise ConfigError(f"timeout must be positive, got {timeout}.")
        self.capabilities = replace(self.can, rate=rate or self.can.rate)
        self._backend = backend
        self._proxy = proxy
        self._timeout = timeout

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The hits, best first.

        Raises:
            MissingDependencyError: the package is not installed.
            ConfigError: it has no such engine for what is searched for.
            WebError: no engine answered.
        """
        return await asyncio.to_thread(self._search, query, options)

    def _search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        client = self._client()
        from ddgs.exceptions import DDGSException, TimeoutException

        self._check_backend(_CATEGORIES[options.kind])
        ask = {"web": client.text, "news": client.news, "images": client.images}[options.kind]
        try:
            found = ask(
                with_operators(query, options),
                region=_region(options),
                safesearch=_SAFE[options.safe],
                timelimit=_LIMITS.get(options.time_range),
                max_results=options.count,
                page=options.page,
                backend=self._backend,
            )
        except TimeoutException as error:
            raise FetchTimeoutError("No engine of ddgs answered in time; raise timeout, or try again.") from error
        except DDGSException as error:
            if str(error) == _NOTHING_FOUND:
                return []
            raise WebError(f"The engines of ddgs failed ({error}); try again later, or another backend.") from error
        return [_result(row) for row in found]

    def _client(self) -> DDGS:
        try:
            from ddgs import DDGS
        except ImportError as error:
            raise MissingDependencyError(
                "Searching with ddgs needs that package: pip install 'jina-components[search]'."
            ) from error
        return DDGS(proxy=self._proxy, timeout=self._timeout)

    def _check_backend(self, category: str) -> None:
        from ddgs.engines import ENGINES

        known = {"auto", "all", *ENGINES[category]}
        unknown = {name.strip() for name in self._backend.split(",")} - known
        if unknown:  # for which the package would quietly take others
            names = ", ".join(sorted(known))
            raise ConfigError(f"ddgs has no engine {', '.join(sorted(unknown))!r} for {category}; it has {names}.")

    def __repr__(self) -> str:
        return f"DdgsSearch(backend={self._backend!r})"


def _region(options: SearchOptions) -> str:
    """Country and language as DuckDuckGo writes them."""
    primary, _, rest = options.language.lower().partition("-")
    country = options.country.lower() or (rest if len(rest) == 2 else "us")
    return f"{'uk' if country == 'gb' else country}-{primary or 'en'}"


def _result(row: Mapping[str, Any]) -> SearchResult:
    return SearchResult(
        url=text(row, "href") or text(row, "url"),
        title=text(row, "title"),
        description=text(row, "body"),
        published_time=text(row, "date"),
        source=text(row, "source"),
        image_url=text(row, "image"),
        image_width=number(row, "width"),
        image_height=number(row, "height"),
    )
