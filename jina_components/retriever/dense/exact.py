"""Exact cosines of unit vectors, from a matrix that may be mapped from a file: nothing of it is copied.

Every function takes contiguous float32. Slots are int64, -1 where there is none, whose cosine is -inf.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import faiss
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

    Slots = NDArray[np.int64]
    Found = tuple[Slots, FloatArray]


@contextmanager
def threads_of_faiss(threads: int | None) -> Iterator[None]:
    """Let FAISS use so many threads inside; None leaves it.

    The setting is the calling thread's own (OpenMP), so other users of FAISS keep theirs.
    """
    before = faiss.omp_get_max_threads()
    if threads is None or threads == before:
        yield
        return
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def nearest(queries: FloatArray, k: int, vectors: FloatArray, first: int = 0) -> Found:
    """The `k` nearest of all vectors, best first; `first` is the slot of the first of them."""
    cosines, slots = faiss.knn(queries, vectors, k, faiss.METRIC_INNER_PRODUCT)
    return (np.where(slots < 0, slots, slots + first) if first else slots), cosines


def nearest_among(queries: FloatArray, k: int, vectors: FloatArray, slots: Slots) -> Found:
    """The `k` nearest among some slots: the same for all queries, or a row for each, filled up with -1 at its end."""
    n, d = queries.shape
    cosines, found = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
    faiss.knn_inner_products_by_idx(
        faiss.swig_ptr(queries),
        faiss.swig_ptr(vectors),
        faiss.swig_ptr(slots),
        d,
        n,
        len(vectors),
        slots.shape[-1],
        k,
        faiss.swig_ptr(cosines),
        faiss.swig_ptr(found),
        slots.shape[1] if slots.ndim == 2 else 0,
    )
    return found, cosines


def merged(one: Found, other: Found, k: int) -> Found:
    """The `k` best of two findings."""
    slots, cosines = np.concatenate([one[0], other[0]], axis=1), np.concatenate([one[1], other[1]], axis=1)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(slots, order, 1), np.take_along_axis(cosines, order, 1)
