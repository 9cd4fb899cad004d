"""Models that score pairs of texts: documents against a query, behind one face; premises against hypotheses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from jina_components.core.background import background_loop
from jina_components.errors import InputError, JinaComponentsError
from jina_components.models.labels import EntailmentColumns
from jina_components.models.runner import JobResult, ModelRunner
from jina_components.models.sequences import TokenSequence
from jina_components.models.tokenize import TextTokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.models.backends.http import HTTPReranker
    from jina_components.models.maxsim import MaxSimScorer


_Chunks: TypeAlias = Sequence[Sequence[TokenSequence]]
_Distinct: TypeAlias = Mapping[bytes, TokenSequence]


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens kept of a query and of a document, special ones not counted; None for all."""

    query: int | None = None
    document: int | None = None


class Scores(NamedTuple):
    """What a model makes of documents, or of pairs.

    Attributes:
        raw: For documents on a monotone scale, shape [len(texts)]; NaN for a text without tokens, or on which the
            model failed. For pairs probabilities of entailment, neutral and contradiction, shape [len(pairs), 3].
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
        return PendingScores(self.runner.submit(list(distinct.values())), partial(self._finish, chunks, distinct))

    def _finish(self, chunks: _Chunks, distinct: _Distinct, result: JobResult) -> Scores:
        errors = _errors(chunks, distinct, result)
        raw = _best(chunks, distinct, result.rows[:, self.column])
        raw[[*errors]] = np.nan
        return Scores(raw, _count(distinct), errors)

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """The sigmoid."""
        return sigmoid(raw)

    def close(self) -> None:
        """Nothing is held but memory, which goes with the object."""


@dataclass(frozen=True, slots=True)
class EntailmentModel:
    """Scores premises against hypotheses, and a premise over the context by its most decided chunk.

    Attributes:
        tokenizer: Of the model.
        runner: Its owner thread.
        columns: Of its logits.
    """

    tokenizer: TextTokenizer
    runner: ModelRunner
    columns: EntailmentColumns

    def submit(
        self, pairs: Sequence[tuple[str, str]], *, truncate: bool, on_progress: Callable[[int], object]
    ) -> PendingScores:
        """Tokenize here and now, and queue the rest; `on_progress` is told how many pairs are done."""
        chunks = self.tokenizer.premises(pairs, truncate=truncate)
        distinct = _distinct(chunks)
        advance = _in_shares(on_progress, len(pairs), len(distinct))
        future = self.runner.submit(list(distinct.values()), on_progress=advance)
        return PendingScores(future, partial(self._finish, chunks, distinct))

    def _finish(self, chunks: _Chunks, distinct: _Distinct, result: JobResult) -> Scores:
        errors = _errors(chunks, distinct, result)
        outcomes = outcome_probabilities(result.rows, self.columns)
        decided = outcomes[:, [0, 2]].max(axis=1)
        return Scores(_best(chunks, distinct, outcomes, by=decided), _count(distinct), errors)


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
        tokens = _count(distinct) + len(question) * len(distinct)
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


def outcome_probabilities(logits: NDArray[Any], columns: EntailmentColumns) -> NDArray[np.float64]:
    """Entailment, neutral and contradiction: the softmax over these columns alone, 0 where a model has no such label.

    Returns:
        float64, shape [len(logits), 3]; each row sums to 1.
    """
    chosen = np.full((len(logits), len(columns)), -np.inf)
    for place, column in enumerate(columns):
        if column is not None:
            chosen[:, place] = logits[:, column]
    powers: NDArray[np.float64] = np.exp(chosen - chosen.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _distinct(chunks: _Chunks) -> _Distinct:
    """Every chunk once: in two rows of a batch the scores of equal ones could differ by a rounding, and not tie."""
    return {chunk.ids.tobytes(): chunk for parts in chunks for chunk in parts}


def _count(distinct: _Distinct) -> int:
    return sum(map(len, distinct.values()))


def _in_shares(on_progress: Callable[[int], object], whole: int, parts: int) -> Callable[[int], object]:
    """Tells of `whole` things while `parts` of another kind get done: the same share of them."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        on_progress(whole * done // parts - whole * before // parts)

    return advance


def _errors(chunks: _Chunks, distinct: _Distinct, result: JobResult) -> dict[int, JinaComponentsError]:
    """What documents or pairs failed with; one fails with any of its chunks.

    Raises:
        JinaComponentsError: all failed alike, which is the model's fault rather than theirs.
    """
    by_chunk = {key: result.errors[place] for place, key in enumerate(distinct) if place in result.errors}
    failed = [[by_chunk[key] for chunk in parts if (key := chunk.ids.tobytes()) in by_chunk] for parts in chunks]
    errors = {index: several[0] for index, several in enumerate(failed) if several}
    if errors and len(errors) == sum(map(bool, chunks)) and len({*map(_kind, errors.values())}) == 1:
        raise errors[min(errors)]
    return errors


def _kind(error: BaseException) -> tuple[type, type]:
    return type(error), type(error.__cause__)


def _best(chunks: _Chunks, distinct: _Distinct, rows: NDArray[Any], *, by: NDArray[Any] | None = None) -> NDArray[Any]:
    """The row of each document's best chunk, NaN where there is none (MaxP, Dai & Callan 2019).

    Args:
        chunks: Of each document.
        distinct: All of them, each once.
        rows: By their order there.
        by: What is highest for the best; the rows themselves if None.
    """
    by = rows if by is None else by
    place = {key: number for number, key in enumerate(distinct)}
    best = np.full((len(chunks), *rows.shape[1:]), np.nan, rows.dtype)
    for number, parts in enumerate(chunks):
        if parts:
            best[number] = rows[max((place[chunk.ids.tobytes()] for chunk in parts), key=by.__getitem__)]
    return best


def _done(value: Scores) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future
