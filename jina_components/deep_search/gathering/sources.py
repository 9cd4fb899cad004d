"""Asking the sources and the reader: on record, within the time there is, and in a form that can be kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from jina_components.deep_search.actions import Query
from jina_components.deep_search.comparing import shortened
from jina_components.deep_search.gathering.page_text import PageText, page_text
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import BackendError, FetchTimeoutError, JinaComponentsError, WebError
from jina_components.protocols import SupportsRead, SupportsRetrieve, SupportsSearch
from jina_components.read_options import PLAIN, QUOTABLE
from jina_components.search_options import SearchOptions
from jina_components.types import Document, Ranking, SearchResults, Usage, shorten

T = TypeVar("T")

# Seconds for a query and for a page, where there is as much time left.
_SEARCH, _READ = 30.0, 60.0
# Pages that a search is asked for, and documents when more of one source is wanted.
_COUNT, _MORE = 10, 10
_LONGEST_PLACE = 200


@dataclass(frozen=True, slots=True)
class Hit:
    """What a search found: a page to read, or one that it has read."""

    url: str
    title: str = ""
    snippet: str = ""
    published_time: str = ""
    page: PageText | None = None


@dataclass(frozen=True, slots=True)
class Hits:
    """The answer of a search."""

    hits: tuple[Hit, ...] = ()
    usage: Usage = field(default_factory=Usage)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The answer of a corpus: documents, best first."""

    documents: tuple[Document, ...] = ()
    usage: Usage = field(default_factory=Usage)
    warnings: tuple[str, ...] = ()


class Sources:
    """Whom a search can ask. Errors of theirs are given, not raised: one that fails leaves the others."""

    def __init__(
        self,
        sources: Sequence[SupportsSearch | SupportsRetrieve],
        *,
        reader: SupportsRead | None,
        options: DeepSearchOptions,
        top_k: int,
        journal: Journal,
        meter: Meter,
    ) -> None:
        self._sources = tuple(sources)
        self._reader = reader
        self._options = options
        self._top_k = top_k
        self._journal = journal
        self._meter = meter

    async def ask(self, query: Query) -> list[Hits | Retrieved | JinaComponentsError]:
        """What each source answers, in their order."""
        return list(await asyncio.gather(*(self._ask(number, query) for number in range(len(self._sources)))))

    async def more_of(self, source: str, question: str) -> list[Retrieved | JinaComponentsError]:
        """Of each corpus, those documents of one source that bear on a question."""
        corpora = [number for number, one in enumerate(self._sources) if not isinstance(one, SupportsSearch)]
        return list(await asyncio.gather(*(self._retrieve(number, question, source) for number in corpora)))

    async def read(self, url: str, question: str) -> PageText | JinaComponentsError:
        """What a page says; `url` must be one of http(s), as a reader takes all else for the path of a file."""
        if self._reader is None:
            return WebError("There is nothing to read pages with: pass reader=Reader().", url)
        if self._meter.ended == "money":
            return WebError("It was not read, as the budget of money is spent.", url)
        self._meter.pay(reads=1)
        do = partial(self._within, _READ, url, partial(_read, self._reader, url, question))
        page = await _outcome(self._journal.call("read", {"url": url, "question": question}, do, PageText))
        if isinstance(page, PageText):
            self._meter.pay(usage=page.usage)
        return page

    async def _ask(self, number: int, query: Query) -> Hits | Retrieved | JinaComponentsError:
        source = self._sources[number]
        if not isinstance(source, SupportsSearch):
            return await self._retrieve(number, query.text)
        if query.is_private:
            return Hits()
        if self._meter.ended == "money":
            return WebError("It was not asked, as the budget of money is spent.")
        self._meter.pay(searches=1)
        text = shortened(query.text)
        place = "".join(filter(str.isprintable, query.location)).strip()[:_LONGEST_PLACE]
        request = {"source": number, "query": text, "time_range": query.time_range, "location": place}
        do = partial(self._within, _SEARCH, "The search", partial(self._search, source, text, query, place))
        hits = await _outcome(self._journal.call("search", request, do, Hits))
        if isinstance(hits, Hits):
            self._meter.pay(
                usage=hits.usage, reads=0 if self._reader else sum(hit.page is not None for hit in hits.hits)
            )
        return hits

    async def _search(self, source: SupportsSearch, text: str, query: Query, place: str) -> Hits:
        options = SearchOptions(
            count=_COUNT,
            time_range=query.time_range,
            location=place,
            language=self._options.search_language,
            sites=self._options.only_hostnames,
            contents=self._reader is None,
            read_options=QUOTABLE,
            # A little before it is given up, so that it can give out what it has.
            deadline=max(0.9 * min(self._left(), _SEARCH), 0.1),
        )
        return await asyncio.to_thread(_kept, await source.asearch(text, options=options), text)

    async def _retrieve(self, number: int, query: str, source: str | None = None) -> Retrieved | JinaComponentsError:
        corpus, text = self._sources[number], shortened(query)
        assert isinstance(corpus, SupportsRetrieve)  # noqa: S101 (the agent takes no others)
        request = {"source": number, "query": text, **({} if source is None else {"of": source})}
        ask: Callable[[], Ranking] = (
            partial(corpus.retrieve, text, top_k=self._top_k)
            if source is None
            else partial(corpus.retrieve, text, top_k=_MORE, filter={"source": source})
        )
        do = partial(self._within, _SEARCH, "The retriever", partial(_retrieved, ask))
        found = await _outcome(self._journal.call("retrieve", request, do, Retrieved))
        if isinstance(found, Retrieved):
            self._meter.pay(usage=found.usage)
        return found

    def _left(self) -> float:
        left = self._meter.seconds_left(final=self._meter.ended == "seconds")
        return _READ if left is None else left

    async def _within(self, seconds: float, what: str, do: Callable[[], Awaitable[T]]) -> T:
        """What `do` gives in the time there is.

        Raises:
            FetchTimeoutError: it takes longer.
            BackendError: it raises something else than our errors.
        """
        seconds = min(seconds, self._left())
        try:
            async with asyncio.timeout(seconds):
                return await do()
        except JinaComponentsError:
            raise
        except TimeoutError as error:
            raise FetchTimeoutError(f"{what} did not answer within the {seconds:.3g} seconds there were.") from error
        except Exception as error:
            raise BackendError(f"{what} failed: {type(error).__name__}: {error}") from error


async def _read(reader: SupportsRead, url: str, question: str) -> PageText:
    # Without marks within a line, so that what is quoted from a page stands so in it.
    page = await reader.aread(url, options=replace(reader.options, style=PLAIN, images="none"))
    return await asyncio.to_thread(page_text, page, question)


async def _retrieved(ask: Callable[[], Ranking]) -> Retrieved:
    ranking = await asyncio.to_thread(ask)
    warnings = tuple(f"A document could not be ranked: {shorten(str(one.error), 200)}" for one in ranking.failures)
    return Retrieved(tuple(hit.document for hit in ranking), ranking.usage, tuple(dict.fromkeys(warnings)))


def _kept(results: SearchResults, query: str) -> Hits:
    """Results as they are kept on record."""
    hits = tuple(
        Hit(
            result.url,
            result.title,
            result.description,
            result.published_time,
            page_text(result.page, query) if result.page else None,
        )
        for result in results
    )
    return Hits(hits, results.usage, results.warnings)


async def _outcome(call: Awaitable[T]) -> T | JinaComponentsError:
    try:
        return await call
    except JinaComponentsError as error:
        return error
