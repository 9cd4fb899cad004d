"""Exact dense search with FAISS: a flat inner-product index that knows rows by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import faiss
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray


class FaissStore:
    """Unit vectors by row number; similarity is the inner product, which is their cosine.

    Args:
        dimensions: Width of the vectors.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimensions))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, rows: Sequence[int], vectors: FloatArray) -> None:
        """Add vectors, shape [len(rows), dimensions], under row numbers not yet there."""
        if len(rows):
            self._index.add_with_ids(np.ascontiguousarray(vectors), np.asarray(rows, np.int64))

    def remove(self, rows: Sequence[int]) -> None:
        """Forget rows; unknown ones are ignored."""
        self._index.remove_ids(np.asarray(rows, np.int64))

    def search(self, vector: FloatArray, k: int, allowed: NDArray[np.int64] | None = None) -> list[tuple[int, float]]:
        """The `k` most similar (row, cosine), best first, among the `allowed` rows (None for all)."""
        parameters = None if allowed is None else faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))
        # One query has no work for several threads, and waiting for them at a busy core costs fifty times more.
        # The setting is the calling thread's own (OpenMP), so other users of FAISS keep theirs.
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            scores, rows = self._index.search(vector[None, :], min(k, max(len(self), 1)), params=parameters)
        finally:
            faiss.omp_set_num_threads(threads)
        return [(int(row), float(score)) for row, score in zip(rows[0], scores[0], strict=True) if row >= 0]

    def to_arrays(self) -> tuple[NDArray[np.int64], FloatArray]:
        """Row numbers and their vectors, in the same order."""
        rows = faiss.vector_to_array(self._index.id_map)
        vectors = faiss.downcast_index(self._index.index).reconstruct_n(0, len(self))
        return rows, vectors
