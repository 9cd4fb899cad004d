"""The few of many that stand for all: facility location, chosen greedily (Nemhauser, Wolsey and Fisher 1978)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jina_components.types import FloatArray

# What one more must add, in items that nothing chosen resembles: less, and it repeats another one.
_LEAST_GAIN = 0.1


def diverse(vectors: FloatArray, k: int | None = None) -> list[int]:
    """Places of those to whose nearest all vectors are nearest together, the most telling one first.

    Args:
        vectors: Of length 1; shape [number, dimensions], at least one.
        k: How many; None for as many as add something.
    """
    similarity = np.maximum(vectors @ vectors.T, 0.0)
    covered = np.zeros(len(vectors), np.float32)
    chosen: list[int] = []
    while len(chosen) < (len(vectors) if k is None else k):
        gains = np.maximum(similarity - covered, 0.0).sum(axis=1)
        gains[chosen] = -1.0
        best = int(gains.argmax())
        if k is None and chosen and gains[best] < _LEAST_GAIN:
            break
        chosen.append(best)
        np.maximum(covered, similarity[best], out=covered)
    return chosen
