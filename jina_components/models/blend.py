"""Several scorers as one: a weighted sum of what they give."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.errors import ConfigError
from jina_components.models.pending import Pending
from jina_components.models.scoring import RemoteScorer, Scorer, Scores, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Blend:
    """A weighted sum of what several scorers give, which err in different ways.

    A document over the context counts for each scorer by the best of its own chunks, so the sum may be of different
    passages. With one context for all, the chunks of a cross-encoder are shorter than the others' by the query.

    Attributes:
        scorers: What is summed, begun in this order: one that scores here and now belongs at the end.
        weights: Of each one's raw scores.
        offset: Added to the sum, so that its sigmoid is a probability of relevance.
    """

    scorers: tuple[Scorer, ...]
    weights: tuple[float, ...]
    offset: float

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending[Scores]:
        """Begin to score with all of them."""
        pending: list[Pending[Scores]] = []
        try:
            for scorer in self.scorers:
                pending.append(scorer.submit(query, texts, truncate=truncate))  # noqa: PERF401 (cancelled if one raises)
        except BaseException:
            for begun in pending:
                begun.cancel()
            raise
        return Pending(_gathered([part.future for part in pending]), partial(self._finish, pending))

    def _finish(self, pending: Sequence[Pending[Scores]], results: Sequence[Any]) -> Scores:
        parts = [part.finish(result) for part, result in zip(pending, results, strict=True)]
        weighted = [weight * part.raw.astype(np.float64) for weight, part in zip(self.weights, parts, strict=True)]
        errors = {index: error for part in parts for index, error in part.errors.items()}
        return Scores(np.sum(weighted, axis=0) + self.offset, sum(part.tokens for part in parts), errors)

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """The sigmoid."""
        return sigmoid(raw)

    def close(self) -> None:
        """Close all of them."""
        for scorer in self.scorers:
            scorer.close()


def keeping(scorer: Any, document: int) -> Scorer:  # noqa: ANN401 (any of ours)
    """The same scorer, but that it keeps so many tokens of a document.

    Raises:
        ConfigError: it is behind an endpoint.
    """
    if isinstance(scorer, Blend):
        return replace(scorer, scorers=tuple(keeping(part, document) for part in scorer.scorers))
    if isinstance(scorer, RemoteScorer):
        raise ConfigError("An endpoint counts tokens by itself: leave max_document_length out.")
    limited: Scorer = replace(scorer, limits=replace(scorer.limits, document=document))
    return limited


def _gathered(futures: Sequence[Future[Any]]) -> Future[list[Any]]:
    """The results of all; or, as soon as one fails or is cancelled, the same, and the others are cancelled."""
    gathered: Future[list[Any]] = Future()
    left = len(futures)
    lock = threading.Lock()

    def note(ended: Future[Any]) -> None:
        nonlocal left
        failed = ended.cancelled() or ended.exception() is not None
        with lock:
            settles = left == 1 or (failed and left > 0)
            left = 0 if failed else left - 1
        if settles:
            _settle(gathered, ended, futures)

    gathered.add_done_callback(lambda _: [future.cancel() for future in futures])
    for future in futures:
        future.add_done_callback(note)
    return gathered


def _settle(gathered: Future[list[Any]], ended: Future[Any], futures: Sequence[Future[Any]]) -> None:
    """Complete as the future that ended last does; called once."""
    if ended.cancelled():
        gathered.cancel()
    if not gathered.set_running_or_notify_cancel():
        return
    error = ended.exception()
    if error is not None:
        gathered.set_exception(error)
    else:
        gathered.set_result([future.result() for future in futures])
