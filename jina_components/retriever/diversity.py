"""Results that differ from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jina_components.types import FloatArray


def most_marginal(
    relevance: FloatArray, vectors: FloatArray, count: int, *, diversity: float
) -> list[tuple[int, float]]:
    """Maximal marginal relevance (Carbonell & Goldstein 1998): each pick is relevant, and unlike the ones before it.

    Args:
        relevance: Of each candidate, scaled to 0 … 1, so that it compares with cosines.
        vectors: Unit vectors of the candidates, shape [candidates, dimensions].
        count: How many to pick at most.
        diversity: From 0, relevance alone, to 1, unlikeness alone (the paper's 1 - λ).

    Returns:
        (position, score) in order of picking. The score is (1 - diversity) * relevance - diversity * the highest cosine
        with an earlier pick, where that is positive: it never rises. Equal ones come in order of position.
    """
    gains = (1 - diversity) * relevance.astype(np.float64)
    likeness = np.zeros(len(relevance))
    picked: list[tuple[int, float]] = []
    left = np.ones(len(relevance), dtype=bool)
    while left.any() and len(picked) < count:
        values = np.where(left, gains - diversity * likeness, -np.inf)
        position = int(values.argmax())
        picked.append((position, float(values[position])))
        left[position] = False
        likeness = np.maximum(likeness, vectors @ vectors[position])
    return picked


def scaled(scores: FloatArray) -> FloatArray:
    """Scores stretched to 0 … 1; all 1 where they are equal."""
    spread = scores.max() - scores.min() if len(scores) else 0.0
    return (scores - scores.min()) / spread if spread > 0 else np.ones_like(scores)
