"""WebSearch: a query into results, and their pages read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import ExitStack, aclosing
from itertools import chain

from jina_components.core.background import iterate_sync, run_sync
from jina_components.core.component import Component
from jina_components.core.inputs import check_query
from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError
from jina_components.protocols import SupportsRead
from jina_components.search_options import SearchOptions
from jina_components.types import Page, SearchResult, SearchResults, Usage
from jina_components.web_search.asking import Found, Line, ask_at_once, ask_in_order
from jina_components.web_search.provider import RemembersPages, SearchProvider
from jina_components.web_search.providers import WITHOUT_SETTINGS
from jina_components.web_search.reading import read_pages

_DEFAULT = "local"


class WebSearch(Component):
    """Searches through one or several providers, and reads the pages they find.

    Providers are asked in order until one has results: one that fails, or finds nothing, gives way to the next, and
    `SearchResults.warnings` says so. One that keeps failing rests for a while. With `merge` all are asked at once, and
    their results fused by reciprocal ranks. A page that is found under several URLs comes once.

    Pages that are read here are remembered by the `LocalIndex` among the providers, which finds them again later; not
    those read with `do_not_track` or with cookies, in another format than `content`, or in part (by selectors, or cut).

    Thread-safe. Pickles as its settings, if its parts do.

    Args:
        providers: Providers, best first, or their names where they need no settings: `ddgs`, `arxiv`, `local`.
            By default a local index in memory, which knows the pages it was told to `remember`, and asks nobody.
        reader: Reads the pages found, such as a `Reader`; without one there are snippets only, but for the local
            index, which has its pages.
        merge: Whether to ask all providers at once.
        timeout: Seconds for a call to a provider.
        concurrency: Pages to read at the same time.
        failures: Calls to a provider that fail in a row before it rests.
        cooling: Seconds of that rest, where the provider's server asks for none of its own.

    Raises:
        ConfigError: a limit makes no sense, or what is given is no provider or no reader.
        UnknownNameError: no provider has that name, or one that does needs settings.

    Example:
        >>> search = WebSearch()
        >>> search.remember([Page("https://example.com/rain", "Rain", "Rain falls from clouds.")])
        >>> search.search("where does rain come from")[0].content
        'Rain falls from clouds.'
    """

    def __init__(
        self,
        providers: SearchProvider | str | Sequence[SearchProvider | str] = _DEFAULT,
        *,
        reader: SupportsRead | None = None,
        merge: bool = False,
        timeout: float = 15.0,
        concurrency: int = 10,
        failures: int = 3,
        cooling: float = 30.0,
    ) -> None:
        if min(timeout, concurrency, failures, cooling) <= 0:
            raise ConfigError("timeout, concurrency, failures and cooling must be positive.")
        if reader is not None and (isinstance(reader, type) or not isinstance(reader, SupportsRead)):
            raise ConfigError(f"reader must have a method aread(source, options=…), such as a Reader, got {reader!r}.")
        given = [providers] if isinstance(providers, str | SearchProvider) else list(providers)
        if not given:
            raise ConfigError("providers is empty: name at least one.")
        self._given = [_checked(provider) for provider in given]
        self._reader = reader
        self._ask = ask_at_once if merge else ask_in_order
        self._timeout = timeout
        self._concurrency = concurrency
        self._failures = failures
        self._cooling = cooling
        self._made: list[Line] = []
        self._lock = threading.Lock()

    def search(self, query: str, *, options: SearchOptions | None = None) -> SearchResults:
        """The results for a query, best first, with their pages as far as they could be read in time.

        Args:
            query: What is sought.
            options: How to search; None for the defaults.

        Returns:
            The results; empty when nothing was found. Where a page was not read, `SearchResult.error` says why.

        Raises:
            InputError: an empty query.
            ConfigError: no provider searches for what `options.kind` names.
            WebError: all providers failed; the message tells why each did.
            MissingDependencyError: a provider needs a package that is not installed.
        """
        return run_sync(self.asearch(query, options=options))

    async def asearch(self, query: str, *, options: SearchOptions | None = None) -> SearchResults:
        """Like `search`, for event loops, which it does not block."""
        results = SearchResults(query)
        async with aclosing(self.astream(query, options=options)) as snapshots:
            async for snapshot in snapshots:
                results = snapshot
        return results

    def stream(self, query: str, *, options: SearchOptions | None = None) -> Generator[SearchResults, None, None]:
        """`search`, watched: the results as soon as there are any, and again after each page that was read.

        The last is what `search` returns. Ending the loop early cancels the rest. Arguments and errors as `search`.
        """
        yield from iterate_sync(self.astream(query, options=options))

    async def astream(self, query: str, *, options: SearchOptions | None = None) -> AsyncGenerator[SearchResults, None]:
        """Like `stream`, for event loops, which it does not block."""
        check_query(query)
        options = options or SearchOptions()
        until = asyncio.get_running_loop().time() + options.deadline
        lines, notes = await asyncio.to_thread(self._suitable, options)
        found = await self._ask(lines, query, options, until=until)
        found = Found(found.results, (*notes, *found.warnings))
        yield _results(query, found.results, found)
        if self._reader is None or not options.contents or options.kind == "images":
            return
        if all(result.page for result in found.results):
            return
        reading = read_pages(found.results, self._reader, options, until=until, concurrency=self._concurrency)
        known = {result.url for result in found.results if result.page}
        async with aclosing(reading):
            async for results in reading:
                if (options.read_options or self._reader.options).is_memorable:
                    self._remember(result.page for result in results if result.page and result.url not in known)
                known.update(result.url for result in results if result.page)
                yield _results(query, results, found)

    def remember(self, pages: Iterable[Page]) -> None:
        """Let the local index among the providers find these pages, such as `Reader().read_all(sources).pages`.

        Raises:
            ConfigError: there is no local index among them.
        """
        if not self._remember(pages):
            raise ConfigError("No provider remembers pages: pass a LocalIndex among them.")

    def close(self) -> None:
        """Close the providers' connections, and save a local index that has a directory."""
        with ExitStack() as closing:  # each of them, also when another cannot save
            for line in self._made:
                if isinstance(line.provider, Component):
                    closing.callback(line.provider.close)

    def __repr__(self) -> str:
        return f"WebSearch({self._given!r}, reader={self._reader!r})"

    def _remember(self, pages: Iterable[Page]) -> bool:
        able = [line.provider for line in self._lines() if isinstance(line.provider, RemembersPages)]
        kept = list(pages)
        for provider in able:
            provider.remember(kept)
        return bool(able)

    def _lines(self) -> list[Line]:
        """The providers; those given by name are made at the first call."""
        with self._lock:
            if not self._made:
                providers = [WITHOUT_SETTINGS[given]() if isinstance(given, str) else given for given in self._given]
                self._made = [
                    Line(provider, timeout=self._timeout, failures=self._failures, cooling=self._cooling)
                    for provider in providers
                ]
            return self._made

    def _suitable(self, options: SearchOptions) -> tuple[list[Line], list[str]]:
        lines = self._lines()
        able = [line for line in lines if options.kind in line.provider.capabilities.kinds]
        if not able:
            known = sorted(set(chain.from_iterable(line.provider.capabilities.kinds for line in lines)))
            raise ConfigError(f"None of the providers searches for {options.kind!r}; they know {', '.join(known)}.")
        skipped = [line.provider.name for line in lines if line not in able]
        return able, [f"{name} does not search for {options.kind}." for name in skipped]


def _checked(provider: SearchProvider | str) -> SearchProvider | str:
    if isinstance(provider, str):
        resolve_name(WITHOUT_SETTINGS, provider, what="search provider without settings")
    elif isinstance(provider, type) or not isinstance(provider, SearchProvider):
        raise ConfigError(f"providers must be search providers or names of them, got {provider!r}.")
    return provider


def _results(query: str, results: Sequence[SearchResult], found: Found) -> SearchResults:
    usage = sum((result.page.usage for result in results if result.page), Usage())
    return SearchResults(query, tuple(results), usage, found.warnings)
