"""Parts of an agent that work, until they hang, dawdle or fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jina_components.core.overlap import Overlap
from jina_components.read_options import ReadOptions
from jina_components.testing import FakeEmbedder
from jina_components.types import Document, Grounding, Page, Ranking, ScoredDocument, SearchResult, SearchResults


class Unreliable:
    """All parts in one, each of whose calls first does what `before` does with the call's name.

    Args:
        source: The retriever to ask.
        before: May sleep or raise; runs in a thread where the part may block, else in one of its own.
    """

    options = ReadOptions()

    def __init__(self, source, before: Callable[[str], None]) -> None:
        self.source, self.before, self.embedder = source, before, FakeEmbedder()

    def rerank(self, query, documents, *, top_n=None, truncate=False):
        self.before("rerank")
        given = [Document(document) for document in documents]
        scores = Overlap([document.text for document in given]).scores(query)
        ranked = [
            ScoredDocument(one, score, place) for place, (one, score) in enumerate(zip(given, scores, strict=True))
        ]
        return Ranking(tuple(sorted(ranked, key=lambda hit: -hit.score)))

    def embed_query(self, text):
        self.before("embed")
        return self.embedder.embed_query(text)

    def embed_documents(self, texts):
        self.before("embed")
        return self.embedder.embed_documents(texts)

    def retrieve(self, query, *, top_k=10, filter=None):
        self.before("retrieve")
        return self.source.retrieve(query, top_k=top_k, filter=filter)

    async def aground(self, statement, *, references=None):
        await asyncio.to_thread(self.before, "ground")
        return Grounding(statement, 0.9, True, "supported", "It is so.")

    async def aread(self, source, *, options=None):
        await asyncio.to_thread(self.before, "read")
        return Page(source, "Tides", "# Tides\n\nThe tides in the Bay of Fundy reach 16 metres.\n")


class UnreliableSearch:
    """A web search likewise, which may read its pages itself."""

    def __init__(self, before: Callable[[str], None], *, reads: bool = False) -> None:
        self.before, self.reads = before, reads

    async def asearch(self, query, *, options=None):
        await asyncio.to_thread(self.before, "search")
        urls = [f"https://tides.example/{number}" for number in range(3)]
        pages = [
            Page(url, "Tides", f"# Tides\n\nThe tides in the Bay of Fundy reach 16 metres ({url}).\n") for url in urls
        ]
        told = "The tides reach 16 metres."
        return SearchResults(
            query, tuple(SearchResult(one.url, one.title, told, page=one if self.reads else None) for one in pages)
        )
