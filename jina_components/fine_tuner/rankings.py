"""Rankings of a corpus: by words, by vectors, and of candidates by scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jina_components.core.progress import progress_bar
from jina_components.core.vectors import normalize, top_indices
from jina_components.embedder import Embedder
from jina_components.errors import BackendError, InputError
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.metrics import NONE
from jina_components.protocols import SupportsEmbed, SupportsRerank
from jina_components.retriever.bm25 import BM25Index

if TYPE_CHECKING:
    from jina_components.fine_tuner.metrics import Positions
    from jina_components.types import FloatArray

DEPTH = 100
# Passages embedded at a time, so that progress shows.
_SLICE = 1024

# Relevance of each (query, document), higher is better.
ScorePairs: TypeAlias = Callable[[list[tuple[str, str]]], NDArray[np.floating]]


def rank_by_words(queries: Sequence[str], corpus: Sequence[str], depth: int = DEPTH) -> Positions:
    """The retriever's BM25; shape [queries, depth], filled with -1 where fewer documents share a word."""
    index = BM25Index.empty().with_added(np.arange(len(corpus)), corpus)
    return padded([[row for row, _ in index.search(query, depth)] for query in queries], depth)


def rank_by_cosine(queries: FloatArray, corpus: FloatArray, depth: int = DEPTH) -> Positions:
    """The nearest unit vectors of the corpus to each query's; shape [queries, depth], filled with -1."""
    return padded([top_indices(corpus @ query, depth).tolist() for query in queries], depth)


def rerank(candidates: Positions, task: JudgedQuestions, score: ScorePairs) -> Positions:
    """The candidates of each query by `score`, which sees all pairs at once; equal scores keep their order."""
    rows, columns = np.nonzero(candidates != NONE)
    pairs = [
        (task.queries[row], task.corpus[position])
        for row, position in zip(rows.tolist(), candidates[rows, columns].tolist(), strict=True)
    ]
    scores = np.full(candidates.shape, -np.inf)
    scores[rows, columns] = score(pairs) if pairs else []
    return np.take_along_axis(candidates, np.argsort(-scores, axis=1, kind="stable"), axis=1)


def rerank_by_cosine(candidates: Positions, queries: FloatArray, corpus: FloatArray) -> Positions:
    """The candidates of each query by cosine of unit vectors."""
    rows = zip(candidates, queries, strict=True)
    scores = np.array([corpus[positions] @ query for positions, query in rows]).reshape(candidates.shape)
    order = np.argsort(-np.where(candidates == NONE, -np.inf, scores), axis=1, kind="stable")
    return np.take_along_axis(candidates, order, axis=1)


def rank_by_embedder(embedder: SupportsEmbed, questions: JudgedQuestions, *, show_progress: bool = False) -> Positions:
    """The nearest passages to each query, as `rank_by_cosine`; blank ones are never found.

    Raises:
        InputError: a query, or a passage, that the embedder refuses.
        BackendError: it returned something else than finite vectors.
    """
    rows = np.array([row for row, text in enumerate(questions.corpus) if text.strip()], np.int64)
    texts = [questions.corpus[row] for row in rows]
    if not texts:
        raise InputError("All passages are blank: there is nothing to find.")
    vectors: list[FloatArray] = []
    with progress_bar("Embedding", unit="text", total=len(texts), show=show_progress) as bar:
        for start in range(0, len(texts), _SLICE):
            part = texts[start : start + _SLICE]
            vectors.append(unit_rows(embedder.embed_documents(part), len(part), embedder))
            bar.update(len(part))
    ranking = rank_by_cosine(query_vectors(embedder, questions.queries), np.concatenate(vectors))
    return np.where(ranking == NONE, NONE, rows[ranking])


def rank_by_reranker(reranker: SupportsRerank, questions: JudgedQuestions, *, show_progress: bool = False) -> Positions:
    """BM25's best passages for each query in the reranker's order.

    Raises:
        InputError: a query that the reranker refuses.
    """
    found = rank_by_words(questions.queries, questions.corpus)
    rows: list[list[int]] = []
    with progress_bar("Reranking", unit="query", total=len(found), show=show_progress) as bar:
        for query, candidates in zip(questions.queries, found, strict=True):
            positions = candidates[candidates != NONE].tolist()
            hits = reranker.rerank(query, [questions.corpus[position] for position in positions], truncate=True)
            rows.append([positions[hit.index] for hit in hits if hit.index is not None])
            bar.update(1)
    return padded(rows, DEPTH)


def query_vectors(embedder: SupportsEmbed, queries: Sequence[str], *, truncate: bool | None = None) -> FloatArray:
    """Unit vectors of queries, shape [queries, dimensions]; `truncate` as for `Embedder.embed`.

    Raises:
        BackendError: the embedder returned something else.
    """
    if isinstance(embedder, Embedder):  # all at once
        return embedder.embed(queries, task="retrieval.query", truncate=truncate).vectors
    return unit_rows([embedder.embed_query(query) for query in queries], len(queries), embedder)


def unit_rows(vectors: object, count: int, embedder: object) -> FloatArray:
    """What an embedder returned, as unit float32 rows.

    Raises:
        BackendError: these are no such rows.
    """
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2 or len(rows) != count or not np.isfinite(rows).all():
        raise BackendError(f"{embedder!r} returned no {count} finite vectors, but shape {rows.shape}.")
    return normalize(rows)


def padded(rows: Sequence[Sequence[int]], depth: int) -> Positions:
    """Rows of positions as one array of `depth` columns, cut or filled with -1."""
    filled = np.full((len(rows), depth), NONE, np.int64)
    for number, row in enumerate(rows):
        filled[number, : len(row)] = row[:depth]
    return filled
