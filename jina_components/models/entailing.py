"""Models that score premises against hypotheses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jina_components.errors import JinaComponentsError
from jina_components.models.chunks import Chunks, DistinctChunks, best_rows, chunk_errors, count_tokens, distinct_chunks
from jina_components.models.labels import EntailmentColumns
from jina_components.models.pending import Pending
from jina_components.models.runner import JobResult, ModelRunner
from jina_components.models.tokenize import TextTokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Outcomes(NamedTuple):
    """What a model makes of pairs.

    Attributes:
        probabilities: Of entailment, neutral and contradiction, float64, shape [len(pairs), 3].
        tokens: That ran.
        errors: By position, what the model failed with on some of the pairs.
    """

    probabilities: NDArray[np.float64]
    tokens: int
    errors: Mapping[int, JinaComponentsError] = MappingProxyType({})


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
    ) -> Pending[Outcomes]:
        """Tokenize here and now, and queue the rest; `on_progress` is told how many pairs are done."""
        chunks = self.tokenizer.premises(pairs, truncate=truncate)
        distinct = distinct_chunks(chunks)
        advance = _in_shares(on_progress, len(pairs), len(distinct))
        future = self.runner.submit(list(distinct.values()), on_progress=advance)
        return Pending(future, partial(self._finish, chunks, distinct))

    def _finish(self, chunks: Chunks, distinct: DistinctChunks, result: JobResult) -> Outcomes:
        errors = chunk_errors(chunks, distinct, result)
        outcomes = outcome_probabilities(result.rows, self.columns)
        decided = outcomes[:, [0, 2]].max(axis=1)
        return Outcomes(best_rows(chunks, distinct, outcomes, by=decided), count_tokens(distinct), errors)


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


def _in_shares(on_progress: Callable[[int], object], whole: int, parts: int) -> Callable[[int], object]:
    """Tells of `whole` things while `parts` of another kind get done: the same share of them."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        on_progress(whole * done // parts - whole * before // parts)

    return advance
