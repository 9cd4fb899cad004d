"""Searching the sources, and reading pages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest

from jina_components.core.canonical import canonical_url
from jina_components.core.origins import origin_of
from jina_components.deep_search.actions import Query
from jina_components.deep_search.comparing import Comparer, shortened
from jina_components.deep_search.gathering.hosts import Hosts, is_page, is_web
from jina_components.deep_search.gathering.page_text import PageText
from jina_components.deep_search.gathering.snippets import passages
from jina_components.deep_search.gathering.sources import Hits, Retrieved, Sources
from jina_components.deep_search.gathering.walls import wall
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.deep_search.state import State
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import (
    ConfigError,
    IndexMismatchError,
    InputError,
    JinaComponentsError,
    MissingDependencyError,
    ModelFilesError,
    TraceError,
    UnknownNameError,
)
from jina_components.protocols import SupportsRead, SupportsRetrieve, SupportsSearch
from jina_components.types import Document, shorten

# Unread pages of which the relevance is told after each search and visit.
_RATED = 50
_SNIPPET = 300
# The caller's to mend: of a source, and of the reader, where a page may well be what is wrong.
_OF_SOURCES = (
    ConfigError, IndexMismatchError, InputError, MissingDependencyError, ModelFilesError, TraceError, UnknownNameError,
)  # fmt: skip
_OF_READERS = (ConfigError, TraceError)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a search or of a visit.

    Attributes:
        documents: Evidence: chunks of the corpus, passages of pages.
        urls: What is known now that may be visited, or was read.
        snippets: Title and snippet of each hit, as `Title: snippet`, for query rewriting.
        failures: What failed, and why, in words.
        hits: Of a search: for the text of each query the ids of the documents that it found, best first (`State.hits`).
        warnings: What sources say of their answers: providers that failed, options that they ignored …
    """

    documents: tuple[Document, ...] = ()
    urls: tuple[str, ...] = ()
    snippets: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    hits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass
class _Draft:
    """A `Found` in the making, each item once."""

    documents: dict[str, Document] = field(default_factory=dict)
    urls: dict[str, None] = field(default_factory=dict)
    snippets: dict[str, None] = field(default_factory=dict)
    failures: dict[str, None] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)

    def fail(self, what: str, why: object) -> None:
        self.failures[f"{what}: {shorten(str(why), 300)}"] = None

    def found(self, hits: Mapping[str, tuple[str, ...]]) -> Found:
        return Found(
            tuple(self.documents.values()), tuple(self.urls), tuple(self.snippets), tuple(self.failures),
            hits, tuple(self.warnings),
        )  # fmt: skip


@dataclass
class _Taken:
    """What the sources gave for a query: documents of each corpus, best first; pages that a search has read, by URL."""

    rankings: list[list[Document]] = field(default_factory=list)
    pages: dict[str, PageText] = field(default_factory=dict)


class Gatherer:
    """Searches the sources of an agent and reads pages."""

    def __init__(
        self,
        sources: Sequence[SupportsSearch | SupportsRetrieve],
        *,
        reader: SupportsRead | None,
        comparer: Comparer,
        options: DeepSearchOptions,
        top_k: int,
        journal: Journal,
        meter: Meter,
    ) -> None:
        self._sources = Sources(sources, reader=reader, options=options, top_k=top_k, journal=journal, meter=meter)
        self._comparer = comparer
        self._hosts = Hosts.of(options)
        self._top_k = top_k

    async def search(self, queries: Sequence[Query], state: State) -> Found:
        """Ask every source every query, in parallel; what is found goes into `state.urls` and comes back.

        Evidence is not added to the state: the loop does. A source that fails is told in `failures`; if none
        answers, `failures` is all there is. Pages that a search has read itself are evidence at once.

        Raises:
            ConfigError, InputError, MissingDependencyError …: a source cannot work as the caller made it.
            JinaComponentsError: a model that compares failed.
        """
        draft = _Draft()
        asked = {query.text: query for query in queries if shortened(query.text)}
        answers = await asyncio.gather(*(self._sources.ask(query) for query in asked.values()))
        _check(chain.from_iterable(answers), _OF_SOURCES)
        taken = {text: self._take(text, answer, state, draft) for text, answer in zip(asked, answers, strict=True)}
        read = await asyncio.gather(*(self._best(text, one.pages.values()) for text, one in taken.items()))
        hits: dict[str, tuple[str, ...]] = {}
        for (text, one), of_pages in zip(taken.items(), read, strict=True):
            by_turns = chain.from_iterable(zip_longest(*one.rankings, of_pages))
            best = {document.id: document for document in by_turns if document is not None}
            hits[text] = tuple(best)
            draft.documents |= best
        await self.rate(state.current if state.open else state.question, state)
        return draft.found(hits)

    async def visit(self, urls: Sequence[str], question: str, state: State) -> Found:
        """Read pages in parallel; their passages that bear on the question are the evidence.

        Of a document of the corpus, by the URL, path or id that its chunks name as their source: its chunks that bear
        on the question. Only what is known is read, and nothing but that and what it leads to by redirects.

        Raises:
            ConfigError: a source or the reader cannot work as the caller made it.
            JinaComponentsError: a model that compares failed.
        """
        draft = _Draft()
        known = self._to_visit(urls, state, draft)
        answers = await asyncio.gather(*(self._visited(url, question, state) for url in known))
        pages: dict[str, PageText] = {}
        for url, answer in zip(known, answers, strict=True):
            if isinstance(answer, PageText):
                if self._take_page(url, answer, state, draft):
                    pages.setdefault(answer.url, _dated(answer, state.urls.published(url)))
                continue
            self._take_more(url, answer, state, draft)
        texts = {document.text for document in state.evidence.values()}
        for document in await self._passages(question, pages.values()):
            if document.text not in texts or document.id in state.evidence:  # no copy of what another page says
                texts.add(document.text)
                draft.documents[document.id] = document
        await self.rate(question, state)
        return draft.found({})

    async def rate(self, question: str, state: State) -> None:
        """Find out how relevant the most promising unread pages are for a question, for `state.urls.listed`.

        Raises:
            JinaComponentsError: the reranker failed.
        """
        unrated = state.urls.unrated(question, _RATED)
        documents = [Document(url.snippet or url.title, metadata={"title": url.title}) for url in unrated]
        scores = await self._comparer.relevance(question, documents)
        state.urls.rate(
            question, {url.url: min(max(score, 0.0), 1.0) for url, score in zip(unrated, scores, strict=True)}
        )

    def _take(
        self, query: str, answers: Sequence[Hits | Retrieved | JinaComponentsError], state: State, draft: _Draft
    ) -> _Taken:
        """Keep what the sources answered."""
        taken = _Taken()
        if shortened(query) != query.strip():
            draft.warnings[f"Only the beginning of a query was asked for, as it is too long: {shorten(query)!r}."] = (
                None
            )
        for answer in answers:
            if isinstance(answer, JinaComponentsError):
                draft.fail(f"The search for {shorten(query)!r} failed", answer)
                continue
            draft.warnings.update(dict.fromkeys(answer.warnings))
            if isinstance(answer, Retrieved):
                taken.rankings.append(self._take_documents(answer.documents, state, draft))
            else:
                taken.pages |= self._take_hits(answer, state, draft)
        return taken

    def _take_documents(self, documents: Sequence[Document], state: State, draft: _Draft) -> list[Document]:
        allowed = [document for document in documents if not self._hosts.refusal(origin_of(document).source)]
        for rank, document in enumerate(allowed):
            origin = origin_of(document)
            state.urls.add_document(document, relevance=1 - rank / len(allowed))
            draft.urls[origin.source] = None
            draft.snippets[f"{origin.title}: {shorten(document.text, _SNIPPET)}".removeprefix(": ")] = None
        return allowed

    def _take_hits(self, answer: Hits, state: State, draft: _Draft) -> dict[str, PageText]:
        """Keep what a search found; the pages that it has read, by URL."""
        pages = {}
        for hit in answer.hits:
            if not is_web(hit.url):
                name = shorten(hit.url, 200)
                draft.warnings[f"{name} was found and left out, as it is no web page: put it into a Retriever."] = None
            if not is_page(hit.url) or self._hosts.refusal(hit.url):
                continue
            state.urls.add_hit(hit.url, title=hit.title, snippet=hit.snippet, published_time=hit.published_time)
            if told := shorten(hit.snippet, _SNIPPET):
                draft.snippets[f"{shorten(hit.title, _SNIPPET)}: {told}".removeprefix(": ")] = None
            draft.urls[hit.url] = None
            if hit.page is not None and self._take_page(hit.url, hit.page, state, draft):
                pages[hit.page.url] = _dated(hit.page, state.urls.published(hit.url))
        return pages

    def _to_visit(self, urls: Sequence[str], state: State, draft: _Draft) -> list[str]:
        """Those that are known and may be visited, as they were found."""
        known: dict[str, None] = {}
        for url in urls:
            found = state.urls.resolve(url)
            why = "nothing that was found leads there" if found is None else self._hosts.refusal(found)
            if found is not None and not why and not state.urls.is_of_corpus(found) and not is_web(found):
                why = "it is no http(s) URL"
            if found is None or why:
                draft.fail(f"Not read: {shorten(url, 200)}", why)
            else:
                known[found] = None
        return list(known)

    async def _visited(
        self, url: str, question: str, state: State
    ) -> PageText | JinaComponentsError | list[Retrieved | JinaComponentsError]:
        if state.urls.is_of_corpus(url):
            return await self._sources.more_of(url, question)
        return await self._sources.read(url, question)

    def _take_more(
        self, url: str, answer: JinaComponentsError | list[Retrieved | JinaComponentsError], state: State, draft: _Draft
    ) -> None:
        """Keep what corpora have of a source, or why a page could not be read."""
        if isinstance(answer, JinaComponentsError):
            _check([answer], _OF_READERS)
            state.urls.mark_failed(url)
            draft.fail(f"Not read: {url}", answer)
            return
        _check(answer, _OF_SOURCES)
        state.urls.mark_visited(url)
        draft.urls[url] = None
        for one in answer:
            if isinstance(one, Retrieved):
                # Of the source alone, also where a retriever takes no notice of filters.
                from_it = [document for document in one.documents if document.metadata.get("source") == url]
                draft.documents.update((document.id, document) for document in from_it)
                draft.warnings.update(dict.fromkeys(one.warnings))
            else:
                draft.fail(f"Not read: {url}", one)

    def _take_page(self, url: str, page: PageText, state: State, draft: _Draft) -> bool:
        """Keep what a page leads to; whether it is evidence."""
        refusal = self._hosts.refusal(page.url)
        why = f"it leads to {shorten(page.url, 200)}: {refusal}" if refusal else wall(page.title, _text(page))
        if why:
            state.urls.mark_failed(url)
            draft.fail(f"Not read: {url}", why)
            return False
        state.urls.mark_read(url, final=page.url)
        draft.urls[page.url] = None
        state.images[canonical_url(page.url)] = page.images
        for text, link in page.links:
            state.urls.add_link(link, title=text)
        return True

    async def _passages(self, query: str, pages: Iterable[PageText]) -> list[Document]:
        """Those passages of pages that bear on a query."""
        found = await asyncio.gather(*(passages(page, query, self._comparer) for page in pages))
        return list(chain.from_iterable(found))

    async def _best(self, query: str, pages: Iterable[PageText]) -> list[Document]:
        """The passages of pages that are the most relevant for a query, best first."""
        documents = await self._passages(query, pages)
        scores = await self._comparer.relevance(query, documents)
        order = sorted(range(len(documents)), key=lambda place: -scores[place])
        return [documents[place] for place in order[: self._top_k]]


def _dated(page: PageText, published_time: str) -> PageText:
    """The page, with the date that its finder tells where it tells none itself."""
    return page if page.published_time else replace(page, published_time=published_time)


def _text(page: PageText) -> str:
    return "".join(stretch.text for stretch in page.stretches)


def _check(answers: Iterable[object], of_the_caller: tuple[type[JinaComponentsError], ...]) -> None:
    """Raise the first error that is the caller's to mend."""
    for answer in answers:
        if isinstance(answer, of_the_caller):
            raise answer
