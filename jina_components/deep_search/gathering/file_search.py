"""The files that a user sent, as a corpus to be searched: long ones hold more than can be weighed at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from threading import Lock

from jina_components.core.overlap import Overlap
from jina_components.filters import FilterLike, as_filter, matches
from jina_components.types import Document, Ranking, ScoredDocument

MAX_AT_ONCE = 40
"""Passages of files to begin with."""


class FileSearch:
    """Finds passages of files by the words that they share with a query (BM25 with rough stems).

    Nothing is counted before the first query. Thread-safe.

    Args:
        documents: The passages, in order.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = tuple(documents)
        self._lock = Lock()

    def retrieve(self, query: str, *, top_k: int = 10, filter: FilterLike | None = None) -> Ranking:
        """The `top_k` best passages, best first, of those that share a word with the query."""
        wanted = as_filter(filter)
        hits = [
            ScoredDocument(document, score)
            for document, score in self._ranked(query)
            if score > 0 and (wanted is None or matches(document.metadata, wanted))
        ]
        return Ranking(tuple(hits[:top_k]))

    def first(self, question: str) -> list[Document]:
        """Evidence to begin with, in the order of the files: all of it, or the best `MAX_AT_ONCE` passages of it."""
        if len(self._documents) <= MAX_AT_ONCE:
            return list(self._documents)
        kept = {document.id for document, _ in self._ranked(question)[:MAX_AT_ONCE]}
        return [document for document in self._documents if document.id in kept]

    def _ranked(self, query: str) -> list[tuple[Document, float]]:
        with self._lock:
            scores = self._overlap.scores(query)
        return sorted(zip(self._documents, scores, strict=True), key=lambda pair: -pair[1])

    @cached_property
    def _overlap(self) -> Overlap:
        return Overlap([f"{document.metadata['title']} {document.text}" for document in self._documents])
