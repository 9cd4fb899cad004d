"""Models that score documents against a query, behind one face."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from jina_components.core.background import background_loop
from jina_components.errors import InputError
from jina_components.models.embedding import Pending
from jina_components.models.runner import ModelRunner, TokenSequence
from jina_components.models.tokenize import TextTokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.models.backends.http import HTTPReranker
    from jina_components.models.maxsim import MaxSimScorer
    from jina_components.types import FloatArray


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens kept of a query and of a document, special ones not counted; None for all."""

    query: int | None = None
    document: int | None = None


class Scorer(Protocol):
    """Scores documents."""

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending:
        """Begin to score: raw scores on a monotone scale, shape [len(texts)], NaN for a text without tokens."""
        ...

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """What users see of raw scores."""
        ...

    def close(self) -> None:
        """Give memory and connections back."""
        ...


@dataclass(frozen=True, slots=True)
class CrossEncoder:
    """Scores pairs, or the best of each document's chunks."""

    tokenizer: TextTokenizer
    runner: ModelRunner
    limits: Limits

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending:
        """Tokenize here and now, and queue the rest."""
        chunks = self.tokenizer.pairs(
            query,
            texts,
            truncate=truncate,
            max_query_length=self.limits.query,
            max_document_length=self.limits.document,
        )
        distinct = _distinct(chunks)
        return Pending(
            self.runner.submit(list(distinct.values())),
            lambda rows: (_best(chunks, distinct, rows[:, 0]), sum(map(len, distinct.values()))),
        )

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """The sigmoid."""
        return sigmoid(raw)

    def close(self) -> None:
        """Nothing is held but memory, which goes with the object."""


@dataclass(frozen=True, slots=True)
class LateInteraction:
    """Scores by MaxSim over a token table."""

    tokenizer: TextTokenizer
    maxsim: MaxSimScorer
    limits: Limits

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending:
        """Score here and now."""
        [parts] = self.tokenizer.chunks([query], truncate=truncate, max_length=self.limits.query)
        if len(parts) > 1:
            raise InputError(
                f"The query has more tokens than the model's context of {self.tokenizer.context}: shorten it, or "
                "set max_query_length or truncate=True to keep its head."
            )
        question = parts[0] if parts else TokenSequence(np.zeros(0, np.int32))
        chunks = self.tokenizer.chunks(texts, truncate=truncate, max_length=self.limits.document)
        distinct = _distinct(chunks)
        scores = self.maxsim.score(question, list(distinct.values()))
        # A document of unknown words has none of the query's.
        raw = np.nan_to_num(_best(chunks, distinct, scores))
        tokens = sum(len(question) + len(chunk) for chunk in distinct.values())
        return Pending(_done(raw), lambda result: (result, tokens))

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """As they are, 0 to 1."""
        return raw

    def close(self) -> None:
        """Nothing is held but memory, which goes with the object."""


@dataclass(frozen=True, slots=True)
class RemoteScorer:
    """A reranking model behind an endpoint."""

    model: HTTPReranker

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending:
        """Send the documents."""
        request = self.model.ascore(query, texts, truncate=truncate)
        return Pending(asyncio.run_coroutine_threadsafe(request, background_loop()), lambda answer: answer)

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """As the server sends them."""
        return raw

    def close(self) -> None:
        """Close the connections."""
        self.model.close()


def sigmoid(logits: NDArray[Any]) -> NDArray[np.float64]:
    """In float64, where float32 logits from -700 to 23 stay apart, but for those nearer to 0 than 1e-8."""
    scores: NDArray[np.float64] = np.exp(-np.logaddexp(0, -logits.astype(np.float64)))
    return scores


def _distinct(chunks: Sequence[Sequence[TokenSequence]]) -> dict[bytes, TokenSequence]:
    """Every chunk once: in two rows of a batch the scores of equal ones could differ by a rounding, and not tie."""
    return {chunk.ids.tobytes(): chunk for parts in chunks for chunk in parts}


def _best(
    chunks: Sequence[Sequence[TokenSequence]], distinct: dict[bytes, TokenSequence], scores: FloatArray
) -> FloatArray:
    """Highest score among each document's chunks, NaN where there is none (MaxP, Dai & Callan 2019)."""
    by_chunk = dict(zip(distinct, scores, strict=True))
    best = [max((by_chunk[chunk.ids.tobytes()] for chunk in parts), default=np.nan) for parts in chunks]
    return np.array(best, np.float32)


def _done(value: FloatArray) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future
