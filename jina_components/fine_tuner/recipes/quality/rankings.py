"""Rankings of a corpus: by words, by vectors, and of candidates by scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jina_components.core.vectors import top_indices
from jina_components.fine_tuner.recipes.quality.metrics import NONE
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RetrievalSet
from jina_components.retriever.bm25 import BM25Index

if TYPE_CHECKING:
    from jina_components.fine_tuner.recipes.quality.metrics import Positions
    from jina_components.types import FloatArray

DEPTH = 100

# Relevance of each (query, document), higher is better.
ScorePairs: TypeAlias = Callable[[list[tuple[str, str]]], NDArray[np.floating]]


def rank_by_words(task: RetrievalSet, depth: int = DEPTH) -> Positions:
    """The retriever's BM25; shape [queries, depth], filled with -1 where fewer documents share a word."""
    index = BM25Index.empty().with_added(np.arange(len(task.corpus)), task.corpus)
    return padded([[row for row, _ in index.search(query, depth)] for query in task.queries], depth)


def rank_by_cosine(queries: FloatArray, corpus: FloatArray, depth: int = DEPTH) -> Positions:
    """The nearest unit vectors of the corpus to each query's; shape [queries, depth], filled with -1."""
    return padded([top_indices(corpus @ query, depth).tolist() for query in queries], depth)


def rerank(candidates: Positions, task: RetrievalSet, score: ScorePairs) -> Positions:
    """The candidates of each query by `score`, which sees all pairs at once; equal scores keep their order."""
    rows, columns = np.nonzero(candidates != NONE)
    pairs = [
        (task.queries[row], task.corpus[position])
        for row, position in zip(rows, candidates[rows, columns].tolist(), strict=True)
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


def padded(rows: Sequence[Sequence[int]], depth: int) -> Positions:
    """Rows of positions as one array of `depth` columns, cut or filled with -1."""
    filled = np.full((len(rows), depth), NONE, np.int64)
    for number, row in enumerate(rows):
        filled[number, : len(row)] = row[:depth]
    return filled
