"""Late interaction over a static token table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jina_components.core.vectors import normalize
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from jina_components.models.backends.static import StaticBackend
    from jina_components.types import FloatArray


# Cosine from which two tokens count as the same word.
_SAME = 0.95
# BM25's saturation and length normalization, set on five retrieval sets (benchmarks/quality/retrieval.py); the usual
# length is a constant, so that no document's score depends on the others.
_K1, _B, _USUAL_LENGTH = 0.3, 0.4, 200
# Similarities held at once (16 MB), so that memory does not grow with the number of documents.
_MAX_CELLS = 1 << 22


class MaxSimScorer:
    """Scores documents by MaxSim (ColBERT, Khattab & Zaharia 2020) over context-free token vectors.

    Each query token looks for its most similar document token. Their cosine, or the number of times when
    it is the same token, is taken as a frequency and saturated by BM25's formula, which holds long documents back;
    plain sums of cosines, which ColBERT's contextual vectors can afford, favour them. The token values are
    averaged with the weight that the table gives each token (the length of its vector), so that rare
    words count most. A score is the document's own, whatever it is ranked with.
    """

    def __init__(self, table: StaticBackend) -> None:
        self._table = table

    def score(self, query: TokenSequence, documents: Sequence[TokenSequence]) -> FloatArray:
        """Scores of the documents, shape [len(documents)], within 0 and 1; 0 for an empty side."""
        longest = max((len(document) for document in documents), default=0)
        step = max(1, _MAX_CELLS // max(1, len(query) * longest))
        slices = [documents[start : start + step] for start in range(0, len(documents), step)]
        return np.concatenate([np.zeros(0, np.float32), *(self._score(query, part) for part in slices)])

    def _score(self, query: TokenSequence, documents: Sequence[TokenSequence]) -> FloatArray:
        scores = np.zeros(len(documents), np.float32)
        filled = [index for index, document in enumerate(documents) if len(document)]
        if not filled or not len(query):
            return scores
        weighted = self._table.token_vectors(query.ids)
        weights = np.linalg.norm(weighted, axis=1)
        # A token that occurs many times is compared once.
        ids, columns = np.unique(np.concatenate([documents[index].ids for index in filled]), return_inverse=True)
        similarities = normalize(weighted) @ normalize(self._table.token_vectors(ids)).T
        starts = np.cumsum([0, *(len(documents[index]) for index in filled[:-1])])
        cells = similarities[:, columns]
        best = np.maximum.reduceat(cells, starts, axis=1)
        same = np.add.reduceat(cells > _SAME, starts, axis=1, dtype=np.float32)
        frequencies = np.maximum(np.maximum(best, same), 0)
        lengths = np.array([len(documents[index]) for index in filled])
        values = frequencies / (frequencies + _K1 * (1 - _B + _B * lengths / _USUAL_LENGTH))
        scores[filled] = weights @ values / max(float(weights.sum()), 1e-9)
        return scores
