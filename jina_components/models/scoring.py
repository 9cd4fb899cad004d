"""Models that score documents against a query, behind one face."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from jina_components.core.background import background_loop
from jina_components.core.late_interaction import max_sim
from jina_components.core.vectors import normalize
from jina_components.errors import JinaComponentsError, TooLongError
from jina_components.models.chunks import (
    Chunks,
    DistinctChunks,
    Key,
    best_rows,
    chunk_errors,
    count_tokens,
    distinct_chunks,
)
from jina_components.models.multi_vector import MultiVectorTokenizer
from jina_components.models.pending import Pending
from jina_components.models.runner import JobResult, ModelRunner
from jina_components.models.sequences import TokenSequence, split_rows
from jina_components.models.tokenize import TextTokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.models.backends.http import HTTPReranker
    from jina_components.models.maxsim import MaxSimScorer
    from jina_components.types import FloatArray

_RECENT = 4096  # some 10 MB of 384 dimensions, with their tokens


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
        vectors: Of each text, or of its best chunk, where the model compares one of it with one of the query; unit
            length, shape [len(texts), width].
    """

    raw: NDArray[Any]
    tokens: int
    errors: Mapping[int, JinaComponentsError] = MappingProxyType({})
    vectors: FloatArray | None = None


class Scorer(Protocol):
    """Scores documents."""

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending[Scores]:
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
    """Scores pairs, or the best of each document's chunks.

    Attributes:
        tokenizer: Of the model.
        runner: Its owner thread.
        limits: Tokens kept.
        column: That of relevance in its logits.
    """

    tokenizer: TextTokenizer
    runner: ModelRunner
    limits: Limits
    column: int

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending[Scores]:
        """Tokenize here and now, and queue the rest."""
        chunks = self.tokenizer.pairs(
            query,
            texts,
            truncate=truncate,
            max_query_length=self.limits.query,
            max_document_length=self.limits.document,
        )
        distinct = distinct_chunks(chunks)
        return Pending(self.runner.submit(list(distinct.values())), partial(self._finish, chunks, distinct))

    def _finish(self, chunks: Chunks, distinct: DistinctChunks, result: JobResult) -> Scores:
        errors = chunk_errors(chunks, distinct, result)
        raw = best_rows(chunks, distinct, result.rows[:, self.column])
        raw[[*errors]] = np.nan
        return Scores(raw, count_tokens(distinct), errors)

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

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending[Scores]:
        """Score here and now."""
        question = _question(query, self.tokenizer, self.limits, truncate=truncate)
        chunks = self.tokenizer.chunks(texts, truncate=truncate, max_length=self.limits.document)
        distinct = distinct_chunks(chunks)
        scores = self.maxsim.score(question, list(distinct.values()))
        # A document of unknown words has none of the query's.
        raw = np.nan_to_num(best_rows(chunks, distinct, scores))
        tokens = count_tokens(distinct) + len(question) * len(distinct)
        return Pending(_done(Scores(raw, tokens)), lambda scores: scores)

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """As they are, 0 to 1."""
        return raw

    def close(self) -> None:
        """Nothing is held but memory, which goes with the object."""


@dataclass(frozen=True, slots=True)
class MultiVectorScorer:
    """Scores by MaxSim over the vectors that a model gives the tokens of the query and the document.

    Attributes:
        tokenizer: Of the model.
        runner: Its owner thread.
        limits: Tokens kept.
    """

    tokenizer: MultiVectorTokenizer
    runner: ModelRunner
    limits: Limits

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending[Scores]:
        """Tokenize here and now, and queue the rest: the query once, and each document or its chunks."""
        tokenizer = self.tokenizer
        question = tokenizer.as_query(_question(query, tokenizer.query, self.limits, truncate=truncate))
        chunks = tokenizer.chunks(texts, truncate=truncate, max_length=self.limits.document)
        distinct = distinct_chunks(chunks)
        future = self.runner.submit([*distinct.values(), question])
        return Pending(future, partial(self._finish, chunks, distinct, question))

    def _finish(self, chunks: Chunks, distinct: DistinctChunks, question: TokenSequence, result: JobResult) -> Scores:
        if len(distinct) in result.errors:
            raise result.errors[len(distinct)]
        errors = chunk_errors(chunks, distinct, result)
        *documents, asked = split_rows(normalize(result.rows), [*distinct.values(), question])
        raw = best_rows(chunks, distinct, max_sim(asked, documents) / len(asked))
        raw[[*errors]] = np.nan
        return Scores(raw, count_tokens(distinct) + len(question), errors)

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """As they are: the mean over the query's tokens, -1 to 1."""
        return raw

    def close(self) -> None:
        """Nothing is held but memory, which goes with the object."""


class Recent:
    """Vectors of the chunks that were used last, at most `_RECENT`; safe in threads."""

    def __init__(self) -> None:
        self._vectors: dict[Key, FloatArray] = {}
        self._lock = threading.Lock()

    def of(self, keys: Iterable[Key]) -> dict[Key, FloatArray]:
        """Those that are known."""
        with self._lock:
            return {key: self._vectors[key] for key in keys if key in self._vectors}

    def keep(self, vectors: Mapping[Key, FloatArray]) -> None:
        """Take them as the last that were used."""
        with self._lock:
            for key, vector in vectors.items():
                self._vectors.pop(key, None)
                self._vectors[key] = vector.copy()  # a row alone: the rest of its batch can go
            for key in [*self._vectors][: max(0, len(self._vectors) - _RECENT)]:
                del self._vectors[key]


@dataclass(frozen=True, slots=True)
class BiEncoder:
    """Scores by the cosine of an embedder's vectors of the query and the document, or the best of its chunks.

    Attributes:
        tokenizer: Of an embedder that puts no prompt before queries and documents.
        runner: Its owner thread.
        limits: Tokens kept.
        recent: Vectors of the last documents, which are often asked about again.
    """

    tokenizer: TextTokenizer
    runner: ModelRunner
    limits: Limits
    recent: Recent = field(default_factory=Recent)

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending[Scores]:
        """Tokenize here and now, and queue the rest."""
        question = _question(query, self.tokenizer, self.limits, truncate=truncate)
        chunks = self.tokenizer.chunks(texts, truncate=truncate, max_length=self.limits.document)
        distinct = distinct_chunks(chunks)
        known = self.recent.of(distinct)
        missing = {key: chunk for key, chunk in distinct.items() if key not in known}
        future = self.runner.submit([*missing.values(), question])
        return Pending(future, partial(self._finish, chunks, distinct, known, list(missing), len(question)))

    def _finish(
        self,
        chunks: Chunks,
        distinct: DistinctChunks,
        known: Mapping[Key, FloatArray],
        missing: Sequence[Key],
        asked: int,
        result: JobResult,
    ) -> Scores:
        if len(missing) in result.errors:
            raise result.errors[len(missing)]
        failed = {missing[place]: error for place, error in result.errors.items()}
        *found, query = normalize(result.rows)
        vectors = {**known, **dict(zip(missing, found, strict=True))}
        self.recent.keep({key: vectors[key] for key in distinct if key not in failed})
        rows = np.stack([vectors[key] for key in distinct]) if distinct else result.rows[:0]
        places = {place: failed[key] for place, key in enumerate(distinct) if key in failed}
        errors = chunk_errors(chunks, distinct, JobResult(rows, places))
        raw = best_rows(chunks, distinct, rows @ query)
        raw[[*errors]] = np.nan
        return Scores(raw, count_tokens(distinct) + asked, errors)

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """As they are, -1 to 1."""
        return raw

    def close(self) -> None:
        """Nothing is held but memory, which goes with the object."""


@dataclass(frozen=True, slots=True)
class RemoteScorer:
    """A reranking model behind an endpoint."""

    model: HTTPReranker

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending[Scores]:
        """Send the documents."""
        request = self.model.ascore(query, texts, truncate=truncate)
        future = asyncio.run_coroutine_threadsafe(request, background_loop())
        return Pending(future, lambda answer: Scores(*answer))

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


def _question(query: str, tokenizer: TextTokenizer, limits: Limits, *, truncate: bool) -> TokenSequence:
    """The query on its own."""
    [parts] = tokenizer.chunks([query], truncate=truncate, max_length=limits.query)
    if len(parts) > 1:
        raise TooLongError(
            f"The query has more tokens than the model's context of {tokenizer.context}: shorten it, or "
            "set max_query_length or truncate=True to keep its head."
        )
    return parts[0] if parts else TokenSequence(np.zeros(0, np.int32))


def _done(value: Scores) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future
