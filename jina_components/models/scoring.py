"""Models that score documents against a query, behind one face."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from jina_components.core.background import background_loop
from jina_components.errors import InputError, JinaComponentsError
from jina_components.models.runner import JobResult, ModelRunner
from jina_components.models.sequences import TokenSequence
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


class Scores(NamedTuple):
    """What a model makes of documents.

    Attributes:
        raw: On a monotone scale, shape [len(texts)]; NaN for a text without tokens, or on which the model failed.
        tokens: That ran.
        errors: By position, what the model failed with on some of the texts.
    """

    raw: NDArray[Any]
    tokens: int
    errors: Mapping[int, JinaComponentsError] = MappingProxyType({})


class PendingScores(NamedTuple):
    """Scores that are being made.

    Attributes:
        future: Completes with what the model gives; cancelling it stops the work.
        finish: Makes scores of that; raises a JinaComponentsError if there are none.
    """

    future: Future[Any]
    finish: Callable[[Any], Scores]

    def cancel(self) -> None:
        """Stop the work, unless it is done."""
        self.future.cancel()


class Scorer(Protocol):
    """Scores documents."""

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> PendingScores:
        """Begin to score."""
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

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> PendingScores:
        """Tokenize here and now, and queue the rest."""
        chunks = self.tokenizer.pairs(
            query,
            texts,
            truncate=truncate,
            max_query_length=self.limits.query,
            max_document_length=self.limits.document,
        )
        distinct = _distinct(chunks)
        return PendingScores(
            self.runner.submit(list(distinct.values())), lambda result: _cross_encoded(chunks, distinct, result)
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

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> PendingScores:
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
        return PendingScores(_done(Scores(raw, tokens)), lambda scores: scores)

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """As they are, 0 to 1."""
        return raw

    def close(self) -> None:
        """Nothing is held but memory, which goes with the object."""


@dataclass(frozen=True, slots=True)
class RemoteScorer:
    """A reranking model behind an endpoint."""

    model: HTTPReranker

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> PendingScores:
        """Send the documents."""
        request = self.model.ascore(query, texts, truncate=truncate)
        future = asyncio.run_coroutine_threadsafe(request, background_loop())
        return PendingScores(future, lambda answer: Scores(*answer))

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


def _cross_encoded(
    chunks: Sequence[Sequence[TokenSequence]], distinct: dict[bytes, TokenSequence], result: JobResult
) -> Scores:
    """Scores of documents by those of their chunks; a document fails with any of these.

    Raises:
        JinaComponentsError: all documents failed alike, which is the model's fault rather than theirs.
    """
    by_chunk = {key: result.errors[place] for place, key in enumerate(distinct) if place in result.errors}
    failed = [[by_chunk[key] for chunk in parts if (key := chunk.ids.tobytes()) in by_chunk] for parts in chunks]
    errors = {index: several[0] for index, several in enumerate(failed) if several}
    if errors and len(errors) == sum(map(bool, chunks)) and len({*map(_kind, errors.values())}) == 1:
        raise errors[min(errors)]
    raw = _best(chunks, distinct, result.rows[:, 0])
    raw[[*errors]] = np.nan
    return Scores(raw, sum(map(len, distinct.values())), errors)


def _kind(error: BaseException) -> tuple[type, type]:
    return type(error), type(error.__cause__)


def _best(
    chunks: Sequence[Sequence[TokenSequence]], distinct: dict[bytes, TokenSequence], scores: FloatArray
) -> FloatArray:
    """Highest score among each document's chunks, NaN where there is none (MaxP, Dai & Callan 2019)."""
    by_chunk = dict(zip(distinct, scores, strict=True))
    best = [max((by_chunk[chunk.ids.tobytes()] for chunk in parts), default=np.nan) for parts in chunks]
    return np.array(best, np.float32)


def _done(value: Scores) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future
