"""A local index: pages read before, found again without a network."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from jina_components.core.canonical import canonical_url, is_within, site_of
from jina_components.core.chunks import join_chunks
from jina_components.core.component import Component
from jina_components.errors import ConfigError
from jina_components.filters import FilterLike
from jina_components.search_options import SearchOptions
from jina_components.types import Document, Page, Ranking, SearchResult, shorten
from jina_components.web_search.provider import Capabilities

_SNIPPET = 300
# Chunks to ask for at first, for each page wanted.
_CHUNKS = 10


class PageRetriever(Protocol):
    """What a `Retriever` offers."""

    def add(self, documents: Sequence[str | Document]) -> list[str]:
        """Add documents."""
        ...

    def delete(self, ids: Sequence[str]) -> int:
        """Delete documents."""
        ...

    def documents(self, *, filter: FilterLike | None = None) -> list[Document]:
        """Those that match."""
        ...

    def retrieve(self, query: str, *, top_k: int = 10, filter: FilterLike | None = None) -> Ranking:
        """The best documents, best first."""
        ...

    def close(self) -> None:
        """Give memory and files back."""
        ...

    def __len__(self) -> int: ...


class SegmentsPages(Protocol):
    """What a `Segmenter` offers."""

    def segment_page(self, page: Page) -> list[Document]:
        """Chunks of a page, with `source`, `title`, `start` and `end` in their metadata."""
        ...


class LocalIndex(Component):
    """Finds pages again that it was told to remember, by meaning and by words.

    It has the pages' text, so nothing is fetched. It ranks all it knows, and knows no query without results: among
    several providers it belongs at the end. Thread-safe. Pages are embedded when the next search, `save` or `close`
    needs them, and last from then on where the retriever's store does.

    Args:
        retriever: Holds the pages' chunks, such as a `Retriever`; it is the index's own.
        segmenter: Cuts pages into chunks, such as a `Segmenter`.
    """

    name = "local"
    capabilities = Capabilities(kinds={"web": 100}, options=frozenset({"page", "language", "file_types"}))

    def __init__(self, retriever: PageRetriever, segmenter: SegmentsPages) -> None:
        self._retriever = retriever
        self._segmenter = segmenter
        self._waiting: dict[str, Page] = {}
        self._is_checked = False
        self._lock = threading.Lock()
        self._indexing = threading.Lock()

    @classmethod
    def from_defaults(cls, directory: str | os.PathLike[str] | None = None) -> LocalIndex:
        """An index with the default embedder: that in `directory`, which is made where there is none, or in memory.

        What is wrong with the directory is said by the first call that needs it: IndexFilesError where it is damaged or
        something else's, IndexMismatchError where it was made with another embedder.
        """
        from jina_components.embedder import Embedder
        from jina_components.retriever import Retriever
        from jina_components.retriever.stores.faiss import FaissStore
        from jina_components.segmenter import Segmenter

        store = None if directory is None else FaissStore(directory)
        return cls(Retriever(Embedder(truncate=True), store=store), Segmenter())

    @property
    def is_empty(self) -> bool:
        """Whether it knows no page, so that no query finds one."""
        with self._indexing:
            return not self._waiting and not len(self._retriever)

    @property
    def num_waiting(self) -> int:
        """Pages in memory that the next search, `save` or `close` indexes."""
        with self._lock:
            return len(self._waiting)

    def remember(self, pages: Iterable[Page]) -> None:
        """Find these pages from now on; one that was known by its URL is replaced."""
        with self._lock:
            self._waiting.update((canonical_url(page.url), page) for page in pages)

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The pages with the best chunks, best first; a result's snippet is its best chunk.

        Raises:
            InputError: the query, or a page that was to be remembered, does not fit the embedder.
            ConfigError: the retriever holds other documents than pages remembered.
        """
        return await asyncio.to_thread(self._search, query, options)

    def check(self) -> None:
        """Refuse what `search` and `save` refuse: an index of other documents, into which pages would be mixed.

        Raises:
            ConfigError: the retriever holds other documents than pages remembered.
            IndexFilesError: the index is damaged.
        """
        if self._is_checked:
            return
        if others := self._retriever.documents(filter={"canonical": {"$exists": False}}):
            place = shorten(str(others[0].metadata.get("source", others[0].id)), 100)
            raise ConfigError(
                f"The local index must be one of pages remembered, and this one holds other documents, such as "
                f"{place}: give it a folder of its own, which remember() fills, as does jina-components web QUERY "
                "--provider ddgs --provider local --pages DIR. An index of jina-components index is searched by "
                "Retriever.open, and on the command line by --index DIR."
            )
        self._is_checked = True

    def save(self) -> None:
        """Index what waits, so that it lasts.

        Raises:
            IndexFilesError: the index's directory is something else's, or the disk failed.
            ConfigError: the retriever holds other documents than pages remembered.
        """
        with self._indexing:
            self._index_waiting()

    def close(self) -> None:
        """`save`, and give memory and files back; an index in memory is gone."""
        try:
            self.save()
        finally:
            self._retriever.close()

    def __repr__(self) -> str:
        return f"LocalIndex({self._retriever!r})"

    def _search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        with self._indexing:
            self._index_waiting()
            if not len(self._retriever):
                return []
            self.check()
            first = (options.page - 1) * options.count
            best = self._best_chunks(query, options, first + options.count)
            wanted = dict(list(best.items())[first:])
            chunks = self._retriever.documents(filter={"canonical": list(wanted)})
        held: dict[str, list[Document]] = {key: [] for key in wanted}
        for chunk in chunks:
            held[chunk.metadata["canonical"]].append(chunk)
        return [_result(chunk, held[key]) for key, chunk in wanted.items()]

    def _best_chunks(self, query: str, options: SearchOptions, count: int) -> dict[str, Document]:
        """The best chunk of each of the `count` best pages."""
        conditions, sites = _conditions(options), options.sites
        depth = count * _CHUNKS
        while True:
            ranking = self._retriever.retrieve(query, top_k=depth, filter=conditions or None)
            best: dict[str, Document] = {}
            for hit in ranking:
                key = hit.document.metadata["canonical"]
                if not sites or is_within(key, sites):
                    best.setdefault(key, hit.document)
            if len(best) >= count or len(ranking) < depth:
                return dict(list(best.items())[:count])
            depth *= 4

    def _index_waiting(self) -> None:
        with self._lock:
            pages, self._waiting = self._waiting, {}
        if not pages:
            return
        try:
            self.check()
            chunks = [chunk for key, page in pages.items() for chunk in self._chunks(key, page)]
            old = {chunk.id for chunk in self._retriever.documents(filter={"canonical": list(pages)})}
            # What is new comes first: whatever interrupts this, no page is lost.
            new = set(self._retriever.add(chunks))
            self._retriever.delete(sorted(old - new))
        except BaseException:
            with self._lock:
                self._waiting = pages | self._waiting
            raise

    def _chunks(self, key: str, page: Page) -> Iterator[Document]:
        facts = {
            "canonical": key,
            "sites": list(_sites(key)),
            "file_type": _file_type(page.url),
            "language": page.language.lower().partition("-")[0],
            "description": page.description,
            "published_time": page.published_time,
        }
        for chunk in self._segmenter.segment_page(page):
            yield replace(chunk, id="", metadata={**chunk.metadata, **facts})


def _conditions(options: SearchOptions) -> dict[str, Any]:
    """What the metadata of chunks must have; a page that claims no language may be in any."""
    conditions: dict[str, Any] = {}
    if options.sites:
        conditions["sites"] = [site_of(f"https://{site}") for site in options.sites]
    if options.file_types:
        conditions["file_type"] = list(options.file_types)
    if options.language:
        conditions["language"] = [options.language.lower().partition("-")[0], ""]
    return conditions


def _sites(url: str) -> Iterator[str]:
    """The host of a URL and all that it is below."""
    host = site_of(url)
    while host:
        yield host
        host = host.partition(".")[2]


def _file_type(url: str) -> str:
    try:
        name = urlsplit(url).path.rpartition("/")[2]
    except ValueError:
        return ""
    return name.rpartition(".")[2].lower() if "." in name else "html"


def _result(best: Document, chunks: list[Document]) -> SearchResult:
    facts = best.metadata
    page = Page(
        url=facts["source"],
        title=facts["title"],
        content=join_chunks(chunks),
        description=facts["description"],
        published_time=facts["published_time"],
        language=facts["language"],
    )
    return SearchResult(
        url=page.url,
        title=page.title,
        description=shorten(best.text, _SNIPPET),
        published_time=page.published_time,
        page=page,
    )
