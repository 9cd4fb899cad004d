"""A search provider that needs no network, and the contract of all of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, get_args
from urllib.parse import urlsplit

from jina_components.core.background import run_sync
from jina_components.search_options import SearchKind, SearchOptions, TimeRange
from jina_components.testing.assertions import in_threads, pickled, require
from jina_components.types import SearchResult
from jina_components.web_search.provider import Capabilities, SearchProvider

_WORD = re.compile(r"\w+")
_PATIENCE = 20.0
# Of each option that a provider may honour, a value other than the default.
_VALUES: dict[str, Any] = {
    "page": 2, "country": "de", "language": "de", "location": "Berlin", "file_types": ("pdf",),
    "in_title": ("rain",), "time_range": "year", "safe": "strict", "autocorrect": False,
}  # fmt: skip


class FakeSearchProvider:
    """Finds the results that share words with the query, those with the most first; equal ones in their order.

    Words are those of title and description; case does not count. The same for every kind. No network, no clock.

    Args:
        results: What there is to find.
        name: What the provider is called.
        error: Raised by every search instead, where one is given.

    Example:
        >>> pages = [SearchResult("https://x.org", "Sun"), SearchResult("https://example.com/rain", "Rain")]
        >>> fake = FakeSearchProvider(pages)
        >>> run_sync(fake.search("will there be rain", SearchOptions()))
        [SearchResult('https://example.com/rain', 'Rain')]
    """

    def __init__(
        self, results: Sequence[SearchResult] = (), *, name: str = "fake", error: Exception | None = None
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            kinds=dict.fromkeys(get_args(SearchKind), 100), options=frozenset(_VALUES), time_ranges=get_args(TimeRange)
        )
        self.asked: list[tuple[str, SearchOptions]] = []
        self._results = list(results)
        self._error = error

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The hits; `asked` keeps what was asked."""
        self.asked.append((query, options))
        if self._error is not None:
            raise self._error
        wanted = set(_WORD.findall(query.lower()))
        shared = [(len(wanted & set(_WORD.findall(f"{r.title} {r.description}".lower()))), r) for r in self._results]
        hits = [result for count, result in sorted(shared, key=lambda hit: -hit[0]) if count]
        first = (options.page - 1) * options.count
        return hits[first : first + options.count]

    def __repr__(self) -> str:
        return f"FakeSearchProvider({len(self._results)} results, name={self.name!r})"


def check_search_provider(provider: SearchProvider, *, query: str, pickles: bool = True) -> None:
    """Check that a search provider behaves as a `WebSearch` expects.

    A name and capabilities that make sense; results of each kind, with URLs; no hits as an empty list; every option it
    claims to know; searches from many threads, each with a loop of its own; a search that ends when it is cancelled;
    pickling.

    Args:
        provider: The provider. It is asked a few dozen times; its rate is not kept to.
        query: One with hits of each kind that the provider searches for.
        pickles: Whether it is to pickle; one that holds an index need not.

    Raises:
        AssertionError: the first broken rule, in words.
    """
    require(isinstance(provider, SearchProvider), f"{provider!r} lacks name, capabilities or search.")
    _check_description(provider)
    for kind in provider.capabilities.kinds:
        _check_results(provider, query, SearchOptions(kind=kind))
        for name in sorted(provider.capabilities.options & _VALUES.keys()):
            asked, _ = provider.capabilities.fit(replace(SearchOptions(kind=kind), **{name: _VALUES[name]}))
            found = run_sync(provider.search(query, asked))
            require(isinstance(found, list), f"With {name}={_VALUES[name]!r} search returned {type(found).__name__}.")
    kind = next(iter(provider.capabilities.kinds))
    wanted = _urls(run_sync(provider.search(query, SearchOptions(kind=kind))))
    for got in in_threads(lambda _: asyncio.run(provider.search(query, SearchOptions(kind=kind))), 8):
        require(_urls(got) == wanted, f"Searches from many threads differ: {_urls(got)} and {wanted}.")
    run_sync(_check_cancelling(provider, query, SearchOptions(kind=kind)))
    if pickles:
        with pickled(provider) as copy:
            require(copy.name == provider.name, f"After pickling it is called {copy.name!r}.")


def _check_description(provider: SearchProvider) -> None:
    require(isinstance(provider.name, str) and provider.name.strip(), f"The name is {provider.name!r}.")
    able = provider.capabilities
    require(isinstance(able, Capabilities), f"capabilities is {type(able).__name__}.")
    require(able.kinds, "It searches for no kind of thing.")
    options = {option.name for option in fields(SearchOptions)}
    unknown = [*set(able.kinds).difference(get_args(SearchKind)), *able.options.difference(options)]
    require(not unknown, f"It claims to know {unknown}, of which SearchOptions knows nothing.")
    require(all(count > 0 for count in able.kinds.values()), f"It gives no results: {dict(able.kinds)}.")


def _check_results(provider: SearchProvider, query: str, options: SearchOptions) -> None:
    found = run_sync(provider.search(query, options))
    require(isinstance(found, list), f"search returned {type(found).__name__}, expected a list.")
    require(found, f"{query!r} has no hits among {options.kind}: give a query that has.")
    for result in found:
        require(isinstance(result, SearchResult), f"A result is no SearchResult: {result!r}.")
        require(urlsplit(result.url).scheme in ("http", "https"), f"A result has no URL: {result!r}.")
        require(result.error is None, f"A result carries an error; raise it: {result.error!r}.")
    if options.kind == "images":
        require(all(result.image_url for result in found), "A result among images has no image_url.")


async def _check_cancelling(provider: SearchProvider, query: str, options: SearchOptions) -> None:
    task = asyncio.create_task(provider.search(query, options))
    await asyncio.sleep(0)
    task.cancel()
    _, waiting = await asyncio.wait([task], timeout=_PATIENCE)
    require(not waiting, f"A cancelled search still ran after {_PATIENCE:.0f} seconds.")


def _urls(results: Sequence[SearchResult]) -> list[str]:
    return [result.url for result in results]
