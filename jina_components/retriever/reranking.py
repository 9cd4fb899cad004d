"""Candidates judged again, by a model that reads the query and the document together."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from jina_components.errors import BackendError, JinaComponentsError
from jina_components.protocols import SupportsRerank
from jina_components.retriever.candidates import Candidate
from jina_components.types import DocumentFailure, Ranking, Usage


def reranked(
    query: str, candidates: Sequence[Candidate], reranker: SupportsRerank
) -> tuple[list[Candidate], tuple[DocumentFailure, ...], Usage]:
    """The candidates by the reranker's scores, those it could not rank, and what that cost.

    A failure's `index` is the place (from 0) the document had before; its error names the document.
    """
    if not candidates:
        return [], (), Usage()
    ranking = reranker.rerank(query, [candidate.document for candidate in candidates])
    hits = [
        candidates[_position(hit.index, len(candidates), ranking)].scored("rerank", hit.score, rank)
        for rank, hit in enumerate(ranking, 1)
    ]
    failures = tuple(
        DocumentFailure(failure.index, _named(failure.error, candidates[failure.index].document.id))
        for failure in ranking.failures
    )
    return hits, failures, ranking.usage


def _position(index: int | None, number: int, ranking: Ranking) -> int:
    if index is None or not 0 <= index < number:
        raise BackendError(
            f"The reranker does not say which of the {number} documents it ranked (ScoredDocument.index): {ranking!r}."
        )
    return index


def _named(error: JinaComponentsError, document_id: str) -> JinaComponentsError:
    """The same error, of a document of this id."""
    named = copy.copy(error)
    named.message = f"Document {document_id!r} is not ranked: {error.message}"
    named.args = (named.message, *error.args[1:])
    named.__cause__ = error
    return named
