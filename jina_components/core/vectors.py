"""Arithmetic on rows of vectors (numpy)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jina_components.errors import InputError

if TYPE_CHECKING:
    from jina_components.types import FloatArray


_TINY = 1e-15


def normalize(vectors: FloatArray) -> FloatArray:
    """Rows at unit length, shape unchanged; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if norms.size and norms.min() < _TINY:  # whose squares are below what float32 can tell
        norms = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)


def cut(vectors: FloatArray, dimensions: int | None) -> FloatArray:
    """The first `dimensions` components of each row (Matryoshka cut, Kusupati et al. 2022), not renormalized.

    Raises:
        InputError: `dimensions` is not within 1 and the width of the rows.
    """
    return vectors[..., : check_dimensions(dimensions, vectors.shape[-1])]


def check_dimensions(dimensions: int | None, width: int) -> int:
    """`dimensions`, or `width` for None.

    Raises:
        InputError: `dimensions` is not within 1 and `width`.
    """
    if dimensions is None:
        return width
    if not isinstance(dimensions, int) or not 1 <= dimensions <= width:
        raise InputError(f"dimensions must be within 1 and {width} for this model, got {dimensions!r}.")
    return dimensions


def top_indices(scores: FloatArray, k: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Positions of the `k` highest scores, best first; equal scores keep their order."""
    if k < len(scores):
        # All that reach the k-th score, so that ties are broken by position and not by the partition.
        threshold = np.partition(scores, -k)[-k]
        candidates = np.flatnonzero(scores >= threshold)
    else:
        candidates = np.arange(len(scores))
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k]
